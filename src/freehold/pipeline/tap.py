"""The sink of one attempt: passes a stream on as it comes, or keeps a whole reply; reads only what metering needs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from freehold.core.clock import tick
from freehold.core.errors import UpstreamBroken
from freehold.guards.vendor import tells
from freehold.pipeline.turn import About, Receiver
from freehold.wire.client import Source
from freehold.wire.sse import EventTap

DONE = b"data: [DONE]\n\n"
MOST_TOLD = 64
"""Events of a stream that are looked at for decisions of the vendor's filter."""


class StreamError(UpstreamBroken):
    """The vendor sent an error where the next event was due; `payload` is its object."""

    def __init__(self, payload: bytes) -> None:
        super().__init__("The vendor ended the stream with an error.", hint="ask again")
        self.payload = payload


class Tap(msgspec.Struct):
    """Implements wire.client.Sink. `began` is true once the receiver got its first event.

    The closing `[DONE]` is held back: the caller sends it when the outcome is on record. `limit` bounds a whole reply,
    in bytes; `keep` asks for a copy of a stream in `kept`; `told` are events in which the vendor's filter may say
    something.
    """

    receiver: Receiver | None
    about: About
    strip_usage: bool
    keep: bool
    limit: int
    events: EventTap | None = None
    kept: list[bytes] = []
    parts: list[bytes] = []
    headers: dict[bytes, bytes] = {}
    status: int = 0
    size: int = 0
    first_at: float = 0.0
    began: bool = False
    send: Callable[[bytes], None] | None = None
    source: Source | None = None
    told: list[bytes] = []

    @property
    def tells(self) -> bool:
        """Whether the vendor may have said that its own filter decided something."""
        return bool(self.told) if self.events is not None else tells(self.body())

    @property
    def streamed(self) -> bool:
        """Whether the reply is a stream that goes on to a receiver."""
        return self.events is not None

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.status = status
        self.headers = headers
        if (
            self.receiver is not None
            and status == 200
            and headers.get(b"content-type", b"").startswith(b"text/event-stream")
        ):
            self.events = EventTap(strip_usage=self.strip_usage)
            self.source = source
            self.receiver.attach(source)

    def data(self, data: bytes) -> None:
        events = self.events
        if events is None:
            self.size += len(data)
            if self.size > self.limit:
                raise UpstreamBroken(
                    f"The vendor's reply is larger than {self.limit} bytes.",
                    retryable=False,
                    hint="raise server.limits.reply_bytes if the vendor is right",
                )
            self.parts.append(data)
            return
        out = events.feed(data)
        if events.done:
            out = self._close(out)
        if out:
            self._pass(out)
        if events.error_data is not None:
            raise StreamError(events.error_data)

    def end(self) -> None:
        """The reply has ended: let through what was held back for want of a blank line."""
        events = self.events
        if events is not None and not events.done:
            rest = events.finish()
            if rest and not events.done:
                self._pass(rest.rstrip(b"\r\n") + b"\n\n")

    def _close(self, out: bytes) -> bytes:
        """Hold the closing event back, and wait no longer than need be for the end of the reply."""
        if self.source is not None:
            self.source.enough()
        end = max(out.rfind(b"data: [DONE]"), out.rfind(b"data:[DONE]"))
        return out[:end] if end >= 0 else out

    def _pass(self, out: bytes) -> None:
        send = self.send
        if send is None:
            assert self.receiver is not None  # there are events only for a receiver
            self.began = True
            self.first_at = tick()
            send = self.send = self.receiver.begin(self.about)
        if self.keep:
            self.kept.append(out)
        if tells(out) and len(self.told) < MOST_TOLD:
            self.told.append(out)
        send(out)

    def body(self) -> bytes:
        """The whole reply of an attempt that was not streamed."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
