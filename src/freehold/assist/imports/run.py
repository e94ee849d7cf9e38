"""One import from beginning to end: reads what is in a file, has it written, reports. Refuses to know who started it,
and where it runs: in a process of its own for the page, in the command's for the command line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from freehold.assist.files import LibrarySettings
from freehold.assist.imports import chatgpt, claude, librechat, openwebui, own
from freehold.assist.imports.archive import Archive, Source, no_export
from freehold.assist.imports.belongings import Belongings
from freehold.assist.imports.report import Item, Keeper, Report
from freehold.assist.imports.split import Piece, Unsound
from freehold.assist.imports.talk import NotRead
from freehold.assist.imports.write import Writer
from freehold.core.clock import tick
from freehold.store import Store

READERS: tuple[ModuleType, ...] = (own, chatgpt, claude, openwebui, librechat)
"""In the order in which they are asked whether a value is a conversation of theirs."""
_STRANGERS = 3  # so many values that are no conversations, and a file is not read any further
_TELL_SECONDS = 0.5
_LIKELY = re.compile(r"(^|/)conversations[^/]*\.json$")
_TITLE = re.compile(rb'"(?:title|name)"\s*:\s*"((?:[^"\\]|\\.){1,200})"')

Progress = Callable[[str, int, int], Awaitable[None]]
"""Called now and then with the source, how many conversations are done, and about how many there are."""


class Imported(msgspec.Struct):
    """What came of it: `sources` are the kinds that were found, e.g. "chatgpt"."""

    sources: list[str]
    report: Report


async def run(store: Store, member: str, path: Path, library: LibrarySettings, progress: Progress) -> Imported:
    """Import a file for a member. Raises BadRequest for a file that is no export, StoreError, and whatever `progress`
    raises, to end it; what was imported by then stays."""
    archive = await asyncio.to_thread(Archive.open, path)
    with archive:
        return await _Run(store, member, archive, library, progress).all()


class _Run:
    def __init__(
        self, store: Store, member: str, archive: Archive, library: LibrarySettings, progress: Progress
    ) -> None:
        makers = {reader.SOURCE: reader.MAKER for reader in READERS}
        self._writer = Writer(store, member, archive, library, makers)
        self._belongings = Belongings(store, member, self._writer)
        self._archive = archive
        self._progress = progress
        self._keeper = Keeper()
        self._sources: dict[str, None] = {}
        self._seen: set[tuple[str, str]] = set()
        self._size = max(archive.size, 1)
        self._told = tick()
        self._why = ""

    async def all(self) -> Imported:
        for source in self._archive.sources():
            await self._source(source)
        await self._writer.flush()
        await self._belongings.finish()
        if not self._sources and not self._belongings.count:
            raise no_export(self._nothing())
        await self._tell(last=True)
        return Imported(list(self._sources), self._keeper.report())

    def _nothing(self) -> str:
        if self._archive.locked:
            return "The archive is locked by a password; unpack it, and import its conversations*.json"
        if self._archive.nested:
            return "There is no conversation in it, but another archive; unpack it, and import that one"
        return "There is no conversation in it that can be read" + (f": {self._why}" if self._why else "")

    async def _source(self, source: Source) -> None:
        """Read one JSON text. What is no conversation is passed over, unless there are conversations around it."""
        found = strangers = 0
        bad: list[Item] = []
        try:
            for piece in self._archive.pieces(source):
                taken = await self._piece(piece, bad, outer=piece.outer)
                found += taken
                strangers += not taken
                if not found and strangers >= _STRANGERS:
                    break
                await self._tell()
        except Unsound as e:
            bad.append(Item(None, source.name, "failed", lost=[f"the rest of this file: {e}"]))
        if found or (bad and _LIKELY.search(source.name)):
            for item in bad:
                self._keeper.add(item)
        if bad:
            self._why = self._why or f"{bad[0].title}: {bad[0].lost[0]}"

    async def _piece(self, piece: Piece, bad: list[Item], outer: bool) -> bool:
        """Import one value; return whether it was a conversation, or something else that belongs to one's own."""
        if piece.data is None:
            bad.append(Item(None, "A conversation", "failed", lost=["it is too long to be read"]))
            return False
        try:
            value = decode(piece.data)
        except ValueError as e:
            bad.append(Item(None, _title(piece.data), "failed", lost=[str(e)]))
            return False
        if not isinstance(value, dict):
            return False
        reader = next((each for each in READERS if each.is_one(value)), None)
        if reader is None and value.keys() >= {"id", "path", "markdown"}:
            return True  # a line of the list of contents in our own archives
        if reader is None:
            taken = await self._belongings.take(value)
            if not taken and not outer:
                bad.append(Item(None, _title(piece.data), "failed", lost=["it is no conversation that is known here"]))
            return taken
        try:
            talk = reader.read(value)
        except NotRead as e:
            bad.append(Item(None, _title(piece.data), "failed", lost=[str(e)]))
            return True
        del value
        self._sources[reader.SOURCE] = None
        item = await self._writer.save(talk)
        if item.outcome != "unchanged" or (talk.source, talk.id) not in self._seen:
            self._keeper.add(item)
        self._seen.add((talk.source, talk.id))
        return True

    async def _tell(self, last: bool = False) -> None:
        now = tick()
        if not last and now - self._told < _TELL_SECONDS:
            return
        self._told = now
        done = self._keeper.count
        read = min(self._archive.read, self._size)
        about = done if last or not read else max(round(done * self._size / read), done)
        await self._progress(next(iter(self._sources), ""), done, about)


def decode(data: bytes) -> Any:
    """Return the value; lone halves of characters, bytes that are no UTF-8 and numbers beyond reason are put up with.
    Raises ValueError, in words, when it is no JSON or nests too deeply."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    except ValueError as e:
        raise ValueError(f"it is no sound JSON: {e}") from None


def _title(data: bytes) -> str:
    """Return what a value that cannot be read may be called."""
    found = _TITLE.search(data[:65536])
    try:
        return str(json.loads(b'"' + found[1] + b'"'))[:200].encode("utf-8", "replace").decode() if found else "?"
    except ValueError:
        return "?"
