"""What the settlement page's API answers with, beyond the statements themselves: names, sums that are not done, cells
of the register by what they mean. Refuses to know where any of it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from freehold.console.shapes import CatchingUp
from freehold.exits.chargeback import Chargeback
from freehold.exits.dora import Register, Template
from freehold.exits.dora_cells import Cell
from freehold.exits.dora_codes import Column, label
from freehold.exits.periods import Period
from freehold.exits.statement import Settlement


class Settled(Struct, kw_only=True):
    """`revenue`: whether a file of revenue is named. While entries are `catching_up` amounts are partial, and no file
    is made of them."""

    settlement: Settlement
    revenue: bool
    catching_up: CatchingUp | None


class Charged(Struct, kw_only=True):
    """One line of a chargeback, with what its team, function or key is called; `cost` is null where no price is
    known."""

    who: str
    name: str
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


class Charges(Struct, kw_only=True):
    name: str
    period: Period
    by: str
    shortfalls: bool
    charges: list[Charged]
    notes: tuple[str, ...]
    rounding: str
    catching_up: CatchingUp | None


class Filled(Struct, kw_only=True):
    """A cell: its column, its value and what that means, where it is from and how."""

    code: str
    title: str
    needed: str
    value: str
    meaning: str
    origin: str
    how: str


class FilledRow(Struct, kw_only=True):
    about: str
    cells: list[Filled]


class FilledTemplate(Struct, kw_only=True):
    """`filled` of `cells` have a value; those that do not apply are no cells here."""

    id: str
    title: str
    filled: int
    cells: int
    rows: list[FilledRow]


class Dora(Struct, kw_only=True):
    day: date
    year: Period
    currency: str
    templates: list[FilledTemplate]
    notes: tuple[str, ...]
    source: str
    catching_up: CatchingUp | None


def charges(found: Chargeback, names: Mapping[str, str], late: CatchingUp | None) -> Charges:
    """Return a chargeback with names."""
    lines = [
        Charged(
            who=it.who, name=names.get(it.who, it.who), contract=it.contract, currency=it.currency, calls=it.calls,
            attempts=it.attempts, input=it.input, output=it.output, cost=it.cost, shortfall=it.shortfall, due=it.due,
            first_seq=it.first_seq, last_seq=it.last_seq,
        )
        for it in found.charges
    ]  # fmt: skip
    return Charges(
        name=found.name, period=found.period, by=found.by, shortfalls=found.shortfalls, charges=lines,
        notes=found.notes, rounding=found.rounding, catching_up=late,
    )  # fmt: skip


def dora(found: Register, late: CatchingUp | None) -> Dora:
    """Return the register with what its values mean."""
    templates = [_template(template) for template in found.templates]
    return Dora(
        day=found.day, year=found.year, currency=found.currency, templates=templates, notes=found.notes,
        source=found.source, catching_up=late,
    )  # fmt: skip


def _template(template: Template) -> FilledTemplate:
    rows = [FilledRow(about=row.about, cells=[_cell(column, row.cells[column.code]) for column in template.columns])
            for row in template.rows]  # fmt: skip
    cells = [cell for row in rows for cell in row.cells if cell.origin != "form"]
    filled = sum(bool(cell.value) for cell in cells)
    return FilledTemplate(id=template.id, title=template.title, filled=filled, cells=len(cells), rows=rows)


def _cell(column: Column, it: Cell) -> Filled:
    return Filled(
        code=column.code, title=column.title, needed=column.needed, value=it.value, meaning=label(it.value),
        origin=it.origin, how=it.how,
    )  # fmt: skip
