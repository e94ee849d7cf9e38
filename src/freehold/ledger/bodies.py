"""Texts of calls, kept apart from the chain so that they can be erased. Refuses to decide what is kept of them.

The chain holds no hash of a text: a hash of something short or guessable ("yes", a name, a number) gives it away to
whoever tries the candidates, so it would outlive the erasure. What an entry proves is that a call took place, not what
was said in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest
from freehold.ledger.entry import OUTCOME, Entry
from freehold.store import Step, Store

SQL = (
    "INSERT INTO body(call, attempt, part, at, media, data) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (call, attempt, part) DO NOTHING"
)


class Body(msgspec.Struct, frozen=True, array_like=True):
    """One text of an attempt: what was sent, or what came back."""

    part: Literal["request", "reply"]
    media: str  # media type
    data: bytes


class Kept(msgspec.Struct, frozen=True):
    """A text as it is kept; `data` is None once it was erased."""

    call: str
    attempt: int
    part: str
    at: int
    media: str
    data: bytes | None
    erased_at: int | None = None
    erased_why: str | None = None


class Text(NamedTuple):
    """That a text is kept: of which attempt, and how long it is."""

    call: str
    attempt: int
    part: str
    bytes: int


STRIDE = 10_000
"""Entries that one look for texts goes over: other readers of the store wait for it."""


def storing(texts: Iterable[tuple[Entry, Sequence[Body]]]) -> tuple[Step, ...]:
    """Return the step that keeps the texts of these entries, to be committed together with them."""
    rows = [
        (entry.call, entry.attempt, body.part, entry.at, body.media, body.data)
        for entry, bodies in texts
        for body in bodies
    ]
    return ((SQL, rows),) if rows else ()


async def read(store: Store, call: str) -> list[Kept]:
    """Return what is kept of a call, in the order of its attempts."""
    rows = await store.fetch(
        "SELECT call, attempt, part, at, media, data, erased_at, erased_why FROM body WHERE call = ? "
        "ORDER BY attempt, part DESC",
        call,
    )
    return [Kept(*row) for row in rows]


async def erase(
    store: Store, *, call: str | None = None, key: str | None = None, before: int | None = None, why: str
) -> int:
    """Shred the texts of one call, of all calls of a key, and/or older than `before` (nanoseconds); return how many.

    The rows stay and say when and why they were erased. Conditions add up; raises BadRequest when there is none. The
    chain stays valid. Copies elsewhere (backups, a replica, PostgreSQL's archived log) are the operator's to erase.
    """
    terms = ["data IS NOT NULL"]
    args: list[str | int] = []
    if call is not None:
        terms.append("call = ?")
        args.append(call)
    if key is not None:
        terms.append("call IN (SELECT call FROM entry WHERE key = ?)")
        args.append(key)
    if before is not None:
        terms.append("at < ?")
        args.append(before)
    if not args:
        raise BadRequest("Nothing says what to erase.", hint="name a call, a key or a time")
    sql = f"UPDATE body SET data = NULL, erased_at = ?, erased_why = ? WHERE {' AND '.join(terms)}"
    return await store.shred("body", (sql, [(now_ns(), why, *args)]))


async def kept(
    store: Store, condition: str, args: Sequence[Any], heard: Callable[[int, int], None] | None = None
) -> list[Text]:
    """Return which texts are kept of the attempts whose outcome keeps to a condition of SQL. `heard` is told how many
    entries were looked through, and how many there are. Raises StoreError."""
    if not await store.fetch("SELECT 1 FROM body WHERE data IS NOT NULL LIMIT 1"):
        return []
    head = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    theirs = f"SELECT call, attempt FROM entry WHERE seq > ? AND seq <= ? AND kind = {OUTCOME} AND {condition}"
    sql = (
        "SELECT b.call, b.attempt, b.part, LENGTH(b.data) FROM body b "
        f"WHERE b.data IS NOT NULL AND (b.call, b.attempt) IN ({theirs})"
    )
    found: list[Text] = []
    for done in range(0, head, STRIDE):
        upto = min(done + STRIDE, head)
        found += [Text(*row) for row in await store.fetch(sql, done, upto, *args)]
        if heard is not None:
            heard(upto, head)
    return found


async def shred(store: Store, texts: Iterable[Text], why: str) -> None:
    """Erase these texts; see `erase`."""
    rows = [(now_ns(), why, text.call, text.attempt, text.part) for text in texts]
    gone = "UPDATE body SET data = NULL, erased_at = ?, erased_why = ? WHERE call = ? AND attempt = ? AND part = ?"
    if rows:
        await store.shred("body", (f"{gone} AND data IS NOT NULL", rows))
