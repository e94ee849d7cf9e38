"""Contracts on the console: how they stand, what they want, what is in one. Refuses to judge: `freehold.contracts` and
`exits.duties` do; contracts are changed in their files alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial

from msgspec import Struct

from freehold.access.members import Member
from freehold.console.contracts_shapes import (
    Compared,
    ContractPage,
    ContractRow,
    Contracts,
    FindingCounts,
    listed,
    plain,
    tally,
)
from freehold.console.office import Office
from freehold.console.shapes import CatchingUp
from freehold.contracts import shown
from freehold.contracts.calendar import Event, events
from freehold.contracts.checklists import DISCLAIMER
from freehold.contracts.diff import changes
from freehold.contracts.finding import Finding
from freehold.contracts.icalendar import MEDIA, write
from freehold.contracts.lint import counts
from freehold.contracts.register import Register, Version
from freehold.core.clock import now_ns, today
from freehold.core.errors import BadRequest, NotFound
from freehold.exits.duties import Duties, look
from freehold.wire.api import PRIVATE, Endpoint, Raw, Request

SOON = 90
"""Days ahead that the list of all contracts tells of."""
AHEAD = 730
"""Days ahead that the page of one contract tells of."""
MOST_DAYS = 3660
_OVER = ("ended", "superseded")


class CalendarQuery(Struct, frozen=True, kw_only=True):
    """`contract`: of one alone, by id, all its versions. `days` ahead, 3660 at most."""

    contract: str = ""
    days: int = 365


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""
    desk = _Contracts(office)
    path = "/api/admin/contracts"
    ask = partial(Endpoint, method="GET", access="auditor", tag="console")
    return [
        ask(path=path, run=desk.all, summary="All contracts, what was found of them, what is due", answer=Contracts),
        ask(
            path=f"{path}/calendar.ics",
            run=desk.calendar,
            summary="What is due when, as iCalendar",
            query=CalendarQuery,
        ),
        ask(
            path=f"{path}/{{id}}",
            run=desk.one,
            summary="One contract: terms, versions, findings, pace, clauses, days",
            answer=ContractPage,
        ),
    ]


class _Contracts:
    def __init__(self, office: Office) -> None:
        self._office = office

    async def all(self, request: Request[Member]) -> Contracts:
        register, day = self._office.pipeline.snapshot.register, today()
        duties = await self._look(day)
        rows = sorted((_row(register, duties, version) for version in register.versions), key=_order)
        return Contracts(
            day=day,
            days=SOON,
            contracts=rows,
            findings=list(duties.watch.findings),
            found=_counts(duties.watch.findings),
            events=list(events(register, day, day + timedelta(days=SOON))),
            about_clauses=DISCLAIMER,
            catching_up=_behind(duties),
        )

    async def one(self, request: Request[Member]) -> ContractPage:
        register, day = self._office.pipeline.snapshot.register, today()
        version = _known(register, request.params["id"])
        duties = await self._look(day)
        page, ids = shown.page(register, version, day), register.ids(version)
        due = events(register, day, day + timedelta(days=AHEAD))
        return ContractPage(
            day=day,
            row=_row(register, duties, version),
            dates=page.dates,
            chain=list(page.chain),
            compared=_compared(register, version),
            sections=list(page.sections),
            sources=list(page.sources),
            note=page.note,
            findings=[one for one in duties.watch.findings if one.contract == version.contract.id],
            paces=[one for one in duties.watch.paces if one.contract == version.contract.id],
            clauses=list(duties.watch.clauses.get(version.contract.id, ())),
            about_clauses=DISCLAIMER,
            events=[event for event in due if event.contract in ids],
            catching_up=_behind(duties),
        )

    async def calendar(self, request: Request[Member]) -> Raw:
        register, asked, day = self._office.pipeline.snapshot.register, request.query, today()
        if not 0 <= asked.days <= MOST_DAYS:
            raise BadRequest(f"days is 0 to {MOST_DAYS}.", param="days", hint="ask for what can be planned")
        due: Iterable[Event] = events(register, day, day + timedelta(days=asked.days))
        name, file = "Contracts", "contracts.ics"
        if asked.contract:
            version = _known(register, asked.contract)
            ids = register.ids(version)
            due = [event for event in due if event.contract in ids]
            name = version.contract.title or version.contract.id
        attached = (b"content-disposition", f'attachment; filename="{file}"'.encode())
        return Raw(write(due, now_ns(), name), MEDIA, (attached, *PRIVATE))

    async def _look(self, day: date) -> Duties:
        snapshot = self._office.pipeline.snapshot
        deployments = snapshot.table.deployments.values()
        return await look(self._office.store, snapshot.register, snapshot.organisation, deployments, day)


def _known(register: Register, id: str) -> Version:
    version = register.get(id)
    if version is None:
        raise NotFound(f"There is no contract {id[:64]!r}.", hint="GET /api/admin/contracts lists them")
    return version


def _row(register: Register, duties: Duties, version: Version) -> ContractRow:
    watch, id = duties.watch, version.contract.id
    return listed(
        shown.row(register, version, watch.case.day),
        deployments=[deployment.name for deployment in watch.case.under(version)],
        paces=[plain(pace) for pace in watch.paces if pace.contract == id],
        found=_counts(finding for finding in watch.findings if finding.contract == id),
        clauses=[tally(one) for one in watch.clauses.get(id, ())],
    )


def _order(row: ContractRow) -> tuple[bool, date, date, str]:
    """What is over comes last, and of the others those first whose notice is due first, or whose end is."""
    return row.state in _OVER, row.notice_by or date.max, row.last or date.max, row.id


def _counts(findings: Iterable[Finding]) -> FindingCounts:
    return FindingCounts(**counts(findings))


def _compared(register: Register, version: Version) -> list[Compared]:
    """Return what changed from each version of a contract to the next, newest first."""
    chain = register.chain(version.contract.id)
    found = []
    for new in reversed(chain):
        old = register.get(new.contract.supersedes)
        if old is not None:
            told = changes(old.contract, new.contract)
            found.append(Compared(old=old.contract.id, new=new.contract.id, changes=told))
    return found


def _behind(duties: Duties) -> CatchingUp | None:
    return CatchingUp(duties.done, duties.head) if duties.done < duties.head else None
