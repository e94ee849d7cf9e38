"""The path of a call under guards: what they are shown, what they change on the way out and back, how they stop it."""

from __future__ import annotations

import gc
import json
from typing import Any

import msgspec
import pytest
from tests.unit.pipeline.test_attempt import NAME, House, Reader

from freehold.access import Key
from freehold.contracts.binding import Bond, Bonds
from freehold.contracts.organisation import Organisation
from freehold.core.clock import tick
from freehold.core.errors import Blocked, TermsForbid, UpstreamFault
from freehold.guards.policy import Moderation, Policies, Policy, Privacy
from freehold.guards.shield import Flow, Look, Send
from freehold.ledger import Verdict
from freehold.pipeline import attempt, flow
from freehold.routing import Route, Table, Target
from freehold.wire.dialects import openai

LOOKS = Policy(privacy=Privacy(outside="redact"))


class Passing:
    """A guard's flow that hands on in upper case, and holds the last byte back until the end."""

    def __init__(self, send: Send, stops: bool) -> None:
        self.send, self.stops, self.held, self.closed = send, stops, b"", False

    def feed(self, events: bytes) -> None:
        if self.stops:
            self.send(b'data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]}\n\n')
            raise Blocked("No.", hint="ask otherwise")
        events = self.held + events.replace(b"hello", b"HELLO")
        self.held = events[-1:]
        self.send(events[:-1])

    async def finish(self) -> None:
        self.send(self.held)

    def close(self) -> None:
        self.closed = True


class Guard:
    """A guard that does what it is told to."""

    def __init__(self, *, blocks: bool = False, stops: bool = False, refuses: str = "", asks: str = "") -> None:
        self.blocks, self.stops, self.refuses, self.asks = blocks, stops, refuses, asks
        self.flows: list[Passing] = []
        self.heard: list[bytes] = []

    async def inspect(self, look: Look) -> None:
        look.data_class = "personal"
        if self.asks and look.call.purpose == "serve":
            body = {"model": self.asks, "messages": [{"role": "user", "content": "is it?"}]}
            call = openai.parse("chat", json.dumps(body).encode())
            call.purpose = "moderate"
            self.heard.append(await look.ask(call))
        if self.blocks:
            look.note(Verdict("rules", "input", "violence", 6, "block", "house"))
            raise Blocked("These words are not let through.", hint="write others")

    def allows(self, look: Look, to: Any) -> str:
        return self.refuses

    async def outgoing(self, look: Look, call: Any, to: Any) -> Any:
        look.redactions["EMAIL"] = 1
        messages = msgspec.Raw(b'[{"role":"user","content":"[EMAIL]"}]')
        return msgspec.structs.replace(call, fields={**call.fields, "messages": messages})

    def stream(self, look: Look, send: Send) -> Flow:
        self.flows.append(Passing(send, self.stops))
        return self.flows[-1]

    async def whole(self, look: Look, body: bytes) -> bytes:
        return body.replace(b"hello", b"HELLO")


def house(guard: Guard, policy: Policy = LOOKS) -> House:
    made = House()
    made.pipeline.shields = (guard,)
    made.pipeline.snapshot = msgspec.structs.replace(
        made.pipeline.snapshot, policies=Policies({"house": policy}), organisation=Organisation()
    )
    made.sent = []  # type: ignore[attr-defined]
    send = made.vendor.send

    async def noted(origin: Any, method: bytes, target: bytes, headers: bytes, body: bytes, *rest: Any) -> None:
        made.sent.append(body)  # type: ignore[attr-defined]
        await send(origin, method, target, headers, body, *rest)

    made.vendor.send = noted  # type: ignore[method-assign]
    return made


async def run(made: House, stream: bool) -> tuple[Any, Reader]:
    body = {"model": NAME, "messages": [{"role": "user", "content": "a@b.example"}], "stream": stream}
    call = openai.parse("chat", json.dumps(body, separators=(",", ":")).encode())
    reader = Reader()
    return await made.pipeline.run(call, Key(id="k", name="k", prefix=""), reader, tick()), reader


@pytest.mark.parametrize("stream", [False, True])
async def test_words_are_changed_both_ways_and_it_is_on_record(stream: bool) -> None:
    guard = Guard()
    made = house(guard)
    reply, reader = await run(made, stream)
    assert b"[EMAIL]" in made.sent[0] and b"a@b.example" not in made.sent[0]  # type: ignore[attr-defined]
    shown = reader.got if stream else reply.body
    assert b"HELLO" in shown and b"hello" not in shown
    assert not stream or (shown.endswith(b"\n\n") and guard.flows[0].closed)
    intent, outcome = made.book.entries
    for entry in (intent, outcome):
        assert (entry.data_class, entry.redactions, entry.policies) == ("personal", (("EMAIL", 1),), ("house",))
    made.require_nothing_held()


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_of_a_call_waits_for_the_collector(stream: bool) -> None:
    made = house(Guard())
    gc.collect()
    gc.disable()
    try:
        await run(made, stream)
        assert [each for each in gc.get_objects() if isinstance(each, Look)] == []
    finally:
        gc.enable()


async def test_what_is_blocked_does_not_leave_and_is_on_record() -> None:
    made = house(Guard(blocks=True))
    with pytest.raises(Blocked):
        await run(made, False)
    (entry,) = made.book.entries
    assert (entry.kind, entry.error, entry.status, entry.deployment) == ("outcome", "content_filter", 400, "")
    assert [(v.by, v.category, v.action) for v in entry.verdicts] == [("rules", "violence", "block")]
    assert made.sent == []  # type: ignore[attr-defined]
    assert made.pipeline.metrics.inflight == 0


