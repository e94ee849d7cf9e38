"""The way into the ledger: group commit, and what happens while the store is away. Refuses to know who calls.

Everything that waits goes into one transaction; while that one is under way the next group gathers. So the cost of a
commit is shared by all callers that came meanwhile, and nobody waits for a timer in `strict`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from freehold.core.errors import StoreError
from freehold.ledger.bodies import Body, storing
from freehold.ledger.careful import append_carefully
from freehold.ledger.entry import Entry, pack
from freehold.ledger.seal import seal
from freehold.ledger.spool import Record, Spool
from freehold.store import CONFLICT, PATIENCE, VALUE, Store

log = logging.getLogger("freehold.ledger")

State = Literal["ok", "refusing", "spooling"]

FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0  # seconds between tries while the store is away
BEAT = 1.0  # seconds between looks whether the store is there, so that readiness is known while nobody calls
CHUNK = 500  # entries of one careful transaction
PROBE = ("UPDATE meta SET value = value + 1 WHERE name = 'probe'", [()])

_Item = tuple[Entry, "asyncio.Future[None] | None", Sequence[Body]]
"""One entry on its way, who waits for the disk, and what is kept of its texts."""

_Waiting = tuple["Entry | Callable[[], Entry]", "asyncio.Future[None] | None", Sequence[Body]]
"""The same before its group is taken: an intent may not be made yet."""


class Ledger:
    """Takes entries in. Made within a running event loop, which it belongs to.

    `durability`: "strict" lets `intend` and `conclude` return when the disk has the entry; "batched" lets them return
    at once and commits every `flush_ms`, or when `batch` entries wait; when `queue` wait, callers wait too.
    `when_down`: "refuse" raises StoreError at once while the store takes no writes, and recovers by itself; outcomes
    of calls that were under way are held in memory and written then. "spool" keeps entries in the file `spool_path`
    (on the disk before anything returns in `strict`) and carries them over, in order and once each, when the store is
    back; what an earlier process left there is carried over first.
    """

    def __init__(
        self,
        store: Store,
        *,
        durability: Literal["strict", "batched"] = "strict",
        when_down: Literal["refuse", "spool"] = "refuse",
        spool_path: Path | str | None = None,
        flush_ms: float = 20,
        batch: int = 512,
        queue: int = 10_000,
    ) -> None:
        self.state: State = "ok"
        self._store = store
        self._strict = durability == "strict"
        self._flush = flush_ms / 1000
        self._batch = batch
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._items: list[_Waiting] = []  # what waits
        self._intents: dict[tuple[str, int], int] = {}  # in `batched`: where in `_items` an intent stands
        self._doubtful: list[Entry] = []
        self._flushing: list[asyncio.Future[None]] = []  # who waits for what is in `_items` now
        self._flushed: list[asyncio.Future[None]] = []  # who waits for the group that is being written
        self._room: asyncio.Future[None] | None = None
        self._asleep: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._closing = False
        self._end = 0.0
        self._error: StoreError | None = None
        self._spool: Spool | None = None
        if when_down == "spool":
            if spool_path is None:
                raise ValueError("when_down='spool' needs a spool_path")
            self._spool = Spool(Path(spool_path))
            if self._spool.size:
                self.state = "spooling"
        self._away: StoreError | None = None
        self._pump = self._loop.create_task(self._run(), name="ledger")
        self._beat = self._loop.create_task(self._look(), name="ledger-beat") if self._spool is None else None

    # -- the way in -------------------------------------------------------------------------------------------------

    async def intend(self, entry: Entry) -> None:
        """Record who will see what. When this raises StoreError nothing may be sent, and there is nothing to conclude:
        the ledger sees to it itself. When it is cancelled, `conclude` as usual."""
        if self._error is not None:
            raise _again(self._error)
        if self._strict:
            await self._wait_for_disk(entry, ())
            return
        while len(self._items) >= self._queue:
            await self._wait_for_room()
        self._intents[entry.call, entry.attempt] = len(self._items)
        self._items.append((entry, None, ()))
        if self._timer is None or len(self._items) >= self._batch:
            self._schedule()

    async def conclude(self, entry: Entry, bodies: Sequence[Body] | None = None) -> None:
        """Record what came of an attempt, with what is kept of its texts. When this raises StoreError the entry is not
        on the disk yet; it is held, and written when the store is back."""
        if self._strict:
            if self._error is not None:
                self._items.append((entry, None, bodies or ()))
                raise _again(self._error)
            await self._wait_for_disk(entry, bodies or ())
            return
        place = self._intents.pop((entry.call, entry.attempt), None)
        if place is not None:
            # An outcome repeats all that its intent said, so an intent that still waits is not written apart.
            self._items[place] = (entry, None, bodies or ())
            return
        while len(self._items) >= self._queue and self._error is None:
            await self._wait_for_room()
        self._items.append((entry, None, bodies or ()))
        if self._timer is None or len(self._items) >= self._batch:
            self._schedule()

    def promise(self, call: str, attempt: int, make: Callable[[], Entry]) -> Awaitable[None] | None:
        """As `intend` with the entry of `make`, for whoever has many: None when there is nothing to wait for.

        In `batched` mode `make` is called when the intent is written, which it is not when its outcome comes first; so
        what it says may not change meanwhile."""
        if self._error is None:
            if self._strict:
                return self._wait_for_disk(make(), ())
            if len(self._items) < self._queue:
                self._intents[call, attempt] = len(self._items)
                self._items.append((make, None, ()))
                if self._timer is None or len(self._items) >= self._batch:
                    self._schedule()
                return None
        return self.intend(make())

    def keep(self, entry: Entry, bodies: Sequence[Body] = ()) -> Awaitable[None] | None:
        """As `conclude`, for whoever has many: None when there is nothing to wait for."""
        if self._strict:
            return self._wait_for_disk(entry, bodies) if self._error is None else self.conclude(entry, bodies)
        place = self._intents.pop((entry.call, entry.attempt), None)
        if place is None:
            return self.conclude(entry, bodies)
        self._items[place] = (entry, None, bodies)
        return None

    def _wait_for_disk(self, entry: Entry, bodies: Sequence[Body]) -> asyncio.Future[None]:
        future = self._loop.create_future()
        self._items.append((entry, future, bodies))
        if self._asleep is not None:
            self._ring()
        return future

    async def note_admin(self, entry: Entry) -> None:
        """Record an act of an administrator; returns when it is durable. Raises StoreError."""
        if self._error is not None:
            raise _again(self._error)
        future = self._loop.create_future()
        self._items.append((entry, future, ()))
        self._ring()
        await future

    async def flush(self) -> None:
        """Return when everything that was taken in so far is durable. Raises StoreError when that cannot be now."""
        if self._error is not None:
            raise _again(self._error)
        if self._pump.done():
            return
        future = self._loop.create_future()
        self._flushing.append(future)
        self._ring()
        await future

    async def close(self) -> None:
        """Write what waits, then stop. Raises StoreError when entries could not be written; `recover` will close their
        calls as interrupted. A spool that is not empty stays for the next start."""
        self._closing, self._end = True, self._loop.time() + PATIENCE
        self._ring()
        try:
            await self._pump
        finally:
            if self._beat is not None:
                self._beat.cancel()
            if self._spool is not None:
                self._spool.close()

    # -- the queue --------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if len(self._items) >= self._batch:
            self._ring()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._flush, self._ring)

    def _take(self) -> list[_Item]:
        group: Any = self._items
        self._items = []
        for place in self._intents.values():
            made = group[place][0]
            if made.__class__ is not Entry:
                try:
                    group[place] = (made(), None, ())
                except Exception as e:
                    _unforeseen(e)  # nobody waits for it, and its outcome will repeat what it would have said
                    group[place] = None
        self._intents.clear()
        taken: list[_Item] = [item for item in group if item is not None] if None in group else group
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        return taken

    async def _wait_for_room(self) -> None:
        if self._room is None or self._room.done():
            self._room = self._loop.create_future()
        await asyncio.shield(self._room)
        if self._error is not None:
            raise _again(self._error)

    def _ring(self) -> None:
        self._due = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asleep is not None and not self._asleep.done():
            self._asleep.set_result(None)

    async def _sleep(self, seconds: float | None = None) -> None:
        """Return at the next ring, or after `seconds`."""
        self._asleep = self._loop.create_future()
        timer = self._loop.call_later(seconds, _wake, self._asleep) if seconds is not None else None
        try:
            if not self._due:
                await self._asleep
        finally:
            self._asleep = None
            self._due = False
            if timer is not None:
                timer.cancel()

    # -- the pump ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        if self.state == "spooling":
            await self._through_spool([])
        while True:
            if not self._items and not self._flushing:
                if self._closing:
                    return
                await self._sleep()
            elif not self._due and not self._strict and not self._flushing and not self._closing:
                await self._sleep()
            self._due = False
            self._flushed, self._flushing = self._flushing, []
            group = self._take()
            try:
                error = await self._commit(group)
            except StoreError:  # only as it closes, and cannot write what it holds
                raise
            except Exception as e:  # the pump outlives whatever it is: without it every call would wait for ever
                error = _unforeseen(e)
                for _, future, _ in group:
                    _resolve(future, error)
                self.state, self._error = "ok", None
            for future in self._flushed:
                _resolve(future, error)

    async def _commit(self, group: list[_Item]) -> StoreError | None:
        """Write one group, by the straight way or another; return why callers had to be refused, if so."""
        away, self._away = self._away, None
        if not group:
            return await self._refuse([], away) if away is not None else None
        try:
            await self._append(group)
        except Exception as e:
            error = e if isinstance(e, StoreError) else _unforeseen(e)
            if self._spool is not None:
                return await self._through_spool(group, error)
            return await self._refuse(group, error)
        for _, future, _ in group:
            if future is not None and not future.done():
                future.set_result(None)
        return None

    async def _append(self, group: list[_Item]) -> None:
        also = storing([(entry, bodies) for entry, _, bodies in group if bodies])
        try:
            await self._store.append("entry", seal([pack(entry) for entry, _, _ in group]), also=also)
            return
        except UnicodeEncodeError:
            pass
        except StoreError as e:
            if e.code not in (CONFLICT, VALUE):
                raise
        await self._append_carefully(_records(group))

    async def _append_carefully(self, records: Sequence[Record]) -> None:
        for start in range(0, max(len(records), 1), CHUNK):
            part = records[start : start + CHUNK]
            doubtful = self._doubtful[:CHUNK] if start == 0 else []
            try:
                texts = storing([(record.entry, record.bodies) for record in part])
                await append_carefully(self._store, [record.entry for record in part], doubtful, also=(PROBE, *texts))
            except StoreError:
                raise
            except Exception as e:
                raise _unforeseen(e) from e
            del self._doubtful[: len(doubtful)]

    # -- while the store is away ------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Find out while nobody calls that the store is not there. A slow answer says nothing: reports may be busy."""
        while not self._closing:
            await asyncio.sleep(BEAT)
            if self.state == "ok":
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._store.generation()
                except StoreError as e:
                    if e.code != "store_slow":
                        self._away = e
                        self._ring()
                except TimeoutError:
                    pass

    async def _refuse(self, group: list[_Item], error: StoreError) -> StoreError:
        """Refuse calls until the store takes writes again. Outcomes (and in `batched` intents too: their calls are on
        their way) are held; an intent that was refused may have been written all the same, so it is in doubt."""
        self.state, self._error = "refusing", error
        _log("calls are refused: the ledger takes no entries", error)
        first = error
        held: list[_Item] = []
        pause = FIRST_PAUSE
        while True:
            held += self._sort_out([*group, *self._take()], error)
            self._tell_flushers(error)
            if not self._closing:
                await self._nap(pause)
            group = self._take()
            held += self._sort_out(group, error)
            group = []
            try:
                await self._append_carefully(_records(held))
            except StoreError as e:
                if e.code != error.code:
                    _log("calls are still refused", e)
                error = self._error = e
                if self._closing:
                    raise StoreError(
                        f"{len(held)} entries could not be written before the end: {e.message}",
                        hint="their calls are closed as interrupted, at the reserved cost, once the store is back",
                    ) from e
                pause = min(pause * 2, LAST_PAUSE)
                continue
            self.state, self._error = "ok", None
            log.info("calls are taken again: the store is back", extra={"held_entries": len(held)})
            return first

    def _sort_out(self, group: list[_Item], error: StoreError) -> list[_Item]:
        """Tell those who wait; return what is to be held."""
        held: list[_Item] = []
        for entry, future, bodies in group:
            if future is not None:
                _resolve(future, error)
                if entry.kind == "intent":
                    self._doubtful.append(entry)
                    continue
                if entry.kind == "admin":
                    continue
            held.append((entry, None, bodies))
        return held

    def _tell_flushers(self, error: StoreError | None) -> None:
        for future in (*self._flushed, *self._flushing):
            _resolve(future, error)
        self._flushed, self._flushing = [], []

    async def _nap(self, seconds: float) -> None:
        """Sleep through rings, except the one of closing."""
        until = self._loop.time() + seconds
        while not self._closing and (left := until - self._loop.time()) > 0:
            await self._sleep(left)

    async def _through_spool(self, group: list[_Item], why: StoreError | None = None) -> StoreError | None:
        """Take entries to the spool until the store has all of them. When the spool fails too, refuse."""
        assert self._spool is not None
        self.state = "spooling"
        if why is not None:
            _log("entries go to the spool", why, spool=str(self._spool.path))
        attempt: asyncio.Task[None] | None = None
        pause, due = FIRST_PAUSE, self._loop.time()
        try:
            while True:
                group += self._take()
                if group:
                    records = _records(group)
                    try:
                        await asyncio.to_thread(self._spool.write, records)
                    except Exception as e:
                        if attempt is not None:
                            await asyncio.wait([attempt])
                        return await self._refuse(group, e if isinstance(e, StoreError) else _unforeseen(e))
                    for _, future, _ in group:
                        _resolve(future, None)
                    group = []
                    continue
                self._tell_flushers(None)  # what came before a flush is on the disk now, be it in the spool
                if attempt is not None and attempt.done():
                    pause = pause * 2 if attempt.exception() else FIRST_PAUSE
                    due = self._loop.time() + (min(pause, LAST_PAUSE) if attempt.exception() else 0)
                    if attempt.exception() and self._closing and self._loop.time() > self._end:
                        return None
                    attempt = None
                if attempt is None and self._spool.done >= self._spool.size:
                    try:
                        await asyncio.to_thread(self._spool.clear)
                    except StoreError as e:  # what it still holds is in the store, and goes there once only
                        _log("the spool could not be emptied", e)
                    self.state = "ok"
                    log.info("the spool is in the ledger: the store is back", extra={"spool": str(self._spool.path)})
                    return None
                if attempt is None and self._loop.time() >= due:
                    attempt = self._loop.create_task(self._carry_over())
                    attempt.add_done_callback(lambda _: self._ring())
                await self._sleep(None if attempt is not None else due - self._loop.time())
        finally:
            if attempt is not None:
                attempt.cancel()

    async def _carry_over(self) -> None:
        """Bring the next records from the spool into the store."""
        assert self._spool is not None
        records, done = await asyncio.to_thread(self._spool.read, CHUNK)
        await self._append_carefully(records)
        self._spool.done = done


