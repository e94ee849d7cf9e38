"""Following a conversation: pieces in order, coming back, other workers, dead ones, readers that take nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chatroom import Room, Screen, Talk, Worker, text
from tests.vendor import Vendor

from freehold.assist import events as events_module
from freehold.assist import runs as runs_module


@pytest.fixture(params=["sqlite", "postgres"])
async def room(request: pytest.FixtureRequest, tmp_path: Path, vendor: Vendor) -> AsyncIterator[Room]:
    url = f"sqlite:///{tmp_path}/room.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    made = Room(url, vendor.url)
    await made.people_in()
    yield made
    await made.close()


async def test_a_page_sees_every_piece_once(room: Room) -> None:
    ann = room.talk(await room.worker())
    talk = await ann.begin()
    async with ann.follow(talk) as screen:
        await screen.until(lambda s: s.conversation is not None)
        posted = await ann.turn(talk, "watch me", "slow")
        id = posted["answers"][0]["id"]
        await screen.until(lambda s: s.messages.get(id, {}).get("state") == "done")
        assert screen.gaps == 0
        kinds = [name for name, data in screen.events if name == "delta"]
        assert len(kinds) > 20
        assert text(screen.messages[id]) == "You said: watch me" + " and so on" * 70
        assert screen.messages[id] == await ann.message(talk, id)
        await screen.until(lambda s: not s.conversation["running"])
        assert screen.messages[posted["message"]["id"]]["state"] == "done"


async def test_coming_back_misses_nothing(room: Room) -> None:
    ann = room.talk(await room.worker())
    talk = await ann.begin()
    opened = await ann.open(talk)
    async with ann.follow(talk, opened["after"]) as screen:
        posted = await ann.turn(talk, "watch", "slow")
        id = posted["answers"][0]["id"]
        await screen.until(lambda s: id in s.messages and text(s.messages[id]))
    kept = screen
    await asyncio.sleep(0.3)
    async with ann.follow(talk, kept.last) as back:
        back.messages = kept.messages
        await back.until(lambda s: len(s.events) > 5)
        assert {name for name, _ in back.events[:3]} == {"delta"}, "the ring has it: no summary"
        await back.until(lambda s: s.messages[id]["state"] == "done")
        assert back.gaps == 0 and text(back.messages[id]).endswith("and so on")
    async with ann.follow(talk, "elsewhere.1") as lost:
        await lost.until(lambda s: id in s.messages and s.queue is not None)
        assert lost.messages[id] == back.messages[id]


async def test_another_worker_shows_it_too(room: Room) -> None:
    first, second = await room.worker(), await room.worker()
    ann, there = room.talk(first), room.talk(second)
    talk = await ann.begin()
    async with there.follow(talk) as screen:
        posted = await ann.turn(talk, "from afar", "slow")
        id = posted["answers"][0]["id"]
        queued = await there.turn(talk, "and then", parent=id)
        assert queued["queued"], "one answer at a time, whoever makes it"
        await screen.until(lambda s: len([1 for name, _ in s.events if name == "delta"]) > 10)
        await screen.until(lambda s: s.messages[id]["state"] == "done")
        assert screen.gaps == 0
        assert text(screen.messages[id]) == "You said: from afar" + " and so on" * 70
        await screen.until(lambda s: any(text(m) == "You said: and then" for m in s.messages.values()))
        await screen.until(lambda s: s.queue is not None and s.queue["queue"] == [])


async def test_an_answer_is_stopped_from_another_worker(room: Room) -> None:
    first, second = await room.worker(), await room.worker()
    ann, there = room.talk(first), room.talk(second)
    talk = await ann.begin()
    posted = await ann.turn(talk, "stop me", "slow")
    id = posted["answers"][0]["id"]
    await there.said(talk, id, "and so on")
    await there.ask("POST", f"/messages/{id}/stop")
    assert (await there.ended(talk, id))["state"] == "stopped"


async def test_a_page_goes_from_a_dead_worker_to_another(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of both is one here, so that only the lease can tell; e2e kills a real one."""
    monkeypatch.setattr(runs_module, "LEASE", 2.5)
    first, second = await room.worker(), await room.worker()
    ann, there = room.talk(first), room.talk(second)
    talk = await ann.begin()
    async with ann.follow(talk) as screen:
        posted = await ann.turn(talk, "survive", "slow")
        id = posted["answers"][0]["id"]
        waiting = await ann.turn(talk, "after that", parent=id)
        await ann.said(talk, id, "and so on")
        await asyncio.sleep(0.7)
        await first.die()
        await screen.until(lambda s: s.over)
    async with there.follow(talk, screen.last) as back:
        back.messages = screen.messages
        await back.until(lambda s: s.messages[id]["state"] == "interrupted")
        assert "and so on" in text(back.messages[id])
        await back.until(lambda s: s.messages.get(waiting["message"]["id"]) is not None)
    await there.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
    said = [text(m) for m in (await there.open(talk))["messages"]]
    assert said[-2:] == ["after that", "You said: after that"], "what was queued goes on elsewhere"
    resumed = (await there.ask("POST", f"/messages/{id}/continue"))["message"]
    assert resumed["state"] == "running"
    await there.ask("POST", f"/messages/{id}/stop")


