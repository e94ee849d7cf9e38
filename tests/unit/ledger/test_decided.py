"""Sums of verdicts, on both stores: what they say is what the entries say, each decision counted once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from freehold import store as stores
from freehold.ledger import Entry, Ledger, Verdict, decided
from freehold.ledger.decided import BY, STOPS
from freehold.ledger.traffic import HOUR
from freehold.store import Store

KINDS = (
    Verdict("rules", "input", "hate", 4, "block", "strict"),
    Verdict("rules", "input", "hate", 4, "block", "strict", True),
    Verdict("deployment:g", "output", "violence", 2, "note", "mild", detail="call_1"),
    Verdict("vendor", "input", "sexual", 6, "block"),
    Verdict("vendor", "output", "unnamed", 0, "refuse"),
    Verdict("privacy", "input", "EMAIL", 0, "redact", 'é"', detail="to x"),
)


def made(i: int) -> Entry:
    verdicts = tuple(kind for n, kind in enumerate(KINDS) if i % 7 > n and i % 3)
    return Entry(
        ("outcome", "outcome", "intent", "admin")[i % 4], f"call_{i // 4}", i % 4, "serve", i * HOUR // 9,
        asked="m", deployment="d", verdicts=verdicts,
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
    for entry in many:  # in their order, so that numbers are places
        await ledger.note_admin(entry)
    await ledger.close()


def counted(entry: Entry) -> list[Verdict]:
    if entry.kind != "outcome":
        return []
    return [v for v in entry.verdicts if entry.attempt == 0 or v.side == "output" or v.by == "vendor"]


async def test_sums_are_those_of_the_entries(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decided, "STRIDE", 37)
    await written(store, ALL[:100])
    assert await decided.roll(store, 60) == (100, 100)
    await written(store, ALL[100:])
    await asyncio.gather(*(decided.roll(store, 60) for _ in range(3)))  # each entry once, whoever sums
    assert await decided.roll(store, 60) == (240, 240)
    plain = Counter(
        (entry.at // HOUR * HOUR, *(getattr(v, name) for name in BY)) for entry in ALL for v in counted(entry)
    )
    found = await decided.decided(store, 0, 100 * HOUR, by_hour=True)
    assert {(d.at, *(getattr(d, name) for name in BY)): d.times for d in found} == plain
    whole = await decided.decided(store, 0, 100 * HOUR)
    assert len(whole) == len(KINDS) and sum(d.times for d in whole) == plain.total()
    for each in whole:
        last = max(
            n
            for n, entry in enumerate(ALL)
            if any(v.category == each.category and v.dry == each.dry for v in counted(entry))
        )
        assert (each.last_seq, each.last_at) == (last + 1, ALL[last].at)


async def test_a_span_begins_and_ends_with_the_hour(store: Store) -> None:
    await written(store, ALL)
    await decided.roll(store, 60)
    found = await decided.decided(store, 3 * HOUR, 7 * HOUR)
    inside = [v for entry in ALL if 3 * HOUR <= entry.at < 7 * HOUR for v in counted(entry)]
    assert sum(d.times for d in found) == len(inside) > 0


async def test_entries_in_which_something_was_stopped(store: Store) -> None:
    await written(store, ALL)
    await decided.roll(store, 60)
    stops = [n + 1 for n, entry in enumerate(ALL) if any(v.action in STOPS for v in counted(entry))]
    found = await decided.stopped(store, 0, 100 * HOUR, limit=1000)
    assert [one.seq for one in found] == stops[::-1] and found[0].entry == ALL[stops[-1] - 1]
    page = await decided.stopped(store, 0, 100 * HOUR, limit=5, before=found[4].seq)
    assert [one.seq for one in page] == stops[::-1][5:10]
    assert [one.seq for one in await decided.stopped(store, 4 * HOUR, 5 * HOUR)] == [
        n for n in stops[::-1] if 4 * HOUR <= ALL[n - 1].at < 5 * HOUR
    ]


async def test_a_ledger_that_was_cut_off_is_summed_anew(store: Store) -> None:
    await written(store, ALL[:60])
    await decided.roll(store, 60)
    await store.write(("DELETE FROM entry WHERE seq > ?", [(30,)]))
    assert await decided.roll(store, 60) == (30, 30)
    found = await decided.decided(store, 0, 100 * HOUR)
    assert sum(d.times for d in found) == sum(len(counted(entry)) for entry in ALL[:30])
