"""Sums of use by stretches of days, cut wherever a term, a price or a question begins or ends, so that each stretch
counts whole. Knows the ledger's sums; refuses to know what they are for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from freehold.contracts.binding import OWN
from freehold.exits.periods import ONE_DAY, Period
from freehold.exits.stretches import MOST, begin
from freehold.ledger import reliance
from freehold.ledger.reliance import Use
from freehold.store import Store

SERVED = frozenset({"serve", "hedge", "embed"})
"""Purposes of calls that somebody waits for: what revenue was earned with."""


class Evidence(msgspec.Struct):
    """Which entries stand behind a figure: so many outcomes, the first and the last of them by number."""

    attempts: int = 0
    first_seq: int = 0
    last_seq: int = 0
    terms: set[str] = set()

    def add(self, use: Use) -> None:
        self.attempts += use.attempts
        self.first_seq = min(self.first_seq or use.first_seq, use.first_seq)
        self.last_seq = max(self.last_seq, use.last_seq)
        if use.terms:
            self.terms.add(use.terms)


class Sums:
    """Sums of use from a first day to a last one. Never changed once built."""

    def __init__(self, span: Period, edges: Iterable[date], uses: Iterable[Use]) -> None:
        """`uses` are by the stretches that begin on `edges`, or by day."""
        self.span = span
        self.edges = edges if isinstance(edges, frozenset) else frozenset(edges)
        found: dict[int, list[Use]] = {}
        for use in uses:
            found.setdefault(use.at, []).append(use)
        self._starts = sorted(found)
        self._uses = [found[at] for at in self._starts]

    def over(self, days: Period) -> Iterator[Use]:
        """Yield the sums of `days`, which have to begin and end where stretches do. Raises ValueError otherwise."""
        for edge in (days.first, days.last + ONE_DAY):
            if edge not in self.edges and self.span.first < edge <= self.span.last:
                raise ValueError(f"no stretch begins on {edge}")
        first = bisect_left(self._starts, begin(days.first))
        last = bisect_left(self._starts, begin(days.last + ONE_DAY))
        for uses in self._uses[first:last]:
            yield from uses


async def load(store: Store, span: Period, edges: Iterable[date]) -> Sums:
    """Return the sums of `span`, cut at `edges`. Raises StoreError."""
    cut = {edge for edge in edges if span.first < edge <= span.last} | {span.first}
    since, until = begin(span.first), begin(span.last + ONE_DAY)
    if len(cut) > MOST:
        return Sums(span, cut, await reliance.uses(store, since, until, by_day=True))
    found = await reliance.uses(store, since, until, edges=[begin(edge) for edge in sorted(cut)])
    return Sums(span, cut, found)


def parties(use: Use) -> str:
    """Return who a sum is owed to, for people: its seller, or ourselves."""
    return use.seller or use.host or OWN
