"""Files of members: kept as they came, with the text in them. Knows who may read which; refuses to know what for.

A file is its member's alone. Others read it while an assistant that is shared carries it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from freehold.assist.extract import Bounds, Extractor
from freehold.assist.search import erase
from freehold.assist.wording import file_name
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound, TooLarge
from freehold.core.ids import new_id
from freehold.store import Step, Store
from freehold.wire.api import Endpoint, Raw, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

MIB = 1 << 20
_COLUMNS = "id, name, media, bytes, tokens, pages, note, created_at"
_IN_ONE = 200
"""Files of one project, assistant or turn."""


class LibrarySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one file and of all files of one member; what reading a PDF may take; the folder of temporary files,
    None for the system's."""

    file_bytes: int = 20 * MIB
    member_bytes: int = 2048 * MIB
    pdf: Bounds = Bounds()
    folder: str | None = None


class File(msgspec.Struct, frozen=True):
    """A file as its reader sees it. `tokens` is estimated, `created_at` in milliseconds."""

    id: str
    name: str
    media: str
    bytes: int
    tokens: int
    pages: int | None
    note: str
    created_at: int


class FileText(msgspec.Struct, frozen=True):
    text: str


class Named(msgspec.Struct, frozen=True):
    """The query of an upload."""

    name: str = "file"


