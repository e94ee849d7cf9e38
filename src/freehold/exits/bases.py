"""What a share is reckoned on: revenue, as it was served by whom, or use at its list price, its cost, its tokens. Knows
sums of use, revenue and list prices; refuses to know tiers and caps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from fnmatch import fnmatchcase
from fractions import Fraction

import msgspec

from freehold.contracts.book import PriceBook
from freehold.contracts.price import charge
from freehold.contracts.terms import RevenueShare
from freehold.core.call import Usage
from freehold.core.money import NANO
from freehold.exits.periods import Period
from freehold.exits.revenue import Earned
from freehold.exits.sums import SERVED, Evidence, Sums
from freehold.ledger.reliance import Use

REVENUE = ("gross_revenue", "net_revenue")


class Weighed(msgspec.Struct):
    """What was found. `known` is False where what the basis needs was not told; `told` is the last day of which we are
    told what was earned, None for a basis that does not need it."""

    value: Fraction = Fraction(0)
    known: bool = True
    told: date | None = None
    notes: dict[str, None] = {}
    evidence: Evidence = msgspec.field(default_factory=Evidence)

    def note(self, text: str) -> None:
        self.notes[text] = None


class Bases:
    """Reckons bases from `sums`. `earned` is None where nobody told us what was earned; `own(use)` says whether a use
    is under the contract of the share."""

    def __init__(self, sums: Sums, earned: tuple[Earned, ...] | None, book: PriceBook) -> None:
        self._sums, self._earned, self._book = sums, earned, book
        self._matched: dict[tuple[tuple[str, ...], str], bool] = {}
        self._products: dict[str, Sums] | None = None

    def weigh(self, share: RevenueShare, days: Period, own: Callable[[Use], bool] | None) -> Weighed:
        """Return the basis of a share on `days`. Use counts where `own` says so; None: all that the scope names."""
        found = Weighed()
        if share.basis in REVENUE:
            self._revenue(share, days, found)
        else:
            for use in self._sums.over(days):
                if (own is None or own(use)) and self._in_scope(share, use):
                    self._add(share, use, found)
        return found

    # -- revenue

    def _revenue(self, share: RevenueShare, days: Period, found: Weighed) -> None:
        if self._earned is None:
            found.known = False
            found.note("What was earned is not known: name a file of revenue, [contracts] revenue or --revenue.")
            return
        self._told(share, days, self._earned, found)
        for row in self._earned:
            both = row.period.common(days)
            if both is None or not self._matches(share.scope.products, row.product):
                continue
            if row.currency != share.currency:
                found.note(f"Revenue of {row.product} in {row.currency} is left out: the share is in {share.currency}.")
                continue
            amount = row.within(days, share.basis == "net_revenue")
            if amount is None:
                found.known = False
                found.note(f"{row.product}, {row.period}: its {share.basis.replace('_', ' ')} is not stated.")
                continue
            if both != row.period:
                found.note(
                    f"Revenue of {row.product} for {row.period}: {both.days} of its {row.period.days} days count."
                )
            found.value += amount * self._served(share, row.product, both, found)

    def _told(self, share: RevenueShare, days: Period, earned: tuple[Earned, ...], found: Weighed) -> None:
        """Find how far we are told what was earned. Days before that without a row are days on which nothing was."""
        last: dict[str, date] = {}
        for row in earned:
            if row.currency == share.currency and self._matches(share.scope.products, row.product):
                last[row.product] = max(row.period.last, last.get(row.product, row.period.last))
        if not last:
            found.known = False
            found.note(f"No revenue of {', '.join(share.scope.products)} in {share.currency} is stated.")
            return
        found.told = max(last.values())
        for product, day in last.items():
            if day < days.last:
                found.note(f"Revenue of {product} is stated through {day} only.")

    def _served(self, share: RevenueShare, product: str, days: Period, found: Weighed) -> Fraction:
        """Return which part of a product's revenue the deployments of the scope served."""
        by_requests = share.attribution == "served_requests"
        part = whole = 0
        for use in self._product(product).over(days):
            served = use.attempts if by_requests else use.input + use.output
            whole += served
            if self._matches(share.scope.served_by, use.deployment):
                part += served
                found.evidence.add(use)
        if "*" in share.scope.served_by:
            return Fraction(1)
        if not whole:
            found.note(f"Revenue of {product} for {days} is nobody's: the ledger has no call for it on these days.")
            return Fraction(0)
        return Fraction(part, whole)

    def _product(self, name: str) -> Sums:
        """Return the sums of good answers for a product: those for a function or a route of that name."""
        if self._products is None:
            found: dict[str, list[Use]] = {}
            for use in self._sums.over(self._sums.span):
                if not use.failed and use.purpose in SERVED:
                    for each in {use.function, use.asked}:
                        found.setdefault(each, []).append(use)
            self._products = {each: Sums(self._sums.span, self._sums.edges, uses) for each, uses in found.items()}
        return self._products.get(name) or Sums(self._sums.span, self._sums.edges, ())

    # -- use

    def _in_scope(self, share: RevenueShare, use: Use) -> bool:
        scope = share.scope
        return self._matches(scope.served_by, use.deployment) and (
            self._matches(scope.products, use.function) or self._matches(scope.products, use.asked)
        )

    def _add(self, share: RevenueShare, use: Use, found: Weighed) -> None:
        nano = self._cost(share, use, found) if share.basis == "cost" else self._listed(share, use, found)
        if nano is not None:
            found.value += Fraction(nano, NANO)
            found.evidence.add(use)

    def _cost(self, share: RevenueShare, use: Use, found: Weighed) -> int | None:
        if use.currency == share.currency:
            return use.cost
        if use.currency or use.input or use.output:
            said = f"in {use.currency}" if use.currency else "at no known price"
            found.note(f"Use of {use.deployment} {said} is left out.")
        return None

    def _listed(self, share: RevenueShare, use: Use, found: Weighed) -> int | None:
        price = self._book.find(use.seller, use.sent, use.at)
        if price is None or price.currency != share.currency:
            if use.input or use.output:
                found.note(f"{use.sent} at {use.seller or 'ourselves'} is left out: no list price in {share.currency}.")
            return None
        if price.tiers:
            found.note(f"{use.sent}: calls with long inputs are taken at its first list price.")
        cached = use.cached if share.basis == "list_value" else 0
        return charge(
            Usage(input=use.input, output=use.output, cached=cached), msgspec.structs.replace(price, tiers=())
        )

    def _matches(self, globs: tuple[str, ...], name: str) -> bool:
        key = (globs, name)
        known = self._matched.get(key)
        if known is None:
            known = self._matched[key] = any(glob == "*" or (name and fnmatchcase(name, glob)) for glob in globs)
        return known


def changes(book: PriceBook) -> Iterable[int]:
    """Return the moments (ns) at which a list price begins or ends."""
    return {at for _, _, price in book.rows() for at in (price.valid_from, price.valid_until) if at is not None}
