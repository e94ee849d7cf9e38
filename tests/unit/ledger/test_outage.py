"""What the ledger does while its store is away (promise 9): a real SQLite that is really locked or full."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from freehold import store as stores
from freehold.core.errors import StoreError
from freehold.ledger import Body, Entry, Ledger, Query, entries, replay, verify
from freehold.ledger.bodies import read
from freehold.ledger.recover import open_intents
from freehold.ledger.spool import Record, Spool
from freehold.store.sqlite import SQLite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLite]:
    opened = await stores.open(f"sqlite:///{tmp_path}/l.db", durable=False, patience=0.15)
    assert isinstance(opened, SQLite)
    yield opened
    await opened.close()


@contextmanager
def locked(store: SQLite) -> Iterator[None]:
    db = sqlite3.connect(store.path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def intent(call: str) -> Entry:
    return Entry("intent", call, 0, "serve", 1, key="k", reserved=100)


def outcome(call: str) -> Entry:
    return msgspec.structs.replace(intent(call), kind="outcome", status=200, cost=7)


async def calls(store: SQLite) -> list[tuple[str, str, str]]:
    found = entries(store, Query(kinds=("intent", "outcome", "admin"), order="oldest"))
    return [(row.entry.call, row.entry.kind, row.entry.error) async for row in found]


async def until_ok(ledger: Ledger) -> None:
    deadline = time.monotonic() + 5
    while ledger.state != "ok":
        assert time.monotonic() < deadline, ledger.state
        await asyncio.sleep(0.01)


async def test_refuse_is_quick_keeps_outcomes_and_recovers_by_itself(store: SQLite) -> None:
    ledger = Ledger(store)
    await ledger.intend(intent("a"))
    with locked(store):
        with pytest.raises(StoreError) as caught:
            await ledger.conclude(outcome("a"))
        assert ledger.state == "refusing" and caught.value.hint
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(StoreError):
                await ledger.intend(intent("b"))
        with pytest.raises(StoreError):
            await ledger.flush()
        assert time.monotonic() - began < 0.1, "refused at once, without asking the store again"
    await until_ok(ledger)
    await ledger.intend(intent("c"))
    await ledger.close()
    assert await calls(store) == [("a", "intent", ""), ("a", "outcome", ""), ("c", "intent", "")]
    assert (await verify(store)).ok


async def test_an_intent_in_doubt_is_closed_as_not_sent(store: SQLite) -> None:
    """The commit takes longer than patience and succeeds all the same: nothing was sent, nothing may stay open."""
    ledger = Ledger(store)
    original = SQLite._append

    def late(self: SQLite, *args: object) -> object:
        head = original(self, *args)  # type: ignore[arg-type]
        time.sleep(0.4)
        return head

    store._append = late.__get__(store)  # type: ignore[method-assign]
    with pytest.raises(StoreError) as caught:
        await ledger.intend(intent("a"))
    assert caught.value.code == "store_slow"
    with pytest.raises(StoreError):
        await store.write(("UPDATE meta SET value = value", [()]))  # nobody queues behind a commit that hangs
    store._append = original.__get__(store)  # type: ignore[method-assign]
    await until_ok(ledger)
    assert await calls(store) == [("a", "intent", ""), ("a", "outcome", "not_sent")]
    assert await open_intents(store) == []
    await ledger.close()


async def test_a_full_disk_refuses_and_comes_back(store: SQLite) -> None:
    ledger = Ledger(store)
    await ledger.intend(intent("a"))
    pages = await store._do(lambda: store._writer().execute("PRAGMA page_count").fetchone()[0])
    await store._do(lambda: store._writer().execute(f"PRAGMA max_page_count={pages}").fetchall())
    with pytest.raises(StoreError) as caught:
        for i in range(100):
            await ledger.intend(intent(f"b{i:03d}"))
    assert "full" in caught.value.message and "free some space" in caught.value.hint
    with pytest.raises(StoreError):
        await ledger.conclude(outcome("a"))
    await store._do(lambda: store._writer().execute("PRAGMA max_page_count=1000000").fetchall())
    await until_ok(ledger)
    await ledger.conclude(outcome("b000"))
    await ledger.close()
    assert ("a", "outcome", "") in await calls(store) and (await verify(store)).ok


async def test_closing_while_refusing_says_what_is_lost(store: SQLite) -> None:
    ledger = Ledger(store)
    await ledger.intend(intent("a"))
    with locked(store):
        with pytest.raises(StoreError):
            await ledger.conclude(outcome("a"))
        with pytest.raises(StoreError, match="1 entries could not be written"):
            await ledger.close()


async def test_batched_waits_when_the_queue_is_full_and_loses_nothing(store: SQLite) -> None:
    ledger = Ledger(store, durability="batched", flush_ms=1, batch=4, queue=8)
    with locked(store):
        waiting = [asyncio.create_task(ledger.intend(intent(f"c{i}"))) for i in range(20)]
        await asyncio.sleep(0.02)
        taken = sum(task.done() for task in waiting)
        assert 8 <= taken < 20
        refused = await asyncio.gather(*waiting, return_exceptions=True)
    kept = [f"c{i}" for i, error in enumerate(refused) if error is None]
    assert all(error is None or isinstance(error, StoreError) for error in refused) and len(kept) < 20
    await until_ok(ledger)
    await ledger.close()
    assert sorted(call for call, _, _ in await calls(store)) == sorted(kept)


async def test_an_outcome_that_comes_before_the_flush_takes_its_intents_place(store: SQLite) -> None:
    ledger = Ledger(store, durability="batched", flush_ms=10_000)
    for call in "abc":
        await ledger.intend(intent(call))
    await ledger.conclude(outcome("b"))
    await ledger.flush()
    await ledger.conclude(outcome("a"))
    await ledger.conclude(outcome("a"))  # said twice: kept once
    await ledger.close()
    assert await calls(store) == [("a", "intent", ""), ("b", "outcome", ""), ("c", "intent", ""), ("a", "outcome", "")]


async def test_values_that_no_store_holds_do_not_hold_up_the_others(store: SQLite) -> None:
    ledger = Ledger(store)
    wild = msgspec.structs.replace(outcome("wild"), input=10**30)
    half = msgspec.structs.replace(outcome("half"), answered="\ud800")
    await asyncio.gather(ledger.conclude(wild), ledger.conclude(half), ledger.conclude(outcome("good")))
    await ledger.close()
    assert [call for call, _, _ in await calls(store)] == ["wild", "half", "good"] and (await verify(store)).ok


async def test_a_cancelled_caller_harms_nobody(store: SQLite) -> None:
    ledger = Ledger(store)
    tasks = [asyncio.create_task(ledger.intend(intent(f"c{i}"))) for i in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await ledger.conclude(outcome("c2"))
    await ledger.close()
    assert ("c2", "outcome", "") in await calls(store) and len(await calls(store)) >= 6


@pytest.mark.parametrize("durability", ["strict", "batched"])
async def test_spool_takes_over_and_gives_back_in_order(store: SQLite, tmp_path: Path, durability: str) -> None:
    path = tmp_path / "spool"
    ledger = Ledger(store, durability=durability, when_down="spool", spool_path=path, flush_ms=1)  # type: ignore[arg-type]
    await ledger.intend(intent("a"))
    await ledger.flush()
    with locked(store):
        await ledger.conclude(outcome("a"), [Body("reply", "text/plain", b"\xff")])
        for i in range(5):
            await ledger.intend(intent(f"b{i}"))
        await ledger.flush()
        assert ledger.state == "spooling" and path.stat().st_size > 0 and path.stat().st_mode & 0o777 == 0o600
    await until_ok(ledger)
    assert path.stat().st_size == 0
    await ledger.intend(intent("c"))
    await ledger.close()
    assert await calls(store) == [
        ("a", "intent", ""), ("a", "outcome", ""), *((f"b{i}", "intent", "") for i in range(5)), ("c", "intent", ""),
    ]  # fmt: skip
    assert (await read(store, "a"))[0].data == b"\xff"
    assert (await verify(store)).ok


async def test_a_spool_that_was_left_behind_is_carried_over_once(store: SQLite, tmp_path: Path) -> None:
    path = tmp_path / "spool"
    left = Spool(path)
    left.write([Record(intent("a")), Record(outcome("a"))])
    left.close()
    with path.open("ab") as file:
        file.write(b'00000000 ["torn')
    ledger = Ledger(store, when_down="spool", spool_path=path)
    await ledger.intend(intent("b"))
    await until_ok(ledger)
    await ledger.close()
    again = Spool(path)
    again.write([Record(intent("a")), Record(outcome("a")), Record(intent("d"))])
    again.close()
    assert await replay(store, path) == 3 and not path.exists()
    kinds = await calls(store)
    assert sorted(kinds) == [("a", "intent", ""), ("a", "outcome", ""), ("b", "intent", ""), ("d", "intent", "")]
    assert (await verify(store)).ok


async def test_a_spool_that_fails_too_refuses(store: SQLite, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    ledger = Ledger(store, when_down="spool", spool_path=tmp_path / "gone" / "spool")
    with locked(store):
        with pytest.raises(StoreError, match="spool"):
            await ledger.intend(intent("a"))
        assert ledger.state == "refusing"
    await until_ok(ledger)
    await ledger.intend(intent("b"))
    await ledger.close()
    kept = await calls(store)
    assert [call for call in kept if call[0] == "b"] == [("b", "intent", "")]
    # A write that was given up may still have got through just then: what it said is taken back.
    assert [call for call in kept if call[0] == "a"] in ([], [("a", "intent", ""), ("a", "outcome", "not_sent")])


def test_a_torn_record_is_skipped_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.write([Record(intent("a"))])
    spool.close()
    path.write_bytes(path.read_bytes() + b"deadbeef [[")
    spool = Spool(path)
    spool.write([Record(intent("b"), (Body("reply", "x/y", b"\n\0"),))])
    records, done = spool.read(10)
    assert [record.entry.call for record in records] == ["a", "b"] and done == spool.size and spool.damaged == 1
    assert records[1].bodies[0].data == b"\n\0"
    other = Spool(path)
    with pytest.raises(StoreError):
        other.write([Record(intent("c"))])
    spool.close()
