"""Keys: how they are made, kept, found and ended. Knows hashes and rows; refuses to know HTTP and what a route is.

A secret is shown once and never kept: the row holds its SHA-256. 256 random bits need no slow hash, and a look-up by
hash says nothing, in its time either, about how near a guess was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec

from freehold.access.limits import Limit, parse_all
from freehold.access.names import check_name
from freehold.access.teams import Team, list_teams, pack, usable_team
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound, StoreError, Unauthenticated
from freehold.core.ids import new_id, new_secret
from freehold.store import CONFLICT, Store

PREFIX = 11
"""Characters of a secret that are kept and shown, to tell keys apart: `fh-` and 8 of 43."""

COLUMNS = "id, name, prefix, hash, team, routes, created_at, expires_at, revoked_at, limits, note"
"""Of the table, in the order of `row`."""
_CACHED = 4096
_DAY = 86_400_000_000_000
_SPANS = {"h": _DAY // 24, "d": _DAY, "w": 7 * _DAY, "y": 365 * _DAY}


class Key(msgspec.Struct, frozen=True):
    """A key, without its secret. Times are in nanoseconds since the epoch (UTC).

    `team` is a team's id; `routes` the public model names it may call, None for all; `limits` its own, followed in a
    KeyRing by its team's: all that a call with it has to keep.
    """

    id: str
    name: str
    prefix: str
    team: str | None = None
    routes: frozenset[str] | None = None
    expires_at: int | None = None
    limits: tuple[Limit, ...] = ()
    created_at: int = 0
    revoked_at: int | None = None
    note: str = ""
    limit_ids: tuple[str, ...] = ()  # of `limits`, in a KeyRing
    team_name: str = ""  # what its team is called, in a KeyRing


class KeyRing:
    """All keys in force at one moment. Never changed once built; a change in the store makes another one."""

    def __init__(self, keys: Iterable[tuple[bytes, Key]], disabled: Iterable[str] = ()) -> None:
        self._keys = dict(keys)
        self._disabled = frozenset(disabled)
        self._ids = {key.id: key for key in self._keys.values()}
        self._cache: dict[bytes, Key] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, token: bytes) -> Key:
        """Return the key whose secret is `token`; Unauthenticated says whether it is missing, unknown, revoked, expired
        or of a disabled team."""
        key = self._cache.get(token)
        if key is None:
            key = self._look(token)
        return self._timely(key)

    def by_id(self, id: str) -> Key:
        """Return the key of that id, for one who is known by other means than its secret. Unauthenticated as `find`."""
        key = self._ids.get(id)
        if key is None:
            raise Unauthenticated("this key is not known here", hint="`freehold keys list` shows the keys that exist")
        return self._timely(self._good(key))

    def _timely(self, key: Key) -> Key:
        if key.expires_at is not None and key.expires_at <= now_ns():
            raise Unauthenticated(
                f"the API key {key.prefix}... expired on {_date(key.expires_at)}",
                code="expired_api_key",
                hint="ask for a new key: `freehold keys create NAME`",
            )
        return key

    def _look(self, token: bytes) -> Key:
        """Hash `token` and keep what it names, so that it is hashed once; only good keys are kept, and not too many."""
        if not token:
            raise Unauthenticated(
                "no API key was given",
                code="missing_api_key",
                hint="send it as `Authorization: Bearer fh-...` or `api-key: fh-...`",
            )
        key = self._keys.get(sha256(token).digest())
        if key is None:
            raise Unauthenticated(
                "this API key is not known here",
                hint="check that it is whole and for this server; `freehold keys list` shows the prefixes that exist",
            )
        self._good(key)
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[token] = key
        return key

    def _good(self, key: Key) -> Key:
        if key.revoked_at is not None:
            raise Unauthenticated(
                f"the API key {key.prefix}... was revoked on {_date(key.revoked_at)}",
                code="revoked_api_key",
                hint="ask for a new key: `freehold keys create NAME`",
            )
        if key.team in self._disabled:
            raise Unauthenticated(
                f"the team of the API key {key.prefix}... is disabled",
                code="disabled_team",
                hint="ask whoever runs this server to enable the team, or for a key of another one",
            )
        return key

    def keys(self) -> list[Key]:
        """Return all keys, oldest first, each with the limits of its team."""
        return sorted(self._keys.values(), key=lambda key: key.id)


async def create(
    store: Store,
    name: str,
    *,
    team: str | None = None,
    routes: Iterable[str] | None = None,
    expires: int | None = None,
    limits: Sequence[str] = (),
    note: str = "",
) -> tuple[Key, str]:
    """Make a key and return it with its secret, which can never be had again.

    `team` is an id or a name, `expires` nanoseconds since the epoch (see `expiry`), `limits` as `limits.parse` reads
    them. Raises BadRequest when an active key has that name, NotFound for the team, ConfigError for a limit.
    """
    check_name(name, "key")
    now = now_ns()
    if expires is not None and expires <= now:
        raise BadRequest(f"the key would have expired on {_date(expires)}", param="expires", hint="name a later time")
    if routes is not None and not (routes := frozenset(routes)):
        raise BadRequest(
            "a key for no route can call nothing", param="routes", hint="name a route, or leave routes out"
        )
    found: Team | None = await usable_team(store, team) if team is not None else None
    id, secret = new_id("key"), new_secret("fh")
    key = Key(
        id, name, secret[:PREFIX], found.id if found else None, routes and frozenset(routes), expires,
        parse_all(limits, f"key:{id}"), now, None, note,
    )  # fmt: skip
    await _insert(store, key, sha256(secret.encode()).digest())
    await store.bump()
    return key, secret


def row(key: Key, hash: bytes) -> tuple[Any, ...]:
    """Return `key` as the values of `COLUMNS`; `hash` is the SHA-256 of its secret."""
    return (
        key.id, key.name, key.prefix, hash, key.team,
        msgspec.json.encode(sorted(key.routes)).decode() if key.routes is not None else None,
        key.created_at, key.expires_at, None, pack(key.limits), key.note,
    )  # fmt: skip


async def _insert(store: Store, key: Key, hash: bytes) -> None:
    values = row(key, hash)
    marks = ", ".join("?" * len(values))
    try:
        await store.write((f"INSERT INTO key({COLUMNS}) VALUES ({marks})", [values]))
    except StoreError as e:
        if e.code != CONFLICT:
            raise
        raise BadRequest(
            f"an active key is called {key.name!r} already",
            param="name",
            hint=f"choose another name, or revoke that one first: `freehold keys revoke {key.name}`",
        ) from e


async def list_keys(store: Store) -> list[Key]:
    """Return all keys, revoked and expired ones too, oldest first, each with its own limits."""
    return [_read(row)[1] for row in await store.fetch(f"SELECT {COLUMNS} FROM key ORDER BY id")]


async def count_by_team(store: Store) -> dict[str, int]:
    """Return how many keys that are in force each team (an id) has; one that has none is left out."""
    rows = await store.fetch(
        "SELECT team, COUNT(*) FROM key WHERE team IS NOT NULL AND revoked_at IS NULL "
        "AND (expires_at IS NULL OR expires_at > ?) GROUP BY team",
        now_ns(),
    )
    return {team: int(count) for team, count in rows}


async def revoke(store: Store, which: str) -> Key:
    """End a key, given by id, name or the beginning of its secret; all processes refuse it as soon as they hear of it.

    NotFound when no active key is meant, BadRequest when several are.
    """
    active = [key for key in await list_keys(store) if key.revoked_at is None]
    meant = [key for key in active if which in (key.id, key.name)]
    if not meant and len(which) > len("fh-"):
        meant = [key for key in active if key.prefix.startswith(which[:PREFIX])]
    if not meant:
        shown = f"{which[:PREFIX]}..." if which.startswith("fh-") else which  # a secret has no place in a message
        raise NotFound(f"no active key {shown!r}", hint="`freehold keys list` shows those that exist")
    if len(meant) > 1:
        names = ", ".join(key.name for key in meant)
        raise BadRequest(f"{which!r} may mean any of {names}", hint="name the one that is meant by its id")
    at = now_ns()
    await store.write(("UPDATE key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", [(at, meant[0].id)]))
    await store.bump()
    return msgspec.structs.replace(meant[0], revoked_at=at)


async def load(store: Store) -> KeyRing:
    """Return the ring of all keys in the store, each with its own limits and then those of its team."""
    teams = {team.id: team for team in await list_teams(store)}
    keys = []
    for row in await store.fetch(f"SELECT {COLUMNS} FROM key"):
        hash, key = _read(row)
        limits = key.limits + (teams[key.team].limits if key.team in teams else ())
        ids = tuple(limit.id for limit in limits)
        team_name = teams[key.team].name if key.team in teams else ""
        keys.append((hash, msgspec.structs.replace(key, limits=limits, limit_ids=ids, team_name=team_name)))
    return KeyRing(keys, (team.id for team in teams.values() if team.disabled_at is not None))


def expiry(text: str, now: int) -> int:
    """Return when a key ends (ns): `text` is a span ("90d"; h, d, w or y) from `now` (ns), a date ("2027-01-31": its
    end) or a time ("2027-01-31T12:00:00Z"), UTC unless it says otherwise. BadRequest for anything else."""
    if span := re.fullmatch(r"([0-9]{1,6})\s*([hdwy])", text.strip()):
        return now + int(span[1]) * _SPANS[span[2]]
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as e:
        raise BadRequest(
            f"not a time: {text!r}", param="expires", hint='write "90d", "2027-01-31" or "2027-01-31T12:00:00Z"'
        ) from e
    moment = int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()) * 1_000_000_000
    return moment + _DAY if re.fullmatch(r"[0-9-]+", text.strip()) else moment


def _read(row: tuple[Any, ...]) -> tuple[bytes, Key]:
    id, name, prefix, hash, team, routes, created_at, expires_at, revoked_at, limits, note = row
    allowed = frozenset(msgspec.json.decode(routes, type=list[str])) if routes is not None else None
    own = parse_all(msgspec.json.decode(limits, type=list[str]), f"key:{id}")
    return bytes(hash), Key(id, name, prefix, team, allowed, expires_at, own, created_at, revoked_at, note)


def _date(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
