"""One try of a call at one deployment: intent on record, send, tap, meter, outcome on record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.access import Key
from freehold.contracts import charge
from freehold.core.call import Call, Usage
from freehold.core.clock import now_ns, tick
from freehold.core.errors import FreeholdError, Refused, StoreError, Unroutable, UpstreamBroken, UpstreamRejected
from freehold.ledger import Entry
from freehold.pipeline.bodies import bodies
from freehold.pipeline.snapshot import Snapshot
from freehold.pipeline.tap import DONE, Tap
from freehold.pipeline.turn import About, Receiver, Reply
from freehold.providers import Outgoing
from freehold.routing import Candidate
from freehold.wire.dialects import openai

if TYPE_CHECKING:
    from freehold.pipeline.flow import Pipeline


class Turn:
    """What the attempts of one call share. Times in seconds of core.clock.tick, money in nano-units."""

    __slots__ = (
        "attempts",
        "began",
        "call",
        "elsewhere",
        "key",
        "money",
        "receiver",
        "reservation",
        "reserved",
        "reserved_tokens",
        "snapshot",
        "started",
        "tokens",
    )

    def __init__(self, call: Call, key: Key, receiver: Receiver | None, snapshot: Snapshot, started: float) -> None:
        self.call = call
        self.key = key
        self.receiver = receiver if call.stream else None
        self.snapshot = snapshot
        self.started = started
        self.elsewhere = 0.0
        self.attempts = self.tokens = self.money = self.reserved = self.reserved_tokens = 0
        self.reservation: Any = None
        self.began = False


class Attempt:
    """See the module. `run` returns the reply or raises what the caller may answer with another attempt."""

    __slots__ = ("_breaker", "_candidate", "_house", "_intent", "_outgoing", "_sent_at", "_tap", "_turn")

    def __init__(self, house: Pipeline, turn: Turn, candidate: Candidate) -> None:
        self._house = house
        self._turn = turn
        self._candidate = candidate
        self._intent: Entry | None = None
        self._sent_at = 0.0

    async def run(self) -> Reply:
        house, turn = self._house, self._turn
        deployment = self._candidate.deployment
        provider = turn.snapshot.providers[deployment.name]
        outgoing = self._outgoing = provider.request(turn.call, self._candidate.on_loss)
        self._breaker = house.health.enter(deployment)
        try:
            origin = outgoing.origin
            if origin is None:
                before = tick()
                origin = await house.ready(deployment.model)
                turn.elsewhere += tick() - before
            about = About(turn.call.id, deployment.name, deployment.kind, outgoing.dropped)
            self._tap = tap = Tap(
                turn.receiver,
                about,
                outgoing.strip_usage,
                house.policy.bodies != "none",
                house.policy.reply_bytes,
            )
            self._intent = self._promise(outgoing)
            await house.ledger.intend(self._intent)
            turn.attempts += 1
            sent_at = self._sent_at = tick()
            about.overhead = sent_at - turn.started - turn.elsewhere
            error: FreeholdError | None = None
            try:
                await house.client.send(
                    origin, b"POST", outgoing.target, outgoing.headers, outgoing.body, tap, deployment.timeouts
                )
            except FreeholdError as e:
                error = e
            turn.elsewhere += tick() - sent_at
            turn.began = turn.began or tap.began
            if error is None:
                error = self._judge(provider.error)
            return await self._finish(error)
        except asyncio.CancelledError:
            self._abandon()
            raise
        except (Unroutable, StoreError):
            self._breaker.abandoned()
            raise
        finally:
            house.health.leave(deployment)

    def _judge(self, explain: Any) -> FreeholdError | None:
        """Return what is wrong with a reply that arrived complete, if anything."""
        tap = self._tap
        if tap.status != 200:
            failure: FreeholdError = explain(tap.status, tap.headers, tap.body())
            return failure
        if tap.streamed and not tap.events.done:
            return UpstreamBroken(
                "The vendor ended the stream before it was complete.", hint="the answer may be cut; ask again"
            )
        return None

    async def _finish(self, error: FreeholdError | None) -> Reply:
        """Meter, record the outcome, tell the circuit; then return the reply or raise `error`."""
        house, turn, tap = self._house, self._turn, self._tap
        outcome = self._outcome(error)
        if error is None or isinstance(error, Refused | UpstreamRejected) or error.fault == "caller":
            self._breaker.succeeded()
        else:
            self._breaker.failed(tick(), error.retry_after)
        policy = house.policy.bodies
        kept = None if policy == "none" else bodies(policy, self._outgoing.body, tap)
        await house.ledger.conclude(outcome, kept)
        if error is not None:
            raise error
        about = tap.about
        about.cost = outcome.cost if outcome.currency else None
        about.currency = outcome.currency
        about.overhead = tick() - turn.started - turn.elsewhere
        return Reply(DONE if tap.streamed else tap.body(), about)

    def _promise(self, outgoing: Outgoing) -> Entry:
        """The intent: who will see what."""
        turn, deployment = self._turn, self._candidate.deployment
        call, key = turn.call, turn.key
        return Entry(
            kind="intent",
            call=call.id,
            attempt=turn.attempts,
            purpose=call.purpose,
            at=now_ns(),
            key=key.id,
            team=key.team or "",
            dialect=call.dialect,
            endpoint=call.kind,
            asked=call.asked,
            sent=outgoing.sent,
            deployment=deployment.name,
            maker=deployment.maker,
            seller=deployment.seller,
            host=deployment.host,
            region=deployment.region,
            contract=deployment.contract,
            snapshot=turn.snapshot.hash,
            reserved=turn.reserved,
            reserved_tokens=turn.reserved_tokens,
            dropped=outgoing.dropped,
            limits=tuple(limit.id for limit in key.limits),
            session=call.session or "",
            user=call.user or "",
        )

    def _outcome(self, error: FreeholdError | None) -> Entry:
        house, turn, tap = self._house, self._turn, self._tap
        usage, answered = self._read(error)
        at = now_ns()
        price = turn.snapshot.price(self._candidate.deployment, self._outgoing.sent, at)
        cost = charge(usage, price) if price is not None else 0
        turn.tokens += usage.input + usage.output
        turn.money += cost
        total = tick() - turn.started
        code = error.code if error is not None else ""
        deployment = self._candidate.deployment
        house.metrics.served(
            turn.call.kind,
            deployment.name,
            deployment.seller,
            turn.call.asked,
            code,
            total,
            (usage.input, usage.output),
        )
        assert self._intent is not None  # an outcome follows an intent
        return msgspec.structs.replace(
            self._intent,
            kind="outcome",
            at=at,
            answered=answered,
            status=tap.status if error is None else error.status,
            error=code,
            input=usage.input,
            output=usage.output,
            cached=usage.cached,
            reasoning=usage.reasoning,
            estimated=usage.estimated,
            cost=cost,
            currency=price.currency if price is not None else "",
            first_ms=round((tap.first_at - self._sent_at) * 1000, 3) if tap.first_at else 0.0,
            total_ms=round(total * 1000, 3),
        )

    def _read(self, error: FreeholdError | None) -> tuple[Usage, str]:
        """Return the usage as the vendor states it, or an estimate marked as one, and the model that answered."""
        tap, call = self._tap, self._turn.call
        if not self._sent_at:
            return Usage(), ""
        if not tap.streamed:
            if error is not None:
                return Usage(), ""
            return openai.metered(tap.body()) or (openai.estimate_usage(call, tap.size), "")
        events = tap.events
        answered = (openai.answered(events.first_data) if events.first_data else None) or ""
        stated = openai.usage(events.usage_data) if events.usage_data else None
        return stated or openai.estimate_usage(call, events.chars), answered

    def _abandon(self) -> None:
        """The caller left: the outcome is written behind, with what had been consumed."""
        self._breaker.abandoned()
        if self._intent is None:
            return
        gone = FreeholdError("The client closed the connection.", code="client_gone", status=499, fault="caller")
        self._house.behind(self._house.ledger.conclude(self._outcome(gone), None))
