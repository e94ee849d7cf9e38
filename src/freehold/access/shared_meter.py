"""A Meter in shared memory: exact across the worker processes of one server. Refuses to know several hosts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path

from freehold.access.limits import LARGEST, Limit, closes
from freehold.access.memory import MARK, RESERVED, RING, SHARES, USED, LimitsMemory, ProcessLock
from freehold.access.meter import Reservation, Standing, refusal
from freehold.core.errors import ConfigError, FreeholdError

log = logging.getLogger("freehold.access")

LEASE = 86_400.0
"""Seconds after which a reservation counts as forgotten by a process that lives, and comes free. It is far beyond any
call, all its tries and the load of an engine included: a live call keeps what it reserved. What a dead process held is
freed by `release_worker`, at once."""

MOST = 1 << 50
"""The most that one call can be settled at, tokens or nano-units: a vendor's absurd number must not break the
counters."""

_MINUTE, _DAY, _MONTH, _TOTAL = range(4)
_WINDOW = {"minute": _MINUTE, "day": _DAY, "month": _MONTH, "total": _TOTAL}
_REQUESTS, _TOKENS, _MONEY = range(3)
_MEASURE = {"requests": _REQUESTS, "tokens": _TOKENS, "money": _MONEY}

_Step = tuple[int, int, int, int, int, int, int, int]
"""Of one limit: where in the words its used, reserved, mark, this worker's share (0: none is kept) and ring are; then
its window, measure and amount."""


class _Plan:
    """The steps of one tuple of limits, and the marks that this process has last moved all of them on to: as marks
    never go back, whoever sees the same again need not look at each slot's."""

    __slots__ = ("limits", "marks", "steps")

    def __init__(self, limits: tuple[Limit, ...], steps: tuple[_Step, ...]) -> None:
        self.limits, self.steps = limits, steps
        self.marks: tuple[int, ...] = ()


_NOTHING = Reservation((), 0, 0, 0, settled=True)


