"""A caller that leaves at each place where a call waits: one outcome, one settlement, nothing held after it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from freehold import contracts
from freehold.access import Key, KeyRing, parse_all
from freehold.core.clock import tick
from freehold.core.errors import StoreError, UpstreamTimeout
from freehold.ledger import Entry
from freehold.pipeline import About, Pipeline, Snapshot
from freehold.pipeline.flow import Policy
from freehold.pipeline.health import Health
from freehold.providers import Settings, build
from freehold.routing import BreakerSettings, Deployment, Route, Table, Target
from freehold.wire.client import Origin, Source, Timeouts
from freehold.wire.dialects import openai

NAME = "gpt"
EVENT = b'data: {"model":"gpt-x-1","choices":[{"delta":{"content":"hello"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n'
REPLY = json.dumps(
    {
        "model": "gpt-x-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
).encode()
COST = 5 * 1000 + 1 * 2000  # nano-USD at 1 and 2 USD a million


class Vendor:
    """What the pipeline takes for its client: answers, or waits for ever at the place called `waits`."""

    def __init__(self, waits: str) -> None:
        self.waits = waits
        self.asked: list[Timeouts] = []
        self.fails: Exception | None = None

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes,
        sink: Any,
        timeouts: Timeouts,
    ) -> None:
        self.asked.append(timeouts)
        if self.waits == "dial":
            await forever()
        try:
            await self._reply(sink, b'"stream":true' in body)
        except BaseException as e:
            vars(e)["sent"] = True
            raise

    async def _reply(self, sink: Any, stream: bool) -> None:
        if self.fails is not None:
            raise self.fails
        if self.waits == "send":
            await forever()
        media = b"text/event-stream" if stream else b"application/json"
        sink.head(200, {b"content-type": media}, Source(Flow()))
        first, rest = (EVENT, USAGE + b"data: [DONE]\n\n") if stream else (REPLY[:40], REPLY[40:])
        sink.data(first)
        if self.waits == "midst":
            await forever()
        sink.data(rest)


class Flow:
    """The connection under a reply that nobody slows down."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def enough(self) -> None: ...


class Book:
    """What the pipeline takes for its ledger. Waits as that of `strict` does: with a future of an entry it has."""

    def __init__(self, waits: str) -> None:
        self.waits = waits
        self.entries: list[Entry] = []

    def promise(self, call: str, attempt: int, make: Callable[[], Entry]) -> Awaitable[None] | None:
        self.entries.append(make())
        return never() if self.waits == "promise" else None

    def keep(self, entry: Entry, bodies: Sequence[Any] = ()) -> Awaitable[None] | None:
        if self.waits == "room":
            return self._when_there_is_room(entry)
        self.entries.append(entry)
        return never() if self.waits == "keep" else None

    async def conclude(self, entry: Entry, bodies: Any = None) -> None:
        self.entries.append(entry)
        if self.waits == "refuses":
            raise StoreError("away", hint="none")

    async def _when_there_is_room(self, entry: Entry) -> None:
        await asyncio.sleep(0.03)
        self.entries.append(entry)

    @property
    def outcomes(self) -> list[Entry]:
        return [e for e in self.entries if e.kind == "outcome"]


class Meter:
    """What the pipeline takes for its meter: notes what was settled."""

    def __init__(self) -> None:
        self.settled: list[tuple[int, int, int | None]] = []

    async def reserve(self, limits: Any, requests: int, tokens: int, money: int) -> Any:
        return object()

    def settle(self, reservation: Any, tokens: int, money: int, requests: int | None = None) -> None:
        self.settled.append((tokens, money, requests))


class Reader:
    """Takes a stream."""

    def __init__(self) -> None:
        self.got = b""

    def begin(self, about: About) -> Callable[[bytes], None]:
        return self._take

    def attach(self, source: Source) -> None: ...

    def _take(self, data: bytes) -> None:
        self.got += data


