"""What any store keeps: the same tests on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from freehold import store as stores
from freehold.core.errors import StoreError
from freehold.ledger import (
    Body,
    Entry,
    Ledger,
    Mark,
    Query,
    entries,
    erase,
    recover,
    totals,
    usage_since,
    verify,
)
from freehold.ledger.bodies import read
from freehold.ledger.spent import DAY
from freehold.store import CONFLICT, Head, Row, Store
from tests.postgres import Server

pytest_plugins = ["tests.postgres"]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/freehold.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await stores.open(url, durable=True, patience=2.0)
    yield opened
    await opened.close()


def intent(call: str, **fields: object) -> Entry:
    base = Entry("intent", call, 0, "serve", time.time_ns(), key="key_a", team="team_a", asked="assistant",
                 sent="gpt-5", deployment="gpt-azure", maker="openai", seller="microsoft", host="microsoft",
                 reserved=500, reserved_tokens=50, limits=("lim_1",))  # fmt: skip
    return msgspec.structs.replace(base, **fields)


def outcome(of: Entry, **fields: object) -> Entry:
    base = msgspec.structs.replace(
        of, kind="outcome", answered="gpt-5-x", status=200, input=10, output=20, cost=300, currency="USD"
    )
    return msgspec.structs.replace(base, **fields)


def rows(tag: str, count: int) -> Callable[[Head], Sequence[Row]]:
    def build(head: Head) -> Sequence[Row]:
        made, digest = [], head.hash
        for i in range(count):
            digest = hashlib.sha256(digest + tag.encode()).digest()
            made.append((head.seq + i + 1, digest, b"data\x00\xff", 2, f"{tag}-{head.seq + i}", 0, 1, *[""] * 9, 0, "",
                         1, 2, 3, 2**62, "USD"))  # fmt: skip
        return made

    return build


async def test_values_come_back_the_same_on_both_engines(store: Store) -> None:
    await store.write(
        ("INSERT INTO body(call, attempt, part, at, media, data) VALUES (?, ?, ?, ?, ?, ?)",
         [("c'?", 1, "request", 2**62, "é\u2028", b"\x00\xff"), ("d", 2, "reply", -5, "", None)]),
    )  # fmt: skip
    assert await store.fetch("SELECT call, attempt, at, media, data, erased_at FROM body ORDER BY call") == [
        ("c'?", 1, 2**62, "é\u2028", b"\x00\xff", None),
        ("d", 2, -5, "", None, None),
    ]
    answer = await store.fetch("SELECT SUM(attempt), COUNT(*), 'a?b', attempt > ? FROM body GROUP BY 4 ORDER BY 4", 1)
    assert answer == [(1, 1, "a?b", 0), (2, 1, "a?b", 1)]
    assert all(type(value) is not bool for row in answer for value in row)


async def test_write_is_one_transaction_and_tells_how_many_rows_changed(store: Store) -> None:
    new = "INSERT INTO team(id, name, created_at) VALUES (?, ?, ?)"
    with pytest.raises(StoreError) as caught:
        await store.write((new, [("t1", "one", 1)]), (new, [("t2", "one", 1)]))
    assert caught.value.code == CONFLICT and caught.value.hint
    assert await store.fetch("SELECT * FROM team") == []
    assert await store.write((new, [("t1", "one", 1), ("t2", "two", 1)])) == 2
    assert await store.write(("UPDATE team SET limits = ? WHERE id <> ?", [("[1]", "none")]), durable=False) == 2
    with pytest.raises(StoreError) as caught:
        await store.write(("INSERT INTO team(id, name, created_at) VALUES (?, ?, ?)", [("t3", "three", 2**70)]))
    assert caught.value.code == "store_value"
    for unfit in (2**63, -(2**70)):
        with pytest.raises(StoreError) as caught:
            await store.fetch("SELECT * FROM team WHERE created_at < ?", unfit)
        assert caught.value.code == "store_value"
    assert len(await store.fetch("SELECT * FROM team")) == 2


async def test_wrong_sql_raises_a_store_error_and_harms_nothing(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.fetch("SELECT nothing FROM nowhere")
    with pytest.raises(StoreError):
        await store.write(("UPDATE nowhere SET a = 1", [()]))
    assert await store.generation() == 0


async def test_append_chains_and_answers_the_question_under_the_lock(store: Store) -> None:
    assert await store.append("entry", rows("a", 3)) == Head(3, (await store.fetch(
        "SELECT hash FROM entry WHERE seq = 3"))[0][0])  # fmt: skip
    seen: list[Head] = []

    def build(head: Head) -> Sequence[Row]:
        seen.append(head)
        return rows("b", 100)(head)

    head = await store.append("entry", build, ask=("SELECT COUNT(*) FROM entry WHERE call <> ?", "zz"), also=[
        ("INSERT INTO team(id, name, created_at) VALUES (?, ?, ?)", [("t", "t", 1)])])  # fmt: skip
    assert head.seq == 103 and list(seen[-1].found) == [(3,)]
    assert await store.fetch("SELECT id FROM team") == [("t",)]
    assert (await store.append("entry", lambda head: [])).seq == 103


async def test_a_failed_append_leaves_nothing_and_the_next_one_works(store: Store) -> None:
    await store.append("entry", rows("a", 2))
    with pytest.raises(StoreError) as caught:
        await store.append("entry", lambda head: [*rows("b", 1)(head), *rows("b", 1)(head)])
    assert caught.value.code == CONFLICT
    assert (await store.append("entry", rows("c", 1))).seq == 3


async def test_several_openers_share_one_chain(url: str, store: Store) -> None:
    others = await asyncio.gather(*(stores.open(url, durable=False) for _ in range(2)))
    try:

        async def load(which: Store, tag: str) -> None:
            for _ in range(20):
                await which.append("entry", rows(tag, 3))

        await asyncio.gather(*(load(each, f"s{i}") for i, each in enumerate((store, *others))))
        seqs = [seq for (seq,) in await store.fetch("SELECT seq FROM entry ORDER BY seq")]
        assert seqs == list(range(1, 181))
        previous = bytes(32)
        for call, digest in await store.fetch("SELECT call, hash FROM entry ORDER BY seq"):
            previous = hashlib.sha256(previous + call.split("-")[0].encode()).digest()
            assert previous == digest
    finally:
        for other in others:
            await other.close()


async def test_a_chain_that_somebody_locks_fails_in_time_and_recovers(url: str, store: Store) -> None:
    await store.append("entry", rows("a", 1))
    entered, release = asyncio.Event(), asyncio.Event()
    locked = asyncio.create_task(_hold(url, entered, release))
    await entered.wait()
    try:
        began = time.monotonic()
        with pytest.raises(StoreError) as caught:
            await store.append("entry", rows("b", 1))
        assert time.monotonic() - began < 3.0 and caught.value.hint
    finally:
        release.set()
        await locked
    assert (await store.append("entry", rows("c", 1))).seq >= 2


async def _hold(url: str, entered: asyncio.Event, release: asyncio.Event) -> None:
    """Keep the chain locked by a connection of our own, as a careless administrator would."""
    if url.startswith("sqlite"):
        import sqlite3

        db = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        entered.set()
        await release.wait()
        db.execute("ROLLBACK")
        db.close()
    else:
        import asyncpg

        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN; LOCK TABLE freehold.entry IN ACCESS EXCLUSIVE MODE")
        entered.set()
        await release.wait()
        await connection.close()


async def test_generation_is_seen_by_others_within_100_ms(url: str, store: Store) -> None:
    other = await stores.open(url, durable=False)
    seen: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(other.watch(seen.put))
    try:
        await asyncio.sleep(0.3)
        assert seen.empty()
        began = time.monotonic()
        assert await store.bump() == 1
        assert await asyncio.wait_for(seen.get(), 2) == 1
        assert time.monotonic() - began < 0.3  # 100 ms, and room for a busy machine
        await store.append("entry", rows("a", 1))
        assert await store.bump() == 2 == await other.generation()
        assert await asyncio.wait_for(seen.get(), 2) == 2
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await other.close()


async def test_opening_again_keeps_what_is_there_and_a_newer_schema_is_refused(url: str, store: Store) -> None:
    await store.append("entry", rows("a", 2))
    again = await stores.open(url)
    assert (await again.fetch("SELECT COUNT(*) FROM entry")) == [(2,)]
    await again.write(("INSERT INTO migration(number, name, applied_at) VALUES (?, ?, ?)", [(999, "later", 1)]))
    await again.close()
    with pytest.raises(StoreError) as caught:
        await stores.open(url)
    assert caught.value.code == "store_newer" and "999" in caught.value.message and caught.value.hint


async def test_many_processes_may_open_a_new_store_at_once(url: str) -> None:
    opened = await asyncio.gather(*(stores.open(url) for _ in range(4)))
    assert await opened[0].fetch("SELECT COUNT(*) FROM meta WHERE name = 'generation'") == [(1,)]
    for each in opened:
        await each.close()


# -- the ledger on either engine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["strict", "batched"])
async def test_a_ledger_is_sealed_summed_and_queried(store: Store, durability: str) -> None:
    ledger = Ledger(store, durability=durability, flush_ms=5)  # type: ignore[arg-type]

    async def call(i: int) -> None:
        said = intent(f"call_{i:04d}", key=f"key_{i % 3}", at=i * DAY // 10)
        await ledger.intend(said)
        texts = [Body("request", "application/json", b'{"secret": 1}')] if i < 5 else None
        await ledger.conclude(outcome(said, error="upstream_fault" if i % 10 == 9 else ""), texts)

    await asyncio.gather(*(call(i) for i in range(50)))
    await ledger.close()
    verdict = await verify(store, [Mark(0, bytes(32))])
    assert verdict.ok and verdict.seq == (100 if durability == "strict" else 50)
    assert (await verify(store, [Mark(verdict.seq, verdict.hash)])).ok
    assert not (await verify(store, [Mark(verdict.seq + 1, verdict.hash)])).ok
    found = [row.entry async for row in entries(store, Query(key="key_1", order="oldest", limit=4, offset=1))]
    assert [entry.call for entry in found] == ["call_0004", "call_0007", "call_0010", "call_0013"]
    by_day = await totals(store, Query(), by=("day",))
    assert sorted(total.group[0] for total in by_day) == [f"1970-01-0{d}" for d in range(1, 6)]
    assert all((t.calls, t.input, t.cost, t.failed_attempts, t.currency) == (10, 100, 3000, 1, "USD") for t in by_day)
    assert all(t.failed_calls == 1 for t in by_day)
    (month,) = await totals(store, Query(failed=False), by=("month",))
    assert month.group == ("1970-01",) and month.attempts == 45
    uses = await usage_since(store)
    assert sum(use.requests for use in uses) == 50 and sum(use.cost for use in uses) == 15000
    assert await usage_since(store) == uses, "rolling up again adds nothing"
    assert {use.at for use in await usage_since(store, 3 * DAY + 5)} == {3 * DAY, 4 * DAY}
    assert await erase(store, call="call_0001", why="asked") == 1
    assert await erase(store, key="key_0", why="asked") == 2
    (kept,) = await read(store, "call_0001")
    assert kept.data is None and kept.erased_why == "asked" and kept.erased_at
    assert (await read(store, "call_0002"))[0].data == b'{"secret": 1}'
    assert (await verify(store)).ok


async def test_recover_closes_orphans_once_from_several_processes(url: str, store: Store) -> None:
    ledger = Ledger(store)
    now = time.time_ns()
    for i in range(6):
        await ledger.intend(intent(f"call_{i}", at=now - i * 1_000_000_000))
    await ledger.conclude(outcome(intent("call_5")))
    open_before = await usage_since(store)
    assert sum(use.open_cost for use in open_before) == 5 * 500
    other = await stores.open(url)
    assert sum(await asyncio.gather(*(recover(s, 1_500_000_000, now=now) for s in (store, other)))) == 3
    assert await recover(other, 1_500_000_000, now=now) == 0
    closed = [row.entry async for row in entries(store, Query(error="interrupted"))]
    assert {entry.call for entry in closed} == {"call_2", "call_3", "call_4"}
    assert all(entry.estimated and entry.cost == 500 for entry in closed)
    await ledger.conclude(outcome(intent("call_3"), cost=7))  # it lived after all: put on record beside it
    late = [row.entry async for row in entries(store, Query(kinds=("admin",)))]
    assert [entry.call for entry in late] == ["call_3"] and '"cost":7' in late[0].note
    assert await recover(store) == 2 and await recover(store) == 0
    uses = await usage_since(store)
    assert sum(use.cost for use in uses) == 5 * 500 + 300 and not any(use.open_cost for use in uses)
    assert (await verify(store)).ok
    await other.close()
    await ledger.close()


@pytest.mark.parametrize("when_down", ["refuse", "spool"])
async def test_a_postgres_that_goes_away_is_waited_for(
    postgres_server: Server, postgres_url: str, tmp_path: Path, when_down: str
) -> None:
    store = await stores.open(postgres_url, durable=True, patience=2.0)
    ledger = Ledger(store, when_down=when_down, spool_path=tmp_path / "spool")  # type: ignore[arg-type]
    seen: asyncio.Queue[int] = asyncio.Queue()
    watching = asyncio.create_task(store.watch(seen.put, 0))
    await ledger.intend(intent("call_a"))
    await asyncio.to_thread(postgres_server.stop)
    began = time.monotonic()
    try:
        if when_down == "spool":
            await ledger.conclude(outcome(intent("call_a")))
        else:
            with pytest.raises(StoreError) as caught:
                await ledger.conclude(outcome(intent("call_a")))
            assert caught.value.hint
        assert time.monotonic() - began < 2.5 and ledger.state in ("refusing", "spooling")
    finally:
        await asyncio.to_thread(postgres_server.resume)
    deadline = time.monotonic() + 10
    while ledger.state != "ok":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await ledger.intend(intent("call_b"))
    found = [row.entry async for row in entries(store, Query(kinds=("intent", "outcome"), order="oldest"))]
    assert [(e.call, e.kind) for e in found] == [
        ("call_a", "intent"), ("call_a", "outcome"), ("call_b", "intent"),
    ]  # fmt: skip
    assert (await verify(store)).ok
    await store.bump()
    assert await asyncio.wait_for(seen.get(), 10) == 1
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await ledger.close()
    await store.close()


@pytest.mark.parametrize("when_down", ["refuse", "spool"])
async def test_a_postgres_that_falls_under_load_loses_nothing_and_leaves_nothing_open(
    postgres_server: Server, postgres_url: str, tmp_path: Path, when_down: str, caplog: pytest.LogCaptureFixture
) -> None:
    stores_ = [await stores.open(postgres_url, durable=True, patience=2.0) for _ in range(2)]
    ledgers = [
        Ledger(each, when_down=when_down, spool_path=tmp_path / f"spool-{i}")  # type: ignore[arg-type]
        for i, each in enumerate(stores_)
    ]
    promised: dict[str, int] = {}  # 1: the intent was acknowledged, 2: the outcome too
    refused: list[StoreError] = []
    stopping = asyncio.Event()

    async def caller(who: int) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            said = intent(f"call_{who}_{number}")
            ledger = ledgers[who % 2]
            try:
                await ledger.intend(said)
                promised[said.call] = 1
                await ledger.conclude(outcome(said))
                promised[said.call] = 2
            except StoreError as e:
                refused.append(e)
            await asyncio.sleep(0.03)

    callers = [asyncio.create_task(caller(who)) for who in range(8)]
    await asyncio.sleep(0.2)
    await asyncio.to_thread(postgres_server.stop)
    try:
        await asyncio.sleep(0.2)
    finally:
        await asyncio.to_thread(postgres_server.resume)
    deadline = time.monotonic() + 10
    while any(ledger.state != "ok" for ledger in ledgers):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    before = len(promised)
    await asyncio.sleep(0.2)
    stopping.set()
    await asyncio.gather(*callers)
    assert len(promised) > before, "calls are taken again by themselves"
    assert bool(refused) == (when_down == "refuse") and all(error.hint for error in refused)
    await asyncio.gather(*(ledger.close() for ledger in ledgers))
    there: dict[str, set[str]] = {}
    async for row in entries(stores_[0], Query(kinds=("intent", "outcome"))):
        there.setdefault(row.entry.call, set()).add(row.entry.kind)
    lacking = {call: there.get(call) for call in promised if there.get(call) != {"intent", "outcome"}}
    assert not lacking, "held or spooled, then written"
    assert all(kinds == {"intent", "outcome"} for kinds in there.values()), "what was in doubt is closed"
    assert await recover(stores_[0]) == 0 and (await verify(stores_[0])).ok
    assert sum("calls are refused" in text or "the spool" in text for text in caplog.messages) >= 1
    for each in stores_:
        await each.close()
