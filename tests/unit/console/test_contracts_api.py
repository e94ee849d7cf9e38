"""Contracts on the console, over a real house: what the API says is what files and ledger say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.system import deployment
from tests.unit.console.desk import Desk, open_desk
from tests.vendor import Vendor

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)


def contract(id: str, supplier: str, start: Any, more: str = "", head: str = "") -> str:
    return (
        f'schema = "freehold.contract/1"\nid = "{id}"\nkind = "model-api"\n{head}\n[party]\nsupplier = "{supplier}"\n'
        f"[term]\nstart = {start}\n{more}"
    )


@pytest.fixture
async def desk(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Desk]:
    first = TODAY - 100 * DAY
    ends = TODAY + 265 * DAY
    (tmp_path / "contracts").mkdir()
    files = {
        "old": contract("deal-1", "vendor-openai", first - 400 * DAY, f"end = {ends}\n"),
        "new": contract(
            "deal-2",
            "vendor-openai",
            first,
            f"end = {ends}\nrenewal = {{ auto = true }}\nnotice_days = {{ customer = 200 }}\n"
            f'[[commitment]]\nid = "year"\ntype = "spend"\nstart = {first}\nend = {ends}\namount = "1000"\n'
            f'[[price]]\ninput = "100"\noutput = "100"\n'
            f'[[source]]\nat = "term.end"\nsource = "the paper that was signed"\ndate = {first}\n',
            'title = "The deal"\nsupersedes = "deal-1"\n',
        ),
        "spare": contract("spare", "other", first, 'notice_days = { customer = 10 }\n[dora]\ncooperation = "yes"\n'),
    }
    for name, text in files.items():
        (tmp_path / "contracts" / f"{name}.toml").write_text(text)
    text = (
        '[server]\nlisten = "127.0.0.1:1"\n[contracts]\ninclude = ["contracts/*.toml"]\n'
        '[functions.claims]\ncriticality = "critical"\nroutes = ["gpt"]\n'
        + deployment("gpt", vendor.url, "ok;in=20;out=10", more='contract = "deal-1"')
    )
    async with open_desk(tmp_path, text) as opened:
        yield opened


async def test_all_contracts_by_the_day_on_which_they_want_something(desk: Desk) -> None:
    for _ in range(3):
        assert await desk.chat("gpt")
    told = await desk("GET", "contracts")
    assert told["day"] == TODAY.isoformat()
    assert [(row["id"], row["state"]) for row in told["contracts"]] == [
        ("deal-2", "active"),
        ("spare", "active"),
        ("deal-1", "superseded"),
    ]
    deal = told["contracts"][0]
    assert deal["notice_by"] == (TODAY + 65 * DAY).isoformat()
    assert deal["deployments"] == ["gpt"]
    (pace,) = deal["paces"]
    assert (pace["counted"], pace["amount"], pace["unit"], pace["points"]) == ("0.009", "1000", "USD", [])
    codes = [(one["code"], one["contract"]) for one in told["findings"]]
    assert ("notice_open", "deal-2") in codes
    assert ("unused", "spare") in codes
    assert told["found"]["warning"] == sum(one["severity"] == "warning" for one in told["findings"])
    assert [event["kind"] for event in told["events"]] == ["notice"]
    assert told["about_clauses"] == "A finding, not a statement of compliance."
    assert told["catching_up"] is None


async def test_one_contract_with_its_versions_and_where_values_are_from(desk: Desk) -> None:
    assert await desk.chat("gpt")
    told = await desk("GET", "contracts/deal-2")
    assert told["row"]["title"] == "The deal"
    assert [row["id"] for row in told["chain"]] == ["deal-1", "deal-2"]
    (compared,) = told["compared"]
    assert (compared["old"], compared["new"]) == ("deal-1", "deal-2")
    assert "term.renewal.auto" in [change["field"] for change in compared["changes"]]
    lines = {line["field"]: line for section in told["sections"] for line in section["lines"]}
    assert lines["term.end"]["sources"] == [0]
    assert "the paper that was signed" in told["sources"][0]
    (pace,) = told["paces"]
    assert pace["points"][-1]["line"] == "1000"
    assert {one["id"]: one["applies"] for one in told["clauses"]} == {
        "dora": "yes",
        "dora_critical": "yes",
        "data_act": "unknown",
    }
    assert {event["contract"] for event in told["events"]} == {"deal-2"}
    assert {one["contract"] for one in told["findings"]} == {"deal-2"}
    old = await desk("GET", "contracts/deal-1")
    assert (old["row"]["state"], old["findings"], old["clauses"]) == ("superseded", [], [])
    assert await desk.fails("GET", "contracts/deal-3") == (404, "not_found")


async def test_the_calendar_is_a_file(desk: Desk) -> None:
    status, headers, body = await desk.raw("GET", "/api/admin/contracts/calendar.ics")
    assert (status, headers[b"content-type"]) == (200, b"text/calendar; charset=utf-8")
    assert headers[b"content-disposition"] == b'attachment; filename="contracts.ics"'
    assert headers[b"cache-control"] == b"no-store"
    assert body.count(b"BEGIN:VEVENT") == 3, "notice, the commitment's end, renewal"
    status, _, body = await desk.raw("GET", "/api/admin/contracts/calendar.ics?contract=deal-1&days=70")
    assert (status, body.count(b"BEGIN:VEVENT")) == (200, 1)
    assert b"X-WR-CALNAME:deal-1" in body
    status, _, body = await desk.raw("GET", "/api/admin/contracts/calendar.ics?contract=spare")
    assert (status, body.count(b"BEGIN:VEVENT")) == (200, 0)
    assert await desk.fails("GET", "contracts/calendar.ics?contract=none") == (404, "not_found")
    assert await desk.fails("GET", "contracts/calendar.ics?days=-1") == (400, "invalid_request")
