"""`freehold contracts lint|calendar|pace` over real files, and a real ledger where one is asked."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from freehold import store
from freehold.app.environment import Environment
from freehold.app.first_run import folders
from freehold.app.load import load
from freehold.app.main import main
from freehold.ledger import Entry, Ledger

DAY = 86_400_000_000_000
CONFIG = """
[contracts]
include = ["contracts/*.toml"]
[functions.claims]
criticality = "critical"
[deployments.gpt]
kind = "openai"
endpoint = "https://models.example/v1"
model = "gpt-x"
key = { env = "A_KEY_THAT_IS_NOT_SET" }
maker = "openai"
seller = "openai"
host = "openai"
contract = "deal"
"""
DEAL = """
schema = "freehold.contract/1"
id = "deal"
title = "The deal"
kind = "model-api"
owner = "procurement"
[party]
supplier = "openai"
[term]
start = 2026-01-01
end = 2026-12-31
renewal = { auto = true }
notice_days = { customer = 90 }
[[commitment]]
id = "year"
type = "spend"
start = 2026-01-01
end = 2026-12-31
amount = "3650"
[[price]]
input = "1"
"""
OTHER = """
schema = "freehold.contract/1"
id = "other"
kind = "partner"
[party]
supplier = "xai"
[term]
start = 2026-01-01
"""


@pytest.fixture
def filed(here: Path) -> Path:
    (here / "contracts").mkdir()
    (here / "freehold.toml").write_text(CONFIG)
    (here / "contracts" / "deal.toml").write_text(DEAL)
    (here / "contracts" / "other.toml").write_text(OTHER)
    return here


def spend(folder: Path) -> None:
    """Put five units of money on each of the first 151 days of 2026 on the ledger."""
    config = load(None, Environment({"A_KEY_THAT_IS_NOT_SET": "sk"}), folder)
    folders(config)
    first = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000

    async def fill() -> None:
        opened = await store.open(config.store_url)
        ledger = Ledger(opened, durability="batched")
        for day in range(151):
            entry = Entry("intent", f"call_{day}", 0, "serve", first + day * DAY, deployment="gpt", contract="deal")
            await ledger.intend(entry)
            done = replace(entry, kind="outcome", status=200, currency="USD", cost=5_000_000_000, function="claims")
            await ledger.conclude(done)
        await ledger.close()
        await opened.close()

    asyncio.run(fill())


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main(["contracts", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_lint_needs_no_key_and_makes_no_store(filed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "lint", "--on", "2026-09-01")
    assert found["counts"] == {"error": 0, "warning": 1, "info": 0}
    (finding,) = found["findings"]
    assert (finding["code"], finding["contract"], finding["place"]) == (
        "notice_open",
        "deal",
        "term.notice_days.customer",
    )
    assert found["ledger"] is None
    assert found["about_clauses"] == "A finding, not a statement of compliance."
    assert set(found["clauses"]) == {"deal", "other"}
    assert not (filed / ".freehold").exists()


def test_warnings_fail_where_they_are_asked_to_and_errors_do_always(
    filed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["contracts", "lint", "--on", "2026-09-01", "--strict"]) == 1
    assert main(["contracts", "lint", "--on", "2026-03-01", "--strict"]) == 0
    assert main(["contracts", "lint", "--on", "2026-09-01", "--strict", "--window", "7"]) == 0
    assert main(["contracts", "lint", "other", "--on", "2026-09-01", "--strict"]) == 0
    (filed / "contracts" / "deal.toml").write_text(DEAL.replace("auto = true", "auto = false"))
    capsys.readouterr()
    found = told(capsys, "lint", "--on", "2027-01-01", code=1)
    assert (found["findings"][0]["severity"], found["findings"][0]["code"]) == ("error", "not_in_force")


def test_lint_for_people(filed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contracts", "lint", "--on", "2026-09-01", "--clauses"]) == 0
    out, err = capsys.readouterr()
    assert "WARNING  deal  term.notice_days.customer  [notice_open]" in out
    assert "why: without notice we are bound for another 12 months" in out
    assert "30(2)(h)" in out and "90 days" in out
    assert out.rstrip().endswith("A finding, not a statement of compliance.")
    assert "no ledger was read" in err
    assert "0 errors, 1 warning, 0 to know" in err
    assert main(["contracts", "lint", "dael"]) == 1
    assert "did you mean deal?" in capsys.readouterr().err


def test_lint_and_pace_by_what_the_ledger_says(filed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spend(filed)
    (pace,) = told(capsys, "pace", "--on", "2026-06-01")
    assert (pace["counted"], pace["line"], pace["forecast"]) == ("755", "1510", "1825")
    assert (pace["shortfall"], pace["cost"], pace["deployments"]) == ("1825", "1825", ["gpt"])
    assert told(capsys, "pace", "other") == []
    found = told(capsys, "lint", "--on", "2026-06-01")
    assert found["ledger"] == {"done": 151, "head": 151}
    assert "commitment_behind" in [one["code"] for one in found["findings"]]
    (critical,) = [one for one in found["clauses"]["deal"] if one["id"] == "dora_critical"]
    assert (critical["applies"], critical["because"]) == ("yes", "it supports claims")
    without = told(capsys, "lint", "--on", "2026-06-01", "--no-ledger")
    assert "commitment_behind" not in [one["code"] for one in without["findings"]]
    assert main(["contracts", "pace", "--on", "2026-06-01"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert "3,650.00 USD" in line and "1,825.00 USD" in line


def test_the_calendar_as_rows_and_as_a_file(filed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = told(capsys, "calendar", "--on", "2026-09-01", "--days", "60")
    assert [(row["day"], row["in"], row["kind"], row["to do"]) for row in rows] == [("2026-10-02", 31, "notice", True)]
    assert told(capsys, "calendar", "other") == []
    assert main(["contracts", "calendar", "--on", "2026-09-01", "--ics", "due.ics"]) == 0
    data = (filed / "due.ics").read_bytes()
    assert data.startswith(b"BEGIN:VCALENDAR\r\n") and data.endswith(b"END:VCALENDAR\r\n")
    assert data.count(b"BEGIN:VEVENT") == 3
    assert main(["contracts", "calendar", "--ics", "due.ics"]) == 2
    assert main(["contracts", "calendar", "--ics", "due.ics", "--force", "--days", "0"]) == 0
    assert (filed / "due.ics").read_bytes().count(b"BEGIN:VEVENT") == 0
    assert main(["contracts", "calendar", "--ics", "nowhere/due.ics"]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main(["contracts", "calendar", "--on", "2026-09-01", "--days", "99999999", "deal"]) == 0


def test_no_contracts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contracts", "lint"]) == 0
    assert "no contracts are on file" in capsys.readouterr().err
    assert told(capsys, "calendar") == []
