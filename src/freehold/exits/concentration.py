"""How much of a whole is whose, and how concentrated that is. Pure; refuses to know where the sums come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from freehold.contracts.binding import OWN
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register
from freehold.ledger.reliance import Use

Dimension = Literal["maker", "seller", "host", "compute", "chips", "region", "contract"]
Measure = Literal["spend", "tokens", "requests"]

DIMENSIONS: tuple[Dimension, ...] = ("maker", "seller", "host", "compute", "chips", "region", "contract")
PARTIES: tuple[Dimension, ...] = ("maker", "seller", "host", "compute")
"""Dimensions whose values are parties, which may belong to groups."""
MEASURES: tuple[Measure, ...] = ("spend", "tokens", "requests")
TRAFFIC = frozenset({"serve", "hedge", "embed"})
"""Purposes of calls that somebody waits for. What is done for tests and guards is no reliance, and is told apart."""


class Amount(msgspec.Struct):
    """What went through. `requests` are attempts that did not fail (what its caller stopped has not), `failed` those
    that did, `unpriced` the requests whose price nobody told us. Tokens; `spend` in nano-units by currency. Tokens and
    spend of failed attempts count too: they were billed."""

    requests: int = 0
    failed: int = 0
    unpriced: int = 0
    input: int = 0
    output: int = 0
    spend: dict[str, int] = {}

    def add(self, use: Use) -> None:
        if use.failed:
            self.failed += use.attempts
        else:
            self.requests += use.attempts
            if not use.currency:
                self.unpriced += use.attempts
        self.input += use.input
        self.output += use.output
        if use.currency:
            self.spend[use.currency] = self.spend.get(use.currency, 0) + use.cost

    def of(self, measure: Measure, currency: str) -> int:
        """Return it in one measure; spend is that in `currency` alone, nano-units."""
        if measure == "spend":
            return self.spend.get(currency, 0)
        return self.input + self.output if measure == "tokens" else self.requests


def measured(use: Use, measure: Measure, currency: str) -> int:
    """Return what one sum adds to a measure, as `Amount.of` does."""
    if measure == "spend":
        return use.cost if use.currency == currency else 0
    if measure == "tokens":
        return use.input + use.output
    return 0 if use.failed else use.attempts


class Part(msgspec.Struct, frozen=True):
    """Whose, how much, and which share of the whole (0 to 1). `members` are the values that were put together under
    this id; the id is empty where nobody said whose it is."""

    id: str
    members: tuple[str, ...]
    amount: Amount
    share: float


class Spread(msgspec.Struct, frozen=True):
    """A whole by one dimension, the largest part first. `hhi` is the Herfindahl-Hirschman index, the sum of the squared
    shares, from 0 (many small parts) to 1 (all is one's); None of nothing. What nobody named is one part."""

    by: Dimension
    parts: tuple[Part, ...]
    hhi: float | None


def hhi(values: Iterable[int]) -> float | None:
    """Return the Herfindahl-Hirschman index of parts, 0 to 1; None when they come to nothing."""
    some = [value for value in values if value > 0]
    whole = sum(some)
    return sum(value * value for value in some) / (whole * whole) if whole else None


class Lens:
    """How values of a dimension are read: `merged` puts the parties of a group together, and a contract's versions."""

    def __init__(self, organisation: Organisation, register: Register, *, merged: bool = True) -> None:
        self.organisation, self.register, self.merged = organisation, register, merged
        stated = (version.contract.party for version in register.versions)
        self._stated = {party.supplier: party.group for party in stated if party.group}
        self._parties: dict[str, str] = {}
        self._contracts: dict[str, str] = {}
        self._rests: dict[tuple[str, str, str, str], frozenset[str]] = {}

    def party(self, id: str) -> str:
        """Return what a party counts under: its group, as the organisation says, or else a contract with it."""
        found = self._parties.get(id)
        if found is None:
            found = self.organisation.group(id) if self.merged and id else id
            if found == id and self.merged:
                found = self._stated.get(id, id)
            self._parties[id] = found
        return found

    def contract(self, id: str) -> str:
        """Return what a contract counts under: its latest version that is no draft, or itself where it is on no
        file."""
        found = self._contracts.get(id)
        if found is None:
            chain = self.register.chain(id) if self.merged else ()
            found = next((v.contract.id for v in reversed(chain) if v.contract.status != "draft"), id)
            self._contracts[id] = found
        return found

    def read(self, use: Use, by: Dimension) -> str:
        """Return what a sum counts under."""
        said = value(use, by)
        if by == "contract":
            return self.contract(said)
        return self.party(said) if by in PARTIES else said

    def rests_on(self, maker: str, seller: str, host: str, compute: str) -> frozenset[str]:
        """Return the counterparties without whom a call could not be made as it was. Ourselves are none; and whoever
        runs the weights on machines of their own does not need their maker any more."""
        way = (maker, seller, host, compute)
        found = self._rests.get(way)
        if found is None:
            named = (seller, host, compute or host, "" if host == OWN else maker)
            found = self._rests[way] = frozenset(self.party(id) for id in named if id and id != OWN)
        return found

    def title(self, id: str) -> str:
        """Return what people call a party."""
        entity = self.organisation.parties.get(id)
        return (entity.name if entity is not None else "") or id


def value(use: Use, by: Dimension) -> str:
    """Return what an entry says of a dimension; the host where it says nothing of whose machines it ran on."""
    if by == "compute":
        return use.compute or use.host
    said: str = getattr(use, by)
    return said


def rests_on(use: Use, lens: Lens) -> frozenset[str]:
    """Return the counterparties that a sum rests on."""
    return lens.rests_on(use.maker, use.seller, use.host, use.compute)


def total(uses: Iterable[Use]) -> Amount:
    """Return all of `uses` together."""
    amount = Amount()
    for use in uses:
        amount.add(use)
    return amount


def spread(uses: Sequence[Use], by: Dimension, lens: Lens, measure: Measure, currency: str) -> Spread:
    """Return `uses` by a dimension. Parts without any of the measure come last, and have a share of 0."""
    amounts: dict[str, Amount] = {}
    members: dict[str, set[str]] = {}
    for use in uses:
        id = lens.read(use, by)
        amount = amounts.get(id)
        if amount is None:
            amount, members[id] = amounts.setdefault(id, Amount()), set()
        amount.add(use)
        members[id].add(value(use, by))
    sums = {id: amount.of(measure, currency) for id, amount in amounts.items()}
    whole = sum(sums.values())
    order = sorted(amounts, key=lambda id: (-sums[id], -amounts[id].requests, id))
    parts = [Part(id, tuple(sorted(members[id])), amounts[id], sums[id] / whole if whole else 0.0) for id in order]
    return Spread(by, tuple(parts), hhi(sums.values()))


def main_currency(uses: Iterable[Use]) -> str:
    """Return the currency that most requests were priced in, the first by name of equals; "" when none was."""
    counted: dict[str, int] = {}
    for use in uses:
        if use.currency:
            counted[use.currency] = counted.get(use.currency, 0) + use.attempts
    return min(counted, key=lambda name: (-counted[name], name), default="")
