"""Closes what a process that died left open. Refuses to know why it died."""

from __future__ import annotations

import logging

from freehold.core.clock import now_ns
from freehold.ledger.careful import append_carefully
from freehold.ledger.entry import INTENT, OUTCOME, Entry, decode
from freehold.ledger.seal import NOTE_REACHED, REACHED
from freehold.store import Row, Store

log = logging.getLogger("freehold.ledger")

PAGE = 500
LATEST = 2**63 - 1

# Everything up to meta `closed` has its outcome, so a look for open intents costs what is new, not the whole ledger.
OPEN = f"""FROM entry i WHERE i.seq > (SELECT value FROM meta WHERE name = 'closed') AND i.kind = {INTENT}
AND NOT EXISTS (SELECT 1 FROM entry o WHERE o.call = i.call AND o.attempt = i.attempt AND o.kind = {OUTCOME})"""

CLOSED_TO = f"""UPDATE meta SET value = (SELECT CASE WHEN ? < m THEN ? ELSE m END FROM
(SELECT COALESCE((SELECT MIN(i.seq) - 1 {OPEN}), (SELECT COALESCE(MAX(seq), 0) FROM entry)) AS m) AS found)
WHERE name = 'closed'"""


async def open_intents(store: Store) -> list[Entry]:
    """Return the intents that have no outcome: calls under way, or of processes that died."""
    return [decode(data) for (data,) in await store.fetch(f"SELECT i.data {OPEN} ORDER BY i.seq")]


async def recover(store: Store, older_than_ns: int = 0, *, now: int | None = None, currency: str = "USD") -> int:
    """Close each intent without an outcome that is at least `older_than_ns` old; return how many were closed.

    The outcome says `interrupted` and costs what the intent had reserved, marked as estimated: nobody knows how far the
    call came, and a budget must not be passed by killing us. Idempotent; several processes may run it at once, and an
    outcome that arrives later all the same is put on record as an admin entry. While other processes serve calls,
    `older_than_ns` has to be more than the longest call may last; replay spools first. `currency` is the one that
    budgets are counted in, and so reservations of intents that name none. Raises StoreError.
    """
    # Without an age all are closed, also those that a clock which was set back since says to be of the future.
    until = (now_ns() if now is None else now) - older_than_ns if older_than_ns > 0 else LATEST
    reached = int((await store.fetch(REACHED))[0][0])
    head = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    if head < reached:
        log.error(
            "the end of the ledger was cut off",
            extra={"entries": head, "reached": reached, "hint": "restore the store from a backup"},
        )
    closed, after = 0, 0
    while True:
        rows: list[Row] = await store.fetch(
            f"SELECT i.seq, i.data {OPEN} AND i.seq > ? AND i.at <= ? ORDER BY i.seq LIMIT {PAGE}", after, until
        )
        if not rows:
            break
        after = int(rows[-1][0])
        closed += await append_carefully(
            store, (), [decode(data) for _, data in rows], error="interrupted", currency=currency
        )
    await store.write((CLOSED_TO, [(head, head)]), (NOTE_REACHED, [(max(head, reached),)]))
    return closed
