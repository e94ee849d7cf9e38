"""Questions to the ledger: which entries, how much in all, how much by what. Refuses to know how answers are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from freehold.contracts.binding import OWN
from freehold.core.errors import BadRequest
from freehold.ledger.entry import FIELDS, GONE, NUMBERS, OUTCOME, Entry, EntryKind, decode
from freehold.ledger.spent import DAY
from freehold.store import Row, Store

PAGE = 2000
FAILED = f"error NOT IN ('', '{GONE}')"
"""`entry.failed` as a condition of SQL."""

EQUAL = (
    "call", "key", "team", "asked", "sent", "answered", "deployment", "maker", "seller", "host", "status", "error",
    "currency",
)  # fmt: skip
SAID = (
    "region", "contract", "terms", "compute", "chips", "function", "purpose", "data_class", "retention", "echoed",
)  # fmt: skip
"""Fields that are no columns: they are read from the bytes of each entry that the other conditions let through."""
GROUPS = (
    "key", "team", "asked", "sent", "answered", "deployment", "maker", "seller", "host", "status", "error", "day",
    "month", *SAID,
)  # fmt: skip
"""What totals can be grouped by; days and months in UTC."""


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries. Several values for one field mean any of them, several fields all of them.

    `model` is asked, sent or answered; `party` is any whom the call rested on: seller, host, owner of the machines, and
    the maker unless it ran on our own; `recipient` is one of those who saw the words, `user` what the client named as
    one. `compute` is the host where an entry does not say it. `failed` tells outcomes with an error (what was stopped
    among them) from those without; times in nanoseconds, `since` <= at < `until`; costs in nano-units, both ends
    included. `after` < seq < `before`, to go on from a page. `limit` and `offset` count entries.
    """

    kinds: tuple[EntryKind, ...] = ("outcome",)
    call: str | tuple[str, ...] | None = None
    key: str | tuple[str, ...] | None = None
    team: str | tuple[str, ...] | None = None
    model: str | tuple[str, ...] | None = None
    asked: str | tuple[str, ...] | None = None
    sent: str | tuple[str, ...] | None = None
    answered: str | tuple[str, ...] | None = None
    deployment: str | tuple[str, ...] | None = None
    maker: str | tuple[str, ...] | None = None
    seller: str | tuple[str, ...] | None = None
    host: str | tuple[str, ...] | None = None
    status: int | tuple[int, ...] | None = None
    error: str | tuple[str, ...] | None = None
    currency: str | tuple[str, ...] | None = None
    region: str | tuple[str, ...] | None = None
    contract: str | tuple[str, ...] | None = None
    terms: str | tuple[str, ...] | None = None
    compute: str | tuple[str, ...] | None = None
    chips: str | tuple[str, ...] | None = None
    function: str | tuple[str, ...] | None = None
    purpose: str | tuple[str, ...] | None = None
    data_class: str | tuple[str, ...] | None = None
    retention: int | tuple[int, ...] | None = None
    party: str | tuple[str, ...] | None = None
    recipient: str | tuple[str, ...] | None = None
    echoed: str | tuple[str, ...] | None = None
    user: str | tuple[str, ...] | None = None
    failed: bool | None = None
    since: int | None = None
    until: int | None = None
    min_cost: int | None = None
    max_cost: int | None = None
    after: int | None = None
    before: int | None = None
    order: Literal["oldest", "newest", "dearest"] = "newest"
    limit: int | None = None
    offset: int = 0


class Stored(msgspec.Struct, frozen=True):
    """An entry with its place in the chain."""

    seq: int
    hash: bytes
    entry: Entry


class Total(msgspec.Struct, frozen=True):
    """Sums over outcomes that have the same `group` values and currency.

    `calls` counts calls by their first attempt, `failed_calls` those whose last attempt failed: a call that another
    deployment answered has not failed. `attempts` counts tries, `failed_attempts` the tries that failed. What its
    caller left or stopped (`client_gone`) has not failed. Tokens; `cost` in nano-units of `currency`, and not known
    when that is empty.
    """

    group: tuple[str | int, ...]
    currency: str
    calls: int
    failed_calls: int
    attempts: int
    failed_attempts: int
    input: int
    output: int
    cached: int
    cost: int