async def test_a_worker_that_ends_leaves_answers_interrupted_and_streams_ended(room: Room) -> None:
    first, second = await room.worker(), await room.worker()
    ann, there = room.talk(first), room.talk(second)
    talk = await ann.begin()
    async with ann.follow(talk) as screen:
        posted = await ann.turn(talk, "go", "slow")
        id = posted["answers"][0]["id"]
        await ann.said(talk, id, "and so on")
        await first.assist.close()
        await screen.until(lambda s: s.over)
        assert screen.messages[id]["state"] == "interrupted"
    found = await there.message(talk, id)
    assert found["state"] == "interrupted" and text(found) == text(screen.messages[id])
    assert (await there.open(talk))["conversation"]["running"] is False


async def test_a_reader_that_takes_nothing_costs_nothing_and_gets_a_summary(room: Room) -> None:
    worker = await room.worker()
    ann = room.talk(worker)
    talk = await ann.begin()
    raw = socket.socket(socket.AF_UNIX)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, worker.path)
    await loop.sock_sendall(
        raw, f"GET /api/conversations/{talk}/events HTTP/1.1\r\nhost: x\r\nx-who: ann\r\n\r\n".encode()
    )
    await ann.until(talk, lambda _: worker.assist._hub.followed())
    words = ("w" * 250 + " ") * 400
    for _ in range(10):
        posted = await ann.turn(talk, words, "plain")
        await ann.ended(talk, posted["answers"][0]["id"])
    (reader,) = worker.assist._hub._channels[talk].readers
    assert reader.behind
    assert reader.exchange._protocol.transport.get_write_buffer_size() < 1_000_000
    received = b""
    last = posted["answers"][0]["id"].encode()
    async with asyncio.timeout(20):
        while b'"message":{"id":"' + last not in received:
            received = received[-1_000_000:] + await loop.sock_recv(raw, 65536)
    raw.close()


async def test_a_deleted_conversation_lets_go_of_who_follows(room: Room) -> None:
    first, second = await room.worker(), await room.worker()
    ann, there = room.talk(first), room.talk(second)
    talk = await ann.begin()
    async with ann.follow(talk) as here, there.follow(talk) as far:
        await far.until(lambda s: s.conversation is not None)
        await asyncio.sleep(1.2)
        await ann.ask("DELETE", f"/conversations/{talk}", status=204)
        for screen in (here, far):
            await screen.until(lambda s: s.over)
            assert screen.removed == [talk]


