"""Projects and folders: where conversations lie, with instructions and files for all in them. Knows the tree of them;
refuses to know how a conversation goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from freehold.assist import conversations, files, search, wording
from freehold.assist.files import File
from freehold.assist.owned import change
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound
from freehold.core.ids import new_id
from freehold.store import Step, Store
from freehold.wire.api import Endpoint, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

Kind = Literal["project", "folder"]
INSTRUCTIONS = 20_000
"""Characters of one's instructions."""
Gone = Callable[[Sequence[str]], Awaitable[None]]
_DEEPEST = 8
_MOST = 1_000
_COLUMNS = "id, name, parent, kind, instructions, files, created_at"


class Project(msgspec.Struct, frozen=True):
    """A project or folder. `created_at` is in milliseconds."""

    id: str
    name: str
    parent: str | None
    kind: Kind
    instructions: str
    files: list[File]
    created_at: int


class NewProject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that makes a project; `parent` is the one that it lies in."""

    name: str
    parent: str | None = None
    kind: Kind = "project"
    instructions: str = ""
    files: list[str] = []


class ProjectChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to change; what is left out stays."""

    name: str | UnsetType = UNSET
    parent: str | UnsetType | None = UNSET
    kind: Kind | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    files: list[str] | UnsetType = UNSET


class Deleting(msgspec.Struct, frozen=True):
    """The query of a deletion: what becomes of the conversations in it."""

    conversations: Literal["keep", "delete"] = "keep"


async def all_of(store: Store, member: str) -> list[Project]:
    """Return a member's projects and folders, by name."""
    rows = await store.fetch(f"SELECT {_COLUMNS} FROM project WHERE member = ?", member)
    listed = [msgspec.json.decode(row[5], type=list[str]) for row in rows]
    described = await files.describe_each(store, member, listed)
    made = [_project(row, each) for row, each in zip(rows, described, strict=True)]
    return sorted(made, key=lambda project: (project.name.casefold(), project.id))


