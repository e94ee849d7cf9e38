"""A real engine child under test, spoken to over its socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from freehold.engines import gguf
from freehold.engines.llama.settings import ChildSettings

KEY = "key-of-this-test"


class Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, key: str = KEY) -> None:
        super().__init__("engine", timeout=120)
        self._path, self._key = path, key

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        self.request(method, path, data, {"authorization": f"Bearer {self._key}", "content-type": "application/json"})
        return self.getresponse()


class ChildProcess:
    """Started on entry, ended on exit. `log` holds what it printed."""

    def __init__(self, model: Path, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fh-"))
        facts = gguf.read(model)
        defaults: dict[str, Any] = {
            "name": "tiny",
            "path": str(model),
            "socket": str(self.folder / "e.sock"),
            "native_socket": str(self.folder / "n.sock"),
            "key": KEY,
            "slots": 4,
            "context": 512,
            "batch": 32,
            "cache_mib": 32,
            "parent": os.getpid(),
            "vocabulary": facts.n_vocab,
            "tokens": facts.tokens,
            "add_bos": False,
            "embedding": facts.embeds,
            "pooling": facts.pooling if facts.embeds else "",
        }
        self.settings = ChildSettings(**{**defaults, **settings})
        self.log = self.folder / "log"

    def __enter__(self) -> ChildProcess:
        env = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "GOMP_SPINCOUNT": "0",
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "freehold.engines.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=env,
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(msgspec.json.encode(self.settings) + b"\n")
        self.process.stdin.flush()
        self.said = json.loads(self.process.stdout.readline() or b"{}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()

    def connect(self, key: str = KEY) -> Connection:
        return Connection(self.settings.socket, key)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and decoded body."""
        connection = self.connect()
        try:
            answer = connection.ask(method, path, body)
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, path: str, **body: Any) -> tuple[int, Any]:
        return self.ask("POST", path, {"model": "tiny", **body})

    def stream(self, path: str, **body: Any) -> list[Any]:
        """Return the events of a stream, "[DONE]" included as text."""
        connection = self.connect()
        try:
            answer = connection.ask("POST", path, {"model": "tiny", "stream": True, **body})
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status == 200, text
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        return [e if e == "[DONE]" else json.loads(e) for e in events]

    def health(self) -> dict[str, Any]:
        status, health = self.ask("GET", "/health")
        assert status == 200
        return dict(health)

    def until(self, seconds: float, **wanted: Any) -> float:
        """Wait until /health says `wanted`; return how long that took."""
        began = time.monotonic()
        while True:
            health = self.health()
            if all(health[k] == v for k, v in wanted.items()):
                return time.monotonic() - began
            assert time.monotonic() - began < seconds, health
            time.sleep(0.02)
