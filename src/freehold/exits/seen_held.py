"""What must be erased where by when: what each recipient may still hold under each contract, until which day it goes by
itself, and what is owed once the contract has ended. Knows what was promised; refuses to know what is really kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Literal

import msgspec

from freehold.contracts.register import Register, State, Version, ahead
from freehold.core.clock import DAY, begin, day_of
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
    theirs,
)
from freehold.ledger import Entry, Query, entries
from freehold.ledger.sight import UNSENT, Heard, Sight, roll, sights
from freehold.store import Store

Ask = Literal["overdue", "ask", "due", "by_itself"]
"""What is to be done: erasure was owed by a day that is over; nobody promised an end, so it has to be asked for; it is
owed by a day to come; it goes by itself."""
_ORDER: dict[Ask, int] = {"overdue": 0, "ask": 1, "due": 2, "by_itself": 3}


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract says of its end, seen from a day. `ends` is its last day if nothing is decided, None where it is
    open-ended or renews itself; `over`: that day has passed. `erasure` is yes, no, unknown, or empty without a contract
    on file. `due` is the day by which the supplier has to have erased, counted from `ends`; None where it does not have
    to, or does not say when."""

    title: str = ""
    version: str = ""
    state: State | None = None
    ends: date | None = None
    over: bool = False
    erasure: str = ""
    days: int | None = None
    due: date | None = None


class Duty(msgspec.Struct, kw_only=True):
    """What one recipient may still hold under one contract. `addressee` is whom to turn to: who the contract is with,
    or the recipient. `attempts` may still be kept, `unstated` of them for as long as nobody says; `until` is when the
    last of the others is gone by itself. `retentions` in days; times in ns."""

    party: Party
    roles: tuple[str, ...]
    addressee: Party
    contract: str
    exit: Exit
    ask: Ask = "by_itself"
    attempts: int = 0
    unstated: int = 0
    until: date | None = None
    retentions: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    trains: tuple[str, ...] = ()
    first_at: int = LONGEST
    last_at: int = 0


class Held(msgspec.Struct, kw_only=True):
    """All of it. `kept` are attempts that somebody outside may still hold, `gone` those whose time is over, `never`
    those of which nothing was to be kept. `done` of `head` entries are summed."""

    person: Person | None
    today: date
    kept: int
    gone: int
    never: int
    duties: list[Duty]
    done: int
    head: int


async def outstanding(
    store: Store,
    ground: Ground,
    now: int,
    person: Person | None = None,
    *,
    patience: float = PATIENCE,
    heard: Heard | None = None,
) -> Held:
    """Return what others may still hold now (ns), of everybody or of one person. Raises StoreError."""
    today = day_of(now)
    if person is not None:
        found = await theirs(store, person, patience=patience, heard=heard)
        some, done, head = found.sights, found.done, found.head
        outside = [each for each in some if recipients(each)[0]]
    else:
        done, head = await roll(store, patience, heard)
        outside = [each for each in await sights(store) if recipients(each)[0]]
        some = await _by_day(store, outside, today)
    live = [(sight, count) for sight in some if recipients(sight)[0] and (count := held(sight, today))]
    kept, never = sum(count for _, count in live), sum(each.attempts for each in outside if each.retention == 0)
    whole = sum(each.attempts for each in outside)
    return Held(
        person=person, today=today, kept=kept, gone=whole - kept - never, never=never,
        duties=_duties(live, ground, today), done=done, head=head,
    )  # fmt: skip


async def _by_day(store: Store, outside: Iterable[Sight], today: date) -> list[Sight]:
    """Return sums by day as far back as anything may still be kept by promise, and those without a promise as they
    are."""
    every = list(outside)
    longest = max((each.retention for each in every), default=-1)
    found = [each for each in every if each.retention < 0]
    if longest > 0:
        since = max(0, begin(today) - longest * DAY)
        found += [each for each in await sights(store, since, by_day=True) if each.retention > 0]
    return found


