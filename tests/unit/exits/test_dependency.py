"""What rests on whom, of a small ledger whose figures can be reckoned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.exits.calls import DOLLAR, call, contract, written

from freehold import store as stores
from freehold.contracts import Register
from freehold.contracts.binding import bind
from freehold.contracts.organisation import Entity, Function, Organisation
from freehold.core.errors import BadRequest, NotFound
from freehold.exits.dependency import Asked, Dependency, Ground, look
from freehold.exits.stretches import begin
from freehold.ledger import Entry, Query, entries
from freehold.ledger.traffic import DAY
from freehold.routing import Deployment, Route, Table, Target
from freehold.store import Store

TODAY = date(2026, 6, 15)
NOW = begin(TODAY) + DAY // 2
MAY = begin(date(2026, 5, 1))
AZURE = {"maker": "openai", "seller": "azure", "host": "azure", "compute": "oracle", "chips": "nvidia", "region": "eu",
         "recipients": ("azure", "oracle"), "retention": 30, "function": "support", "asked": "assistant"}  # fmt: skip
CLAUDE = {"maker": "anthropic", "seller": "amazon", "host": "amazon", "compute": "", "chips": "trainium",
          "region": "us", "contract": "", "recipients": ("amazon",), "function": "coding", "asked": "code"}  # fmt: skip
OWN = {"maker": "alibaba", "seller": "own", "host": "own", "compute": "own", "contract": "", "currency": "",
       "function": "coding", "asked": "code"}  # fmt: skip
CALLS = [
    call("2026-05-02", 6, deployment="gpt", **AZURE),
    call("2026-05-20", 2, deployment="gpt", **AZURE | {"seller": "github", "function": ""}),
    call("2026-06-01", 2, deployment="claude", **CLAUDE),
    call("2026-06-02", 0, deployment="own", **OWN),
    call("2026-06-03", 0, deployment="gpt", error="upstream_fault", **AZURE),
    call("2026-06-04", 50, deployment="claude", purpose="shadow", **CLAUDE),
    call("2026-06-05", 9, deployment="gpt", **AZURE | {"currency": "EUR", "function": ""}),
    call("2026-04-30", 99, deployment="gpt", **AZURE),
]
HOUSE = Organisation(
    parties={
        "azure": Entity(name="Azure", group="microsoft"), "github": Entity(group="microsoft"),
        "microsoft": Entity(name="Microsoft"),
    },
    functions={
        "support": Function(title="Customer support", criticality="important"),
        "coding": Function(criticality="critical", rto=3600.0),
        "idle": Function(criticality="ordinary"),
    },
)  # fmt: skip


def deployment(name: str, **more: Any) -> Deployment:
    return Deployment(name, "openai", name, **{"maker": "", "seller": "", "host": "", **more})


def ground(*, open: frozenset[str] | None = frozenset(), organisation: Organisation = HOUSE, more: str = "") -> Ground:
    deployments = {
        "gpt": deployment("gpt", maker="openai", seller="azure", host="azure", contract="ms"),
        "claude": deployment("claude", maker="anthropic", seller="amazon", host="amazon"),
        "own": deployment("own", maker="alibaba", seller="own", host="own", engine="own"),
    }
    routes = {
        "assistant": Route("assistant", (Target("gpt"), Target("claude", 0)), fallback=("claude",)),
        "code": Route("code", (Target("claude"), Target("own", 0))),
    }
    register = Register(
        [contract("ms", more, term="end = 2026-12-31\nrenewal.auto = true\nnotice_days.customer = 60", top="")]
    )
    bonds = bind(deployments.values(), register, organisation, TODAY)
    return Ground(Table(deployments, routes), bonds, register, organisation, open)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/d.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = await stores.open(url, durable=False)
    await written(opened, CALLS)
    yield opened
    await opened.close()


async def ask(store: Store, house: Ground | None = None, **more: Any) -> Dependency:
    return await look(store, house or ground(), Asked(**{"since": MAY, "until": NOW, **more}), NOW)


def shares(found: Dependency, by: str) -> dict[str, float]:
    return {part.id: part.share for spread in found.spreads if spread.by == by for part in spread.parts}


async def test_shares_and_concentration_are_those_of_the_calls(store: Store) -> None:
    found = await ask(store)
    assert (found.measure, found.currency, found.since, found.until) == ("spend", "USD", MAY, begin(TODAY) + DAY)
    assert shares(found, "seller") == {"microsoft": 0.8, "amazon": 0.2, "own": 0.0}
    assert shares(found, "maker") == {"openai": 0.8, "anthropic": 0.2, "alibaba": 0.0}
    assert shares(found, "compute") == {"oracle": 0.8, "amazon": 0.2, "own": 0.0}
    assert shares(found, "contract") == {"ms": 0.8, "": 0.2}
    assert {spread.by: spread.hhi for spread in found.spreads}["seller"] == pytest.approx(0.68)
    assert found.amount.spend == {"USD": 10 * DOLLAR, "EUR": 9 * DOLLAR}
    assert (found.amount.requests, found.amount.failed, found.amount.unpriced) == (5, 1, 1)
    assert found.compute_assumed == pytest.approx(0.2)
    assert found.recipients_assumed == 0
    assert {purpose: amount.spend["USD"] for purpose, amount in found.apart.items()} == {"shadow": 50 * DOLLAR}
    assert shares(await ask(store, merged=False), "seller") == {"azure": 0.6, "github": 0.2, "amazon": 0.2, "own": 0.0}
    assert shares(await ask(store, measure="requests"), "seller") == {"microsoft": 0.6, "amazon": 0.2, "own": 0.2}
    assert shares(await ask(store, currency="EUR"), "seller")["microsoft"] == 1.0


async def test_counterparties_have_all_that_rests_on_them(store: Store) -> None:
    found = {one.id: one for one in (await ask(store)).counterparties}
    assert set(found) == {"openai", "microsoft", "oracle", "anthropic", "amazon"}
    microsoft = found["microsoft"]
    assert (microsoft.name, microsoft.members, microsoft.share) == ("Microsoft", ("azure", "github"), 0.8)
    assert microsoft.roles == {"seller": 0.8, "host": 0.8}
    assert [(one.function, one.share) for one in microsoft.functions] == [("support", 1.0), ("", 1.0)]
    assert microsoft.notice is not None
    assert (microsoft.notice.contract, microsoft.notice.by) == ("ms", date(2026, 11, 1))
    assert (microsoft.held.by_days, microsoft.held.until) == ({30: 3}, date(2026, 7, 5))
    assert found["amazon"].held.by_days == {-1: 2}
    assert found["amazon"].roles == {"seller": 0.2, "host": 0.2, "compute": 0.2}
    assert found["openai"].held.requests == 0


async def test_a_second_target_rests_on_others_is_well_and_allowed(store: Store) -> None:
    async def second(house: Ground) -> dict[str, float]:
        of = {one.id: one for one in (await ask(store, house)).counterparties}["microsoft"].substitutes
        return {name: value for name, value in msgspec.structs.asdict(of).items() if value}

    assert await second(ground()) == {"ready": 1.0}
    assert await second(ground(open=frozenset({"claude"}))) == {"unhealthy": 1.0}
    asks = msgspec.structs.replace(HOUSE, rules={"internal": {"contract": True}})
    ruled = msgspec.convert(msgspec.to_builtins(asks), Organisation)
    assert await second(ground(organisation=ruled)) == {"forbidden": 1.0}
    alone = Table({"gpt": deployment("gpt", seller="github")}, {"assistant": Route("assistant", (Target("gpt"),))})
    one = msgspec.structs.replace(ground(), table=alone)
    assert await second(one) == {"none": 1.0}
    assert await second(msgspec.structs.replace(ground(), table=Table({}, {}))) == {"gone": 1.0}
    found = await ask(store, ground(open=None))
    assert (found.health_known, found.substitutes.proven) == (False, None)
    # the call to amazon would have its second target in `own` only if that took a share of calls
    assert found.substitutes.ready == pytest.approx(0.8)
    assert found.substitutes.none == pytest.approx(0.2)


async def test_functions_come_the_worst_one_first(store: Store) -> None:
    rows = (await ask(store, measure="requests")).functions
    assert [row.id for row in rows] == ["coding", "support", "idle", ""]
    coding, support, idle, nobodys = rows
    assert (coding.criticality, coding.rto, coding.worst, coding.worst_share) == ("critical", 3600.0, "amazon", 0.5)
    assert (support.title, support.worst, support.worst_share, support.share) == (
        "Customer support",
        "microsoft",
        1.0,
        0.2,
    )
    assert (idle.worst, idle.share, idle.amount.requests) == ("", 0.0, 0)
    assert (nobodys.criticality, nobodys.share) == (None, pytest.approx(0.4))
    one = await ask(store, function="coding", measure="requests")
    assert shares(one, "seller") == {"amazon": 0.5, "own": 0.5}
    assert [row.id for row in one.functions] == ["coding"]
    assert shares(await ask(store, function=""), "seller") == {"microsoft": 1.0}
    with pytest.raises(NotFound, match="supprt") as raised:
        await ask(store, function="supprt")
    assert "`support`" in raised.value.hint
    with pytest.raises(BadRequest):
        await ask(store, since=NOW + DAY)


async def test_a_trend_has_every_stretch_and_all_of_it(store: Store) -> None:
    found = await ask(store, per="month")
    trend = found.trend
    assert trend.starts == [MAY, begin(date(2026, 6, 1))]
    assert [(line.id, line.values) for line in trend.lines] == [
        ("microsoft", [8 * DOLLAR, 0]), ("amazon", [0, 2 * DOLLAR])
    ]  # fmt: skip
    assert trend.hhi == [1.0, 1.0]
    assert {one.id: one.trend for one in found.counterparties}["microsoft"] == [1.0, 0.0]
    assert (await ask(store)).trend.per == "week"
    assert len((await ask(store, per="day")).trend.starts) == 46


async def test_each_number_is_that_of_the_entries_behind_it(store: Store) -> None:
    found = await ask(store, measure="requests")
    span = {"since": found.since, "until": found.until, "purpose": ("serve", "hedge", "embed")}

    async def behind(**more: Any) -> list[Entry]:
        return [stored.entry async for stored in entries(store, Query(**span, **more))]

    for spread in found.spreads:
        for part in spread.parts:
            read = await behind(**{spread.by: part.members})
            assert sum(not entry.error for entry in read) == part.amount.requests
            assert sum(bool(entry.error) for entry in read) == part.amount.failed
            assert sum(entry.cost for entry in read if entry.currency == "USD") == part.amount.spend.get("USD", 0)
    for one in found.counterparties:
        assert len(await behind(party=one.members)) == one.amount.requests + one.amount.failed
        for days, requests in one.held.by_days.items():
            since = None if days < 0 else begin(TODAY) - days * DAY
            query = Query(recipient=one.members, retention=days, since=since)
            assert len([stored async for stored in entries(store, query)]) == requests
    for row in found.functions:
        assert len(await behind(function=row.id)) == row.amount.requests + row.amount.failed


async def test_an_empty_ledger_rests_on_nobody(tmp_path: Path) -> None:
    opened = await stores.open(f"sqlite:///{tmp_path}/e.db", durable=False)
    found = await ask(opened)
    assert (found.measure, found.amount.requests, found.trend.lines) == ("requests", 0, [])
    assert [spread.hhi for spread in found.spreads] == [None] * 7
    assert [(one.id, one.share) for one in found.counterparties] == [("microsoft", 0.0)]  # of the contract
    assert set(found.ours.values()) == {0}
    await opened.close()