class House:
    """A pipeline with seams that wait where they are told to, its one deployment's circuit half-open."""

    def __init__(self, waits: str = "", fails: Exception | None = None, timeouts: Timeouts | None = None) -> None:
        self.vendor, self.book, self.meter = Vendor(waits), Book(waits), Meter()
        self.vendor.fails = fails
        self.waits = waits
        self.health = Health(BreakerSettings(failures=1, cooldown=0.001), 9)
        self.deployment = Deployment(
            NAME,
            "openai",
            "gpt-x",
            retries=0,
            engine="own" if waits == "ready" else "",
            timeouts=timeouts or Timeouts(),
        )
        settings = Settings(name=NAME, kind="openai", model="gpt-x", endpoint="http://127.0.0.1:1/v1", key="s")
        provider = build(settings)
        snapshot = Snapshot(
            Table({NAME: self.deployment}, {NAME: Route(NAME, (Target(NAME),))}),
            {NAME: provider if waits != "ready" else Homeless(provider)},
            KeyRing(()),
            contracts.shipped(),
            {NAME: contracts.read_price({"input": "1", "output": "2"})},
            "snapshot",
        )
        seams: Any = (self.vendor, self.book, self.meter)
        self.pipeline = Pipeline(snapshot, *seams, self._ready, self.health, Policy())
        breaker, number = self.health.enter(self.deployment)
        breaker.failed(number, tick() - 1)  # open, and its pause is over: the next attempt is the trial
        self.health.leave(self.deployment)
        self.breaker = breaker

    async def _ready(self, model: str) -> Origin:
        await forever()
        raise AssertionError(model)

    def begin(self, stream: bool) -> asyncio.Task[Any]:
        body = {"model": NAME, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        call = openai.parse("chat", json.dumps(body, separators=(",", ":")).encode())
        limits = parse_all(["tokens=1000/day"], "key:k")
        key = Key(id="k", name="k", prefix="", limits=limits)
        self.call = call
        return asyncio.create_task(self.pipeline.run(call, key, Reader(), tick()))

    def require_nothing_held(self) -> None:
        assert self.pipeline.metrics.inflight == 0
        assert self.health.report() == [(NAME, self.breaker.state(tick()), 0)]
        assert self.breaker.allows(tick()), "the trial was not given back"


class Homeless:
    """A provider whose origin has to be asked for, as that of an engine of our own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def request(self, call: Any, on_loss: Any = None) -> Any:
        outgoing = self.inner.request(call, on_loss)
        outgoing.origin = None
        return outgoing


async def forever() -> None:
    await never()


def never() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def leave(house: House, stream: bool) -> None:
    """Begin a call, leave it where it waits, and finish what is done behind it."""
    task = house.begin(stream)
    await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await house.pipeline.drain()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_nobody_leaves(stream: bool) -> None:
    house = House()
    reply = await house.begin(stream)
    assert (reply.about.cost, reply.about.currency) == (COST, "USD")
    (row,) = house.book.outcomes
    assert (row.status, row.error, row.input, row.output, row.cost) == (200, "", 5, 1, COST)
    assert house.meter.settled == [(6, COST, 1)]
    assert house.breaker.state(tick()) == "closed"
    house.require_nothing_held()


@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_while_the_engine_loads(stream: bool) -> None:
    house = House("ready")
    await leave(house, stream)
    assert house.book.entries == [] and house.vendor.asked == []
    assert house.meter.settled == [(0, 0, 0)]
    house.require_nothing_held()


@pytest.mark.parametrize("waits", ["promise", "dial"])
@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_before_anything_is_sent(waits: str, stream: bool) -> None:
    house = House(waits)
    await leave(house, stream)
    (row,) = house.book.outcomes
    assert (row.status, row.error, row.input, row.output, row.cost) == (499, "client_gone", 0, 0, 0)
    assert house.meter.settled == [(0, 0, 0 if waits == "promise" else 1)]
    house.require_nothing_held()


@pytest.mark.parametrize("waits", ["send", "midst"])
@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_what_was_sent_is_charged_by_estimate(waits: str, stream: bool) -> None:
    house = House(waits)
    await leave(house, stream)
    (row,) = house.book.outcomes
    assert (row.status, row.error, row.estimated) == (499, "client_gone", True)
    assert row.input == -(-house.call.size // 4)
    assert (row.output > 0) is (waits == "midst")
    assert row.cost == row.input * 1000 + row.output * 2000
    assert house.meter.settled == [(row.input + row.output, row.cost, 1)]
    house.require_nothing_held()


@pytest.mark.parametrize("waits", ["keep", "room"])
@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_while_the_outcome_is_written(waits: str, stream: bool) -> None:
    """The call had its answer: it is charged once, as what it was, and its outcome is not lost with the caller."""
    house = House(waits)
    await leave(house, stream)
    (row,) = house.book.outcomes
    assert (row.status, row.error, row.input, row.output, row.cost) == (200, "", 5, 1, COST)
    assert house.meter.settled == [(6, COST, 1)]
    counters = house.pipeline.metrics.sample().counters
    assert sum(n for name, _, n in counters if name == "freehold_attempts_total") == 1
    house.require_nothing_held()


async def test_a_ledger_that_refuses_behind_a_caller_who_left_says_so_itself() -> None:
    house = House("send")
    house.book.waits = "refuses"
    await leave(house, False)
    assert len(house.book.outcomes) == 1
    house.require_nothing_held()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_vendor_that_takes_too_long_may_have_worked(stream: bool) -> None:
    house = House(fails=UpstreamTimeout("late", hint="none"))
    with pytest.raises(UpstreamTimeout):
        await house.begin(stream)
    (row,) = house.book.outcomes
    assert (row.error, row.estimated, row.output) == ("upstream_timeout", True, 0)
    assert row.input > 0 and row.cost == row.input * 1000
    assert house.meter.settled == [(row.input, row.cost, 1)]


@pytest.mark.parametrize("stream", [False, True])
async def test_only_a_stream_has_to_begin_soon(stream: bool) -> None:
    house = House(timeouts=Timeouts(connect=1, first_byte=2, idle=3, total=4))
    await house.begin(stream)
    assert house.vendor.asked == [Timeouts(connect=1, first_byte=2 if stream else 4, idle=3, total=4)]
