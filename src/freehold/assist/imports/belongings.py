"""What stands around conversations in an export: our own projects, prompts, assistants, memories; Claude's projects.
Knows how each is found again, so that twice makes no doubles; refuses to touch what is there."""

from __future__ import annotations

from typing import Any

from freehold.assist.imports.talk import Asset, Talk, listed, name, table, text
from freehold.assist.imports.write import Writer
from freehold.assist.projects import INSTRUCTIONS
from freehold.assist.shapes import FilePart, pack
from freehold.core.clock import now_ns
from freehold.core.ids import new_id
from freehold.store import Store

_MOST = 1000
"""Of each kind."""


class Belongings:
    """Fed with `take`, written by `finish`, once the conversations are there that lie in projects."""

    def __init__(self, store: Store, member: str, writer: Writer) -> None:
        self._store = store
        self._member = member
        self._writer = writer
        self._accounts: list[dict[str, Any]] = []
        self._claude: list[dict[str, Any]] = []
        self.count = 0

    async def take(self, value: dict[str, Any]) -> bool:
        """Keep `value` for `finish` when it is something that belongs to an account."""
        form = value.get("format")
        if form in ("freehold.account", "freehold.archive"):
            self._accounts.append(value)
            return True
        if isinstance(value.get("docs"), list) and "prompt_template" in value and name(value.get("uuid")):
            self._claude.append(value)
            return len(self._claude) <= _MOST
        return False

    async def finish(self) -> None:
        """Write what was taken. Raises StoreError."""
        for account in self._accounts:
            await self._projects(account)
            await self._prompts(account)
            await self._assistants(account)
            await self._memories(account)
        known: dict[str, str] = {}
        for project in self._claude[:_MOST]:
            docs = [
                Asset("", name(doc.get("filename")) or "document.txt", text(doc.get("content")).encode())
                for doc in map(table, listed(project.get("docs")))
                if text(doc.get("content")).strip()
            ]
            known[name(project.get("uuid"))] = await self._project(
                name(project.get("name")) or "Project", None, "project", text(project.get("prompt_template")), docs
            )
        await self._place(known)

    async def _projects(self, account: dict[str, Any]) -> None:
        waiting = {name(each.get("id")): each for each in map(table, listed(account.get("projects"))[:_MOST])}
        known: dict[str, str] = {}
        while waiting:
            ready = [id for id, each in waiting.items() if name(each.get("parent")) not in waiting]
            for id in ready or list(waiting):  # those in a circle lie nowhere
                each = waiting.pop(id)
                files = [Asset(name(file)) for file in listed(each.get("files")) if name(file)]
                known[id] = await self._project(
                    name(each.get("name")) or "Project",
                    known.get(name(each.get("parent"))),
                    "folder" if each.get("kind") == "folder" else "project",
                    text(each.get("instructions")),
                    files,
                )
        await self._place(known)

    async def _project(self, called: str, parent: str | None, kind: str, instructions: str, files: list[Asset]) -> str:
        """Return the id of the project of that name in `parent`, made where there is none."""
        sql = "SELECT id, parent FROM project WHERE member = ? AND name = ? AND kind = ?"
        for id, above in await self._store.fetch(sql, self._member, called, kind):
            if above == parent:
                return str(id)
        id, now = new_id("proj"), now_ns()
        kept = [file.file for file in await self._files(files)]
        row = (id, self._member, parent, called, kind, instructions[:INSTRUCTIONS], pack(kept), now, now)
        sql = """INSERT INTO project(id, member, parent, name, kind, instructions, files, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        await self._store.write((sql, [row]))
        self.count += 1
        return id

    async def _files(self, assets: list[Asset]) -> list[FilePart]:
        talk = Talk("", "", "")
        found = [part for asset in assets for part in await self._writer.asset(asset, talk)]
        return [part for part in found if isinstance(part, FilePart)]

    async def _place(self, known: dict[str, str]) -> None:
        """Put the conversations that lie nowhere yet into their projects."""
        rows = [
            (known[project], conversation, self._member)
            for conversation, project in self._writer.projects.items()
            if project in known
        ]
        if rows:
            sql = "UPDATE conversation SET project = ? WHERE id = ? AND member = ? AND project IS NULL"
            await self._store.write((sql, rows))

    async def _prompts(self, account: dict[str, Any]) -> None:
        for each in map(table, listed(account.get("prompts"))[:_MOST]):
            called, said = name(each.get("name")), text(each.get("text"))[:50_000]
            sql = "SELECT id FROM prompt WHERE member = ? AND name = ? AND text = ?"
            if called and said and not await self._store.fetch(sql, self._member, called, said):
                now = now_ns()
                sql = """INSERT INTO prompt(id, member, name, text, shared, created_at, updated_at)
                    VALUES (?, ?, ?, ?, 0, ?, ?)"""
                await self._store.write((sql, [(new_id("prompt"), self._member, called, said, now, now)]))
                self.count += 1

    async def _assistants(self, account: dict[str, Any]) -> None:
        for each in map(table, listed(account.get("assistants"))[:_MOST]):
            called, said = name(each.get("name")), text(each.get("instructions"))[:INSTRUCTIONS]
            sql = "SELECT id FROM assistant WHERE member = ? AND name = ? AND instructions = ?"
            if not called or await self._store.fetch(sql, self._member, called, said):
                continue
            files = [Asset(name(file)) for file in listed(each.get("files")) if name(file)]
            now = now_ns()
            row = (
                new_id("asst"), self._member, called, text(each.get("description"))[:2000], said,
                pack([file.file for file in await self._files(files)]), _names(each, "tools"), _names(each, "models"),
                _names(each, "starters"), now, now,
            )  # fmt: skip
            sql = """INSERT INTO assistant(id, member, name, description, instructions, files, tools, models, starters,
                shared, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)"""
            await self._store.write((sql, [row]))
            self.count += 1

    async def _memories(self, account: dict[str, Any]) -> None:
        """What was approved elsewhere is only proposed here: it was approved by whoever wrote the file."""
        there = {said for (said,) in await self._store.fetch("SELECT text FROM memory WHERE member = ?", self._member)}
        for each in map(table, listed(account.get("memories"))[:200]):
            said = " ".join(text(each.get("text")).split())[:500]
            if said and said not in there and len(there) < 200:
                there.add(said)
                now = now_ns()
                sql = """INSERT INTO memory(id, member, text, state, created_at, updated_at)
                    VALUES (?, ?, ?, 'proposed', ?, ?)"""
                await self._store.write((sql, [(new_id("memo"), self._member, said, now, now)]))
                self.count += 1


def _names(assistant: dict[str, Any], key: str) -> str | None:
    return pack([found for value in listed(assistant.get(key))[:50] if (found := name(value))])
