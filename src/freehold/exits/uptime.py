"""How much of the time a service answered, as our own attempts saw it, and the credit that its contract gives for less.
Refuses to know what a vendor's own measurement says: a contract may go by that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from freehold.contracts.terms import Credit, Sla
from freehold.contracts.wording import number, sentence
from freehold.exits.periods import Period
from freehold.exits.shares import HUNDRED, cents
from freehold.exits.statement import Line
from freehold.exits.sums import Evidence
from freehold.ledger.entry import GONE
from freehold.ledger.traffic import Sum

DOWN = frozenset({"upstream_error", "upstream_connect_failed", "upstream_timeout", "upstream_fault", "upstream_broken"})
"""Errors of attempts that found the vendor down or broken. That it was overloaded is not among them: it may have been
our own limit."""
UP = frozenset({"", GONE, "upstream_rejected", "upstream_overloaded"})
"""Errors of attempts that it answered in some way."""
MEASURED = (
    "Credits go by our own attempts of the month: the share that the vendor did not fail by its own fault (no "
    "connection, time out, an error of its own, a broken answer). Calls that it refused and limits of rate do not "
    "count against it, nor does it count how long a failure took. A claim needs whatever else the contract asks for."
)


class Up(msgspec.Struct):
    """What attempts saw of a service in a month. `percent` is None without attempts."""

    attempts: int = 0
    down: int = 0

    @property
    def percent(self) -> Fraction | None:
        return Fraction((self.attempts - self.down) * HUNDRED, self.attempts) if self.attempts else None


def seen(sums: Iterable[Sum], deployments: frozenset[str]) -> Up:
    """Return what attempts at these deployments saw."""
    found = Up()
    for one in sums:
        if one.deployment in deployments and (one.error in DOWN or one.error in UP):
            found.attempts += one.attempts
            found.down += one.attempts if one.error in DOWN else 0
    return found


def credit(sla: Sla, percent: Fraction) -> Credit | None:
    """Return the credit that is given for a month that was up so much: the one of the lowest level that it is below."""
    return min((each for each in sla.credits if percent < each.below), key=lambda each: each.below, default=None)


def line(
    sla: Sla, month: Period, up: Up, charged: Fraction, currency: str, evidence: Evidence, deployments: Sequence[str]
) -> Line | None:
    """Return what is given back for a month in which `charged` was owed; None when nothing is."""
    if sla.uptime is None or up.percent is None or up.percent >= sla.uptime:
        return None
    level = credit(sla, up.percent)
    shown = cents(up.percent)
    missed = f"{shown} % up, {number(sla.uptime)} % promised"
    notes = [f"{up.down} of {up.attempts} attempts at {', '.join(sorted(deployments))} failed by the vendor's fault."]
    if level is None:
        notes.append("The contract states no credit for that.")
    return Line(
        kind="credit",
        about=str(month),
        first=month.first,
        last=month.last,
        payer="supplier",
        due=Decimal("0.00") if level is None else cents(charged * Fraction(level.pct) / HUNDRED),
        currency=currency,
        basis=cents(charged),
        rule=missed if level is None else f"{missed}; {sentence(level)}",
        attempts=evidence.attempts,
        first_seq=evidence.first_seq,
        last_seq=evidence.last_seq,
        terms=tuple(sorted(evidence.terms)),
        notes=(*notes, *((f"The contract leaves out: {sla.exclusions}",) if sla.exclusions else ())),
    )
