"""From sums of the ledger to figures that are shown: totals, groups, percentiles, money. Pure; refuses to ask
anybody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from freehold.console.shapes import Latency, Money
from freehold.core.money import show
from freehold.ledger import Entry
from freehold.ledger.traffic import Point, Sum

MS = 1_000_000
"""Nanoseconds of a millisecond."""


class Tally:
    """Adds sums up."""

    def __init__(self) -> None:
        self.calls = self.attempts = self.failed_attempts = 0
        self.input = self.output = self.cached = self.unpriced = 0
        self.cost: dict[str, int] = {}
        self.last_at = 0

    def add(self, row: Sum) -> None:
        self.count(row, row.failed)
        self.last_at = max(self.last_at, row.last_at)

    def count(self, row: Sum | Point, failed: bool) -> None:
        self.calls += row.calls
        self.attempts += row.attempts
        self.input += row.input
        self.output += row.output
        self.cached += row.cached
        if failed:
            self.failed_attempts += row.attempts
        if row.currency:
            self.cost[row.currency] = self.cost.get(row.currency, 0) + row.cost
        elif not failed:
            self.unpriced += row.attempts

    @property
    def failed_calls(self) -> int:
        """Calls whose last attempt failed: every attempt after a call's first was made because one had failed."""
        return max(0, self.failed_attempts - (self.attempts - self.calls))

    def fields(self, whole: bool = True) -> dict[str, object]:
        """Return what `shapes.Sums` holds. `whole`: all attempts of a call are among these."""
        return {
            "calls": self.calls,
            "failed_calls": self.failed_calls if whole else None,
            "attempts": self.attempts,
            "failed_attempts": self.failed_attempts,
            "input": self.input,
            "output": self.output,
            "cached": self.cached,
            "cost": monies(self.cost),
            "unpriced": self.unpriced,
        }


def tally(rows: Iterable[Sum]) -> Tally:
    """Return all of `rows` added up."""
    whole = Tally()
    for row in rows:
        whole.add(row)
    return whole


def money(nano: int, currency: str) -> Money:
    """Return an amount of nano-units as it is shown."""
    return Money(currency, show(nano, "").strip())


def monies(cost: dict[str, int]) -> list[Money]:
    """Return amounts by currency, the dearest first; what is nothing is left out."""
    return [money(nano, currency) for currency, nano in sorted(cost.items(), key=lambda item: -item[1]) if nano]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of all values do not pass (nearest rank), rounded; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * share // 1) - 1))], 1)


def latency(entries: Iterable[Entry], exact: bool) -> Latency:
    """Return how long good answers took, as these entries say."""
    good = [entry for entry in entries if not entry.error]
    whole = [entry.total_ms for entry in good]
    first = [entry.first_ms for entry in good if entry.first_ms]
    return Latency(
        p50=percentile(whole, 0.5),
        p95=percentile(whole, 0.95),
        first_p50=percentile(first, 0.5),
        first_p95=percentile(first, 0.95),
        of=len(good),
        exact=exact,
    )
