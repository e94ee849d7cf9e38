"""Sums of what rests on whom, on both stores: what they say is what the entries say, each counted once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from freehold import store as stores
from freehold.core.call import Purpose
from freehold.ledger import Entry, Ledger, reliance
from freehold.ledger.entry import FIELDS, columns, encode, failed
from freehold.ledger.reliance import BY, CALLERS, Use
from freehold.ledger.traffic import DAY
from freehold.store import Store

PURPOSES: tuple[Purpose, ...] = ("serve", "hedge", "shadow")


def made(i: int) -> Entry:
    return Entry(
        ("outcome", "outcome", "intent", "admin")[i % 4], f"call_{i // 4}", i % 4, PURPOSES[i % 3], i % 5 * DAY + i,
        key=f"k{i // 12 % 4}", team="té\n\"'" if i % 2 else "",
        asked=f"m{i % 2}", sent=f"m{i % 3}", deployment=f"d{i % 3}",
        maker="openai", seller="microsoft", host="microsoft", region="eu", contract="c1", input=i, output=2 * i,
        cached=1, cost=10 * i, currency="USD" if i % 5 else "", error=("", "upstream_fault", "client_gone")[i % 3],
        terms="0" * 12, compute="oracle" if i % 2 else "", chips="nvidia", recipients=("openai", "microsoft"),
        retention=30 if i % 2 else -1, function="support",
    )  # fmt: skip


ALL = [made(i) for i in range(240)]


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/r.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = await stores.open(url, durable=False)
    yield opened
    await opened.close()


async def written(store: Store, many: list[Entry]) -> None:
    ledger = Ledger(store)
    await asyncio.gather(*(ledger.note_admin(entry) for entry in many))
    await ledger.close()


def plain(many: list[Entry], since: int = 0, until: int = 100 * DAY, *, day: bool = False) -> dict[Any, Counter[str]]:
    found: dict[Any, Counter[str]] = {}
    for entry in many:
        if entry.kind != "outcome" or not since <= entry.at // DAY * DAY < until:
            continue
        place = (entry.at // DAY * DAY if day else 0, failed(entry.error), *(getattr(entry, name) for name in BY))
        sums = found.setdefault(place, Counter())
        sums.update(calls=entry.attempt == 0, attempts=1, input=entry.input, output=entry.output, cost=entry.cost)
        sums.update(cached=entry.cached)
    return found


def said(many: list[Use]) -> dict[Any, Counter[str]]:
    sums = ("calls", "attempts", "input", "output", "cached", "cost")
    place = [(use.at, use.failed, *(getattr(use, name) for name in BY)) for use in many]
    assert len(set(place)) == len(place)
    return {at: Counter({name: getattr(use, name) for name in sums}) for at, use in zip(place, many, strict=True)}


async def test_sums_are_those_of_the_entries(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliance, "STRIDE", 50)
    await written(store, ALL[:100])
    assert await reliance.roll(store, 60) == (100, 100)
    await written(store, ALL[100:])
    assert await reliance.roll(store, 60) == (240, 240)
    assert said(await reliance.uses(store, 0, 100 * DAY)) == plain(ALL)
    assert said(await reliance.uses(store, 0, 100 * DAY, by_day=True)) == plain(ALL, day=True)
    assert said(await reliance.uses(store, DAY, 3 * DAY)) == plain(ALL, DAY, 3 * DAY)
    pairs = await reliance.uses(store, DAY, 5 * DAY, edges=(DAY, 3 * DAY))
    assert {use.at for use in pairs} == {DAY, 3 * DAY}
    assert sum(use.cost for use in pairs) == sum(sums["cost"] for sums in plain(ALL, DAY, 5 * DAY).values())
    few = await reliance.uses(store, 0, 100 * DAY, callers=False)
    assert len(few) < len(plain(ALL))
    blank = [msgspec.structs.replace(entry, **dict.fromkeys(CALLERS, "")) for entry in ALL]
    assert said(few) == plain(blank)
    assert said(await reliance.uses(store, 0, 100 * DAY, by_day=True, callers=False)) == plain(blank, day=True)
    assert min(use.first_seq for use in pairs) >= 1
    assert max(use.last_seq for use in pairs) <= 240


async def test_several_roll_at_once_and_each_entry_is_summed_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reliance, "STRIDE", 20)
    await written(store, ALL)
    await asyncio.gather(*(reliance.roll(store, 60) for _ in range(4)))
    assert said(await reliance.uses(store, 0, 100 * DAY)) == plain(ALL)


async def test_a_ledger_that_was_cut_off_is_summed_anew(store: Store) -> None:
    await written(store, ALL)
    await reliance.roll(store, 60)
    await store.write(("DELETE FROM entry WHERE seq > 100", [()]))
    assert await reliance.roll(store, 60) == (100, 100)
    assert sum(sums["attempts"] for sums in said(await reliance.uses(store, 0, 100 * DAY)).values()) == 50


async def test_entries_of_earlier_releases_have_what_they_lack_by_default(store: Store) -> None:
    old = FIELDS.index("data_class")
    entry = made(1)
    data = msgspec.json.encode(msgspec.json.decode(encode(entry))[:old])
    names = "seq, hash, data, kind, call, attempt, at, key, team, asked, sent, answered, deployment, maker, seller, "
    names += "host, status, error, input, output, cached, cost, currency"
    row = (1, bytes(32), data, *columns(entry))
    await store.write((f"INSERT INTO entry({names}) VALUES ({','.join('?' * len(row))})", [row]))
    await reliance.roll(store, 60)
    (use,) = await reliance.uses(store, 0, 100 * DAY)
    assert (use.compute, use.chips, use.terms, use.function, use.retention, use.recipients) == ("", "", "", "", -1, ())
    assert (use.team, use.host, use.region, use.contract, use.cost) == ("té\n\"'", "microsoft", "eu", "c1", 10)
