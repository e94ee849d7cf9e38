"""A member's words taken out whole: as JSON, as an archive, as Markdown for people. Knows the form, which
docs/guides/library.md describes; refuses to know how it is read back.

What is large goes to a temporary file piece by piece and leaves from there, never whole in memory.
"""

from __future__ import annotations

import asyncio
import os
import re
import unicodedata
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from freehold import __version__
from freehold.assist import assistants, files, memories, projects, prompts
from freehold.assist.export_markdown import markdown
from freehold.assist.shapes import CONVERSATION, MESSAGE, Conversation, FilePart, Message
from freehold.assist.shapes import conversation as read_conversation
from freehold.assist.shapes import message as read_message
from freehold.assist.wording import file_name
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound
from freehold.core.ids import new_id
from freehold.store import Store

if TYPE_CHECKING:
    from freehold.access.members import Member

VERSION = 1
"""Of the form. A reader that knows a lower one must refuse."""

_FILE = "id, name, media, bytes, tokens, pages, note, created_at"
_STORED = ("application/pdf", "image/")
"""Media that are packed already."""


async def conversation_document(
    store: Store, member: str, id: str
) -> tuple[Conversation, list[Message], dict[str, Any]]:
    """Return a conversation, all messages of its tree, oldest first, and both as they are exported. Raises NotFound."""
    sql = f"SELECT {CONVERSATION}, c.source_id FROM conversation c WHERE c.id = ? AND c.member = ?"
    rows = await store.fetch(sql, id, member)
    if not rows:
        raise NotFound(f"There is no conversation {id[:64]!r}.", hint="it was deleted, or is somebody else's")
    found = read_conversation(rows[0][:-1])
    sql = f"SELECT {MESSAGE} FROM message WHERE conversation = ? ORDER BY created_at, id"
    messages = [read_message(row) for row in await store.fetch(sql, id)]
    facts = msgspec.to_builtins(found) | {"source_id": rows[0][-1]}
    return found, messages, {"conversation": facts, "messages": messages}


async def _ids(store: Store, member: str) -> list[str]:
    sql = "SELECT id FROM conversation WHERE member = ? ORDER BY created_at, id"
    return [id for (id,) in await store.fetch(sql, member)]


async def about(store: Store, who: Member) -> dict[str, Any]:
    """Return everything of a member but conversations and the bytes of files."""
    sql = f"SELECT sha256, {_FILE} FROM file WHERE member = ? ORDER BY created_at, id"
    kept = []
    for digest, *row in await store.fetch(sql, who.id):
        kept.append(msgspec.to_builtins(files.read(row)) | {"sha256": digest})
    return {
        "freehold": __version__,
        "exported_at": now_ns() // 1_000_000,
        "member": {"name": who.name, "display": who.display, "settings": who.settings},
        "projects": [_by_id(project) for project in await projects.all_of(store, who.id)],
        "prompts": [prompt for prompt in await prompts.all_of(store, who) if prompt.own],
        "assistants": [_by_id(each) for each in await assistants.all_of(store, who) if each.own],
        "memories": await memories.all_of(store, who.id),
        "files": kept,
    }


def _by_id(thing: Any) -> dict[str, Any]:
    """Name the files of a project or assistant by their ids: they are described once, elsewhere."""
    plain: dict[str, Any] = msgspec.to_builtins(thing)
    return plain | {"files": [file["id"] for file in plain["files"]]}


async def write_json(store: Store, who: Member, out: IO[bytes]) -> int:
    """Write everything of a member but the bytes of files as one JSON object; return how many conversations."""
    head = msgspec.json.encode({"format": "freehold.account", "version": VERSION, **await about(store, who)})
    await asyncio.to_thread(out.write, head[:-1] + b',"conversations":[')
    count = 0
    async for _, _, document in _documents(store, who.id, await _ids(store, who.id)):
        piece = msgspec.json.encode(document)
        await asyncio.to_thread(out.write, b",\n" + piece if count else b"\n" + piece)
        count += 1
    await asyncio.to_thread(out.write, b"]}\n")
    return count


