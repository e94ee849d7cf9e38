"""What goes wrong around a ledger and has to be noticed: a store that is deleted under it, an end that was cut off, an
outage that leaves its trace in the log, a clock that was set back, calls that were left open."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from freehold import store as stores
from freehold.core.errors import StoreError
from freehold.ledger import (
    Body,
    Entry,
    Ledger,
    Query,
    entries,
    erase,
    recover,
    replay,
    totals,
    usage_since,
    verify,
)  # fmt: skip
from freehold.ledger import append as ledger_append
from freehold.ledger import spool as spool_file
from freehold.ledger.bodies import read
from freehold.ledger.spool import Record, Spool
from freehold.store.sqlite import SQLite

HOUR = 3_600_000_000_000


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


def intent(call: str, **fields: object) -> Entry:
    base = Entry("intent", call, 0, "serve", time.time_ns(), key="k", reserved=100, limits=("lim",))
    return msgspec.structs.replace(base, **fields)


def outcome(of: Entry, **fields: object) -> Entry:
    said = {"kind": "outcome", "status": 200, "input": 1, "output": 2, "cost": 7, "currency": "USD", **fields}
    return msgspec.structs.replace(of, **said)


async def until(ledger: Ledger, state: str) -> None:
    deadline = time.monotonic() + 5
    while ledger.state != state:
        assert time.monotonic() < deadline, ledger.state
        await asyncio.sleep(0.01)


def change(path: str, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


# -- a store that is not there any more --------------------------------------------------------------------------------


async def test_a_store_that_is_deleted_is_noticed_and_refused_until_a_restart(store: SQLite, tmp_path: Path) -> None:
    ledger = Ledger(store)
    await ledger.intend(intent("a"))
    for path in tmp_path.glob("l.db*"):
        path.unlink()
    await asyncio.sleep(0.12)
    with pytest.raises(StoreError, match="deleted") as caught:
        await ledger.intend(intent("b"))
    assert caught.value.code == "store_gone" and "backup" in caught.value.hint and ledger.state == "refusing"
    for work in (store.fetch("SELECT 1"), store.write(("UPDATE meta SET value = value", [()]))):
        with pytest.raises(StoreError, match="deleted"):
            await work
    again = await stores.open(f"sqlite:///{tmp_path}/l.db")  # another one at the same place is not ours
    await asyncio.sleep(1.2)
    with pytest.raises(StoreError, match="deleted"):
        await ledger.intend(intent("c"))
    assert await again.fetch("SELECT COUNT(*) FROM entry") == [(0,)]
    await again.close()
    with pytest.raises(StoreError):
        await ledger.close()


@pytest.mark.parametrize("victim", ["l.db", "l.db-wal"])
async def test_a_store_that_is_replaced_is_noticed_while_nobody_calls(
    store: SQLite, tmp_path: Path, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_append, "BEAT", 0.05)
    ledger = Ledger(store)
    await ledger.intend(intent("a"))
    (tmp_path / "other").write_bytes((tmp_path / victim).read_bytes())
    os.replace(tmp_path / "other", tmp_path / victim)
    await until(ledger, "refusing")
    with pytest.raises(StoreError, match="replaced by another"):
        await ledger.intend(intent("b"))
    with pytest.raises(StoreError):
        await ledger.close()


async def test_nothing_is_made_where_a_deleted_store_was(store: SQLite, tmp_path: Path) -> None:
    for path in tmp_path.glob("l.db*"):
        path.unlink()
    with pytest.raises(StoreError):
        store.reader()
    await asyncio.sleep(0.12)
    with pytest.raises(StoreError):
        await store.fetch("SELECT 1")
    assert not (tmp_path / "l.db").exists()


async def test_a_spool_takes_what_a_deleted_store_cannot(store: SQLite, tmp_path: Path) -> None:
    ledger = Ledger(store, when_down="spool", spool_path=tmp_path / "spool")
    await ledger.intend(intent("a"))
    for path in tmp_path.glob("l.db*"):
        path.unlink()
    await asyncio.sleep(0.12)
    await ledger.conclude(outcome(intent("a")))
    assert ledger.state == "spooling"
    await ledger.close()
    fresh = await stores.open(f"sqlite:///{tmp_path}/l.db")
    assert await replay(fresh, tmp_path / "spool") == 1 and (await verify(fresh)).ok
    await fresh.close()


async def test_an_odd_name_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a b%20?mode=memory#é.db"
    store = await stores.open(f"sqlite:///{path}")
    await store.bump()
    await store.close()
    assert path.exists()


# -- a ledger whose end was cut off ------------------------------------------------------------------------------------


async def test_an_end_that_was_cut_off_is_missed(store: SQLite, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(store)
    for i in range(6):
        said = intent(f"call_{i}")
        await ledger.intend(said)
        await ledger.conclude(outcome(said))
    await ledger.close()
    assert await recover(store) == 0 and (await verify(store)).ok
    change(store.path, "DELETE FROM entry WHERE seq > 10")
    verdict = await verify(store)
    assert not verdict.ok and (verdict.seq, verdict.fault_seq) == (10, 11) and "entry 12" in verdict.fault
    assert await recover(store) == 0 and "cut off" in caplog.text
    assert not (await verify(store)).ok, "closing what is open does not wipe the trace"


async def test_budgets_go_on_after_an_end_was_cut_off(store: SQLite) -> None:
    ledger = Ledger(store)
    for i in range(4):
        await ledger.conclude(outcome(intent(f"call_{i}")))
    assert sum(use.cost for use in await usage_since(store)) == 28
    change(store.path, "DELETE FROM entry WHERE seq > 1")
    assert sum(use.cost for use in await usage_since(store)) == 7
    await ledger.close()
    again = Ledger(store)
    for i in range(2):
        await again.conclude(outcome(intent(f"new_{i}")))
    await again.close()
    assert sum(use.cost for use in await usage_since(store)) == 21, "what is new counts, though the number was there"
    assert not (await verify(store)).ok


# -- the trace of an outage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when_down", ["refuse", "spool"])
async def test_an_outage_is_two_lines_in_the_log(
    store: SQLite, tmp_path: Path, caplog: pytest.LogCaptureFixture, when_down: str
) -> None:
    caplog.set_level(logging.INFO)
    ledger = Ledger(store, when_down=when_down, spool_path=tmp_path / "spool")  # type: ignore[arg-type]
    with locked(store):
        for i in range(5):
            try:
                await ledger.conclude(outcome(intent(f"call_{i}")))
            except StoreError:
                assert when_down == "refuse"
        await asyncio.sleep(0.4)
    await until(ledger, "ok")
    await ledger.close()
    records = [record for record in caplog.records if record.name == "freehold.ledger"]
    assert [record.levelname for record in records] == ["ERROR", "INFO"]
    assert "locked" in records[0].why and "end its transaction" in records[0].hint  # type: ignore[attr-defined]
    assert await totals(store, Query()) and (await verify(store)).ok


# -- calls that were left open -----------------------------------------------------------------------------------------


async def test_money_of_calls_left_open_says_its_currency(store: SQLite) -> None:
    ledger = Ledger(store)
    await ledger.intend(intent("plain"))
    await ledger.intend(intent("named", currency="EUR"))
    await ledger.intend(intent("free", reserved=0))
    await ledger.close()
    assert await recover(store) == 3
    found = {row.entry.call: row.entry async for row in entries(store, Query(error="interrupted"))}
    assert {call: (entry.cost, entry.currency) for call, entry in found.items()} == {
        "plain": (100, "USD"), "named": (100, "EUR"), "free": (0, ""),
    }  # fmt: skip
    assert {(use.currency, use.cost) for use in await usage_since(store)} == {("USD", 100), ("EUR", 100), ("", 0)}


async def test_a_clock_that_is_set_back_harms_nothing(store: SQLite) -> None:
    """Entries bear times that go back by an hour; an intent of the later hour was left open."""
    now = time.time_ns()
    day = now // (24 * HOUR) * (24 * HOUR) + 12 * HOUR  # noon, so that the hours fall on one day
    ledger = Ledger(store)
    for i, at in enumerate((day, day + HOUR, day - HOUR, day + 1, day - 1)):
        said = intent(f"call_{i}", at=at)
        await ledger.intend(said)
        await ledger.conclude(outcome(said))
    await ledger.intend(intent("left", at=now + HOUR))
    await ledger.close()
    assert await recover(store, HOUR // 60) == 0, "too young to be given up while others serve"
    assert await recover(store) == 1, "but not when nobody can be serving it"
    assert (await verify(store)).ok
    oldest = [row.entry.call async for row in entries(store, Query(order="oldest", error=""))]
    assert oldest == [f"call_{i}" for i in range(5)], "the order is the one in which they were sealed"
    span = Query(since=day, until=day + HOUR, order="oldest", error="")
    assert [row.entry.call async for row in entries(store, span)] == ["call_0", "call_3"]
    assert sum(use.cost for use in await usage_since(store)) == 5 * 7 + 100


# -- several workers' spools, and texts in them ------------------------------------------------------------------------


async def test_two_workers_spools_come_into_one_chain_once_each(store: SQLite, tmp_path: Path) -> None:
    """Two workers spool through one outage; one is killed before it could carry over, the other carries over."""
    second = await stores.open(f"sqlite:///{tmp_path}/l.db", durable=False, patience=0.15)
    ledgers = [
        Ledger(each, when_down="spool", spool_path=tmp_path / f"spool-{i}") for i, each in enumerate((store, second))
    ]
    said = [[intent(f"w{w}_{i}") for i in range(20)] for w in range(2)]

    async def call(worker: int, i: int) -> None:
        await ledgers[worker].intend(said[worker][i])
        await ledgers[worker].conclude(outcome(said[worker][i]), [Body("reply", "text/plain", b"seen-%d" % i)])

    await asyncio.gather(*(call(w, i) for w in range(2) for i in range(10)))
    with locked(store):
        await asyncio.gather(*(call(w, i) for w in range(2) for i in range(10, 20)))
        assert [ledger.state for ledger in ledgers] == ["spooling", "spooling"]
        left = (tmp_path / "spool-1").read_bytes()
    await asyncio.gather(*(until(ledger, "ok") for ledger in ledgers))
    await asyncio.gather(*(ledger.close() for ledger in ledgers))
    # What a worker leaves that is killed after its entries were committed and before its spool was cut:
    (tmp_path / "spool-1").write_bytes(left)
    assert left and await replay(store, tmp_path / "spool-1") >= 20
    assert await recover(store) == 0
    rows = [(row.entry.call, row.entry.kind) async for row in entries(store, Query(kinds=("intent", "outcome")))]
    assert len(rows) == len(set(rows)) == 80 and (await verify(store)).ok
    admin = [row async for row in entries(store, Query(kinds=("admin",)))]
    assert admin == []
    assert sum(use.cost for use in await usage_since(store)) == 40 * 7
    assert len(await store.fetch("SELECT call FROM body")) == 40
    await second.close()


@pytest.mark.parametrize("spooled", [False, True])
async def test_erased_texts_are_in_no_file(store: SQLite, tmp_path: Path, spooled: bool) -> None:
    ledger = Ledger(store, when_down="spool", spool_path=tmp_path / "spool")
    secret = Body("request", "text/plain", b"-the secret-" * 2000)
    said = intent("a")
    await ledger.intend(said)
    if spooled:
        with locked(store):
            await ledger.conclude(outcome(said), [secret])
        await until(ledger, "ok")
    else:
        await ledger.conclude(outcome(said), [secret])
    assert (await read(store, "a"))[0].data == secret.data
    assert await erase(store, key="k", why="asked") == 1
    await ledger.close()
    for path in tmp_path.iterdir():
        held = path.read_bytes()
        assert b"the secret" not in held and b"LXRoZSBzZWNyZXQt" not in held, path.name  # nor in base64
    (kept,) = await read(store, "a")
    assert kept.data is None and kept.erased_why == "asked" and (await verify(store)).ok


async def test_erasing_beside_a_reader_says_that_it_is_not_done_yet(store: SQLite, tmp_path: Path) -> None:
    ledger = Ledger(store)
    await ledger.conclude(outcome(intent("a")), [Body("request", "text/plain", b"-the secret-" * 2000)])
    await ledger.close()
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM body").fetchone()
    with pytest.raises(StoreError, match="still holds them") as caught:
        await erase(store, call="a", why="asked")
    assert caught.value.code == "store_busy" and "erase again" in caught.value.hint
    reader.execute("ROLLBACK")
    reader.close()
    assert await erase(store, call="a", why="asked") == 0
    assert all(b"the secret" not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("when_down", ["refuse", "spool"])
async def test_a_mistake_of_ours_hangs_nobody(
    store: SQLite, tmp_path: Path, caplog: pytest.LogCaptureFixture, when_down: str
) -> None:
    ledger = Ledger(store, when_down=when_down, spool_path=tmp_path / "spool")  # type: ignore[arg-type]
    original, wrong = SQLite._append, [RuntimeError("once"), RuntimeError("twice")]

    def faulty(self: SQLite, *args: object) -> object:
        if wrong:
            raise wrong.pop()
        return original(self, *args)  # type: ignore[arg-type]

    store._append = faulty.__get__(store)  # type: ignore[method-assign]
    async with asyncio.timeout(2):
        if when_down == "refuse":
            with pytest.raises(StoreError, match="RuntimeError") as caught:
                await ledger.intend(intent("a"))
            assert caught.value.hint
        else:
            await ledger.intend(intent("a"))
    await until(ledger, "ok")
    await ledger.intend(intent("b"))
    await ledger.close()
    assert any(record.exc_info for record in caplog.records) and (await verify(store)).ok
    found = {row.entry.call async for row in entries(store, Query(kinds=("intent",)))}
    assert found == ({"b"} if when_down == "refuse" else {"a", "b"})


async def test_the_pump_outlives_what_its_own_steps_raise(
    store: SQLite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(store)
    commit, wrong = ledger._commit, [RuntimeError("a mistake")]

    async def faulty(group: list[object]) -> object:
        if wrong:
            raise wrong.pop()
        return await commit(group)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "_commit", faulty)
    async with asyncio.timeout(2):
        with pytest.raises(StoreError, match="a mistake") as caught:
            await ledger.intend(intent("a"))
        await ledger.intend(intent("b"))
        await ledger.close()
    assert caught.value.hint and any(record.exc_info for record in caplog.records)
    assert [row.entry.call async for row in entries(store, Query(kinds=("intent",)))] == ["b"]


async def test_an_intent_that_cannot_be_made_takes_no_other_with_it(
    store: SQLite, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(store, durability="batched", flush_ms=1)

    def failing() -> Entry:
        raise RuntimeError("cannot be made")

    async with asyncio.timeout(2):
        assert ledger.promise("bad", 0, failing) is None
        assert ledger.promise("good", 0, lambda: intent("good")) is None
        await ledger.flush()
        await ledger.close()
    assert "failed" in caplog.text
    assert [row.entry.call async for row in entries(store, Query(kinds=("intent",)))] == ["good"]


@pytest.mark.parametrize("odd", [{"asked": "half \ud800"}, {"input": 1 << 70}])
async def test_a_spool_takes_what_only_a_cleaned_entry_can_say(
    store: SQLite, tmp_path: Path, odd: dict[str, object]
) -> None:
    ledger = Ledger(store, when_down="spool", spool_path=tmp_path / "spool")
    async with asyncio.timeout(5):
        with locked(store):
            await ledger.conclude(outcome(intent("odd"), **odd))
            await ledger.conclude(outcome(intent("plain")))
        await until(ledger, "ok")
        await ledger.close()
    assert (await verify(store)).ok
    assert {row.entry.call async for row in entries(store, Query())} == {"odd", "plain"}


def test_a_spool_is_read_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write in the midst of a read, which happens on another thread, moves nothing that the reader goes by."""

    def record(i: int) -> Record:
        return Record(intent(f"c{i}"), (Body("reply", "text/plain", b"x" * 3000),))

    spool = Spool(tmp_path / "spool")
    spool.write([record(i) for i in range(600)])  # more than is read at once
    parse, added = spool_file._parse, iter(range(600, 610))

    def parsing(line: bytes) -> Record | None:
        for i in added:
            spool.write([record(i)])
            break
        return parse(line)

    monkeypatch.setattr(spool_file, "_parse", parsing)
    seen: list[str] = []
    while spool.done < spool.size:
        records, spool.done = spool.read(250)
        seen += [each.entry.call for each in records]
    spool.close()
    assert seen == [f"c{i}" for i in range(610)] and spool.damaged == 0
