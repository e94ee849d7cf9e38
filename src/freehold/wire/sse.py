"""Server-sent events: a parser, an encoder, and a tap on a stream that passes through. Refuses to know dialects beyond
what a model, a usage block and an end look like on the way past."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec

from freehold.core.errors import UpstreamBroken

_BLANK_LINE = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_BOM = b"\xef\xbb\xbf"

EVENT_BYTES = 16777216
"""The longest event that is held until its end comes, in bytes."""


class Event(NamedTuple):
    """One event; `data` is its data lines joined with a line feed, `name` its type."""

    data: bytes
    name: str | None
    id: str | None


class _Failure(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Shape(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


def encode(data: bytes, event: str | None = None, id: str | None = None) -> bytes:
    """Return one event. Line breaks in `data` become data lines of their own; ValueError for one in `event` or `id`."""
    for field in (event, id):
        if field is not None and ("\n" in field or "\r" in field):
            raise ValueError("a field of an event has a line break in it")
    if b"\n" not in data and b"\r" not in data and event is None and id is None:
        return b"data: %b\n\n" % data
    head = f"event: {event}\n" if event is not None else ""
    if id is not None:
        head += f"id: {id}\n"
    lines = re.split(rb"\r\n|\n|\r", data)
    return head.encode() + b"".join([b"data: %b\n" % line for line in lines]) + b"\n"


def events(data: bytes) -> Iterator[Event]:
    """Yield the events in a whole stream (WHATWG HTML, section 9.2.6), an unfinished last one too. Comments and events
    without data are passed over; a lone CR does not end a line."""
    data = data.removeprefix(_BOM)
    ends = [match.end() for match in _BLANK_LINE.finditer(data)]
    for start, end in pairwise([0, *ends, len(data)]):
        block = data[start:end]
        payload = _payload(block)
        if payload is not None:
            yield Event(payload, _field(block, b"event"), _field(block, b"id"))


def blocks(data: bytes) -> Iterator[tuple[bytes, Event | None]]:
    """Yield each of the whole events in `data` as it stands there, blank line included, and what it says; None for a
    comment."""
    if data.startswith(b"data: {") and data.find(b"\n") == len(data) - 2 and data.endswith(b"}\n\n"):
        yield data, Event(data[6:-2], None, None)
        return
    ends = [match.end() for match in _BLANK_LINE.finditer(data)]
    for start, end in pairwise([0, *ends, len(data)] if not ends or ends[-1] < len(data) else [0, *ends]):
        block = data[start:end]
        payload = _payload(block)
        yield block, Event(payload, _field(block, b"event"), _field(block, b"id")) if payload is not None else None


def _payload(block: bytes) -> bytes | None:
    """Return the data lines of an event, joined with a line feed; None when it has none."""
    lines = []
    for line in _LINE_END.split(block):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines) if lines else None


def _field(block: bytes, name: bytes) -> str | None:
    """Return the last value of the field `name` in an event."""
    value = None
    for line in _LINE_END.split(block):
        before, _, after = line.partition(b":")
        if before == name:
            value = after.removeprefix(b" ").decode("utf-8", "replace")
    return value


class EventTap:
    """Reads along on a stream that passes, and lets only whole events through.

    `usage_data` is the payload of the last event with a usage object, `first_data` of the first event, `done` whether
    [DONE] came, `events` the number of payloads and `chars` their bytes, [DONE] not counted. With `strip_usage` the
    event that holds usage and no choices, which a vendor adds on request, is kept from the client. So is an event that
    is an error: `error_data` is its payload, and nothing after it is let through.

    What is let through in all, and what is known at the end, does not depend on how the stream was cut into pieces.
    """

    __slots__ = (
        "_searched",
        "_tail",
        "chars",
        "done",
        "error_data",
        "events",
        "first_data",
        "strip_usage",
        "usage_data",
    )

    def __init__(self, *, strip_usage: bool = False) -> None:
        self.strip_usage = strip_usage
        self.usage_data: bytes | None = None
        self.first_data: bytes | None = None
        self.error_data: bytes | None = None
        self.done = False
        self.events = 0
        self.chars = 0
        self._tail = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> bytes:
        """Return what may go on to the client now. UpstreamBroken when an event has no end within EVENT_BYTES."""
        if (
            data.endswith(b"}\n\n")
            and data.startswith(b"data: {")
            and not self._tail
            and self.first_data is not None
            and b'"error"' not in data  # inside a string its quotes would be escaped
            and (b'"usage"' not in data or data.count(b'"usage"') == data.count(b'"usage":null'))
        ):
            # Whole events of one JSON line each and nothing to note in them is what nearly every read brings: mostly
            # one, with no line feed but its last two; or several, when all line feeds stand in pairs between such.
            size = len(data)
            if data.find(b"\n") == size - 2:
                self.events += 1
                self.chars += size - 8
                return data
            ends = data.count(b"}\n\n")
            if data.count(b"\n") == 2 * ends and data.count(b"\ndata: {") == ends - 1:
                self.events += ends
                self.chars += size - 8 * ends
                return data
        return self._feed(data)

    def finish(self) -> bytes:
        """Return what was held back, once the stream has ended: an event without its blank line, usually nothing."""
        rest = bytes(self._tail)
        self._tail.clear()
        self._searched = 0
        return rest if not rest or self._see(rest) else b""

    def _feed(self, data: bytes) -> bytes:
        tail = self._tail
        if tail:
            tail += data
            start = self._searched
            data = bytes(tail) if _BLANK_LINE.search(tail, start) else b""
            if not data:
                self._hold(len(tail))
                return b""
            tail.clear()
        passed = []
        at = 0
        for match in _BLANK_LINE.finditer(data):
            end = match.end()
            block = data[at:end]
            if self._see(block):
                passed.append(block)
            at = end
        if at < len(data):
            tail += data[at:]
            self._hold(len(tail))
        return passed[0] if len(passed) == 1 else b"".join(passed)

    def _hold(self, size: int) -> None:
        if size > EVENT_BYTES:
            raise UpstreamBroken("an event of the stream has no end", hint="Try again; the server is at fault.")
        self._searched = max(size - 2, 0)  # a blank line may be cut in two

    def _see(self, block: bytes) -> bool:
        """Note what one event says; False when it is not for the client."""
        if self.first_data is None:
            block = block.removeprefix(_BOM)
        payload = _payload(block)
        if payload is None:
            return True
        if payload.strip() == b"[DONE]":
            self.done = True
            return True
        if self.error_data is not None:
            return False
        if b'"error"' in payload and _is_error(payload):
            self.error_data = payload
            return False
        self.events += 1
        self.chars += len(payload)
        if self.first_data is None:
            self.first_data = payload
        if b'"usage"' in payload and _USAGE.search(payload):
            self.usage_data = payload
            return not (self.strip_usage and _is_pure_usage(payload))
        return True


def _is_error(payload: bytes) -> bool:
    try:
        found = msgspec.json.decode(payload, type=_Failure).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return bytes(found) != b"null"


def _is_pure_usage(payload: bytes) -> bool:
    if not _NO_CHOICES.search(payload):
        return False
    try:
        shape = msgspec.json.decode(payload, type=_Shape)
    except msgspec.DecodeError:
        return False
    return shape.choices == [] and bytes(shape.usage).startswith(b"{")