class SharedMeter:
    """Counts in `memory` as worker number `worker`; the supervisor, which makes no reservations, passes None.

    With more than one worker `lock_path` names the file of their lock, and a meter is made once per process, after the
    fork. With one worker nothing is locked. `lease` is in seconds. Requests count as used when they are reserved, in
    the second they came in; tokens and money are held apart until they are settled, and count then.
    """

    def __init__(
        self,
        memory: LimitsMemory,
        worker: int | None = 0,
        lock_path: str | Path | None = None,
        *,
        lease: float = LEASE,
        monotonic: Callable[[], float] = time.monotonic,
        civil: Callable[[], float] = time.time,
    ) -> None:
        if worker is not None and not 0 <= worker < memory.workers:
            raise ConfigError(f"no worker {worker} of {memory.workers}", hint="number workers from 0")
        if memory.workers > 1 and lock_path is None:
            raise ConfigError("several workers need a lock file for their limits", hint="pass lock_path")
        self._memory, self._words, self._worker = memory, memory.words, worker
        self._lock = ProcessLock(lock_path) if memory.workers > 1 and lock_path is not None else None
        self._fd = self._lock.fd if self._lock else None
        self._lease, self._monotonic, self._civil = lease, monotonic, civil
        self._plans: dict[int, _Plan] = {}  # by the identity of the tuple
        self._bases: dict[str, int] = {}
        self._held: dict[Reservation, None] = {}
        self._second = -1
        self._marks = (0, 0, 0, 0)
        self._day = -1

    async def reserve(self, limits: tuple[Limit, ...], requests: int, tokens: int, money: int) -> Reservation:
        """Set room aside under all of `limits` or none; OverLimit or OverBudget name the one in the way.

        Never waits but for the lock. Each read and write of a word is about 50 ns, hence the flat form.
        """
        if not limits:
            return _NOTHING
        plan = self._plans.get(id(limits)) or self._plan(limits)
        now = self._monotonic()
        second = int(now)
        if second != self._second:
            self._tick(second)
        marks = self._marks
        want = (requests, tokens, money)
        w, fd, refused, done = self._words, self._fd, None, 0
        if fd is not None:
            flock(fd, LOCK_EX)
        try:
            if plan.marks is not marks:
                self._roll_all(plan, marks)
            for used, reserved, _, share, ring, window, measure, amount in plan.steps:
                ask = want[measure]
                before = w[used]
                if ask and before + w[reserved] + ask > amount:
                    refused = self._refuse(limits[done], plan.steps[done], ask, now)
                    self._undo(plan.steps[:done], want, second)
                    break
                if measure == _REQUESTS:
                    if window == _MINUTE:
                        w[ring + second % RING] += ask
                    w[used] = before + ask
                else:
                    # The share before the sum: a worker killed in between is made good by `release_worker`.
                    if share:
                        w[share] += ask
                    w[reserved] += ask
                done += 1
        finally:
            if fd is not None:
                flock(fd, LOCK_UN)
        if refused is not None:
            if self._sweep(now):
                return await self.reserve(limits, requests, tokens, money)
            raise refused
        reservation = Reservation(limits, requests, tokens, money, now + self._lease, True, False, second, plan, marks)
        self._held[reservation] = None
        return reservation

    def settle(self, reservation: Reservation, tokens: int, money: int, requests: int | None = None) -> None:
        """Replace what was reserved by what was taken; see Meter. Once settled, settling again changes nothing."""
        if reservation.settled:
            return
        reservation.settled = True
        self._held.pop(reservation, None)
        if not (0 <= tokens <= MOST and 0 <= money <= MOST):
            tokens, money = min(max(tokens, 0), MOST), min(max(money, 0), MOST)
        fd = self._fd
        if fd is not None:
            flock(fd, LOCK_EX)
        try:
            self._count(reservation, tokens, money, 0 if requests is None else requests - reservation.requests)
        finally:
            if fd is not None:
                flock(fd, LOCK_UN)

    def _count(self, r: Reservation, tokens: int, money: int, more: int) -> None:
        """Under the lock: count what was taken and give back what was reserved; `more` requests than were reserved."""
        w, held = self._words, r.held
        second = int(self._monotonic())
        if second != self._second:
            self._tick(second)
        marks = self._marks
        if r.plan.marks is not marks:
            self._roll_all(r.plan, marks)
        for used, reserved, mark, share, ring, window, measure, _ in r.plan.steps:
            if measure == _TOKENS:
                taken, back = tokens, r.tokens
            elif measure == _MONEY:
                taken, back = money, r.money
            else:
                if more:
                    self._correct(r, used, mark, ring, window, more)
                continue
            if taken:
                if window == _MINUTE:
                    w[ring + w[mark] % RING] += taken
                total = w[used] + taken
                w[used] = total if total < LARGEST else LARGEST
            if held:
                if share:
                    w[share] -= back
                w[reserved] -= back

    def _undo(self, plan: tuple[_Step, ...], want: tuple[int, int, int], second: int) -> None:
        """Under the lock: give back what a refused call was granted by the limits before the one in its way."""
        w = self._words
        for used, reserved, _, share, ring, window, measure, _ in plan:
            ask = want[measure]
            if measure == _REQUESTS:
                if window == _MINUTE:
                    w[ring + second % RING] -= ask
                w[used] -= ask
            else:
                if share:
                    w[share] -= ask
                w[reserved] -= ask

    def _correct(self, r: Reservation, used: int, mark: int, ring: int, window: int, more: int) -> None:
        """Change the requests that `r` counted, unless the window they were counted in is over."""
        w = self._words
        if window == _MINUTE:
            if w[mark] - r.second >= RING:
                return
            w[ring + r.second % RING] += more
        elif w[mark] != r.marks[window]:
            return
        w[used] += more

    def _roll_all(self, plan: _Plan, marks: tuple[int, ...]) -> None:
        """Under the lock: move all limits of `plan` on to `marks`."""
        w = self._words
        for used, _, mark, _, ring, window, _, _ in plan.steps:
            if w[mark] != marks[window]:
                self._roll(used, mark, ring, window, marks[window])
        plan.marks = marks

    def _roll(self, used: int, mark: int, ring: int, window: int, to: int) -> None:
        """Move a limit on to the second, day or month `to`, dropping what left its window. Never back: another process
        may have read the clock a moment later."""
        w = self._words
        last = w[mark]
        if to <= last:
            return
        if window != _MINUTE or to - last >= RING:
            w[used] = 0
            if window == _MINUTE:
                w[ring : ring + RING] = memoryview(bytes(RING * 8)).cast("q")
        else:
            for index in range(last + 1, to + 1):
                w[used] -= w[ring + index % RING]
                w[ring + index % RING] = 0
        w[mark] = to

    def _tick(self, second: int) -> None:
        """Read the calendar, at most once a second: the monotonic clock may have slept through a midnight (UTC)."""
        self._second = second
        day = int(self._civil() // 86_400)
        if day > self._day:
            self._day = day
        at = time.gmtime(self._day * 86_400)
        self._marks = (second, self._day, at.tm_year * 12 + at.tm_mon, 0)

    def _plan(self, limits: tuple[Limit, ...]) -> _Plan:
        """Find the slots of `limits`, once for each tuple of them: keys keep theirs, so identity is a sound name
        here."""
        if self._worker is None:
            raise ConfigError("the supervisor's meter reserves nothing", hint="make one with a worker's number")
        several = self._memory.workers > 1
        steps = []
        with self._guard():
            for limit in limits:
                base = self._base(limit)
                share = base + SHARES + self._worker if several else 0
                window, measure = _WINDOW[limit.window], _MEASURE[limit.measure]
                ring = base + self._memory.ring
                steps.append((base, base + RESERVED, base + MARK, share, ring, window, measure, limit.amount))
        if len(self._plans) >= 2 * self._memory.slots:
            self._plans.clear()
        plan = self._plans[id(limits)] = _Plan(limits, tuple(steps))
        return plan

    def _base(self, limit: Limit) -> int:
        base = self._bases.get(limit.id)
        if base is None:
            found = self._memory.base(limit.id)
            assert found is not None
            base = self._bases[limit.id] = found
        return base

    def _guard(self) -> AbstractContextManager[object]:
        return self._lock or nullcontext()

    def _refuse(self, limit: Limit, step: _Step, ask: int, now: float) -> FreeholdError:
        """Under the lock: say which limit is in the way, and when it will not be."""
        w = self._words
        standing = Standing(limit, w[step[0]], w[step[1]])
        return refusal(standing, ask, self._wait(standing, step, ask, now))

    def _wait(self, standing: Standing, step: _Step, ask: int, now: float) -> float | None:
        """Seconds until `ask` may find room; 1 while only calls under way stand in its way; None for never."""
        limit, used = standing.limit, standing.used
        if ask > limit.amount:
            return None
        if used + ask <= limit.amount:
            return 1.0
        if limit.window == "total":
            return None
        if limit.window != "minute":
            return self._left(limit)
        w, ring, last = self._words, step[4], self._words[step[2]]
        for second in range(last - RING + 1, last + 1):
            used -= w[ring + second % RING]
            if used + standing.reserved + ask <= limit.amount:
                return second + RING - now
        return last + RING - now

    def _left(self, limit: Limit) -> float | None:
        """Seconds until the calendar window of `limit` ends; None where it has none."""
        if limit.window != "day" and limit.window != "month":
            return None
        at = self._civil()
        return closes(limit.window, int(at * 1e9)) / 1e9 - at

    def _current(self, limit: Limit) -> int:
        """Under the lock: return the base of the slot of `limit`, moved on to the window that runs now."""
        self._tick(int(self._monotonic()))
        base, window = self._base(limit), _WINDOW[limit.window]
        self._roll(base, base + MARK, base + self._memory.ring, window, self._marks[window])
        return base

    def usage(self, limit: Limit) -> Standing:
        """Return how far `limit` is used now, by all workers together."""
        with self._guard():
            base = self._current(limit)
            used, reserved = self._words[base + USED], self._words[base + RESERVED]
        return Standing(limit, used, reserved, self._left(limit))

    def restore(self, limit: Limit, used: int) -> None:
        """Say what the ledger knows to be used in the window that runs now (`limits.opened` tells since when).

        Never lowers a count. A minute is not restored: it is over before a server has started again. A limit without
        room is logged: calls under it will be refused, those under others are taken.
        """
        if limit.window == "minute":
            return
        with self._guard():
            try:
                base = self._current(limit)
            except ConfigError as e:
                log.error("a limit is not counted", extra={"limit": limit.id, "why": e.message, "hint": e.hint})
                return
            self._words[base] = max(self._words[base], min(used, LARGEST))

    def release_worker(self, index: int, *, spent: bool = False) -> None:
        """Free all that worker `index` had reserved, or count it as used when `spent`: its calls may have been billed.
        For the supervisor, after that process is known to be dead and before another takes its number. Sums that the
        worker left half changed are made good from their parts."""
        if not 0 <= index < self._memory.workers:
            raise ConfigError(f"no worker {index} of {self._memory.workers}", hint="number workers from 0")
        w, workers = self._words, self._memory.workers
        with self._guard():
            for base in self._memory.bases():
                shares, ring = base + SHARES, base + self._memory.ring
                lost = w[shares + index] if workers > 1 else w[base + RESERVED]
                w[shares + index] = 0
                w[base + RESERVED] = sum(w[shares : shares + workers])
                buckets = sum(w[ring : ring + RING])
                if buckets:  # only a minute has any; it is over before anybody could tell the difference
                    w[base + USED] = buckets
                elif spent and lost > 0:
                    w[base + USED] = min(w[base + USED] + lost, LARGEST)

    def sweep(self) -> int:
        """Free this worker's reservations whose lease ran out; return how many. To be called every few seconds."""
        return self._sweep(self._monotonic())

    def _sweep(self, now: float) -> int:
        late = []
        for reservation in self._held:  # in the order of making, which is that of expiry
            if reservation.expires > now:
                break
            late.append(reservation)
        if not late:
            return 0
        with self._guard():
            for reservation in late:
                del self._held[reservation]
                self._count(reservation, 0, 0, 0)
                reservation.held = False
        return len(late)

    def close(self) -> None:
        """Free what this worker still holds and its lock. The memory stays: it is its maker's."""
        with self._guard():
            for reservation in self._held:
                self._count(reservation, 0, 0, 0)
                reservation.held = False
        self._held.clear()
        if self._lock is not None:
            self._lock.close()
