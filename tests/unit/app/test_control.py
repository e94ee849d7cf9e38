"""Asking a running server over its socket, and being told clearly when there is none."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freehold.app.control import SOCKET, NotRunning, ask
from freehold.app.main import main
from freehold.core.errors import FreeholdError, NotFound


@contextmanager
def server(run: Path, status: int, value: object) -> Iterator[list[bytes]]:
    """Answer one request on the control socket."""
    run.mkdir(parents=True, exist_ok=True)
    heard: list[bytes] = []
    body = json.dumps(value).encode()

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            heard.append(connection.recv(65536))
            head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            connection.sendall(head.encode() + body)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(run / SOCKET))
        listening.listen(1)
        thread = threading.Thread(target=answer)
        thread.start()
        yield heard
        thread.join()


def test_an_answer(tmp_path: Path) -> None:
    with server(tmp_path, 200, {"a": 1}) as heard:
        assert ask(tmp_path, "/reload", method="POST") == {"a": 1}
    assert heard[0].startswith(b"POST /reload HTTP/1.1\r\n")


def test_refusals(tmp_path: Path) -> None:
    with server(tmp_path / "a", 404, {}), pytest.raises(NotFound, match="does not know /x"):
        ask(tmp_path / "a", "/x")
    said = {"error": {"code": "config_error", "message": "server.listen: no", "hint": "mend it"}}
    with server(tmp_path / "b", 500, said), pytest.raises(FreeholdError, match="listen: no") as caught:
        ask(tmp_path / "b", "/reload", method="POST")
    assert (caught.value.code, caught.value.hint) == ("config_error", "mend it")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        ask(tmp_path, "/status")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(str(tmp_path / SOCKET))
    with pytest.raises(NotRunning):
        ask(tmp_path, "/status")


def test_a_server_that_hangs(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / SOCKET))
        silent.listen(1)
        with pytest.raises(NotRunning, match="did not answer"):
            ask(tmp_path, "/status", timeout=0.1)


def test_diff_shows_what_differs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from freehold.app.environment import Environment
    from freehold.app.load import effective, load

    config = load(None, Environment({}), here)
    running = effective(config) | {"server.workers": 4, "server.gone": 1}
    with server(config.run, 200, {"hash": "other", "effective": running}):
        assert main(["diff", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["same"] is False
    assert answer["changes"] == [
        {"setting": "server.gone", "runs": 1, "file": None},
        {"setting": "server.workers", "runs": 4, "file": 1},
    ]


def test_diff_of_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from freehold.app.environment import Environment
    from freehold.app.load import effective, load

    config = load(None, Environment({}), here)
    with server(config.run, 200, {"hash": config.hash, "effective": effective(config)}):
        assert main(["diff"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no difference" in err


def test_status_for_people(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from freehold.app.environment import Environment
    from freehold.app.load import load

    run = load(None, Environment({}), here).run
    at = time.time_ns() - 2 * 3_600_000_000_000 - 300_000_000_000
    about = {"version": "1.2.3", "url": "http://127.0.0.1:8080", "data": "/srv/data", "file": None, "pid": 6}
    workers = [
        {"index": 0, "pid": 7, "ready": True, "crashes": 1},
        {"index": 1, "pid": 8, "ready": False, "crashes": 0},
    ]
    engine = {"name": "m", "state": "ready", "rss": 590_000_000, "context": 8192, "busy": 1, "last_used": at}
    answer = {**about, "ready": True, "loading": [], "started": at, "workers": workers, "engines": [engine]}
    with server(run, 200, answer):
        assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Freehold 1.2.3 at http://127.0.0.1:8080, ready\n")
    assert re.search(r"^  up +2 h 5 min, since .*Z, process 6$", out, re.MULTILINE)
    assert re.search(r"^  workers +1 of 2 ready \(processes 7, 8\), 1 crashes$", out, re.MULTILINE)
    assert re.search(r"^m +ready +590\.0 MB +8192 +1 +- +2 h 5 min ago$", out, re.MULTILINE)
    assert str(at) not in out
