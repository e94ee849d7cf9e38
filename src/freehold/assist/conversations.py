"""Conversations and messages in the store. Knows their SQL; refuses to know models, runs and events.

Every question names the member: what belongs to another one is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from freehold.assist import files, search, shapes, tree
from freehold.assist.shapes import CONVERSATION, INSERT, MESSAGE, MS, Conversation, Message, Wanted, pack
from freehold.assist.wording import sound
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound
from freehold.core.ids import new_id
from freehold.store import Store
from freehold.store.base import Step

TITLE_CHARS = 200
NAMES, NAME_CHARS = 64, 256
"""Models or tools that a conversation may name, and characters of a name."""
PAGE = 100
"""The most conversations of one answer."""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What may be changed of a conversation; what is left out stays."""

    title: str | UnsetType = UNSET
    project: str | UnsetType | None = UNSET
    assistant: str | UnsetType | None = UNSET
    leaf: str | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    tools: list[str] | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET


class Conversations:
    """The rows of `conversation` and `message`. All methods raise StoreError."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def find(self, member: str, id: str) -> Conversation:
        """Return the member's conversation. Raises NotFound."""
        rows = await self.store.fetch(
            f"SELECT {CONVERSATION} FROM conversation c WHERE c.id = ? AND c.member = ?", id, member
        )
        if not rows:
            raise NotFound("There is no such conversation.", hint="it was deleted, or the address is not whole")
        return shapes.conversation(rows[0])

    async def page(
        self,
        member: str,
        *,
        project: str | None = None,
        archived: bool = False,
        before: int | None = None,
        limit: int = 40,
    ) -> tuple[list[Conversation], bool]:
        """Return the member's newest conversations that were changed before `before` (ms), and whether there are more.
        Those of one millisecond stand on one page, so that `before` passes over none."""
        sql = f"SELECT {CONVERSATION} FROM conversation c WHERE c.member = ? AND c.archived = ?"
        args: list[Any] = [member, int(archived)]
        if project is not None:
            sql, args = sql + " AND c.project = ?", [*args, project]
        top = before * MS if before is not None else (1 << 63) - 1
        order = "ORDER BY c.updated_at DESC, c.id DESC"
        limit = min(max(limit, 1), PAGE)
        rows = await self.store.fetch(f"{sql} AND c.updated_at < ? {order} LIMIT ?", *args, top, limit + 1)
        if len(rows) <= limit:
            return [shapes.conversation(row) for row in rows], False
        rows.pop()
        least = rows[-1][11] // MS * MS
        same = await self.store.fetch(
            f"{sql} AND c.updated_at >= ? AND c.updated_at < ? {order}", *args, least, least + MS
        )
        rows = [row for row in rows if row[11] >= least + MS] + same
        older = await self.store.fetch(f"{sql} AND c.updated_at < ? {order} LIMIT 1", *args, least)
        return [shapes.conversation(row) for row in rows], bool(older)

    async def create(
        self,
        member: str,
        *,
        title: str,
        project: str | None,
        assistant: str | None,
        models: list[str],
        tools: list[str],
    ) -> Conversation:
        """Make an empty conversation."""
        await self._own(member, project)
        id, now = new_id("conv"), now_ns()
        await self.store.write(
            (
                "INSERT INTO conversation(id, member, title, project, assistant, models, tools, created_at, "
                "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        id,
                        member,
                        sound(title)[:TITLE_CHARS],
                        project,
                        assistant,
                        pack(models[:NAMES]),
                        pack(tools[:NAMES]),
                        now,
                        now,
                    )
                ],
            )
        )
        return await self.find(member, id)

    async def change(self, member: str, id: str, change: Change) -> Conversation:
        """Change what `change` states. `leaf` may be any message: the branch is shown down to its newest end."""
        await self.find(member, id)
        sets: dict[str, Any] = {}
        if change.title is not UNSET:
            sets["title"] = sound(change.title).strip()[:TITLE_CHARS]
        if change.project is not UNSET:
            await self._own(member, change.project)
            sets["project"] = change.project
        if change.assistant is not UNSET:
            sets["assistant"] = change.assistant
        if change.leaf is not UNSET:
            sets["leaf"] = await self._tip(id, change.leaf)
        for name, names in (("models", change.models), ("tools", change.tools)):
            if names is not UNSET:
                sets[name] = pack([name[:NAME_CHARS] for name in names[:NAMES]])
        for name, flag in (("pinned", change.pinned), ("archived", change.archived)):
            if flag is not UNSET:
                sets[name] = int(flag)
        if sets:
            columns = ", ".join(f"{name} = ?" for name in sets)
            await self.store.write(
                (f"UPDATE conversation SET {columns} WHERE id = ? AND member = ?", [(*sets.values(), id, member)])
            )
        return await self.find(member, id)

    async def delete(self, member: str, id: str) -> None:
        """Delete a conversation and all that was made of it: see `gone`. Raises NotFound."""
        await self.find(member, id)
        await search.erase(self.store, "message", *gone([id]))
        await search.scrub(self.store)

    async def messages(self, conversation: str) -> tuple[list[Message], list[Message]]:
        """Return the messages of the tree and those that are queued, oldest first. The caller has asked `find`."""
        rows = await self.store.fetch(
            f"SELECT {MESSAGE} FROM message WHERE conversation = ? ORDER BY created_at, id", conversation
        )
        found = [shapes.message(row) for row in rows]
        return [m for m in found if m.state != "queued"], [m for m in found if m.state == "queued"]

    async def message(self, member: str, id: str) -> Message:
        """Return one message of the member's. Raises NotFound."""
        columns = ", ".join(f"m.{name}" for name in MESSAGE.split(", "))
        rows = await self.store.fetch(
            f"SELECT {columns} FROM message m JOIN conversation c ON c.id = m.conversation "
            "WHERE m.id = ? AND c.member = ?",
            id,
            member,
        )
        if not rows:
            raise NotFound("There is no such message.", hint="it was deleted, or the address is not whole")
        return shapes.message(rows[0])

    async def queue(self, conversation: str) -> list[Message]:
        """Return the queued turns of a conversation, the next one first."""
        rows = await self.store.fetch(
            f"SELECT {MESSAGE} FROM message WHERE conversation = ? AND state = 'queued' ORDER BY created_at, id",
            conversation,
        )
        return [shapes.message(row) for row in rows]

    async def member(self, conversation: str) -> str:
        """Return whose conversation it is. Raises NotFound. Only for what is told to those who follow it already."""
        rows = await self.store.fetch("SELECT member FROM conversation WHERE id = ?", conversation)
        if not rows:
            raise NotFound("There is no such conversation.", hint="it was deleted")
        return str(rows[0][0])

    async def moved(self, conversation: str, since: int) -> set[str]:
        """Return the ids of messages that changed after `since` (ns)."""
        sql = "SELECT id FROM message WHERE conversation = ? AND updated_at > ?"
        return {row[0] for row in await self.store.fetch(sql, conversation, since)}

    async def wanted(self, message: str) -> Wanted:
        """Return what a queued turn asks for."""
        rows = await self.store.fetch("SELECT wanted FROM message WHERE id = ?", message)
        return shapes.wanted(rows[0][0]) if rows and rows[0][0] else Wanted([])

    async def files(self, member: str, ids: Sequence[str]) -> list[shapes.FilePart]:
        """Return the member's files as parts, in the order of `ids`. Raises NotFound."""
        wanted = await files.own(self.store, member, ids)
        rows = await files.readable(self.store, member, wanted, "name, media, bytes, note")
        return [
            shapes.FilePart(id, name, media, size, note=note) for id in wanted for name, media, size, note in [rows[id]]
        ]

    async def _own(self, member: str, project: str | None) -> None:
        if project is not None:
            rows = await self.store.fetch("SELECT 1 FROM project WHERE id = ? AND member = ?", project, member)
            if not rows:
                raise NotFound("There is no such project.", param="project", hint="GET /api/projects lists yours")

    async def _tip(self, conversation: str, leaf: str) -> str:
        rows = await self.store.fetch(
            "SELECT id, parent FROM message WHERE conversation = ? AND state <> 'queued' ORDER BY created_at, id",
            conversation,
        )
        nodes = [_Node(*row) for row in rows]
        if not any(node.id == leaf for node in nodes):
            raise BadRequest("This message is not of the conversation.", param="leaf", hint="load it again")
        return tree.tip(nodes, leaf)


