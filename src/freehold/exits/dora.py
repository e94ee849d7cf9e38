"""DORA's register of information, as far as contracts, configuration and ledger can fill it: five templates, each cell
with where it is from. Knows the rules by which cells are reckoned and says them; refuses to judge whether a register
complies.

What cannot be known stays empty, with the reason. Reliance and substitutability are reckoned from shares of calls and
configured routes, and marked as not measured: no rehearsal has shown them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from itertools import product

import msgspec

from freehold.contracts.register import Version
from freehold.exits import dora_codes as codes
from freehold.exits.concentration import main_currency
from freehold.exits.dora_cells import (
    Cell,
    Facts,
    Ground,
    code,
    countries,
    empty,
    iso,
    missing,
    service,
    type_of,
    worst,
)
from freehold.exits.dora_chain import provided, supplied
from freehold.exits.periods import ONE_DAY, Period
from freehold.exits.stretches import begin
from freehold.ledger import reliance
from freehold.ledger.reliance import Use
from freehold.store import Store

__all__ = ["Ground", "Register", "Row", "Template", "fill"]

OWNER = "own"
"""The party that is ourselves: [parties.own] lei is the entity that makes use of the services."""
_MOST, _MUCH, _SOME = 0.9, 0.5, 0.1
NOT_MEASURED = "not measured: no drill has shown it"
_IMPACT = ("low", "medium", "high")


class Row(msgspec.Struct, frozen=True):
    """One row: what it is about, in words, and its cells by the codes of their columns."""

    about: str
    cells: dict[str, Cell]


class Template(msgspec.Struct, frozen=True):
    """One template, filled."""

    id: str
    title: str
    columns: tuple[codes.Column, ...]
    rows: tuple[Row, ...]


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """The templates as of a day; amounts are of the `year` that ends with it, in `currency`."""

    day: date
    year: Period
    currency: str
    lei: Cell
    templates: tuple[Template, ...]
    notes: tuple[str, ...]
    source: str = codes.SOURCE


async def fill(store: Store, ground: Ground, day: date, currency: str = "") -> Register:
    """Return the register as of `day`. The ledger's sums of reliance have to be up to date. Raises StoreError."""
    year = Period(_year_before(day), day)
    uses = await reliance.uses(store, begin(year.first), begin(day + ONE_DAY), callers=False)
    return await asyncio.to_thread(_filled, ground, uses, year, currency)


def _filled(ground: Ground, uses: list[Use], year: Period, currency: str) -> Register:
    day = year.last
    facts = Facts(ground, uses, year, begin(day), currency or main_currency(uses) or "EUR")
    makers = {
        "B_02.01": _arranged,
        "B_02.02": _specified,
        "B_05.01": provided,
        "B_05.02": supplied,
        "B_07.01": _assessed,
    }
    templates = []
    for id, make in makers.items():
        title, columns = codes.TEMPLATES[id]
        rows = [Row(about, dict(zip((c.code for c in columns), cells, strict=True))) for about, cells in make(facts)]
        templates.append(Template(id, title, columns, tuple(rows)))
    lei = facts.lei(OWNER)
    return Register(
        day=day, year=year, currency=facts.currency, lei=lei, templates=tuple(templates), notes=tuple(_notes(facts))
    )  # fmt: skip


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1) + ONE_DAY
    except ValueError:  # the 29th of February
        return date(day.year - 1, 3, 1)


def _notes(facts: Facts) -> Iterator[str]:
    for version in facts.left_out:
        yield f"{version.contract.id} is left out: a contract of kind {version.contract.kind} is no ICT service bought."
    outside = facts.outside
    if outside:
        yield f"Calls that no contract on file covers are in no template; they name: {', '.join(outside)}."
    if not facts.versions:
        yield "No contract for an ICT service is in force on that day."
    yield "This fills in what is known here. Whether a register is complete and right is for its owner to judge."


# -- B_02.01


def _arranged(facts: Facts) -> Iterator[tuple[str, list[Cell]]]:
    for version in facts.versions:
        contract = version.contract
        yield (
            contract.id,
            [
                _reference(version),
                Cell(codes.STANDALONE, "computed", "contract files name no overarching arrangement"),
                empty("only for an arrangement under another one"),
                Cell(f"eba_CU:{facts.currency}", "ledger", "currency of the costs of most calls"),
                facts.spent([version]),
            ],
        )


