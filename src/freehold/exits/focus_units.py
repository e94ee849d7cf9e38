"""Reserved units in the columns of FOCUS: bought by the month, used by the day. Knows one commitment; refuses to know
what an hour of a unit served: a day with any use has used its units.

Units and their cost fall on days evenly. Use at no price of its own on deployments that count is what they served; use
that was billed went beyond them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from freehold.contracts.register import Version
from freehold.contracts.terms import Commitment
from freehold.exits.dividing import divided
from freehold.exits.periods import ONE_DAY, Period, cycles

Row = dict[str, Any]
Blank = Callable[[Version, date, str], Row]
_UNITS = 6  # decimals of units
_COST = 15  # decimals of money
_TIMES = frozenset({"second", "minute", "hour", "day", "month", "year"})


class Units:
    """The rows of one commitment of reserved units that has days in a period."""

    def __init__(self, version: Version, commitment: Commitment, period: Period, blank: Blank) -> None:
        self._version, self._commitment, self._blank = version, commitment, blank
        self._held = Period(commitment.start, commitment.end)
        self._days = self._held.common(period)
        self._price = commitment.unit_price
        self._id = f"{version.contract.id}/{commitment.id}"
        self._unit = unit(commitment.unit)

    def rows(self, used: Mapping[date, list[Row]]) -> Iterator[Row]:
        """Yield what was bought and what was not used; `used` are the rows of use that count, by day, and are told that
        they were served by these units. Nothing where no price says what one unit costs."""
        if self._days is None or self._price is None:
            return
        for month in cycles(self._days, "month"):
            days = month.common(self._days)
            if days is not None:
                yield self._bought(days)
        for number in range(self._days.days):
            day = self._days.first + timedelta(days=number)
            units = self._until(day) - self._until(day - ONE_DAY)
            free = [row for row in used.get(day, ()) if not row["BilledCost"] and row["CommitmentDiscountId"] is None]
            if free:
                self._serve(free, units)
            else:
                yield self._unused(day, units)

    def _until(self, day: date) -> Decimal:
        """Return how many units fall on the days through `day`, in whole millionths."""
        days = min(max((day - self._held.first).days + 1, 0), self._held.days)
        millionths = (self._commitment.quantity or Decimal(0)).scaleb(_UNITS) * days // self._held.days
        return Decimal(int(millionths)).scaleb(-_UNITS)

    def _common(self) -> Row:
        return {
            "CommitmentDiscountId": self._id,
            "CommitmentDiscountName": self._commitment.id,
            "CommitmentDiscountCategory": "Usage",
            "CommitmentDiscountType": self._commitment.unit,
            "CommitmentDiscountUnit": self._unit,
        }

    def _priced(self, units: Decimal) -> Row:
        price = self._price or Decimal(0)
        return {
            "ContractedUnitPrice": price,
            "ListUnitPrice": price,
            "PricingCurrencyContractedUnitPrice": price,
            "PricingCurrencyListUnitPrice": price,
            "PricingQuantity": units,
            "PricingUnit": self._unit,
            "ContractedCost": price * units,
            "ListCost": price * units,
            "CommitmentDiscountQuantity": units,
            "SkuId": self._id,
            "SkuPriceId": self._id,
            "SkuMeter": self._commitment.unit,
            "x_ListPriceKnown": "false",
        }

    def _bought(self, days: Period) -> Row:
        units = self._until(days.last) - self._until(days.first - ONE_DAY)
        row = self._blank(self._version, days.first, self._commitment.currency)
        last = self._blank(self._version, days.last, self._commitment.currency)
        return row | self._common() | self._priced(units) | {
            "ChargePeriodEnd": last["ChargePeriodEnd"],
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring",
            "ChargeDescription": f"{self._commitment.unit} reserved by {self._commitment.id}",
            "PricingCategory": "Standard",
            "BilledCost": (self._price or 0) * units,
            "EffectiveCost": Decimal(0),
            "PricingCurrencyEffectiveCost": Decimal(0),
        }  # fmt: skip

    def _unused(self, day: date, units: Decimal) -> Row:
        cost = (self._price or 0) * units
        return self._blank(self._version, day, self._commitment.currency) | self._common() | self._priced(units) | {
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "ChargeDescription": f"{self._commitment.unit} reserved by {self._commitment.id} and not used",
            "PricingCategory": "Committed",
            "CommitmentDiscountStatus": "Unused",
            "BilledCost": Decimal(0),
            "EffectiveCost": cost,
            "PricingCurrencyEffectiveCost": cost,
        }  # fmt: skip

    def _serve(self, rows: list[Row], units: Decimal) -> None:
        weights = {place: int(row["ConsumedQuantity"]) for place, row in enumerate(rows)}
        costs = divided(int(((self._price or 0) * units).scaleb(_COST)), weights)
        shares = divided(int(units.scaleb(_COST)), weights)
        for place, row in enumerate(rows):
            cost = Decimal(costs.get(place, 0)).scaleb(-_COST)
            row |= self._common()
            row["CommitmentDiscountStatus"] = "Used"
            row["CommitmentDiscountQuantity"] = Decimal(shares.get(place, 0)).scaleb(-_COST)
            row["PricingCategory"] = "Committed"
            row["EffectiveCost"] = row["PricingCurrencyEffectiveCost"] = cost


def unit(name: str) -> str:
    """Return a unit as FOCUS writes it: Ptu-Months, Gpu-Hours, Seats."""
    thing, dash, time = name.rpartition("-")
    each = time.rstrip("s").lower()
    if dash and thing and each in _TIMES:
        return f"{thing[0].upper()}{thing[1:]}-{each.title()}s"
    whole = name if name.endswith("s") else f"{name}s"
    return whole[:1].upper() + whole[1:]
