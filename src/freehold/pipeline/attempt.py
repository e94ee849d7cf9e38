"""One try of a call at one deployment: intent on record, send, tap, meter, outcome on record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from freehold.access import Key
from freehold.contracts import charge
from freehold.contracts.binding import NOTHING, Bond
from freehold.core.call import Call, Usage
from freehold.core.clock import now_ns, tick
from freehold.core.errors import Blocked, FreeholdError, Refused, TermsForbid, UpstreamBroken
from freehold.guards import vendor
from freehold.guards.policy import Plan
from freehold.guards.shield import Look
from freehold.ledger import Entry, Verdict
from freehold.pipeline.bodies import bodies
from freehold.pipeline.snapshot import Snapshot
from freehold.pipeline.tap import DONE, StreamError, Tap
from freehold.pipeline.turn import About, Receiver, Reply
from freehold.pipeline.watch import Guarded
from freehold.providers import Outgoing, Provider
from freehold.routing import Breaker, Candidate
from freehold.wire.client import Origin, was_sent
from freehold.wire.dialects import openai

if TYPE_CHECKING:
    from freehold.pipeline.flow import Pipeline

_NOTHING = Usage()
BYTES_PER_EVENT = 4
"""Text that one event of a stream brings, about, where nobody states the usage: one token."""


class Turn(msgspec.Struct, weakref=True):
    """What the attempts of one call share. Times in seconds of core.clock.tick, money in nano-units; `elsewhere` is
    time that was not the house's own. `plan` are the policies that hold, `look` what their guards see; `passed` says
    which deployments may not take the call, and why; `features` what the call makes use of; `ended` with what the last
    outcome on record ended."""

    call: Call
    key: Key
    receiver: Receiver | None
    snapshot: Snapshot
    started: float
    elsewhere: float = 0.0
    attempts: int = 0
    tokens: int = 0
    money: int = 0
    reserved: int = 0
    reserved_tokens: int = 0
    reservation: Any = None
    began: bool = False
    plan: Plan | None = None
    look: Look | None = None
    passed: tuple[Verdict, ...] = ()
    features: tuple[str, ...] = ()
    ended: FreeholdError | None = None


class Attempt(msgspec.Struct):
    """See the module. `run` returns the reply or raises what the caller may answer with another attempt."""

    house: Pipeline
    turn: Turn
    candidate: Candidate
    outgoing: Outgoing | None = None
    tap: Tap | None = None
    metered: tuple[Usage, str] | None = None
    concluded: bool = False
    number: int = 0
    promised_at: int = 0
    sent_at: float = 0.0
    bond: Bond = NOTHING
    redactions: tuple[tuple[str, int], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    echoed: str = ""
    tier: str = ""

    async def run(self) -> Reply:
        house, turn, candidate = self.house, self.turn, self.candidate
        deployment = candidate.deployment
        provider: Provider = turn.snapshot.providers[deployment.name]
        look = turn.look
        call = turn.call if look is None else await self._as_seen(look)
        outgoing = self.outgoing = provider.request(call, candidate.on_loss)
        breaker, number = house.health.enter(deployment)
        guarded: Guarded | None = None
        try:
            origin = outgoing.origin
            if origin is None:
                before = tick()
                origin = await house.ready(deployment.engine)
                turn.elsewhere += tick() - before
            policy = house.policy
            about = About(turn.call.id, deployment.name, deployment.kind, outgoing.dropped, look=look)
            keep = policy.bodies != "none" and not turn.call.private
            receiver = turn.receiver
            if look is not None and receiver is not None:
                receiver = guarded = Guarded(receiver, look, house.shields_of(turn.call))
            tap = self.tap = Tap(receiver, about, outgoing.strip_usage, keep, policy.reply_bytes)
            ended, error = await self._ask(tap, provider, origin, outgoing)
            body = tap.body() if tap.events is None else b""
            if look is not None and error is None:
                body, error = await self._let_through(look, body, guarded)
            outcome = self._outcome(tap, error, ended)
            if (error is not None or breaker.failures) and not deployment.engine:
                _tell(breaker, number, error)  # an engine of our own is watched over, and back sooner than any circuit
            kept = bodies(policy.bodies, outgoing.body, tap) if keep else ()
            waiting = house.ledger.keep(outcome, kept)
            if waiting is not None:
                # A future is of an entry that was taken; what still waits to be taken must outlive the caller.
                await (waiting if asyncio.isfuture(waiting) else asyncio.shield(house.behind(waiting)))
            if error is not None and not (isinstance(error, Blocked) and error.body):
                raise error
            about.cost = outcome.cost if outcome.currency else None
            about.currency = outcome.currency
            about.overhead = tick() - turn.started - turn.elsewhere
            return Reply(DONE if tap.events is not None else body, about)
        except asyncio.CancelledError as e:
            self._abandon(was_sent(e))
            raise
        finally:
            breaker.abandoned(number)  # says nothing after `succeeded` or `failed`
            house.health.leave(deployment)
            if guarded is not None:
                guarded.close()

    async def _ask(
        self, tap: Tap, provider: Provider, origin: Origin, outgoing: Outgoing
    ) -> tuple[float, FreeholdError | None]:
        """Promise the attempt to the ledger, send it and take the answer; return when that was over, and what is wrong
        with it."""
        house, turn, deployment, streamed = self.house, self.turn, self.candidate.deployment, tap.receiver is not None
        self.number = turn.attempts
        self.promised_at = now_ns()
        self.bond = self._bound()
        waiting = house.ledger.promise(turn.call.id, self.number, self._intent)
        if waiting is not None:
            await waiting
        turn.attempts += 1
        sent_at = self.sent_at = tick()
        tap.about.overhead = sent_at - turn.started - turn.elsewhere
        error: FreeholdError | None = None
        try:
            times = deployment.timeouts if streamed else deployment.whole_timeouts
            await house.client.send(origin, b"POST", outgoing.target, outgoing.headers, outgoing.body, tap, times)
            tap.end()
        except FreeholdError as e:
            error = e
        if turn.look is not None and turn.look.stopped is not None:
            error = turn.look.stopped
        ended = tick()
        turn.elsewhere += ended - sent_at
        if tap.began:
            turn.began = True
        if error is None and tap.status == 200 and not streamed:
            self.metered = openai.metered(tap.body())
        if self.metered is None:
            error = _judge(tap, provider, streamed, error)
        return ended, error

    def _bound(self) -> Bond:
        """Return what holds as the words leave. Raises TermsForbid: time has gone by since somebody was chosen, and a
        contract may have ended."""
        turn, call, deployment, at = self.turn, self.turn.call, self.candidate.deployment, self.promised_at
        why = turn.snapshot.bonds.refusal(deployment, call.data_class, call.use, at)
        if why:
            said = f"{deployment.name}: {why}"
            turn.passed = (*turn.passed, Verdict("contract", "input", call.data_class, 0, "pass over", "", False, said))
            raise TermsForbid(f"The call may go no further. {said}.", hint="ask again: another model may take it")
        return turn.snapshot.bonds.at(deployment.name, at) or NOTHING

    async def _as_seen(self, look: Look) -> Call:
        """Return the call as the deployment may see it. Raises Blocked."""
        call = self.turn.call
        look.redactions = {}
        for shield in self.house.shields_of(call):
            call = await shield.outgoing(look, call, self.candidate.deployment)
        self.redactions = tuple(sorted(look.redactions.items())) if look.redactions else ()
        self.verdicts = tuple(look.verdicts)
        return call

    async def _let_through(
        self, look: Look, body: bytes, guarded: Guarded | None
    ) -> tuple[bytes, FreeholdError | None]:
        """Return a whole answer as the caller may see it, or let the end of a stream through; or what went wrong. Of an
        answer that a guard stopped, the caller may get what is left."""
        stopped: FreeholdError | None = None
        try:
            if guarded is not None:
                await guarded.finish()
                return body, None
            for shield in self.house.shields_of(self.turn.call):
                try:
                    body = await shield.whole(look, body)
                except Blocked as e:
                    if not e.body:
                        raise
                    body, stopped = e.body, e
        except FreeholdError as e:
            return body, e
        return body, stopped

    def _intent(self) -> Entry:
        """Who will see what. May be made late: says what was known when it was promised."""
        return self._entry("intent", self.promised_at, _NOTHING)

    def _outcome(self, tap: Tap, error: FreeholdError | None, ended: float) -> Entry:
        turn, deployment, outgoing = self.turn, self.candidate.deployment, self.outgoing
        assert outgoing is not None  # an outcome follows an intent
        self.concluded, turn.ended = True, error
        usage, answered = self._read(tap, error)
        at = now_ns()
        self.verdicts = vendor.verdicts(tap.told if tap.streamed else tap.body()) if tap.tells else ()
        if turn.look is not None:
            self.verdicts += tuple(turn.look.verdicts)
        self.echoed = _place(tap.headers)
        price = turn.snapshot.price(deployment, outgoing.sent, at, self.tier)
        cost = charge(usage, price) if price is not None else 0
        turn.tokens += usage.input + usage.output
        turn.money += cost
        total = ended - turn.started
        status, code = (tap.status, "") if error is None else (error.status, error.code)
        currency = price.currency if price is not None else ""
        first = tap.first_at - self.sent_at if tap.first_at else 0.0
        overhead = tap.about.overhead if self.sent_at else -1.0
        call = turn.call
        self.house.metrics.served(
            call.kind, deployment, call.asked, code, total, usage, first, overhead, cost, currency
        )
        first_ms, total_ms = first * 1000, total * 1000
        entry = self._entry("outcome", at, usage, answered, status, code, cost, currency, first_ms, total_ms)
        tap.about.outcome = entry
        return entry

    def _entry(
        self,
        kind: Literal["intent", "outcome"],
        at: int,
        usage: Usage,
        answered: str = "",
        status: int = 0,
        error: str = "",
        cost: int = 0,
        currency: str = "",
        first_ms: float = 0.0,
        total_ms: float = 0.0,
    ) -> Entry:
        """An outcome repeats what its intent said. All fields in their order, which is twice as fast as by name."""
        turn, deployment, outgoing = self.turn, self.candidate.deployment, self.outgoing
        assert outgoing is not None  # made before anything is recorded
        call, key, bond = turn.call, turn.key, self.bond
        return Entry(
            kind, call.id, self.number, call.purpose, at,
            key.id, key.team or "", call.dialect, call.kind, call.asked, outgoing.sent, answered,
            deployment.name, deployment.maker, deployment.seller, deployment.host, deployment.region,
            bond.contract or deployment.contract, turn.snapshot.hash,
            status, error, usage.input, usage.output, usage.cached, usage.reasoning, usage.estimated,
            cost, currency, turn.reserved, turn.reserved_tokens, first_ms, total_ms,
            outgoing.dropped, key.limit_ids, call.session or "", call.user or "", "",
            call.data_class, bond.terms, bond.compute, bond.chips, self.echoed, bond.recipients, bond.retention,
            bond.trains, bond.review, self.redactions, turn.plan.names if turn.plan is not None else (),
            self.verdicts + turn.passed, call.function, turn.features, self.tier, call.use,
        )  # fmt: skip

    def _read(self, tap: Tap, error: FreeholdError | None) -> tuple[Usage, str]:
        """Return the usage as the vendor states it, or an estimate marked as one, and the model that answered."""
        call, events = self.turn.call, tap.events
        if events is None:
            if self.metered is not None:
                body = tap.body()
                self.tier = openai.tier(body[-_TIER_BYTES:]) or openai.tier(body[:_TIER_BYTES])
                return self.metered
            if error is None:
                return openai.estimate_usage(call, openai.text_chars(tap.body())), ""
            if tap.status in (0, 200) and was_sent(error):  # nobody said no: it may have been worked on, and billed
                return openai.estimate_usage(call, tap.size if call.kind != "embedding" else 0), ""
            return _NOTHING, ""
        answered = (openai.answered(events.first_data) if events.first_data else None) or ""
        stated = openai.usage(events.usage_data) if events.usage_data else None
        self.tier = openai.tier(events.usage_data or events.first_data or b"")
        return stated or openai.estimate_usage(call, events.events * BYTES_PER_EVENT), answered

    def _abandon(self, sent: bool) -> None:
        """The caller left: the outcome is written behind, with what had been consumed. Nothing is to be said when
        nothing was promised yet, or when all was said and the caller left while it was being written."""
        if self.tap is None or self.concluded:
            return
        gone = FreeholdError("The client closed the connection.", code="client_gone", status=499, fault="caller")
        vars(gone)["sent"] = sent
        self.house.behind(self.house.ledger.conclude(self._outcome(self.tap, gone, tick())))


_TIER_BYTES = 512
"""How far from either end of a whole answer its service tier is looked for."""
_PLACES = (b"x-ms-region", b"x-amzn-bedrock-region", b"x-region")
"""Headers in which vendors say where a call was served; Azure's is the first."""


