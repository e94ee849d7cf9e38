"""An answer on its way to one HTTP client: headers, whole replies, streams, and errors before or inside a stream."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from freehold.core.errors import Blocked, FreeholdError
from freehold.core.ids import new_id
from freehold.core.money import NANO
from freehold.gateway.dialect import Dialect
from freehold.pipeline import About, Reply
from freehold.wire.client import Source
from freehold.wire.http import Headers, checked
from freehold.wire.server import Exchange

DONE = b"data: [DONE]\n\n"
JSON = (b"content-type", b"application/json")
STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_PLAIN = (
    "content-type: application/json\r\nx-request-id: %s\r\nx-freehold-deployment: %s\r\n"
    "x-freehold-cost: %s\r\nx-freehold-overhead-ms: %.3f\r\n"
)
"""The fields of most answers, in one piece: the same as those put together by `_about` and `_measures`."""
_PLAIN_LINES = _PLAIN.count("\n")
TRAILERS = (b"trailer", b"x-freehold-cost, x-freehold-overhead-ms")


def named() -> tuple[bytes, bytes]:
    """Return the field that names a reply to a request that is no call; a call's reply has the call's own id."""
    return b"x-request-id", new_id("req").encode()


class Answer:
    """Implements pipeline.Receiver over one Exchange."""

    __slots__ = ("_about", "_dialect", "_exchange", "_extra", "_model", "_source", "begun")

    def __init__(self, exchange: Exchange, dialect: Dialect, model: str, extra: Headers = ()) -> None:
        self._exchange = exchange
        self._extra = extra
        self._dialect = dialect
        self._model = model
        self._about = About("", "")
        self._source: Source | None = None
        self.begun = False

    def attach(self, source: Source) -> None:
        if self._source is None:
            self._exchange.on_pressure(self._pause, self._resume)
        self._source = source

    def _pause(self) -> None:
        if self._source is not None:
            self._source.pause()

    def _resume(self) -> None:
        if self._source is not None:
            self._source.resume()

    def begin(self, about: About) -> Callable[[bytes], None]:
        self.begun = True
        self._about = about
        self._exchange.start(200, [*STREAM, TRAILERS, *_about(about), *self._extra])
        opening = self._dialect.opening(about, self._model)
        if opening:
            self._exchange.write(opening)
        # Events that nobody changes go straight to the connection: three calls less for each of them.
        return self._exchange.write if self._dialect.passes(about) else self._send

    def _send(self, events: bytes) -> None:
        self._exchange.write(self._dialect.events(events, self._about))

    def finish(self, reply: Reply) -> None:
        """The answer is complete and on record."""
        about = reply.about
        if self.begun:
            measures = _measures(about)
            if b"x-freehold-comments" in self._exchange.headers:  # a browser's page cannot read trailers
                self._exchange.write(b"".join(b": %b %b\n" % pair for pair in measures) + b"\n")
            self._exchange.end(reply.body, measures)
            return
        body = self._dialect.reply(reply.body, about)
        if about.dropped or self._extra:
            self._exchange.reply(200, [JSON, *_about(about), *_measures(about), *self._extra], body)
            return
        cost = about.cost
        shown = "unknown" if cost is None else f"{cost // NANO}.{cost % NANO:09d} {about.currency}"
        block = _PLAIN % (about.call, about.deployment, shown, about.overhead * 1000)
        self._exchange.reply(200, checked(block.encode(), _PLAIN_LINES), body)

    def fail(self, e: FreeholdError, call: str) -> None:
        """Answer with `e`: as a status when nothing has gone out, as a typed event at the end of a stream otherwise."""
        if self.begun:
            # A guard has said with its last event why the answer ends here, as the vendors' own filters do.
            self._exchange.end(DONE if isinstance(e, Blocked) else self._dialect.error_event(e))
            return
        status, headers, body = self._dialect.error(e, call)
        self._exchange.reply(status, [*headers, *self._extra], body)


def _about(about: About) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-request-id", about.call.encode()), (b"x-freehold-deployment", about.deployment.encode())]
    if about.dropped:
        # Members are named by the client, with any characters it likes; a header takes but some.
        names = ", ".join(quote(name, safe="", errors="replace") for name in about.dropped)
        headers.append((b"x-freehold-dropped", names.encode()))
    return headers


def _measures(about: About) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    cost = about.cost
    shown = b"unknown" if cost is None else b"%d.%09d %b" % (*divmod(cost, NANO), about.currency.encode())
    return (b"x-freehold-cost", shown), (b"x-freehold-overhead-ms", b"%.3f" % (about.overhead * 1000))
