"""`freehold models` over a real shelf with small files: unknown names, models in use, memory, what a pull says."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from freehold.app import pulling
from freehold.app.cli.output import Talk
from freehold.app.environment import Environment
from freehold.app.first_run import folders
from freehold.app.load import load
from freehold.app.main import main
from freehold.engines.pull import Progress

BIG = b"0" * 1000


@pytest.fixture(autouse=True)
def shelf(here: Path) -> None:
    """A models file with one model that lies beside it, kept under the folder we stand in."""
    (here / "own.bin").write_bytes(BIG)
    (here / "models.toml").write_text(
        f"""[models.mine]
title = "Mine"
maker = "me"
licence = "MIT"
files = [{{ name = "own.bin", sha256 = "{hashlib.sha256(BIG).hexdigest()}", sources = [
  {{ kind = "url", url = "http://127.0.0.1:9/own.bin" }}, {{ kind = "path", path = "own.bin" }} ] }}]
[models.huge]
title = "Huge"
maker = "me"
licence = "MIT"
memory = "9 TB"
memory_context = 4096
files = [{{ name = "h.gguf", sha256 = "unknown", sources = [{{ kind = "path", path = "none" }}] }}]
"""
    )
    (here / "freehold.toml").write_text('[engines]\ncatalogue = "models.toml"\n')


@pytest.mark.parametrize("command", ["show", "pull", "fit", "rm", "verify"])
def test_an_unknown_model_is_a_failure(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", command, "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "pull", "fit"])
def test_a_file_that_is_not_there_is_a_failure_and_a_malformed_name_wrong_usage(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", command, "none.gguf"]) == 1
    assert "none.gguf" in capsys.readouterr().err
    assert main(["models", command, "hf:nobody"]) == 2
    assert "hf:owner/repository" in capsys.readouterr().err


def test_a_models_file_with_faults_is_told_once_and_whole(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "models.toml").write_text('[models.a]\ntitel = "A"\n[models.b]\ntitle = 3\n')
    deployments = "".join(f'[deployments.{d}]\nkind = "llamacpp"\nmodel = "{d}"\n' for d in ("a", "b"))
    (here / "freehold.toml").write_text(f'[engines]\ncatalogue = "models.toml"\n{deployments}')
    assert main(["check"]) == 3
    err = capsys.readouterr().err
    assert "engines.catalogue" in err and "deployments." not in err
    for said in ("[models.a] titel", "[models.a] maker: is missing", "[models.b] title: must be text"):
        assert err.count(said) == 1, said


def test_a_pull_says_why_a_source_failed_and_what_it_asks_next(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "mine"]) == 0
    out, err = capsys.readouterr()
    assert "mine: http://127.0.0.1:9/own.bin has failed" in err and "refused" in err
    assert "mine: " in out
    assert main(["models", "rm", "mine"]) == 0


def test_a_bar_begins_with_the_first_byte() -> None:
    stderr = io.StringIO()
    report = pulling.show(Talk(plain=True, stderr=stderr))

    def tell(phase: str, source: str, done: int = 0, why: str = "") -> None:
        report(Progress(model="m", file="f", source=source, phase=phase, done=done, total=10_000_000, why=why))

    tell("asking", "hub")
    for _ in range(6):
        tell("fetching", "hub")
    tell("failed", "hub", why="no answer in time")
    tell("asking", "index")
    tell("fetching", "index", 5_000_000)
    tell("fetching", "index", 10_000_000)
    tell("done", "index", 10_000_000)
    lines = stderr.getvalue().splitlines()
    assert lines[:3] == ["m: asking hub for f", "m: hub has failed: no answer in time", "m: asking index for f"]
    assert [re.findall(r"\d+ %", line) for line in lines[3:]] == [["50 %"], ["100 %"]]


def test_what_does_not_fit_is_said_in_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fit", "huge"]) == 0
    assert "needs about 9.0 TB with 4096 tokens of context" in capsys.readouterr().out
    assert main(["models", "fit", "huge", "mine", "--json"]) == 0
    huge, mine = json.loads(capsys.readouterr().out)["models"]
    assert huge["fits"] is False and huge["bytes"] == 9_000_000_000_000
    assert mine["fits"] is None and "nobody has said" in mine["why"]


def test_one_number_for_the_memory_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    listed = {row["name"]: row["memory"] for row in json.loads(capsys.readouterr().out)}
    names = [name for name, memory in listed.items() if memory]
    assert main(["models", "fit", *names, "--json"]) == 0
    fitted = {row["name"]: row["bytes"] for row in json.loads(capsys.readouterr().out)["models"]}
    assert fitted == {name: listed[name] for name in names}


@contextmanager
def server(run: Path, answers: dict[str, Any]) -> Iterator[None]:
    """A running server's control socket that gives these answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: Any) -> None:
            pass

    class Desk(ThreadingMixIn, UnixStreamServer):
        pass

    with Desk(str(run / "control.sock"), Handler) as desk:
        thread = threading.Thread(target=desk.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            desk.shutdown()
            thread.join()


def test_a_model_in_use_is_not_removed_unasked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "mine"]) == 0
    config = load(None, Environment({}), here)
    folders(config)
    effective = {"deployments.d.kind": "llamacpp", "deployments.d.model": "mine"}
    with server(config.run, {"/status": {"engines": []}, "/config": {"effective": effective}}):
        assert main(["models", "rm", "mine"]) == 1
        assert "running server uses mine" in capsys.readouterr().err
        assert main(["models", "verify", "mine"]) == 0
        assert main(["models", "rm", "mine", "--force"]) == 0
    assert main(["models", "verify", "mine"]) == 1