def read(row: Sequence[Any]) -> File:
    """Return the file of a row of `id, name, media, bytes, tokens, pages, note, created_at`."""
    id, name, media, size, tokens, pages, note, at = row
    return File(id, name, media, size, tokens, pages, note, at // 1_000_000)


def insert(member: str, id: str, name: str, data: bytes, found: Any, at: int) -> Step:
    """Return the step that keeps a file; `found` is what `Extractor.read` said of it."""
    sql = f"INSERT INTO file(member, sha256, text, data, {_COLUMNS}) VALUES ({', '.join('?' * 12)})"
    digest = sha256(data).hexdigest()
    row = (member, digest, found.text, data, id, name, found.media, len(data), found.tokens, found.pages, found.note)
    return sql, [(*row, at)]


async def save(
    store: Store, extractor: Extractor, settings: LibrarySettings, member: str, name: str, data: bytes
) -> File:
    """Keep a file and return it. Raises BadRequest when it cannot be read, TooLarge when it or all of the member's
    together are more than the settings allow."""
    name = file_name(name)
    if len(data) > settings.file_bytes:
        raise TooLarge(
            f"{name} has {len(data) / MIB:.1f} MiB; {settings.file_bytes / MIB:.0f} MiB are taken.",
            code="file_too_large",
            hint="split it, or leave out what is not needed",
        )
    ((kept,),) = await store.fetch("SELECT COALESCE(SUM(bytes), 0) FROM file WHERE member = ?", member)
    if kept + len(data) > settings.member_bytes:
        raise TooLarge(
            f"Your files take {kept / MIB:.0f} of {settings.member_bytes / MIB:.0f} MiB; {name} does not fit.",
            code="files_full",
            hint="delete files that you no longer need",
        )
    found = await extractor.read(data, name)
    id, at = new_id("file"), now_ns()
    await store.write(insert(member, id, name, data, found, at))
    return File(id, name, found.media, len(data), found.tokens, found.pages, found.note, at // 1_000_000)


async def readable(
    store: Store, member: str, ids: Sequence[str], columns: str = _COLUMNS
) -> dict[str, tuple[Any, ...]]:
    """Return `columns` of those of the files that a member may read, by id: one's own, and those of assistants that
    are shared."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    if len(wanted) > _IN_ONE:
        raise BadRequest(f"{len(wanted)} files are too many at once.", hint=f"name at most {_IN_ONE}")
    marks = ", ".join("?" * len(wanted))
    rows = await store.fetch(f"SELECT id, member, {columns} FROM file WHERE id IN ({marks})", *wanted)
    foreign = {row[0] for row in rows if row[1] != member}
    if foreign:
        foreign -= await _lent(store)
    found = {row[0]: row[2:] for row in rows if row[0] not in foreign}
    return {id: found[id] for id in wanted if id in found}


async def _lent(store: Store) -> set[str]:
    rows = await store.fetch("SELECT files FROM assistant WHERE shared = 1")
    return {id for (files,) in rows for id in msgspec.json.decode(files, type=list[str])}


async def describe(store: Store, member: str, ids: Sequence[str]) -> list[File]:
    """Return those of the files that are there and readable, in the order of `ids`."""
    return [read(row) for row in (await readable(store, member, ids)).values()]


async def describe_each(store: Store, member: str, lists: Sequence[Sequence[str]]) -> list[list[File]]:
    """Return what `describe` says of each of many lists, in as few questions as will do."""
    wanted = list(dict.fromkeys(id for ids in lists for id in ids))
    known: dict[str, File] = {}
    for start in range(0, len(wanted), _IN_ONE):
        known |= {file.id: file for file in await describe(store, member, wanted[start : start + _IN_ONE])}
    return [[known[id] for id in ids if id in known] for ids in lists]


async def own(store: Store, member: str, ids: Sequence[str], besides: Sequence[str] = ()) -> list[str]:
    """Return `ids` without doubles. Raises NotFound unless each is the member's own file, or one of `besides`."""
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > _IN_ONE:
        raise BadRequest(f"{len(wanted)} files are too many.", param="files", hint=f"name at most {_IN_ONE}")
    asked = [id for id in wanted if id not in besides]
    if asked:
        marks = ", ".join("?" * len(asked))
        rows = await store.fetch(f"SELECT id FROM file WHERE member = ? AND id IN ({marks})", member, *asked)
        there = {id for (id,) in rows}
        for id in asked:
            if id not in there:
                raise _missing(id)
    return wanted


def _missing(id: str) -> NotFound:
    return NotFound(f"There is no file {id[:64]!r}.", param="files", hint="it was deleted, or is somebody else's")


class Files:
    """The endpoints."""

    def __init__(self, store: Store, settings: LibrarySettings) -> None:
        self._store = store
        self._settings = settings
        self._extractor = Extractor(settings.pdf)

    def endpoints(self) -> list[Endpoint]:
        one = "/api/files/{id}"
        tag = "files"
        return [
            Endpoint(method="POST", path="/api/files", run=self._add, query=Named, answer=File, tag=tag,
                     summary="Keep a file; its bytes are the body", status=201),
            Endpoint(method="GET", path="/api/files", run=self._all, answer=list[File], tag=tag,
                     summary="Your files, newest first"),
            Endpoint(method="GET", path=one, run=self._bytes, summary="The bytes of a file", tag=tag),
            Endpoint(method="GET", path=one + "/text", run=self._text, answer=FileText, tag=tag,
                     summary="The text that was found in a file"),
            Endpoint(method="DELETE", path=one, run=self._delete, summary="Delete a file", status=204, tag=tag),
        ]  # fmt: skip

    async def _add(self, request: Request[Member]) -> File:
        body, name = request.exchange.body, request.query.name
        return await save(self._store, self._extractor, self._settings, request.who.id, name, body)

    async def _all(self, request: Request[Member]) -> list[File]:
        sql = f"SELECT {_COLUMNS} FROM file WHERE member = ? ORDER BY created_at DESC, id DESC LIMIT 1000"
        return [read(row) for row in await self._store.fetch(sql, request.who.id)]

    async def _bytes(self, request: Request[Member]) -> Raw:
        name, media, data = await self._one(request, "name, media, data")
        return served(name, media, bytes(data))

    async def _text(self, request: Request[Member]) -> FileText:
        (text,) = await self._one(request, "text")
        return FileText(text or "")

    async def _delete(self, request: Request[Member]) -> None:
        id = request.params["id"]
        step = ("DELETE FROM file WHERE id = ? AND member = ?", [(id, request.who.id)])
        if not await erase(self._store, "file", step):
            raise _missing(id)

    async def _one(self, request: Request[Member], columns: str) -> tuple[Any, ...]:
        id = request.params["id"]
        found = await readable(self._store, request.who.id, [id], columns)
        if id not in found:
            raise _missing(id)
        return found[id]


def served(name: str, media: str, data: bytes) -> Raw:
    """Return the answer that carries a file: whatever is in it, the browser runs nothing of it in our name."""
    inline = media.startswith("image/")
    kind = "inline" if inline else "attachment"
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._- ") else "_" for sign in name)
    disposition = f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = (
        (b"content-disposition", disposition.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"private, max-age=3600"),
    )
    return Raw(data, media if inline or media == "application/pdf" else "application/octet-stream", headers)
