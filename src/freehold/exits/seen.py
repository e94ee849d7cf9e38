"""Who saw words, as the ledger has it: whose calls, which parties, until when they may keep them. What the reports on a
person, a region and what must be erased have in common. Knows sums and terms; refuses to show anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from freehold.access import Member, list_keys, members
from freehold.contracts.binding import OWN
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register, Version, ahead
from freehold.core.clock import DAY, day_of
from freehold.core.errors import BadRequest, NotFound
from freehold.ledger import Entry, known
from freehold.ledger.query import of_users
from freehold.ledger.sight import Heard, Sight, of_user, roll, sights
from freehold.store import Store

PATIENCE = 0.4
"""Seconds that summing what is new may take before the answer goes out without it."""
LONGEST = (1 << 63) - 1
"""The end of time, ns."""


class Ground(msgspec.Struct, frozen=True):
    """The terms, and what the organisation says of itself."""

    register: Register
    organisation: Organisation


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls are meant: those of these keys (id: name), and those whose client named one of these users. `title`
    is what they are called in a report."""

    title: str
    member: Member | None = None
    keys: dict[str, str] = {}
    users: tuple[str, ...] = ()

    def condition(self, engine: str) -> tuple[str, list[object]]:
        """Return the condition that an entry is of a call of theirs, in the engine's words, and its arguments."""
        said, args = of_users(engine, self.users)
        marks = ", ".join("?" * len(self.keys))
        return (f"({said} OR key IN ({marks}))" if self.keys else said), [*args, *self.keys]


class Party(msgspec.Struct, frozen=True):
    """A legal entity that saw words. `name` is what it is called, by the configuration or the contract with it, or its
    id; `country` is where it is registered (ISO 3166-1 alpha-2), empty where nobody says; `group` its group's id."""

    id: str
    name: str
    group: str
    country: str


class Parties:
    """Finds the legal entities behind ids."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._known: dict[str, Party] = {}
        self._hashes = {version.hash: version for version in ground.register.versions}

    def get(self, id: str) -> Party:
        found = self._known.get(id)
        if found is None:
            found = self._known[id] = self._party(id)
        return found

    def _party(self, id: str) -> Party:
        organisation = self._ground.organisation
        entity = organisation.parties.get(id)
        signed = [v.contract.party for v in self._ground.register.versions if v.contract.party.supplier == id]
        said = signed[-1] if signed else None
        name = (entity.name if entity is not None else "") or (said.entity if said is not None else "")
        country = (entity.country if entity is not None else "") or (said.country if said is not None else "")
        group = organisation.group(id)
        if group == id and said is not None and said.group:
            group = said.group
        return Party(id, name or id, group, country.upper())

    def version(self, contract: str, terms: str) -> Version | None:
        """Return the version of a contract by its hash; None where that is on no file any more."""
        found = self._hashes.get(terms) if terms else None
        return found if found is not None and found.contract.id == contract else None


def recipients(sight: Sight | Entry) -> tuple[tuple[str, ...], bool]:
    """Return who saw the words, nobody for models on our own machines, and whether that is assumed: entries of before
    0.4 don't say it, there it was who hosts and who sells."""
    if sight.recipients or sight.data_class or sight.host == OWN:
        return sight.recipients, False
    return tuple(dict.fromkeys(id for id in (sight.host, sight.seller) if id and id != OWN)), True


def roles(sight: Sight, party: str) -> set[str]:
    """Return as what a party got to see words: host, seller, compute (owner of the machines), or subprocessor."""
    found = {name for name in ("host", "seller", "compute") if getattr(sight, name) == party}
    return found or {"subprocessor"}


def held(sight: Sight, today: date) -> int:
    """Return how many of these attempts, all of one day, a recipient may still keep the words of: all where nobody says
    for how long, none where nothing is kept once the answer was given."""
    if sight.retention < 0:
        return sight.attempts
    return sight.attempts if sight.retention and ahead(day_of(sight.at), sight.retention) >= today else 0


class Theirs(msgspec.Struct, frozen=True):
    """What was found of a person, by key and day; `done` of `head` entries are summed."""

    sights: list[Sight]
    done: int
    head: int


async def theirs(
    store: Store,
    person: Person,
    since: int = 0,
    until: int = LONGEST,
    *,
    patience: float = PATIENCE,
    heard: Heard | None = None,
) -> Theirs:
    """Return the sums of a person's calls in the UTC days that hold since <= at < until (ns). Raises StoreError."""
    since, until = days(since, until)
    done, head = await roll(store, patience, heard)
    found = await sights(store, since, until, keys=person.keys)
    found += await of_user(store, person.users, since, until, but=person.keys, heard=heard)
    return Theirs(found, done, head)


def days(since: int, until: int) -> tuple[int, int]:
    """Return the UTC days (ns) that hold since <= at < until. Raises BadRequest when there is none."""
    since, until = max(0, since) // DAY * DAY, min(-(-until // DAY) * DAY, LONGEST)
    if since >= until:
        raise BadRequest("The span is empty.", param="since", hint="name a `since` that is before `until`")
    return since, until


async def find(store: Store, *, member: str = "", keys: Iterable[str] = (), users: Iterable[str] = ()) -> Person:
    """Return the person of a member (name or id), of keys (names or ids) and of the users that clients named, all of
    them together. Raises BadRequest where nobody is named, NotFound for a member or key that is none."""
    who = await members.find(store, member) if member else None
    wanted, named = list(dict.fromkeys(keys)), tuple(dict.fromkeys(user for user in users if user))
    if who is None and not wanted and not named:
        raise BadRequest("Nobody is named.", param="member", hint="name a member, a key, or the user that clients name")
    every = await list_keys(store)
    found = {key.id: key.name for key in every if who is not None and key.id == who.key}
    if who is not None:
        found.setdefault(who.key, who.name)
    for one in wanted:
        ids = {key.id: key.name for key in every if one in (key.id, key.name)}
        if not ids and not await known(store, "key", one):
            raise NotFound(f"No key is or was called {one[:64]!r}.", param="key", hint="`freehold keys list --all`")
        found |= ids or {one: one}
    title = [who.display or who.name] if who is not None else []
    title += [found[id] for id in found if who is None or id != who.key]
    return Person(title=", ".join([*title, *named]), member=who, keys=found, users=named)


def spread(many: Sequence[Sight]) -> tuple[int, int]:
    """Return when the first and the last of these were, ns; zeros for none."""
    return min((each.first_at for each in many), default=0), max((each.last_at for each in many), default=0)
