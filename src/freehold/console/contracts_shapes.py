"""What /api/admin/contracts answers, as types. What contracts themselves say is told in the types of that room: days as
2026-11-24, amounts as decimal text beside what they are in. Refuses to know where any of it comes from."""

from __future__ import annotations

from datetime import date

from msgspec import Struct
from msgspec.structs import asdict, replace

from freehold.console.shapes import CatchingUp
from freehold.contracts.calendar import Event
from freehold.contracts.checklists import Checklist
from freehold.contracts.diff import Change
from freehold.contracts.finding import Finding
from freehold.contracts.pace import Pace
from freehold.contracts.shown import Dates, Row, Section


class FindingCounts(Struct, frozen=True, kw_only=True):
    error: int = 0
    warning: int = 0
    info: int = 0


class ClauseCounts(Struct, frozen=True, kw_only=True):
    """How a law's clauses stand; `applies` says whether it holds: yes, no, unknown."""

    id: str
    title: str
    applies: str
    met: int
    unclear: int
    missing: int


class ContractRow(Row, frozen=True, kw_only=True):
    """A contract in one line. `deployments` are under any version of it; the paces have no points here."""

    deployments: list[str]
    paces: list[Pace]
    found: FindingCounts
    clauses: list[ClauseCounts]


class Contracts(Struct, frozen=True, kw_only=True):
    """All contracts on `day`: those whose notice is due first come first, then the others, then what is over.
    `findings` are of all of them, `events` what is due within `days`. While entries are `catching_up` paces are
    partial."""

    day: date
    days: int
    contracts: list[ContractRow]
    findings: list[Finding]
    found: FindingCounts
    events: list[Event]
    about_clauses: str
    catching_up: CatchingUp | None


class Compared(Struct, frozen=True, kw_only=True):
    """How a version differs from the one that it supersedes."""

    old: str
    new: str
    changes: list[Change]


class ContractPage(Struct, frozen=True, kw_only=True):
    """All of one contract. `chain` are its versions, oldest first; `sections` its terms in words, each with the numbers
    (from 0) of the `sources` that it comes from; `compared` is each version against the one before it."""

    day: date
    row: ContractRow
    dates: Dates
    chain: list[Row]
    compared: list[Compared]
    sections: list[Section]
    sources: list[str]
    note: str
    findings: list[Finding]
    paces: list[Pace]
    clauses: list[Checklist]
    about_clauses: str
    events: list[Event]
    catching_up: CatchingUp | None


def plain(pace: Pace) -> Pace:
    """Return a pace without its points."""
    return replace(pace, points=())


def listed(row: Row, **more: object) -> ContractRow:
    """Return a contract's line with what is known of it besides."""
    return ContractRow(**asdict(row), **more)  # type: ignore[arg-type]


def tally(checklist: Checklist) -> ClauseCounts:
    """Return how many clauses of a law are met, unclear and missing."""
    answers = [item.answer for item in checklist.items]
    return ClauseCounts(
        id=checklist.id,
        title=checklist.title,
        applies=checklist.applies,
        met=answers.count("met"),
        unclear=answers.count("unclear"),
        missing=answers.count("missing"),
    )
