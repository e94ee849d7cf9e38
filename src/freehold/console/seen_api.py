"""Who saw what, on the console: of a person, what left an area, what must be erased; as pages and as files. Refuses to
reckon: `freehold.exits` does. What is taken away as a file, and what is erased, goes on record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct

from freehold.access.members import RANKS, Member
from freehold.console import seen_shapes as shapes
from freehold.console.figures import MS
from freehold.console.ledger_api import listed
from freehold.console.office import Office
from freehold.core.clock import DAY, iso, now_ns
from freehold.core.errors import BadRequest, Forbidden, NotFound
from freehold.exits import seen_rows
from freehold.exits.seen import LONGEST, Ground, Person, find
from freehold.exits.seen_document import letter, page
from freehold.exits.seen_held import Held, calls, outstanding
from freehold.exits.seen_house import erase, kept
from freehold.exits.seen_left import left
from freehold.exits.seen_person import report
from freehold.exits.sheets import comma_separated
from freehold.wire.api import PRIVATE, Endpoint, Raw, Request

_MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
MOST_CALLS = 200_000
"""Calls that a list for a letter may have; `freehold seen erase --letters` writes longer ones."""


class WhoseQuery(Struct, frozen=True, kw_only=True):
    """Whose calls: a member (name or id), keys (names or ids) and users that clients named, separated by commas (`\\,`
    is a comma within one), all of them together."""

    member: str = ""
    key: str = ""
    user: str = ""


class PersonQuery(WhoseQuery, frozen=True, kw_only=True):
    """Times in milliseconds, rounded to whole days in UTC. `format`: the report as a file."""

    since: int | None = None
    until: int | None = None
    format: Literal["", "json", "html", "csv"] = ""


class LeftQuery(Struct, frozen=True, kw_only=True):
    """`area`: one of those that are shipped or of `[data] areas`, a region, or a country. The rest as for a person."""

    area: str
    since: int | None = None
    until: int | None = None
    format: Literal["", "json", "csv"] = ""


class HeldQuery(WhoseQuery, frozen=True, kw_only=True):
    """Without a person: of everybody."""

    format: Literal["", "json", "csv"] = ""


class LetterQuery(WhoseQuery, frozen=True, kw_only=True):
    """`party`: whom to turn to. `format`: the draft of a letter, or the list of calls that goes with it."""

    party: str
    format: Literal["txt", "csv"] = "txt"


class EraseBody(WhoseQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `do` nothing is erased, and the answer says what would be."""

    do: bool = False
    why: str = ""


class Here(Struct, frozen=True, kw_only=True):
    """What is held here: kept texts of calls, and pseudonyms (null: nobody could look) of so many conversations.
    `done`: it was erased."""

    texts: int
    bytes: int
    pseudonyms: int | None
    conversations: int
    done: bool


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""
    desk = _Desk(office)
    path = "/api/admin/seen"
    ask = partial(Endpoint, method="GET", access="auditor", tag="console")
    return [
        ask(path=f"{path}/person", run=desk.person, query=PersonQuery, answer=shapes.PersonReport,
            summary="Everything about a person: who saw their words, until when, what the house holds"),
        ask(path=f"{path}/left", run=desk.left, query=LeftQuery, answer=shapes.LeftReport,
            summary="What left an area; what nobody says the place of is told apart"),
        ask(path=f"{path}/erase", run=desk.held, query=HeldQuery, answer=shapes.HeldReport,
            summary="What must be erased where by when"),
        ask(path=f"{path}/letter", run=desk.letter, query=LetterQuery,
            summary="A draft of what to ask of a party, or the list of calls that goes with it"),
        Endpoint(method="POST", path=f"{path}/erase", run=desk.erase, access="admin", body=EraseBody, answer=Here,
                 summary="Erase what is held here of a person's calls; the ledger stays whole", tag="console"),
    ]  # fmt: skip


