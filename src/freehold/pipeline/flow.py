"""A call's way: admit, inspect, choose, record the intent, attempt, meter, record the outcome.

Failover happens only before the first event has gone out; afterwards a failure is raised to the caller, who ends the
stream with a typed error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import cast
from weakref import ref

import msgspec

from freehold.access import Key, Meter, bound
from freehold.contracts import Price
from freehold.contracts.terms import DataClass
from freehold.core.call import Call
from freehold.core.clock import now_ns, tick
from freehold.core.errors import (
    Blocked,
    EngineError,
    Forbidden,
    FreeholdError,
    TermsForbid,
    Unroutable,
    Unsupported,
    UpstreamError,
)
from freehold.guards.policy import Plan, class_above
from freehold.guards.shield import Look, Shield
from freehold.ledger import Entry, Ledger, Verdict
from freehold.pipeline.attempt import Attempt, Turn
from freehold.pipeline.health import Health
from freehold.pipeline.metrics import Metrics
from freehold.pipeline.snapshot import Snapshot
from freehold.pipeline.turn import Receiver, Reply
from freehold.routing import Candidate, Deployment, candidates
from freehold.wire.client import Client, Origin
from freehold.wire.dialects.openai_features import features

FAILURES = (UpstreamError, EngineError, Unroutable)
FINAL = frozenset(
    {
        "upstream_auth",
        "upstream_quota",
        "upstream_model_missing",
        "upstream_timeout",
        "bulkhead_full",
        "circuit_open",
        "engine_memory",
    }
)
"""Codes after which the same deployment is not worth another try, though the next one may be."""


class Policy(msgspec.Struct, frozen=True):
    """What the pipeline is told by the configuration. `bodies` is none, redacted or full; sizes in bytes."""

    bodies: str = "none"
    reserve_output_tokens: int = 4096
    reply_bytes: int = 128 * 1024 * 1024
    backoff: float = 0.25
    longest_backoff: float = 8.0


class Pipeline:
    """Serves calls by the Snapshot in force. One per worker.

    `ready` asks for one of our own engines and returns where it listens. `shields` are the guards, in the order in
    which an answer comes by them; the last one stands nearest to the caller. `owed` names deployments whose use counts
    towards a commitment that is not met yet; whoever knows puts it there.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        client: Client,
        ledger: Ledger,
        meter: Meter,
        ready: Callable[[str], Awaitable[Origin]],
        health: Health,
        policy: Policy,
        shields: Sequence[Shield] = (),
    ) -> None:
        self.snapshot = snapshot
        self.client = client
        self.ledger = ledger
        self.meter = meter
        self.ready = ready
        self.health = health
        self.policy = policy
        self.shields = tuple(shields)
        self.owed: frozenset[str] = frozenset()
        self.metrics = Metrics()
        self._behind: set[asyncio.Future[None]] = set()

    async def run(self, call: Call, key: Key, receiver: Receiver | None, began: float) -> Reply:
        """Serve `call` for `key`; `began` (core.clock.tick) is when it arrived.

        Returns the whole answer, or a stream's closing event once all others went to `receiver`.
        Raises Refused, Unroutable, UpstreamError, EngineError or StoreError; after `receiver.begin` the stream has to
        be ended with it.
        """
        if key.routes is not None:
            _allow(key.routes, call.asked)
        turn = Turn(call, key, receiver if call.stream else None, self.snapshot, began)
        try:
            plan = await self._inspect(turn)
            burn = self.owed if plan is not None and plan.burn else _NOBODY
            order = candidates(turn.snapshot.table, call, self.health.allows, random.random, self._refusal(turn), burn)
            return await self._serve(turn, order)
        except (Blocked, TermsForbid) as e:
            if e is not turn.ended:  # otherwise it is on record with the attempt
                await self._note(turn, e)
            raise

    async def ask(self, call: Call, key: Key) -> bytes:
        """Ask the deployment that `call.asked` names, whatever routes there are, and return the body of its answer.

        For guards and tests of our own: `call.purpose` says what for. Under the same contracts, data rules and limits
        as any call, and on record. Raises what `run` raises.
        """
        turn = Turn(call, key, None, self.snapshot, tick())
        deployment = turn.snapshot.table.deployments[call.asked]
        try:
            await self._inspect(turn)
            why = self._refusal(turn)(deployment)
            if why:
                said = f"{deployment.name} may not take this call: {why}."
                raise TermsForbid(said, hint="see the terms of its contract")
            return (await self._serve(turn, [Candidate(deployment, deployment.model)])).body
        except (Blocked, TermsForbid) as e:
            if e is not turn.ended:
                await self._note(turn, e)
            raise

    async def _inspect(self, turn: Turn) -> Plan | None:
        """Class the call, find which business function asks, and have the guards of the policies that hold look at it.
        A policy or a finding may raise the class, and so let more policies hold, who look in their turn. Raises
        Blocked."""
        call, key, organisation = turn.call, turn.key, turn.snapshot.organisation
        call.data_class = organisation.classed(call.data_class)
        if organisation.functions and not call.function:
            call.function = organisation.function(key.name, key.team_name, call.asked)
        turn.features = features(call)
        classes = [call.data_class]
        looked: tuple[str, ...] = ()
        while True:
            asked = (key.name, key.team_name, call.asked, call.function)
            plan = turn.plan = turn.snapshot.policies.plan(*asked, *classes)
            if plan is None:
                return None
            if plan.data_class is not None:
                call.data_class = class_above(cast(DataClass, call.data_class), plan.data_class)
            if plan.looks and call.data_class == classes[-1] and plan.names != looked:
                looked = plan.names
                await self._look(turn, plan)
            if call.data_class == classes[-1]:
                return plan
            classes.append(call.data_class)

    def _refusal(self, turn: Turn) -> Callable[[Deployment], str]:
        """Return what says why a deployment may not take the call: by its contract, or by a guard."""
        at, call, look, bonds = now_ns(), turn.call, turn.look, turn.snapshot.bonds
        shields = self.shields_of(call) if look is not None else ()

        def why(deployment: Deployment) -> str:
            said = bonds.refusal(deployment, call.data_class, call.use, at)
            by = "contract"
            if not said and look is not None:
                by = "privacy"
                for shield in shields:
                    said = shield.allows(look, deployment)
                    if said:
                        break
            if said:
                verdict = Verdict(by, "input", call.data_class, 0, "pass over", "", False, f"{deployment.name}: {said}")
                turn.passed = (*turn.passed, verdict)
            return said

        return why

    def shields_of(self, call: Call) -> Sequence[Shield]:
        """Return the guards of a call: who moderates is not moderated, but gets to see no more than others."""
        return self.shields if call.purpose != "moderate" else self.shields[-1:]

    async def _look(self, turn: Turn, plan: Plan) -> None:
        """Have the guards look at the call. Raises Blocked."""
        call, key = turn.call, turn.key
        mine = ref(turn)  # the turn holds who asks: held by it in return, both would wait for the collector

        async def ask(about: Call) -> bytes:
            before = tick()
            try:
                return await self.ask(about, key)
            finally:
                asking = mine()
                if asking is not None:
                    asking.elsewhere += tick() - before

        conversation = call.session or call.id
        found = cast(DataClass, call.data_class)
        look = turn.look = Look(call, plan, key.id, f"{key.id}/{conversation}", found, ask)
        for shield in reversed(self.shields_of(call)):
            await shield.inspect(look)
        if look.data_class != call.data_class:
            call.data_class = class_above(cast(DataClass, call.data_class), look.data_class)

    async def _note(self, turn: Turn, e: FreeholdError) -> None:
        """Put on record that a call goes no further, for what it says or for want of terms. Nothing leaves then."""
        call, key, look = turn.call, turn.key, turn.look
        verdicts = (*(look.verdicts if look is not None else ()), *turn.passed)
        entry = Entry(
            "outcome", call.id, turn.attempts, call.purpose, now_ns(), key=key.id, team=key.team or "",
            dialect=call.dialect, endpoint=call.kind, asked=call.asked, snapshot=turn.snapshot.hash, status=e.status,
            error=e.code, total_ms=(tick() - turn.started) * 1000, session=call.session or "", user=call.user or "",
            data_class=look.data_class if look is not None else call.data_class,
            policies=turn.plan.names if turn.plan is not None else (), verdicts=verdicts, function=call.function,
            use=call.use,
        )  # fmt: skip
        waiting = self.ledger.keep(entry)
        if waiting is not None:
            await (waiting if asyncio.isfuture(waiting) else asyncio.shield(self.behind(waiting)))

    async def _serve(self, turn: Turn, order: list[Candidate]) -> Reply:
        """Try these deployments in their order."""
        if turn.key.limits:
            await self._reserve(turn, order)
        metrics = self.metrics
        metrics.inflight += 1
        try:
            last: FreeholdError | None = None
            for candidate in order:
                tries = 0
                while True:
                    try:
                        return await Attempt(self, turn, candidate).run()
                    except (Unsupported, TermsForbid) as e:
                        last = last or e
                        break
                    except FAILURES as e:
                        if turn.began or not e.retryable:
                            raise
                        last = e
                        pause = self._pause(e, tries, candidate.deployment.retries, candidate is not order[-1])
                        if pause is None:
                            break
                        tries += 1
                        turn.elsewhere += pause
                        await asyncio.sleep(pause)
            assert last is not None  # candidates() never returns an empty list
            raise last
        finally:
            metrics.inflight -= 1
            if turn.reservation is not None:
                self.meter.settle(turn.reservation, turn.tokens, turn.money, requests=1 if turn.attempts else 0)

    async def _reserve(self, turn: Turn, order: list[Candidate]) -> None:
        at, price = now_ns(), turn.snapshot.price
        only = order[0]
        prices: Iterable[Price | None]
        if len(order) == 1:
            prices = (price(only.deployment, only.sent, at),)
        else:
            prices = [price(c.deployment, c.sent, at) for c in order]
        default = self.policy.reserve_output_tokens
        if turn.call.max_output is None:
            default = min(default, max(c.deployment.max_output or default for c in order))
        tokens, money = bound(turn.call, prices, default)
        turn.reserved_tokens, turn.reserved = tokens, money
        turn.reservation = await self.meter.reserve(turn.key.limits, 1, tokens, money)

    def _pause(self, e: FreeholdError, tries: int, retries: int, more: bool) -> float | None:
        """Return the seconds to wait before the same deployment is tried again; None to go on to the next."""
        if tries >= retries or e.code in FINAL:
            return None
        policy = self.policy
        drawn: float = policy.backoff * 2**tries * (0.5 + random.random())
        if e.retry_after is None:
            return min(drawn, policy.longest_backoff)
        if more or e.retry_after > policy.longest_backoff:
            return None
        return e.retry_after + drawn / 4

    def behind(self, work: Awaitable[None]) -> asyncio.Future[None]:
        """Finish `work` although the caller has gone or may go."""
        future = asyncio.ensure_future(work)
        self._behind.add(future)
        future.add_done_callback(self._finished)
        return future

    def _finished(self, future: asyncio.Future[None]) -> None:
        self._behind.discard(future)
        if not future.cancelled():
            future.exception()  # looked at: the ledger has logged it, and holds what it could not write

    async def drain(self) -> None:
        """Wait for everything that was left to be finished behind."""
        while self._behind:
            await asyncio.gather(*self._behind, return_exceptions=True)


_NOBODY: frozenset[str] = frozenset()


def _allow(routes: frozenset[str], asked: str) -> None:
    if asked not in routes and f"{asked.partition('/')[0]}/*" not in routes:
        raise Forbidden(
            f"This key may not use the model `{asked}`.",
            param="model",
            hint="GET /v1/models lists the names that this key may use",
        )
