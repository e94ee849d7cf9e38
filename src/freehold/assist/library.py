"""Everything around conversations, as one table of endpoints: files, projects, prompts, assistants, memories, search,
export, shares. Knows which part answers what; refuses to know how a model is asked."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from freehold.assist import search
from freehold.assist.assistants import Assistants
from freehold.assist.export import (
    VERSION,
    conversation_document,
    readable_name,
    write_json,
    write_zip,
)
from freehold.assist.export_markdown import markdown
from freehold.assist.files import Files, LibrarySettings
from freehold.assist.memories import Memories
from freehold.assist.projects import Gone, Projects
from freehold.assist.prompts import Prompts
from freehold.assist.search import Hits
from freehold.assist.shares import Shares
from freehold.store import Store
from freehold.wire.api import PRIVATE, SENT, Download, Endpoint, Raw, Request

if TYPE_CHECKING:
    from freehold.access.members import Member
    from freehold.wire.exchange import Exchange

_PIECE = 262_144
_AT_ONCE = 2
"""Exports that one process of the server writes at a time."""
_MEDIA = {"json": "application/json", "zip": "application/zip", "md": "text/markdown; charset=utf-8"}


class Searching(msgspec.Struct, frozen=True):
    """The query of a search."""

    q: Annotated[str, msgspec.Meta(max_length=2000)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 30
    project: str | None = None


class One(msgspec.Struct, frozen=True):
    """The query of one conversation's export."""

    format: Literal["json", "md", "zip"] = "json"


class Account(msgspec.Struct, frozen=True):
    """The query of the export of everything."""

    format: Literal["json", "zip"] = "zip"


def endpoints(store: Store, settings: LibrarySettings | None, gone: Gone) -> list[Endpoint]:
    """Return the endpoints of the whole library; see Projects for `gone`. To be called in the process, and the loop,
    that answers them."""
    rooms = (
        Files(store, settings or LibrarySettings()),
        Projects(store, gone),
        Prompts(store),
        Assistants(store),
        Memories(store),
        Shares(store),
        Library(store, settings or LibrarySettings()),
    )
    return [endpoint for room in rooms for endpoint in room.endpoints()]


class Library:
    """The endpoints of search and export."""

    def __init__(self, store: Store, settings: LibrarySettings) -> None:
        self._store = store
        self._folder = settings.folder
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/api/search", run=self._search, query=Searching, answer=Hits, tag="search",
                     summary="Search your titles and messages: words, \"phrases\", the last word may be begun only"),
            Endpoint(method="GET", path="/api/conversations/{id}/export", run=self._one, query=One, tag="export",
                     summary="One conversation as JSON, Markdown or a ZIP"),
            Endpoint(method="GET", path="/api/export", run=self._account, query=Account, tag="export",
                     summary="Everything of yours as JSON or a ZIP"),
        ]  # fmt: skip

    async def _search(self, request: Request[Member]) -> Hits:
        query = request.query
        return await search.search(self._store, request.who.id, query.q, query.limit, query.project)

    async def _one(self, request: Request[Member]) -> Any:
        who, id, form = request.who, request.params["id"], request.query.format
        found, messages, document = await conversation_document(self._store, who.id, id)
        name = readable_name(found).removesuffix("md") + form
        if form == "zip":

            async def write(out: IO[bytes]) -> None:
                await write_zip(self._store, who, out, only=id)

            return await self._sent(request.exchange, name, form, write)
        if form == "md":
            body = markdown(found, messages).encode("utf-8", "replace")
        else:
            body = msgspec.json.encode({"format": "freehold.conversation", "version": VERSION, **document})
        return Raw(body, _MEDIA[form], (_attached(name), *PRIVATE))

    async def _account(self, request: Request[Member]) -> Any:
        who, form = request.who, request.query.format

        async def write(out: IO[bytes]) -> None:
            await (write_zip if form == "zip" else write_json)(self._store, who, out)

        return await self._sent(request.exchange, f"freehold-export.{form}", form, write)

    async def _sent(
        self, exchange: Exchange, name: str, form: str, write: Callable[[IO[bytes]], Awaitable[None]]
    ) -> Any:
        """Have `write` fill a temporary file, then send that in pieces, as fast as the client takes them."""
        async with self._turns:
            with tempfile.TemporaryFile(dir=self._folder) as out:
                await write(out)
                size = out.tell()
                out.seek(0)
                headers = [(b"content-type", _MEDIA[form].encode()), _attached(name)]
                download = Download(exchange, [*headers, (b"x-freehold-bytes", b"%d" % size)])
                while piece := await asyncio.to_thread(out.read, _PIECE):
                    await download.write(piece)
                download.end()
        return SENT


def _attached(name: str) -> tuple[bytes, bytes]:
    """`name` is of plain letters alone."""
    return b"content-disposition", f'attachment; filename="{name}"'.encode()