def said(engine: str, name: str) -> str:
    """Return the SQL of a field of an entry, in the engine's words: one of SAID from its bytes, which are a JSON array
    by position, else its column."""
    if name not in SAID:
        return name
    place, number = FIELDS.index(name), name == "retention"
    if engine == "postgres":
        text = f"convert_from(data, 'UTF8')::jsonb ->> {place}"
        read = f"({text})::bigint" if number else f"({text})"
    else:
        read = f"json_extract(CAST(data AS TEXT), '$[{place}]')"
    if name == "compute":
        return f"COALESCE(NULLIF({read}, ''), host)"
    none = "-1" if number else "''"
    return f"COALESCE({read}, {none})"  # an older entry lacks some of them


def _saw(engine: str, marks: str) -> str:
    """Return the condition that one of the recipients is among the arguments."""
    place = FIELDS.index("recipients")
    if engine == "postgres":
        names = f"jsonb_array_elements_text(COALESCE(convert_from(data, 'UTF8')::jsonb -> {place}, '[]'::jsonb))"
        return f"EXISTS (SELECT 1 FROM {names} AS name WHERE name IN ({marks}))"
    return f"EXISTS (SELECT 1 FROM json_each(CAST(data AS TEXT), '$[{place}]') AS one WHERE one.value IN ({marks}))"


def of_users(engine: str, users: Sequence[str]) -> tuple[str, list[Any]]:
    """Return the condition that the client named one of these users, in the engine's words, and its arguments. The
    bytes of an entry are searched for the name before they are read as JSON, which costs several times as much."""
    if not users:
        return "1 = 0", []
    place = FIELDS.index("user")
    found = "position(? in data) > 0" if engine == "postgres" else "instr(data, ?) > 0"
    said = f"convert_from(data, 'UTF8')::jsonb ->> {place}"
    said = f"({said})" if engine == "postgres" else f"json_extract(CAST(data AS TEXT), '$[{place}]')"
    terms = " OR ".join([f"({found} AND {said} = ?)"] * len(users))
    return f"({terms})", [each for user in users for each in (msgspec.json.encode(user), user)]


def where(query: Query, engine: str) -> tuple[str, list[Any]]:
    """Return the condition as SQL, in the engine's words, and its arguments."""
    terms: list[str] = []
    args: list[Any] = []

    def among(columns: Sequence[str], values: Any) -> None:
        many = values if isinstance(values, tuple) else (values,)
        marks = ",".join("?" * len(many))
        terms.append("(" + " OR ".join(f"{column} IN ({marks})" for column in columns) + ")" if many else "1 = 0")
        args.extend(many * len(columns) if many else ())

    # Written out, for an index of one kind alone is used by those who name that kind.
    kinds = sorted({NUMBERS[kind] for kind in query.kinds})
    terms.append("(" + (" OR ".join(f"kind = {number}" for number in kinds) or "1 = 0") + ")")
    for name in EQUAL:
        value = getattr(query, name)
        if value is not None:
            among((name,), value)
    if query.model is not None:
        among(("asked", "sent", "answered"), query.model)
    if query.failed is not None:
        terms.append("error <> ''" if query.failed else "error = ''")
    for term, bound in (
        ("at >= ?", query.since),
        ("at < ?", query.until),
        ("cost >= ?", query.min_cost),
        ("cost <= ?", query.max_cost),
        ("seq > ?", query.after),
        ("seq < ?", query.before),
    ):
        if bound is not None:
            terms.append(term)
            args.append(bound)
    for name in SAID:  # last: they cost most
        value = getattr(query, name)
        if value is not None:
            among((said(engine, name),), value)
    if query.party is not None:
        maker = f"CASE WHEN host = '{OWN}' THEN '' ELSE maker END"
        among(("seller", "host", maker, said(engine, "compute")), query.party)
    if query.recipient is not None:
        many = query.recipient if isinstance(query.recipient, tuple) else (query.recipient,)
        terms.append(_saw(engine, ",".join("?" * len(many))) if many else "1 = 0")
        args.extend(many)
    if query.user is not None:
        condition, more = of_users(engine, query.user if isinstance(query.user, tuple) else (query.user,))
        terms.append(condition)
        args.extend(more)
    return " AND ".join(terms), args


