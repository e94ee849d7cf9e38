"""The protocol that both engines keep, and the shape of a chained table. Refuses to know any SQL engine."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from freehold.core.errors import FreeholdError, StoreError

Row = tuple[Any, ...]
Step = tuple[str, Sequence[Sequence[Any]]]
"""One SQL statement and the rows of parameters it runs with, in order."""

PATIENCE = 5.0
"""Seconds that a write may take, its wait for a turn included, before it fails."""

CONFLICT = "store_conflict"
"""The `code` of the StoreError that a broken rule of a table (UNIQUE, CHECK, ...) raises; nothing was written."""


VALUE = "store_value"
"""The `code` of the StoreError for a value that the engine cannot hold; nothing was written."""


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: the number and hash of its last row (0 and 32 zero bytes when empty). `found` holds the
    answer to the question that went along with `append`."""

    seq: int = 0
    hash: bytes = bytes(32)
    found: Sequence[Row] = ()


FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
"""Seconds between tries to have a change taken that was not."""

log = logging.getLogger("freehold.store")

Build = Callable[[Head], Sequence[Row]]
"""Returns the rows that follow `head`, each in the lane's column order, `seq` and `hash` first. It may be called more
than once for one append, on any thread, while the chain is locked: it must be quick and depend on `head` alone."""


class Lane(msgspec.Struct, frozen=True):
    """A chained table: its name and its columns, of which the first two are `seq` and `hash`."""

    table: str
    columns: tuple[str, ...]

    @lru_cache(maxsize=256)  # noqa: B019 (lanes are constants)
    def insert(self, rows: int) -> str:
        """Return the INSERT for that many rows."""
        values = f"({','.join('?' * len(self.columns))})"
        return f"INSERT INTO {self.table}({','.join(self.columns)}) VALUES {','.join([values] * rows)}"

    @property
    def head(self) -> str:
        return f"SELECT seq, hash FROM {self.table} ORDER BY seq DESC LIMIT 1"


class Tries:
    """Calls back for `watch`. What fails is said once for each generation, and tried again later and later."""

    def __init__(self, callback: Callable[[int], Awaitable[None] | None]) -> None:
        self._callback = callback
        self._failed: int | None = None
        self.pause = FIRST_PAUSE  # seconds until the next try, after one that failed

    async def call(self, generation: int) -> bool:
        """Return whether the callback took `generation`."""
        try:
            answer = self._callback(generation)
            if answer is not None:
                await answer
        except Exception as e:
            again = generation == self._failed
            self.pause = min(self.pause * 2, LAST_PAUSE) if again else FIRST_PAUSE
            if not again:
                hint = e.hint if isinstance(e, StoreError) else "what was in force stays so; it is tried again"
                log.error(
                    "a change in the store is not in force yet",
                    extra={"generation": generation, "why": str(e) or type(e).__name__, "hint": hint},
                    exc_info=None if isinstance(e, FreeholdError) else e,
                )
            self._failed = generation
            return False
        if self._failed is not None:
            log.info("the change in the store is in force", extra={"generation": generation})
        self._failed = None
        return True


class Store(Protocol):
    """SQLite or PostgreSQL. SQL is written once for both: `?` for parameters, text, integers (64 bits), floats and
    bytes as values; sums come back as int. All methods raise StoreError, with a hint; a write within `PATIENCE`."""

    engine: str

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        """Return all rows of a query. It sees everything that was written before it began."""
        ...

    async def write(self, *steps: Step, durable: bool = True, patience: float | None = None) -> int:
        """Run `steps` in one transaction and return the number of rows changed by the last one.

        `durable=False` lets the commit return before the disk has it: it survives a kill of any process, not a loss
        of power. `patience` is in seconds.
        """
        ...

    async def append(self, lane: str, build: Build, *, ask: Sequence[Any] = (), also: Sequence[Step] = ()) -> Head:
        """Append to a chain in one transaction: lock it, read its head, insert `build(head)`, commit; return the head.

        `ask` is (sql, *args) of a query that is answered under the lock into `head.found`; `also` are steps that
        commit together with the rows. Several processes may append to one chain.
        """
        ...

    async def generation(self) -> int:
        """Return the number that `bump` last counted to."""
        ...

    async def bump(self) -> int:
        """Say to all processes that configuration kept in the store has changed; return the new generation."""
        ...

    async def watch(self, callback: Callable[[int], Awaitable[None] | None], seen: int | None = None) -> None:
        """Call back with the generation soon (100 ms) after any process bumped it. Runs until cancelled; a store that
        is away for a while is waited for, and a callback that fails is logged and called again until it does not.

        `seen` is the generation that the caller knows already: read before what is kept is loaded, so that no change
        in between is missed; None for the one there is now.
        """
        ...

    async def shred(self, table: str, *steps: Step) -> int:
        """As `write`, for statements that overwrite or delete from `table`: afterwards the old bytes are gone from
        the store's own files as far as the engine can bring that about."""
        ...

    async def close(self) -> None:
        """Finish what was submitted, then let go of everything."""
        ...
