"""What happens in conversations, told to whoever follows them. Knows rings of events and slow readers; refuses to know
what the events say.

Each conversation that somebody follows, or in which something happens, has a ring of its last events. An event's id is
`<epoch>.<seq>`: the epoch is this process, `seq` grows with the clock, so that an id of another process still says when
it was made. A reader that cannot take more gets nothing until it can, and then what the ring still has, or a summary:
nothing is ever kept for one reader.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from secrets import token_hex
from typing import Any

import msgspec

from freehold.core.errors import FreeholdError, OverLimit, StoreError
from freehold.wire.api import EventStream
from freehold.wire.exchange import Exchange
from freehold.wire.sse import encode

RING_BYTES = 262_144
"""What a ring holds at most."""
HEARTBEAT = 15.0
"""Seconds after which a comment is sent, and it is asked again whether the reader may read."""
STREAMS = 64
"""Streams of one member in one process: they are connections, of which there are not any number for everybody."""
OVERLAP_MS = 5_000
"""How far back a summary goes before the moment that an unknown id names: clocks of hosts differ, and the store is
behind what is heard."""
IDLE = 300.0
"""Seconds after which a ring that nobody follows is let go of."""
UNFOLLOWED_BYTES = 33_554_432
"""What all rings that nobody follows hold at most: beyond it the oldest go, and who comes back gets a summary."""

Told = tuple[str, Any]
"""An event: its name and its data."""
Summary = Callable[[str, int], Awaitable[Callable[[], list[Told]]]]
"""Asked with a conversation and the moment (ms) from which changes matter. What it returns is called when the summary
is about to be written, so that it can say what is true at that moment."""

Again = Callable[[], Awaitable[Any]]
"""Raises FreeholdError once a reader may read no longer."""

_json = msgspec.json.Encoder().encode


class Channel:
    """The last events of one conversation, and who follows it."""

    def __init__(self) -> None:
        self.seq = time.time_ns() // 1_000_000
        self.lost = self.seq  # the newest that the ring no longer has
        self.ring: deque[tuple[int, bytes]] = deque()
        self.size = 0
        self.readers: set[Reader] = set()
        self.told: dict[str, int] = {}  # what was last said whole, by what it is of: not to say it twice
        self.used_at = time.monotonic()

    def add(self, epoch: str, name: str, body: bytes) -> None:
        self.seq = max(self.seq + 1, time.time_ns() // 1_000_000)
        self.used_at = time.monotonic()
        frame = encode(body, name, f"{epoch}.{self.seq}")
        self.ring.append((self.seq, frame))
        self.size += len(frame)
        while self.size > RING_BYTES and self.ring:
            self.lost, gone = self.ring.popleft()
            self.size -= len(gone)
        for reader in self.readers:
            reader.take(self.seq, frame)


class Reader:
    """One client that follows a conversation. `seen` is the last event that it has."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.stream = EventStream(exchange)
        self.seen = 0
        self.behind = True  # it gets nothing as it comes until it has caught up
        self.wake = asyncio.Event()
        self.closed = False

    def take(self, seq: int, frame: bytes) -> None:
        if self.behind:
            return
        if self.stream.pressed:
            self.behind = True
            self.wake.set()
            return
        self.exchange.write(frame)
        self.seen = seq

    def close(self) -> None:
        self.closed = True
        self.wake.set()
        self.stream.relieved.set()


