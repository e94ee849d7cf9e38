"""Everything about one person: which parties saw their words, under which terms, until when; and what the house itself
holds. From the ledger and the store alone; refuses to know what a vendor really keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import msgspec

from freehold.contracts.areas import within
from freehold.contracts.binding import OWN
from freehold.contracts.register import ahead
from freehold.core.clock import day_of
from freehold.exits.seen import (
    LONGEST,
    PATIENCE,
    Ground,
    Parties,
    Party,
    Person,
    held,
    recipients,
    roles,
    spread,
    theirs,
)
from freehold.exits.seen_house import Holding, holdings
from freehold.guards.vault import Vault
from freehold.ledger.entry import ADMIN, decode
from freehold.ledger.sight import Heard, Sight
from freehold.store import Store


class Row(msgspec.Struct, kw_only=True):
    """Attempts of one party that have all else in common. The party of our own machines is `own`.

    `roles`: as what it saw the words. `version` and `title` are what people call the contract's version, empty where it
    is on no file any more. `astray`: the vendor named another region than was asked for. `until` is the last day on
    which the words of the latest may be kept, None where nobody says; `held` of the `attempts` may still be. `input`
    tokens; `redactions` are attempts by the kind of what had been taken out. `assumed`: too old to say who saw them.
    """

    party: Party
    roles: tuple[str, ...]
    contract: str
    terms: str
    version: str
    title: str
    data_class: str
    purpose: str
    region: str
    echoed: str
    astray: bool
    retention: int
    until: date | None
    trains: str
    review: str
    assumed: bool
    attempts: int = 0
    held: int = 0
    input: int = 0
    first_at: int = LONGEST
    last_at: int = 0
    redactions: dict[str, int] = {}


class Sum(msgspec.Struct, kw_only=True):
    """All that one party saw. `held` attempts may still be kept, `unstated` of them for as long as nobody says; `until`
    is when the last of the others has run out."""

    party: Party
    roles: tuple[str, ...]
    attempts: int
    held: int
    unstated: int
    until: date | None
    classes: tuple[str, ...]
    trains: str
    first_at: int
    last_at: int


class Tool(msgspec.Struct, kw_only=True):
    """What a tool server was sent for the person: how often, bytes in all, when first and last (ns)."""

    server: str
    uses: int
    bytes: int
    first_at: int
    last_at: int


class Report(msgspec.Struct, kw_only=True):
    """All of it. `attempts` are tries of a model, whoever runs it, for `calls` calls; the words of `outside` of them
    went to others, who may still hold those of `held`. `astray` were answered from another region than was asked for.
    `done` of `head` entries are summed."""

    person: Person
    since: int
    until: int
    today: date
    calls: int
    attempts: int
    outside: int
    held: int
    astray: int
    first_at: int
    last_at: int
    sums: list[Sum]
    rows: list[Row]
    tools: list[Tool]
    house: list[Holding]
    done: int
    head: int


async def report(
    store: Store,
    ground: Ground,
    person: Person,
    now: int,
    *,
    since: int = 0,
    until: int = LONGEST,
    vault: Vault | None = None,
    patience: float = PATIENCE,
    heard: Heard | None = None,
) -> Report:
    """Return everything about a person, as the ledger has it now (ns). Without the `vault` nobody can tell how many
    pseudonyms are theirs. Raises BadRequest for an empty span, StoreError."""
    found = await theirs(store, person, since, until, patience=patience, heard=heard)
    today, some = day_of(now), found.sights
    rows = collected(some, ground, today)
    first, last = spread(some)
    return Report(
        person=person, since=since, until=until, today=today, calls=sum(each.calls for each in some),
        attempts=sum(each.attempts for each in some),
        outside=sum(each.attempts for each in some if recipients(each)[0]),
        held=sum(held(each, today) for each in some if recipients(each)[0]),
        astray=sum(each.attempts for each in some if astray(each, ground)), first_at=first, last_at=last,
        sums=_sums(rows), rows=rows, tools=await _tools(store, person),
        house=await holdings(store, person, sum(each.attempts for each in some), vault, heard),
        done=found.done, head=found.head,
    )  # fmt: skip


def astray(sight: Sight, ground: Ground) -> bool:
    """Return whether the vendor named a region that is not the one, or not in the area, that was asked for."""
    if not sight.region or not sight.echoed:
        return False
    return not within(sight.echoed, (sight.region,), ground.organisation.areas)


def collected(some: Iterable[Sight], ground: Ground, today: date) -> list[Row]:
    """Return rows by party and all that tells them apart, the party that saw most first."""
    parties, found = Parties(ground), dict[tuple[Any, ...], Row]()
    for sight in some:
        seen, assumed = recipients(sight)
        for id in seen or (OWN,):
            _add(found, sight, id, assumed, parties, ground, today)
    whole: dict[str, int] = {}
    for row in found.values():
        whole[row.party.id] = whole.get(row.party.id, 0) + row.attempts
    return sorted(
        found.values(),
        key=lambda row: (row.party.id == OWN, -whole[row.party.id], row.party.id, -row.attempts, -row.last_at),
    )


def _add(
    found: dict[tuple[Any, ...], Row],
    sight: Sight,
    id: str,
    assumed: bool,
    parties: Parties,
    ground: Ground,
    today: date,
) -> None:
    played = tuple(sorted(roles(sight, id))) if id != OWN else ()
    place = (
        id, played, sight.contract, sight.terms, sight.data_class, sight.purpose, sight.region, sight.echoed,
        sight.retention, sight.trains, sight.review, assumed,
    )  # fmt: skip
    row = found.get(place)
    if row is None:
        version = parties.version(sight.contract, sight.terms)
        row = found[place] = Row(
            party=parties.get(id), roles=played, contract=sight.contract, terms=sight.terms,
            version=version.contract.version if version is not None else "",
            title=version.contract.title if version is not None else "",
            data_class=sight.data_class, purpose=sight.purpose, region=sight.region, echoed=sight.echoed,
            astray=astray(sight, ground), retention=sight.retention, until=None, trains=sight.trains,
            review=sight.review, assumed=assumed,
        )  # fmt: skip
    row.attempts += sight.attempts
    row.held += held(sight, today) if id != OWN else 0
    row.input += sight.input
    row.first_at, row.last_at = min(row.first_at, sight.first_at), max(row.last_at, sight.last_at)
    if row.retention >= 0 and id != OWN:
        row.until = ahead(day_of(row.last_at), row.retention)
    for kind in sight.redactions:
        row.redactions[kind] = row.redactions.get(kind, 0) + sight.attempts


def _sums(rows: Sequence[Row]) -> list[Sum]:
    by_party: dict[str, list[Row]] = {}
    for row in rows:
        by_party.setdefault(row.party.id, []).append(row)
    return [_sum(some) for some in by_party.values()]


def _sum(rows: Sequence[Row]) -> Sum:
    ends = [row.until for row in rows if row.until is not None and row.held]
    trains = {row.trains for row in rows}
    return Sum(
        party=rows[0].party,
        roles=tuple(sorted({role for row in rows for role in row.roles})),
        attempts=sum(row.attempts for row in rows),
        held=sum(row.held for row in rows),
        unstated=sum(row.held for row in rows if row.retention < 0),
        until=max(ends, default=None),
        classes=tuple(sorted({row.data_class for row in rows if row.data_class})),
        trains="yes" if "yes" in trains else "" if "" in trains else "no",
        first_at=min(row.first_at for row in rows),
        last_at=max(row.last_at for row in rows),
    )


async def _tools(store: Store, person: Person) -> list[Tool]:
    """Return what tool servers were sent: such uses are acts on the ledger, for no model saw them there."""
    if not person.keys:
        return []
    marks = ", ".join("?" * len(person.keys))
    rows = await store.fetch(f"SELECT data FROM entry WHERE kind = {ADMIN} AND key IN ({marks})", *person.keys)
    found: dict[str, Tool] = {}
    for (data,) in rows:
        entry = decode(data)
        note = msgspec.json.decode(entry.note or "{}")
        if not isinstance(note, dict) or note.get("act") != "tool":
            continue
        name = str(note.get("server", ""))
        tool = found.setdefault(name, Tool(server=name, uses=0, bytes=0, first_at=LONGEST, last_at=0))
        tool.uses += 1
        tool.bytes += int(note.get("bytes", 0))
        tool.first_at, tool.last_at = min(tool.first_at, entry.at), max(tool.last_at, entry.at)
    return sorted(found.values(), key=lambda tool: (-tool.uses, tool.server))
