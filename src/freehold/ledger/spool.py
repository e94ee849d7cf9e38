"""A file that takes entries while the store cannot. Knows how to survive a torn write; refuses to know why it is used.

One record a line: CRC-32 in 8 hexadecimal digits, a space, JSON of [entry, bodies]. Blocking: call it from a thread;
one may write while another reads.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

import msgspec

from freehold.core.errors import StoreError
from freehold.ledger.bodies import Body
from freehold.ledger.entry import Entry, clean

BLOCK = 1 << 20  # bytes read at once


class Record(msgspec.Struct, frozen=True, array_like=True):
    """An entry and what is kept of its texts."""

    entry: Entry
    bodies: tuple[Body, ...] = ()


_decode = msgspec.json.Decoder(Record).decode
_encode = msgspec.json.Encoder().encode


class Spool:
    """Belongs to one process at a time. `done` counts the bytes that were replayed, `size` those that are there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done = 0
        self.damaged = 0  # records that were torn: they had never been acknowledged
        self._fd: int | None = None
        self._torn = False
        self._opening = threading.Lock()  # reading and writing may begin at once, and the file is locked to one opener
        self.size = path.stat().st_size if path.exists() else 0

    def write(self, records: Sequence[Record]) -> None:
        """Append and bring to the disk. Raises StoreError; then none of them is acknowledged."""
        block = b"".join(_line(record) for record in records)
        try:
            fd = self._open()
            self.size = os.fstat(fd).st_size
            if self._torn:
                block = b"\n" + block
            self._torn = True
            view = memoryview(block)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
            self._torn = False
            self.size += len(block)
        except OSError as e:
            hint = "free some space where the spool lies, or bring the store back"
            raise StoreError(f"The spool {self.path} takes no entries: {e.strerror}.", hint=hint) from e

    def read(self, limit: int) -> tuple[list[Record], int]:
        """Return up to `limit` records that are not `done`, and what `done` will be after them."""
        try:
            fd = self._open()
            records: list[Record] = []
            at = self.done
            for line in _lines(fd, at, self.size):
                at += len(line)
                record = _parse(line)
                if record is not None:
                    records.append(record)
                elif line != b"\n":
                    self.damaged += 1
                if len(records) == limit:
                    break
            return records, at
        except OSError as e:
            hint = "see the system log; the file is kept as it is"
            raise StoreError(f"The spool {self.path} cannot be read: {e.strerror}.", hint=hint) from e

    def clear(self) -> None:
        """Forget everything: it is in the store. Raises StoreError."""
        try:
            if self._fd is not None:
                os.ftruncate(self._fd, 0)
                os.fsync(self._fd)
        except OSError as e:
            hint = "see the system log; what the file holds is in the store already"
            raise StoreError(f"The spool {self.path} cannot be emptied: {e.strerror}.", hint=hint) from e
        self.done = self.size = 0
        self._torn = False

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        with self._opening:
            return self._opened()

    def _opened(self) -> int:
        if self._fd is None:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                raise
            self._fd = fd
            self.size = os.fstat(fd).st_size
            self._torn = self.size > 0 and os.pread(fd, 1, self.size - 1) != b"\n"
        return self._fd


def _lines(fd: int, at: int, end: int) -> Iterator[bytes]:
    """Return the lines between two places. Another thread may be writing to the same file, and would move the position
    that reading goes by, so each block is read from a place of its own."""
    rest = b""
    while at < end and (block := os.pread(fd, min(BLOCK, end - at), at)):
        at += len(block)
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _line(record: Record) -> bytes:
    try:
        data = _encode(record)
    except (UnicodeEncodeError, OverflowError):  # half a character, or a number beyond 64 bits
        data = _encode(Record(clean(record.entry), record.bodies))
    return b"%08x %b\n" % (crc32(data), data)


def _parse(line: bytes) -> Record | None:
    """Return the record of a line, None for one that was torn."""
    data = line[9:-1]
    try:
        if not line.endswith(b"\n") or int(line[:8], 16) != crc32(data):
            return None
        return _decode(data)
    except ValueError:
        return None
