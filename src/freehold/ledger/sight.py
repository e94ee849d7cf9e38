"""Sums of who got to see words by day and key, kept beside the ledger; and the same of a user that a client named, read
from the entries. Refuses to be the record: it is derived from the entries and may be emptied.

What an entry says beyond its columns is read from its bytes, and kept once as a way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from freehold.core.clock import DAY, tick
from freehold.ledger.entry import OUTCOME
from freehold.ledger.query import of_users
from freehold.ledger.ways import extract, numbered, reached, sealed, told
from freehold.store import Row, Step, Store

STRIDE = 10_000
"""Entries that one question reads: other readers of the store wait for it."""
UNSENT = ("not_sent", "upstream_connect_failed")
"""Errors of attempts whose words have not left: nobody saw them."""

BY = (
    "deployment", "seller", "host", "compute", "region", "echoed", "contract", "terms", "recipients", "retention",
    "trains", "review", "data_class", "function", "purpose", "redactions",
)  # fmt: skip
"""Fields of an Entry that tell sums apart, beside day and key. Of redactions it is their kinds, not how many."""

_SUMS = ("calls", "attempts", "input", "output")
_FIRST, _LAST = ("first_at", "first_seq"), ("last_at", "last_seq")
_VALUES = (*_SUMS, *_FIRST, *_LAST)
_LONGEST = (1 << 63) - 1

Heard = Callable[[int, int], None]
"""Is told how many entries were read, and how many there are."""


class Sight(NamedTuple):
    """Sums over attempts whose words may have left, that have everything else in common.

    `key` is empty where keys were put together, `at` 0 where days were; else it is when the day began (ns, UTC).
    `recipients`, `region` (asked) and `echoed` (by the vendor), `retention` (days, -1: nobody says), `trains` and
    `review` as in an Entry; `redactions` are kinds. Tokens; `first_at` and `last_at` in ns, and between which entries
    these are.
    """

    key: str
    at: int
    deployment: str
    seller: str
    host: str
    compute: str
    region: str
    echoed: str
    contract: str
    terms: str
    recipients: tuple[str, ...]
    retention: int
    trains: str
    review: str
    data_class: str
    function: str
    purpose: str
    redactions: tuple[str, ...]
    calls: int
    attempts: int
    input: int
    output: int
    first_at: int
    first_seq: int
    last_at: int
    last_seq: int


def _gathering(engine: str, more: str = "") -> str:
    """Return the question for the sums of entries that lie in a stride and keep to the conditions `more`."""
    errors = ", ".join(f"'{error}'" for error in UNSENT)
    sent = f"kind = {OUTCOME} AND deployment <> '' AND error NOT IN ({errors})"
    return (
        f"SELECT key, at / {DAY} * {DAY}, {extract(engine, BY)}, SUM(CASE WHEN attempt = 0 THEN 1 ELSE 0 END), "
        "COUNT(*), SUM(input), SUM(output), MIN(at), MIN(seq), MAX(at), MAX(seq) "
        f"FROM {sealed(engine, f'seq > ? AND seq <= ? AND {sent}{more}')} GROUP BY 1, 2, 3"
    )


def _put(name: str) -> str:
    if name in _SUMS:
        return f"{name} = sight.{name} + excluded.{name}"
    sign = "<" if name in _FIRST else ">"
    return f"{name} = CASE WHEN sight.{name} {sign} excluded.{name} THEN sight.{name} ELSE excluded.{name} END"


_ADD = f"""INSERT INTO sight(key, at, way, {", ".join(_VALUES)})
    SELECT CAST(? AS TEXT), {", ".join(["CAST(? AS BIGINT)"] * (2 + len(_VALUES)))} WHERE
    (SELECT value FROM meta WHERE name = 'sight') = CAST(? AS BIGINT)
    ON CONFLICT (key, at, way) DO UPDATE SET {", ".join(map(_put, _VALUES))}"""


async def roll(store: Store, seconds: float, heard: Heard | None = None) -> tuple[int, int]:
    """Bring the sums up to date, for about `seconds` at most; return how many entries are summed, and how many there
    are. Several processes may do it at once: each entry is summed once. Raises StoreError."""
    end = tick() + seconds
    while True:
        done, head = await reached(store, "sight")
        if heard is not None:
            heard(done, head)
        if done == head or tick() > end:
            return done, head
        upto = min(done + STRIDE, head)
        await _add(store, await store.fetch(_gathering(store.engine), done, upto), done, upto)


async def _add(store: Store, rows: list[Row], done: int, upto: int) -> None:
    """Add the sums of the entries from `done` on, up to `upto`, unless somebody has meanwhile."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    ways: dict[int, str] = {}
    for key, at, said, *these in rows:
        way = msgspec.json.encode(_plain(said))
        id = numbered(way)
        ways[id] = way.decode()
        _together(sums, (key, at, id), these)
    steps: list[Step] = [("UPDATE meta SET value = value WHERE name = 'sight'", [()])]  # takes the row's lock
    if rows:
        steps += [
            ("INSERT INTO sight_way(id, way) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", list(ways.items())),
            (_ADD, [(*place, *values, done) for place, values in sums.items()]),
        ]
    steps.append(("UPDATE meta SET value = ? WHERE name = 'sight' AND value = ?", [(upto, done)]))
    await store.write(*steps, durable=False)  # if power fails all of it is made again


