"""The ledger on the console: pages of entries, sums, one call with its texts, proof, export. Refuses to change an
entry; that an administrator read texts is itself put on record."""

from __future__ import annotations

import asyncio
import base64
import re
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct

from freehold import access
from freehold.access.members import Member
from freehold.console import ledger_export, shapes
from freehold.console.figures import MS, money
from freehold.console.office import Office
from freehold.console.shapes import Money, Named
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound
from freehold.core.money import nano, show
from freehold.ledger import Kept, Query, Stored, entries, known, reliance, totals, traffic
from freehold.ledger.bodies import read
from freehold.ledger.query import GROUPS
from freehold.ledger.traffic import DAY
from freehold.wire.api import Endpoint, Request

PAGE = 500
MOST_GROUPS = 3
TOTALS_SHOWN = 1_000
_KINDS = ("outcome", "intent", "admin")
_TEXTS = (
    "call", "model", "asked", "sent", "answered", "deployment", "maker", "seller", "host", "error", "currency",
    "region", "contract", "terms", "compute", "chips", "function", "purpose", "data_class", "party", "recipient",
    "echoed", "user",
)  # fmt: skip
NOTHING = "(none)"
"""A value that stands for entries that have none, e.g. calls for no function."""


class Filters(Struct, frozen=True, kw_only=True):
    """Which entries; several values of one, separated by commas, mean any of them: `\\,` is a comma within a value,
    `(none)` stands for having none. `party` is any of those whom the call rested on, `recipient` one of those who saw
    its words. Times in milliseconds, `since` <= at < `until`; costs in units of the currency, both ends included. Keys
    and teams by id or name; `retention` in days, -1 for what nobody said."""

    kinds: str = "outcome"
    call: str = ""
    key: str = ""
    team: str = ""
    model: str = ""
    asked: str = ""
    sent: str = ""
    answered: str = ""
    deployment: str = ""
    maker: str = ""
    seller: str = ""
    host: str = ""
    status: str = ""
    error: str = ""
    currency: str = ""
    region: str = ""
    contract: str = ""
    terms: str = ""
    compute: str = ""
    chips: str = ""
    function: str = ""
    purpose: str = ""
    data_class: str = ""
    party: str = ""
    recipient: str = ""
    retention: str = ""
    echoed: str = ""
    user: str = ""
    failed: bool | None = None
    since: int | None = None
    until: int | None = None
    min_cost: str = ""
    max_cost: str = ""


class PageQuery(Filters, frozen=True, kw_only=True):
    """`before` and `after` are numbers of entries: `next` of the page before says which; for `dearest` it is
    `offset`."""

    order: Literal["newest", "oldest", "dearest"] = "newest"
    limit: int = 50
    before: int | None = None
    after: int | None = None
    offset: int = 0


class TotalsQuery(Filters, frozen=True, kw_only=True):
    by: str


class ExportQuery(Filters, frozen=True, kw_only=True):
    format: Literal["csv", "jsonl"]


class VerdictRow(Struct, kw_only=True):
    """A decision about the words of a call, as docs/reference/ledger.md says."""

    by: str
    side: str
    category: str
    severity: int
    action: str
    policy: str
    dry: bool
    detail: str


class Row(Struct, kw_only=True):
    """An entry: docs/reference/ledger.md says what each field holds."""

    seq: int
    kind: str
    call: str
    attempt: int
    at: int
    key: Named | None
    team: Named | None
    endpoint: str
    dialect: str
    purpose: str
    asked: str
    sent: str
    answered: str
    deployment: str
    maker: str
    seller: str
    host: str
    region: str
    contract: str
    status: int
    error: str
    input: int
    output: int
    cached: int
    reasoning: int
    estimated: bool
    cost: Money | None
    reserved: str
    reserved_tokens: int
    first_ms: float | None
    total_ms: float | None
    dropped: tuple[str, ...]
    limits: tuple[str, ...]
    session: str
    user: str
    note: Any
    data_class: str
    terms: str
    compute: str
    chips: str
    echoed: str
    recipients: tuple[str, ...]
    retention: int
    trains: str
    review: str
    redactions: tuple[tuple[str, int], ...]
    policies: tuple[str, ...]
    verdicts: list[VerdictRow]
    function: str
    features: tuple[str, ...]
    tier: str
    use: str
    snapshot: str
    hash: str


