"""One request and the way to answer it. Knows framing of an answer; refuses to know how requests are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from freehold.wire.http import STATUS_LINES, Headers, encode_headers, status_line

if TYPE_CHECKING:
    from freehold.wire.connection import HttpProtocol

log = logging.getLogger("freehold.wire")

_OPEN, _STREAM, _DONE = 0, 1, 2
_NO_BODY = frozenset({204, 304})


class Exchange:
    """One request and the way to answer it; made by the protocol, handed to the handler.

    `path` and `query` are the target as sent (still percent-encoded, no scheme or host). `headers` have lower-case
    names; repeated fields are joined with b", ", or refused before the handler sees them where two would be a danger.
    `began` is core.clock.tick at the first byte. `answered` says that an answer has begun, so that no other may, and
    `status` which;
    `gone` that the client left. After `gone`, or once the answer is complete, writing does nothing.
    """

    # Defaults on the class: most requests never touch most of them, and storing each would cost at every request.
    query = ""
    answered = False
    status = 0
    gone = False
    keep = True  # whether the connection may serve another request
    legacy = False  # HTTP/1.0
    task: asyncio.Task[None] | None = None
    _state = _OPEN
    _chunked = False
    _mute = False
    _head = b""
    _leavers: list[Callable[[], None]] | None = None
    _pause: Callable[[], None] | None = None
    _resume: Callable[[], None] | None = None

    def __init__(
        self,
        protocol: HttpProtocol,
        method: str,
        target: str,
        headers: dict[bytes, bytes],
        body: bytes,
        began: float,
    ) -> None:
        self._protocol = protocol
        self.method = method
        if "?" in target:
            self.path, _, self.query = target.partition("?")
        else:
            self.path = target
        self.headers = headers
        self.body = body
        self.began = began

    @property
    def peer(self) -> str:
        """The client's address without its port; "unix" on a UNIX socket."""
        return self._protocol.peer

    def reply(self, status: int, headers: Headers | bytes, body: bytes) -> None:
        """Answer whole. `content-length`, `date` and `connection` are added; they must not be in `headers`.

        ValueError when a header is not safe to send, RuntimeError when an answer had begun.
        """
        block = encode_headers(headers)
        if self._state != _OPEN:
            raise RuntimeError("answered twice")
        self.status = status
        self.answered = True
        self._state = _DONE
        if self.gone:
            return
        protocol = self._protocol
        server = protocol.server
        line = STATUS_LINES.get(status) or status_line(status)
        kept = b"" if self.keep and not self.legacy and not server.closing else self._persistence()
        if status in _NO_BODY:
            protocol.transport.write(b"".join((line, server.date, block, kept, b"\r\n")))
        else:
            length = b"content-length: %d\r\n\r\n" % len(body)
            if self.method == "HEAD":
                body = b""
            if len(body) < 65536:
                protocol.transport.write(b"".join((line, server.date, block, kept, length, body)))
            else:
                # A copy of a big body costs more than a second entry in one gathered write.
                protocol.transport.writelines((b"".join((line, server.date, block, kept, length)), body))
        protocol.finished(self)

    def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed answer: chunked, or ended by closing for a client of HTTP/1.0. Raises as `reply` does."""
        block = encode_headers(headers)
        if self._state != _OPEN:
            raise RuntimeError("answered twice")
        self.status = status
        self.answered = True
        if self.gone:
            self._state = _DONE
            return
        self._state = _STREAM
        self._mute = self.method == "HEAD" or status in _NO_BODY
        self._chunked = not self.legacy
        if self.legacy:
            self.keep = False
        framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked and status not in _NO_BODY else b"\r\n"
        protocol = self._protocol
        self._head = b"".join((status_line(status), protocol.server.date, block, self._persistence(), framing))
        # The first piece mostly comes in the same turn of the loop: head and piece then leave in one system call.
        protocol.loop.call_soon(self._flush)

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer; RuntimeError when none was started."""
        if self._state == _STREAM:
            if data and not self._mute and not self.gone:
                if self._chunked:
                    data = b"%x\r\n%b\r\n" % (len(data), data)
                if self._head:
                    data = self._head + data
                    self._head = b""
                self._protocol.transport.write(data)
        elif self._state == _OPEN:
            raise RuntimeError("write before start")

    def end(self, data: bytes = b"", trailers: Headers = ()) -> None:
        """End a streamed answer, with a last piece and trailing fields where they are given."""
        if self._state != _STREAM:
            if self._state == _OPEN:
                raise RuntimeError("end before start")
            return
        last = self._head
        if not self._mute:
            if self._chunked:
                if data:
                    data = b"%x\r\n%b\r\n" % (len(data), data)
                data = b"%b0\r\n%b\r\n" % (data, encode_headers(trailers) if trailers else b"")
            last += data
        self._state = _DONE
        if self.gone:
            return
        if last:
            self._protocol.transport.write(last)
        self._protocol.finished(self)

    def abort(self) -> None:
        """Cut the connection, so that the client sees a broken answer and not a short one. The handler goes on."""
        if self._state == _DONE:
            return
        self._state = _DONE
        self.answered = True
        if not self.gone:
            self._protocol.cut(self)

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once, at once, when the client leaves before its answer is complete."""
        if self.gone:
            callback()
        elif self._leavers is None:
            self._leavers = [callback]
        else:
            self._leavers.append(callback)

    def on_pressure(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Have `pause` called when too much unsent answer lies in memory, `resume` when the client has taken it."""
        self._pause, self._resume = pause, resume
        if self._protocol.choked and self._state != _DONE:
            pause()

    def pressed(self, high: bool) -> None:
        """Pass on the transport's word about its write buffer. For the protocol."""
        if self._state != _DONE:
            callback = self._pause if high else self._resume
            if callback is not None:
                callback()

    def leave(self) -> None:
        """Tell everybody that the client left and cancel the handler. For the protocol."""
        self.gone = True
        for callback in self._leavers or ():
            try:
                callback()
            except Exception:
                log.exception("a callback for a client that left failed")
        if self.task is not None:
            self.task.cancel()

    @property
    def complete(self) -> bool:
        """Whether nothing more can be written."""
        return self._state == _DONE

    def _flush(self) -> None:
        if self._head and self._state == _STREAM and not self.gone:
            self._protocol.transport.write(self._head)
            self._head = b""

    def _persistence(self) -> bytes:
        if not self.keep or self._protocol.server.closing:
            self.keep = False
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.legacy else b""