def _reference(version: Version) -> Cell:
    return Cell(version.contract.id, "contract", f"id, terms {version.hash}")


# -- B_02.02


def _specified(facts: Facts) -> Iterator[tuple[str, list[Cell]]]:
    for version in facts.versions:
        functions = facts.functions(version)
        stored = _stored(version)
        rest, work = _at_rest(version, stored), _processed(facts, version)
        names = list(functions) or [""]
        for name, where, place in product(names, rest, work):
            about = f"{version.contract.id}, {name or 'no function known'}"
            yield about, _specific(facts, version, name, stored, where, place)


def _specific(facts: Facts, version: Version, function: str, stored: Cell, rest: Cell, work: Cell) -> list[Cell]:
    contract, term = version.contract, version.contract.term
    identifier = facts.lei(contract.party.supplier, version)
    notice = term.notice_days
    law = contract.party.governing_law
    return [
        _reference(version),
        facts.lei(OWNER),
        identifier,
        type_of(identifier),
        _function(function, facts.functions(version).get(function)),
        service(version),
        Cell(iso(term.start), "contract", f"{contract.id}: term.start"),
        _end(facts, version),
        empty("it has not ended"),
        _days(notice.customer, version, "term.notice_days.customer"),
        _days(notice.supplier, version, "term.notice_days.supplier"),
        code(law, "contract", f"{contract.id}: party.governing_law") if law
        else missing(f"{contract.id}: party.governing_law is not stated"),
        _provision(facts, version),
        stored,
        rest,
        work,
        _sensitive(version, stored),
        _reliance(facts, version, function),
    ]  # fmt: skip


def _function(name: str, known: Cell | None) -> Cell:
    """Return the identifier of a function. The regulation wants F and a number, as in B_06.01 of the same register, so
    a function of another name has none here."""
    if not name or known is None:
        return missing("no call of the year names a function, and dora.functions of the contract is empty")
    if name[:1] == "F" and name[1:].isdecimal():
        return known
    return missing(
        f"function {name}: its identifier in your B_06.01 (F1, F2 ...) is not known here; name it so in [functions]"
    )


def _end(facts: Facts, version: Version) -> Cell:
    last = facts.ground.register.last_day(version, facts.day)
    if last is None:
        return Cell(codes.OPEN_END, "contract", f"{version.contract.id}: term.end is not stated: it is open-ended")
    renews = ", as far as it has renewed itself" if version.contract.term.renewal.auto else ""
    return Cell(iso(last), "contract", f"{version.contract.id}: term{renews}")


def _days(days: int | None, version: Version, field: str) -> Cell:
    how = f"{version.contract.id}: {field}"
    return missing(f"{how} is not stated") if days is None else Cell(str(days), "contract", how)


def _provision(facts: Facts, version: Version) -> Cell:
    cell = facts.country(version.contract.party.supplier, version)
    return msgspec.structs.replace(cell, how=f"{cell.how}: where the provider is registered") if cell.value else cell


def _stored(version: Version) -> Cell:
    data, id = version.contract.data, version.contract.id
    if data.zero_retention:
        return Cell(codes.NO, "contract", f"{id}: data.zero_retention")
    if data.retention_days is None:
        return missing(f"{id}: data.retention_days is not stated")
    return Cell(codes.YES if data.retention_days else codes.NO, "contract", f"{id}: data.retention_days")


def _at_rest(version: Version, stored: Cell) -> list[Cell]:
    id, regions = version.contract.id, version.contract.data.regions
    if stored.value == codes.NO:
        return [Cell(codes.NO_COUNTRY, "form", "nothing is stored")]
    return countries(regions, f"{id}: data.regions") or [missing(f"{id}: data.regions is not stated")]


def _processed(facts: Facts, version: Version) -> list[Cell]:
    data, id = version.contract.data, version.contract.id
    stated = data.processing_regions or data.regions
    if stated:
        field = "data.processing_regions" if data.processing_regions else "data.regions"
        return countries(stated, f"{id}: {field}")
    seen = sorted({use.region for use in facts.uses(version) if use.region})
    return countries(seen, "region of calls on the ledger:") or [missing(f"{id}: data.regions is not stated")]