def _together(sums: dict[tuple[Any, ...], list[int]], place: tuple[Any, ...], values: Sequence[int]) -> None:
    """Add sums to those that are at the same place already."""
    known = sums.get(place)
    if known is None:
        sums[place] = list(values)
        return
    for index, name in enumerate(_VALUES):
        one, other = known[index], values[index]
        known[index] = one + other if name in _SUMS else min(one, other) if name in _FIRST else max(one, other)


def _plain(said: str) -> list[Any]:
    """Return what tells sums apart, as it is kept: of redactions the kinds."""
    *others, redactions = told(BY, said)
    return [*others, sorted({kind for kind, _ in redactions})]


_json = msgspec.json.Decoder(list[Any]).decode
_PLACES = tuple(index for index, name in enumerate(BY) if name in ("recipients", "redactions"))


def _read(values: Sequence[Any]) -> list[Any]:
    return [tuple(value) if index in _PLACES else value for index, value in enumerate(values)]


async def sights(
    store: Store,
    since: int = 0,
    until: int = _LONGEST,
    *,
    keys: Collection[str] | None = None,
    by_day: bool = False,
) -> list[Sight]:
    """Return the sums of the UTC days that begin at since <= day < until (ns): of all keys together, or of these by key
    and day. Raises StoreError."""
    if keys is not None and not keys:
        return []
    day = "at" if by_day or keys is not None else "0"
    whose = "key" if keys is not None else "''"
    only = f" AND key IN ({', '.join('?' * len(keys))})" if keys is not None else ""
    sums = ", ".join(f"SUM({name})" for name in _SUMS)
    ends = [*(f"MIN({name})" for name in _FIRST), *(f"MAX({name})" for name in _LAST)]
    rows = await store.fetch(
        f"SELECT {whose}, {day}, way, {sums}, {', '.join(ends)} FROM sight WHERE at >= ? AND at < ?{only} "
        "GROUP BY 1, 2, 3",
        since,
        until,
        *(keys or ()),
    )
    ways = {number: _read(_json(way)) for number, way in await store.fetch("SELECT id, way FROM sight_way")}
    return [Sight._make((key, at, *ways[number], *values)) for key, at, number, *values in rows]


async def of_user(
    store: Store,
    users: Collection[str],
    since: int = 0,
    until: int = _LONGEST,
    *,
    but: Collection[str] = (),
    heard: Heard | None = None,
) -> list[Sight]:
    """Return the sums of calls that named one of these users, by key and day; those of the keys `but` are left out.

    A user is in no index and in no sums, for there may be as many as calls: all entries are looked through, stride by
    stride. Raises StoreError.
    """
    if not users:
        return []
    condition, args = of_users(store.engine, tuple(users))
    more = f" AND at >= ? AND at < ? AND {condition}"
    if but:
        more += f" AND key NOT IN ({', '.join('?' * len(but))})"
    question = _gathering(store.engine, more)
    head = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    sums: dict[tuple[Any, ...], list[int]] = {}
    for done in range(0, head, STRIDE):
        upto = min(done + STRIDE, head)
        for key, at, said, *values in await store.fetch(question, done, upto, since, until, *args, *but):
            _together(sums, (key, at, *_read(_plain(said))), values)
        if heard is not None:
            heard(upto, head)
    return [Sight._make((*place, *values)) for place, values in sums.items()]