class _Desk:
    def __init__(self, office: Office) -> None:
        self._office = office

    @property
    def _ground(self) -> Ground:
        snapshot = self._office.pipeline.snapshot
        return Ground(snapshot.register, snapshot.organisation)

    async def person(self, request: Request[Member]) -> shapes.PersonReport | Raw:
        office, asked = self._office, request.query
        who = await self._whose(asked)
        found = await report(
            office.store, self._ground, who, now_ns(), since=_ns(asked.since, 0), until=_ns(asked.until, LONGEST),
            vault=office.vault,
        )  # fmt: skip
        shown = shapes.person(found)
        if not asked.format:
            return shown
        await office.note(request.who, "seen.export", report="person", format=asked.format, **_about(who))
        makers: dict[str, Callable[[], bytes]] = {
            "json": lambda: _json(shown),
            "html": lambda: page(found).encode(),
            "csv": lambda: comma_separated(*seen_rows.rows(found)),
        }
        return _file("who-saw-what", asked.format, makers[asked.format]())

    async def left(self, request: Request[Member]) -> shapes.LeftReport | Raw:
        office, asked = self._office, request.query
        since, until = _ns(asked.since, 0), _ns(asked.until, LONGEST)
        found = await left(office.store, self._ground, asked.area, since=since, until=until)
        if not asked.format:
            return shapes.left(found)
        await office.note(request.who, "seen.export", report="left", format=asked.format, area=asked.area)
        data = _json(shapes.left(found)) if asked.format == "json" else comma_separated(*seen_rows.rows(found))
        return _file(f"left-{asked.area}", asked.format, data)

    async def held(self, request: Request[Member]) -> shapes.HeldReport | Raw:
        office, asked = self._office, request.query
        who = await self._whose(asked) if _named(asked) else None
        found = await outstanding(office.store, self._ground, now_ns(), who)
        if not asked.format:
            return shapes.outstanding(found)
        await office.note(request.who, "seen.export", report="erase", format=asked.format, **_about(who))
        data = _json(shapes.outstanding(found)) if asked.format == "json" else comma_separated(*seen_rows.rows(found))
        return _file("to-be-erased", asked.format, data)

    async def letter(self, request: Request[Member]) -> Raw:
        office, asked = self._office, request.query
        who = await self._whose(asked) if _named(asked) else None
        found = await outstanding(office.store, self._ground, now_ns(), who)
        duties = [duty for duty in found.duties if duty.addressee.id == asked.party]
        if not duties:
            hint = "the report on what must be erased names those to turn to"
            raise NotFound(f"There is nothing to ask of {asked.party[:64]!r}.", param="party", hint=hint)
        await office.note(request.who, "seen.letter", party=asked.party, format=asked.format, **_about(who))
        if asked.format == "txt":
            text = letter(found, duties[0].addressee, f"calls-{_plain(asked.party)}.csv")
            return _file(f"letter-{asked.party}", "txt", text.encode())
        return _file(f"calls-{asked.party}", "csv", await self._calls(found, asked.party))

    async def _calls(self, found: Held, party: str) -> bytes:
        duties = [duty for duty in found.duties if duty.addressee.id == party]
        rows: list[dict[str, Any]] = []
        async for entry in calls(self._office.store, self._ground, now_ns(), duties, found.person):
            if len(rows) == MOST_CALLS:
                hint = "`freehold seen erase --letters FOLDER` writes a list of any length"
                raise BadRequest(f"There are more than {MOST_CALLS:,} calls.", code="too_many", hint=hint)
            rows.append(seen_rows.call(entry))
        return comma_separated(seen_rows.CALLS, rows)

    async def erase(self, request: Request[Member]) -> Here:
        office, asked = self._office, request.body
        who = await self._whose(asked)
        found = await kept(office.store, who, office.vault)
        if asked.do:
            if who.member is not None and RANKS[who.member.role] > RANKS[request.who.role]:
                raise Forbidden("This member is above you.", code="role_too_low", hint="ask an owner")
            if not asked.why.strip():
                raise BadRequest("It goes on record why.", param="why", hint="say who asked for it")
            about = {"texts": len(found.texts), "conversations": len(found.conversations)}
            await office.note(request.who, "person.erase", why=asked.why, **about, **_about(who))
            await erase(office.store, found, office.vault, asked.why)
        return Here(
            texts=len(found.texts), bytes=sum(text.bytes for text in found.texts), pseudonyms=found.pseudonyms,
            conversations=len(found.conversations), done=asked.do,
        )  # fmt: skip

    async def _whose(self, asked: WhoseQuery) -> Person:
        return await find(self._office.store, member=asked.member, keys=listed(asked.key), users=listed(asked.user))


def _named(asked: WhoseQuery) -> bool:
    return bool(asked.member or asked.key or asked.user)


def _about(who: Person | None) -> dict[str, Any]:
    if who is None:
        return {}
    member = {"of": who.member.id, "name": who.member.name} if who.member is not None else {}
    return {**member, "keys": list(who.keys), "users": list(who.users)}


def _ns(ms: int | None, usual: int) -> int:
    if ms is None:
        return usual
    if not 0 <= ms < (LONGEST - DAY) // MS:
        raise BadRequest("That is no time.", hint="give milliseconds since the epoch")
    return ms * MS


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _plain(name: str) -> str:
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "-" for sign in name)


def _file(name: str, form: str, data: bytes) -> Raw:
    file = f"{_plain(name)}-{iso(now_ns())[:10]}.{form}"
    attached = (b"content-disposition", f'attachment; filename="{file}"'.encode())
    return Raw(data, _MEDIA[form], (attached, *PRIVATE))
