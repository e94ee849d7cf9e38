"""Cuts a long JSON text into the values of its outer list without reading them: a gigabyte passes through a few
megabytes. Knows brackets and strings; refuses to know what the values mean.

Two forms are cut: a list (or several values one after the other), and an object with a list called `conversations`.
Everything else comes out in one piece. A value that is no JSON inside still has its end found, so it fails alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

PIECE_BYTES = 192 * 1024 * 1024
"""The longest value that is handed on. A longer one is passed over and said to be too long."""

_BOM = b"\xef\xbb\xbf"
# Everything up to the next bracket, whole strings included. Possessive, so that nothing is kept to come back to.
_NEXT = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+[{}\[\]]', re.DOTALL)
# The same, twice as fast, where no row of backslashes is longer than 15: a quotation mark behind an odd number of them
# is inside its string. (A set that leaves out one character is searched much faster than one that leaves out two.)
_ODD = b"|".join(rb"(?<=[^\\]" + rb"\\" * count + rb'")' for count in range(1, 16, 2))
_ODD = rb'(?<=\\")(?:' + _ODD + b")"
_QUICK = re.compile(
    rb'[^"{}\[\]]*+(?:"[^"]*+"(?:' + _ODD + rb'[^"]*+")*+(?!' + _ODD + rb')[^"{}\[\]]*+)*+[{}\[\]]', re.DOTALL
)
_ROW = b"\\" * 16
_LISTED = re.compile(rb'"conversations"\s*:\s*$')
_OPENING = b"{["
_NEAR = 3
"""Brackets deeper than this are only counted."""


class Piece(msgspec.Struct, frozen=True):
    """One value. `data` is None when it was too long. `outer` marks an object that its list was taken out of."""

    data: bytes | None
    outer: bool = False


class Unsound(ValueError):
    """The text cannot be cut any further; what was cut before is good. Its message says why."""


class Splitter:
    """Fed with `feed`, ended with `finish`; both yield pieces and raise Unsound."""

    def __init__(self, most: int = PIECE_BYTES) -> None:
        self._most = most
        self._buffer = b""
        self._at = 0  # up to here brackets have been counted
        self._waiting: list[bytes] = []  # read, and not yet looked at
        self._pending = 0
        self._depth = 0
        self._level = 0  # the depth at which pieces lie; 0 when they lie at the top
        self._begin = -1  # where the piece under way began
        self._skipping = False
        self._outer: list[bytes] | None = None  # what stands around the list of an object
        self._first = True

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take some more of the text."""
        self._waiting.append(data)
        self._pending += len(data)
        # A long string is looked at again from its beginning, so look only when the text has grown by half.
        if self._pending * 2 >= len(self._buffer) - self._at:
            yield from self._look()

    def finish(self) -> Iterator[Piece]:
        """The text has ended."""
        yield from self._look()
        if self._depth or self._buffer[self._at :].strip(b" \t\r\n,"):
            raise Unsound("it ends in the middle")

    def _look(self) -> Iterator[Piece]:
        self._buffer = b"".join((self._buffer, *self._waiting))
        self._waiting.clear()
        self._pending = 0
        if self._first and len(self._buffer) >= len(_BOM):
            self._buffer = self._buffer.removeprefix(_BOM)
            self._first = False
        buffer, at, depth = self._buffer, self._at, self._depth
        find = (_NEXT if _ROW in buffer else _QUICK).match
        while found := find(buffer, at):
            at = found.end()
            if buffer[at - 1] in _OPENING:
                depth += 1
                if depth <= _NEAR:
                    self._depth = depth - 1
                    self._open(at)
            else:
                depth -= 1
                if depth < _NEAR:
                    self._depth = depth + 1
                    self._at = at
                    piece = self._close(at)
                    if piece is not None:
                        yield piece
        self._at, self._depth = at, depth
        self._drop()

    def _open(self, end: int) -> None:
        depth, buffer = self._depth, self._buffer
        if depth == 0:
            self._level = 1 if buffer[end - 1 : end] == b"[" else 0
            if self._level == 0:
                self._begin = end - 1
        elif depth == 1 and self._level == 0 and self._outer is None and buffer[end - 1 : end] == b"[":
            if not self._skipping and _LISTED.search(buffer, max(self._begin, end - 200), end - 1):
                self._outer = [buffer[self._begin : end]]
                self._level, self._begin = 2, -1
        elif depth == self._level and self._begin < 0:
            self._begin = end - 1
        self._depth = depth + 1

    def _close(self, end: int) -> Piece | None:
        self._depth -= 1
        depth = self._depth
        if depth < 0:
            raise Unsound("its brackets do not match")
        if depth == self._level and (self._begin >= 0 or self._skipping):
            return self._take(end, outer=False)
        if self._outer is not None:
            if depth == 1 and self._level == 2:  # the list has ended: the rest of the object goes on
                self._level, self._begin = 0, end - 1
            elif depth == 0:
                self._begin = max(self._begin, 0)
                return self._take(end, outer=True)
        if depth == 0:
            self._begin = -1
        return None

    def _take(self, end: int, outer: bool) -> Piece:
        data = None if self._skipping else self._buffer[self._begin : end]
        if self._outer is not None and self._level == 0:
            data = None if data is None else b"".join((*self._outer, data))
            self._outer, outer = None, True
        self._begin, self._skipping = -1, False
        return Piece(data, outer)

    def _drop(self) -> None:
        """Forget what will not be needed again."""
        rest = len(self._buffer) - self._at
        if rest > self._most:
            raise Unsound(
                f"a text in it is longer than {self._most // 1024 // 1024} MiB, or a quotation mark is missing"
            )
        if self._begin >= 0 and self._at - self._begin > self._most:
            self._skipping, self._begin = True, -1
        keep = self._at if self._begin < 0 else self._begin
        # An object may turn out to have the list: its beginning is looked at again.
        if self._begin < 0 and not self._skipping and self._level == 0:
            keep = self._at
        self._buffer = self._buffer[keep:]
        self._at -= keep
        if self._begin >= 0:
            self._begin -= keep


def pieces(chunks: Iterable[bytes], most: int = PIECE_BYTES) -> Iterator[Piece]:
    """Yield the values in a text that comes in chunks. Raises Unsound."""
    splitter = Splitter(most)
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.finish()
