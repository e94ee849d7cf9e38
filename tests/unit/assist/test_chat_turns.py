"""Turns, branches, answers side by side, facts, the queue: over HTTP, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from chatroom import Room, Talk, Worker, text
from tests.vendor import Vendor

from freehold import access
from freehold.assist.turns import QUEUED, TEXT_CHARS


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


async def test_edits_and_second_answers_are_branches(ann: Talk) -> None:
    talk = await ann.begin(title="kept")
    first = await ann.turn(talk, "one")
    question, answer = first["message"], first["answers"][0]
    await ann.ended(talk, answer["id"])
    second = await ann.turn(talk, "two", parent=answer["id"])
    await ann.ended(talk, second["answers"][0]["id"])
    edited = await ann.turn(talk, "one, but better", replace=question["id"])
    assert edited["message"]["parent"] is None
    done = await ann.ended(talk, edited["answers"][0]["id"])
    assert text(done) == "You said: one, but better"
    again = (await ann.ask("POST", f"/messages/{question['id']}/answers", {"models": ["other"]}))["answers"]
    assert again[0]["parent"] == question["id"] and again[0]["group"] is None
    assert (await ann.ended(talk, again[0]["id"]))["facts"]["cost"] is None  # nobody told us a price
    opened = await ann.open(talk)
    assert opened["conversation"]["title"] == "kept" and len(opened["messages"]) == 7
    assert opened["conversation"]["leaf"] == again[0]["id"]
    moved = await ann.ask("PATCH", f"/conversations/{talk}", {"leaf": answer["id"]})
    assert moved["leaf"] == second["answers"][0]["id"], "a branch is shown down to its end"
    await ann.ask("PATCH", f"/conversations/{talk}", {"leaf": "msg_of_nobody"}, 400)


async def test_side_by_side(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "compare", "plain", "other", "slow")
    answers = posted["answers"]
    assert [a["model"] for a in answers] == ["plain", "other", "slow"]
    assert len({a["group"] for a in answers}) == 1 and answers[0]["group"]
    assert (await ann.open(talk))["conversation"]["running"]
    for answer in answers[:2]:
        assert (await ann.ended(talk, answer["id"]))["state"] == "done"
    await ann.ask("POST", f"/messages/{answers[2]['id']}/stop")
    await ann.turn(talk, "too many", "plain", "other", "slow", "small", "long", status=400)
    await ann.turn(talk, "twice", "plain", "plain", status=400)


async def test_what_went_before_is_sent_along_but_not_what_failed(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin()
    first = await ann.turn(talk, "alpha")
    await ann.ended(talk, first["answers"][0]["id"])
    failed = await ann.turn(talk, "beta", "refusing", parent=first["answers"][0]["id"])
    bad = await ann.ended(talk, failed["answers"][0]["id"])
    assert bad["state"] == "failed" and bad["error"]["code"] == "upstream_rejected" and bad["error"]["message"]
    third = await ann.turn(talk, "gamma", parent=bad["id"])
    await ann.ended(talk, third["answers"][0]["id"])
    assert vendor.seen[-1].json()["messages"] == [
        {"role": "user", "content": "alpha"},
        {"role": "assistant", "content": "You said: alpha"},
        {"role": "user", "content": "beta\n\ngamma"},
    ]
    body = vendor.seen[-1].json()
    assert body["stream"] and body["stream_options"] == {"include_usage": True}


async def test_a_turn_sent_twice_is_one(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin()
    both = await asyncio.gather(*(ann.turn(talk, "once", id="turn-1") for _ in range(4)))
    assert len({p["message"]["id"] for p in both}) == 1
    await ann.until(talk, lambda o: not o["conversation"]["running"])
    late = await ann.turn(talk, "once", id="turn-1")
    assert [a["state"] for a in late["answers"]] == ["done"]
    assert len((await ann.open(talk))["messages"]) == 2 and len(vendor.seen) == 1


async def test_stop_keeps_what_was_said_and_continue_goes_on(ann: Talk, vendor: Vendor, worker: Worker) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "go", "slow")
    id = posted["answers"][0]["id"]
    await ann.said(talk, id, "and so on")
    stopped = await ann.ask("POST", f"/messages/{id}/stop")
    assert stopped["state"] == "stopped" and "and so on" in text(stopped)
    assert stopped["facts"]["calls"] == 1 and stopped["facts"]["estimated"]
    kept = text(stopped)
    vendor.script("ok;every=15;more=70", "ok")
    resumed = (await ann.ask("POST", f"/messages/{id}/continue"))["message"]
    assert resumed["id"] == id and resumed["state"] == "running"
    done = await ann.ended(talk, id)
    sent = vendor.seen[-1].json()["messages"]
    assert sent[-2] == {"role": "assistant", "content": kept} and "exactly where it ended" in sent[-1]["content"]
    assert text(done).startswith(kept) and done["facts"]["calls"] == 2
    assert len([p for p in done["parts"] if p["type"] == "text"]) == 1
    await ann.ask("POST", f"/messages/{id}/continue", status=400)  # complete
    rows = await worker.store.fetch("SELECT status FROM entry WHERE kind = 1 ORDER BY seq")
    assert [row[0] for row in rows] == [499, 200]


async def test_a_cut_answer_says_so(ann: Talk) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "long", "long")
    done = await ann.ended(talk, posted["answers"][0]["id"])
    assert done["state"] == "done" and done["cut"] and text(done).startswith("You said: long and so")


async def test_an_answer_that_breaks_off_keeps_what_came(ann: Talk) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "one two three four five six seven", "broken")
    done = await ann.ended(talk, posted["answers"][0]["id"])
    assert done["state"] == "failed" and done["error"]["code"] == "upstream_broken"
    assert text(done).startswith("You said: one")


async def test_the_queue_goes_in_order(ann: Talk) -> None:
    talk = await ann.begin()
    first = await ann.turn(talk, "first", "slow")
    id = first["answers"][0]["id"]
    second = await ann.turn(talk, "second", parent=id)
    third = await ann.turn(talk, "third", parent=id)
    gone = await ann.turn(talk, "never", parent=id)
    assert second["queued"] and second["answers"] == [] and second["message"]["state"] == "queued"
    edited = await ann.ask("PATCH", f"/messages/{third['message']['id']}", {"text": "third, changed"})
    assert text(edited) == "third, changed"
    await ann.ask("DELETE", f"/messages/{gone['message']['id']}", status=204)
    opened = await ann.open(talk)
    assert [text(m) for m in opened["queue"]] == ["second", "third, changed"] and not opened["held"]
    await ann.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
    opened = await ann.open(talk)
    said = [text(m) for m in opened["messages"]]
    assert said[2:] == ["second", "You said: second", "third, changed", "You said: third, changed"]
    parents = [m["parent"] for m in opened["messages"]]
    assert parents[1:] == [m["id"] for m in opened["messages"]][:-1]
    await ann.ask("PATCH", f"/messages/{third['message']['id']}", {"text": "late"}, 400)


async def test_a_stopped_answer_holds_the_queue_until_its_member_says(ann: Talk) -> None:
    talk = await ann.begin()
    first = await ann.turn(talk, "first", "slow")
    second = await ann.turn(talk, "second", parent=first["answers"][0]["id"])
    third = await ann.turn(talk, "third", parent=first["answers"][0]["id"])
    await ann.ask("POST", f"/messages/{first['answers'][0]['id']}/stop")
    opened = await ann.open(talk)
    assert opened["held"] and len(opened["queue"]) == 2
    sent = await ann.ask("POST", f"/messages/{second['message']['id']}/send")
    assert not sent["queued"] and sent["message"]["parent"] == first["answers"][0]["id"]
    await ann.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
    assert [text(m) for m in (await ann.open(talk))["messages"]][-2:] == ["third", "You said: third"]
    assert third["queued"]


async def test_nobody_sees_what_is_another_ones(room: Room, worker: Worker, ann: Talk) -> None:
    ben = room.talk(worker, "ben")
    talk = await ann.begin()
    posted = await ann.turn(talk, "secret")
    question, answer = posted["message"]["id"], posted["answers"][0]["id"]
    await ann.ended(talk, answer)
    for method, path, body in (
        ("GET", f"/conversations/{talk}", None),
        ("PATCH", f"/conversations/{talk}", {"title": "mine"}),
        ("DELETE", f"/conversations/{talk}", None),
        ("GET", f"/conversations/{talk}/events", None),
        ("POST", f"/conversations/{talk}/turns", {"text": "x", "models": ["plain"]}),
        ("POST", f"/messages/{question}/answers", {"models": ["plain"]}),
        ("POST", f"/messages/{answer}/continue", None),
        ("POST", f"/messages/{answer}/stop", None),
        ("POST", f"/messages/{answer}/send", None),
        ("POST", f"/messages/{answer}/tools/x", {"allow": "no"}),
        ("PATCH", f"/messages/{question}", {"text": "x"}),
        ("DELETE", f"/messages/{question}", None),
    ):
        await ben.ask(method, path, body, 404)
    assert (await ben.ask("GET", "/conversations"))["items"] == []
    mine = await ben.begin()
    await ben.turn(mine, "x", parent=answer, status=404)
    await ben.turn(mine, "x", replace=question, status=404)
    await ben.turn(mine, "x", "busy", status=404)
    assert "busy" not in [m["id"] for m in await ben.ask("GET", "/models")]
    assert "busy" in [m["id"] for m in await ann.ask("GET", "/models")]


async def test_deleted_is_deleted(ann: Talk, worker: Worker) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "go", "slow")
    await ann.said(talk, posted["answers"][0]["id"], "and so on")
    await ann.ask("DELETE", f"/conversations/{talk}", status=204)
    await ann.ask("GET", f"/conversations/{talk}", status=404)
    await asyncio.sleep(0.5)
    for table in ("message", "run", "message_search"):
        rows = await worker.store.fetch(f"SELECT COUNT(*) FROM {table} WHERE conversation = ?", talk)
        assert rows[0][0] == 0, table


async def test_pages_pass_over_nothing(ann: Talk, worker: Worker) -> None:
    ids = [await ann.begin(title=f"t{n}") for n in range(9)]
    sql = "UPDATE conversation SET updated_at = ? WHERE id = ?"
    await worker.store.write((sql, [(1_000_000_000_000_000 * (n // 3 + 1), id) for n, id in enumerate(ids)]))
    seen: list[str] = []
    before, more = "", True
    while more:
        page = await ann.ask("GET", f"/conversations?limit=2{before}")
        seen += [c["id"] for c in page["items"]]
        more, before = page["more"], f"&before={page['items'][-1]['updated_at']}"
    assert sorted(seen) == sorted(ids) and len(seen) == 9


async def test_a_question_too_long_for_the_model_is_refused_before_it_is_sent(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin()
    posted = await ann.turn(talk, "word " * 2000, "small")
    done = await ann.ended(talk, posted["answers"][0]["id"])
    assert done["state"] == "failed" and done["error"]["code"] == "context_length_exceeded"
    assert "shorten it" in done["error"]["message"].lower() and vendor.seen == []


async def test_what_no_longer_fits_is_left_out_and_it_is_said(ann: Talk, vendor: Vendor) -> None:
    talk = await ann.begin()
    parent = None
    for n in range(6):
        posted = await ann.turn(talk, f"question {n} " + "blah " * 60, "small", parent=parent)
        parent = posted["answers"][0]["id"]
        done = await ann.ended(talk, parent)
        assert done["state"] == "done", done["error"]
    sent = vendor.seen[-1].json()["messages"]
    assert sent[0]["role"] == "user" and "question 0" not in sent[0]["content"] and "question 5" in sent[-1]["content"]
    left = 11 - len(sent)
    assert done["facts"]["note"].startswith(f"{left} older messages left out")


async def test_of_many_turns_at_one_moment_no_more_wait_than_may(ann: Talk) -> None:
    talk = await ann.begin()
    first = await ann.turn(talk, "go", "slow")
    body = {"text": "next", "models": ["plain"], "parent": first["message"]["id"]}
    sent = (ann.client.post(f"/api/conversations/{talk}/turns", json=body) for _ in range(QUEUED + 20))
    statuses = [reply.status_code for reply in await asyncio.gather(*sent)]
    assert statuses.count(200) == QUEUED == len((await ann.open(talk))["queue"])
    assert set(statuses) == {200, 400}
    await ann.ask("POST", f"/messages/{first['answers'][0]['id']}/stop")


async def test_what_no_store_holds_is_a_mistake_of_who_sends_it(ann: Talk) -> None:
    talk = await ann.begin()
    for query in ("before=9223372036854775808", "before=-99999999999999999999"):
        assert (await ann.client.get(f"/api/conversations?{query}")).status_code == 400
    assert (await ann.client.get("/api/conversations?project=%00")).status_code in (200, 400)
    turn = {"text": "x", "models": ["plain"], "parent": "\0"}
    assert (await ann.client.post(f"/api/conversations/{talk}/turns", json=turn)).status_code in (400, 404)


async def test_a_question_has_a_longest(ann: Talk) -> None:
    talk = await ann.begin()
    body = {"text": "x" * (TEXT_CHARS + 1), "models": ["plain"]}
    refused = await ann.client.post(f"/api/conversations/{talk}/turns", json=body)
    assert refused.status_code == 400 and refused.json()["error"]["code"] == "text_too_long"
    assert (await ann.open(talk))["messages"] == []
    nothing = {"text": "\0 \0", "models": ["plain"]}
    assert (await ann.client.post(f"/api/conversations/{talk}/turns", json=nothing)).status_code == 400


async def test_an_answer_for_a_member_whose_key_ended_ends(
    ann: Talk, room: Room, worker: Worker, vendor: Vendor
) -> None:
    vendor.script("ok", "ok;every=20;more=600")
    talk = await ann.begin()
    id = (await ann.turn(talk, "go", "plain"))["answers"][0]["id"]
    await ann.said(talk, id, "and so on")
    snapshot = worker.pipeline.snapshot
    await access.revoke(worker.store, room.people["ann"].key)
    worker.pipeline.snapshot = msgspec.structs.replace(snapshot, keys=await access.load(worker.store))
    ended = await ann.ended(talk, id)
    assert ended["state"] == "stopped" and "and so on" in text(ended)
