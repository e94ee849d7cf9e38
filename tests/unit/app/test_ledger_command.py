"""`freehold ledger` over a real store with real entries."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from freehold import store
from freehold.app.environment import Environment
from freehold.app.first_run import folders
from freehold.app.load import load
from freehold.app.main import main
from freehold.ledger import Body, Entry, Ledger

DAY = 86_400_000_000_000
START = 20_000 * DAY  # 2024-10-04


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with four calls in its ledger, made once."""
    folder = tmp_path_factory.mktemp("ledger")
    config = load(None, Environment({}), folder)
    folders(config)

    async def fill() -> None:
        opened = await store.open(config.store_url)
        ledger = Ledger(opened)
        for index in range(4):
            failed = index == 3
            intent = Entry("intent", f"call_{index}", 0, "serve", START + index * DAY, key="key_1", asked="assistant")
            intent = replace(intent, deployment="own", maker="acme" if index % 2 else "beta")
            await ledger.intend(intent)
            done = replace(intent, kind="outcome", sent="m", answered="m-1", input=10, output=5, currency="USD")
            done = replace(done, status=502 if failed else 200, error="upstream_fault" if failed else "")
            done = replace(done, cost=index * 1_000_000)
            await ledger.conclude(done, [Body("request", "application/json", b"{}")])
        await ledger.close()
        await opened.close()

    asyncio.run(fill())
    return config.data


@pytest.fixture(autouse=True)
def filled(here: Path, shelf: Path) -> None:
    shutil.copytree(shelf, here / ".freehold")


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["ledger", "query", "--json", *arguments]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        ((), [3, 2, 1, 0]),
        (("--order", "oldest", "--limit", "2"), [0, 1]),
        (("--maker", "acme"), [3, 1]),
        (("--maker", "acme", "--maker", "beta", "--offset", "3"), [0]),
        (("--model", "m-1", "--call", "call_2"), [2]),
        (("--failed",), [3]),
        (("--ok", "--min-cost", "0.001"), [2, 1]),
        (("--max-cost", "0.001"), [1, 0]),
        (("--since", "2024-10-06"), [3, 2]),
        (("--until", "2024-10-05T00:00:00Z"), [0]),
        (("--since", "7d"), []),
        (("--status", "502"), [3]),
        (("--key", "key_1", "--limit", "1"), [3]),
    ],
)
def test_conditions(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], calls: list[int]) -> None:
    assert [row["call"] for row in rows(capsys, *arguments)] == [f"call_{index}" for index in calls]


