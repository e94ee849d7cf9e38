"""Teams: names with limits that all keys of the team share. Knows their rows; refuses to know who is asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.access.limits import Limit, parse_all
from freehold.access.names import check_name
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound, StoreError
from freehold.core.ids import new_id
from freehold.store import CONFLICT, Store

_COLUMNS = "id, name, limits, created_at, disabled_at"


class Team(msgspec.Struct, frozen=True):
    """A team as it is kept. Times are in nanoseconds since the epoch (UTC)."""

    id: str
    name: str
    limits: tuple[Limit, ...] = ()
    created_at: int = 0
    disabled_at: int | None = None


async def create_team(store: Store, name: str, *, limits: Sequence[str] = ()) -> Team:
    """Make a team; `limits` as `limits.parse` reads them. BadRequest when the name is taken, ConfigError for a
    limit."""
    check_name(name, "team")
    id = new_id("team")
    team = Team(id, name, parse_all(limits, f"team:{id}"), now_ns())
    try:
        await store.write(
            (
                f"INSERT INTO team({_COLUMNS}) VALUES (?, ?, ?, ?, NULL)",
                [(id, name, pack(team.limits), team.created_at)],
            )
        )
    except StoreError as e:
        if e.code != CONFLICT:
            raise
        raise BadRequest(f"a team {name!r} exists already", hint="choose another name, or update that team") from e
    await store.bump()
    return team


async def list_teams(store: Store) -> list[Team]:
    """Return all teams, disabled ones too, oldest first."""
    return [unpack(row) for row in await store.fetch(f"SELECT {_COLUMNS} FROM team ORDER BY id")]


async def find_team(store: Store, id_or_name: str) -> Team:
    """Return the team of that id or name; NotFound when there is none."""
    rows = await store.fetch(f"SELECT {_COLUMNS} FROM team WHERE id = ? OR name = ?", id_or_name, id_or_name)
    if not rows:
        raise NotFound(f"no team {id_or_name!r}", hint="`freehold teams list` shows those that exist")
    return unpack(rows[0])


async def usable_team(store: Store, id_or_name: str) -> Team:
    """Return the team of that id or name, to put somebody into. NotFound when there is none, BadRequest when it is
    disabled."""
    team = await find_team(store, id_or_name)
    if team.disabled_at is not None:
        raise BadRequest(f"The team {team.name} is disabled.", param="team", hint="enable it first, or name another")
    return team


async def update_team(store: Store, id_or_name: str, *, limits: Sequence[str]) -> Team:
    """Give a team other limits. What was counted under a limit of the same measure and window stays counted."""
    team = await find_team(store, id_or_name)
    changed = parse_all(limits, f"team:{team.id}")
    await store.write(("UPDATE team SET limits = ? WHERE id = ?", [(pack(changed), team.id)]))
    await store.bump()
    return msgspec.structs.replace(team, limits=changed)


async def disable_team(store: Store, id_or_name: str, *, disabled: bool = True) -> Team:
    """Stop all keys of a team at once, or let them work again with `disabled=False`."""
    team = await find_team(store, id_or_name)
    at = (team.disabled_at or now_ns()) if disabled else None
    await store.write(("UPDATE team SET disabled_at = ? WHERE id = ?", [(at, team.id)]))
    await store.bump()
    return msgspec.structs.replace(team, disabled_at=at)


def pack(limits: Sequence[Limit]) -> str:
    """Return limits as they are kept: a JSON list of their written forms."""
    return msgspec.json.encode([limit.describe() for limit in limits]).decode()


def unpack(row: tuple[Any, ...]) -> Team:
    """Return the team of a row."""
    id, name, limits, created_at, disabled_at = row
    texts = msgspec.json.decode(limits, type=list[str])
    return Team(id, name, parse_all(texts, f"team:{id}"), created_at, disabled_at)
