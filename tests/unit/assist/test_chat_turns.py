"""Turns, branches, answers side by side, facts, the queue: over HTTP, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chatroom import Room, Talk, Worker, text

from tests.vendor import Vendor


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


async def test_a_question_is_answered_and_says_by_whom(ann: Talk, worker: Worker) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "What is\nfree  about a freehold?")
    assert posted["message"]["state"] == "done" and not posted["queued"]
    (answer,) = posted["answers"]
    assert answer["state"] == "running" and answer["parent"] == posted["message"]["id"]
    done = await ann.ended(talk, answer["id"])
    assert done["state"] == "done"
    assert text(done) == "You said: What is\nfree  about a freehold?"
    facts = done["facts"]
    assert (facts["maker"], facts["seller"], facts["host"], facts["region"]) == ("maker", "seller", "vendor", "north")
    assert (facts["asked"], facts["sent"], facts["answered"]) == ("plain", "ok", "ok-2026-01-01")
    assert facts["contract"] == "deal" and facts["calls"] == 1 and facts["input"] > 0 and facts["output"] > 0
    nano = facts["input"] * 1000 + facts["output"] * 2000
    assert facts["cost"] == f"{nano / 1e9:.9f}".rstrip("0") and facts["currency"] == "USD"
    assert facts["first_ms"] > 0 and facts["total_ms"] >= facts["first_ms"]
    opened = await ann.open(talk)
    assert opened["conversation"]["title"] == "What is free about a freehold?"
    assert opened["conversation"]["leaf"] == answer["id"] and not opened["conversation"]["running"]
    assert opened["queue"] == [] and [m["role"] for m in opened["messages"]] == ["user", "assistant"]
    rows = await worker.store.fetch("SELECT call, key FROM entry WHERE kind = 1")
    assert [row[0] for row in rows] == [facts["call"]]
    found = await worker.store.fetch("SELECT message FROM message_search WHERE conversation = ?", talk)
    assert {row[0] for row in found} == {posted["message"]["id"], answer["id"]}
