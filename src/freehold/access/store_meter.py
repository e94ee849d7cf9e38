"""A Meter in the store: exact across several hosts that share one PostgreSQL. Refuses to hold counts of its own.

One transaction decides a reservation. Rows of `counter` are locked in the order of their ids, so that no two calls wait
for each other; a limit without room claims `granted = 0`, which the table forbids, and so undoes the whole transaction.
Hosts compare their clocks through it: keep them in step (NTP), as a minute is judged by the clock of whoever asks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from freehold.access.limits import Limit, closes
from freehold.access.memory import RING
from freehold.access.meter import Reservation, Standing, refusal, wanted
from freehold.access.shared_meter import LEASE as FORGOTTEN
from freehold.access.shared_meter import MOST
from freehold.core.errors import FreeholdError, OverLimit, StoreError
from freehold.core.ids import new_id
from freehold.store import Step, Store

LEASE = 300.0
"""Seconds that a reservation holds without being renewed: how long the room of a host that died stays taken."""

HOLDER = "holder"
"""The file in a server's run folder that names it among the hosts of one store."""

ROOM = "counter_room"
"""The rule of the table that a reservation without room breaks; both engines name it in their message."""

RETRIES = 4

_NEW = "INSERT INTO counter(id) VALUES (?) ON CONFLICT DO NOTHING"
_LOCK = "UPDATE counter SET granted = 1 WHERE id = ?"
_SLIDE = """UPDATE counter SET mark = ?, used = used - (SELECT COALESCE(SUM(amount), 0) FROM counter_second
    WHERE id = ? AND second <= ?) WHERE id = ?"""
_DROP = "DELETE FROM counter_second WHERE id = ? AND second <= ?"
_ROLL = "UPDATE counter SET used = 0, mark = ? WHERE id = ? AND mark < ?"
_HOLD = """UPDATE counter SET reserved = reserved + ?,
    granted = CASE WHEN used + reserved + ? <= ? THEN 1 ELSE 0 END WHERE id = ?"""
_ADMIT = """UPDATE counter SET used = used + ?,
    granted = CASE WHEN used + reserved + ? <= ? THEN 1 ELSE 0 END WHERE id = ?"""
_SECOND = """INSERT INTO counter_second(id, second, amount) VALUES (?, ?, ?)
    ON CONFLICT (id, second) DO UPDATE SET amount = counter_second.amount + excluded.amount"""
_SECOND_OF = """INSERT INTO counter_second(id, second, amount)
    SELECT id, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM counter_lease WHERE id = ? AND lease = ?
    ON CONFLICT (id, second) DO UPDATE SET amount = counter_second.amount + excluded.amount"""
_LEASE = "INSERT INTO counter_lease(id, lease, amount, expires_at) VALUES (?, ?, ?, ?)"
_SETTLE = """UPDATE counter SET
    used = used + CASE WHEN EXISTS (SELECT 1 FROM counter_lease l WHERE l.id = ? AND l.lease = ?)
        THEN CAST(? AS BIGINT) ELSE 0 END,
    reserved = reserved - COALESCE((SELECT amount FROM counter_lease l WHERE l.id = ? AND l.lease = ?), 0)
    WHERE id = ?"""
_END = "DELETE FROM counter_lease WHERE id = ? AND lease = ?"
_FREE = """UPDATE counter SET reserved = reserved -
    (SELECT COALESCE(SUM(amount), 0) FROM counter_lease l WHERE l.id = ? AND {which}) WHERE id = ?"""
_EMPTY = "UPDATE counter_lease SET amount = 0 WHERE id = ? AND {which}"
_FORGET = "DELETE FROM counter_lease WHERE expires_at <= ?"
_RESTORE = "UPDATE counter SET used = CASE WHEN used < ? THEN ? ELSE used END WHERE id = ?"
_SPEND = """UPDATE counter SET used = used +
    (SELECT COALESCE(SUM(amount), 0) FROM counter_lease l WHERE l.id = ? AND {which}) WHERE id = ?"""
