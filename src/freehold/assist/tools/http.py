"""Messages over streamable HTTP: each request a POST of its own, answered by JSON or by a stream of events. Refuses to
know what the messages say beyond whose answer they are."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from freehold import __version__
from freehold.assist.tools import protocol
from freehold.assist.tools.offers import ServerSettings
from freehold.assist.tools.protocol import STATELESS, Message
from freehold.core.errors import ConfigError, FreeholdError, UpstreamBroken, UpstreamError, UpstreamRejected
from freehold.wire import sse
from freehold.wire.client import Client, Origin, Source, Timeouts

_REPLY_BYTES = 16 * 1024 * 1024
_ASIDES = 200  # messages that are not the answer, in one stream; more is a flood
_SESSION_CHARS = 1024
_LINGER = 0.3  # seconds that a server has to end its stream once it has answered
_PLAIN = re.compile(r"[\x20-\x7e]*")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")
SESSION_LOST = "tool_session_lost"
"""The `code` of the error for a session that the server no longer knows: nothing was done, a new one may be begun."""


class Http:
    """A carrier. `alive` until the server says that it has forgotten the session."""

    def __init__(self, settings: ServerSettings, client: Client) -> None:
        """Raises ConfigError for an address or a header that cannot be used."""
        self._client = client
        self._origin, self._target = address(settings)
        self._fixed = _lines(settings)
        self._session = b""
        self._timeout = settings.timeout
        self._tasks: set[asyncio.Task[None]] = set()
        self.revision = ""
        self.heard: Callable[[str], None] = lambda method: None
        self.alive = True

    async def ask(self, data: bytes, number: int, method: str, name: str) -> Message:
        """Send a request and return its response. Raises UpstreamError."""
        taker = _Taker(number, self._aside)
        headers = self._headers(method, name)
        # Time runs out above; the wire's own clocks are only there for a server that trickles.
        times = Timeouts(connect=10.0, first_byte=86_400.0, idle=86_400.0, total=86_400.0)
        sending = asyncio.create_task(
            self._client.send(self._origin, b"POST", self._target, headers, data, taker, times)
        )
        try:
            await asyncio.wait((sending, taker.answer), return_when=asyncio.FIRST_COMPLETED)
            if taker.answer.done():
                await asyncio.wait((sending,), timeout=_LINGER)
            elif sending.exception() is None:
                taker.finish()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if taker.status == 404 and self._session:
            raise self._lose()
        if not taker.answer.done():
            failure = None if sending.cancelled() else sending.exception()
            if isinstance(failure, UpstreamError):
                raise failure
            raise self._unanswered(taker) from failure
        if method == "initialize" and taker.status < 300:
            self._session = _session(taker.headers)
        return taker.answer.result()

    async def tell(self, data: bytes) -> None:
        """Send a notification or an answer of ours. Raises UpstreamError."""
        times = Timeouts(connect=10.0, first_byte=20.0, idle=20.0, total=20.0)
        answer = await self._client.fetch(
            self._origin, b"POST", self._target, self._headers("", ""), data, times, cap=65536
        )
        if answer.status == 404 and self._session:
            self._lose()
        elif answer.status >= 300:
            raise _status(answer.status)

    async def close(self) -> None:
        """Let go; a server that keeps a session is told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session and self.alive:
            times = Timeouts(connect=1.0, first_byte=1.0, idle=1.0, total=1.0)
            with contextlib.suppress(FreeholdError):
                await self._client.fetch(
                    self._origin, b"DELETE", self._target, self._headers("", ""), b"", times, cap=65536
                )
        self.alive = False

    def _headers(self, method: str, name: str) -> bytes:
        out = self._fixed
        if self._session:
            out += b"mcp-session-id: %b\r\n" % self._session
        if self.revision:
            out += f"mcp-protocol-version: {self.revision}\r\n".encode()
        if self.revision == STATELESS and method:
            out += f"mcp-method: {method}\r\n".encode()
            if name:
                out += b"mcp-name: %b\r\n" % _value(name)
        return out

    def _aside(self, message: Message) -> None:
        """A message in a stream that is not its answer: a notification is heard, a request answered."""
        if message.method is None:
            return
        if message.id is None:
            self.heard(message.method)
            return
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message) -> None:
        with contextlib.suppress(UpstreamError):
            await self.tell(protocol.reply(message))

    def _unanswered(self, taker: _Taker) -> UpstreamError:
        if taker.status >= 300 or taker.status == 202:
            return _status(taker.status)
        return UpstreamBroken(taker.why or "the server ended its reply without an answer", hint=protocol.HINT)

    def _lose(self) -> UpstreamError:
        self.alive = False
        return UpstreamBroken("the server no longer knows our session", code=SESSION_LOST, hint="Try again.")


