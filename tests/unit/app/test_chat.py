"""`freehold chat` against a real HTTP server: one question, a conversation, and everything that can go wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.door import KEY

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
    assert main(["chat", "hello"]) == 4
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
