"""Tools in an answer: asked before each use, allowed for good, refused, in rounds; and memories that are proposed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatroom import Room, Talk, Worker, text
from tests.vendor import Vendor
from workshop import child

from freehold.assist.answering import ROUNDS


@pytest.fixture
async def room(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Room]:
    made = Room(f"sqlite:///{tmp_path}/room.db", vendor.url)
    await made.people_in()
    yield made
    await made.close()


@pytest.fixture
async def worker(room: Room) -> Worker:
    return await room.worker(tools=[child("shop")])


@pytest.fixture
def ann(room: Room, worker: Worker) -> Talk:
    return room.talk(worker)


async def asked(ann: Talk, talk: str, words: str, model: str = "tooled") -> Any:
    """Ask, and return the answer once it waits or has ended."""
    posted = await ann.turn(talk, words, model)
    return await ann.ended(talk, posted["answers"][0]["id"])


def uses(message: Any) -> list[Any]:
    return [part for part in message["parts"] if part["type"] == "tool"]


async def test_a_tool_is_used_once_its_member_says_so(ann: Talk, vendor: Vendor, worker: Worker) -> None:
    talk = await ann.begin(tools=["shop"])
    waiting = await asked(ann, talk, "please shop__echo this")
    assert waiting["state"] == "waiting"
    (use,) = uses(waiting)
    assert (use["server"], use["name"], use["state"], use["result"]) == ("shop", "echo", "asked", "")
    assert (await worker.store.fetch("SELECT COUNT(*) FROM run"))[0][0] == 0, "who waits for a person holds nothing"
    queued = await ann.turn(talk, "meanwhile", parent=waiting["id"])
    assert queued["queued"], "a turn waits for the answer that waits"
    await ann.ask("POST", f"/messages/{waiting['id']}/tools/{use['id']}", {"allow": "once"})
    done = await ann.ended(talk, waiting["id"])
    assert done["state"] == "done" and uses(done)[0]["state"] == "done"
    assert uses(done)[0]["result"] in text(done) and done["facts"]["calls"] == 2
    sent = vendor.seen[1].json()["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == use["id"]
    await ann.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
    later = vendor.seen[-1].json()["messages"]
    assert [m["role"] for m in later] == ["user", "assistant", "tool", "assistant", "user"]
    await ann.ask("POST", f"/messages/{waiting['id']}/tools/{use['id']}", {"allow": "once"}, 400)


async def test_what_is_allowed_for_good_is_not_asked_again(ann: Talk) -> None:
    talk = await ann.begin(tools=["shop"])
    waiting = await asked(ann, talk, "shop__echo")
    await ann.ask("POST", f"/messages/{waiting['id']}/tools/{uses(waiting)[0]['id']}", {"allow": "always"})
    await ann.ended(talk, waiting["id"])
    again = await asked(ann, talk, "shop__echo once more")
    assert again["state"] == "done" and uses(again)[0]["state"] == "done"


async def test_a_refused_tool_is_not_used_and_the_model_is_told(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin(tools=["shop"])
    waiting = await asked(ann, talk, "shop__echo")
    await ann.ask("POST", f"/messages/{waiting['id']}/tools/{uses(waiting)[0]['id']}", {"allow": "no"})
    done = await ann.ended(talk, waiting["id"])
    assert uses(done)[0]["state"] == "refused" and done["state"] == "done"
    assert "did not allow" in vendor.seen[-1].json()["messages"][-1]["content"]


async def test_several_uses_wait_for_each_other(ann: Talk) -> None:
    talk = await ann.begin(tools=["shop"])
    waiting = await asked(ann, talk, "shop__echo and shop__add")
    first, second = uses(waiting)
    still = await ann.ask("POST", f"/messages/{waiting['id']}/tools/{first['id']}", {"allow": "once"})
    assert still["state"] == "waiting" and uses(still)[0]["state"] == "running"
    await ann.ask("POST", f"/messages/{waiting['id']}/tools/{second['id']}", {"allow": "no"})
    done = await ann.ended(talk, waiting["id"])
    assert [use["state"] for use in uses(done)] == ["done", "refused"]


async def test_stop_while_it_waits(ann: Talk) -> None:
    talk = await ann.begin(tools=["shop"])
    waiting = await asked(ann, talk, "shop__echo")
    stopped = await ann.ask("POST", f"/messages/{waiting['id']}/stop")
    assert stopped["state"] == "stopped" and uses(stopped)[0]["state"] == "refused"
    resumed = await ann.ask("POST", f"/messages/{waiting['id']}/continue")
    assert resumed["message"]["state"] == "running"
    assert (await ann.ended(talk, waiting["id"]))["state"] == "done"


async def test_a_wait_outlives_its_worker(room: Room, worker: Worker, ann: Talk) -> None:
    talk = await ann.begin(tools=["shop"])
    waiting = await asked(ann, talk, "shop__echo")
    await worker.assist.close()
    there = room.talk(await room.worker(tools=[child("shop")]))
    await there.ask("POST", f"/messages/{waiting['id']}/tools/{uses(waiting)[0]['id']}", {"allow": "once"})
    assert (await there.ended(talk, waiting["id"]))["state"] == "done"


async def test_a_model_that_never_stops_asking_has_to_answer_at_last(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin(tools=["shop"])
    await ann.ask("PUT", "/tools/shop/echo", {"allow": "always"})
    done = await asked(ann, talk, "shop__echo", "plain")
    assert done["state"] == "done" and len(uses(done)) == ROUNDS - 1 and done["facts"]["calls"] == ROUNDS
    assert "tools" not in vendor.seen[-1].json() and len(vendor.seen) == ROUNDS
    total = sum(2 for _ in vendor.seen)
    assert done["facts"]["input"] > total, "what the calls took adds up"


async def test_memories_are_proposed_and_only_approved_ones_are_told(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin(tools=["memory"])
    done = await asked(ann, talk, "please remember me")
    assert uses(done)[0]["state"] == "done"
    (memory,) = await ann.ask("GET", "/memories")
    assert memory["state"] == "proposed" and memory["conversation"] == talk and memory["message"] == done["id"]
    await asked(ann, talk, "hello")
    assert vendor.seen[-1].json()["messages"][0]["role"] == "user"
    await ann.ask("PATCH", f"/memories/{memory['id']}", {"state": "approved"})
    await asked(ann, talk, "hello again")
    first = vendor.seen[-1].json()["messages"][0]
    assert first["role"] == "system" and memory["text"] in first["content"]


async def test_our_own_tool_is_listed_with_the_others(ann: Talk) -> None:
    listed = {each["name"]: each for each in await ann.ask("GET", "/tools")}
    assert listed["memory"]["kind"] == "built-in" and "shop" in listed