class _Taker:
    """A sink that reads a reply as it comes. `answer` is done once the response to `number` is there."""

    def __init__(self, number: int, aside: Callable[[Message], None]) -> None:
        self._number = number
        self._aside = aside
        self._asides = 0
        self._room = _REPLY_BYTES
        self._kept = bytearray()
        self._events = False
        self._source: Source | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.why = ""
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.status, self.headers, self._source = status, headers, source
        self._events = headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")

    def data(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise UpstreamBroken("the server's reply is longer than 16 MiB", hint="Ask the tool for less at once.")
        if self.answer.done():
            return
        searched = max(len(self._kept) - 3, 0)
        self._kept += data
        if self._events:
            end = max(self._kept.rfind(b"\n\n", searched), self._kept.rfind(b"\r\n\r\n", searched) + 2)
            if end > 1:
                whole = bytes(self._kept[: end + 2])
                del self._kept[: end + 2]
                for event in sse.events(whole):
                    self._take(event.data)

    def finish(self) -> None:
        """The reply has ended: what is left is the last of it."""
        rest = bytes(self._kept)
        if not rest.strip():
            return
        try:
            for data in [event.data for event in sse.events(rest)] if self._events else [rest]:
                self._take(data)
        except UpstreamBroken as e:
            self.why = e.message

    def _take(self, data: bytes) -> None:
        if not data:
            return  # an event that is only there for its id
        for message in protocol.read(data):
            # A server that could not read the request, or did not want to, answers with an id of its own or none.
            stray = message.error is not None and (message.id is None or self.status >= 400)
            mine = message.id == self._number or stray
            if message.method is None and mine:
                if not self.answer.done():
                    self.answer.set_result(message)
                if self._source is not None:
                    self._source.enough()
                return
            self._asides += 1
            if self._asides > _ASIDES:
                raise UpstreamBroken("the server sends messages without end", hint=protocol.HINT)
            self._aside(message)


def address(settings: ServerSettings) -> tuple[Origin, bytes]:
    """Return origin and target of the server's URL. Raises ConfigError."""
    try:
        parts = urlsplit(settings.url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sound = bool(parts.hostname) and target.isascii() and target.isprintable() and " " not in target
    except (ValueError, KeyError):
        sound = False
    if not sound:
        raise ConfigError(
            f"Tools {settings.name!r}: that is no address of a server.", param="url", hint="Write http(s)://host/mcp."
        )
    host = parts.hostname or ""
    return Origin(
        parts.scheme, host, port, verify=settings.verify, ca=settings.ca, proxy=settings.proxy
    ), target.encode()


def _lines(settings: ServerSettings) -> bytes:
    lines = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "user-agent": f"freehold/{__version__}",
    }
    lines |= {name.lower(): value for name, value in settings.headers.items()}
    out = b""
    for name, value in lines.items():
        line = f"{name}: {value}"
        if not name or not line.isascii() or not line.isprintable() or set(name) & set(" :"):
            raise ConfigError(
                f"Tools {settings.name!r}: the value of header {name!r} cannot be sent.",
                param="headers",
                hint="Header values are printable ASCII without line breaks.",
            )
        out += line.encode() + b"\r\n"
    return out


def _session(headers: dict[bytes, bytes]) -> bytes:
    session = headers.get(b"mcp-session-id", b"")
    sound = len(session) <= _SESSION_CHARS and all(0x21 <= byte <= 0x7E for byte in session)
    return session if sound else b""


def _value(text: str) -> bytes:
    """Return a header's value; what no header can hold is wrapped, as the protocol has it."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not _WRAPPED.fullmatch(text):
        return text.encode()
    return b"=?base64?%b?=" % base64.b64encode(text.encode("utf-8", "replace"))


def _status(status: int) -> UpstreamError:
    hints = {
        401: "Give what it asks for in `headers` of the server in [tools].",
        403: "Give what it asks for in `headers` of the server in [tools].",
        404: "Correct `url` of the server in [tools]; it mostly ends in /mcp.",
    }
    hint = hints.get(status, "Correct `url`." if 300 <= status < 400 else protocol.HINT)
    more = " (redirects are not followed)" if 300 <= status < 400 else ""
    return UpstreamRejected(f"the server answered with status {status}{more}", hint=hint)
