"""Writes a conversation as it is imported: new, or what is new in it. Knows the rows; refuses to know formats.

A conversation is known again by its source and what the source calls it, a message by what the source calls it. So an
import that was killed is run again, and a newer export adds what came since; what the member did meanwhile stays.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import msgspec

from freehold.assist import files, search
from freehold.assist.extract import Extractor
from freehold.assist.files import LibrarySettings
from freehold.assist.imports.archive import Archive
from freehold.assist.imports.report import Item, counted
from freehold.assist.imports.split import Unsound
from freehold.assist.imports.talk import Asset, Node, Said, Talk, branches, linked
from freehold.assist.shapes import Facts, FilePart, Reasoning, Text, pack
from freehold.core.clock import now_ns
from freehold.core.errors import FreeholdError, StoreError
from freehold.core.ids import new_id
from freehold.store import CONFLICT, Step, Store

TITLE_CHARS = 200
_TRIES, _PAUSE = 5, 1.0
_BATCH, _BATCH_CHARS = 64, 4_000_000
"""Conversations, and characters of them, that are written in one transaction."""
_MS = 1_000_000

_INSERT = (
    "INSERT INTO message(id, conversation, parent, role, parts, state, model, bunch, facts, error, created_at, origin, "
    "cut, source_id, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CONVERSATION = (
    "INSERT INTO conversation(id, member, title, leaf, models, tools, pinned, archived, source, source_id, created_at, "
    "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


Made = list[tuple[Node, list[Any]]]
"""Nodes with the parts that they become."""


class Kept(msgspec.Struct):
    """What is there of a conversation: ids and parts of messages by what the source calls them."""

    id: str
    leaf: str | None
    ids: dict[str, str]
    parts: dict[str, str]
    foreign: set[str]  # ids of messages that an import wrote
    times: dict[str, int]


class Writer:
    """Writes for one member. `archive` has the files that messages name; `makers` who made a source's models."""

    def __init__(
        self, store: Store, member: str, archive: Archive, library: LibrarySettings, makers: dict[str, str]
    ) -> None:
        self._store = store
        self._member = member
        self._archive = archive
        self._library = library
        self._makers = makers
        self._extractor = Extractor(library.pdf)
        self._files: dict[str, FilePart | None] = {}
        self._batch: list[tuple[Step, Step, Step]] = []
        self._batch_chars = 0
        self._batched: set[tuple[str, str]] = set()
        self.projects: dict[str, str] = {}  # conversation here -> project as the export calls it

    async def save(self, talk: Talk) -> Item:
        """Write a conversation, at the latest with `flush`, and say what came of it. Raises StoreError."""
        talk = linked(talk)
        title = talk.named()[:TITLE_CHARS]
        if not talk.nodes:
            return Item(None, title, "skipped", lost=counted(talk.lost) or ["nothing in it that could be shown"])
        if (talk.source, talk.id) in self._batched:
            await self.flush()
        kept = await self._find(talk)
        made = [(node, await self._parts(node, talk)) for node in talk.nodes]
        if kept is None:
            id = await self._insert(talk, title, made)
            return self._item(id, title, "imported", talk)
        changed = await self._add(kept, talk, made)
        return self._item(kept.id, title, "updated" if changed else "unchanged", talk)

    def _item(self, id: str, title: str, outcome: Any, talk: Talk) -> Item:
        if talk.project:
            self.projects[id] = talk.project
        return Item(id, title, outcome, len(talk.nodes), branches(talk.nodes), counted(talk.kept), counted(talk.lost))

    async def _find(self, talk: Talk) -> Kept | None:
        own = (talk.extra or {}).get("id", "")
        sql = "SELECT id, leaf FROM conversation WHERE member = ? AND ((source = ? AND source_id = ?) OR id = ?)"
        rows = await self._store.fetch(sql, self._member, talk.source, talk.id, own)
        if not rows:
            return None
        (id, leaf), *_ = rows
        kept = Kept(id, leaf, {}, {}, set(), {})
        sql = "SELECT id, source_id, parts, created_at FROM message WHERE conversation = ?"
        for message, source, parts, at in await self._store.fetch(sql, id):
            kept.ids[source or message] = message
            kept.times[message] = at
            if source:
                kept.foreign.add(message)
                kept.parts[source] = parts
        return kept

    async def _insert(self, talk: Talk, title: str, made: Made) -> str:
        """Have a new conversation written, with others in one transaction: it is the index of words that profits."""
        id, ids = new_id("conv"), {node.id: new_id("msg") for node, _ in made}
        times: dict[str, int] = {}
        rows, words = self._rows(talk, id, made, ids, times)
        extra = talk.extra or {}
        first, last = min(times.values()), max(times.values())
        conversation = (
            id, self._member, title, ids.get(talk.leaf or ""), pack(extra.get("models", [])),
            pack(extra.get("tools", [])), int(talk.pinned), int(talk.archived), talk.source, talk.id,
            talk.created_at or first, talk.updated_at or last,
        )  # fmt: skip
        self._batch.append(((_CONVERSATION, [conversation]), (_INSERT, rows), (search.INDEX, words)))
        self._batched.add((talk.source, talk.id))
        self._batch_chars += sum(len(row[4]) for row in rows)
        if self._batch_chars > _BATCH_CHARS or len(self._batch) >= _BATCH:
            await self.flush()
        return id

    async def flush(self) -> None:
        """Write what waits. Raises StoreError."""
        batch, self._batch, self._batch_chars = self._batch, [], 0
        self._batched.clear()
        if not batch:
            return
        joined = [(steps[0][0], [row for _, rows in steps for row in rows]) for steps in zip(*batch, strict=True)]
        try:
            await self._write(*joined)
        except StoreError as e:
            if e.code != CONFLICT:
                raise
            for each in batch:
                await self._write_if_new(*each)

    async def _write_if_new(self, *steps: Step) -> None:
        try:
            await self._write(*steps)
        except StoreError as e:
            if e.code != CONFLICT:  # somebody else made it in this moment, which is as good
                raise

    async def _add(self, kept: Kept, talk: Talk, made: Made) -> bool:
        """Write what a conversation that is there does not have yet; return whether there was anything."""
        fresh = [(node, parts) for node, parts in made if node.id not in kept.ids]
        ids = kept.ids | {node.id: new_id("msg") for node, _ in fresh}
        rows, words = self._rows(talk, kept.id, fresh, ids, dict(kept.times))
        steps: list[Step] = [(_INSERT, rows), (search.INDEX, words)] if rows else []
        for node, parts in made:
            before, now = kept.parts.get(node.id), pack(parts)
            if before is not None and before != now:
                message = kept.ids[node.id]
                sql = "UPDATE message SET parts = ?, updated_at = ? WHERE id = ?"
                steps.append((sql, [(now, now_ns(), message)]))
                steps.append(search.index(self._member, kept.id, message, search.text_of(parts)))
        if not steps:
            return False
        if fresh and (kept.leaf is None or kept.leaf in kept.foreign):
            leaf = ids.get(talk.leaf or "", kept.leaf)
            larger = "MAX" if self._store.engine == "sqlite" else "GREATEST"
            sql = f"UPDATE conversation SET leaf = ?, updated_at = {larger}(updated_at, ?) WHERE id = ?"
            steps.append((sql, [(leaf, talk.updated_at or now_ns(), kept.id)]))
        await self._write(*steps)
        return True

    def _rows(
        self,
        talk: Talk,
        conversation: str,
        made: Made,
        ids: dict[str, str],
        times: dict[str, int],
    ) -> tuple[list[Any], list[Any]]:
        """Return the rows of messages and of their words; `times` by message grows. A message is never older than the
        one that it follows."""
        rows, words = [], []
        start = talk.created_at or talk.updated_at or now_ns()
        for node, parts in made:
            id, parent = ids[node.id], ids.get(node.parent or "")
            floor = times.get(parent or "", 0)
            at = max(node.at or (floor + _MS if floor else start), floor + 1)
            times[id] = at
            extra = node.extra or {}
            rows.append(
                (
                    id, conversation, parent, node.role, pack(parts), extra.get("state", "done"), node.model,
                    extra.get("group"), pack(self._facts(talk, node)), pack(extra.get("error")), at,
                    extra.get("origin") or talk.source, int(node.cut), node.id, at,
                )
            )  # fmt: skip
            words.append(search.row(self._member, conversation, id, search.text_of(parts)))
        return rows, words

    def _facts(self, talk: Talk, node: Node) -> Any:
        """What is known of who answered: of a foreign answer its model's name there, and who made it."""
        if node.extra is not None:
            return node.extra["facts"]
        if node.role != "assistant":
            return None
        maker = self._makers.get(talk.source, "")
        return Facts(answered=node.model, maker=maker, seller=maker) if node.model or maker else None

    async def _parts(self, node: Node, talk: Talk) -> list[Any]:
        parts: list[Any] = []
        for part in node.parts:
            if isinstance(part, Said):
                last = parts[-1] if parts else None
                form = Text if part.kind == "text" else Reasoning
                if isinstance(last, form):
                    last.text += "\n\n" + part.text
                else:
                    parts.append(form(part.text))
            elif isinstance(part, Asset):
                parts += await self.asset(part, talk)
            else:
                parts.append(part)
        return parts

    async def asset(self, asset: Asset, talk: Talk) -> list[Any]:
        """Return the part for a file that the export has, or none, which the report says."""
        key = asset.pointer or f"sha256:{sha256(asset.data or b'').hexdigest()}"
        if key not in self._files:
            try:
                self._files[key] = await self._keep(asset)
            except (FreeholdError, Unsound) as e:
                if isinstance(e, StoreError):
                    raise
                talk.lost[f"files that could not be kept ({_why(e)})"] += 1
                return []
        found = self._files[key]
        if found is None:
            picture = asset.name.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".webp")) or not asset.name
            talk.lost["images not in the export" if picture else "files not in the export"] += 1
            return [Text(f"[{asset.name or 'An image'}: not in the export]")]
        talk.kept["images" if found.media.startswith("image/") else "files"] += 1
        mode = asset.mode or ("image" if found.media.startswith("image/") else "none")
        return [msgspec.structs.replace(found, mode=mode, note=asset.note)]

    async def _keep(self, asset: Asset) -> FilePart | None:
        """Keep a file of the export in the member's own, once; None when it is not there."""
        name, data = asset.name, asset.data
        if data is None:
            rows = await self._store.fetch(
                "SELECT id, name, media, bytes FROM file WHERE id = ? AND member = ?", asset.pointer, self._member
            )
            if rows:
                return FilePart(*rows[0])
            found = self._archive.asset(asset.pointer)
            if found is None:
                return None
            name = asset.name or found[0]
            data = await asyncio.to_thread(found[1])
        digest = sha256(data).hexdigest()
        sql = "SELECT id, name, media, bytes FROM file WHERE member = ? AND sha256 = ?"
        rows = await self._store.fetch(sql, self._member, digest)
        if rows:
            return FilePart(*rows[0])
        file = await files.save(self._store, self._extractor, self._library, self._member, name, data)
        return FilePart(file.id, file.name, file.media, file.bytes)

    async def _write(self, *steps: Step) -> None:
        """Write; a store that is busy is tried again for a while. Raises StoreError."""
        for number in range(_TRIES):
            try:
                await self._store.write(*[step for step in steps if step[1]], durable=False)
                return
            except StoreError as e:
                if e.code == CONFLICT or not e.retryable or number == _TRIES - 1:
                    raise
            await asyncio.sleep(_PAUSE * 2**number)


def _why(e: Exception) -> str:
    codes = {"file_kind": "of a kind that is not read", "file_too_large": "too large", "files_full": "no room left"}
    code = getattr(e, "code", "")
    return codes.get(code, "damaged" if isinstance(e, Unsound) or code.startswith("file_") else code)
