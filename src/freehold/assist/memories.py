"""What is remembered of a member between conversations: proposed by a model, kept only as the member approves. Refuses
to know how it is put to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from freehold.assist import wording
from freehold.assist.owned import change
from freehold.assist.search import erase, words
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound
from freehold.core.ids import new_id
from freehold.store import Store
from freehold.wire.api import Endpoint, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

MOST, LENGTH = 200, 500
"""Memories of a member, and characters of one."""
_COLUMNS = "id, text, state, conversation, message, created_at"

State = Literal["proposed", "approved"]


class Memory(msgspec.Struct, frozen=True):
    """`conversation` and `message` are where it came from; None where the member wrote it. `created_at` in
    milliseconds."""

    id: str
    text: str
    state: State
    conversation: str | None
    message: str | None
    created_at: int


class NewMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class MemoryChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str | UnsetType = UNSET
    state: State | UnsetType = UNSET


def _memory(row: Any) -> Memory:
    id, text, state, conversation, message, at = row
    return Memory(id, text, state, conversation, message, at // 1_000_000)


async def all_of(store: Store, member: str) -> list[Memory]:
    """Return all memories of a member, the newest first."""
    sql = f"SELECT {_COLUMNS} FROM memory WHERE member = ? ORDER BY created_at DESC, id DESC"
    return [_memory(row) for row in await store.fetch(sql, member)]


async def approved(store: Store, member: str) -> list[str]:
    """Return what a model may be told of a member, the oldest first."""
    sql = "SELECT text FROM memory WHERE member = ? AND state = 'approved' ORDER BY created_at, id"
    return [text for (text,) in await store.fetch(sql, member)]


async def propose(store: Store, member: str, text: str, conversation: str | None, message: str | None) -> Memory | None:
    """Keep what a model would like to remember, for the member to decide. Return None where it is known already or
    there is no room. What is longer than a memory may be is cut: a model does not read refusals."""
    line = wording.sound(" ".join(text.split()))[:LENGTH].strip()
    if not words(line):
        return None
    return await _keep(store, member, line, "proposed", conversation, message)


async def _keep(
    store: Store, member: str, text: str, state: State, conversation: str | None, message: str | None
) -> Memory | None:
    there = await all_of(store, member)
    if len(there) >= MOST or any(words(memory.text) == words(text) for memory in there):
        return None
    row = (new_id("memo"), text, state, conversation, message, now_ns())
    sql = f"INSERT INTO memory({_COLUMNS}, member, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    await store.write((sql, [(*row, member, row[5])]))
    return _memory(row)


class Memories:
    """The endpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def endpoints(self) -> list[Endpoint]:
        all_, one, tag = "/api/memories", "/api/memories/{id}", "memories"
        return [
            Endpoint(method="GET", path=all_, run=self._all, answer=list[Memory], tag=tag,
                     summary="What is remembered of you, and what models would like to remember"),
            Endpoint(method="POST", path=all_, run=self._add, body=NewMemory, answer=Memory, status=201, tag=tag,
                     summary="Have something remembered"),
            Endpoint(method="PATCH", path=one, run=self._change, body=MemoryChange, answer=Memory, tag=tag,
                     summary="Approve a memory, or write it otherwise"),
            Endpoint(method="DELETE", path=one, run=self._delete, status=204, tag=tag, summary="Forget a memory"),
        ]  # fmt: skip

    async def _all(self, request: Request[Member]) -> list[Memory]:
        return await all_of(self._store, request.who.id)

    async def _add(self, request: Request[Member]) -> Memory:
        text = _line(request.body.text)
        made = await _keep(self._store, request.who.id, text, "approved", None, None)
        if made is None:
            raise BadRequest(
                f"This is remembered already, or there are {MOST} memories.",
                code="memory_full",
                param="text",
                hint="look at the list; forget what no longer holds",
            )
        return made

    async def _change(self, request: Request[Member]) -> Memory:
        member, id, body = request.who.id, request.params["id"], request.body
        new: dict[str, Any] = {}
        if body.text is not UNSET:
            new["text"] = _line(body.text)
        if body.state is not UNSET:
            new["state"] = body.state
        if not await self._store.write(change("memory", new, id, member)):
            raise _missing(id)
        (row,) = await self._store.fetch(f"SELECT {_COLUMNS} FROM memory WHERE id = ?", id)
        return _memory(row)

    async def _delete(self, request: Request[Member]) -> None:
        id = request.params["id"]
        step = ("DELETE FROM memory WHERE id = ? AND member = ?", [(id, request.who.id)])
        if not await erase(self._store, "memory", step):
            raise _missing(id)


def _line(text: str) -> str:
    line = " ".join(wording.text(text, LENGTH, "text").split())
    if not line:
        raise BadRequest("An empty memory helps nobody.", param="text", hint="write what should be remembered")
    return line


def _missing(id: str) -> NotFound:
    return NotFound(f"There is no memory {id[:64]!r}.", hint="GET /api/memories lists yours")
