"""Sums of who saw words, on both stores: what they say is what the entries say, each counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from freehold import store as stores
from freehold.core.call import Purpose
from freehold.ledger import Entry, Ledger, Query, entries, sight
from freehold.ledger.entry import FIELDS, columns, encode
from freehold.ledger.sight import BY, UNSENT, Sight
from freehold.ledger.traffic import DAY
from freehold.store import Store

PURPOSES: tuple[Purpose, ...] = ("serve", "moderate", "shadow")
USERS = ("", "ann", 'an\\"n é,', "Ann")


def made(i: int) -> Entry:
    return Entry(
        ("outcome", "outcome", "intent", "admin")[i % 4], f"call_{i // 4}", i % 4, PURPOSES[i % 3], i % 5 * DAY + i,
        key=f"k{i % 3}", deployment="" if i % 11 == 0 else f"d{i % 3}", seller="microsoft", host="microsoft",
        region="swedencentral", echoed="" if i % 2 else "eastus", contract="c1", input=i, output=2 * i,
        error=("", "upstream_fault", "not_sent", "upstream_connect_failed", "client_gone")[i % 5],
        terms="0" * 12, compute="oracle", recipients=("openai", "microsoft"), retention=30 if i % 2 else -1,
        trains="no", review="yes" if i % 7 == 0 else "", data_class="personal" if i % 13 == 0 else "internal",
        redactions=(("PHONE", i), ("EMAIL", 2)) if i % 6 == 1 else (), user=USERS[i % 4 - i % 3], function="support",
    )  # fmt: skip


ALL = [made(i) for i in range(240)]
SENT = [each for each in ALL if each.kind == "outcome" and each.deployment and each.error not in UNSENT]


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


def plain(many: Iterable[Entry], *, apart: bool) -> dict[Any, tuple[int, ...]]:
    """The sums of entries as anybody would reckon them."""
    found: dict[Any, list[Entry]] = {}
    for entry in many:
        place = [tuple(sorted({kind for kind, _ in entry.redactions})) if name == "redactions" else getattr(entry, name)
                 for name in BY]  # fmt: skip
        found.setdefault((entry.key if apart else "", entry.at // DAY * DAY if apart else 0, *place), []).append(entry)
    return {
        place: (
            sum(each.attempt == 0 for each in some), len(some), sum(each.input for each in some),
            sum(each.output for each in some), min(each.at for each in some), max(each.at for each in some),
        )
        for place, some in found.items()
    }  # fmt: skip


def said(many: list[Sight]) -> dict[Any, tuple[int, ...]]:
    places = [tuple(each)[: 2 + len(BY)] for each in many]
    assert len(set(places)) == len(places)
    return {
        place: (each.calls, each.attempts, each.input, each.output, each.first_at, each.last_at)
        for place, each in zip(places, many, strict=True)
    }


async def test_sums_are_those_of_the_entries_whose_words_left(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "STRIDE", 50)
    assert any(each.redactions for each in SENT) and len(SENT) < len(ALL) / 2
    heard: list[tuple[int, int]] = []
    await written(store, ALL[:100])
    assert await sight.roll(store, 60, lambda done, head: heard.append((done, head))) == (100, 100)
    assert heard == [(0, 100), (50, 100), (100, 100)]
    await written(store, ALL[100:])
    assert await sight.roll(store, 60) == (240, 240)
    assert said(await sight.sights(store)) == plain(SENT, apart=False)
    of_two = await sight.sights(store, keys=("k0", "k2", "nobody"))
    assert said(of_two) == plain((each for each in SENT if each.key != "k1"), apart=True)
    assert await sight.sights(store, keys=()) == []
    middle = [each for each in SENT if DAY <= each.at // DAY * DAY < 3 * DAY]
    assert said(await sight.sights(store, DAY, 3 * DAY)) == plain(middle, apart=False)
    days = {each.at for each in await sight.sights(store, by_day=True)}
    assert days == {each.at // DAY * DAY for each in SENT}
    numbers = [(each.first_seq, each.last_seq) for each in of_two]
    assert all(1 <= first <= last <= 240 for first, last in numbers)


@pytest.mark.parametrize("users", [("ann",), ("Ann",), ('an\\"n é,', "Ann"), ("a%n",)])
async def test_what_a_named_user_had_seen_is_read_from_the_entries(
    store: Store, monkeypatch: pytest.MonkeyPatch, users: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sight, "STRIDE", 50)
    await written(store, ALL)
    theirs = [each for each in SENT if each.user in users]
    assert bool(theirs) == (users != ("a%n",))
    assert said(await sight.of_user(store, users)) == plain(theirs, apart=True)
    others = await sight.of_user(store, users, but=("k0",))
    assert said(others) == plain((each for each in theirs if each.key != "k0"), apart=True)
    since = await sight.of_user(store, users, 2 * DAY)
    assert said(since) == plain((each for each in theirs if each.at >= 2 * DAY), apart=True)
    found = [each.entry async for each in entries(store, Query(user=users, order="oldest"))]
    assert {(each.call, each.attempt) for each in found} == {
        (each.call, each.attempt) for each in ALL if each.kind == "outcome" and each.user in users
    }
    echoed = [each.entry.echoed async for each in entries(store, Query(user=users, echoed="eastus"))]
    assert set(echoed) <= {"eastus"}


async def test_several_roll_at_once_and_each_entry_is_summed_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "STRIDE", 20)
    await written(store, ALL)
    await asyncio.gather(*(sight.roll(store, 60) for _ in range(4)))
    assert said(await sight.sights(store)) == plain(SENT, apart=False)


async def test_a_ledger_that_was_cut_off_is_summed_anew(store: Store) -> None:
    await written(store, ALL)
    await sight.roll(store, 60)
    await store.write(("DELETE FROM entry WHERE seq > 100", [()]))
    assert await sight.roll(store, 60) == (100, 100)
    ((attempts,),) = await store.fetch("SELECT SUM(attempts) FROM sight")
    assert 0 < attempts < len(SENT)


async def test_entries_of_earlier_releases_have_what_they_lack_by_default(store: Store) -> None:
    entry = made(1)
    data = msgspec.json.encode(msgspec.json.decode(encode(entry))[: FIELDS.index("data_class")])
    names = "seq, hash, data, kind, call, attempt, at, key, team, asked, sent, answered, deployment, maker, seller, "
    names += "host, status, error, input, output, cached, cost, currency"
    row = (1, bytes(32), data, *columns(entry))
    await store.write((f"INSERT INTO entry({names}) VALUES ({','.join('?' * len(row))})", [row]))
    await sight.roll(store, 60)
    (one,) = await sight.sights(store)
    assert (one.recipients, one.retention, one.data_class, one.redactions, one.echoed) == ((), -1, "", (), "")
    assert (one.host, one.region, one.contract, one.attempts) == ("microsoft", "swedencentral", "c1", 1)
