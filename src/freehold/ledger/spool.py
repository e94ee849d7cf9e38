"""A file that takes entries while the store cannot. Knows how to survive a torn write; refuses to know why it is used.

One record a line: CRC-32 in 8 hexadecimal digits, a space, JSON of [entry, bodies]. Blocking: call it from a thread.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import msgspec

from freehold.core.errors import StoreError
from freehold.ledger.bodies import Body
from freehold.ledger.entry import Entry


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
        self.size = path.stat().st_size if path.exists() else 0

    def write(self, records: Sequence[Record]) -> None:
        """Append and bring to the disk. Raises StoreError; then none of them is acknowledged."""
        block = b"".join(_line(record) for record in records)
        try:
            fd = self._open()
            self.size = os.lseek(fd, 0, os.SEEK_END)
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
            with os.fdopen(os.dup(fd), "rb") as file:
                file.seek(at)
                for line in file:
                    if len(records) == limit:
                        break
                    if at + len(line) > self.size:
                        break
                    at += len(line)
                    record = _parse(line)
                    if record is not None:
                        records.append(record)
                    elif line != b"\n":
                        self.damaged += 1
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


def _line(record: Record) -> bytes:
    data = _encode(record)
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
