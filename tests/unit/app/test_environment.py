"""What the environment says and what it is not asked twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.app.environment import Environment, read


def test_an_empty_value_counts_as_unset() -> None:
    environment = Environment({"A": "", "B": "x"})
    assert environment.get("A") is None
    assert environment.get("B") == "x"
    assert environment.get("C") is None


def test_it_is_frozen_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD_URL", "one")
    environment = read()
    monkeypatch.setenv("FREEHOLD_URL", "two")
    assert environment.get("FREEHOLD_URL") == "one"


def test_a_child_gets_ours_and_more() -> None:
    assert Environment({"A": "1", "B": "2"}).child({"B": "3"}) == {"A": "1", "B": "3"}


def test_folders(tmp_path: Path) -> None:
    assert Environment({}).folder("XDG_CACHE_HOME", ".cache") is None
    assert Environment({"HOME": "relative"}).home is None
    assert Environment({"HOME": str(tmp_path)}).folder("XDG_CACHE_HOME", ".cache") == tmp_path / ".cache"
    named = Environment({"HOME": str(tmp_path), "XDG_CACHE_HOME": "/var/cache"})
    assert named.folder("XDG_CACHE_HOME", ".cache") == Path("/var/cache")
    assert Environment({"HOME": str(tmp_path), "XDG_CACHE_HOME": "x"}).folder("XDG_CACHE_HOME", "c") == tmp_path / "c"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb")])
def test_plain_output(name: str, value: str) -> None:
    assert Environment({name: value}).plain
    assert not Environment({"TERM": "xterm"}).plain
