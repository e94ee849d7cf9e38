"""Starts the real system, as a user would: the command line, a configuration file, a folder of its own.

Knows the commands and the ports; refuses to know any module of the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

ROOT = Path(__file__).resolve().parent.parent
VENDOR_KEY = "sk-vendor-secret-0123456789"


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tree(pid: int) -> list[int]:
    """`pid` and all its descendants, parents first."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{parent}/task"):
                found += map(int, Path(f"/proc/{parent}/task/{task}/children").read_text().split())
    return found


def command_line(pid: int) -> str:
    """The command line of a process, or "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


KINDS = ("intent", "outcome", "admin")


def _ask_postgres(url: str, query: str, args: Sequence[Any]) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url)
        try:
            count = itertools.count(1)
            numbered = re.sub(r"\?", lambda _: f"${next(count)}", query)
            return [dict(row) for row in await connection.fetch(numbered, *args)]
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # the caller may be inside a running loop
        return thread.submit(asyncio.run, ask()).result()


def until(check: Any, seconds: float = 10.0, every: float = 0.02, what: str = "") -> Any:
    """Return the first true value of `check()`; AssertionError after `seconds`."""
    deadline = time.perf_counter() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.perf_counter() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or check}")
        time.sleep(every)


def _python_path() -> list[str]:
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


class System:
    """One Freehold in a folder. `start` and `stop` may be called in turn; the folder stays."""

    def __init__(
        self, home: Path, config: str, *, env: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = home / "freehold.toml"
        self.log = home / "serve.log"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "FREEHOLD_HOME": os.environ.get("FREEHOLD_HOME", str(ROOT / ".test")),
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, _python_path())),
            "VENDOR_KEY": VENDOR_KEY,
            "PYTHONWARNINGS": "default",
            **(env or {}),
        }
        self.postgres = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.key = ""
        self.configure(config)

    def configure(self, config: str) -> None:
        """Write the configuration file; `{port}` and `{home}` are filled in. It takes effect at start or `reload`."""
        text = config.replace("{port}", str(self.port)).replace("{home}", str(self.home))
        found = re.search(r'^url = "(postgresql://[^"]+)"', text, re.MULTILINE)
        self.postgres = found[1] if found else ""
        self.file.write_text(text)

    def cli(self, *words: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `freehold WORDS...` on this system's configuration."""
        done = subprocess.run(
            [sys.executable, "-m", "freehold", *words, "--config", str(self.file)],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"freehold {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *words: str, timeout: float = 60) -> Any:
        """Run a command with --json and return what it printed."""
        return json.loads(self.cli(*words, "--json", timeout=timeout).stdout)

    def new_key(self, name: str = "tester", *words: str) -> dict[str, Any]:
        """Create a key; the first one becomes `self.key`."""
        made: dict[str, Any] = self.json("keys", "create", name, *words)
        self.key = self.key or made["key"]
        return made

    @property
    def database(self) -> Path:
        return self.home / "freehold.db"

    def sql(self, query: str, *args: Any) -> list[dict[str, Any]]:
        """Ask the store directly, on a connection of our own; `?` placeholders, rows as dicts."""
        if self.postgres:
            return _ask_postgres(self.postgres, query, args)
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, args)]
        finally:
            connection.close()

    def entries(self, where: str = "1 = 1", *args: Any) -> list[dict[str, Any]]:
        """The ledger's rows, oldest first; `kind` by its name."""
        rows = self.sql(f"SELECT * FROM entry WHERE {where} ORDER BY seq", *args)
        return [{**row, "kind": KINDS[row["kind"]]} for row in rows]

    def outcomes(self, where: str = "1 = 1", *args: Any) -> list[dict[str, Any]]:
        return [row for row in self.entries(where, *args) if row["kind"] == "outcome"]

    def spawn(self, wrap: Sequence[str] = ()) -> None:
        """Start the server and return at once."""
        assert self.process is None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*wrap, sys.executable, "-m", "freehold", "serve", "--config", str(self.file)],
                env=self.env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self, seconds: float = 30.0, wrap: Sequence[str] = ()) -> System:
        """Start the server and wait until it takes calls. `wrap`: a command that runs it, e.g. one that sets limits."""
        self.spawn(wrap)
        return self.wait(seconds)

    def wait(self, seconds: float = 30.0) -> System:
        """Wait until /readyz says yes."""
        deadline = time.perf_counter() + seconds
        while not self.ready():
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}\n{self.tail()}")
            if time.perf_counter() > deadline:
                raise AssertionError(f"not ready within {seconds} s\n{self.tail()}")
            time.sleep(0.01)
        return self

    def ready(self) -> bool:
        try:
            return self.probe("/readyz")[0] == 200
        except OSError:
            return False

    def probe(self, path: str) -> tuple[int, bytes]:
        """GET `path` on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            connection.close()

    def tail(self, size: int = 6000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[int]:
        """Process ids of the workers: the descendants that hold the listening socket."""
        return [pid for pid in tree(self.pid)[1:] if _listens(pid, self.port)]

    def reload(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def stop(self, sig: int = signal.SIGTERM, seconds: float = 40.0) -> int:
        """End the server and return its exit status; whatever is left of its tree is killed and is an error."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        family = tree(process.pid)
        if process.poll() is None:
            process.send_signal(sig)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._slay(family)
            process.wait(10)
            raise AssertionError(f"did not stop within {seconds} s\n{self.tail()}") from None
        self._slay([pid for pid in family if "freehold" in command_line(pid)])
        return status

    def kill_tree(self) -> None:
        """kill -9 of every process of the system at one moment."""
        assert self.process is not None
        process, self.process = self.process, None
        family = tree(process.pid)
        self._slay(family)
        process.wait(10)
        until(lambda: not any("freehold" in command_line(pid) for pid in family), 5, what="the tree to be gone")

    @staticmethod
    def _slay(pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def client(self, **more: Any) -> httpx2.AsyncClient:
        """A plain HTTP client that shows the key."""
        more.setdefault("timeout", 30)
        limits = httpx2.Limits(max_connections=512, max_keepalive_connections=512)
        return httpx2.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, limits=limits, trust_env=False, **more
        )


def _listens(pid: int, port: int) -> bool:
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") in inodes for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def deployment(
    name: str, url: str, model: str, *, kind: str = "openai", price: tuple[str, str] | None = None, more: str = ""
) -> str:
    """The tables of one deployment and of a route with the same name. `price` is (input, output) per million tokens."""
    endpoint = url if kind == "azure" else f"{url}/v1"
    cost = f'price = {{ input = "{price[0]}", output = "{price[1]}", currency = "USD" }}\n' if price else ""
    return (
        f'[deployments."{name}"]\nkind = "{kind}"\nendpoint = "{endpoint}"\nkey = {{ env = "VENDOR_KEY" }}\n'
        f'model = "{model}"\nmaker = "openai"\nseller = "vendor-{kind}"\nhost = "vendor-{kind}"\n{cost}{more}\n'
    )


STRICT = 'durability = "strict"\nbodies = "none"'
BATCHED = 'durability = "batched"\nbodies = "none"'


def config(
    *parts: str, server: str = "", ledger: str = STRICT, workers: int = 1, store: str = "sqlite:///freehold.db"
) -> str:
    """A whole configuration file from tables."""
    head = (
        f'[server]\nlisten = "127.0.0.1:{{port}}"\nworkers = {workers}\n{server}\n'
        f'[store]\nurl = "{store}"\n[ledger]\n{ledger}\n'
    )
    return head + "".join(parts)
