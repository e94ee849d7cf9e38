"""Keys and teams on the console: who may call, with which limits, and how far these are used. Refuses to know HTTP
beyond the table of endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from freehold import access
from freehold.access import Key, Limit, Member, Standing, Team
from freehold.console.figures import MS
from freehold.console.office import Office
from freehold.console.shapes import Named
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, ConfigError, NotFound
from freehold.core.money import show
from freehold.ledger.spent import DAY, roll
from freehold.wire.api import Endpoint, Request


class LimitShown(Struct, kw_only=True):
    """`limit` is its written form; amounts are text, ready to be shown. `share` is what is used and reserved of it,
    from 0; None for all three where it was not asked."""

    limit: str
    measure: str
    window: str
    amount: str
    used: str | None = None
    reserved: str | None = None
    share: float | None = None
    resets_in: float | None = None
    currency: str = ""


class KeyShown(Struct, kw_only=True):
    """A key without its secret. `member`: it is that person's own. `last_used` is the day."""

    id: str
    name: str
    prefix: str
    team: Named | None
    member: Named | None
    routes: list[str] | None
    limits: list[LimitShown]
    team_limits: list[LimitShown]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used: int | None
    note: str
    state: str


class NewKey(KeyShown, kw_only=True):
    """`secret` is shown this once."""

    secret: str


class Keys(Struct, frozen=True):
    """`routes` are names that a key can be given, `default_limits` those of one that is made without its own."""

    keys: list[KeyShown]
    routes: list[str]
    default_limits: list[str]


class TeamShown(Struct, kw_only=True):
    id: str
    name: str
    limits: list[LimitShown]
    keys: int
    members: int
    created_at: int
    disabled_at: int | None


class Teams(Struct, frozen=True):
    teams: list[TeamShown]


class KeysQuery(Struct, frozen=True):
    all: bool = False  # revoked and expired ones too


class KeyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`limits` in their written form, the default ones where the member is absent; `routes` null for all; `expires`:
    90d, a date or a time."""

    name: str
    team: str | None = None
    routes: list[str] | None = None
    limits: list[str] | None = None
    expires: str | None = None
    note: str = ""


class TeamBody(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    limits: list[str] = []


class TeamChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is absent stays."""

    limits: list[str] | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class LimitsBody(Struct, frozen=True, forbid_unknown_fields=True):
    limits: list[str]


class LimitsShown(Struct, frozen=True):
    limits: list[LimitShown]


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""
    desk = _Keys(office)
    keys, teams = "/api/admin/keys", "/api/admin/teams"
    read = partial(Endpoint, access="auditor", tag="console")
    change = partial(Endpoint, access="admin", tag="console")
    return [
        read(method="GET", path=keys, run=desk.keys, summary="Keys, without secrets", query=KeysQuery, answer=Keys),
        change(
            method="POST",
            path=keys,
            run=desk.create_key,
            summary="Make a key; its secret is in this answer alone",
            body=KeyBody,
            answer=NewKey,
            status=201,
        ),
        change(method="DELETE", path=f"{keys}/{{id}}", run=desk.revoke, summary="End a key at once", answer=KeyShown),
        read(method="GET", path=teams, run=desk.teams, summary="Teams and what they used", answer=Teams),
        change(
            method="POST",
            path=teams,
            run=desk.create_team,
            summary="Make a team",
            body=TeamBody,
            answer=TeamShown,
            status=201,
        ),
        change(
            method="PATCH",
            path=f"{teams}/{{id}}",
            run=desk.change_team,
            summary="Give a team other limits, stop its keys or let them work again",
            body=TeamChange,
            answer=TeamShown,
        ),
        read(
            method="POST",
            path="/api/admin/limits",
            run=desk.read_limits,
            summary="Read limits in their written form; nothing is kept",
            body=LimitsBody,
            answer=LimitsShown,
        ),
    ]


