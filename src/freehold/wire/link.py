"""One connection to a server: sends a request, reads its reply, times it. Refuses to know pools and dialling."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from freehold.core.clock import tick
from freehold.wire.origin import Sink, Source, Timeouts, broken, overdue

if TYPE_CHECKING:
    from freehold.wire.pool import Pool

HEAD_BYTES = 65536
"""The most that status line and headers of a reply may have, in bytes."""
SATED_SECONDS = 0.25
"""For the formal end of a reply of which all that matters has come."""


class Stale(Exception):
    """A kept connection turned out to be closed before any byte of the reply: worth one try on a fresh one."""


class Link(asyncio.Protocol):
    """HTTP/1.1 on one connection, one request at a time."""

    __slots__ = (
        "bodied",
        "complete",
        "deadline",
        "fresh",
        "headed",
        "headers",
        "idle_since",
        "keep",
        "lost",
        "no_body",
        "parser",
        "parts",
        "paused",
        "piece",
        "pool",
        "quiet_since",
        "read",
        "sated",
        "sent_at",
        "sink",
        "source",
        "timeouts",
        "transport",
        "until_eof",
        "used",
        "waiter",
    )

    transport: asyncio.Transport
    sink: Sink

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.parser = HttpResponseParser(self)
        self.waiter: asyncio.Future[None] | None = None
        self.source: Source | None = None
        self.lost = False
        self.used = False
        self.paused = False
        self.idle_since = 0.0
        self.headers: dict[bytes, bytes] = {}
        self.piece = b""
        self.parts: list[bytes] | None = None
        self.no_body = self.keep = self.until_eof = self.fresh = self.sated = False

    def launch(
        self, payload: bytes, body: bytes, sink: Sink, timeouts: Timeouts, deadline: float, no_body: bool
    ) -> asyncio.Future[None]:
        """Send a request; the future ends with the reply. `deadline` is a tick, `no_body` true for HEAD.

        What a clean end of the reply before leaves as it should be is not set again."""
        self.waiter = waiter = self.pool.loop.create_future()
        self.sink = sink
        self.timeouts = timeouts
        self.deadline = deadline
        if no_body:
            self.no_body = True
        if self.headers:  # trailing fields
            self.headers = {}
        self.read = 0
        self.headed = self.bodied = self.complete = self.sated = False
        self.sent_at = tick()
        if body:
            self.transport.writelines((payload, body))
        else:
            self.transport.write(payload)
        return waiter

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.pool.lost(self)
        if self.waiter is None:
            return
        if self.sated or (self.until_eof and exc is None):
            self.complete = True
            self._finish()
        elif self.used and not self.read:
            self._end(Stale())
        else:
            why = "in the middle of its reply" if self.read else "without a reply"
            self._end(broken(f"the server closed the connection {why}", bool(self.read)))

    def eof_received(self) -> None:
        if self.waiter is None:  # before the loop gets to say that it is lost, a request could still pick it
            self.close()

    def data_received(self, data: bytes) -> None:
        if self.waiter is None:  # nobody asked
            self.close()
            return
        self.read += len(data)
        self.fresh = True
        try:
            self.parser.feed_data(data)
            if self.read > HEAD_BYTES and not self.headed:
                self.fail(broken(f"the head of the reply has more than {HEAD_BYTES} bytes", True))
                return
        except (HttpParserError, HttpParserUpgrade) as error:
            self.keep = False
            if not self.complete:
                self.fail(broken(f"the reply is not valid HTTP: {error}", True))
                return
        piece = self.piece
        if piece:
            self.piece = b""
            if self.parts is not None:
                # In one call: a burst of small chunks in one read then costs one write further on.
                piece = b"".join(self.parts)
                self.parts = None
            if self.waiter is not None:
                self.bodied = True
                try:
                    self.sink.data(piece)
                except Exception as error:
                    self.fail(error)
        if self.complete and self.waiter is not None:
            self._finish()

    # The parser's side.

    def on_message_begin(self) -> None:
        if self.complete:  # more than one reply to one request: this connection is out of step
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        headers = self.headers
        if name in headers:
            value = headers[name] + b", " + value
        headers[name] = value

    def on_headers_complete(self) -> None:
        headers = self.headers
        self.headers = {}  # trailing fields go there and are dropped
        if self.complete:
            return
        status = self.parser.get_status_code()
        if status < 200:  # an interim reply; the real one follows
            return
        self.headed = True
        if b"content-length" not in headers:
            coding = headers.get(b"transfer-encoding")
            if coding is None:
                self.until_eof = status != 204 and status != 304
            elif coding.lower() != b"chunked":
                self.fail(broken(f"the reply has the transfer-encoding {coding.decode('latin-1')}", True))
                return
        source = self.source = Source(self)
        try:
            self.sink.head(status, headers, source)
        except Exception as error:
            self.fail(error)
            return
        if self.no_body:
            # The parser does not know that the request was a HEAD and would wait for a body: no further use.
            self.keep = self.until_eof = False
            self.complete = True

    def on_body(self, data: bytes) -> None:
        if self.complete:
            return
        if not self.piece:
            self.piece = data
        elif self.parts is None:
            self.parts = [self.piece, data]
        else:
            self.parts.append(data)

    def on_message_complete(self) -> None:
        if self.headed and not self.complete:
            self.complete = True
            self.keep = self.parser.should_keep_alive()

    # The tap.

    def pause_reading(self) -> None:
        if not self.paused and not self.lost:
            self.paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.paused and not self.lost:
            self.paused = False
            self.transport.resume_reading()

    def enough(self) -> None:
        self.sated = True
        self.deadline = min(self.deadline, tick() + SATED_SECONDS)

    # Ends.

    def _finish(self) -> None:
        """End well: the reply is complete."""
        self.used = True
        if self.paused:
            self.resume_reading()
        waiter, self.waiter = self.waiter, None
        if self.source is not None:
            self.source.flow = None
        if self.keep and not self.lost and not self.transport.get_write_buffer_size():
            self.pool.give(self)
        else:
            self.close()
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End badly: the connection is closed at once. A reply of which enough has come ends well all the same."""
        self.complete = True
        if self.sated:
            self.keep = False
            self._finish()
            return
        if self.waiter is not None:
            self._end(error)
        self.close()

    def close(self) -> None:
        """Close at once, whatever is under way."""
        if not self.lost:
            self.lost = True
            self.pool.lost(self)
            self.transport.abort()
        if self.waiter is not None:
            self._end(broken("the connection was closed on our side", bool(self.read)))

    def _end(self, error: BaseException) -> None:
        waiter, self.waiter = self.waiter, None
        if self.source is not None:
            self.source.flow = None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def check(self, now: float) -> None:
        """Look after overdue time; called by the client's sweep."""
        timeouts = self.timeouts
        if now > self.deadline and self.sated:
            self.keep = False
            self.complete = True
            self._finish()
        elif now > self.deadline:
            self.fail(overdue("total", timeouts.total, bool(self.read)))
        elif not self.bodied:
            if now - self.sent_at > timeouts.first_byte:
                self.fail(overdue("first_byte", timeouts.first_byte, bool(self.read)))
            self.quiet_since = now
        elif self.fresh or self.paused:
            # A flag set by each read and a look at it now and then: no clock is read and no timer moved for a chunk.
            self.fresh = False
            self.quiet_since = now
        elif now - self.quiet_since > timeouts.idle:
            self.fail(overdue("idle", timeouts.idle, True))