_SPEND_NOW = """INSERT INTO counter_second(id, second, amount)
    SELECT id, CAST(? AS BIGINT), SUM(amount) FROM counter_lease WHERE id = ? AND {which} GROUP BY id
    ON CONFLICT (id, second) DO UPDATE SET amount = counter_second.amount + excluded.amount"""
_RENEW = "UPDATE counter_lease SET expires_at = ? WHERE id = ? AND lease = ?"
_LATE, _HELD = "expires_at <= ?", "substr(lease, 1, ?) = ?"
_KEPT = 86_400_000_000_000
"""A lease that ran out stays for a day (ns), emptied, so that a call settled late is still counted, and counted
once."""


def holder(run: Path, worker: int | None = None) -> str:
    """Return the name under which worker number `worker` of the server in folder `run` holds reservations, or all its
    workers together: the same after a restart, so that what a killed one held can be released, and no other host's.
    Raises OSError."""
    path = run / HOLDER
    try:
        name = path.read_text().strip()
    except FileNotFoundError:
        # Linked into its place whole: of several processes that come first at once, all read one name.
        made = run / f"{HOLDER}-{new_id('new')}"
        made.write_text(new_id("host"))
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
        name = path.read_text().strip()
    return name if worker is None else f"{name}:{worker}"


class StoreMeter:
    """Counts in `store` on behalf of `holder`, a name that no other process has (see `holder`). `lease` in seconds:
    while this process lives, it renews what its calls hold.

    `settle` returns at once and is carried out soon after; `close` waits for that. A settling that the store cannot
    take is tried again until it can, and counts once however often it was tried.
    """

    def __init__(
        self, store: Store, holder: str, *, lease: float = LEASE, civil: Callable[[], float] = time.time
    ) -> None:
        self._store, self._holder, self._lease, self._civil = store, holder, lease, civil
        self._known: set[str] = set()
        self._queue: list[tuple[Reservation, int, int, int]] = []
        self._task: asyncio.Task[None] | None = None
        self._held: dict[str, Reservation] = {}
        self._renewing: asyncio.Task[None] | None = None

    async def reserve(self, limits: tuple[Limit, ...], requests: int, tokens: int, money: int) -> Reservation:
        """Set room aside under all of `limits` or none; OverLimit or OverBudget name the one in the way.

        Raises StoreError when the store cannot answer: without it nobody knows what is left.
        """
        if not limits:
            return Reservation((), requests, tokens, money, settled=True)
        ordered = sorted(limits, key=lambda limit: limit.id)
        await self._make_known(ordered)
        for _ in range(RETRIES):
            now = self._civil()
            lease = f"{self._holder}:{new_id('lease')}"
            expires = int((now + self._lease) * 1e9)
            steps: list[Step] = []
            for limit in ordered:
                steps += self._claim(limit, wanted(limit, requests, tokens, money), int(now), lease, expires)
            try:
                await self._store.write(*steps, durable=False)
            except StoreError as e:
                if ROOM not in f"{e.message} {e.__cause__}":
                    raise
            else:
                marks = tuple(_mark(limit.window, now) for limit in limits)
                reservation = Reservation(
                    limits, requests, tokens, money, now + FORGOTTEN, True, False, int(now), (), marks, lease
                )
                self._hold(reservation)
                return reservation
            await self.sweep()
            refused = await self._refusal(limits, requests, tokens, money)
            if refused is not None:
                raise refused
        raise OverLimit(  # room came and went each time we looked
            "too many calls ask for room under one limit at once", hint="try again in 1 s", retry_after=1.0
        )

    def _claim(self, limit: Limit, ask: int, second: int, lease: str, expires: int) -> Iterator[Step]:
        yield from self._move(limit.id, limit.window, second)
        counts = limit.measure == "requests"
        if ask:
            yield _ADMIT if counts else _HOLD, [(ask, ask, limit.amount, limit.id)]
        if counts and limit.window == "minute":
            yield _SECOND, [(limit.id, second, ask)]
        yield _LEASE, [(limit.id, lease, 0 if counts else ask, expires)]

    def _move(self, id: str, window: str, second: int) -> Iterator[Step]:
        """Lock the row, then bring it to the present. Its own statement for the lock, so that those after it see what
        the transaction that held it before us has done."""
        yield _LOCK, [(id,)]
        if window == "minute":
            yield _SLIDE, [(second, id, second - RING, id)]
            yield _DROP, [(id, second - RING)]
        elif window != "total":
            mark = _mark(window, second)
            yield _ROLL, [(mark, id, mark)]

    async def _make_known(self, limits: Sequence[Limit]) -> None:
        new = [limit.id for limit in limits if limit.id not in self._known]
        if new:
            await self._store.write((_NEW, [(id,) for id in new]), durable=False)
            self._known.update(new)

    def settle(self, reservation: Reservation, tokens: int, money: int, requests: int | None = None) -> None:
        """Replace what was reserved by what was taken, soon; see Meter. Settling again changes nothing."""
        if reservation.settled:
            return
        reservation.settled = True
        self._held.pop(reservation.id, None)
        more = 0 if requests is None else requests - reservation.requests
        self._queue.append((reservation, min(max(tokens, 0), MOST), min(max(money, 0), MOST), more))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain())

    def _hold(self, reservation: Reservation) -> None:
        self._held[reservation.id] = reservation
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.get_running_loop().create_task(self._keep_renewing())

    async def _keep_renewing(self) -> None:
        while self._held:
            await asyncio.sleep(self._lease / 4)
            with suppress(StoreError):  # tried again; what ran out meanwhile is still counted when it is settled
                await self.renew()

    async def renew(self) -> int:
        """Put off the end of what calls of this process hold; return of how many. One that is held for longer than any
        call lasts is forgotten, and left to run out. Raises StoreError."""
        now = self._civil()
        rows: dict[str, list[tuple[int, str, str]]] = {}
        for id, held in list(self._held.items()):
            if held.expires <= now:
                del self._held[id]
                continue
            for limit in held.limits:
                rows.setdefault(limit.id, []).append((int((now + self._lease) * 1e9), limit.id, id))
        steps: list[Step] = []
        for limit_id in sorted(rows):
            steps += [(_LOCK, [(limit_id,)]), (_RENEW, rows[limit_id])]
        if steps:
            await self._store.write(*steps, durable=False)
        return len(self._held)

    async def _drain(self) -> None:
        pause = 0.05
        while self._queue:
            batch = self._queue[:64]
            try:
                for settled in batch:
                    await self._store.write(*self._settled(*settled), durable=False)
                    del self._queue[0]
                    pause = 0.05
            except StoreError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    def _settled(self, r: Reservation, tokens: int, money: int, more: int) -> list[Step]:
        steps: list[Step] = []
        second = int(self._civil())
        for limit, mark in sorted(zip(r.limits, r.marks, strict=True), key=lambda pair: pair[0].id):
            counts = limit.measure == "requests"
            taken, at = (more, r.second) if counts else (wanted(limit, 0, tokens, money), second)
            if counts and (second - at >= RING if limit.window == "minute" else _mark(limit.window, second) != mark):
                taken = 0  # the window that counted it is over
            steps += self._move(limit.id, limit.window, second)
            steps.append((_SETTLE, [(limit.id, r.id, taken, limit.id, r.id, limit.id)]))
            if taken and limit.window == "minute":
                steps.append((_SECOND_OF, [(at, taken, limit.id, r.id)]))
            steps.append((_END, [(limit.id, r.id)]))
        return steps

    async def _refusal(self, limits: Sequence[Limit], requests: int, tokens: int, money: int) -> FreeholdError | None:
        """Say which limit is in the way; None when none is any more."""
        for limit in limits:
            ask = wanted(limit, requests, tokens, money)
            standing = await self.usage(limit)
            if ask and standing.used + standing.reserved + ask > limit.amount:
                return refusal(standing, ask, await self._wait(standing, ask))
        return None

    async def _wait(self, standing: Standing, ask: int) -> float | None:
        limit, left = standing.limit, standing.used
        if ask > limit.amount:
            return None
        if left + ask <= limit.amount:
            return 1.0
        if limit.window != "minute":
            return standing.resets_in
        now = self._civil()
        rows = await self._store.fetch(
            "SELECT second, amount FROM counter_second WHERE id = ? AND second > ? ORDER BY second",
            limit.id, int(now) - RING,
        )  # fmt: skip
        last = int(now)
        for second, amount in rows:
            left, last = left - amount, second
            if left + standing.reserved + ask <= limit.amount:
                break
        return max(last + RING - now, 1.0)

    async def usage(self, limit: Limit) -> Standing:
        """Return how far `limit` is used now, by all hosts together."""
        now = self._civil()
        rows = await self._store.fetch("SELECT mark, used, reserved FROM counter WHERE id = ?", limit.id)
        mark, used, reserved = rows[0] if rows else (0, 0, 0)
        if limit.window == "minute":
            rows = await self._store.fetch(
                "SELECT COALESCE(SUM(amount), 0) FROM counter_second WHERE id = ? AND second > ?",
                limit.id, int(now) - RING,
            )  # fmt: skip
            return Standing(limit, int(rows[0][0]), reserved)
        if limit.window == "total":
            return Standing(limit, used, reserved)
        left = closes(limit.window, int(now * 1e9)) / 1e9 - now
        return Standing(limit, used if mark >= _mark(limit.window, now) else 0, reserved, left)

    async def restore(self, limit: Limit, used: int) -> None:
        """Say what the ledger knows to be used in the window that runs now. Never lowers a count; no minute is
        restored."""
        if limit.window == "minute":
            return
        await self._make_known([limit])
        steps = [*self._move(limit.id, limit.window, int(self._civil())), (_RESTORE, [(used, used, limit.id)])]
        await self._store.write(*steps, durable=False)

    async def sweep(self) -> int:
        """Free what was reserved under leases that ran out, anybody's; return under how many limits. To be called every
        few seconds."""
        now = int(self._civil() * 1e9)
        return await self._free(_LATE, (now,), (_FORGET, [(now - _KEPT,)]))

    async def release_holder(self, holder: str, *, spent: bool = False) -> int:
        """Free all that `holder` had reserved, or count it as used when `spent`: its calls may have been billed. Once
        that process is known to be dead. Return under how many limits."""
        return await self._free(_HELD, (len(holder) + 1, f"{holder}:"), spent=spent)

    async def _free(self, which: str, args: tuple[object, ...], *after: Step, spent: bool = False) -> int:
        rows = await self._store.fetch(
            f"SELECT DISTINCT id FROM counter_lease WHERE amount > 0 AND {which} ORDER BY id", *args
        )
        if not rows:
            return 0
        steps: list[Step] = []
        second = int(self._civil())
        for (id,) in rows:
            steps.append((_LOCK, [(id,)]))
            if spent:
                window = id.rpartition("/")[2]
                steps += self._move(id, window, second)
                steps.append((_SPEND.format(which=which), [(id, *args, id)]))
                if window == "minute":
                    steps.append((_SPEND_NOW.format(which=which), [(second, id, *args)]))
            steps += [
                (_FREE.format(which=which), [(id, *args, id)]),
                (_EMPTY.format(which=which), [(id, *args)]),
            ]
        await self._store.write(*steps, *after, durable=False)
        return len(rows)

    async def close(self, seconds: float = 5.0) -> None:
        """Carry out what was settled, for at most that many seconds, and stop. What could not be written is in the
        ledger, from which `restore` brings it back; reservations that nobody settled come free as their leases end."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
            self._renewing = None
        if self._task is not None and not self._task.done():
            _, late = await asyncio.wait({self._task}, timeout=seconds)
            for task in late:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def _mark(window: str, at: float) -> int:
    """The number of the calendar window that holds `at` (seconds): of the day, of the month; 0 where there is none."""
    if window == "day":
        return int(at // 86_400)
    if window == "month":
        moment = time.gmtime(at)
        return moment.tm_year * 12 + moment.tm_mon
    return 0
