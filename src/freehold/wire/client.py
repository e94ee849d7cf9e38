"""The HTTP/1.1 client: pools for each origin, one sweep for all timeouts, one retry on a stale connection.

Refuses to know vendors; follows no redirects, keeps no cookies, asks for no compression.
"""

from __future__ import annotations

import asyncio
import ssl

from freehold.core.clock import tick
from freehold.core.errors import UpstreamBroken
from freehold.wire.dial import tls_context
from freehold.wire.link import Link, Stale
from freehold.wire.origin import Answer, Origin, Sink, Source, Timeouts, broken, was_sent
from freehold.wire.pool import JOINED_BYTES, Pool

__all__ = ["Answer", "Client", "Origin", "Sink", "Source", "Timeouts", "was_sent"]

DEFAULT_TIMEOUTS = Timeouts()
SWEEP_SECONDS = 0.1
REST_SECONDS = 1.0
_SWEEPS_BEFORE_REST = 20


class Client:
    """Sends requests from one event loop. `max_connections` is for each origin (0: any number)."""

    def __init__(self, *, max_connections: int = 0, keep_seconds: float = 30.0) -> None:
        self._max_connections = max_connections
        self._keep_seconds = keep_seconds
        self._pools: dict[Origin, Pool] = {}
        self._contexts: dict[tuple[bool, str | None], ssl.SSLContext] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._calm = 0  # sweeps in a row that found nothing under way
        self._sweeps = 0

    @property
    def open_connections(self) -> int:
        """Connections that are open, idle ones included."""
        return sum(len(pool.links) for pool in self._pools.values())

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes,
        body: bytes,
        sink: Sink,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """Send a request and return when its reply has gone to `sink`, complete.

        `headers` are ready lines; host, accept-encoding and content-length are added. Raises ConnectFailed,
        UpstreamTimeout, UpstreamBroken (the latter two have `began`: whether any byte of the reply came). A cancelled
        task closes the connection at once. `was_sent` says of what was raised whether the request may have arrived.
        """
        pool = self._pools.get(origin) or self._open_pool(origin)
        payload = pool.frame(method, target, headers, body)
        if len(body) < JOINED_BYTES:
            body = b""
        deadline = tick() + timeouts.total
        link = pool.take() or await pool.connect(min(timeouts.connect, timeouts.total))
        while True:
            if self._calm or self._timer is None:
                self._wake()
            try:
                await link.launch(payload, body, sink, timeouts, deadline, method == b"HEAD")
                return
            except Stale:
                link = await pool.connect(min(timeouts.connect, max(deadline - tick(), 0.0)))
            except BaseException as error:
                vars(error)["sent"] = True
                link.close()
                raise

    async def fetch(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: bytes = b"",
        body: bytes = b"",
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        *,
        cap: int = 33554432,
    ) -> Answer:
        """Send a request and return its whole reply; UpstreamBroken when its body has more than `cap` bytes."""
        collector = _Collector(cap)
        await self.send(origin, method, target, headers, body, collector, timeouts)
        return Answer(collector.status, collector.headers, b"".join(collector.pieces))

    async def close(self) -> None:
        """Close every connection. Requests under way fail with UpstreamBroken."""
        for link in self._busy():
            link.fail(broken("the client is closing", bool(link.read), hint="The process is stopping; send it anew."))
        for pool in self._pools.values():
            pool.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.sleep(0)  # transports report their end in the next turn of the loop

    def _busy(self) -> list[Link]:
        """The connections with a request under way. Looked for now and then, so that no request has to enter a list."""
        return [link for pool in self._pools.values() for link in pool.links if link.waiter is not None]

    def _open_pool(self, origin: Origin) -> Pool:
        pool = Pool(origin, self._trust, self._max_connections, self._keep_seconds)
        self._pools[origin] = pool
        return pool

    def _trust(self, origin: Origin) -> ssl.SSLContext:
        which = (origin.verify, origin.ca)
        context = self._contexts.get(which)
        if context is None:
            context = self._contexts[which] = tls_context(*which)
        return context

    def _wake(self) -> None:
        """Sweep soon. While requests come and go the timer just runs on, so this is rare."""
        if self._timer is None or self._calm >= _SWEEPS_BEFORE_REST:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
        self._calm = 0

    def _sweep(self) -> None:
        now = tick()
        busy = self._busy()
        self._calm = 0 if busy else self._calm + 1
        for link in busy:
            link.check(now)
        self._sweeps += 1
        if self._calm >= _SWEEPS_BEFORE_REST or self._sweeps % _SWEEPS_BEFORE_REST == 0:
            for pool in self._pools.values():
                pool.prune(now)
        if self._calm < _SWEEPS_BEFORE_REST:
            seconds = SWEEP_SECONDS
        elif self.open_connections:
            seconds = REST_SECONDS
        else:
            self._timer = None
            return
        self._timer = asyncio.get_running_loop().call_later(seconds, self._sweep)


class _Collector:
    """A sink that keeps the reply, up to a size."""

    def __init__(self, cap: int) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []
        self._room = cap

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.status, self.headers = status, headers

    def data(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise _too_big()
        self.pieces.append(data)


def _too_big() -> UpstreamBroken:
    return broken("the reply is longer than we are willing to keep", True, hint="Ask the server for less at once.")