def _place(headers: dict[bytes, bytes]) -> str:
    """Return the region as the vendor names it, e.g. "swedencentral"; empty when it says nothing."""
    for name in _PLACES:
        said = headers.get(name)
        if said:
            return said[:64].decode("latin-1").replace(" ", "").lower()
    return ""


def _judge(tap: Tap, provider: Provider, streamed: bool, error: FreeholdError | None) -> FreeholdError | None:
    """Return what is wrong with a reply that states no usage as a whole answer does, if anything: that it is a refusal,
    no answer at all, or a stream that broke off or ended in an error. What a vendor says in an error is scrubbed of our
    key by the provider."""
    if isinstance(error, StreamError):
        return provider.error(502, tap.headers, error.payload)
    if error is not None:
        return error
    if tap.status != 200:
        return provider.error(tap.status, tap.headers, tap.body())
    if tap.events is not None:
        if tap.events.done:
            return None
        return UpstreamBroken(
            "The vendor ended the stream before it was complete.", hint="the answer may be cut; ask again"
        )
    body = tap.body()
    if openai.is_answer(body) and not streamed:
        return None
    if b'"error"' in body:
        return provider.error(502, tap.headers, body)
    return UpstreamBroken("The vendor's reply is no answer to the call.", hint="ask again; if it stays, ask the vendor")


def _tell(breaker: Breaker, attempt: int, error: FreeholdError | None) -> None:
    """Tell the circuit how the attempt ended; needless after a success that no failure preceded. A caller's own
    mistake says nothing against the vendor."""
    if error is None or isinstance(error, Refused) or error.fault == "caller":
        breaker.succeeded(attempt)
    else:
        breaker.failed(attempt, tick(), error.retry_after)
