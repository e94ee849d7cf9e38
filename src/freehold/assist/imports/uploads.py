"""The endpoints of imports: a file comes in parts, is read by a process of its own, and is gone afterwards. Knows
folders and processes; refuses to know what is in the file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from freehold.assist.files import LibrarySettings
from freehold.assist.imports import states
from freehold.assist.imports.states import Import, Task
from freehold.assist.wording import file_name
from freehold.core.errors import BadRequest, FreeholdError, NotFound, OverLimit, StoreError, TooLarge
from freehold.core.ids import new_id
from freehold.store import Store
from freehold.wire.api import Endpoint, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

log = logging.getLogger("freehold.imports")

PART_BYTES = 8 * 1024 * 1024
FILE_BYTES = 16 * 1024**3
"""The largest file."""
KEPT_SECONDS = 24 * 3600
"""A file that was not imported to its end is kept so long."""
WAITING, SHOWN = 3, 20
"""So many files of a member may wait to be imported; so many imports are listed."""
AT_ONCE = 2
"""So many imports are done at once by one process of the server; the next has to wait."""
_SPARE_BYTES = 512 * 1024 * 1024  # stay free on the disk


class NewImport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file to come: its name, for people, and its size in bytes."""

    name: str
    bytes: int


class Offset(msgspec.Struct, frozen=True):
    """Where a part begins."""

    offset: int = 0


