"""How settlements, chargebacks and the register are shown on a terminal. Refuses to reckon anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from freehold.app.cli.output import cell, table

if TYPE_CHECKING:
    from freehold.exits.chargeback import Chargeback
    from freehold.exits.dora import Register
    from freehold.exits.statement import Drawn, Line, Settlement, Statement

_LINES = ("what", "about", "days", "we owe", "we are owed", "entries")
_DRAWN = ("commitment", "until", "in all", "in this period", "so far", "left")
_CHARGES = ("who", "contract", "calls", "tokens", "cost", "shortfall", "due")
_CELLS = ("column", "value", "means", "from", "how")


def settlement(found: Settlement) -> Iterator[str]:
    """Yield a settlement, part by part."""
    period = found.period
    yield f"{found.name}: {period.first} to {period.last} (UTC), {found.entries:,} entries on the ledger"
    yield from found.notes
    for statement in found.statements:
        yield from _statement(statement)
    if found.outside:
        yield "\nUnder no contract on file"
        yield _shown([_line(line) for line in found.outside], _LINES)
    if not found.statements and not found.outside:
        yield "nothing was used, and no contract was in force"
    yield f"\n{found.rounding}"


def _statement(it: Statement) -> Iterator[str]:
    from freehold.exits.statement_paper import money, reckoned

    title = f"{it.title}, " if it.title else ""
    yield f"\n{it.contract}  {title}terms {it.hash}, with {it.supplier}, {it.period.first} to {it.period.last}"
    yield from it.notes
    if it.lines:
        yield _shown([_line(line) for line in it.lines], _LINES)
    else:
        yield "nothing was used, and nothing is owed"
    for line in it.lines:
        if line.kind != "usage":
            yield f"  {line.about}: {' '.join(reckoned(line))}"
    for total in it.totals:
        unknown = f"; {total.open} not known" if total.open else ""
        yield (
            f"we owe {money(total.customer, total.currency)}, we are owed {money(total.supplier, total.currency)}: net "
            f"{money(total.net, total.currency)}{unknown}"
        )
    if it.commitments:
        yield _shown([_drawn(each) for each in it.commitments], _DRAWN)


def _line(line: Line) -> dict[str, Any]:
    from freehold.exits.statement_paper import KINDS, money

    due = "not known" if line.due is None else money(line.due, line.currency)
    entries = f"{line.attempts:,} ({line.first_seq}-{line.last_seq})" if line.attempts else None
    return {
        "what": KINDS[line.kind].lower(), "about": line.about, "days": f"{line.first} to {line.last}",
        "we owe": due if line.payer == "customer" else None, "we are owed": due if line.payer == "supplier" else None,
        "entries": entries,
    }  # fmt: skip


def _drawn(it: Drawn) -> dict[str, Any]:
    from freehold.exits.statement_paper import measured

    amounts = zip(_DRAWN[2:], (it.amount, it.drawn, it.counted, it.remaining), strict=True)
    return {"commitment": it.commitment, "until": it.last} | {name: measured(it, value) for name, value in amounts}


def charges(found: Chargeback, names: Mapping[str, str]) -> Iterator[str]:
    """Yield a chargeback, part by part."""
    from freehold.exits.statement_paper import money

    period = found.period
    yield f"{found.name} by {found.by}: {period.first} to {period.last} (UTC)"
    yield from found.notes
    rows = [
        {
            "who": names.get(it.who, it.who) or "(none)", "contract": it.contract or "(none)", "calls": f"{it.calls:,}",
            "tokens": f"{it.input + it.output:,}", "due": money(it.due, it.currency),
            "cost": money(it.cost, it.currency) if it.cost is not None else "not known",
            "shortfall": money(it.shortfall, it.currency) if it.shortfall else None,
        }
        for it in found.charges
    ]  # fmt: skip
    columns = _CHARGES if found.shortfalls else tuple(name for name in _CHARGES if name != "shortfall")
    yield _shown(rows, columns) if rows else "nothing was used"
    yield f"\n{found.rounding}"


def templates(found: Register) -> Iterator[str]:
    """Yield the register's templates, cell by cell."""
    from freehold.exits.dora_codes import label

    yield f"{found.day}; amounts of {found.year} in {found.currency}. {found.source}"
    yield from found.notes
    for template in found.templates:
        yield f"\n{template.id}  {template.title}"
        for row in template.rows:
            yield f"\n{row.about}"
            yield _shown(
                [
                    {"column": f"{column.code} {column.title}", "value": it.value or None, "from": it.origin,
                     "means": label(it.value) if label(it.value) != it.value else None, "how": it.how}
                    for column in template.columns
                    for it in (row.cells[column.code],)
                ],
                _CELLS,
            )  # fmt: skip


def _shown(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    return table([[cell(row.get(column)) for column in columns] for row in rows], columns)
