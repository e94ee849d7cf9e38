"""What /api/admin/seen answers, as types, and how it is made of what exits found: also what the command line prints for
machines. Times in milliseconds, days as 2026-11-24; what nobody says is null or empty, never a guess."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from freehold.console.figures import MS
from freehold.console.shapes import CatchingUp, Named
from freehold.exits.seen import LONGEST, Party, Person
from freehold.exits.seen_held import Ask, Duty, Exit, Held
from freehold.exits.seen_house import Holding
from freehold.exits.seen_left import Left, Part, State, Why
from freehold.exits.seen_left import Row as Crossing
from freehold.exits.seen_person import Report, Row, Sum, Tool


class Whose(Struct, frozen=True, kw_only=True):
    """The person: a member, keys and users that clients named, whose calls are taken together. `member` is the login
    name."""

    title: str
    member: str | None
    keys: list[Named]
    users: list[str]


class SightRow(Struct, frozen=True, kw_only=True):
    """What one party saw under the same terms. `party` `own` is a model on our own machines. `roles`: host, seller,
    compute, subprocessor. `retention` in days, null where nobody says; `until` the last day on which the words of the
    latest may be kept. `attempts`: each try of a model counts; `held` of them may still be kept. `redactions`: attempts
    by the kind of what had been taken out before. `assumed`: the entries are too old to say who saw the words."""

    party: Party
    roles: list[str]
    contract: str
    terms: str
    version: str
    title: str
    data_class: str
    purpose: str
    region: str
    echoed: str
    astray: bool
    retention: int | None
    until: date | None
    trains: str
    review: str
    assumed: bool
    attempts: int
    held: int
    input: int
    first_at: int
    last_at: int
    redactions: dict[str, int]


class PartySum(Struct, frozen=True, kw_only=True):
    """All that one party saw. `unstated` of the `held` attempts have no stated end; `until` is when the last of the
    others is gone. `trains`: yes if any terms allow it, no if all forbid it, empty where some do not say."""

    party: Party
    roles: list[str]
    attempts: int
    held: int
    unstated: int
    until: date | None
    classes: list[str]
    trains: str
    first_at: int
    last_at: int


class ToolUse(Struct, frozen=True, kw_only=True):
    """What a tool server was sent."""

    server: str
    uses: int
    bytes: int
    first_at: int
    last_at: int


class PersonReport(Struct, frozen=True, kw_only=True):
    """Everything about a person. The words of `outside` of the `attempts` went to others, who may still hold those of
    `held`; `astray` were answered from another region than was asked for."""

    person: Whose
    today: date
    since: int | None
    until: int | None
    calls: int
    attempts: int
    outside: int
    held: int
    astray: int
    first_at: int | None
    last_at: int | None
    parties: list[PartySum]
    rows: list[SightRow]
    tools: list[ToolUse]
    house: list[Holding]
    catching_up: CatchingUp | None


class LeftRow(Struct, frozen=True, kw_only=True):
    """Calls that left an area (`state` outside), or of which nobody says where they were served (unstated). `outside`
    are the recipients who are seated outside, `unseated` those of whom nobody says where; `promised` is where the
    contract says that words are processed."""

    state: State
    why: list[Why]
    seller: Party
    host: Party
    region: str
    echoed: str
    data_class: str
    function: str
    purpose: str
    contract: str
    outside: list[Party]
    unseated: list[Party]
    promised: list[str]
    assumed: bool
    attempts: int
    input: int
    first_at: int
    last_at: int


class LeftReport(Struct, frozen=True, kw_only=True):
    """What left an area. `attempts` by state: outside, unstated, inside, own (models on our own machines). `unseated`
    of those inside had a recipient whose seat nobody states. `unlisted` are regions in no known area: they count as
    outside. `by` sums what is outside by seller, host, region, data_class, function, recipient."""

    area: str
    since: int | None
    until: int | None
    attempts: dict[State, int]
    unseated: int
    rows: list[LeftRow]
    by: dict[str, list[Part]]
    unlisted: list[str]
    areas: list[str]
    catching_up: CatchingUp | None


class DutyRow(Struct, frozen=True, kw_only=True):
    """What one recipient may still hold under one contract. `ask`: overdue (erasure was owed by a day that is over),
    ask (nobody promised an end), due (owed by a day to come), by_itself (it goes by `until`). `letter` names the
    addressee in `/api/admin/seen/letter`."""

    party: Party
    roles: list[str]
    addressee: Party
    contract: str
    exit: Exit
    ask: Ask
    attempts: int
    unstated: int
    until: date | None
    retentions: list[int]
    classes: list[str]
    trains: list[str]
    first_at: int
    last_at: int


class HeldReport(Struct, frozen=True, kw_only=True):
    """What must be erased where by when. `kept` attempts may still be held by somebody, the time of `gone` is over, of
    `never` nothing was to be kept."""

    person: Whose | None
    today: date
    kept: int
    gone: int
    never: int
    duties: list[DutyRow]
    catching_up: CatchingUp | None


def person(found: Report) -> PersonReport:
    """Return a report on a person as it is shown."""
    return PersonReport(
        person=whose(found.person),
        today=found.today,
        **_span(found.since, found.until),
        calls=found.calls,
        attempts=found.attempts,
        outside=found.outside,
        held=found.held,
        astray=found.astray,
        first_at=found.first_at // MS if found.attempts else None,
        last_at=found.last_at // MS if found.attempts else None,
        parties=[_sum(each) for each in found.sums],
        rows=[_row(row) for row in found.rows],
        tools=[_tool(tool) for tool in found.tools],
        house=found.house,
        catching_up=_behind(found.done, found.head),
    )


def left(found: Left) -> LeftReport:
    """Return what left an area as it is shown."""
    return LeftReport(
        area=found.area,
        **_span(found.since, found.until),
        attempts=found.attempts,
        unseated=found.unseated,
        rows=[_crossing(row) for row in found.rows],
        by=found.by,
        unlisted=found.unlisted,
        areas=found.areas,
        catching_up=_behind(found.done, found.head),
    )


def outstanding(found: Held) -> HeldReport:
    """Return what must be erased as it is shown."""
    return HeldReport(
        person=whose(found.person) if found.person is not None else None,
        today=found.today,
        kept=found.kept,
        gone=found.gone,
        never=found.never,
        duties=[_duty(duty) for duty in found.duties],
        catching_up=_behind(found.done, found.head),
    )


def whose(person: Person) -> Whose:
    """Return a person as it is shown."""
    member = person.member.name if person.member is not None else None
    keys = [Named(id, name) for id, name in person.keys.items()]
    return Whose(title=person.title, member=member, keys=keys, users=list(person.users))


def _behind(done: int, head: int) -> CatchingUp | None:
    return CatchingUp(done, head) if done < head else None


def _span(since: int, until: int) -> dict[str, int | None]:
    return {"since": since // MS if since else None, "until": until // MS if until < LONGEST else None}


def _row(row: Row) -> SightRow:
    return SightRow(
        party=row.party, roles=list(row.roles), contract=row.contract, terms=row.terms, version=row.version,
        title=row.title, data_class=row.data_class, purpose=row.purpose, region=row.region, echoed=row.echoed,
        astray=row.astray, retention=row.retention if row.retention >= 0 else None, until=row.until, trains=row.trains,
        review=row.review, assumed=row.assumed, attempts=row.attempts, held=row.held, input=row.input,
        first_at=row.first_at // MS, last_at=row.last_at // MS, redactions=row.redactions,
    )  # fmt: skip


def _sum(each: Sum) -> PartySum:
    return PartySum(
        party=each.party, roles=list(each.roles), attempts=each.attempts, held=each.held, unstated=each.unstated,
        until=each.until, classes=list(each.classes), trains=each.trains, first_at=each.first_at // MS,
        last_at=each.last_at // MS,
    )  # fmt: skip


def _tool(tool: Tool) -> ToolUse:
    return ToolUse(
        server=tool.server, uses=tool.uses, bytes=tool.bytes, first_at=tool.first_at // MS, last_at=tool.last_at // MS
    )


def _crossing(row: Crossing) -> LeftRow:
    return LeftRow(
        state=row.state, why=list(row.why), seller=row.seller, host=row.host, region=row.region, echoed=row.echoed,
        data_class=row.data_class, function=row.function, purpose=row.purpose, contract=row.contract,
        outside=list(row.outside), unseated=list(row.unseated), promised=list(row.promised), assumed=row.assumed,
        attempts=row.attempts, input=row.input, first_at=row.first_at // MS, last_at=row.last_at // MS,
    )  # fmt: skip


def _duty(duty: Duty) -> DutyRow:
    return DutyRow(
        party=duty.party, roles=list(duty.roles), addressee=duty.addressee, contract=duty.contract, exit=duty.exit,
        ask=duty.ask, attempts=duty.attempts, unstated=duty.unstated, until=duty.until,
        retentions=list(duty.retentions), classes=list(duty.classes), trains=list(duty.trains),
        first_at=duty.first_at // MS, last_at=duty.last_at // MS,
    )  # fmt: skip
