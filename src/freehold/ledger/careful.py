"""Appending what may be there already: after a commit in doubt, from a spool, for a process that died. Each (call,
attempt, kind) is written once; what comes too late is put on record beside it, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from freehold.core.clock import now_ns
from freehold.ledger.entry import ADMIN, INTENT, NUMBERS, OUTCOME, Entry, clean, pack
from freehold.ledger.seal import seal
from freehold.store import Head, Row, Step, Store

Once = tuple[str, int, int]


async def append_carefully(
    store: Store, entries: Sequence[Entry], doubtful: Sequence[Entry] = (), *, error: str = "not_sent",
    currency: str = "", also: Sequence[Step] = (),
) -> int:  # fmt: skip
    """Append those of `entries` that are not there yet, and close those of the `doubtful` intents that are there but
    have no outcome with an outcome that says `error`. Return how many intents were closed. Raises StoreError.

    Under `error="not_sent"` a closed intent costs nothing; under any other it costs what it had reserved, marked as
    estimated, as nobody knows how far it came: in the intent's currency, or `currency` when it names none.
    """
    calls = sorted({entry.call for entry in (*entries, *doubtful)})
    closed = 0

    def build(head: Head) -> list[Row]:
        nonlocal closed
        known: dict[Once, bytes] = {(call, attempt, kind): data for call, attempt, kind, data in head.found}
        rows = list(_missing(entries, known))
        before = len(rows)
        rows.extend(_closing(doubtful, known, error, currency))
        closed = len(rows) - before
        return list(seal(rows)(head))

    marks = ",".join("?" * len(calls))
    ask = (f"SELECT call, attempt, kind, data FROM entry WHERE call IN ({marks})", *calls) if calls else ()
    await store.append("entry", build, ask=ask, also=also)
    return closed


def _missing(entries: Iterable[Entry], known: dict[Once, bytes]) -> Iterable[tuple[Any, ...]]:
    for entry in entries:
        entry = clean(entry)
        row = pack(entry)
        once = (entry.call, entry.attempt, NUMBERS[entry.kind])
        if known.get(once) == row[0]:
            continue
        if once in known:
            once = (entry.call, entry.attempt, ADMIN)
            if once in known:
                continue
            row = pack(late(entry))
        known[once] = row[0]
        yield row


def _closing(
    doubtful: Iterable[Entry], known: dict[Once, bytes], error: str, currency: str
) -> Iterable[tuple[Any, ...]]:
    for intent in doubtful:
        once = (intent.call, intent.attempt, OUTCOME)
        if (intent.call, intent.attempt, INTENT) in known and once not in known:
            row = pack(clean(closing(intent, error, currency)))
            known[once] = row[0]
            yield row


def closing(intent: Entry, error: str, currency: str = "") -> Entry:
    """Return the outcome of an intent whose own outcome will not come."""
    unknown = error != "not_sent"
    cost = intent.reserved if unknown else 0
    # Money always says its currency; nothing is in none, as with a model that has no price.
    named = intent.currency or (currency if cost else "")
    return msgspec.structs.replace(
        intent, kind="outcome", at=now_ns(), error=error, cost=cost, currency=named, estimated=unknown
    )


def late(entry: Entry) -> Entry:
    """Return the admin entry that holds an `entry` whose place in the ledger was taken: an outcome that arrived after
    its intent had been closed. Sums keep what the first one said; the record shows both."""
    note = msgspec.json.encode({"late": dict(zip(entry.__struct_fields__, msgspec.to_builtins(entry), strict=True))})
    return msgspec.structs.replace(entry, kind="admin", note=note.decode())
