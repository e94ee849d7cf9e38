"""One server per folder, one address: what `up` and `serve` say when they cannot have them, and what stands first."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freehold.app import main as app
from freehold.app.main import main

VENDOR = '[deployments.v]\nkind = "openai"\nendpoint = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
ABSENT = '[deployments.own]\nkind = "llamacpp"\nmodel = "smollm2-135m-instruct"\n'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(here: Path) -> Iterator[tuple[str, Path]]:
    """A server in this folder, whose one model is not here: its address and its log."""
    (here / "freehold.toml").write_text(VENDOR + ABSENT)
    address, log = f"127.0.0.1:{free_port()}", here / "log"
    environment = {"PATH": os.environ["PATH"], "HOME": "", "PYTHONPATH": str(Path(app.__file__).resolve().parents[2])}
    command = (sys.executable, "-m", "freehold", "serve", "--listen", address)
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=here, env=environment, stdout=file, stderr=file)
    try:
        end = time.monotonic() + 20
        while b"did not start" not in log.read_bytes():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield address, log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_folder_that_is_served(served: tuple[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    address, log = served
    first, visit, second, third = log.read_text().splitlines()
    assert first == f"serving on http://{address}"
    assert visit.startswith(f"the first visit makes the owner: http://{address}/#setup=")
    assert second.startswith("warning: ")
    assert "`freehold models pull smollm2-135m-instruct`" in second
    assert json.loads(third)["event"] == "engine did not start"
    for command in ("up", "serve"):
        assert main([command]) == 1
        err = capsys.readouterr().err
        assert f"already running from this folder: http://{address}, process " in err
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Freehold ")
    assert f" at http://{address}, not ready: smollm2-135m-instruct\n" in out
    assert re.search(r"^  up +\d+ s, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, process \d+$", out, re.MULTILINE)
    assert re.search(r"^smollm2-135m-instruct +failed .*is not on this machine\.$", out, re.MULTILINE)
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"] == f"http://{address}"
    assert main(["diff", "--json"]) == 1
    assert [row["setting"] for row in json.loads(capsys.readouterr().out)["changes"]] == ["server.listen"]
    assert main(["reload"]) == 0
    assert capsys.readouterr().out == "in force: nothing changed\n"
    Path("freehold.toml").write_text("[server\n")
    assert main(["reload"]) == 3
    assert "line 1" in capsys.readouterr().err


def test_a_port_that_is_taken_names_the_file_to_write(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("up", "serve"):
            assert main([command, "--listen", f"127.0.0.1:{port}"]) == 1
            err = capsys.readouterr().err
            assert f"Port {port} is in use by process {os.getpid()}" in err
            assert f"--listen 127.0.0.1:{port + 1}" in err
            assert str(here / "freehold.toml") in err


def test_an_address_that_is_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", "8080"]) == 3
    assert "'8080' is no address" in capsys.readouterr().err


def test_a_store_that_is_not_ours_or_newer(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    database = sqlite3.connect(here / ".freehold" / "freehold.db")
    with database:
        database.execute("INSERT INTO migration VALUES (99, 'future', 0)")
    database.close()
    listen = f"127.0.0.1:{free_port()}"
    capsys.readouterr()
    assert main(["serve", "--listen", listen]) == 4
    assert "The store is at schema 99 (future)" in capsys.readouterr().err
    (here / ".freehold" / "freehold.db").unlink()
    (here / ".freehold" / "freehold.db").write_text("this is a text and no database, whatever its name says")
    assert main(["serve", "--listen", listen]) == 4
    assert "not a SQLite database: name another one in [store] url" in capsys.readouterr().err
