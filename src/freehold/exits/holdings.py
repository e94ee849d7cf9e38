"""What others hold of ours, and what we hold ourselves. Knows retention as it was promised with each call; refuses to
take anybody's word for more than that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import msgspec

from freehold.contracts.binding import OWN
from freehold.exits.concentration import Lens
from freehold.exits.stretches import day_of
from freehold.ledger.reliance import Use, uses
from freehold.ledger.traffic import DAY
from freehold.store import Store

KINDS = ("conversation", "message", "file", "project", "prompt", "assistant", "memory")
"""Tables of what people make here: none of it is kept at a vendor."""


class Held(msgspec.Struct):
    """What one party may still hold: attempts whose words it saw, of whatever purpose, failed ones too (words may have
    left), and their input tokens. `until` is when the last of it has run out, as promised. `by_days` are the attempts
    by the days for which they may be kept; for those at -1 nobody said how long, so they never run out."""

    requests: int = 0
    tokens: int = 0
    until: date | None = None
    by_days: dict[int, int] = {}

    @property
    def unstated(self) -> int:
        return self.by_days.get(-1, 0)


async def held(store: Store, lens: Lens, now: int, keep: Callable[[Use], bool]) -> dict[str, Held]:
    """Return what each party or group may still hold now (ns) of the sums that `keep` lets through. Raises
    StoreError."""
    end = now // DAY * DAY + DAY
    found: dict[str, Held] = {}
    every = [use for use in await uses(store, 0, end, callers=False) if keep(use)]
    for days in sorted({use.retention for use in every if use.retention}):
        some = every if days < 0 else await uses(store, end - DAY - days * DAY, end, callers=False)
        for use in some:
            if use.retention == days and keep(use):
                _count(found, lens, use)
    return found


def _count(found: dict[str, Held], lens: Lens, use: Use) -> None:
    for party in {lens.party(each) for each in recipients(use)}:
        one = found.setdefault(party, Held())
        one.requests += use.attempts
        one.tokens += use.input
        one.by_days[use.retention] = one.by_days.get(use.retention, 0) + use.attempts
        if use.retention > 0:
            last = day_of(use.last_day) + timedelta(days=use.retention)
            one.until = last if one.until is None else max(one.until, last)


def recipients(use: Use) -> tuple[str, ...]:
    """Return who saw the words. Older entries don't say: there it was who hosts and who sells."""
    return use.recipients or tuple(dict.fromkeys(id for id in (use.host, use.seller) if id and id != OWN))


async def ours(store: Store) -> dict[str, int]:
    """Return how many conversations, files and so on are kept, all of them here. Raises StoreError."""
    columns = ", ".join(f"(SELECT COUNT(*) FROM {kind})" for kind in KINDS)
    rows = await store.fetch(f"SELECT {columns}")
    return dict(zip(KINDS, map(int, rows[0]), strict=True))