class _Keys:
    def __init__(self, office: Office) -> None:
        self._office = office

    async def keys(self, request: Request[Member]) -> Keys:
        store = self._office.store
        teams = {team.id: team for team in await access.list_teams(store)}
        people, used = await self._office.people(), await self._last_used()
        shown = []
        for key in await access.list_keys(store):
            if request.query.all or _state(key, teams) in ("active", "team_disabled"):
                shown.append(await self._key(key, teams, people, used))
        return Keys(shown, sorted(self._office.pipeline.snapshot.table.routes), list(self._office.default_limits()))

    async def create_key(self, request: Request[Member]) -> NewKey:
        office, body = self._office, request.body
        self._check_routes(body.routes)
        expires = access.expiry(body.expires, now_ns()) if body.expires else None
        limits = body.limits if body.limits is not None else list(self._office.default_limits())
        _read(limits)
        key, secret = await access.create(
            office.store, body.name, team=body.team, routes=body.routes, expires=expires, limits=limits, note=body.note
        )
        await office.note(
            request.who, "key.create", key=key.id, name=key.name, team=key.team, limits=limits, routes=body.routes
        )
        shown = await self._one(key)
        return NewKey(**{name: getattr(shown, name) for name in shown.__struct_fields__}, secret=secret)

    async def revoke(self, request: Request[Member]) -> KeyShown:
        office, id = self._office, request.params["id"]
        person = (await office.people()).get(id)
        if person is not None:
            raise BadRequest(
                f"This key is {person.name}'s own.",
                code="key_of_member",
                hint="disable that member: the key ends with it",
            )
        if id not in {key.id for key in await access.list_keys(office.store) if key.revoked_at is None}:
            raise NotFound(
                f"No active key has the id {id[:64]!r}.", hint="the list of keys shows those that are in force"
            )
        key = await access.revoke(office.store, id)
        await office.note(request.who, "key.revoke", key=key.id, name=key.name)
        return await self._one(key)

    async def teams(self, request: Request[Member]) -> Teams:
        return Teams(await self._teams(await access.list_teams(self._office.store)))

    async def create_team(self, request: Request[Member]) -> TeamShown:
        body = request.body
        _read(body.limits)
        team = await access.create_team(self._office.store, body.name, limits=body.limits)
        await self._office.note(request.who, "team.create", team=team.id, name=team.name, limits=body.limits)
        (shown,) = await self._teams([team])
        return shown

    async def change_team(self, request: Request[Member]) -> TeamShown:
        store, body = self._office.store, request.body
        if body.limits is UNSET and body.disabled is UNSET:
            raise BadRequest("Nothing is to be changed.", hint="give limits, disabled or both")
        team = await access.find_team(store, request.params["id"])
        if body.limits is not UNSET:
            _read(body.limits)
            team = await access.update_team(store, team.id, limits=body.limits)
        if body.disabled is not UNSET:
            team = await access.disable_team(store, team.id, disabled=body.disabled)
        limits = [limit.describe() for limit in team.limits]
        disabled = team.disabled_at is not None
        await self._office.note(request.who, "team.set", team=team.id, name=team.name, limits=limits, disabled=disabled)
        (shown,) = await self._teams([team])
        return shown

    async def read_limits(self, request: Request[Member]) -> LimitsShown:
        return LimitsShown([_shown(limit, None) for limit in _read(request.body.limits)])

    # -- putting together ------------------------------------------------------------------------------------------

    async def _one(self, key: Key) -> KeyShown:
        teams = {team.id: team for team in await access.list_teams(self._office.store)}
        return await self._key(key, teams, await self._office.people(), await self._last_used())

    async def _key(self, key: Key, teams: dict[str, Team], people: dict[str, Member], used: dict[str, int]) -> KeyShown:
        team, person, state = teams.get(key.team or ""), people.get(key.id), _state(key, teams)
        counted = state in ("active", "team_disabled")  # others take room in the meter that nobody frees
        return KeyShown(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            team=Named(team.id, team.name) if team is not None else None,
            member=Named(person.id, person.display) if person is not None else None,
            routes=sorted(key.routes) if key.routes is not None else None,
            limits=await self._limits(key.limits, counted),
            team_limits=await self._limits(team.limits if team is not None else (), counted),
            created_at=key.created_at // MS,
            expires_at=key.expires_at // MS if key.expires_at is not None else None,
            revoked_at=key.revoked_at // MS if key.revoked_at is not None else None,
            last_used=used.get(key.id),
            note=key.note,
            state=state,
        )

    async def _teams(self, teams: Sequence[Team]) -> list[TeamShown]:
        store = self._office.store
        in_force, people = await access.keys.count_by_team(store), await access.members.count_by_team(store)
        return [
            TeamShown(
                id=team.id,
                name=team.name,
                limits=await self._limits(team.limits, True),
                keys=in_force.get(team.id, 0),
                members=people.get(team.id, 0),
                created_at=team.created_at // MS,
                disabled_at=team.disabled_at // MS if team.disabled_at is not None else None,
            )
            for team in teams
        ]

    async def _limits(self, limits: Sequence[Limit], counted: bool) -> list[LimitShown]:
        return [_shown(limit, await self._office.standing(limit) if counted else None) for limit in limits]

    async def _last_used(self) -> dict[str, int]:
        """Return the day (ms) on which each key was last used."""
        await roll(self._office.store)
        rows = await self._office.store.fetch("SELECT key, MAX(day) FROM spent GROUP BY key")
        return {key: int(day) * DAY // MS for key, day in rows}

    def _check_routes(self, routes: list[str] | None) -> None:
        known = self._office.pipeline.snapshot.table.routes
        for name in routes or ():
            if name not in known and not (name.endswith("/*") and name[:-2] in known):
                raise BadRequest(
                    f"There is no route {name[:100]!r}.", param="routes", hint="the list of routes has the names"
                )


def _read(limits: Sequence[str]) -> tuple[Limit, ...]:
    """Return limits that somebody wrote. Raises BadRequest: no file is wrong."""
    try:
        return access.parse_all(limits, "key:new")
    except ConfigError as e:
        raise BadRequest(e.message[:1].upper() + e.message[1:] + ".", param="limits", hint=e.hint) from e


def _state(key: Key, teams: dict[str, Team]) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now_ns():
        return "expired"
    team = teams.get(key.team or "")
    return "team_disabled" if team is not None and team.disabled_at is not None else "active"


def _shown(limit: Limit, standing: Standing | None) -> LimitShown:
    def said(amount: int) -> str:
        return show(amount, "").strip() if limit.measure == "money" else str(amount)

    shown = LimitShown(
        limit=limit.describe(),
        measure=limit.measure,
        window=limit.window,
        amount=said(limit.amount),
        currency=limit.currency,
    )
    if standing is not None:
        taken: Any = standing.used + standing.reserved
        shown.used, shown.reserved = said(standing.used), said(standing.reserved)
        shown.share = round(taken / limit.amount, 4) if limit.amount else 1.0
        shown.resets_in = round(standing.resets_in, 1) if standing.resets_in is not None else None
    return shown