class Page(Struct, frozen=True):
    entries: list[Row]
    next: int | None


class TotalRow(Struct, kw_only=True):
    """`names` are the groups as people call them."""

    group: list[Any]
    names: list[str]
    calls: int
    failed_calls: int
    attempts: int
    failed_attempts: int
    input: int
    output: int
    cached: int
    cost: Money | None


class TotalRows(Struct, frozen=True):
    by: list[str]
    totals: list[TotalRow]


class Choices(Struct, kw_only=True):
    makers: list[str]
    sellers: list[str]
    hosts: list[str]
    deployments: list[str]
    models: list[str]
    errors: list[str]
    regions: list[str]
    contracts: list[str]
    computes: list[str]
    chips: list[str]
    functions: list[str]
    purposes: list[str]
    keys: list[Named]
    teams: list[Named]


class KeptText(Struct, kw_only=True):
    """That a text is kept, without it. `bytes` is None once it was erased."""

    attempt: int
    part: str
    media: str
    bytes: int | None
    erased_at: int | None
    erased_why: str | None


class OneCall(Struct, frozen=True):
    call: str
    entries: list[Row]
    bodies_kept: list[KeptText]


class Text(Struct, kw_only=True):
    """A kept text: `text`, or `base64` when it is none, or neither once it was erased."""

    attempt: int
    part: str
    media: str
    at: int
    text: str | None = None
    base64: str | None = None
    erased_at: int | None = None
    erased_why: str | None = None


class Texts(Struct, frozen=True):
    bodies: list[Text]


class VerifyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`expect`: heads that were noted elsewhere, NUMBER:HASH."""

    expect: list[str] = []


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""
    desk = _Ledger(office)
    path = "/api/admin/ledger"
    ask = partial(Endpoint, method="GET", access="auditor", tag="console")
    return [
        ask(path=path, run=desk.page, summary="Entries of the ledger, page by page", query=PageQuery, answer=Page),
        ask(path=f"{path}/totals", run=desk.totals, summary="Sums of entries", query=TotalsQuery, answer=TotalRows),
        ask(path=f"{path}/choices", run=desk.choices, summary="What entries can be told apart by", answer=Choices),
        ask(path=f"{path}/export", run=desk.export, summary="Entries as a file, streamed", query=ExportQuery),
        ask(path=f"{path}/calls/{{call}}", run=desk.call, summary="All entries of one call", answer=OneCall),
        Endpoint(
            method="GET",
            path=f"{path}/calls/{{call}}/bodies",
            run=desk.bodies,
            summary="The texts that are kept of a call; that they were read goes on record",
            access="admin",
            answer=Texts,
            tag="console",
        ),
        Endpoint(
            method="POST",
            path=f"{path}/verify",
            run=desk.verify,
            summary="Prove that the ledger is whole; the work goes on in the server",
            access="auditor",
            body=VerifyBody,
            answer=shapes.Job,
            tag="console",
        ),
    ]


class _Ledger:
    def __init__(self, office: Office) -> None:
        self._office = office

    async def page(self, request: Request[Member]) -> Page:
        asked = request.query
        if not 1 <= asked.limit <= PAGE:
            raise BadRequest(f"limit is 1 to {PAGE}.", param="limit", hint="ask page by page: `next` says how to go on")
        query = msgspec.structs.replace(
            await _query(self._office, asked),
            order=asked.order,
            limit=asked.limit,
            before=asked.before,
            after=asked.after,
            offset=asked.offset,
        )
        rows = await self._rows(query)
        if len(rows) < asked.limit:
            return Page(rows, None)
        return Page(rows, asked.offset + len(rows) if asked.order == "dearest" else rows[-1].seq)

    async def totals(self, request: Request[Member]) -> TotalRows:
        by = listed(request.query.by)
        if not 1 <= len(by) <= MOST_GROUPS or len(set(by)) < len(by):
            raise BadRequest(f"by names 1 to {MOST_GROUPS} groups.", param="by", hint=f"of {', '.join(GROUPS)}")
        found = await totals(self._office.store, await _query(self._office, request.query), by)
        names = await self._office.names(str(value) for total in found[:TOTALS_SHOWN] for value in total.group)
        rows = []
        for total in found[:TOTALS_SHOWN]:
            named = [names.get(str(value), str(value)) for value in total.group]
            cost = money(total.cost, total.currency) if total.currency else None
            fields = ("calls", "failed_calls", "attempts", "failed_attempts", "input", "output", "cached")
            sums = {name: getattr(total, name) for name in fields}
            rows.append(TotalRow(group=list(total.group), names=named, cost=cost, **sums))
        return TotalRows(by, rows)

    async def choices(self, request: Request[Member]) -> Choices:
        store, snapshot = self._office.store, self._office.pipeline.snapshot
        table = snapshot.table
        await asyncio.gather(traffic.roll(store, 0.2), reliance.roll(store, 0.2))
        until = now_ns() // DAY * DAY + DAY
        sums = await traffic.summed(store, DAY, until - 90 * DAY, until)
        uses = await reliance.uses(store, until - 90 * DAY, until, callers=False)
        deployments = table.deployments.values()
        names = await self._office.names()
        keys = {key.id for key in await access.list_keys(store)} | {row.key for row in sums if row.key}

        def distinct(*values: Any) -> list[str]:
            return sorted({value for some in values for value in some if value})

        return Choices(
            makers=distinct((d.maker for d in deployments), (row.maker for row in sums)),
            sellers=distinct((d.seller for d in deployments), (row.seller for row in sums)),
            hosts=distinct((d.host for d in deployments), (row.host for row in sums)),
            deployments=distinct(table.deployments, (row.deployment for row in sums)),
            models=distinct(table.routes, (row.asked for row in sums)),
            errors=distinct(row.error for row in sums),
            regions=distinct((d.region for d in deployments), (use.region for use in uses)),
            contracts=distinct((d.contract for d in deployments), (use.contract for use in uses)),
            computes=distinct(use.compute or use.host for use in uses),
            chips=distinct((d.chips for d in deployments), (use.chips for use in uses)),
            functions=distinct(snapshot.organisation.functions, (use.function for use in uses)),
            purposes=distinct(use.purpose for use in uses),
            keys=sorted((Named(id, names.get(id, id)) for id in keys), key=lambda one: one.name),
            teams=[Named(team.id, team.name) for team in await access.list_teams(store)],
        )

    async def call(self, request: Request[Member]) -> OneCall:
        call = await self._known(request.params["call"])
        every = Query(kinds=("intent", "outcome", "admin"), call=call, order="oldest")
        return OneCall(call, await self._rows(every), [_kept(one) for one in await read(self._office.store, call)])

    async def bodies(self, request: Request[Member]) -> Texts:
        call = await self._known(request.params["call"])
        kept = await read(self._office.store, call)
        await self._office.note(request.who, "bodies.read", call=call, texts=len(kept))  # first: no reading unseen
        return Texts([_text(one) for one in kept])

    async def verify(self, request: Request[Member]) -> shapes.Job:
        by = request.who.name
        said = await self._office.control.order("prove", expect=request.body.expect, by=by)
        return msgspec.convert(said, shapes.Job)

    async def export(self, request: Request[Member]) -> Any:
        asked = request.query
        query = msgspec.structs.replace(await _query(self._office, asked), order="oldest")
        given = {name: value for name, value in msgspec.structs.asdict(asked).items() if value not in ("", None)}
        await self._office.note(request.who, "ledger.export", filters=given)
        names = await self._office.names()
        return await ledger_export.stream(request.exchange, self._office.store, query, asked.format, names)

    async def _rows(self, query: Query) -> list[Row]:
        found = [stored async for stored in entries(self._office.store, query)]
        names = await self._office.names(id for stored in found for id in (stored.entry.key, stored.entry.team) if id)
        return [_row(stored, names) for stored in found]

    async def _known(self, call: str) -> str:
        if not await known(self._office.store, "call", call):
            raise NotFound(f"The ledger knows no call {call[:64]!r}.", hint="its list shows the ids of calls")
        return call


async def _query(office: Office, asked: Filters) -> Query:
    """Return what was asked as a Query. Raises BadRequest, NotFound for a key or team that is none."""
    kinds = listed(asked.kinds)
    for kind in kinds:
        if kind not in _KINDS:
            raise BadRequest(f"There is no kind {kind[:32]!r} of entry.", param="kinds", hint=f"of {', '.join(_KINDS)}")
    given: dict[str, Any] = {name: tuple(values) for name in _TEXTS if (values := listed(getattr(asked, name)))}
    for name, example in (("status", "200,429"), ("retention", "-1,30")):
        if numbers := listed(getattr(asked, name)):
            if not all(re.fullmatch(r"-?[0-9]{1,6}", text, re.ASCII) for text in numbers):
                raise BadRequest(f"{name} is a number.", param=name, hint=f"e.g. {example}")
            given[name] = tuple(int(text) for text in numbers)
    if keys := listed(asked.key):
        all_keys = await access.list_keys(office.store)
        ids = [[key.id for key in all_keys if one in (key.id, key.name)] or [one] for one in keys]
        given["key"] = tuple(id for some in ids for id in some)
    if teams := listed(asked.team):
        given["team"] = tuple([(await access.find_team(office.store, one)).id for one in teams])
    for name in ("since", "until"):
        at = getattr(asked, name)
        if at is not None:
            given[name] = _within(at * MS, name)
    for name in ("min_cost", "max_cost"):
        if text := getattr(asked, name):
            try:
                given[name] = _within(nano(text), name)
            except ValueError as e:
                raise BadRequest(f"{text[:32]!r} is no amount.", param=name, hint="write it as 0.25") from e
    return Query(kinds=tuple(kinds) or ("outcome",), failed=asked.failed, **given)  # type: ignore[arg-type]


def _within(number: int, name: str) -> int:
    if not -(1 << 63) < number < 1 << 63:
        raise BadRequest(f"{name} is beyond what can be stored.", param=name, hint="give a smaller number")
    return number


def listed(text: str) -> list[str]:
    """Return the values of a filter: see Filters."""
    parts = (re.sub(r"\\(.)", r"\1", part.strip()) for part in re.findall(r"(?:[^,\\]|\\.)+", text))
    return ["" if part == NOTHING else part for part in parts if part]


def _row(stored: Stored, names: dict[str, str]) -> Row:
    entry = stored.entry
    said = msgspec.structs.asdict(entry)
    for name in ("at", "key", "team", "cost", "currency", "reserved", "first_ms", "total_ms", "note", "verdicts"):
        del said[name]
    return Row(
        **said,
        verdicts=[VerdictRow(**msgspec.structs.asdict(verdict)) for verdict in entry.verdicts],
        seq=stored.seq,
        hash=stored.hash.hex(),
        at=entry.at // MS,
        key=Named(entry.key, names.get(entry.key, "")) if entry.key else None,
        team=Named(entry.team, names.get(entry.team, "")) if entry.team else None,
        cost=money(entry.cost, entry.currency) if entry.currency else None,
        reserved=show(entry.reserved, "").strip(),
        first_ms=round(entry.first_ms, 1) or None,
        total_ms=round(entry.total_ms, 1) or None,
        note=_note(entry.note),
    )


def _note(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        return text


def _kept(one: Kept) -> KeptText:
    return KeptText(
        attempt=one.attempt,
        part=one.part,
        media=one.media,
        bytes=len(one.data) if one.data is not None else None,
        erased_at=one.erased_at // MS if one.erased_at is not None else None,
        erased_why=one.erased_why,
    )


def _text(one: Kept) -> Text:
    text = Text(attempt=one.attempt, part=one.part, media=one.media, at=one.at // MS, erased_why=one.erased_why)
    text.erased_at = one.erased_at // MS if one.erased_at is not None else None
    if one.data is not None:
        try:
            text.text = bytes(one.data).decode("utf-8")
        except UnicodeDecodeError:
            text.base64 = base64.b64encode(bytes(one.data)).decode()
    return text
