"""A price, and what a usage costs at it. Pure integers; refuses to know tables, files and clocks."""

from __future__ import annotations

import msgspec

from freehold.core import money
from freehold.core.call import Usage


class Tier(msgspec.Struct, frozen=True):
    """Rates for a whole call whose input is longer than `above` tokens; in nano-units per million tokens."""

    above: int
    input: int
    output: int
    cached: int | None = None


class Price(msgspec.Struct, frozen=True):
    """Rates in nano-units of `currency` per million tokens.

    `cached` is for the part of the input that was read from a cache; None means that it costs as much as the rest.
    `valid_from` and `valid_until` (exclusive) are nanoseconds since the epoch, None for no bound. `source` says where
    the price is from, `checked` on which day somebody looked there (ISO 8601), `note` what to know about it.
    """

    input: int
    output: int
    cached: int | None = None
    currency: str = "USD"
    tiers: tuple[Tier, ...] = ()
    valid_from: int | None = None
    valid_until: int | None = None
    source: str = ""
    checked: str = ""
    note: str = ""

    def holds(self, at: int) -> bool:
        """Return whether the price is in force at `at` (ns)."""
        return (self.valid_from is None or at >= self.valid_from) and (
            self.valid_until is None or at < self.valid_until
        )


OWN_COMPUTE = Price(0, 0, 0, note="own compute: no vendor is owed anything; the machine's cost is not counted here")
"""The price of a model of one's own unless its deployment states another."""


def charge(usage: Usage, price: Price) -> int:
    """Return what `usage` costs at `price`, in nano-units, rounded once, half to even.

    The vendor's numbers are believed as they stand, except that the cached part of the input cannot be more than all of
    it. Reasoning is part of the output and costs the same.
    """
    given, cached = usage.input, usage.cached
    rates = _tier(given, price) if price.tiers else price
    if cached and rates.cached is not None:
        cached = min(cached, given)
        return money.charge(1, (given - cached) * rates.input + cached * rates.cached + usage.output * rates.output)
    return money.charge(1, given * rates.input + usage.output * rates.output)


def ceiling(given: int, taken: int, price: Price) -> int:
    """Return the most that `given` input and `taken` output tokens can cost at `price`, rounded up: no cache helps."""
    rates = _tier(given, price) if price.tiers else price
    return -(-(given * rates.input + taken * rates.output) // money.MILLION)


def _tier(given: int, price: Price) -> Price | Tier:
    rates: Price | Tier = price
    for tier in price.tiers:
        if given > tier.above:
            rates = tier
    return rates
