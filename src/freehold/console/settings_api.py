"""The configuration on the console: what is in force and where from, what the file says now, reading it anew; and who
did what. Refuses to write the file."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from freehold.access.members import Member
from freehold.console.figures import MS
from freehold.console.office import Office
from freehold.core.errors import BadRequest
from freehold.ledger import Query, Stored, entries
from freehold.store import Store
from freehold.wire.api import Endpoint, Request

PAGE = 200
SCANNED = 5_000
"""Entries that one request looks through at most when it asks for some acts alone."""


class Setting(Struct, frozen=True):
    """`origin` is "default", "file", "env NAME", "file PATH" or an option of the command line. A secret's `value` is
    its source. `restart`: what the file says now comes into force when the server is started anew."""

    name: str
    value: Any
    origin: str
    default: bool
    restart: bool


class Places(Struct, frozen=True):
    data: str
    run: str
    home: str


class Settings(Struct, frozen=True):
    file: str | None
    hash: str
    version: str
    started_at: int
    url: str
    settings: list[Setting]
    needs_restart: list[str]
    places: Places


class Change(Struct, frozen=True):
    name: str
    runs: Any
    file: Any
    restart: bool


class Problem(Struct, frozen=True):
    where: str
    message: str
    hint: str


class Hashes(Struct, frozen=True):
    runs: str
    file: str | None


class Difference(Struct, frozen=True):
    same: bool
    hash: Hashes
    changes: list[Change]
    problems: list[Problem]


class Reloaded(Struct, frozen=True):
    """`ok` is false when the file was refused: what was in force stays so."""

    ok: bool
    hash: str
    changed: list[str]
    needs_restart: list[str]
    problems: list[Problem]


class AuditQuery(Struct, frozen=True):
    """`act` is an act or its beginning ("key."), `member` a name; `before` the number of an entry."""

    limit: int = 50
    before: int | None = None
    act: str = ""
    member: str = ""


class Act(Struct, frozen=True):
    """`by` is a member's name, or "command line"."""

    seq: int
    at: int
    act: str
    by: str
    member: str | None
    about: dict[str, Any]
    hash: str


class Audit(Struct, frozen=True):
    entries: list[Act]
    next: int | None


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""

    async def settings(request: Request[Member]) -> Settings:
        return msgspec.convert(await office.control.order("settings"), Settings)

    async def difference(request: Request[Member]) -> Difference:
        return msgspec.convert(await office.control.order("diff"), Difference)

    async def reload(request: Request[Member]) -> Reloaded:
        done = msgspec.convert(await office.control.order("reload"), Reloaded)
        about = {"problems": len(done.problems)} if not done.ok else {"changed": done.changed}
        await office.note(request.who, "settings.reload", ok=done.ok, hash=done.hash, **about)
        return done

    async def audit(request: Request[Member]) -> Audit:
        return await acts(office.store, request.query)

    path = "/api/admin/settings"
    read = partial(Endpoint, method="GET", access="auditor", tag="console")
    return [
        read(path=path, run=settings, summary="The configuration in force, with origins", answer=Settings),
        read(path=f"{path}/diff", run=difference, summary="The file against what runs", answer=Difference),
        Endpoint(
            method="POST",
            path=f"{path}/reload",
            run=reload,
            summary="Read the file anew and put it in force, whole or not at all",
            access="admin",
            answer=Reloaded,
            tag="console",
        ),
        read(
            path="/api/admin/audit",
            run=audit,
            summary="Acts of administration, newest first",
            query=AuditQuery,
            answer=Audit,
        ),
    ]


async def acts(store: Store, asked: AuditQuery) -> Audit:
    """Return acts of administration, newest first. Raises BadRequest, StoreError."""
    if not 1 <= asked.limit <= PAGE:
        raise BadRequest(f"limit is 1 to {PAGE}.", param="limit", hint="ask page by page: `next` says how to go on")
    query = Query(kinds=("admin",), before=asked.before, limit=SCANNED)
    found: list[Act] = []
    seen, last = 0, None
    async for stored in entries(store, query):
        seen, last = seen + 1, stored.seq
        act = _act(stored)
        if act.act.startswith(asked.act) and asked.member in ("", act.by, act.member):
            found.append(act)
            if len(found) == asked.limit:
                return Audit(found, last)
    return Audit(found, last if seen == SCANNED else None)


def _act(stored: Stored) -> Act:
    entry = stored.entry
    try:
        note = msgspec.json.decode(entry.note, type=dict[str, Any]) if entry.note else {}
    except msgspec.DecodeError:  # a note of another kind, from a later or an earlier version
        note = {"act": "note", "text": entry.note}
    act, by, member = note.pop("act", "note"), note.pop("by", ""), note.pop("member", None)
    by = by or entry.user or "command line"
    return Act(stored.seq, entry.at // MS, str(act), str(by), member, note, stored.hash.hex())
