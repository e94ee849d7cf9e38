"""The connections to one origin, last given back first taken. Frames requests; refuses to know replies."""

from __future__ import annotations

import asyncio
from collections import deque

from freehold.core.clock import tick
from freehold.core.errors import BadRequest
from freehold.wire.dial import Trust, authority_of, dial, proxy_address, proxy_authorization
from freehold.wire.link import Link
from freehold.wire.origin import Origin, overdue

_BARE = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
JOINED_BYTES = 65536


class Pool:
    """Connections to `origin`. At most `limit` at once (0: any number), idle ones for at most `keep_seconds`."""

    def __init__(self, origin: Origin, trust: Trust, limit: int, keep_seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.origin = origin
        self.idle: list[Link] = []
        self.links: set[Link] = set()
        self._trust = trust
        self._limit = limit
        self._keep_seconds = keep_seconds
        self._dialling = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        proxy = proxy_address(origin)
        authority = authority_of(origin)
        named = authority
        if origin.port == _DEFAULT_PORTS.get(origin.scheme):
            named = authority.rpartition(b":")[0]
        self._before_target = b""
        fields = b"host: %b\r\naccept-encoding: identity\r\n" % named
        if proxy is not None and origin.scheme == "http" and origin.unix is None:
            self._before_target = b"http://" + authority
            fields += proxy_authorization(proxy)
        self._after_target = b" HTTP/1.1\r\n" + fields
        self._framed: tuple[tuple[bytes | None, ...], bytes] = ((None, None, None), b"")

    def frame(self, method: bytes, target: bytes, headers: bytes, body: bytes) -> bytes:
        """Return the request's head, and its body too when that is small.

        BadRequest when `target` or `headers` would make more than one request of it."""
        of, head = self._framed
        # A deployment sends the same three objects with each request, so the head is made and judged once.
        if of[0] is not method or of[1] is not target or of[2] is not headers:
            head = self._head(method, target, headers)
            self._framed = ((method, target, headers), head)
        size = len(body)
        if not size and method in _BARE:
            return head + b"\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, size, body if size < JOINED_BYTES else b"")

    def _head(self, method: bytes, target: bytes, headers: bytes) -> bytes:
        if target.split() != [target] or b"\r\n\r\n" in headers or (headers and headers[-2:] != b"\r\n"):
            raise BadRequest("a request to a server has a line break or a space where none may be", hint="Remove it.")
        return b"".join((method, b" ", self._before_target, target, self._after_target, headers))

    def take(self) -> Link | None:
        """Return the idle connection that was used last, or None."""
        idle = self.idle
        while idle:
            link = idle.pop()
            if not link.lost and tick() - link.idle_since < self._keep_seconds:
                return link
            link.close()
        return None

    async def connect(self, seconds: float) -> Link:
        """Return a connection, fresh unless one comes free while waiting in line. Raises as `dial` does."""
        end = tick() + seconds
        while self._limit and len(self.links) + self._dialling >= self._limit:
            await self._stand_in_line(end, seconds)
            link = self.take()
            if link is not None:
                return link
        self._dialling += 1
        try:
            link = await dial(self.origin, self._make, self._trust, max(end - tick(), 0.0))
        except BaseException:
            self._dialling -= 1
            self._call_next()
            raise
        self._dialling -= 1
        self.links.add(link)
        return link

    def give(self, link: Link) -> None:
        """Take back a connection that is ready for another request."""
        link.idle_since = tick()
        self.idle.append(link)
        if self._queue:
            self._call_next()

    def lost(self, link: Link) -> None:
        """Forget a closed connection."""
        if link in self.links:
            self.links.discard(link)
            if self.idle and link in self.idle:
                self.idle.remove(link)
            if self._queue:
                self._call_next()

    def prune(self, now: float) -> None:
        """Close connections that were idle for too long."""
        # The list is in order of giving back, so the oldest are in front.
        while self.idle and now - self.idle[0].idle_since > self._keep_seconds:
            self.idle[0].close()

    def close(self) -> None:
        """Close every connection; requests under way fail."""
        for link in tuple(self.links):
            link.close()

    def _make(self) -> Link:
        return Link(self)

    async def _stand_in_line(self, end: float, seconds: float) -> None:
        turn = self.loop.create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(max(end - tick(), 0.0)):
                await turn
        except TimeoutError as error:
            self._leave_line(turn)
            raise overdue("connect", seconds, began=False) from error
        except BaseException:
            self._leave_line(turn)
            raise

    def _leave_line(self, turn: asyncio.Future[None]) -> None:
        if turn in self._queue:
            self._queue.remove(turn)
        elif not turn.cancelled():  # the turn came and is not used: it is the next one's
            self._call_next()

    def _call_next(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