class Hub:
    """All channels of a process. `summary` says what a reader has to know that lost the thread."""

    def __init__(self, summary: Summary) -> None:
        self.epoch = token_hex(4)
        self._summary = summary
        self._channels: dict[str, Channel] = {}
        self._streams: dict[str, int] = {}  # by member
        self._closed = False

    def publish(self, conversation: str, name: str, data: Any, of: str = "") -> None:
        """Tell everybody who follows `conversation`, and whoever comes back to it soon. `of` is the id of a message."""
        channel = self._channel(conversation)
        body = _json(data)
        if name == "delta":
            channel.told.pop(f"message {of}", None)
        else:
            channel.told[f"{name} {of}"] = hash(body)
        channel.add(self.epoch, name, body)

    def offer(self, conversation: str, name: str, data: Any, of: str = "") -> None:
        """As `publish`, unless the very same was the last that was said of it: for what was read in the store."""
        told = self._channel(conversation).told
        mark = hash(_json(data))
        if told.get(f"{name} {of}") != mark:
            self.publish(conversation, name, data, of)

    def followed(self) -> list[str]:
        """Return the conversations that somebody follows here."""
        return [name for name, channel in self._channels.items() if channel.readers]

    def cursor(self, conversation: str) -> str:
        """Return the id after which everything is still to come for whoever reads the conversation now."""
        channel = self._channels.get(conversation)
        return f"{self.epoch}.{channel.seq if channel is not None else time.time_ns() // 1_000_000}"

    async def follow(
        self, exchange: Exchange, conversation: str, after: str | None, member: str = "", again: Again | None = None
    ) -> None:
        """Answer `exchange` with what happens in `conversation`, from `after` on, until the client leaves or, by
        `again`, may read no longer. Raises OverLimit when `member` has too many streams."""
        if self._streams.get(member, 0) >= STREAMS:
            raise OverLimit(
                f"{STREAMS} pages of yours are open.", code="too_many_streams", hint="close some", retry_after=30.0
            )
        self._streams[member] = self._streams.get(member, 0) + 1
        try:
            await self._follow(Reader(exchange), conversation, after, again)
        finally:
            self._streams[member] -= 1
            if not self._streams[member]:
                del self._streams[member]

    async def _follow(self, reader: Reader, conversation: str, after: str | None, again: Again | None) -> None:
        if self._closed:
            reader.stream.close()
            return
        channel = self._channel(conversation)
        channel.readers.add(reader)
        epoch, seq = _read(after)
        known = epoch == self.epoch and channel.lost <= seq <= channel.seq
        reader.seen = seq if known else 0
        since = seq if epoch else time.time_ns() // 1_000_000
        try:
            while not reader.closed:
                if reader.behind:
                    await self._catch_up(reader, conversation, channel, since)
                    since = max(since, channel.seq)
                reader.wake.clear()
                if reader.behind or reader.closed:
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.wake.wait(), HEARTBEAT)
                    continue
                if again is not None and not await _may(again):
                    break
                if not reader.stream.pressed:
                    reader.stream.comment()
        finally:
            channel.readers.discard(reader)
            channel.used_at = time.monotonic()
        reader.stream.close()

    async def _catch_up(self, reader: Reader, conversation: str, channel: Channel, since: int) -> None:
        """Give `reader` what it missed. It is no longer behind when this returns, unless it is full again."""
        if reader.stream.pressed:
            await reader.stream.relieved.wait()
            return
        if reader.seen < channel.lost:
            at = channel.seq
            tell = await self._summary(conversation, since - OVERLAP_MS)
            for name, data in tell():
                reader.stream.send(name, data, f"{self.epoch}.{at}")
            reader.seen = max(at, channel.lost)
        for seq, frame in tuple(channel.ring):
            if seq > reader.seen:
                reader.exchange.write(frame)
        reader.seen = channel.seq
        reader.behind = False

    def removed(self, conversation: str) -> None:
        """The conversation is gone: whoever follows it is told, and let go of."""
        channel = self._channels.pop(conversation, None)
        if channel is not None:
            channel.add(self.epoch, "removed", _json({"id": conversation}))
            for reader in channel.readers:
                reader.close()

    def tidy(self) -> None:
        """Let go of rings that nobody needs."""
        limit, room = time.monotonic() - IDLE, UNFOLLOWED_BYTES
        alone = [(name, channel) for name, channel in self._channels.items() if not channel.readers]
        for name, channel in sorted(alone, key=lambda each: -each[1].used_at):
            room -= channel.size
            if channel.used_at < limit or room < 0:
                del self._channels[name]

    def close(self) -> None:
        """End every stream; who follows comes back to another process."""
        self._closed = True
        for channel in self._channels.values():
            for reader in channel.readers:
                reader.close()

    def _channel(self, conversation: str) -> Channel:
        channel = self._channels.get(conversation)
        if channel is None:
            channel = self._channels[conversation] = Channel()
        return channel


async def _may(again: Again) -> bool:
    """Whether a reader may go on: while the store fails nobody is sent away."""
    try:
        await again()
    except StoreError:
        return True
    except FreeholdError:
        return False
    return True


def _read(after: str | None) -> tuple[str, int]:
    """Return epoch and number of an event's id; ("", 0) for none, and for what is no id."""
    epoch, _, seq = (after or "").partition(".")
    return (epoch, int(seq)) if epoch and seq.isascii() and seq.isdigit() and len(seq) < 19 else ("", 0)
