"""The pure parts: trees, what is heard, how texts are joined, how growth is told, what is sent."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from freehold.assist import holders, tree
from freehold.assist.context import _joined
from freehold.assist.following import grown
from freehold.assist.hearing import USES, Ear, Joint, overlap
from freehold.assist.live import LONGEST, TURNS, Live
from freehold.assist.shapes import Message, Reasoning, Text


class Node(msgspec.Struct, frozen=True):
    id: str
    parent: str | None


@st.composite
def forests(draw: st.DrawFn) -> list[Node]:
    """Any tangle: trees, parents that are missing, circles."""
    count = draw(st.integers(0, 12))
    names = [f"n{n}" for n in range(count)]
    parents = st.one_of(st.none(), st.sampled_from([*names, "gone"]) if names else st.none())
    return [Node(name, draw(parents)) for name in names]


@given(forests())
def test_a_branch_ends_and_is_a_chain(nodes: list[Node]) -> None:
    by_id = tree.index(nodes)
    for node in nodes:
        branch = tree.branch(by_id, node.id)
        assert branch[-1] is node and len({n.id for n in branch}) == len(branch)
        assert all(after.parent == before.id for before, after in itertools.pairwise(branch))
    assert tree.branch(by_id, "gone") == tree.branch(by_id, None) == []


@given(forests())
def test_a_tip_has_no_child_and_lies_below(nodes: list[Node]) -> None:
    by_id, below = tree.index(nodes), tree.children(nodes)
    assert sum(map(len, below.values())) == len(nodes)
    for node in nodes:
        tip = tree.tip(nodes, node.id)
        walk = {n.id for n in tree.branch(by_id, tip)}
        circle = by_id[tree.branch(by_id, tip)[0].id].parent in walk
        assert node.id in walk or circle
        assert not below.get(tip) or circle


@given(st.text(min_size=1), st.text())
def test_what_does_not_repeat_is_left_alone(before: str, after: str) -> None:
    cut = overlap(before, after, 12)
    assert after[:cut].strip() == "" or before.endswith((after[:cut].lstrip(), after[:cut]))


@given(st.text(min_size=20), st.text(), st.integers(12, 20), st.integers(1, 7))
def test_a_repeated_end_is_said_once(before: str, more: str, size: int, step: int) -> None:
    said: list[str] = []
    joint = Joint(before, lambda _, text: said.append(text))
    whole = before[-size:] + more
    for at in range(0, len(whole), step):
        joint.hear("text", whole[at : at + step])
    joint.settle()
    joined = "".join(said)
    assert more.endswith(joined), "never more than what is new"
    assert len(joined) <= len(more)


def test_short_words_that_come_again_are_meant() -> None:
    assert overlap("ha ha ha", "ha ha", 12) == 0
    assert overlap("a house of cards, and", "cards, and then", 5) == 10
    assert overlap("short", "short and more", 12) == 5, "the whole text said again"


def events(*deltas: dict[str, Any], finish: str | None = None) -> bytes:
    chunks = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish:
        chunks.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def test_an_ear_hears_words_thoughts_and_uses_of_tools() -> None:
    said: list[tuple[str, str]] = []
    ear = Ear(lambda kind, text: said.append((kind, text)), lambda _: None)
    ear.hear(events({"reasoning_content": "hm"}, {"reasoning": "so"}, {"content": "yes"}, {"refusal": "no"}))
    ear.hear(b": comment\n\ndata: not json\n\ndata:" + events({"content": "tight"})[6:])
    ear.hear(
        events(
            {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "add", "arguments": '{"a"'}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
            {"tool_calls": [{"index": 0, "id": "b", "function": {"name": "sub", "arguments": "{}"}}]},
            finish="tool_calls",
        )
    )
    assert said == [("reasoning", "hm"), ("reasoning", "so"), ("text", "yes"), ("text", "no"), ("text", "tight")]
    assert [(u.id, u.name, u.arguments) for u in ear.uses] == [("a", "add", '{"a": 1}'), ("b", "sub", "{}")]
    assert ear.finish == "tool_calls"


def message(*parts: Any, n: int = 0) -> Message:
    return Message("m", "c", None, "assistant", list(parts), "running", n=n)


@given(st.text(), st.text(), st.text(max_size=9), st.text(max_size=9), st.integers(2, 9))
def test_growth_is_told_in_as_many_pieces_as_there_were(a: str, b: str, c: str, d: str, count: int) -> None:
    before = message(Reasoning(a), n=4)
    after = message(Reasoning(a + b), Text(c + d), n=4 + count)
    deltas = grown(before, after)
    if deltas is None:
        assert not (b or c or d) or count < 2
        return
    assert [delta.n for delta in deltas] == list(range(5, 5 + count))
    thoughts = "".join(delta.text for delta in deltas if delta.kind == "reasoning")
    words = "".join(delta.text for delta in deltas if delta.kind == "text")
    assert (a + thoughts, words) == (a + b, c + d)


def test_what_is_no_growth_is_told_whole() -> None:
    assert grown(message(Text("abc"), n=1), message(Text("xyz"), n=2)) is None
    assert grown(message(Text("abc"), n=1), message(Text("abc"), n=1)) == []
    assert grown(message(Text("a"), Reasoning("b"), n=1), message(Text("a"), Reasoning("b"), Text("c"), n=3)) is None
    failed = message(Text("abc"), n=2)
    failed.state = "failed"
    assert grown(message(Text("abc"), n=1), failed) is None


def test_questions_that_follow_each_other_are_one() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:x"}}
    sent = [{"role": "user", "content": "a"}, {"role": "user", "content": [picture]}, {"role": "user", "content": "b"}]
    (one,) = _joined(sent)
    assert one["content"] == [{"type": "text", "text": "a"}, picture, {"type": "text", "text": "b"}]


def test_a_process_knows_who_is_dead() -> None:
    mine = holders.mark()
    assert mine and not holders.dead(f"worker@{mine}")
    place, pid, started = mine.split(":")
    assert holders.dead(f"worker@{place}:{pid}:{int(started) - 1}"), "the number was given to another process"
    boot, _, space = place.partition(".")
    assert not holders.dead(f"worker@{boot}.1{space}:{pid}:1"), "processes of another space cannot be seen"
    assert not holders.dead(f"worker@{boot[::-1]}.{space}:{pid}:1") and not holders.dead("worker@")


async def test_thoughts_between_any_two_words_are_not_told_whole_for_ever() -> None:
    told: list[tuple[str, Any]] = []
    message = Message("a", "c", None, "assistant", [], "running")
    live = Live(message, lambda name, data: told.append((name, msgspec.to_builtins(data))))
    for number in range(3000):
        live.say("reasoning" if number % 2 else "text", f"{number} ")
        if number % 7 == 0:
            live.flush()
    live.flush()
    assert len(message.parts) <= TURNS and len(told) < 1500
    assert sum(name == "message" for name, _ in told) <= TURNS, "each of these carries all that was said"
    for form, odd in ((Text, 0), (Reasoning, 1)):
        said = "".join(part.text for part in message.parts if isinstance(part, form))
        assert said == "".join(f"{number} " for number in range(odd, 3000, 2))
    assert _as_followed(told) == [msgspec.to_builtins(part) for part in message.parts]


def _as_followed(told: list[tuple[str, Any]]) -> list[dict[str, str]]:
    """What a page makes of the events."""
    parts: list[dict[str, str]] = []
    n = 0
    for name, data in told:
        if name == "message":
            parts, n = data["message"]["parts"], data["message"]["n"]
            continue
        n += 1
        assert data["n"] == n
        same = [part for part in parts if part["type"] == data["kind"]]
        if not same:
            same = [{"type": data["kind"], "text": ""}]
            parts += same
        same[-1]["text"] += data["text"]
    return parts


@given(st.lists(st.tuples(st.sampled_from(["text", "reasoning"]), st.text(min_size=1), st.booleans())))
def test_what_is_said_is_what_followers_see(said: list[tuple[Any, str, bool]]) -> None:
    async def talk() -> None:
        told: list[tuple[str, Any]] = []
        live = Live(
            Message("a", "c", None, "assistant", [], "running"), lambda *one: told.append(msgspec.to_builtins(one))
        )
        for kind, text, flush in said:
            live.say(kind, text)
            if flush:
                live.flush()
        live.flush()
        parts = [msgspec.to_builtins(part) for part in live.message.parts]
        assert _as_followed(told) == parts
        turns = [(part["type"], part["text"]) for part in parts]
        joined = [(kind, "".join(t for _, t, _ in group)) for kind, group in itertools.groupby(said, lambda s: s[0])]
        assert len(joined) > TURNS or turns == joined

    asyncio.run(talk())


async def test_an_answer_ends_at_its_longest() -> None:
    live = Live(Message("a", "c", None, "assistant", [], "running"), lambda name, data: None)
    for _ in range(9):
        live.say("text", "x" * (LONGEST // 4))
    live.flush()
    assert live.full.is_set() and len(live.message.text) == LONGEST


def test_an_ear_hears_so_many_uses_of_tools_and_no_more() -> None:
    ear = Ear(lambda kind, text: None, lambda about: None)
    for number in range(USES + 50):
        one = {"index": number, "id": f"c{number}", "function": {"name": "t", "arguments": "{"}}
        for use in (one, {"index": number, "function": {"arguments": "}"}}):
            ear.hear(b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [use]}}]}).encode() + b"\n\n")
    assert [use.id for use in ear.uses] == [f"c{number}" for number in range(USES)]
    assert {use.arguments for use in ear.uses} == {"{}"}
    same = Ear(lambda kind, text: None, lambda about: None)
    for number in range(USES + 2):
        for use in ({"id": f"c{number}", "function": {"name": "t"}}, {"function": {"arguments": "{}"}}):
            same.hear(b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [use]}}]}).encode() + b"\n\n")
    assert {use.arguments for use in same.uses} == {"{}"} and len(same.uses) == USES
