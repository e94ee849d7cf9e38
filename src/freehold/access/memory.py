"""The limits' counters in memory that all processes of one server share. Knows their layout; refuses to know any rule.

A table of fixed slots of 64-bit words with open addressing: a limit's slot is found from a digest of its id in the same
way in every process, so a limit that comes into being at run time needs no word between them. A slot holds what is
used, what is reserved, which window that is of, each worker's share of the reserved, and a ring of one-second buckets.
Before the slots stands a list of those that are taken: whoever goes through all of them touches no other memory.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from freehold.core.errors import ConfigError

USED, RESERVED, MARK, SHARES = range(4)
"""Offsets in words from a slot's base. MARK is the second, day or month that the slot stands at; SHARES begins one word
per worker; the ring follows."""

RING = 61
"""Buckets of a sliding minute: sixty whole seconds and the one that runs, so that no sixty seconds ever hold more."""

SLOTS = 65_536
"""Limits that one server can count; about 600 bytes each once it is used."""

_DIGEST = 2
_ALIGN = 8


class LimitsMemory:
    """Shared memory for `slots` limits and `workers` processes.

    `fd` is a memory file that the supervisor made and handed to its workers, each of which maps it; without one the
    memory is anonymous, for processes that fork. Untouched slots take no memory. `words` is the whole as signed 64-bit
    integers.
    """

    def __init__(self, slots: int = SLOTS, workers: int = 1, fd: int | None = None) -> None:
        if slots < 1 or workers < 1:
            raise ConfigError("limits memory needs at least one slot and one worker", hint="ask for one of each")
        self.slots, self.workers = slots, workers
        self.ring = SHARES + workers
        self._size = -(-(_DIGEST + self.ring + RING) // _ALIGN) * _ALIGN
        self._first = -(-(1 + slots) // _ALIGN) * _ALIGN  # the list of taken slots: how many, and which
        self._room = slots - slots // 8  # a table that is quite full would be searched from end to end
        size = (self._first + self._size * slots) * 8
        if fd is not None and os.fstat(fd).st_size < size:
            os.ftruncate(fd, size)
        self._map = mmap.mmap(-1 if fd is None else fd, size)
        self.words = memoryview(self._map).cast("q")

    def base(self, limit_id: str, *, add: bool = True) -> int | None:
        """Return the base of the slot of `limit_id`, taking a free one when `add`; None when there is none.

        To be called under the lock. Raises ConfigError when there is no room for another one.
        """
        digest = blake2b(limit_id.encode(), digest_size=16).digest()
        low = int.from_bytes(digest[:8], "little", signed=True) or 1
        high = int.from_bytes(digest[8:], "little", signed=True)
        words, slots = self.words, self.slots
        index = low % slots
        for _ in range(slots):
            at = self._first + index * self._size
            if words[at] == low and words[at + 1] == high:
                return at + _DIGEST
            if words[at] == 0 and words[at + 1] == 0:
                if not add:
                    return None
                if words[0] >= self._room:
                    break
                # A process killed between these leaves a slot on the list that no limit matches: lost, never wrong.
                words[words[0] + 1] = at
                words[0] += 1
                words[at + 1], words[at] = high, low
                return at + _DIGEST
            index = (index + 1) % slots
        raise ConfigError(
            f"there is no room for another limit: {self._room} are counted already",
            hint="restart the server to forget those of keys that are gone; with a PostgreSQL store there is no bound",
        )

    def bases(self) -> list[int]:
        """Return the bases of all slots in use."""
        words = self.words
        return [at + _DIGEST for at in dict.fromkeys(words[1 : words[0] + 1]) if words[at]]

    def close(self) -> None:
        """Give the memory back. Only once no meter uses it."""
        self.words.release()
        self._map.close()


class ProcessLock:
    """A lock between processes that the kernel takes back from a dead one. To be made after the fork, once a process:
    a lock that was inherited is the parent's own and shuts nobody out."""

    def __init__(self, path: str | Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> ProcessLock:
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self.fd)