class _Node(msgspec.Struct):
    id: str
    parent: str | None


def indexed(message: Message, member: str) -> list[Step]:
    """Return the steps that put the words of a message where they are searched, instead of what stood there of it."""
    text = search.text_of(message.parts)
    if not text:
        return []
    return [
        search.index(member, message.conversation, message.id, text),
        # Of a conversation that was deleted meanwhile nothing may come back.
        ("DELETE FROM message_search WHERE message = ? AND NOT EXISTS (SELECT 1 FROM message WHERE id = ?)",
         [(message.id, message.id)]),
    ]  # fmt: skip


def gone(conversations: Sequence[str], project: str | None = None) -> list[Step]:
    """Return the steps that delete conversations and all that was made of them: messages, words in the index, runs,
    shared copies, what they would have remembered. What the member approved stays. With `project` only those go that
    lie in it at that moment."""
    still, more = ("id = ? AND project = ?", [project]) if project is not None else ("id = ?", [])
    each = [(id, *more) for id in conversations]
    of = f"conversation IN (SELECT id FROM conversation WHERE {still})"
    return [
        # Held until all is done: none is moved away in between.
        (f"UPDATE conversation SET project = project WHERE {still}", each),
        (f"DELETE FROM message_search WHERE {of}", each),
        (f"DELETE FROM run WHERE {of}", each),
        (f"DELETE FROM message WHERE {of}", each),
        (f"DELETE FROM share WHERE {of}", each),
        (f"DELETE FROM memory WHERE state = 'proposed' AND {of}", each),
        (f"UPDATE memory SET conversation = NULL, message = NULL WHERE {of}", each),
        (f"DELETE FROM conversation WHERE {still}", each),
    ]


def inserted(message: Message, at: int, wanted: Wanted | None = None) -> Step:
    """Return the step that adds a message made at `at` (ns)."""
    return INSERT, [shapes.row(message, at, wanted)]