@pytest.mark.parametrize("further", [False, True])
async def test_a_contract_that_ends_between_choice_and_promise(monkeypatch: pytest.MonkeyPatch, further: bool) -> None:
    """Midnight comes while a call waits: it goes to the next target, or nowhere."""
    made = house(Guard())
    snapshot, end = made.pipeline.snapshot, 10**18
    two = msgspec.structs.replace(made.deployment, name="two")
    table = Table(
        {NAME: made.deployment, "two": two}, {NAME: Route(NAME, (Target(NAME),), ("two",) if further else ())}
    )
    bonds = Bonds({NAME: (Bond(contract="ended", terms="0", last=end),)})
    providers = {**snapshot.providers, "two": snapshot.providers[NAME]}
    made.pipeline.snapshot = msgspec.structs.replace(snapshot, table=table, providers=providers, bonds=bonds)
    monkeypatch.setattr(flow, "now_ns", lambda: end - 1)
    monkeypatch.setattr(attempt, "now_ns", lambda: end)
    if further:
        await run(made, False)
        intent, outcome = made.book.entries
        assert (intent.deployment, outcome.deployment, outcome.error) == ("two", "two", "")
    else:
        with pytest.raises(TermsForbid):
            await run(made, False)
        (outcome,) = made.book.entries
        assert (outcome.deployment, outcome.error) == ("", "terms_forbid") and made.sent == []  # type: ignore[attr-defined]
    assert [(v.by, v.action) for v in outcome.verdicts] == [("contract", "pass over")]
    assert made.pipeline.metrics.inflight == 0


async def test_what_may_not_go_to_the_next_one_either_is_on_record_beside_the_attempt_that_failed() -> None:
    class Once(Guard):
        """Lets the words go out once."""

        async def outgoing(self, look: Look, call: Any, to: Any) -> Any:
            if self.heard:
                look.note(Verdict("privacy", "input", "EMAIL", 0, "block", "house"))
                raise Blocked("Not to this one.", hint="ask another model")
            self.heard.append(b"once")
            return call

    made = house(Once())
    made.vendor.fails = UpstreamFault("It broke.")
    deployments = made.pipeline.snapshot.table.deployments
    deployments[NAME] = msgspec.structs.replace(deployments[NAME], retries=1)
    made.pipeline.policy = msgspec.structs.replace(made.pipeline.policy, backoff=0.0)
    with pytest.raises(Blocked):
        await run(made, False)
    assert [(entry.attempt, entry.deployment, entry.error) for entry in made.book.outcomes] == [
        (0, NAME, "upstream_fault"),
        (1, "", "content_filter"),
    ]


async def test_a_stream_that_is_stopped_cuts_the_vendor_off_and_is_on_record() -> None:
    guard = Guard(stops=True)
    made = house(guard)
    with pytest.raises(Blocked):
        await run(made, True)
    outcome = made.book.outcomes[0]
    assert (outcome.error, outcome.status) == ("content_filter", 400)
    assert guard.flows[0].closed
    assert made.breaker.state(tick()) == "closed", "a guard's no says nothing against the vendor"
    made.require_nothing_held()


async def test_nobody_whom_a_guard_refuses_is_asked() -> None:
    made = house(Guard(refuses="no personal data goes there"))
    with pytest.raises(TermsForbid) as e:
        await run(made, False)
    assert "no personal data goes there" in e.value.message
    (entry,) = made.book.entries
    assert entry.error == "terms_forbid" and entry.verdicts[0].by == "privacy"


async def test_a_guard_asks_on_record_and_is_guarded_itself() -> None:
    guard = Guard(asks=NAME)
    made = house(guard, Policy(moderation=Moderation(deployment=NAME)))
    await run(made, False)
    assert b"HELLO" in guard.heard[0]  # its question went by the privacy guard as any other
    assert [e.purpose for e in made.book.outcomes] == ["moderate", "serve"]
    assert made.book.outcomes[0].call != made.book.outcomes[1].call


async def test_a_policy_that_looks_at_nothing_costs_no_look() -> None:
    guard = Guard(blocks=True)
    made = house(guard, Policy(data_class="secret"))
    await run(made, False)
    assert made.book.outcomes[0].data_class == "secret"


async def test_what_is_found_lets_policies_of_the_higher_class_hold_and_those_of_the_lower_one_stay() -> None:
    guard = Guard()  # finds personal data
    made = house(guard, LOOKS)
    policies = {
        "inside": msgspec.structs.replace(LOOKS, classes=("internal",)),
        "persons": Policy(classes=("personal",), data_class="special"),
        "special": Policy(classes=("special",)),
        "secret": Policy(classes=("secret",)),
    }
    made.pipeline.snapshot = msgspec.structs.replace(made.pipeline.snapshot, policies=Policies(policies))
    await run(made, False)
    entry = made.book.outcomes[0]
    assert entry.policies == ("inside", "persons", "special")
    assert entry.data_class == "special"


def test_a_client_may_class_its_words_higher_and_lower_only_where_it_is_said() -> None:
    house_ = Organisation(default_class="confidential")
    assert [house_.classed(said) for said in ("", "public", "secret")] == ["confidential", "confidential", "secret"]
    free = Organisation(default_class="confidential", lower=True)
    assert [free.classed(said) for said in ("", "public", "secret")] == ["confidential", "public", "secret"]
