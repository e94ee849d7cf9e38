"""A real PostgreSQL for tests: started once a session from the system's binaries, a fresh database for each test.

Use it with `pytest_plugins = ["tests.postgres"]` in a test module, then ask for `postgres_url`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MISSING = "These tests run on a real PostgreSQL; install its server: apt-get install postgresql (or set PGBIN)."


def binaries() -> Path:
    """Return the folder of initdb and pg_ctl; fail when there is none."""
    found = [Path(path) for path in (os.environ.get("PGBIN"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.fail(MISSING, pytrace=False)


class Server:
    """A cluster in a folder of its own, on 127.0.0.1 and a UNIX socket. It refuses to run as root, so root lends it
    the user `postgres`."""

    def __init__(self) -> None:
        self.bin = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="fh-pg-", dir="/tmp"))
        self.user: str | None = None
        if os.getuid() == 0:
            self.user = "postgres"
            try:
                account = pwd.getpwnam(self.user)
            except KeyError:
                pytest.fail(MISSING, pytrace=False)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._count = 0

    def run(self, *command: str) -> None:
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        log = self.folder / "command.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [*prefix, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, cwd=self.folder
            )
        if done.returncode:
            pytest.fail(f"{command[0]} failed:\n{log.read_text()[-2000:]}", pytrace=False)

    def start(self) -> None:
        initdb = ("-U", "freehold", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.run(str(self.bin / "initdb"), "-D", str(self.data), *initdb)
        self.resume()

    def resume(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c shared_buffers=32MB"
        log = str(self.folder / "server.log")
        self.run(str(self.bin / "pg_ctl"), "-D", str(self.data), "-l", log, "-o", options, "-w", "-t", "30", "start")

    def stop(self, mode: str = "immediate") -> None:
        self.run(str(self.bin / "pg_ctl"), "-D", str(self.data), "-m", mode, "-w", "-t", "30", "stop")

    def database(self) -> str:
        """Make an empty database; return its URL."""
        self._count += 1
        name = f"t{self._count}"
        self.run(str(self.bin / "createdb"), "-h", str(self.folder), "-p", str(self.port), "-U", "freehold", name)
        return f"postgresql://freehold@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    server = Server()
    try:
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """URL of a fresh, empty database."""
    return postgres_server.database()
