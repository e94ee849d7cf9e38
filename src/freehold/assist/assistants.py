"""Assistants: instructions, files, tools, the models allowed and lines to begin with, under one name. Knows who may use
and change one; refuses to know how it is talked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from freehold.assist import files, wording
from freehold.assist.files import File
from freehold.assist.owned import change, may_change
from freehold.assist.projects import INSTRUCTIONS
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, Forbidden, NotFound
from freehold.core.ids import new_id
from freehold.store import Store
from freehold.wire.api import Endpoint, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

_COLUMNS = "id, member, name, description, instructions, files, tools, models, starters, shared"
_NAMES, _STARTERS, _MOST = 50, 8, 500


class Assistant(msgspec.Struct, frozen=True):
    """An assistant. `tools` are names of tool servers, `models` of routes (none: all are allowed)."""

    id: str
    name: str
    description: str
    instructions: str
    files: list[File]
    tools: list[str]
    models: list[str]
    starters: list[str]
    shared: bool
    own: bool


class NewAssistant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str = ""
    instructions: str = ""
    files: list[str] = []
    tools: list[str] = []
    models: list[str] = []
    starters: list[str] = []
    shared: bool = False


class AssistantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to change; what is left out stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    files: list[str] | UnsetType = UNSET
    tools: list[str] | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    starters: list[str] | UnsetType = UNSET
    shared: bool | UnsetType = UNSET


async def find_assistant(store: Store, who: Member, id: str) -> Assistant:
    """Return an assistant that is the member's own or shared. Raises NotFound for any other."""
    (found,) = await _full(store, [await _row(store, who, id)], who)
    return found


async def all_of(store: Store, who: Member) -> list[Assistant]:
    """Return a member's own assistants and the shared ones, by name."""
    rows = await store.fetch(f"SELECT {_COLUMNS} FROM assistant WHERE member = ? OR shared = 1", who.id)
    return sorted(await _full(store, rows, who), key=lambda assistant: (assistant.name.casefold(), assistant.id))


async def _row(store: Store, who: Member, id: str) -> Sequence[Any]:
    sql = f"SELECT {_COLUMNS} FROM assistant WHERE id = ? AND (member = ? OR shared = 1)"
    rows = await store.fetch(sql, id, who.id)
    if not rows:
        raise NotFound(
            f"There is no assistant {id[:64]!r}.", param="assistant", hint="it was deleted, or is not shared any more"
        )
    return rows[0]


async def _full(store: Store, rows: Sequence[Sequence[Any]], who: Member) -> list[Assistant]:
    described = await files.describe_each(store, who.id, [_list(row[5]) for row in rows])
    return [
        Assistant(
            id, name, description, instructions, listed, _list(tools), _list(models), _list(starters), bool(shared),
            member == who.id,
        )
        for (id, member, name, description, instructions, _, tools, models, starters, shared), listed in zip(
            rows, described, strict=True
        )
    ]  # fmt: skip


def _list(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


class Assistants:
    """The endpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def endpoints(self) -> list[Endpoint]:
        all_, one, tag = "/api/assistants", "/api/assistants/{id}", "assistants"
        return [
            Endpoint(method="GET", path=all_, run=self._all, answer=list[Assistant], tag=tag,
                     summary="Your assistants and the shared ones"),
            Endpoint(method="GET", path=one, run=self._get, answer=Assistant, tag=tag, summary="One assistant"),
            Endpoint(method="POST", path=all_, run=self._add, body=NewAssistant, answer=Assistant, status=201, tag=tag,
                     summary="Make an assistant"),
            Endpoint(method="PATCH", path=one, run=self._change, body=AssistantChange, answer=Assistant, tag=tag,
                     summary="Change an assistant"),
            Endpoint(method="DELETE", path=one, run=self._delete, status=204, tag=tag, summary="Delete an assistant"),
        ]  # fmt: skip

    async def _all(self, request: Request[Member]) -> list[Assistant]:
        return await all_of(self._store, request.who)

    async def _get(self, request: Request[Member]) -> Assistant:
        return await find_assistant(self._store, request.who, request.params["id"])

    async def _add(self, request: Request[Member]) -> Assistant:
        who, id, now = request.who, new_id("asst"), now_ns()
        ((count,),) = await self._store.fetch("SELECT COUNT(*) FROM assistant WHERE member = ?", who.id)
        if count >= _MOST:
            raise BadRequest(f"There are {count:,} assistants.", code="too_many", hint="delete some first")
        new = await self._checked(request.body, who, [])
        columns = ["id", "member", "created_at", "updated_at", *new]
        sql = f"INSERT INTO assistant({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        await self._store.write((sql, [(id, who.id, now, now, *new.values())]))
        return await find_assistant(self._store, who, id)

    async def _change(self, request: Request[Member]) -> Assistant:
        who, id = request.who, request.params["id"]
        row = await self._changeable(who, id)
        new = await self._checked(request.body, who, _list(row[5]))
        await self._store.write(change("assistant", new, id, None))
        if row[1] != who.id and new.get("shared") == 0:  # an admin took somebody else's back: it is theirs alone now
            (found,) = await _full(self._store, [[*row[:9], 0]], who)
            return found
        return await find_assistant(self._store, who, id)

    async def _delete(self, request: Request[Member]) -> None:
        id = request.params["id"]
        await self._changeable(request.who, id)
        await self._store.write(
            ("UPDATE conversation SET assistant = NULL WHERE assistant = ?", [(id,)]),
            ("DELETE FROM assistant WHERE id = ?", [(id,)]),
        )

    async def _changeable(self, who: Member, id: str) -> Sequence[Any]:
        row = await _row(self._store, who, id)
        if not may_change(row[1], bool(row[9]), who):
            raise Forbidden(
                "This assistant is somebody else's.", code="not_yours", hint="make a copy of it and change that"
            )
        return row

    async def _checked(self, body: Any, who: Member, there: Sequence[str]) -> dict[str, Any]:
        """Return the columns that a body sets. Files must be one's own, or lie in the assistant already."""
        new: dict[str, Any] = {}
        if body.name is not UNSET:
            new["name"] = wording.name(body.name)
        if body.description is not UNSET:
            new["description"] = wording.text(body.description, 1_000, "description")
        if body.instructions is not UNSET:
            new["instructions"] = wording.text(body.instructions, INSTRUCTIONS, "instructions")
        if body.files is not UNSET:
            new["files"] = await files.own(self._store, who.id, body.files, there)
        for field in ("tools", "models"):
            if getattr(body, field) is not UNSET:
                new[field] = _names(getattr(body, field), field)
        if body.starters is not UNSET:
            lines = [wording.text(line.strip(), 500, "starters") for line in body.starters if line.strip()]
            if len(lines) > _STARTERS:
                raise BadRequest(f"At most {_STARTERS} lines to begin with.", param="starters", hint="leave some out")
            new["starters"] = lines
        if body.shared is not UNSET:
            new["shared"] = int(body.shared)
        return {name: msgspec.json.encode(v).decode() if isinstance(v, list) else v for name, v in new.items()}


def _names(given: Sequence[str], field: str) -> list[str]:
    """Names are not looked up here: a model or tool that is away today may be back tomorrow."""
    names = list(dict.fromkeys(wording.name(each, field) for each in given))
    if len(names) > _NAMES:
        raise BadRequest(f"At most {_NAMES} {field}.", param=field, hint="leave some out; none at all means every one")
    return names
