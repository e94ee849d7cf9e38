"""Sums of what went through, by day, hour and minute, kept beside the ledger so that a look at months is quick. Refuses
to be the record: it is derived from the entries, when somebody looks, and costs a call nothing.

Latencies cannot be summed, and no column holds them: they are read from a sample of the entries.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from freehold.core.clock import now_ns, tick
from freehold.ledger.entry import OUTCOME, Entry, decode, failed
from freehold.ledger.query import FAILED
from freehold.store import Step, Store

MINUTE = 60_000_000_000  # ns
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MINUTES_KEPT = 2 * HOUR
"""How far back there are sums by the minute, ns."""
STRIDE = 10_000  # entries summed in one transaction: the ledger waits for it, so it has to stay short
SAMPLE = 2_500  # entries that latencies are read from at most
_ASKED = 1_000  # numbers of entries in one question

_BY = "key, team, asked, deployment, maker, seller, host, error, currency"
_SUMS = ("calls", "attempts", "input", "output", "cached", "cost")


class Sum(NamedTuple):
    """Sums over outcomes that have everything else in common. `at` is when the bucket began (ns), 0 where buckets were
    put together. `calls` counts first attempts, so `attempts - calls` were made after one that failed. `cost` in
    nano-units of `currency`; `last_at` (ns) is when the latest of them ended."""

    at: int
    key: str
    team: str
    asked: str
    deployment: str
    maker: str
    seller: str
    host: str
    error: str
    currency: str
    calls: int
    attempts: int
    input: int
    output: int
    cached: int
    cost: int
    last_at: int

    @property
    def failed(self) -> bool:
        """Whether these attempts failed; those that the caller stopped have not."""
        return failed(self.error)


class Point(NamedTuple):
    """Sums of one bucket, by whether attempts failed, and by currency."""

    at: int
    failed: bool
    currency: str
    calls: int
    attempts: int
    input: int
    output: int
    cached: int
    cost: int


def _gather(step: int, since: int, upto: int) -> Step:
    return (
        f"""INSERT INTO traffic(step, at, {_BY}, {", ".join(_SUMS)}, last_at)
        SELECT {step}, at / {step} * {step}, {_BY}, SUM(CASE WHEN attempt = 0 THEN 1 ELSE 0 END), COUNT(*), SUM(input),
        SUM(output), SUM(cached), SUM(cost), MAX(at) FROM entry
        WHERE kind = {OUTCOME} AND seq <= ? AND seq > (SELECT value FROM meta WHERE name = 'traffic') AND at >= ?
        GROUP BY at / {step} * {step}, {_BY}
        ON CONFLICT (step, at, {_BY}) DO UPDATE SET
        {", ".join(f"{name} = traffic.{name} + excluded.{name}" for name in _SUMS)},
        last_at = CASE WHEN traffic.last_at < excluded.last_at THEN excluded.last_at ELSE traffic.last_at END""",
        [(upto, since)],
    )


async def roll(store: Store, seconds: float) -> tuple[int, int]:
    """Bring the sums up to date, for about `seconds` at most; return how many entries are summed, and how many there
    are. Several processes may do it at once: each entry is summed once. Raises StoreError."""
    end = tick() + seconds
    done = int((await store.fetch("SELECT value FROM meta WHERE name = 'traffic'"))[0][0])
    head = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    if done > head:  # the end was cut off: what comes next would count as summed already
        await store.write(("DELETE FROM traffic", [()]), ("UPDATE meta SET value = 0 WHERE name = 'traffic'", [()]))
        done = 0
    while done < head:
        done = min(done + STRIDE, head)
        recent = now_ns() - MINUTES_KEPT
        await store.write(
            ("UPDATE meta SET value = value WHERE name = 'traffic'", [()]),  # takes the row's lock
            _gather(DAY, 0, done),
            _gather(HOUR, 0, done),
            _gather(MINUTE, recent // MINUTE * MINUTE, done),
            (f"DELETE FROM traffic WHERE step = {MINUTE} AND at < ?", [(recent // MINUTE * MINUTE,)]),
            ("UPDATE meta SET value = ? WHERE name = 'traffic' AND value < ?", [(done, done)]),
            durable=False,  # if power fails all of it is made again
        )
        if tick() > end:
            break
    return done, head


async def summed(store: Store, step: int, since: int, until: int) -> list[Sum]:
    """Return the sums of since <= at < until (ns) over all buckets of `step` (MINUTE, HOUR, DAY). Raises StoreError."""
    rows = await store.fetch(
        f"SELECT 0, {_BY}, {', '.join(f'SUM({name})' for name in _SUMS)}, MAX(last_at) FROM traffic "
        f"WHERE step = {int(step)} AND at >= ? AND at < ? GROUP BY {_BY}",
        since,
        until,
    )
    return [Sum(*row) for row in rows]


async def over_time(store: Store, step: int, width: int, since: int, until: int) -> list[Point]:
    """Return sums by buckets of `width` ns (a multiple of `step`), the first of which begins at `since`."""
    bucket = f"(at - {int(since)}) / {int(width)}"
    rows = await store.fetch(
        f"SELECT {bucket}, CASE WHEN {FAILED} THEN 1 ELSE 0 END, currency, SUM(calls), SUM(attempts), "
        "SUM(input), SUM(output), SUM(cached), SUM(cost) FROM traffic "
        f"WHERE step = {int(step)} AND at >= ? AND at < ? GROUP BY 1, 2, 3",
        since,
        until,
    )
    return [Point(since + int(place) * width, bool(wrong), *rest) for place, wrong, *rest in rows]


async def sample(store: Store, since: int, until: int, most: int = SAMPLE) -> tuple[list[Entry], bool]:
    """Return outcomes of since <= at < until (ns), and whether these are all: else about `most` entries were drawn, one
    from each of as many stretches of the ledger. Raises StoreError."""
    first, last = await _place(store, since), await _place(store, until) - 1
    if last - first < 2 * most:
        rows = await store.fetch(
            f"SELECT data FROM entry WHERE seq >= ? AND seq <= ? AND kind = {OUTCOME}", first, last
        )
        return [entry for (data,) in rows if since <= (entry := decode(data)).at < until], True
    width = (last - first + 1) / most
    drawn = [first + int((i + random.random()) * width) for i in range(most)]
    found: list[Entry] = []
    for start in range(0, most, _ASKED):
        found += await _read(store, drawn[start : start + _ASKED])
    return [entry for entry in found if since <= entry.at < until], False


async def _read(store: Store, places: Sequence[int]) -> list[Entry]:
    marks = ",".join("?" * len(places))
    rows = await store.fetch(f"SELECT data FROM entry WHERE seq IN ({marks}) AND kind = {OUTCOME}", *places)
    return [decode(data) for (data,) in rows]


async def _place(store: Store, at: int) -> int:
    """Return the number of the first entry that is not before `at`: entries come nearly in the order of their time, so
    a few looks find it."""
    rows = await store.fetch("SELECT COALESCE(MIN(seq), 1), COALESCE(MAX(seq), 0) FROM entry")
    low, high = int(rows[0][0]), int(rows[0][1]) + 1
    while low < high:
        middle = (low + high) // 2
        rows = await store.fetch("SELECT at FROM entry WHERE seq >= ? ORDER BY seq LIMIT 1", middle)
        if rows and int(rows[0][0]) < at:
            low = middle + 1
        else:
            high = middle
    return low
