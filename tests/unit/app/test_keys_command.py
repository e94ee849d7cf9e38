"""`freehold keys` and `freehold teams`: what is shown of limits, use and state; wrong usage, unknown names."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from freehold import store
from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.app.main import main
from freehold.core.clock import iso, now_ns
from freehold.ledger import Entry, Ledger


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def spend(here: Path, key: str, team: str, cost: int) -> None:
    async def work() -> None:
        opened = await store.open(load(None, Environment({}), here).store_url)
        ledger = Ledger(opened)
        entry = Entry("outcome", "call_1", 0, "serve", now_ns(), key=key, team=team, status=200, input=3, output=4)
        await ledger.conclude(replace(entry, cost=cost, currency="USD"))
        await ledger.close()
        await opened.close()

    asyncio.run(work())


def test_the_list_says_what_is_used_of_a_budget(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    team = told(capsys, "teams", "create", "red", "--limit", "budget=9.00 USD/month")
    limits = ("--limit", "budget=5.00 USD/month", "--limit", "tokens=100/day", "--limit", "requests=6/minute")
    key = told(capsys, "keys", "create", "ci", "--team", "red", *limits)
    (row,) = told(capsys, "keys", "list")
    assert row["last_used"] is None and row["team"] == team["id"] and row["team_name"] == "red"
    spend(here, key["id"], team["id"], 120_000_000)
    (row,) = told(capsys, "keys", "list")
    used = {each["limit"].partition("=")[0]: (each["used"], each["unit"]) for each in row["used"]}
    assert used == {"budget": (120_000_000, "nano USD"), "tokens": (7, "tokens"), "requests": (None, "requests")}
    assert row["last_used"] == iso(now_ns())[:10]
    assert main(["keys", "list"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert "last used" in head and "red" in line and team["id"] not in line
    assert "budget=5.00 USD/month (0.12 USD used)" in line and "tokens=100/day (7 used)" in line
    assert "requests=6/minute" in line and "requests=6/minute (" not in line
    assert main(["teams", "list"]) == 0
    assert "budget=9.00 USD/month (0.12 USD used)" in capsys.readouterr().out


def test_a_team_says_that_it_is_disabled(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teams", "create", "dev"]) == 0
    assert main(["teams", "set", "dev", "--disable"]) == 0
    assert "disabled" in capsys.readouterr().out
    assert main(["teams", "set", "dev", "--enable"]) == 0
    assert "disabled" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("keys", "create", "ci", "--expires", "yesterday"), "not a time"),
        (("keys", "create", "ci", "--expires", "2001-01-01"), "is over"),
        (("keys", "create", "ci", "--limit", "foo"), "not a limit"),
        (("keys", "create", "ci", "--limit", "budget=5 EUR/day"), "EUR"),
        (("keys", "create", "no spaces"), "not a name"),
        (("teams", "create", "red", "--limit", "foo"), "not a limit"),
        (("teams", "set", "red", "--limit", "requests=1/day", "--no-limits"), "not allowed with"),
        (("teams", "set", "red"), "nothing to change"),
    ],
)
def test_values_that_cannot_be_are_wrong_usage(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert main(list(arguments)) == 2
    assert says in capsys.readouterr().err
    assert not (here / ".freehold").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "revoke", "nobody"),
        ("keys", "create", "ci", "--team", "nobody"),
        ("keys", "create", "ci", "--route", "nobody"),
        ("teams", "set", "nobody", "--disable"),
    ],
)
def test_unknown_names_are_failures(here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert main(list(arguments)) == 1
    assert "nobody" in capsys.readouterr().err
