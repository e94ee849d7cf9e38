"""Sums of what was decided about words, and by whom, kept beside the ledger. Refuses to be the record: it is derived
from the entries, between calls, and may be emptied.

A verdict about what was asked stands on every attempt of its call and counts once, at the first; a vendor's own counts
wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from freehold.core.clock import tick
from freehold.ledger.entry import FIELDS, OUTCOME, Verdict, decode
from freehold.ledger.query import Stored
from freehold.ledger.traffic import HOUR
from freehold.ledger.ways import reached
from freehold.store import Row, Step, Store

STRIDE = 10_000
"""Entries that one question reads: other readers of the store wait for it."""
BY = ("by", "side", "category", "severity", "action", "policy", "dry")
"""What tells sums apart, beside the hour."""
STOPS = frozenset({"block", "refuse"})
"""Actions after which a caller does not get what was asked for; of a policy that only looks on, would not."""


class Decided(NamedTuple):
    """Verdicts that have all else in common: how many, the last one's time (ns) and the entry that it stands in. `at`
    is when the hour began (ns), 0 where hours were put together."""

    at: int
    by: str
    side: Literal["input", "output"]
    category: str
    severity: int
    action: str
    policy: str
    dry: bool
    times: int
    last_at: int
    last_seq: int


def _gathering(engine: str) -> str:
    """Return the question for the verdicts of the entries of a stride that have any."""
    place = FIELDS.index("verdicts")
    if engine == "postgres":
        said = f"convert_from(data, 'UTF8')::jsonb -> {place}"
        text, some = f"({said})::text", f"jsonb_array_length({said}) > 0"
    else:
        text = f"json_extract(CAST(data AS TEXT), '$[{place}]')"
        some = f"json_array_length(CAST(data AS TEXT), '$[{place}]') > 0"
    return (
        f"SELECT seq, at, attempt, {text} FROM entry "
        f"WHERE seq > ? AND seq <= ? AND kind = {OUTCOME} AND {some} ORDER BY seq"
    )


_ADD = """INSERT INTO decided(at, way, times, last_at, last_seq)
    SELECT CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT) WHERE
    (SELECT value FROM meta WHERE name = 'decided') = CAST(? AS BIGINT)
    ON CONFLICT (at, way) DO UPDATE SET times = decided.times + excluded.times,
    last_at = CASE WHEN decided.last_at > excluded.last_at THEN decided.last_at ELSE excluded.last_at END,
    last_seq = CASE WHEN decided.last_seq > excluded.last_seq THEN decided.last_seq ELSE excluded.last_seq END"""
_STOP = """INSERT INTO stopped(seq, at) SELECT CAST(? AS BIGINT), CAST(? AS BIGINT) WHERE
    (SELECT value FROM meta WHERE name = 'decided') = CAST(? AS BIGINT) ON CONFLICT (seq) DO NOTHING"""
_BEGUN = "DELETE FROM stopped WHERE (SELECT value FROM meta WHERE name = 'decided') = 0"
_verdicts = msgspec.json.Decoder(tuple[Verdict, ...]).decode
_way = msgspec.json.Decoder(tuple[str, Literal["input", "output"], str, int, str, str, bool]).decode


async def roll(store: Store, seconds: float) -> tuple[int, int]:
    """Bring the sums up to date, for about `seconds` at most; return how many entries are summed, and how many there
    are. Several processes may do it at once: each entry is summed once. Raises StoreError."""
    end = tick() + seconds
    while True:
        done, head = await reached(store, "decided")
        if not done:
            await store.write((_BEGUN, [()]), durable=False)  # perhaps anew
        if done == head or tick() > end:
            return done, head
        upto = min(done + STRIDE, head)
        await _add(store, await store.fetch(_gathering(store.engine), done, upto), done, upto)


async def _add(store: Store, rows: Sequence[Row], done: int, upto: int) -> None:
    """Add the verdicts of the entries from `done` on, up to `upto`, unless somebody has meanwhile."""
    sums: dict[tuple[int, str], list[int]] = {}
    stops: list[tuple[int, int, int]] = []
    for seq, at, attempt, text in rows:
        counted = [v for v in _verdicts(text) if v.side == "output" or attempt == 0 or v.by == "vendor"]
        for verdict in counted:
            way = msgspec.json.encode([getattr(verdict, name) for name in BY]).decode()
            place = (at // HOUR * HOUR, way)
            times = sums[place][0] + 1 if place in sums else 1
            sums[place] = [times, at, seq]
        if any(verdict.action in STOPS for verdict in counted):
            stops.append((seq, at, done))
    steps: list[Step] = [("UPDATE meta SET value = value WHERE name = 'decided'", [()])]  # takes the row's lock
    if sums:
        steps.append((_ADD, [(*place, *values, done) for place, values in sums.items()]))
    if stops:
        steps.append((_STOP, stops))
    steps.append(("UPDATE meta SET value = ? WHERE name = 'decided' AND value = ?", [(upto, done)]))
    await store.write(*steps, durable=False)  # if power fails all of it is made again


async def decided(store: Store, since: int, until: int, *, by_hour: bool = False) -> list[Decided]:
    """Return the sums of the hours that begin at since <= hour < until (ns). Raises StoreError."""
    hour = "at" if by_hour else "0"
    rows = await store.fetch(
        f"SELECT {hour}, way, SUM(times), MAX(last_at), MAX(last_seq) FROM decided WHERE at >= ? AND at < ? "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        since,
        until,
    )
    return [Decided(int(at), *_way(way), int(times), int(last_at), int(seq)) for at, way, times, last_at, seq in rows]


async def stopped(store: Store, since: int, until: int, *, limit: int = 50, before: int | None = None) -> list[Stored]:
    """Return the newest entries of since <= at < until (ns) in which something was stopped, or would have been; before
    entry `before` where it is given. Raises StoreError."""
    more: tuple[Any, ...] = () if before is None else (before,)
    rows = await store.fetch(
        "SELECT entry.seq, entry.hash, entry.data FROM stopped JOIN entry ON entry.seq = stopped.seq "
        f"WHERE stopped.at >= ? AND stopped.at < ?{' AND stopped.seq < ?' if more else ''} "
        "ORDER BY stopped.seq DESC LIMIT ?",
        since,
        until,
        *more,
        limit,
    )
    return [Stored(seq, digest, decode(data)) for seq, digest, data in rows]