async def test_a_deleted_project_takes_running_answers_along(room: Room) -> None:
    worker = await room.worker(alone=True)
    ann = room.talk(worker)
    project = (await ann.ask("POST", "/projects", {"name": "Short"}, 201))["id"]
    talk, other = await ann.begin(project=project), await ann.begin()
    async with ann.follow(talk) as here, ann.follow(other) as elsewhere:
        await elsewhere.until(lambda s: s.conversation is not None)
        answer = (await ann.turn(talk, "go on for long", "slow"))["answers"][0]["id"]
        await here.until(lambda s: answer in s.messages)
        await ann.ask("DELETE", f"/projects/{project}?conversations=delete", status=204)
        await here.until(lambda s: s.over)
        assert here.removed == [talk] and worker.assist._runs.here(answer) is None
        assert not elsewhere.over
    await ann.ask("GET", f"/conversations/{talk}", status=404)
    for table in ("message", "run", "message_search"):
        assert await worker.store.fetch(f"SELECT COUNT(*) FROM {table}") == [(0,)], table


def test_a_screen_counts_what_it_missed() -> None:
    """The measure itself."""
    screen = Screen()
    screen.take("message", {"message": {"id": "a", "n": 0, "parts": []}})
    screen.take("delta", {"message": "a", "n": 2, "kind": "text", "text": "x"})
    assert screen.gaps == 1


async def test_fast_streams_are_put_together(room: Room, vendor: Vendor) -> None:
    worker: Worker = await room.worker()
    ann: Talk = room.talk(worker)
    talk = await ann.begin()
    vendor.script("ok", "ok;more=2600")
    async with ann.follow(talk) as screen:
        posted = await ann.turn(talk, "fast")
        id = posted["answers"][0]["id"]
        await screen.until(lambda s: s.messages.get(id, {}).get("state") == "done")
    deltas = [data for name, data in screen.events if name == "delta"]
    assert screen.gaps == 0 and len(deltas) < 2600
    assert text(screen.messages[id]) == "You said: fast" + " and so on" * 2600


async def test_who_may_no_longer_read_hears_no_more(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "HEARTBEAT", 0.05)
    ann, ben = room.talk(await room.worker()), room.talk(room.workers[0], "ben")
    async with ann.follow(await ann.begin()) as screen, ben.follow(await ben.begin()) as other:
        await screen.until(lambda s: s.conversation is not None)
        del room.people["ann"]
        async with asyncio.timeout(10):
            while not screen.over:
                await asyncio.sleep(0.02)
        assert not other.over


async def test_one_member_does_not_take_all_connections(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "STREAMS", 2)
    ann, ben = room.talk(await room.worker()), room.talk(room.workers[0], "ben")
    talk = await ann.begin()
    path = f"/api/conversations/{talk}/events"
    async with ann.follow(talk), ann.follow(talk):
        refused = await ann.client.get(path)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "too_many_streams"
        async with ben.follow(await ben.begin()):
            pass
    async with asyncio.timeout(10):
        while True:
            async with ann.client.stream("GET", path) as reply:
                if reply.status_code == 200:
                    break


async def test_rings_that_nobody_follows_do_not_fill_the_memory(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = room.talk(await room.worker())
    hub = room.workers[0].assist._hub
    followed, old, new = [await ann.begin() for _ in range(3)]
    async with ann.follow(followed) as screen:
        await screen.until(lambda s: s.conversation is not None)
        for talk in (followed, old, new):
            hub.publish(talk, "note", "x" * 1000)
        monkeypatch.setattr(events_module, "UNFOLLOWED_BYTES", 1500)
        hub.tidy()
        assert set(hub._channels) == {followed, new}
        monkeypatch.setattr(events_module, "UNFOLLOWED_BYTES", 1 << 20)  # what comes now stays until it is followed
        posted = await ann.turn(old, "and now")
        async with ann.follow(old) as back:
            await back.until(lambda s: s.messages.get(posted["answers"][0]["id"], {}).get("state") == "done")
            assert back.gaps == 0
