"""What the tests of tools share: settings of servers, a member, a server of tools over HTTP in a process of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.system import free_port

from freehold.access.members import Member
from freehold.assist.tools import ServerSettings

HERE = Path(__file__).parent
PROGRAM = str(HERE / "tool_server.py")
ROUGH = str(HERE / "rough_server.py")


def member(name: str = "ada", **more: Any) -> Member:
    facts: dict[str, Any] = {"display": name, "role": "member", "team": None, "key": f"key_{name}", "settings": {}}
    return Member(id=f"mem_{name}", name=name, created_at=1, **{**facts, **more})


def child(name: str = "shop", *words: str, **more: Any) -> ServerSettings:
    """Settings of the real server as a child process."""
    command = (sys.executable, *(words or (PROGRAM, "stdio")))
    return ServerSettings(name=name, kind="stdio", command=command, **{"env": {"PATH": os.defpath}, **more})


def rough(manner: str, **more: Any) -> ServerSettings:
    return child("rough", ROUGH, manner, **more)


async def gone(pid: int) -> None:
    """Return once the process has ended; whoever inherits it may still have to take note."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"process {pid} still runs")


class Running:
    """The real server over HTTP; `form` is http, json or bare (keeps no sessions)."""

    def __init__(self, form: str, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._form = form
        self._log = log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                (sys.executable, PROGRAM, self._form, str(self.port)), stdout=out, stderr=out
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/none", timeout=5).close()
            except OSError as e:
                if getattr(e, "code", None) == 404:
                    e.close()  # type: ignore[attr-defined]
                    return
                assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
