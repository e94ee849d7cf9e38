"""One client connection: reads requests off the wire, in order, and defends itself. Refuses to know what they ask."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from freehold.core.clock import tick
from freehold.core.errors import BadRequest, FreeholdError, MethodNotAllowed, TooLarge
from freehold.wire.exchange import Exchange
from freehold.wire.http import SINGLE, origin_form
from freehold.wire.known import HEADS_LEARNED, Known, learn

if TYPE_CHECKING:
    from freehold.wire.server import HttpServer

IDLE, HEAD, BODY, LINGER, CLOSING = range(5)
"""Phases: between requests, reading a head, reading a body, answered with an error and waiting for the client to read
it, closing."""

METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
LINGER_SECONDS = 2.0
_SEND_A_RESET = struct.pack("ii", 1, 0)


class HttpProtocol(asyncio.Protocol):
    """HTTP/1.1 and 1.0 on one connection. Requests are handled one at a time; what comes meanwhile is held back up to
    `Limits.pipeline_bytes`, beyond which reading stops (and with it the notice of a client that leaves)."""

    __slots__ = (
        "_peer",
        "body",
        "choked",
        "chunk",
        "closing",
        "current",
        "dry",
        "error",
        "excess",
        "fields",
        "headers",
        "held",
        "held_bytes",
        "keep",
        "known",
        "last",
        "learned",
        "legacy",
        "limits",
        "loop",
        "method",
        "parser",
        "parts",
        "phase",
        "queue",
        "read",
        "seen",
        "server",
        "short",
        "since",
        "size",
        "stalled",
        "transport",
        "unsent",
        "upgraded",
        "url",
        "usual",
        "waits_for_continue",
    )

    transport: asyncio.Transport

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.loop = server.loop
        self.limits = server.limits
        self.short = min(server.limits.header_bytes, server.limits.url_bytes, 8192)
        self.parser = HttpRequestParser(self)
        self.current: Exchange | None = None
        self.queue: deque[tuple[Exchange, FreeholdError | None]] = deque()
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.phase = IDLE
        self.since = tick()
        self.closing = False  # no further request will be served
        self.last = False  # the request that ends this connection has been read
        self.excess = False  # bytes came after it
        self.choked = False  # the transport holds too many unsent bytes
        self.stalled = 0.0  # since when no unsent byte was taken
        self.unsent = 0
        self.error: FreeholdError | None = None
        self._peer = ""
        self.legacy = False
        self.known: Known | None = None
        self.learned = 0  # how often
        self._fresh()

    def _fresh(self) -> None:
        """Forget the request that was read."""
        self.chunk = b""  # what is being parsed, when it begins with the request
        self.url = b""
        self.method = ""
        self.headers: dict[bytes, bytes] = {}
        self.fields: dict[bytes, bytes] = {}
        self.body = b""
        self.parts: list[bytes] | None = None
        self.size = 0
        self.read = 0
        self.seen = 0
        self.dry = 0
        self.keep = False
        self.upgraded = False
        self.usual = False  # a short request of the usual kind, whose head and beginning are in `chunk`
        self.waits_for_continue = False

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            # asyncio does so only for sockets whose protocol number was given, which accepted ones often lack.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        self.server.lost(self)

    def eof_received(self) -> None:
        # A client that half-closes is taken to have left: nobody could tell it from one that vanished.
        self._left()

    def pause_writing(self) -> None:
        self.choked = True
        self.unsent = -1
        if self.current is not None:
            self.current.pressed(True)

    def resume_writing(self) -> None:
        self.choked = False
        if self.current is not None:
            self.current.pressed(False)

    def data_received(self, data: bytes) -> None:
        if self.last:
            self.excess = True
        elif self.current is not None:
            self._hold(data)
        else:
            if self.phase == IDLE:
                self.since = tick()
                known = self.known
                if known is not None and data.startswith(known.before):
                    again = known.fit(data, self.limits.body_bytes)
                    if again is not None:
                        exchange = self.current = Exchange(self, known.method, known.target, *again, self.since)
                        self.server.serve(exchange)
                        return
                self.phase = HEAD
            self._feed(data)

    @property
    def peer(self) -> str:
        """The client's address without its port; "unix" on a UNIX socket."""
        if not self._peer:
            address = self.transport.get_extra_info("peername")
            self._peer = str(address[0]) if isinstance(address, tuple) else "unix"
        return self._peer

    # The parser's side.

    def on_url(self, url: bytes) -> None:
        if self.phase != HEAD:
            if self.phase == BODY:  # the replay of an upgrade's head
                return
            self.phase = HEAD  # a further request in the same bytes
            self.since = tick()
        self.url = self.url + url if self.url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        headers = self.fields
        if name not in headers:
            headers[name] = value
        elif name in SINGLE:
            self._fail(
                BadRequest(f"the header {name.decode('latin-1')} stands twice", hint="Send this header once."),
            )
        else:
            headers[name] = headers[name] + b", " + value

    def on_headers_complete(self) -> None:
        if self.phase == BODY:
            return
        self.phase = BODY
        headers = self.headers = self.fields
        self.fields = {}  # trailing fields go there and are dropped, lest they pass for fields of the head
        method = self.parser.get_method()
        at = len(method) + 1 + len(self.url)
        name = METHODS.get(method)
        usual = self.chunk[at : at + 11] == b" HTTP/1.1\r\n"
        if usual and name is not None and self.read == len(self.chunk) < self.short:
            # The usual request came in one piece; asking the parser for the version costs ten times as much as a look.
            self.method = name
            self.legacy = False
            self.usual = True
        else:
            self.usual = False
            self._check_line(method)
        if b"host" not in headers and not self.legacy:
            self._fail(BadRequest("the Host header is missing", hint="HTTP/1.1 requires one Host header."))
        if len(headers) > self.limits.headers:
            self._fail(TooLarge(f"more than {self.limits.headers} headers", status=431, hint="Send fewer headers."))
        if b"transfer-encoding" in headers:
            if self.legacy or headers[b"transfer-encoding"].lower() != b"chunked":
                message = "transfer-encoding must be chunked, in HTTP/1.1"
                self._fail(BadRequest(message, hint="Send content-length."))
        elif b"content-length" in headers and int(headers[b"content-length"]) > self.limits.body_bytes:
            self._fail(self._too_large())
        self.keep = self.parser.should_keep_alive()
        if b"expect" in headers:
            self._expect(headers[b"expect"])
        if b"upgrade" in headers:
            self.upgraded = self.parser.should_upgrade()

    def on_body(self, data: bytes) -> None:
        size = self.size = self.size + len(data)
        if size > self.limits.body_bytes:
            self._fail(self._too_large())
        if not self.body:
            self.body = data
        elif self.parts is None:
            self.parts = [self.body, data]
        else:
            self.parts.append(data)

    def on_message_complete(self) -> None:
        if self.upgraded:  # declined; the body, if there is one, comes by the replay
            return
        if self.parts is not None:
            self.body = b"".join(self.parts)
        target = self.url.decode("latin-1")
        if not target.startswith("/"):
            target = origin_form(target)
        exchange = Exchange(self, self.method, target, self.headers, self.body, self.since)
        if self.legacy:
            exchange.legacy = True
        if not self.keep:
            exchange.keep = False
            self.last = True
        elif self.usual and self.size and self.learned < HEADS_LEARNED:
            self.learned += 1
            self.known = learn(self.chunk, self.method, target, self.headers)
        self.phase = IDLE
        # As `_fresh` does, but only what this request can have touched.
        self.chunk = self.url = b""
        self.read = 0
        if self.fields:  # trailing fields, which must not reach the next request either
            self.fields = {}
        if self.size:
            self.body = b""
            self.parts = None
            self.size = self.dry = self.seen = 0
        if self.current is None:
            self.current = exchange
            self.server.serve(exchange)
        else:
            self.queue.append((exchange, None))

    # Reading.

    def _feed(self, data: bytes) -> None:
        self.read += len(data)
        self.chunk = data
        try:
            self.parser.feed_data(data)
            if self.phase == HEAD:
                if self.read > self.limits.header_bytes:
                    self._fail(self._head_too_large())
            elif self.phase == BODY:
                # What is neither head nor body: sizes of chunks, six bytes for one of body at worst, but no flood of
                # chunk extensions or trailing fields.
                self.dry = max(self.dry + len(data) - 9 * (self.size - self.seen), 0)
                self.seen = self.size
                if self.dry > 2 * self.limits.header_bytes:
                    self._fail(self._head_too_large())
        except HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except HttpParserError as error:
            self._refuse(self.error or BadRequest(f"not a valid HTTP request: {error}", hint=_FORM))
        except FreeholdError as error:
            self._refuse(error)

    def _check_line(self, method: bytes) -> None:
        """Check what need not be looked at in a short request of the usual kind."""
        limits = self.limits
        self.method = method.decode()
        version = self.parser.get_http_version()
        self.legacy = version == "1.0"
        if self.read > limits.header_bytes or not self.chunk:
            fields = sum(len(n) + len(v) + 4 for n, v in self.headers.items())
            if fields + len(self.url) > limits.header_bytes:
                self._fail(self._head_too_large())
        if len(self.url) > limits.url_bytes:
            self._fail(self._head_too_large())
        if version != "1.1" and not self.legacy:
            self._fail(BadRequest(f"HTTP/{version} is not spoken here", status=505, hint="Use HTTP/1.1."))
        if self.method == "CONNECT":
            self._fail(MethodNotAllowed("this is no proxy", hint="Send the request itself, without CONNECT."))

    def _expect(self, expect: bytes) -> None:
        if expect.lower() != b"100-continue":
            self._fail(BadRequest("only `expect: 100-continue` is known", status=417, hint="Leave the header out."))
        if not self.legacy and (b"content-length" in self.headers or b"transfer-encoding" in self.headers):
            if self.current is None:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            else:
                self.waits_for_continue = True  # an interim reply must not fall into the answer before it

    def _decline_upgrade(self, rest: bytes) -> None:
        """Go on in HTTP/1.1, as RFC 9110 section 7.8 allows: Java's client asks for h2c with each POST.

        The parser skipped the body, so a new one is given this request's framing and then what came after the head."""
        self.upgraded = self.waits_for_continue = False
        self.parser = HttpRequestParser(self)
        framing = b"" if self.keep else b"connection: close\r\n"
        if b"content-length" in self.headers:
            framing += b"content-length: %b\r\n" % self.headers[b"content-length"]
        elif b"transfer-encoding" in self.headers:
            framing += b"transfer-encoding: chunked\r\n"
        head = b"%b / HTTP/1.1\r\nhost: replay\r\n%b\r\n" % (self.method.encode(), framing)
        self.read -= len(rest)
        self._feed(head + rest)

    def _hold(self, data: bytes) -> None:
        self.held.append(data)
        self.held_bytes += len(data)
        if self.held_bytes > self.limits.pipeline_bytes:
            self.transport.pause_reading()

    # Answering.

    def finished(self, exchange: Exchange) -> None:
        """Go on after the answer to `exchange` is complete."""
        self.current = None
        if not exchange.keep or self.server.closing:
            self.shut(linger=self.excess or bool(self.held) or self.error is not None)
            return
        self.since = tick()
        if self.queue:
            self._next()
        elif self.held:
            data = b"".join(self.held)
            self.held.clear()
            self.held_bytes = 0
            self.transport.resume_reading()
            if self.phase == IDLE:
                self.phase = HEAD
            self._feed(data)
        elif self.waits_for_continue and self.phase == BODY:
            self.waits_for_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def cut(self, exchange: Exchange) -> None:
        """Break the connection off under `exchange`."""
        self.current = None
        self.queue.clear()
        self.closing = self.last = True
        self.phase = CLOSING
        if exchange.legacy and exchange.answered:
            # An HTTP/1.0 answer ends with the connection: only a reset tells a broken one from a whole one.
            sock = self.transport.get_extra_info("socket")
            if sock is not None and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _SEND_A_RESET)
        self.transport.abort()

    def shut(self, *, linger: bool) -> None:
        """Close after what was written. With `linger`, first let the client read: closing on unread bytes would send a
        reset, which can wipe the answer out of the client's buffer."""
        self.closing = self.last = True
        self.queue.clear()
        self.held.clear()
        self.since = tick()
        self.unsent = -1
        if not linger:
            self.phase = CLOSING
            self.transport.close()
            return
        self.phase = LINGER
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def check(self, now: float) -> None:
        """Look after overdue time; called by the server's sweep."""
        limits = self.limits
        if self.choked or self.phase == CLOSING:
            self._check_stall(now)
        if self.current is not None:
            return
        age = now - self.since
        if self.phase == IDLE:
            if age > limits.keepalive_seconds:
                self.shut(linger=False)
        elif self.phase == HEAD:
            if age > limits.header_seconds:
                self._refuse(_too_slow("head", limits.header_seconds))
        elif self.phase == BODY:
            if age > limits.header_seconds + limits.body_seconds:
                self._refuse(_too_slow("body", limits.body_seconds))
        elif self.phase == LINGER and age > LINGER_SECONDS:
            self.phase = CLOSING
            self.transport.close()

    def _check_stall(self, now: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent != self.unsent:
            self.unsent = unsent
            self.stalled = now
        elif now - self.stalled > self.limits.stall_seconds:
            self._left()
            self.transport.abort()

    def _next(self) -> None:
        exchange, error = self.queue.popleft()
        self.current = exchange
        if error is None:
            self.server.serve(exchange)
        else:
            self.server.refuse(exchange, error)

    def _left(self) -> None:
        exchange, self.current = self.current, None
        self.closing = self.last = True
        self.queue.clear()
        self.held.clear()
        if exchange is not None:
            exchange.leave()

    def _fail(self, error: FreeholdError) -> NoReturn:
        """Stop the parser with `error`."""
        self.error = error
        raise error

    def _refuse(self, error: FreeholdError) -> None:
        """Answer what cannot be served, after the answers that are due before it, and close."""
        if self.last:  # bytes behind a final request: nothing that anybody waits for
            self.excess = True
            return
        self.error = error
        self.last = True
        exchange = Exchange(self, self.method, self.url.decode("latin-1"), self.headers, self.body, self.since)
        exchange.keep = False
        exchange.legacy = self.legacy
        self._fresh()
        if self.current is None:
            self.current = exchange
            self.server.refuse(exchange, error)
        else:
            self.queue.append((exchange, error))

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the body has more than {self.limits.body_bytes} bytes",
            hint="Send less, or have the operator raise the limit on bodies.",
        )

    def _head_too_large(self) -> TooLarge:
        if len(self.url) > self.limits.url_bytes or not (self.headers or self.fields):
            return TooLarge(
                f"the URL has more than {self.limits.url_bytes} bytes", status=414, hint="Send the data in the body."
            )
        return TooLarge(
            f"the headers have more than {self.limits.header_bytes} bytes", status=431, hint="Send shorter headers."
        )


_FORM = "Send HTTP/1.1 as RFC 9112 defines it; was TLS spoken to a plain port?"


def _too_slow(part: str, seconds: float) -> BadRequest:
    return BadRequest(
        f"the {part} of the request took more than {seconds:g} s",
        code="request_timeout",
        status=408,
        retryable=True,
        hint="Send the request without pauses.",
    )
