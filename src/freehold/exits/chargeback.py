"""What each team, business function or key owes inside the house for a period: what its calls cost by the ledger and,
if asked, its part of what was committed and not used. Refuses to know who pays a supplier."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import msgspec

from freehold.contracts.terms import Commitment
from freehold.core.money import NANO
from freehold.exits.dividing import divided
from freehold.exits.periods import Period
from freehold.exits.settlement import Books, Reckoner, prepare, unfinished
from freehold.exits.shares import HUNDRED, cents
from freehold.exits.sums import Evidence
from freehold.ledger.reliance import Use
from freehold.store import Store

By = Literal["team", "function", "key"]

ROUNDING = (
    "Each line is the sum of what the ledger says its calls cost, rounded once, half to even, to cents. A shortfall is "
    "divided by what each used of its commitment since its first day, so that the parts add up to it to the cent."
)


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What one owes under one contract (empty: none on file) in one currency. `cost` is None where no price is
    known."""

    who: str
    contract: str
    currency: str
    calls: int
    attempts: int
    input: int
    output: int
    cost: Decimal | None
    shortfall: Decimal
    due: Decimal
    first_seq: int
    last_seq: int


class Chargeback(msgspec.Struct, frozen=True, kw_only=True):
    """What all owe for a period, by who and contract."""

    name: str
    period: Period
    by: By
    shortfalls: bool
    charges: tuple[Charge, ...]
    notes: tuple[str, ...] = ()
    rounding: str = ROUNDING


COLUMNS = (
    "who", "name", "contract", "calls", "outcomes", "input_tokens", "output_tokens", "cost", "shortfall", "due",
    "currency", "first_entry", "last_entry",
)  # fmt: skip

_Place = tuple[str, str, str]


async def chargeback(
    store: Store, books: Books, period: Period, today: date, by: By, *, shortfalls: bool = False
) -> Chargeback:
    """Return what each team, function or key owes for `period`, under every contract and under none; with `shortfalls`
    its part of those that are due in it. Raises what `settlement.settle` does."""
    reckoner = await prepare(store, books, period, today)
    return await asyncio.to_thread(_charged, reckoner, period, today, by, shortfalls)


def _charged(reckoner: Reckoner, period: Period, today: date, by: By, shortfalls: bool) -> Chargeback:
    uses: dict[_Place, list[Use]] = {}
    for contract, some in reckoner.uses.items():
        for use in some:
            uses.setdefault((who(use, by), contract, use.currency), []).append(use)
    missing = _shortfalls(reckoner, by) if shortfalls else {}
    charges = [_charge(place, uses.get(place, ()), missing.get(place, Decimal(0))) for place in uses.keys() | missing]
    charges.sort(key=lambda it: (it.who == "", it.who, it.contract == "", it.contract, it.currency))
    return Chargeback(
        name=str(period),
        period=reckoner.period,
        by=by,
        shortfalls=shortfalls,
        charges=tuple(it for it in charges if it.due or it.cost is None or it.input or it.output),
        notes=unfinished(reckoner.period, period, today),
    )


def who(use: Use, by: By) -> str:
    """Return whose a sum is: the id of a team or key, or the name of a function; "" for nobody's."""
    return {"team": use.team, "function": use.function, "key": use.key}[by]


def _charge(place: _Place, uses: Iterable[Use], shortfall: Decimal) -> Charge:
    evidence, calls, given, taken, cost = Evidence(), 0, 0, 0, 0
    for use in uses:
        evidence.add(use)
        calls += use.calls
        given += use.input
        taken += use.output
        cost += use.cost
    paid = cents(Fraction(cost, NANO)) if place[2] else None
    return Charge(
        who=place[0],
        contract=place[1],
        currency=place[2],
        calls=calls,
        attempts=evidence.attempts,
        input=given,
        output=taken,
        cost=paid,
        shortfall=shortfall,
        due=(paid or Decimal("0.00")) + shortfall,
        first_seq=evidence.first_seq,
        last_seq=evidence.last_seq,
    )


def _shortfalls(reckoner: Reckoner, by: By) -> dict[_Place, Decimal]:
    """Return the parts of all shortfalls that are due; nobody's where nothing was used at all."""
    found: dict[_Place, Decimal] = {}
    for version in reckoner.chosen:
        for drawn, line in reckoner.commitments.of(version):
            if line is None or not line.due:
                continue
            commitment = next(each for each in version.contract.commitment if each.id == drawn.commitment)
            weights: dict[str, int] = {}
            for use in reckoner.commitments.behind(version, commitment):
                weights[who(use, by)] = weights.get(who(use, by), 0) + _weight(use, commitment)
            for name, part in _parts(line.due, weights).items():
                place = (name, version.contract.id, line.currency)
                found[place] = found.get(place, Decimal(0)) + part
    return found


def _weight(use: Use, commitment: Commitment) -> int:
    if commitment.type == "spend":
        return use.cost if use.currency == commitment.currency else 0
    return use.input + use.output


def _parts(amount: Decimal, weights: Mapping[str, int]) -> dict[str, Decimal]:
    """Return an amount in whole cents divided by weights; all is nobody's where there are none."""
    parts = divided(int(amount * HUNDRED), weights)
    return {name: Decimal(part).scaleb(-2) for name, part in parts.items()} if parts else {"": amount}


def rows(found: Chargeback, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return every charge by COLUMNS; `names` is what teams, keys or functions are called."""
    values = (
        (
            it.who or None, names.get(it.who, it.who) or None, it.contract or None, it.calls, it.attempts, it.input,
            it.output, it.cost, it.shortfall if found.shortfalls else None, it.due, it.currency or None,
            it.first_seq or None, it.last_seq or None,
        )
        for it in found.charges
    )  # fmt: skip
    return [dict(zip(COLUMNS, row, strict=True)) for row in values]
