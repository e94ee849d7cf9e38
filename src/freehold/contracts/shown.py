"""A contract as people read it: where it stands on a day, by when one must decide, every term in words with its source.
Knows contracts and the day that it is told; refuses to print."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec

from freehold.contracts.calendar import notice_day
from freehold.contracts.fields import sources, usual
from freehold.contracts.register import Register, State, Version, ahead
from freehold.contracts.terms import Contract, FirstAvailability
from freehold.contracts.wording import plain, sentence


class Dates(msgspec.Struct, frozen=True):
    """When a contract ends, and what can still be done about it, seen from one day.

    `last` is the last day as far as it is known; None: open-ended. `renews` says that it then goes on by itself.
    `notice_by` is the last day, from that day on, on which our notice is in time, and `free_from` the first day without
    the contract if notice were given now; both None where nothing can be or need be done, or no period is stated.
    """

    first: date
    last: date | None
    renews: bool
    notice_by: date | None
    free_from: date | None


class Row(msgspec.Struct, frozen=True):
    """A contract in one line of a list."""

    id: str
    version: str
    title: str
    kind: str
    supplier: str
    maker: str
    state: State
    first: date
    last: date | None
    renews: bool
    notice_by: date | None
    owner: str
    hash: str
    path: str


class Line(msgspec.Struct, frozen=True):
    """One term: its dotted field, what it is called, what it says, and which sources say so (from 0)."""

    field: str
    label: str
    value: str
    sources: tuple[int, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """Terms that belong together, and what nobody says of them."""

    title: str
    lines: tuple[Line, ...]
    unstated: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """All of a contract: its line in a list, dates, chain of versions, terms, sources in words."""

    row: Row
    dates: Dates
    chain: tuple[Row, ...]
    sections: tuple[Section, ...]
    sources: tuple[str, ...]
    note: str


SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Parties", ("party",)),
    ("Chain", ("chain",)),
    ("Term", ("term",)),
    ("Commitments", ("commitment",)),
    ("Prices", ("price",)),
    ("Limits", ("limit",)),
    ("Data", ("data",)),
    ("Use of answers", ("use",)),
    ("Exclusivity and first refusal", ("exclusivity",)),
    ("Revenue share", ("revenue_share",)),
    ("Service", ("sla",)),
    ("Audit", ("audit",)),
    ("DORA", ("dora",)),
)
"""The sections of a page with the tables that they show, in order."""
_ALWAYS = {"data.classes_allowed"}
"""What is told even where it stands at its default, for it binds every call."""


def dates(register: Register, version: Version, day: date) -> Dates:
    """Return when a contract ends, seen from `day`."""
    term, state = version.contract.term, register.state(version, day)
    last, renews = register.last_day(version, day), register.renews(version, day)
    days, notice_by, free_from = term.notice_days.customer, None, None
    if state in ("active", "future", "in_notice"):
        notice_by = notice_day(register, version, day)
        if notice_by is not None and days is not None:
            free_from = ahead(notice_by, days + 1)
        elif last is not None:
            free_from = None if renews else ahead(last, 1)
        elif days is not None:
            free_from = ahead(max(day, term.start), days + 1)
    return Dates(term.start, last, renews, notice_by, free_from)


def row(register: Register, version: Version, day: date) -> Row:
    """Return a contract's line in a list, as it stands on `day`."""
    contract, found = version.contract, dates(register, version, day)
    return Row(
        id=contract.id,
        version=contract.version,
        title=contract.title,
        kind=contract.kind,
        supplier=contract.party.supplier,
        maker=contract.chain.maker,
        state=register.state(version, day),
        first=found.first,
        last=found.last,
        renews=found.renews,
        notice_by=found.notice_by,
        owner=contract.owner,
        hash=version.hash,
        path=version.path,
    )


def rows(register: Register, day: date) -> list[Row]:
    """Return all contracts: chains by the id of their newest version, each from new to old."""
    chains = {chain[-1].contract.id: chain for chain in (register.chain(v.contract.id) for v in register.versions)}
    return [row(register, version, day) for _, chain in sorted(chains.items()) for version in reversed(chain)]


def page(register: Register, version: Version, day: date) -> Page:
    """Return all of a contract as people read it on `day`."""
    contract = version.contract
    return Page(
        row=row(register, version, day),
        dates=dates(register, version, day),
        chain=tuple(row(register, each, day) for each in register.chain(contract.id)),
        sections=tuple(_section(contract, title, names) for title, names in SECTIONS),
        sources=tuple(sentence(source) for source in contract.source),
        note=contract.note,
    )


def _section(contract: Contract, title: str, names: tuple[str, ...]) -> Section:
    lines: list[Line] = []
    unstated: list[str] = []
    for name in names:
        for where, label, value, said in _terms(getattr(contract, name), name, ""):
            if said:
                lines.append(Line(where, label, plain(value), sources(contract, where)))
            elif value in (None, "unknown", "", ()):
                unstated.append(label)
    return Section(title, tuple(lines), tuple(unstated))


def _terms(table: Any, where: str, label: str) -> Iterator[tuple[str, str, Any, bool]]:
    """Yield (dotted field, label, value, whether it is stated) of each term; an item of a list of tables is one."""
    if isinstance(table, tuple):
        for index, item in enumerate(table):
            name = label or where.rpartition(".")[2].replace("_", " ")
            numbered = f"{name} {index + 1}" if len(table) > 1 else name
            yield f"{where}.{index}", getattr(item, "id", "") or numbered, item, True
        return
    for field in msgspec.structs.fields(type(table)):
        value, place = getattr(table, field.name), f"{where}.{field.name}"
        name = f"{label} {field.name.replace('_', ' ')}".strip()
        within = value[0] if isinstance(value, tuple) and value else value
        if isinstance(within, msgspec.Struct) and not isinstance(value, FirstAvailability):
            yield from _terms(value, place, name)
        else:
            yield place, name, value, value != usual(field) or place in _ALWAYS