async def _documents(
    store: Store, member: str, ids: Sequence[str]
) -> AsyncIterator[tuple[Conversation, list[Message], dict[str, Any]]]:
    for id in ids:
        try:
            found = await conversation_document(store, member, id)
        except NotFound:  # deleted meanwhile
            continue
        yield found


async def write_zip(store: Store, who: Member, out: IO[bytes], only: str | None = None) -> int:
    """Write an archive of everything of a member, or of one conversation and its files; return how many
    conversations. Its names depend on what is in it alone."""
    ids = await _ids(store, who.id) if only is None else [only]
    listed: list[dict[str, Any]] = []
    used: dict[str, None] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        async for found, messages, document in _documents(store, who.id, ids):
            head = {"format": "freehold.conversation", "version": VERSION}
            path, read = f"conversations/{found.id}.json", f"markdown/{readable_name(found)}"
            await _put(archive, path, msgspec.json.encode(head | document), found.updated_at)
            text = markdown(found, messages).encode("utf-8", "replace")
            await _put(archive, read, text, found.updated_at)
            listed.append(
                {"id": found.id, "title": found.title, "path": path, "markdown": read, "messages": len(messages)}
            )
            parts = (part for message in messages for part in message.parts)
            used.update(dict.fromkeys(part.file for part in parts if isinstance(part, FilePart)))
        manifest: dict[str, Any] = {"freehold": __version__}
        if only is None:
            manifest = await about(store, who)
            used = {file["id"]: None for file in manifest["files"]} | used
        kept = [await _put_file(store, who, archive, id) for id in used]
        head = {"format": "freehold.archive", "version": VERSION}
        whole = head | manifest | {"files": [file for file in kept if file is not None], "conversations": listed}
        await _put(archive, "manifest.json", msgspec.json.format(msgspec.json.encode(whole)), now_ns() // 1_000_000)
    return len(listed)


async def save(store: Store, who: Member, target: Path) -> int:
    """Write everything of a member to a file whose name ends in .zip or .json; return how many conversations. The file
    is there once it is whole, for its owner alone. Raises BadRequest when it cannot be written."""
    write = write_json if target.suffix == ".json" else write_zip
    part = target.with_name(f".{target.name}.{new_id('part')}")
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb+") as out:
            count = await write(store, who, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as e:
        hint = "name a folder that exists and is writable, on a disk with space"
        raise BadRequest(f"{target} cannot be written: {e.strerror}.", code="export_target", hint=hint) from e
    finally:
        part.unlink(missing_ok=True)
    return count


async def _put_file(store: Store, who: Member, archive: zipfile.ZipFile, id: str) -> dict[str, Any] | None:
    """Write one file that the member may read, and return what the manifest says of it."""
    rows = await files.readable(store, who.id, [id], f"sha256, data, {_FILE}")
    if id not in rows:
        return None
    digest, data, *row = rows[id]
    file = files.read(row)
    path = f"files/{file.id}/{file_name(file.name)}"
    await _put(archive, path, bytes(data), file.created_at, stored=file.media.startswith(_STORED))
    plain: dict[str, Any] = msgspec.to_builtins(file)
    return plain | {"sha256": digest, "path": path}


async def _put(archive: zipfile.ZipFile, path: str, data: bytes, at_ms: int, stored: bool = False) -> None:
    when = datetime.fromtimestamp(max(at_ms / 1000, 315_532_800), UTC)  # an archive's time begins in 1980
    info = zipfile.ZipInfo(path, when.timetuple()[:6])
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    await asyncio.to_thread(archive.writestr, info, data)


def readable_name(found: Conversation) -> str:
    """Return the name of a conversation's Markdown file: day, title, id, of plain letters alone."""
    plain = unicodedata.normalize("NFKD", found.title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-") or "conversation"
    day = datetime.fromtimestamp(max(found.created_at, 0) / 1000, UTC).strftime("%Y-%m-%d")
    return f"{day}-{slug}-{re.sub('[^A-Za-z0-9_-]', '', found.id)}.md"
