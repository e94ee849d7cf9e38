"""`freehold chat` against a real HTTP server: one question, a conversation, and everything that can go wrong."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.door import KEY, open_door

from freehold.app.main import main

Opened = tuple[str, list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def known(here: Path, door: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD_KEY", KEY)
    monkeypatch.setenv("FREEHOLD_URL", door[0])


def test_one_question(door: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--system", "be brief", "--max-tokens", "5", "good", "morning"]) == 0
    out, err = capsys.readouterr()
    assert out == "said: good morning\n"
    assert "own, 3 + 2 tokens" in err
    (body,) = door[1]
    assert body["model"] == "smollm2-135m-instruct"  # neither the embedder nor a wildcard
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["max_completion_tokens"] == 5


def test_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--json", "hello"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["content"] == "said: hello"
    assert answer["usage"]["completion_tokens"] == 2


def test_from_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert main(["chat", "-m", "x"]) == 0
    assert capsys.readouterr().out == "said: from a pipe\n"


def test_a_conversation_keeps_what_was_said(
    door: Opened, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("one\ntwo\n"))
    assert main(["chat"]) == 0
    first, second = door[1]
    assert len(first["messages"]) == 1
    assert [message["content"] for message in second["messages"]] == ["one", "said: one", "two"]


@pytest.mark.parametrize(("prompt", "says"), [("break", "the answer broke off"), ("fail", "the engine died")])
def test_a_stream_that_ends_badly_is_unavailable(prompt: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", prompt]) == 4
    assert says in capsys.readouterr().err


def test_a_wrong_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FREEHOLD_KEY", "fh-wrong")
    assert main(["chat", "hello"]) == 1
    err = capsys.readouterr().err
    assert "not known here" in err
    assert "FREEHOLD_KEY" in err


def test_no_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FREEHOLD_KEY")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["chat", "hello"]) == 3
    assert "no key to show" in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--url", "http://127.0.0.1:1", "hello"]) == 4
    assert "freehold up" in capsys.readouterr().err


@pytest.mark.parametrize("tokens", ["0", "-1", "many"])
def test_an_answer_has_at_least_one_token(tokens: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--max-tokens", tokens, "hello"]) == 2
    assert "at least 1" in capsys.readouterr().err


def test_a_model_that_the_door_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "-m", "nobody", "hello"]) == 1
    assert "nobody" in capsys.readouterr().err


def certificate(folder: Path) -> Path:
    """Make a self-signed certificate for 127.0.0.1, with its key in one file."""
    made = folder / "door.pem"
    subject = ("-subj", "/CN=door", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run((*command, "-keyout", made, "-out", folder / "cert.pem"), check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (folder / "cert.pem").read_bytes())
    return made


def test_a_door_with_a_certificate_of_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = certificate(here)
    with open_door(made) as (url, _):
        assert main(["chat", "--url", url, "hello"]) == 4
        assert "--ca" in capsys.readouterr().err
        assert main(["chat", "--url", url, "--ca", "cert.pem", "hello"]) == 0
        assert capsys.readouterr().out == "said: hello\n"
        assert main(["chat", "--url", url, "--ca", "none.pem", "hello"]) == 1
        (here / "none.pem").write_text("nothing")
        assert main(["chat", "--url", url, "--ca", "none.pem", "hello"]) == 3
        assert "holds no certificate" in capsys.readouterr().err


def test_a_door_without_a_certificate_asked_for_one(door: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--url", door[0].replace("http:", "https:"), "hello"]) == 4
    assert "http://" in capsys.readouterr().err
