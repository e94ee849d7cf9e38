"""A settlement as a paper that two parties can sign. Knows the order of things on it; refuses to reckon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from freehold.contracts.wording import number
from freehold.exits.paper import Column, Paper
from freehold.exits.statement import Drawn, Line, Settlement, Statement, Total, sliced

KINDS = {"usage": "Use", "shortfall": "Shortfall", "share": "Share of revenue", "credit": "Credit"}
_LINES = (
    Column("What", 2.4), Column("How it was reckoned", 4.6), Column("We owe", 1.3, True),
    Column("We are owed", 1.3, True),
)  # fmt: skip
_DRAWN = (
    Column("Commitment", 2.2), Column("Days", 2), Column("In all", 1.6, True), Column("In this period", 1.6, True),
    Column("So far", 1.6, True), Column("Left", 1.6, True),
)  # fmt: skip
_SUMS = (
    Column("Contract", 3), Column("Supplier", 2), Column("We owe", 1.5, True), Column("We are owed", 1.5, True),
    Column("Net", 1.5, True), Column("Not known", 1, True),
)  # fmt: skip


def paper(settlement: Settlement, *, made: str = "") -> bytes:
    """Return a settlement as a PDF; `made` says when it was made."""
    span = f"{settlement.period.first} to {settlement.period.last} (UTC)"
    said = ", ".join(part for part in (span, f"{settlement.entries:,} entries on the ledger", made) if part)
    page = Paper(f"Settlement {settlement.name}", subtitle=said, foot=f"Freehold settlement {settlement.name}")
    for note in settlement.notes:
        page.text(note, bold=True)
    _summary(page, settlement)
    for statement in settlement.statements:
        _statement(page, statement)
    if settlement.outside:
        page.heading("Use under no contract on file")
        _lines(page, settlement.outside)
    page.heading("How amounts are rounded")
    page.text(settlement.rounding)
    return page.done()


def _summary(page: Paper, settlement: Settlement) -> None:
    found = [(statement, total) for statement in settlement.statements for total in statement.totals]
    if not found:
        page.text("Nothing is owed under any contract.")
        return
    page.heading("All contracts")
    page.table(_SUMS, [(f"{s.title or s.contract} ({s.hash})", s.supplier, *_sums(t)) for s, t in found])
    bars = [(s.title or s.contract, float(t.net), money(t.net, t.currency)) for s, t in found if t.net > 0]
    if len(bars) > 1:
        page.bars(sorted(bars, key=lambda bar: -bar[1]))


def _sums(total: Total) -> tuple[str, str, str, str]:
    amounts = (money(value, total.currency) for value in (total.customer, total.supplier, total.net))
    return (*amounts, str(total.open or ""))  # type: ignore[return-value]


def _statement(page: Paper, statement: Statement) -> None:
    page.heading(f"{statement.title or statement.contract}, version {statement.version}")
    page.facts(
        [
            ("Contract", f"{statement.contract}, terms {statement.hash}"),
            ("Supplier", statement.supplier),
            ("Days", f"{statement.period.first} to {statement.period.last}"),
        ]
    )
    for note in statement.notes:
        page.text(note)
    _lines(page, statement.lines, statement.totals)
    if statement.commitments:
        page.table(_DRAWN, [_drawn(it) for it in statement.commitments])
        for it in statement.commitments:
            page.text(f"{it.commitment}: {' '.join((*_sentences(it), *it.notes))}", faint=True)


def _lines(page: Paper, lines: Iterable[Line], totals: Iterable[Total] = ()) -> None:
    rows = [_row(line) for line in lines]
    if rows:
        page.table(_LINES, rows, totals=[row for total in totals for row in _summed(total)])
    else:
        page.text("Nothing was used and nothing is owed.")


def _summed(total: Total) -> Iterator[tuple[str, str, str, str]]:
    ours, theirs, _, _ = _sums(total)
    net = money(abs(total.net), total.currency)
    yield f"Sum in {total.currency}", f"{total.open} not known yet" if total.open else "", ours, theirs
    yield "Net", "", *((net, "") if total.net >= 0 else ("", net))


def _row(line: Line) -> tuple[str, str, str, str]:
    days = f"{line.first} to {line.last}"
    due = "not known" if line.due is None else money(line.due, line.currency)
    ours, theirs = (due, "") if line.payer == "customer" else ("", due)
    return f"{KINDS[line.kind]}: {line.about}\n{days}", "\n".join(reckoned(line)), ours, theirs


def reckoned(line: Line) -> list[str]:
    """Return how a line came to be, in sentences: its rule, basis, tiers, entries, notes."""
    said = [f"{line.rule[:1].upper()}{line.rule[1:]}."]
    if line.kind in ("share", "credit") and line.basis is not None:
        said.append(f"Reckoned on {money(line.basis, line.currency)}.")
    said += [f"{sliced(it)}." for it in line.tiers]
    if line.cap is not None:
        said.append(
            f"Left of the cap: {money(line.cap.left, line.currency)} of {money(line.cap.total, line.currency)}."
        )
    tokens = line.input + line.output
    if line.kind == "usage":
        said.append(f"{line.input:,} tokens in, {line.cached:,} of them cached; {line.output:,} out." if tokens else "")
    if line.attempts:
        one = line.attempts == 1
        said.append(
            f"Entry {line.first_seq}."
            if one
            else f"{line.attempts:,} entries from {line.first_seq} to {line.last_seq}."
        )
    if line.terms:
        said.append(f"Terms on them: {', '.join(line.terms)}.")
    return [part for part in (*said, *line.notes) if part]


def _drawn(it: Drawn) -> tuple[str, ...]:
    amounts = (it.amount, it.drawn, it.counted, it.remaining)
    return it.commitment, f"{it.first} to {it.last}", *(measured(it, value) for value in amounts)


def measured(it: Drawn, value: Decimal) -> str:
    """Return an amount of a commitment for people: money with cents."""
    return money(value, it.unit) if it.type == "spend" else f"{number(value)} {it.unit}"


def _sentences(it: Drawn) -> Iterable[str]:
    yield f"{it.rule}."
    if it.missing is not None:
        yield f"It is over; {measured(it, it.missing)} of it was not used."
    if it.carried:
        yield f"{measured(it, it.carried)} roll over."


def money(value: Decimal, currency: str) -> str:
    """Return an amount for people, with cents."""
    return f"{value:,.2f} {currency}".strip()
