"""Ends of answers at awkward moments: each is on record, and once. On both engines, but where it says which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from chatroom import Room, Talk, Worker, text
from tests.vendor import Vendor

SOON = 10.0


@pytest.fixture(params=["sqlite", "postgres"])
async def room(request: pytest.FixtureRequest, tmp_path: Path, vendor: Vendor) -> AsyncIterator[Room]:
    url = f"sqlite:///{tmp_path}/room.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    made = Room(url, vendor.url)
    await made.people_in()
    yield made
    await made.close()


@pytest.fixture
async def worker(room: Room) -> Worker:
    return await room.worker()


@pytest.fixture
def ann(room: Room, worker: Worker) -> Talk:
    return room.talk(worker)


@pytest.mark.parametrize("room", ["postgres"], indirect=True)
@pytest.mark.parametrize("table", ["conversation", "run", "message"])
async def test_what_grew_is_not_written_over_the_end(
    room: Room, ann: Talk, worker: Worker, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """The end and a copy of what was there just before are under way at one moment, the end in front."""
    other = await asyncpg.connect(room.url, server_settings={"search_path": "freehold"})
    write = worker.store.write
    copying, go, copied = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def held(*steps: Any, durable: bool = True, **more: Any) -> int:
        if durable or copying.is_set():
            return await write(*steps, durable=durable, **more)
        copying.set()
        await go.wait()
        try:
            return await write(*steps, durable=False, **more)
        finally:
            copied.set()

    async def blocked(count: int) -> None:
        asked = "SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE NOT granted"
        while not copied.is_set() and count > await other.fetchval(asked):
            await asyncio.sleep(0.01)

    try:
        async with asyncio.timeout(2 * SOON):
            vendor.script("ok", "ok;every=20;more=600")
            talk = await ann.begin()
            id = (await ann.turn(talk, "go", "plain"))["answers"][0]["id"]
            await ann.said(talk, id, "and so on")
            monkeypatch.setattr(worker.store, "write", held)
            await copying.wait()
            lock = other.transaction()
            await lock.start()
            column, value = ("message", id) if table == "run" else ("id", talk if table == "conversation" else id)
            assert await other.fetchval(f"SELECT 1 FROM {table} WHERE {column} = $1 FOR UPDATE", value)
            stop = asyncio.create_task(ann.ask("POST", f"/messages/{id}/stop"))
            await blocked(1)
            go.set()
            await blocked(2)
            await lock.rollback()
            assert (await stop)["state"] == "stopped"
            await copied.wait()
        opened = await ann.open(talk)
        assert opened["messages"][-1]["state"] == "stopped" and not opened["conversation"]["running"]
        assert "and so on" in text(opened["messages"][-1])
    finally:
        await other.close()


async def test_who_goes_on_as_soon_as_the_end_is_heard_is_answered(
    ann: Talk, worker: Worker, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, told = worker.assist._runs, asyncio.Event()
    tell = runs.tell_conversation

    async def late(member: str, conversation: str) -> None:
        await told.wait()
        await tell(member, conversation)

    talk = await ann.begin()
    id = (await ann.turn(talk, "go", "slow"))["answers"][0]["id"]
    await ann.said(talk, id, "and so on")
    monkeypatch.setattr(runs, "tell_conversation", late)
    stop = asyncio.create_task(ann.ask("POST", f"/messages/{id}/stop"))
    assert (await ann.ended(talk, id))["state"] == "stopped"
    vendor.script("ok;every=15;more=70", "ok;every=20;more=10")
    await ann.ask("POST", f"/messages/{id}/continue")
    told.set()
    await stop
    assert (await ann.ended(talk, id, SOON))["state"] == "done"
    await ann.until(talk, lambda o: not o["conversation"]["running"], SOON)


async def test_an_answer_that_ends_while_orders_are_read_sends_what_waits(
    ann: Talk, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That its run is gone by then does not mean that somebody took it."""
    runs, fetch = worker.assist._runs, worker.store.fetch
    tell = runs.tell_conversation
    reading, ended, read = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def held(sql: str, *args: Any) -> Any:
        if not sql.startswith("SELECT message, orders") or read.is_set():
            return await fetch(sql, *args)
        reading.set()
        await ended.wait()
        rows = await fetch(sql, *args)
        read.set()
        return rows

    async def late(member: str, conversation: str) -> None:
        ended.set()
        await read.wait()
        await asyncio.sleep(0.05)  # what was read is obeyed
        await tell(member, conversation)

    talk = await ann.begin()
    first = (await ann.turn(talk, "first", "slow"))["answers"][0]["id"]
    monkeypatch.setattr(worker.store, "fetch", held)
    async with asyncio.timeout(SOON):
        await reading.wait()
    monkeypatch.setattr(runs, "tell_conversation", late)
    assert (await ann.turn(talk, "second", parent=first))["queued"]
    await ann.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"], SOON)
    assert text((await ann.open(talk))["messages"][-1]) == "You said: second"


async def test_an_answer_that_is_stopped_before_its_first_step_ends(
    ann: Talk, worker: Worker, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = worker.assist._runs
    begin = runs.begin

    def stopped(task: Any, message: Any) -> None:
        begin(task, message)
        runs._cancel(runs._running[message.id], "stopped")

    monkeypatch.setattr(runs, "begin", stopped)
    talk = await ann.begin()
    id = (await ann.turn(talk, "go"))["answers"][0]["id"]
    assert (await ann.ended(talk, id, SOON))["state"] == "stopped"
    assert vendor.seen == []