def test_sums(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "--by", "maker")
    assert [(row["maker"], row["calls"], row["failed_calls"], row["cost"], row["currency"]) for row in found] == [
        ("acme", 2, 1, "0.004", "USD"),
        ("beta", 2, 0, "0.002", "USD"),
    ]
    assert [row["day"] for row in rows(capsys, "--by", "day", "--maker", "beta")] == ["2024-10-06", "2024-10-04"]
    assert main(["ledger", "query", "--by", "mker"]) == 2
    assert "maker" in capsys.readouterr().err


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "query", "--failed"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["at", "key"]
    assert "upstream_fault" in line
    assert "0.003 USD" in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--since", "yesterday"), "2026-11-01"),
        (("--since", "99999w"), "not a time"),
        (("--min-cost", "much"), "0.25"),
        (("--limit", "-1"), "at least 0"),
        (("--limit", "foo"), "foo"),
        (("--status", "ok"), "ok"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert main(["ledger", "query", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--key", "nobody"), ("--call", "call_none"), ("--team", "none")])
def test_who_is_unknown_is_named(capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]) -> None:
    assert main(["ledger", "query", *arguments]) == 1
    assert arguments[1] in capsys.readouterr().err


def test_a_call_is_shown_with_all_that_is_known_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "show", "call_3"]) == 0
    out = capsys.readouterr().out
    assert "intent, attempt 0" in out and "outcome, attempt 0" in out
    for line in (r"maker \(trained it\) +acme", r"tokens +10 in, 5 out", r"cost +0\.003 USD", r"error +upstream_fault"):
        assert re.search(line, out), line
    assert "request, attempt 0 (application/json)\n{}" in out
    assert main(["ledger", "show", "call_3", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [entry["kind"] for entry in shown["entries"]] == ["intent", "outcome"]
    assert shown["bodies"][0]["text"] == "{}"
    assert main(["ledger", "show", "call_none"]) == 1
    assert main(["ledger", "erase", "--call", "call_3", "--why", "asked for", "--yes"]) == 0
    capsys.readouterr()
    assert main(["ledger", "show", "call_3"]) == 0
    assert ": asked for" in capsys.readouterr().out


def put(here: Path, *entries: Entry) -> None:
    """Add entries to the ledger that stands in `here`."""

    async def work() -> None:
        opened = await store.open(load(None, Environment({}), here).store_url)
        ledger = Ledger(opened)
        for entry in entries:
            await ledger.note_admin(entry)
        await ledger.close()
        await opened.close()

    asyncio.run(work())


def test_a_cost_that_nobody_knows_is_not_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Entry("outcome", "call_x", 0, "serve", START, key="key_1", status=200, input=7, estimated=True)
    put(here, outcome, replace(outcome, call="call_y", cost=1_000_000, currency="USD"))
    assert main(["ledger", "query", "--call", "call_x", "--call", "call_y"]) == 0
    out, err = capsys.readouterr()
    _, priced, unpriced = out.splitlines()
    assert "~7" in priced and "~0.001 USD" in priced
    assert "unknown" in unpriced and "USD" not in unpriced
    assert "counted by us" in err
    found = {row["call"]: row for row in rows(capsys, "--since", "2024-10-04")}
    assert (found["call_x"]["cost"], found["call_x"]["cost_nano"], found["call_x"]["estimated"]) == (None, None, True)
    sums = {row["currency"]: row["cost"] for row in rows(capsys, "--by", "key")}
    assert sums[""] is None and sums["USD"]


def test_a_call_that_another_deployment_answered_has_not_failed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Entry("outcome", "call_f", 0, "serve", START, key="key_9", status=502, error="upstream_fault")
    put(here, first, replace(first, attempt=1, status=200, error=""))
    (row,) = rows(capsys, "--by", "key", "--key", "key_9")
    assert (row["calls"], row["failed_calls"], row["attempts"], row["failed_attempts"]) == (1, 0, 2, 1)


def test_the_export_says_what_the_query_says(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "export", "out.jsonl"]) == 0
    capsys.readouterr()
    exported = [json.loads(line) for line in (here / "out.jsonl").read_text().splitlines()]
    assert exported == rows(capsys, "--order", "oldest")
    assert exported[0]["at"] == "2024-10-04T00:00:00.000000Z" and exported[0]["at_ns"] == START


def test_verify_and_a_noted_head(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "verify", "--json"]) == 0
    head = json.loads(capsys.readouterr().out)["head"]
    assert main(["ledger", "verify", "--expect", head]) == 0
    assert main(["ledger", "verify", "--expect", "1:" + "0" * 64]) == 1
    assert main(["ledger", "verify", "--expect", "nonsense"]) == 2
    assert main(["ledger", "verify", "--expect", "foo"]) == 2
    err = capsys.readouterr().err
    assert "head of the chain" in err and "int()" not in err


def test_verify_finds_what_was_changed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    with sqlite3.connect(here / ".freehold" / "freehold.db") as connection:
        connection.execute("DROP TRIGGER IF EXISTS entry_no_update")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE entry SET cost = 0 WHERE seq = (SELECT MAX(seq) FROM entry)")
    connection.close()
    assert main(["ledger", "verify", "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["ok"] is False
    assert verdict["fault"]


def test_export(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "export", "out.csv", "--maker", "acme"]) == 0
    with (here / "out.csv").open(newline="") as file:
        assert [row["call"] for row in csv.DictReader(file)] == ["call_1", "call_3"]
    assert main(["ledger", "export", "out.csv"]) == 1
    assert main(["ledger", "export", "out.csv", "--force"]) == 0
    assert main(["ledger", "export", "out.xls"]) == 2


def test_erase_asks_says_and_records(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "erase", "--call", "call_1", "--why", "asked for"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert main(["ledger", "erase", "--call", "call_1", "--why", "asked for", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"erased": 1}
    (act,) = rows(capsys, "--kind", "admin")
    assert json.loads(str(act["note"]))["why"] == "asked for"
    assert main(["ledger", "verify"]) == 0
    assert main(["ledger", "erase", "--why", "nothing", "--yes"]) == 2
    capsys.readouterr()
    for unknown in (("--key", "nope"), ("--call", "call_nope")):
        assert main(["ledger", "erase", *unknown, "--why", "nothing", "--yes"]) == 1
        assert unknown[1] in capsys.readouterr().err
    assert len(rows(capsys, "--kind", "admin")) == 1, "what erased nothing leaves no act behind"