async def replay(store: Store, path: Path) -> int:
    """Carry over a spool that a process left which is not coming back; return how many records it held. The file is
    removed. Raises StoreError; then the file is as it was."""
    spool = Spool(path)
    count = 0
    try:
        while True:
            records, done = await asyncio.to_thread(spool.read, CHUNK)
            if done == spool.done:
                break
            texts = storing([(record.entry, record.bodies) for record in records])
            await append_carefully(store, [record.entry for record in records], also=texts)
            spool.done = done
            count += len(records)
        await asyncio.to_thread(path.unlink)
        return count
    finally:
        spool.close()


def _log(event: str, error: StoreError, **more: str) -> None:
    log.error(event, extra={"why": error.message, "code": error.code, "hint": error.hint, **more})


def _unforeseen(error: Exception) -> StoreError:
    """Return what callers hear of a mistake of ours: the pump has to outlive it, or they would wait for ever."""
    log.error("the ledger failed", exc_info=error)
    what = f"The ledger failed: {type(error).__name__}: {error}."
    return StoreError(what, code="store_error", hint="this is a bug of ours; report it with the log")


def _records(group: Sequence[_Item]) -> list[Record]:
    return [Record(entry, tuple(bodies)) for entry, _, bodies in group]


def _resolve(future: asyncio.Future[None] | None, error: StoreError | None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(_again(error))


def _again(error: StoreError) -> StoreError:
    """Return a fresh copy: one exception raised in many tasks would gather all their tracebacks."""
    return StoreError(
        error.message,
        code=error.code,
        hint=error.hint or "bring the store back; calls are taken again by themselves",
        retry_after=LAST_PAUSE,
    )


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