def _sensitive(version: Version, stored: Cell) -> Cell:
    contract = version.contract
    if contract.dora.data_sensitiveness:
        return Cell(
            codes.LEVELS[contract.dora.data_sensitiveness], "contract", f"{contract.id}: dora.data_sensitiveness"
        )
    if stored.value == codes.NO:
        return empty("nothing is stored")
    return missing(f"{contract.id}: dora.data_sensitiveness is not stated")


def _reliance(facts: Facts, version: Version, function: str) -> Cell:
    """Reckon reliance from the share of a function's requests of the year, and from second targets as configured."""
    contract = version.contract
    if contract.dora.reliance:
        return Cell(codes.RELIANCE[contract.dora.reliance], "contract", f"{contract.id}: dora.reliance; {NOT_MEASURED}")
    mine, whole, ready = facts.share(version, function)
    if not function or not whole:
        return missing("no request of the year is for a function that rests on it, and dora.reliance is not stated")
    part = mine / whole
    elsewhere = ready >= _MUCH
    if part < _MUCH:
        level = "not_significant" if part < _SOME else "low"
    else:
        level = "full" if part >= _MOST and not elsewhere else "material"
    how = (
        f"{part:.0%} of {whole:,} requests of {function} in the year went there, and for {ready:.0%} of these a second "
        f"target that does not rest on it is configured. Rule: below {_SOME:.0%} not significant, below {_MUCH:.0%} "
        f"low, else material, or full from {_MOST:.0%} on where less than {_MUCH:.0%} have a second target; "
        f"{NOT_MEASURED}"
    )
    return Cell(codes.RELIANCE[level], "computed", how)


# -- B_07.01


def _assessed(facts: Facts) -> Iterator[tuple[str, list[Cell]]]:
    for version in facts.versions:
        identifier = facts.lei(version.contract.party.supplier, version)
        yield (
            version.contract.id,
            [
                _reference(version),
                identifier,
                type_of(identifier),
                service(version),
                *_substitutable(facts, version),
                _audited(version),
                missing("an exit plan is not kept here yet; terms of exit in a contract are none"),
                missing(NOT_MEASURED),
                _impact(facts, version),
                *_alternatives(facts, version),
            ],
        )


def _audited(version: Version) -> Cell:
    how, last = f"{version.contract.id}: audit.last", version.contract.audit.last
    if last is None:
        return missing(f"{how} is not stated; where there was no audit the register has {codes.OPEN_END}")
    return Cell(iso(last), "contract", how)


def _alternatives(facts: Facts, version: Version) -> tuple[Cell, Cell]:
    if not facts.second_targets(version)[1]:
        return missing("no call of the year went there, so no route says who else could"), empty("not known")
    others, how = facts.others(version), f"routes of its calls, as configured; {NOT_MEASURED}"
    if others:
        return Cell(codes.YES, "computed", how), Cell("; ".join(others), "computed", how)
    return Cell(codes.NO, "computed", how), empty("none is configured")


def _substitutable(facts: Facts, version: Version) -> tuple[Cell, Cell]:
    """Reckon substitutability from second targets as configured. That one is easily done is never said: it would have
    to be shown."""
    ready, whole = facts.second_targets(version)
    if not whole:
        return missing("no call of the year went there"), empty("not known")
    how = (
        f"for {ready:,} of {whole:,} requests of the year a second target that does not rest on it is configured. "
        f"Rule: all: medium complexity; some: highly complex; none: not substitutable; {NOT_MEASURED}"
    )
    if ready == whole:
        return Cell(codes.MEDIUM_COMPLEXITY, "computed", how), empty("only where it is hard or impossible")
    if ready:
        return Cell(codes.HIGHLY_COMPLEX, "computed", how), missing(NOT_MEASURED)
    return Cell(codes.NOT_SUBSTITUTABLE, "computed", how), Cell(codes.NO_ALTERNATIVES, "computed", how)


def _impact(facts: Facts, version: Version) -> Cell:
    known = facts.ground.organisation.functions
    levels = {name: known[name].impact for name in facts.functions(version) if name in known}
    found = worst(levels, _IMPACT)
    if found is None:
        return Cell(
            codes.NO_IMPACT, "configuration", "no function that rests on it states its impact: [functions.*] impact"
        )
    return Cell(
        codes.LEVELS[found[1]], "configuration", f"functions.{found[0]}.impact, the highest of those that rest on it"
    )
