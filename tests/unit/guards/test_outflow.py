"""An answer's stream under moderation: what waits and how long, what is let go, how it ends when it is stopped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.guards.test_moderation import BOMB, Guard, asking, chat, look_at, policy

from freehold.core.errors import Blocked, FreeholdError, StoreError, UpstreamTimeout
from freehold.guards.moderation import ModerationShield
from freehold.guards.policy import Policy
from freehold.guards.shield import Flow, Look
from freehold.wire import sse
from freehold.wire.dialects.openai_pieces import pieces

WORDS = "The weather was fine and nothing at all happened on that day in May. "


def event(text: str = "", finish: str | None = None, choice: int = 0, **delta: Any) -> bytes:
    said = {"content": text} if text else {}
    body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": choice, "delta": {**said, **delta}, "finish_reason": finish}]}  # fmt: skip
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'


class Stream:
    """A stream through the guard: what goes in, and what came out."""

    def __init__(self, *policies: Policy, ask: Guard | None = None, **call: Any) -> None:
        self.look: Look = look_at(chat("the question", **call), *policies, ask=ask)
        self.cut = 0
        self.look.enough = self._enough
        self.out = b""
        self.sent = 0  # characters
        flow = ModerationShield().stream(self.look, self._send)
        assert flow is not None
        self.flow: Flow = flow

    def _enough(self) -> None:
        self.cut += 1

    def _send(self, events: bytes) -> None:
        assert events.endswith(b"\n\n")
        self.out += events
        self.sent += sum(len(p.text) for e in sse.events(events) for p in pieces(e.data) or ())

    def feed(self, *texts: str) -> None:
        for text in texts:
            self.flow.feed(event(text))

    async def run(self, *texts: str) -> FreeholdError | None:
        """Send everything and the end; return what it was stopped by."""
        try:
            self.flow.feed(event(role="assistant"))
            self.feed(*texts)
            self.flow.feed(event(finish="stop"))
            await self.flow.finish()
        except FreeholdError as e:
            return e
        finally:
            self.flow.close()
        return None

    @property
    def text(self) -> str:
        return "".join(p.text for e in sse.events(self.out) for p in pieces(e.data) or ())

    @property
    def ends(self) -> list[str]:
        return [p.finish for e in sse.events(self.out) for p in pieces(e.data) or () if p.finish]


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(
    st.lists(st.text(alphabet="abc. \n", min_size=1, max_size=30), max_size=30), st.integers(0, 60), st.integers(50, 90)
)
async def test_what_is_harmless_comes_out_as_it_went_in(texts: list[str], delay: int, window: int) -> None:
    stream = Stream(policy(block={"*": 2}, delay=delay, window=window))
    whole = b"".join([event(role="assistant"), *map(event, texts), event(finish="stop")])
    assert await stream.run(*texts) is None and stream.out == whole


@given(st.integers(1, 40), st.integers(0, 120))
async def test_no_more_waits_than_the_delay(size: int, delay: int) -> None:
    stream = Stream(policy(block={"*": 2}, delay=delay))
    given_ = 0
    for text in cut(WORDS * 20, size):
        stream.feed(text)
        given_ += len(text)
        assert given_ - stream.sent <= delay
    stream.flow.close()


@pytest.mark.parametrize("size", [1, 3, 7, 500])
@pytest.mark.parametrize("delay", [0, 40, 200])
async def test_a_stream_is_stopped_and_nothing_after_the_place_is_sent(size: int, delay: int) -> None:
    stream = Stream(policy(block={"*": 4}, delay=delay))
    text = WORDS * 6 + BOMB + " First you take " + WORDS
    e = await stream.run(*cut(text, size))
    assert isinstance(e, Blocked) and stream.ends == ["content_filter"] and stream.cut == 1
    assert text.startswith(stream.text) and "First you take" not in stream.text
    if delay == 200:
        assert "bomb" not in stream.text  # the delay is longer than what was stopped
    assert stream.look.stopped is e and stream.look.verdicts[0].side == "output"
    with pytest.raises(Blocked):
        stream.feed("more")
    assert stream.ends == ["content_filter"]


async def test_words_across_the_border_of_what_went_are_found() -> None:
    for before in range(0, 260, 13):
        stream = Stream(policy(block={"*": 4}, delay=100, window=300))
        assert isinstance(await stream.run(*cut("a" * before + " " + BOMB, 9)), Blocked), before


async def test_arguments_and_thoughts_are_looked_at() -> None:
    call = {"index": 0, "function": {"arguments": json.dumps({"q": BOMB})}}
    for delta in ({"tool_calls": [call]}, {"reasoning_content": BOMB}, {"refusal": BOMB}):
        stream = Stream(policy(block={"*": 4}))
        with pytest.raises(Blocked):
            stream.flow.feed(event(**delta))
            await stream.flow.finish()


async def test_all_choices_end_when_one_is_stopped() -> None:
    stream = Stream(policy(block={"*": 4}), n=2)
    stream.flow.feed(event("fine", choice=0))
    with pytest.raises(Blocked):
        stream.flow.feed(event(BOMB, choice=1))
        await stream.flow.finish()
    closing = json.loads(list(sse.events(stream.out))[-1].data)
    assert [(c["index"], c["finish_reason"]) for c in closing["choices"]] == [
        (0, "content_filter"),
        (1, "content_filter"),
    ]


async def test_who_only_looks_on_holds_nothing() -> None:
    stream = Stream(policy(dry=True, block={"*": 2}))
    for text in cut(BOMB * 30, 11):
        before = stream.sent
        stream.feed(text)
        assert stream.sent == before + len(text)
    await stream.flow.finish()
    assert [(v.action, v.dry) for v in stream.look.verdicts] == [("block", True)] and stream.look.stopped is None


async def test_usage_comments_and_what_nobody_knows_pass_in_their_order() -> None:
    stream = Stream(policy(block={"*": 2}))
    events = [b": comment\n\n", event(role="assistant"), event("hello"), b"data: {}\n\n", event(finish="stop"), USAGE]
    for each in events:
        stream.flow.feed(each)
    assert stream.out == b"".join(events[:2])
    await stream.flow.finish()
    assert stream.out == b"".join(events)


# -- with a moderator -------------------------------------------------------------------------------------------------


class Slow(Guard):
    """A moderator that answers when it is let."""

    def __init__(self, answer: Any = "safe") -> None:
        super().__init__(answer)
        self.open = asyncio.Event()

    async def __call__(self, call: Any) -> bytes:
        await self.open.wait()
        return await super().__call__(call)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_moderator_is_asked_about_every_window_and_the_rest() -> None:
    ask = Guard()
    stream = Stream(asking(window=300, delay=100), ask=ask)
    for text in cut(WORDS * 13, 10):
        stream.feed(text)
        await settle()
    await stream.flow.finish()
    assert stream.text == WORDS * 13 and not stream.look.verdicts
    asked = [text[200:] if n else text for n, text in enumerate(ask.asked)]  # each repeats the end of the one before
    assert "".join(asked) == WORDS * 13 and all(len(text) <= 320 for text in asked) and len(asked) == 3


async def test_what_waits_is_stopped_by_the_moderator_between_two_events() -> None:
    ask = Slow("unsafe\nS10")
    stream = Stream(asking(window=300, delay=1000), ask=ask)
    stream.feed(*cut(WORDS * 5, 20))
    await settle()
    assert stream.text == ""  # the delay is longer than the window: all of it waits
    ask.open.set()
    await settle()
    assert stream.ends == ["content_filter"] and stream.text == "" and stream.cut == 1
    with pytest.raises(Blocked):
        stream.feed("more")
    assert [(v.by, v.category) for v in stream.look.verdicts] == [("deployment:guard", "hate")]


async def test_a_slow_moderator_holds_no_more_than_the_delay() -> None:
    ask = Slow("unsafe\nS10")
    stream = Stream(asking(window=100, delay=150), ask=ask)
    fed = 0
    for text in cut(WORDS * 10, 10):
        stream.feed(text)
        await settle()
        fed += len(text)
        assert fed - stream.sent <= 150
    assert len(stream.text) > 400 and not ask.asked
    ask.open.set()
    await settle()
    assert stream.ends == ["content_filter"] and len(stream.text) <= fed - 140


async def test_what_is_approved_goes_at_once() -> None:
    ask, text = Slow(), (WORDS * 6)[:400]
    stream = Stream(asking(window=100, delay=400), ask=ask)
    stream.feed(*cut(text, 10))
    await settle()
    assert stream.text == ""
    ask.open.set()
    await settle()
    assert stream.text == text[:200]  # the other half waits for what may follow on it
    await stream.flow.finish()
    assert stream.text == text


async def test_the_end_waits_for_the_last_answer() -> None:
    for answer, ends in (("unsafe\nS10", ["content_filter"]), ("safe", ["stop"])):
        stream = Stream(asking(window=5000, delay=20), ask=Guard(answer))
        e = await stream.run(*cut(WORDS, 5))
        assert stream.ends == ends and isinstance(e, Blocked) == (answer != "safe")


async def test_a_moderator_that_fails() -> None:
    late = UpstreamTimeout("late")
    stream = Stream(asking(window=50), ask=Guard(late))
    assert await stream.run(*cut(WORDS * 3, 10)) is None and stream.text == WORDS * 3
    assert {v.detail for v in stream.look.verdicts} == {f"no answer: {late.code}"}
    stream = Stream(asking(window=50, when_down="block"), ask=Guard(late))
    assert isinstance(await stream.run(*cut(WORDS * 3, 10)), Blocked) and stream.ends == ["content_filter"]
    stream = Stream(asking(window=50), ask=Guard(StoreError("away")))
    assert isinstance(await stream.run(*cut(WORDS * 3, 10)), StoreError) and stream.ends == []


async def test_who_only_asks_and_does_not_act_holds_nothing() -> None:
    ask = Slow("unsafe\nS10")
    stream = Stream(asking(dry=True, window=100), ask=ask)
    stream.feed(*cut(WORDS * 4, 10))
    assert stream.text == WORDS * 4
    ask.open.set()
    await stream.flow.finish()
    assert stream.look.verdicts and all(v.dry for v in stream.look.verdicts) and stream.look.stopped is None


async def test_who_leaves_leaves_nothing_behind() -> None:
    ask = Slow()
    stream = Stream(asking(window=50, delay=500), ask=ask)
    stream.feed(WORDS * 2)
    before = asyncio.all_tasks()
    assert len(before) == 2
    stream.flow.close()
    await settle()
    assert len(asyncio.all_tasks()) == 1