async def entries(store: Store, query: Query) -> AsyncIterator[Stored]:
    """Yield the entries in order, read page by page: entries appended meanwhile don't shift the pages. Raises
    BadRequest for a negative limit or offset, StoreError."""
    if query.offset < 0 or (query.limit is not None and query.limit < 0):
        raise BadRequest("limit and offset count from 0.", hint="give numbers of at least 0")
    condition, args = where(query, store.engine)
    order = {"oldest": "seq", "newest": "seq DESC", "dearest": "cost DESC, seq DESC"}[query.order]
    left, offset = query.limit, query.offset
    last: Row | None = None
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        onward, more = _onward(query.order, last)
        rows = await store.fetch(
            f"SELECT seq, hash, data, cost FROM entry WHERE {condition}{onward} ORDER BY {order} LIMIT ? OFFSET ?",
            *args,
            *more,
            size,
            offset,
        )
        for seq, digest, data, _ in rows:
            yield Stored(seq, digest, decode(data))
        if len(rows) < size:
            return
        last, offset = rows[-1], 0
        if left is not None:
            left -= len(rows)


def _onward(order: str, last: Row | None) -> tuple[str, tuple[Any, ...]]:
    """Return the condition that begins after the row `last` (seq, ..., cost)."""
    if last is None:
        return "", ()
    if order == "oldest":
        return " AND seq > ?", (last[0],)
    if order == "newest":
        return " AND seq < ?", (last[0],)
    return " AND (cost < ? OR (cost = ? AND seq < ?))", (last[3], last[3], last[0])


async def count(store: Store, query: Query) -> int:
    """Return how many entries there are, whatever `limit` and `offset` say."""
    condition, args = where(query, store.engine)
    return int((await store.fetch(f"SELECT COUNT(*) FROM entry WHERE {condition}", *args))[0][0])


async def known(store: Store, field: Literal["call", "key"], value: str) -> bool:
    """Return whether any entry is of this call or key. Raises StoreError."""
    return bool(await store.fetch(f"SELECT 1 FROM entry WHERE {field} = ? LIMIT 1", value))


async def totals(store: Store, query: Query, by: Sequence[str] = ()) -> list[Total]:
    """Return sums over the outcomes, one for each combination of the `by` fields (GROUPS) and
    currency, the dearest first. Order, limit and offset of the query don't matter. Raises BadRequest, StoreError."""
    for name in by:
        if name not in GROUPS:
            raise BadRequest(f"There is no grouping by {name!r}.", hint=f"one of {', '.join(GROUPS)}")
    condition, args = where(msgspec.structs.replace(query, kinds=("outcome",)), store.engine)
    spans = {"day": f"at / {DAY}", "month": f"at / {DAY}"}
    groups = [spans.get(name) or said(store.engine, name) for name in by] + ["currency"]
    last = f"NOT EXISTS (SELECT 1 FROM entry n WHERE n.call = e.call AND n.kind = {OUTCOME} AND n.attempt > e.attempt)"
    rows = await store.fetch(
        f"SELECT {', '.join(groups)}, SUM(CASE WHEN attempt = 0 THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN {FAILED} AND {last} THEN 1 ELSE 0 END), COUNT(*), "
        f"SUM(CASE WHEN {FAILED} THEN 1 ELSE 0 END), SUM(input), SUM(output), SUM(cached), SUM(cost) "
        f"FROM entry e WHERE {condition} GROUP BY {', '.join(dict.fromkeys(groups))}",
        *args,
    )
    sums: dict[tuple[Any, ...], list[int]] = {}
    width = len(groups)
    for row in rows:
        group = (*(_named(name, value) for name, value in zip(by, row[: width - 1], strict=True)), row[width - 1])
        total = sums.setdefault(group, [0] * 8)
        for i, value in enumerate(row[width:]):
            total[i] += value
    found = [Total(group[:-1], group[-1], *total) for group, total in sums.items()]
    return sorted(found, key=lambda total: (-total.cost, -total.attempts, str(total.group)))


def _named(name: str, value: Any) -> Any:
    """Return a group's value as people say it: a day as 2026-05-31, a month as 2026-05."""
    if name not in ("day", "month"):
        return value
    day = datetime.fromtimestamp(value * 86400, UTC)
    return day.strftime("%Y-%m-%d" if name == "day" else "%Y-%m")
