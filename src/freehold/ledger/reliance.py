"""Sums of what went through by day and by everybody that it rested on, kept beside the ledger. Refuses to be the
record: it is derived from the entries, between calls, and may be emptied.

Most of what tells sums apart is no column, so it is read from the stored bytes of an entry, and kept once as a way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from freehold.core.clock import tick
from freehold.ledger.entry import OUTCOME
from freehold.ledger.query import FAILED
from freehold.ledger.traffic import DAY
from freehold.ledger.ways import extract, numbered, reached, sealed, told
from freehold.store import Row, Step, Store

STRIDE = 10_000
"""Entries that one question reads: other readers of the store wait for it."""
_FEW = 900  # numbers in one question

BY = (
    "key", "team", "asked", "sent", "deployment", "maker", "seller", "host", "compute", "chips", "region", "contract",
    "terms", "function", "purpose", "currency", "use", "retention", "recipients",
)  # fmt: skip
"""Fields of an Entry that tell sums apart, beside the day and whether it failed. The last two follow from the terms, so
they make no more of them; nothing is among these that differs from call to call."""

CALLERS = frozenset({"key", "team", "sent", "terms", "use"})
"""Those that say who called and how, not on whom it rested. Without them there are few sums, however many call."""

_SUMS = ("calls", "attempts", "input", "output", "cached", "cost")
_VALUES = (*_SUMS, "first_seq", "last_seq")


class Use(NamedTuple):
    """Sums over outcomes that have everything else in common.

    `at` is when the bucket of UTC days began (ns), 0 where all days were put together. `compute` and `chips` are empty
    where nobody said, and in older entries. `calls` counts first attempts. Tokens; `cost` in nano-units of
    `currency`, and not known when that is empty. `retention` is in days, as the contract said then, -1 where it did
    not; `recipients` saw the words, `use` is what the answers were for, as the calls said. `first_seq` and `last_seq`
    say between which entries these are, `last_day` when the last of their days began (ns).
    """

    at: int
    key: str
    team: str
    asked: str
    sent: str
    deployment: str
    maker: str
    seller: str
    host: str
    compute: str
    chips: str
    region: str
    contract: str
    terms: str
    function: str
    purpose: str
    currency: str
    failed: bool
    calls: int
    attempts: int
    input: int
    output: int
    cached: int
    cost: int
    retention: int = -1
    recipients: tuple[str, ...] = ()
    use: str = ""
    first_seq: int = 0
    last_seq: int = 0
    last_day: int = 0


def _gathering(engine: str) -> str:
    return (
        f"SELECT at / {DAY} * {DAY}, CASE WHEN {FAILED} THEN 1 ELSE 0 END, {extract(engine, BY)}, "
        "SUM(CASE WHEN attempt = 0 THEN 1 ELSE 0 END), COUNT(*), SUM(input), SUM(output), SUM(cached), SUM(cost), "
        f"MIN(seq), MAX(seq) FROM {sealed(engine, f'seq > ? AND seq <= ? AND kind = {OUTCOME}')} GROUP BY 1, 2, 3"
    )


_ADD = f"""INSERT INTO reliance(at, way, whose, {", ".join(_VALUES)})
    SELECT {", ".join(["CAST(? AS BIGINT)"] * (3 + len(_VALUES)))} WHERE
    (SELECT value FROM meta WHERE name = 'reliance') = CAST(? AS BIGINT)
    ON CONFLICT (at, way) DO UPDATE SET {", ".join(f"{name} = reliance.{name} + excluded.{name}" for name in _SUMS)},
    first_seq = CASE WHEN reliance.first_seq < excluded.first_seq THEN reliance.first_seq ELSE excluded.first_seq END,
    last_seq = CASE WHEN reliance.last_seq > excluded.last_seq THEN reliance.last_seq ELSE excluded.last_seq END"""


async def roll(store: Store, seconds: float) -> tuple[int, int]:
    """Bring the sums up to date, for about `seconds` at most; return how many entries are summed, and how many there
    are. Several processes may do it at once: each entry is summed once. Entries are read outside the transaction, which
    only adds a few rows, so the ledger hardly waits. Raises StoreError."""
    end = tick() + seconds
    while True:
        done, head = await reached(store, "reliance")
        if done == head or tick() > end:
            return done, head
        upto = min(done + STRIDE, head)
        await _add(store, await store.fetch(_gathering(store.engine), done, upto), done, upto)


async def _add(store: Store, rows: list[Row], done: int, upto: int) -> None:
    """Add the sums of the entries from `done` on, up to `upto`, unless somebody has meanwhile."""
    steps: list[Step] = [("UPDATE meta SET value = value WHERE name = 'reliance'", [()])]  # takes the row's lock
    if rows:
        ways = await asyncio.to_thread(lambda: [_way(failed, said) for _, failed, said, *_ in rows])
        known = {number: (number, text) for number, _, text in ways}
        sums = [(row[0], number, whose, *row[3:], done) for row, (number, whose, _) in zip(rows, ways, strict=True)]
        steps += [
            ("INSERT INTO reliance_way(id, way) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", list(known.values())),
            (_ADD, sums),
        ]
    steps.append(("UPDATE meta SET value = ? WHERE name = 'reliance' AND value = ?", [(upto, done)]))
    await store.write(*steps, durable=False)  # if power fails all of it is made again


def _way(failed: int, said: str) -> tuple[int, int, str]:
    """Return the number of a way and that of what it has in common with other callers', the same whoever comes upon
    them first, and the text of the way."""
    way = [bool(failed), *told(BY, said)]
    text = msgspec.json.encode(way)
    return numbered(text), numbered(msgspec.json.encode(_without(way))), text.decode()


def _without(way: list[Any]) -> list[Any]:
    """Return a way without its callers."""
    return [way[0], *("" if name in CALLERS else value for name, value in zip(BY, way[1:], strict=True))]


_json = msgspec.json.Decoder(list[Any]).decode


async def uses(
    store: Store,
    since_ns: int,
    until_ns: int,
    by_day: bool = False,
    *,
    edges: Sequence[int] = (),
    callers: bool = True,
) -> list[Use]:
    """Return the sums of the UTC days that begin at since <= day < until (ns): over all of them, by day, or by the
    stretches of days that begin at `edges` (ascending, the first not after `since`). Without `callers`, what differs in
    CALLERS alone is put together, and these are empty. Raises StoreError."""
    bucket = "at" if by_day else "0"
    if edges:
        whens = " ".join(f"WHEN at >= {int(edge)} THEN {int(edge)}" for edge in reversed(edges))
        bucket = f"CASE {whens} END"
    sums = ", ".join(f"SUM({name})" for name in _SUMS)
    rows = await store.fetch(
        f"SELECT {bucket}, MIN(way), {sums}, MIN(first_seq), MAX(last_seq), MAX(at) FROM reliance "
        f"WHERE at >= ? AND at < ? GROUP BY 1, {'way' if callers else 'whose'}",
        since_ns,
        until_ns,
    )
    ways = await _read(store, {row[1] for row in rows})
    return await asyncio.to_thread(_built, rows, ways, callers)  # thousands of them; calls are not to wait for it


async def _read(store: Store, numbers: set[int]) -> list[Row]:
    """Return these ways, or all of them where these are many."""
    if len(numbers) > _FEW:
        return await store.fetch("SELECT id, way FROM reliance_way")
    marks = ",".join("?" * len(numbers))
    return await store.fetch(f"SELECT id, way FROM reliance_way WHERE id IN ({marks})", *numbers) if numbers else []


def _built(rows: list[Row], ways: list[Row], callers: bool) -> list[Use]:
    known = {number: _said(way, callers) for number, way in ways}
    found = []
    for at, number, *values in rows:
        said, more = known[number]
        found.append(Use._make((at, *said, *values[: len(_SUMS)], *more, *values[len(_SUMS) :])))
    return found


def _said(text: str, callers: bool) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return what stands before the sums in a `Use`, and what stands behind them."""
    way = _json(text)
    failed, *values, use, retention, recipients = way if callers else _without(way)
    return (*values, failed), (retention, tuple(recipients), use)
