"""Tables, sizes, progress: on a terminal, in a log, for machines."""

from __future__ import annotations

import io
import json

import pytest

from freehold.app.cli.output import Talk, size, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_results_and_talk_go_to_different_places(capsys: pytest.CaptureFixture[str]) -> None:
    heard = io.StringIO()
    talk = Talk(stderr=heard)
    talk.say("wait")
    talk.rows([{"a": 1, "b": None}, {"a": [1, 2], "b": True}], ("a", "b"))
    assert heard.getvalue() == "wait\n"
    assert capsys.readouterr().out == "a     b\n1     -\n1, 2  yes\n"


def test_rows_for_machines_have_all_members(capsys: pytest.CaptureFixture[str]) -> None:
    Talk(json=True, stderr=io.StringIO()).rows([{"a": 1, "more": 2}], ("a",))
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "more": 2}]


def test_nothing_is_said_but_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    heard = io.StringIO()
    Talk(stderr=heard).rows([], ("a",), "no keys")
    assert capsys.readouterr().out == ""
    assert heard.getvalue() == "no keys\n"


def test_quiet_leaves_errors() -> None:
    heard = io.StringIO()
    talk = Talk(quiet=True, stderr=heard)
    talk.say("wait")
    talk.progress("pull")(1, 2)
    talk.error("broken", "mend it")
    assert heard.getvalue() == "freehold: broken\n  what to do: mend it\n"


def test_progress_moves_on_a_terminal() -> None:
    heard = Terminal()
    talk = Talk(stderr=heard)
    update = talk.progress("model")
    update(50_000_000, 100_000_000)
    update(100_000_000, 100_000_000)
    talk.say("done")
    first, second = heard.getvalue().split("\r")[1:]
    assert "50%" in first
    assert "#" in first
    assert second.endswith("\ndone\n")
    assert "100%" in second


def test_progress_is_a_line_for_each_tenth_elsewhere() -> None:
    heard = io.StringIO()
    update = Talk(stderr=heard).progress("model", unit="entries")
    for done in range(0, 1001, 7):
        update(done, 1000)
    update(1000, 1000)
    update(500, 1000)
    lines = heard.getvalue().splitlines()
    assert lines[0] == "model: 0 % of 1000 entries"
    assert lines[-1] == "model: 100 % of 1000 entries"
    assert len(lines) == 11


def test_plain_wins_over_a_terminal() -> None:
    assert not Talk(plain=True, stderr=Terminal()).moving


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (93_500_000, "93.5 MB"), (2 * 10**12, "2.0 TB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_a_table_has_no_trailing_blanks() -> None:
    assert all(line == line.rstrip() for line in table([["a", ""], ["bbb", "c"]], ("one", "two")).splitlines())