def _duties(live: Iterable[tuple[Sight, int]], ground: Ground, today: date) -> list[Duty]:
    parties = Parties(ground)
    found: dict[tuple[str, str], Duty] = {}
    for sight, count in live:
        newest = _newest(ground.register, sight.contract)
        contract = newest.contract.id if newest is not None else sight.contract
        for id in recipients(sight)[0]:
            duty = found.get((id, contract))
            if duty is None:
                to = newest.contract.party.supplier if newest is not None else id
                said = leaving(ground.register, newest, today) if newest is not None else Exit()
                duty = found[id, contract] = Duty(
                    party=parties.get(id), roles=(), addressee=parties.get(to), contract=contract, exit=said
                )
            _add(duty, sight, id, count)
    for duty in found.values():
        duty.ask = _asked(duty, today)
    return sorted(
        found.values(), key=lambda duty: (_ORDER[duty.ask], duty.addressee.name, -duty.attempts, duty.party.id)
    )


def _add(duty: Duty, sight: Sight, id: str, count: int) -> None:
    duty.roles = tuple(sorted({*duty.roles, *roles(sight, id)}))
    duty.attempts += count
    if sight.retention < 0:
        duty.unstated += count
    else:
        end = ahead(day_of(sight.last_at), sight.retention)
        duty.until = end if duty.until is None else max(duty.until, end)
    duty.retentions = tuple(sorted({*duty.retentions, sight.retention}))
    duty.classes = tuple(sorted({*duty.classes, sight.data_class} - {""}))
    duty.trains = tuple(sorted({*duty.trains, sight.trains}))
    duty.first_at, duty.last_at = min(duty.first_at, sight.first_at), max(duty.last_at, sight.last_at)


def _newest(register: Register, contract: str) -> Version | None:
    """Return the latest version of a contract's chain that is no draft; None where it is on no file."""
    return next((each for each in reversed(register.chain(contract)) if each.contract.status != "draft"), None)


def leaving(register: Register, version: Version, today: date) -> Exit:
    """Return what a contract says of its end."""
    contract = version.contract
    terms, ends = contract.term.exit, register.until(version, today)
    due = None
    if ends is not None and terms.erasure == "yes" and terms.erasure_days is not None:
        due = ahead(ends, (terms.retrieval_days or 0) + terms.erasure_days)
    state = register.state(version, today)
    over = state in ("ended", "superseded") or (ends is not None and ends < today)
    return Exit(
        title=contract.title, version=contract.version, state=state, ends=ends, over=over, erasure=terms.erasure,
        days=terms.erasure_days, due=due,
    )  # fmt: skip


def _asked(duty: Duty, today: date) -> Ask:
    if duty.exit.over and duty.exit.due is not None:
        return "overdue" if duty.exit.due < today else "due"
    return "ask" if duty.unstated else "by_itself"


async def calls(
    store: Store, ground: Ground, now: int, duties: Iterable[Duty], person: Person | None = None
) -> AsyncIterator[Entry]:
    """Yield the outcomes of which the recipients of these duties may still hold the words, oldest first: of a person's
    keys, then of the users that clients named, or of everybody. Raises StoreError."""
    today, wanted = day_of(now), {(duty.party.id, duty.contract) for duty in duties}
    asked = [Query(order="oldest")]
    if person is not None:
        asked = [Query(order="oldest", key=tuple(person.keys))] if person.keys else []
        asked += [Query(order="oldest", user=person.users)] if person.users else []
    for query in asked:
        async for stored in entries(store, query):
            entry = stored.entry
            twice = query.user is not None and person is not None and entry.key in person.keys
            if twice or not entry.deployment or entry.error in UNSENT:
                continue
            gone = entry.retention >= 0 and (not entry.retention or ahead(day_of(entry.at), entry.retention) < today)
            newest = _newest(ground.register, entry.contract)
            contract = newest.contract.id if newest is not None else entry.contract
            if not gone and any((id, contract) in wanted for id in recipients(entry)[0]):
                yield entry
