"""The sink of one attempt: passes a stream on as it comes, or keeps a whole reply; reads only what metering needs."""

from __future__ import annotations

from freehold.core.clock import tick
from freehold.core.errors import UpstreamBroken
from freehold.pipeline.turn import About, Receiver
from freehold.wire.client import Source
from freehold.wire.sse import EventTap

DONE = b"data: [DONE]\n\n"


class Tap:
    """Implements wire.client.Sink. `began` is true once the receiver got its first event.

    The closing `[DONE]` is held back: the caller sends it when the outcome is on record.
    """

    __slots__ = (
        "about",
        "began",
        "events",
        "first_at",
        "headers",
        "kept",
        "limit",
        "parts",
        "receiver",
        "size",
        "source",
        "status",
        "streamed",
    )

    def __init__(self, receiver: Receiver | None, about: About, strip_usage: bool, keep: bool, limit: int) -> None:
        self.receiver = receiver
        self.about = about
        self.events = EventTap(strip_usage=strip_usage)
        self.kept: list[bytes] | None = [] if keep else None
        self.parts: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self.status = 0
        self.size = 0
        self.limit = limit
        self.first_at = 0.0
        self.began = self.streamed = False
        self.source: Source | None = None

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.status = status
        self.headers = headers
        self.source = source
        if self.receiver is not None and status == 200:
            self.streamed = headers.get(b"content-type", b"").startswith(b"text/event-stream")
            if self.streamed:
                self.receiver.attach(source)

    def data(self, data: bytes) -> None:
        if not self.streamed:
            self.size += len(data)
            if self.size > self.limit:
                raise UpstreamBroken(
                    f"The vendor's reply is larger than {self.limit} bytes.",
                    retryable=False,
                    hint="raise server.reply_bytes if the vendor is right",
                )
            self.parts.append(data)
            return
        events = self.events
        out = events.feed(data)
        if events.done:
            end = out.rfind(b"data: [DONE]")
            if end < 0:
                end = out.rfind(b"data:[DONE]")
            if end >= 0:
                out = out[:end]
        if not out:
            return
        receiver = self.receiver
        assert receiver is not None  # streamed is only ever set with a receiver
        if not self.began:
            self.began = True
            self.first_at = tick()
            receiver.begin(self.about)
        if self.kept is not None:
            self.kept.append(out)
        receiver.send(out)

    def body(self) -> bytes:
        """The whole reply of an attempt that was not streamed."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
