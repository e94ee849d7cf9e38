"""A call's way: admit, choose, record the intent, attempt, meter, record the outcome.

Failover happens only before the first event has gone out; afterwards a failure is raised to the caller, who ends the
stream with a typed error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from freehold.access import Key, Meter, bound
from freehold.contracts import Price
from freehold.core.call import Call
from freehold.core.clock import now_ns
from freehold.core.errors import EngineError, Forbidden, FreeholdError, Unroutable, Unsupported, UpstreamError
from freehold.ledger import Ledger
from freehold.pipeline.attempt import Attempt, Turn
from freehold.pipeline.health import Health
from freehold.pipeline.metrics import Metrics
from freehold.pipeline.snapshot import Snapshot
from freehold.pipeline.turn import Receiver, Reply
from freehold.routing import Candidate, candidates
from freehold.wire.client import Client, Origin

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

    `ready` asks for one of our own engines and returns where it listens.
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
    ) -> None:
        self.snapshot = snapshot
        self.client = client
        self.ledger = ledger
        self.meter = meter
        self.ready = ready
        self.health = health
        self.policy = policy
        self.metrics = Metrics()
        self._behind: set[asyncio.Future[None]] = set()

    async def run(self, call: Call, key: Key, receiver: Receiver | None, began: float) -> Reply:
        """Serve `call` for `key`; `began` (core.clock.tick) is when it arrived.

        Returns the whole answer, or a stream's closing event once all others went to `receiver`.
        Raises Refused, Unroutable, UpstreamError, EngineError or StoreError; after `receiver.begin` the stream has to
        be ended with it.
        """
        snapshot = self.snapshot
        if key.routes is not None:
            _allow(key.routes, call.asked)
        order = candidates(snapshot.table, call, self.health.allows, random.random)
        turn = Turn(call, key, receiver if call.stream else None, snapshot, began)
        if key.limits:
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
                    except Unsupported as e:
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


def _allow(routes: frozenset[str], asked: str) -> None:
    if asked not in routes and f"{asked.partition('/')[0]}/*" not in routes:
        raise Forbidden(
            f"This key may not use the model `{asked}`.",
            param="model",
            hint="GET /v1/models lists the names that this key may use",
        )
