"""Temporary chats: answered like others, and nothing of them is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatroom import Room, Screen, Talk, Worker, text
from tests.vendor import Vendor


@pytest.fixture
async def room(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Room]:
    made = Room(f"sqlite:///{tmp_path}/room.db", vendor.url)
    await made.people_in()
    yield made
    await made.close()


@pytest.fixture
async def worker(room: Room) -> Worker:
    return await room.worker()


@pytest.fixture
def ann(room: Room, worker: Worker) -> Talk:
    return room.talk(worker)


async def ask(ann: Talk, *said: str, model: str = "plain") -> Screen:
    """Ask and follow the answer to its end."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "text": words} for n, words in enumerate(said)]
    screen = Screen()
    body = {"messages": messages, "models": [model]}
    async with ann.client.stream("POST", "/api/temporary", json=body) as reply:
        assert reply.status_code == 200
        await screen.read(reply)
    return screen


def only(screen: Screen) -> Any:
    (message,) = screen.messages.values()
    return message


async def test_a_temporary_chat_is_answered_and_nothing_is_kept(ann: Talk, worker: Worker, vendor: Vendor) -> None:
    screen = await ask(ann, "mellifluous", "You said: x", "halcyon")
    answer = only(screen)
    assert answer["state"] == "done" and text(answer) == "You said: halcyon" and screen.gaps == 0
    assert answer["facts"]["cost"] and answer["facts"]["maker"] == "maker"
    assert [m["role"] for m in vendor.seen[-1].json()["messages"]] == ["user", "assistant", "user"]
    await worker.ledger.flush()
    for table in ("conversation", "message", "message_search", "run", "body"):
        assert (await worker.store.fetch(f"SELECT COUNT(*) FROM {table}"))[0][0] == 0, table
    entries = await worker.store.fetch("SELECT data FROM entry WHERE kind = 1")
    assert len(entries) == 1 and b"halcyon" not in entries[0][0]
    kept = b"".join(p.read_bytes() for p in Path(worker.room.url.removeprefix("sqlite:///")).parent.glob("room.db*"))
    assert b"halcyon" not in kept and b"mellifluous" not in kept


async def test_bodies_of_other_chats_are_kept_as_the_policy_says(ann: Talk, worker: Worker) -> None:
    """That the test above could fail."""
    talk = await ann.begin()
    posted = await ann.turn(talk, "halcyon")
    await ann.ended(talk, posted["answers"][0]["id"])
    await worker.ledger.flush()
    bodies = await worker.store.fetch("SELECT data FROM body")
    assert any(b"halcyon" in data for (data,) in bodies)


async def test_who_leaves_ends_it(ann: Talk, worker: Worker, vendor: Vendor) -> None:
    body = {"messages": [{"role": "user", "text": "go"}], "models": ["slow"]}
    async with ann.client.stream("POST", "/api/temporary", json=body) as reply:
        async for line in reply.aiter_lines():
            if line == "event: delta":
                break
    for _ in range(500):
        rows = await worker.store.fetch("SELECT status FROM entry WHERE kind = 1")
        if rows:
            break
    assert rows == [(499,)]


async def test_what_is_wrong_is_said_before_and_in_the_stream(ann: Talk) -> None:
    await ann.ask("POST", "/temporary", {"messages": [], "models": ["plain"]}, 400)
    await ann.ask("POST", "/temporary", {"messages": [{"role": "user", "text": "x"}], "models": ["nothing"]}, 404)
    failed = only(await ask(ann, "x", model="refusing"))
    assert failed["state"] == "failed" and failed["error"]["code"] == "upstream_rejected"
    assert json.dumps(failed)
