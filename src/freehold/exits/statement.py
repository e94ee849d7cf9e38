"""What is owed under one contract for a period, line by line, each with what it rests on. Knows the form of a
statement; refuses to know how a line was reckoned.

Money is a Decimal in units of the currency beside it; one that stands for an amount due is in whole cents.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from freehold.contracts.wording import number, plain
from freehold.exits.periods import Period
from freehold.exits.shares import Slice

Kind = Literal["usage", "shortfall", "share", "credit"]
Payer = Literal["customer", "supplier"]

ROUNDING = (
    "Each line is rounded once, half to even, to cents of its currency; totals are sums of lines. Shares of revenue "
    "are reckoned from what is known through the last day, less what that came to through the day before the first, so "
    "that parts of a period add up to the whole. Lines of use are rounded each by itself: those of three months may "
    "differ by cents from those of their quarter."
)
"""How amounts are rounded, as it stands on every statement."""


class Cap(msgspec.Struct, frozen=True):
    """The most that is owed over all periods, and what of it is left after this line."""

    total: Decimal
    left: Decimal


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One amount. `due` is None where it cannot be known, and `notes` say why; `basis` is what `rule` was applied to,
    in units of `currency` rounded to cents; `deployment` is that of a line of use. `first_seq` and `last_seq` are the
    entries that stand behind it, `attempts` of them (0: none); `terms` are the versions of the contract that these
    name."""

    kind: Kind
    about: str
    first: date
    last: date
    payer: Payer
    due: Decimal | None
    currency: str
    rule: str
    basis: Decimal | None = None
    tiers: tuple[Slice, ...] = ()
    cap: Cap | None = None
    deployment: str = ""
    attempts: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    first_seq: int = 0
    last_seq: int = 0
    terms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """How a commitment stands at the end of a period. `drawn` counted in the period, `counted` since its first day; in
    `unit`: a currency, tokens, or the reserved unit. `missing` is what lacks once it is over, None before; `carried` is
    what of that rolls over."""

    commitment: str
    type: Literal["spend", "units", "volume"]
    unit: str
    first: date
    last: date
    amount: Decimal
    drawn: Decimal
    counted: Decimal
    remaining: Decimal
    missing: Decimal | None
    carried: Decimal
    rule: str
    deployments: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Total(msgspec.Struct, frozen=True):
    """Sums of lines in one currency: what we owe, what the supplier owes us, and what we owe after both (below zero: we
    are owed). `open` lines have no amount yet and are not in it."""

    currency: str
    customer: Decimal
    supplier: Decimal
    net: Decimal
    open: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """All that is owed under one version of a contract, for the days of a period on which that version held."""

    contract: str
    hash: str
    version: str
    title: str
    supplier: str
    period: Period
    lines: tuple[Line, ...]
    commitments: tuple[Drawn, ...]
    totals: tuple[Total, ...]
    notes: tuple[str, ...] = ()


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The statements of a period. `outside` is use under no contract on file: it is owed as well, but no terms say how.
    `totals` are of all lines. `entries` is how many entries the ledger had; all of them are summed."""

    name: str
    period: Period
    statements: tuple[Statement, ...]
    outside: tuple[Line, ...]
    totals: tuple[Total, ...]
    entries: int
    notes: tuple[str, ...] = ()
    rounding: str = ROUNDING


def totals(lines: Iterable[Line]) -> tuple[Total, ...]:
    """Return the sums of `lines`, by currency."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.currency, []).append(line)
    return tuple(_total(currency, some) for currency, some in sorted(found.items()) if currency)


def _total(currency: str, lines: list[Line]) -> Total:
    sums: dict[Payer, Decimal] = {"customer": Decimal("0.00"), "supplier": Decimal("0.00")}
    for line in lines:
        sums[line.payer] += line.due or 0
    unknown = sum(line.due is None for line in lines)
    return Total(currency, sums["customer"], sums["supplier"], sums["customer"] - sums["supplier"], unknown)


COLUMNS = (
    "contract", "contract_hash", "supplier", "kind", "about", "first_day", "last_day", "payer", "basis", "rule",
    "tiers", "due", "currency", "cap_total", "cap_left", "outcomes", "input_tokens", "output_tokens", "cached_tokens",
    "first_entry", "last_entry", "terms_of_entries", "notes",
)  # fmt: skip


def rows(settlement: Settlement) -> list[dict[str, Any]]:
    """Return every line by COLUMNS, those under no contract last."""
    found = [_row(line, it.contract, it.hash, it.supplier) for it in settlement.statements for line in it.lines]
    return found + [_row(line, None, None, None) for line in settlement.outside]


def _row(line: Line, contract: str | None, hash: str | None, supplier: str | None) -> dict[str, Any]:
    behind = bool(line.attempts)
    values = (
        contract, hash, supplier, line.kind, line.about, line.first, line.last, line.payer, line.basis, line.rule,
        "; ".join(map(sliced, line.tiers)) or None, line.due, line.currency or None, line.cap and line.cap.total,
        line.cap and line.cap.left, line.attempts, line.input, line.output, line.cached,
        line.first_seq if behind else None, line.last_seq if behind else None, " ".join(line.terms) or None,
        " ".join(line.notes) or None,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def sliced(it: Slice) -> str:
    """Return a tier as it was used: "15 % of 250,000 above 1,000,000 = 37,500.00"."""
    above = f" above {number(it.over)}" if it.over else ""
    return f"{plain(it.pct)} % of {it.part:,.2f}{above} = {it.share:,.2f}"
