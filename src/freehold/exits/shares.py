"""What a share of revenue comes to: tiers, a cap over all periods, and nothing else. Pure and exact; refuses to know
where a basis comes from and who owes whom.

A share is a function of days: what is owed through a day, of everything known through it. What a statement asks for is
the difference between two days, so that periods may be cut in any way and come to the same, and no cap is passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import msgspec

from freehold.contracts.terms import RevenueShare
from freehold.exits.periods import Period

HUNDRED = 100


class Slice(msgspec.Struct, frozen=True):
    """The part of a basis that lies in one tier: above `over`, at `pct` percent. Money in units of the currency,
    rounded to cents for the eye; the sum is rounded once, by itself."""

    over: Decimal
    upto: Decimal | None
    pct: Decimal
    part: Decimal
    share: Decimal


class Basis(msgspec.Struct, frozen=True):
    """What a share is reckoned on in one of its periods: `before` is what was known of it before the days asked for,
    `through` what is known at their end."""

    period: Period
    before: Fraction
    through: Fraction


class Owed(msgspec.Struct, frozen=True):
    """What is owed of one period for the days asked for. `uncapped` is what it were without the cap, `cap_left` what is
    left of it afterwards; None: there is no cap."""

    basis: Basis
    slices: tuple[Slice, ...]
    uncapped: Decimal
    due: Decimal
    cap_left: Decimal | None


def cents(value: Fraction) -> Decimal:
    """Return `value` in cents, half to even."""
    return Decimal(round(value * HUNDRED)).scaleb(-2)


def tiers(share: RevenueShare) -> list[tuple[Decimal, Decimal | None, Decimal]]:
    """Return (above, up to, percent), the lowest first."""
    steps = [(Decimal(0), share.pct), *sorted((tier.over, tier.pct) for tier in share.tiers)]
    ends: list[Decimal | None] = [over for over, _ in steps[1:]]
    return [
        (over, end, pct) for (over, pct), end in zip(steps, [*ends, None], strict=True) if end is None or end > over
    ]


def shared(share: RevenueShare, basis: Fraction) -> Fraction:
    """Return what the tiers make of a basis; nothing of one below zero."""
    return sum((part * pct / HUNDRED for _, _, pct, part in _parts(share, basis)), Fraction(0))


def _parts(share: RevenueShare, basis: Fraction) -> Iterable[tuple[Decimal, Decimal | None, Fraction, Fraction]]:
    for over, end, pct in tiers(share):
        top = basis if end is None else min(basis, Fraction(end))
        if top > over:
            yield over, end, Fraction(pct), top - Fraction(over)


def slices(share: RevenueShare, basis: Fraction) -> tuple[Slice, ...]:
    """Return how a basis lies in the tiers."""
    return tuple(
        Slice(over, end, Decimal(pct.numerator) / Decimal(pct.denominator), cents(part), cents(part * pct / HUNDRED))
        for over, end, pct, part in _parts(share, basis)
    )


def owed(share: RevenueShare, bases: Iterable[Basis], already: Decimal = Decimal(0)) -> tuple[Owed, ...]:
    """Return what is owed for each period of a share. `bases` are all its periods since its first day, oldest first,
    for they use up the cap; `already` is what earlier versions of the contract used of it."""
    cap, used = share.cap_total, already
    found = []
    for basis in bases:
        before, through = (cents(shared(share, value)) for value in (basis.before, basis.through))
        left = through if cap is None else max(Decimal(0), cap - used)
        due = through if cap is None else min(through, left)
        due_before = before if cap is None else min(before, left)
        used += due
        rest = None if cap is None else max(Decimal(0), cap - used)
        found.append(Owed(basis, slices(share, basis.through), through - before, due - due_before, rest))
    return tuple(found)