class Imports:
    """Made once in each worker. `folder` is the imports' own, below the data folder; `url` the store's, for the process
    that reads."""

    def __init__(self, store: Store, url: str, folder: Path, library: LibrarySettings | None = None) -> None:
        self._store = store
        self._url = url
        self._folder = folder
        self._library = library or LibrarySettings()
        self._holder = new_id("imports")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}

    def endpoints(self) -> list[Endpoint]:
        all_, one, tag = "/api/imports", "/api/imports/{id}", "imports"
        return [
            Endpoint(method="GET", path=all_, run=self._all, answer=list[Import], tag=tag,
                     summary="Your imports, the newest first, without their reports"),
            Endpoint(method="POST", path=all_, run=self._make, body=NewImport, answer=Import, status=201, tag=tag,
                     summary="Announce a file to import"),
            Endpoint(method="GET", path=one, run=self._get, answer=Import, tag=tag,
                     summary="One import, with its report"),
            Endpoint(method="PUT", path=f"{one}/data", run=self._receive, query=Offset, answer=Import, tag=tag,
                     summary="Send a part of the file, at most 8 MiB, in order"),
            Endpoint(method="POST", path=f"{one}/start", run=self._start, answer=Import, tag=tag,
                     summary="Import the file that was sent; again, after it failed or was stopped"),
            Endpoint(method="DELETE", path=one, run=self._delete, status=204, tag=tag,
                     summary="Stop an import that runs, or remove one from the list; its conversations stay"),
        ]  # fmt: skip

    async def close(self) -> None:
        """End what runs here. It is called interrupted, and may be started again."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _all(self, request: Request[Member]) -> list[Import]:
        await states.bury(self._store, request.who.id)
        return await states.all_of(self._store, request.who.id, SHOWN)

    async def _get(self, request: Request[Member]) -> Import:
        await states.bury(self._store, request.who.id)
        return await states.find(self._store, request.who.id, request.params["id"])

    async def _make(self, request: Request[Member]) -> Import:
        member, body = request.who.id, request.body
        if body.bytes < 1 or body.bytes > FILE_BYTES:
            raise TooLarge(
                f"The file has {body.bytes:,} bytes; 1 to {FILE_BYTES:,} are taken.", code="import_size", param="bytes",
                hint="import what it holds in several pieces, or with `freehold import` on the server",
            )  # fmt: skip
        await self._sweep()
        there = await states.all_of(self._store, member, 50)
        waiting = [each.id for each in there if each.state not in ("done", "running")]
        held = await asyncio.to_thread(lambda: sum(self._path(id).is_file() for id in waiting))
        if held + sum(each.state == "receiving" and not each.received for each in there) >= WAITING:
            raise BadRequest(
                f"{WAITING} files wait to be imported already.", code="imports_waiting", hint="start or remove one"
            )
        await asyncio.to_thread(self._check_disk, body.bytes)
        id = new_id("import")
        await states.make(self._store, member, id, file_name(body.name), body.bytes)
        return await states.find(self._store, member, id)

    def _check_disk(self, size: int) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if size + _SPARE_BYTES > free:
            raise TooLarge(
                f"There is room for {max(free - _SPARE_BYTES, 0) / 1024**2:,.0f} MiB on the server.",
                code="import_disk", hint="ask whoever runs it to make room",
            )  # fmt: skip

    async def _receive(self, request: Request[Member]) -> Import:
        found = await states.find(self._store, request.who.id, request.params["id"])
        offset, data = request.query.offset, request.exchange.body
        end = offset + len(data)
        if found.state != "receiving":
            raise BadRequest("The file is not being received any more.", code="import_state", hint="announce it anew")
        if len(data) > PART_BYTES:
            raise TooLarge(f"A part has at most {PART_BYTES:,} bytes.", code="import_part", hint="send smaller parts")
        if not data or offset < 0 or offset > found.received or end > found.bytes:
            raise BadRequest(
                f"The part covers bytes {offset:,} to {end:,}; {found.received:,} of {found.bytes:,} are here.",
                code="import_offset", param="offset", hint=f"go on at {found.received}",
            )  # fmt: skip
        await asyncio.to_thread(self._put, found.id, offset, data)
        await states.receive(self._store, found.id, end)
        return await states.find(self._store, request.who.id, found.id)

    def _put(self, id: str, offset: int, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            file = os.open(self._path(id), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                view, at = memoryview(data), offset
                while view:
                    written = os.pwrite(file, view, at)
                    view, at = view[written:], at + written
            finally:
                os.close(file)
        except OSError as e:
            raise TooLarge(
                f"The part cannot be kept: {e.strerror}.", code="import_disk", hint="ask whoever runs the server"
            ) from e

    def _path(self, id: str) -> Path:
        return self._folder / f"{id}.part"

    async def _start(self, request: Request[Member]) -> Import:
        member, id = request.who.id, request.params["id"]
        await states.bury(self._store, member)
        found = await states.find(self._store, member, id)
        if len(self._tasks) >= AT_ONCE:
            raise OverLimit("Other imports are under way.", code="imports_busy", hint="try again in a few minutes")
        if found.state in ("done", "running"):
            return found
        if found.received < found.bytes or not self._path(id).is_file():
            raise BadRequest(
                f"{found.received:,} of {found.bytes:,} bytes are here.", code="import_offset",
                hint="send the rest first" if found.received < found.bytes else "announce and send the file anew",
            )  # fmt: skip
        if not await states.start(self._store, member, id, self._holder):
            raise BadRequest("Another import of yours runs.", code="import_state", hint="wait for its end, or stop it")
        self._tasks[id] = asyncio.create_task(self._work(member, id))
        return await states.find(self._store, member, id)

    async def _delete(self, request: Request[Member]) -> None:
        member, id = request.who.id, request.params["id"]
        await states.bury(self._store, member)
        if await states.cancel(self._store, member, id):  # whichever process does it sees that, too
            child = self._children.get(id)
            if child is not None:
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(signal.SIGKILL)
            return
        if not await states.remove(self._store, member, id):
            raise NotFound(f"There is no import {id[:64]!r}.", hint="it was removed, or is somebody else's")
        await asyncio.to_thread(self._path(id).unlink, missing_ok=True)

    async def _work(self, member: str, id: str) -> None:
        """Have it done, and see to it that the row does not say `running` for ever."""
        try:
            status = await self._child(member, id)
            error = "The reader of the file broke down. Start it again; if that does not help, report it."
            if await states.finish(self._store, id, self._holder, "failed", "", None, error):
                log.error("an import broke down", extra={"import": id, "status": status})
            found = await states.find(self._store, member, id)
            log.info("an import ended", extra={"import": id, "state": found.state, "conversations": found.done})
            if found.state == "done":
                await asyncio.to_thread(self._path(id).unlink, missing_ok=True)
        except (FreeholdError, OSError) as e:
            log.error("an import could not be followed", extra={"import": id, "why": str(e)})
        finally:
            self._tasks.pop(id, None)
            self._children.pop(id, None)

    async def _child(self, member: str, id: str) -> int:
        """Start the reader and wait for its end; return its exit status. It sees none of our environment."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "freehold.assist.imports.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd="/",
        )
        self._children[id] = child
        library = self._library
        task = Task(
            self._url, id, member, self._holder, str(self._path(id).absolute()), os.getpid(), library.file_bytes,
            library.member_bytes, library.folder or str(self._folder),
        )  # fmt: skip
        _, said = await child.communicate(msgspec.json.encode(task) + b"\n")
        if child.returncode and said:
            log.error(
                "the reader of an import says", extra={"import": id, "line": said[-2000:].decode("utf-8", "replace")}
            )
        return child.returncode or 0

    async def _sweep(self) -> None:
        """Remove files that nobody came back for, and those that no import knows."""
        try:
            old = set(await states.forgotten(self._store, KEPT_SECONDS))
            known = {id for (id,) in await self._store.fetch("SELECT id FROM import")}
        except StoreError:
            return
        await asyncio.to_thread(self._remove, old, known)

    def _remove(self, old: set[str], known: set[str]) -> None:
        for path in self._folder.glob("*.part"):
            with contextlib.suppress(OSError):
                strange = path.stem not in known and time.time() - path.stat().st_mtime > KEPT_SECONDS
                if path.stem in old or strange:
                    path.unlink()