def _project(row: Sequence[Any], listed: list[File]) -> Project:
    id, name, parent, kind, instructions, _, at = row
    return Project(id, name, parent, kind, instructions, listed, at // 1_000_000)


async def path(store: Store, member: str, project_id: str | None) -> list[tuple[str, str, list[str]]]:
    """Return (id, instructions, ids of files) of a project and what it lies in, the outermost first. A circle, which
    two changes at one moment can make, is gone through once."""
    rows = await store.fetch("SELECT id, parent, instructions, files FROM project WHERE member = ?", member)
    known = {row[0]: row for row in rows}
    found: list[tuple[str, str, list[str]]] = []
    seen: set[str] = set()
    while project_id is not None and project_id in known and project_id not in seen:
        seen.add(project_id)
        id, project_id, instructions, listed = known[project_id]
        found.append((id, instructions, msgspec.json.decode(listed, type=list[str])))
    return found[::-1]


async def instructions(store: Store, member: str, project_id: str | None) -> list[str]:
    """Return the instructions that hold in a project, those of the outermost first; empty ones are left out."""
    return [text for _, text, _ in await path(store, member, project_id) if text.strip()]


async def files_of(store: Store, member: str, project_id: str | None) -> list[str]:
    """Return the ids of the files of a project and of those that it lies in."""
    return list(dict.fromkeys(id for _, _, ids in await path(store, member, project_id) for id in ids))


class Projects:
    """The endpoints. `gone` is told which conversations were deleted along with a project: what still runs in them
    is to stop, and who follows them is to hear."""

    def __init__(self, store: Store, gone: Gone) -> None:
        self._store = store
        self._gone = gone

    def endpoints(self) -> list[Endpoint]:
        all_, one, tag = "/api/projects", "/api/projects/{id}", "projects"
        return [
            Endpoint(method="GET", path=all_, run=self._all, answer=list[Project], tag=tag,
                     summary="Your projects and folders"),
            Endpoint(method="POST", path=all_, run=self._add, body=NewProject, answer=Project, status=201, tag=tag,
                     summary="Make a project or folder"),
            Endpoint(method="PATCH", path=one, run=self._change, body=ProjectChange, answer=Project, tag=tag,
                     summary="Change a project or folder, or move it into another"),
            Endpoint(method="DELETE", path=one, run=self._delete, query=Deleting, status=204, tag=tag,
                     summary="Delete a project; what lies in it moves up, or its conversations are deleted"),
        ]  # fmt: skip

    async def _all(self, request: Request[Member]) -> list[Project]:
        return await all_of(self._store, request.who.id)

    async def _add(self, request: Request[Member]) -> Project:
        member, body = request.who.id, request.body
        ((count,),) = await self._store.fetch("SELECT COUNT(*) FROM project WHERE member = ?", member)
        if count >= _MOST:
            raise BadRequest(f"There are {count:,} projects.", code="too_many", hint="delete some first")
        id, now = new_id("proj"), now_ns()
        await self._check_parent(member, id, body.parent)
        values = (
            id, member, body.parent, wording.name(body.name), body.kind,
            wording.text(body.instructions, INSTRUCTIONS, "instructions"),
            msgspec.json.encode(await files.own(self._store, member, body.files)).decode(), now, now,
        )  # fmt: skip
        sql = """INSERT INTO project(id, member, parent, name, kind, instructions, files, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        await self._store.write((sql, [values]))
        return await self._one(member, id)

    async def _change(self, request: Request[Member]) -> Project:
        member, id, body = request.who.id, request.params["id"], request.body
        await self._one(member, id)
        new: dict[str, Any] = {}
        if body.name is not UNSET:
            new["name"] = wording.name(body.name)
        if body.kind is not UNSET:
            new["kind"] = body.kind
        if body.instructions is not UNSET:
            new["instructions"] = wording.text(body.instructions, INSTRUCTIONS, "instructions")
        if body.files is not UNSET:
            new["files"] = msgspec.json.encode(await files.own(self._store, member, body.files)).decode()
        if body.parent is not UNSET:
            await self._check_parent(member, id, body.parent)
            new["parent"] = body.parent
        await self._store.write(change("project", new, id, member))
        return await self._one(member, id)

    async def _delete(self, request: Request[Member]) -> None:
        member, id = request.who.id, request.params["id"]
        ((parent,),) = await self._row(member, id, "parent")
        steps: list[Step] = [("UPDATE project SET parent = ? WHERE parent = ? AND member = ?", [(parent, id, member)])]
        inside: list[str] = []
        if request.query.conversations == "delete":
            inside = await self._conversations(member, "project = ?", id)
        if inside:
            steps += conversations.gone(inside, id)
        steps += [
            ("UPDATE conversation SET project = NULL WHERE project = ? AND member = ?", [(id, member)]),
            ("DELETE FROM project WHERE id = ? AND member = ?", [(id, member)]),
        ]
        await search.erase(self._store, "message", *steps)
        if inside:
            left = set(await self._conversations(member, "1 = 1"))
            await self._gone([each for each in inside if each not in left])
            await search.scrub(self._store)

    async def _conversations(self, member: str, which: str, *args: str) -> list[str]:
        rows = await self._store.fetch(f"SELECT id FROM conversation WHERE member = ? AND {which}", member, *args)
        return [id for (id,) in rows]

    async def _check_parent(self, member: str, id: str, parent: str | None) -> None:
        if parent is None:
            return
        above = [each for each, _, _ in await path(self._store, member, parent)]
        if not above:
            raise NotFound(f"There is no project {parent[:64]!r}.", param="parent", hint="choose one of yours")
        if id in above:
            raise BadRequest("A project cannot lie in itself.", param="parent", hint="move the inner one out first")
        if len(above) >= _DEEPEST:
            raise BadRequest(f"Projects lie at most {_DEEPEST} deep.", param="parent", hint="choose a higher one")

    async def _row(self, member: str, id: str, columns: str) -> list[Any]:
        rows = await self._store.fetch(f"SELECT {columns} FROM project WHERE id = ? AND member = ?", id, member)
        if not rows:
            raise NotFound(f"There is no project {id[:64]!r}.", hint="GET /api/projects lists yours")
        return rows

    async def _one(self, member: str, id: str) -> Project:
        (row,) = await self._row(member, id, _COLUMNS)
        listed = await files.describe(self._store, member, msgspec.json.decode(row[5], type=list[str]))
        return _project(row, listed)
