"""An export comes in parts over HTTP, is read by a process of its own, can be stopped, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from exports import simple
from shelves import Desk

from freehold.assist.imports import states, uploads
from freehold.assist.imports.uploads import Imports
from freehold.store import Store
from freehold.wire.api import Api


class Dock:
    """The endpoints of imports on a server of their own; `desk.ann` and `desk.ben` are clients."""

    def __init__(self, desk: Desk, imports: Imports, folder: Path) -> None:
        self.desk = desk
        self.imports = imports
        self.folder = folder

    async def send(self, data: bytes, size: int = 100_000, name: str = "export.json") -> str:
        """Send a file in parts; return the import's id."""
        made = await self.desk.ann.post("/api/imports", json={"name": name, "bytes": len(data)})
        assert made.status_code == 201, made.text
        id = str(made.json()["id"])
        for at in range(0, len(data), size):
            part = await self.desk.ann.put(f"/api/imports/{id}/data?offset={at}", content=data[at : at + size])
            assert part.status_code == 200, part.text
        return id

    async def ended(self, id: str) -> dict[str, Any]:
        """Wait for the end of an import and of its process; return what is said of it."""
        for _ in range(3000):
            found: dict[str, Any] = (await self.desk.ann.get(f"/api/imports/{id}")).json()
            if found["state"] != "running" and id not in self.imports._tasks:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError("it did not end")

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
async def dock(shelf: Store, desk: Desk, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Dock]:
    url = f"sqlite:///{tmp_path}/shelf.db"
    if shelf.engine == "postgres":
        url = request.getfixturevalue("shelf_database")
    folder = tmp_path / "imports"
    imports = Imports(shelf, url, folder)
    desk.api = Api(imports.endpoints(), desk._identify)
    yield Dock(desk, imports, folder)
    await imports.close()


def export(count: int = 3, words: str = "Far.") -> bytes:
    return json.dumps([simple(f"c{n}", answer=words) for n in range(count)]).encode()


async def test_a_file_in_parts_is_imported_and_gone(dock: Dock, shelf: Store) -> None:
    id = await dock.send(export(), size=1000)
    assert dock.files() == [f"{id}.part"]
    assert (dock.folder / f"{id}.part").stat().st_mode & 0o777 == 0o600
    started = (await dock.desk.ann.post(f"/api/imports/{id}/start")).json()
    assert started["state"] == "running"
    found = await dock.ended(id)
    assert (found["state"], found["source"], found["done"], found["total"]) == ("done", "chatgpt", 3, 3)
    assert found["report"]["conversations"] == {
        "imported": 3,
        "updated": 0,
        "unchanged": 0,
        "skipped": 0,
        "failed": 0,
    }
    assert {item["title"] for item in found["report"]["items"]} == {"About c0", "About c1", "About c2"}
    assert dock.files() == []
    assert len(await shelf.fetch("SELECT id FROM conversation WHERE member = 'mem_ann'")) == 3
    listed = (await dock.desk.ann.get("/api/imports")).json()
    assert listed == [{**found, "report": None}]
    assert listed[0]["conversations"] == found["report"]["conversations"]
    assert (await dock.desk.ben.get("/api/imports")).json() == []
    assert (await dock.desk.ann.delete(f"/api/imports/{id}")).status_code == 204
    assert (await dock.desk.ann.get("/api/imports")).json() == []
    assert len(await shelf.fetch("SELECT id FROM conversation")) == 3


async def test_parts_again_and_parts_that_do_not_fit(dock: Dock) -> None:
    data = export()
    ann = dock.desk.ann
    id = (await ann.post("/api/imports", json={"name": "../../x\0.json", "bytes": len(data)})).json()["id"]
    place = f"/api/imports/{id}/data?offset="
    gap = await ann.put(f"{place}100", content=data[100:200])
    assert (gap.status_code, gap.json()["error"]["hint"]) == (400, "go on at 0")
    assert (await ann.put(f"{place}0", content=data[:100])).json()["received"] == 100
    assert (await ann.put(f"{place}0", content=data[:100])).json()["received"] == 100
    assert (await ann.put(f"{place}50", content=data[50:300])).json()["received"] == 300
    assert (await ann.put(f"{place}300", content=data[300:] + b"x")).status_code == 400
    assert (await ann.put(f"{place}-5", content=b"x")).status_code == 400
    assert (await ann.put(f"{place}300", content=b"")).status_code == 400
    early = await ann.post(f"/api/imports/{id}/start")
    assert early.status_code == 400 and "300 of" in early.json()["error"]["message"]
    assert (await dock.desk.ben.put(f"{place}300", content=data[300:])).status_code == 404
    assert (await dock.desk.ben.post(f"/api/imports/{id}/start")).status_code == 404
    assert (await dock.desk.ben.delete(f"/api/imports/{id}")).status_code == 404
    assert (await ann.put(f"{place}300", content=data[300:])).json()["received"] == len(data)
    assert (await ann.post(f"/api/imports/{id}/start")).status_code == 200
    assert (await dock.ended(id))["state"] == "done"
    assert (await ann.put(f"{place}0", content=data[:100])).status_code == 400
    assert (await ann.post(f"/api/imports/{id}/start")).json()["state"] == "done"


async def test_bounds(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = dock.desk.ann
    for size in (0, -1, uploads.FILE_BYTES + 1):
        assert (await ann.post("/api/imports", json={"name": "x", "bytes": size})).status_code == 413
    monkeypatch.setattr(uploads, "PART_BYTES", 1000)
    id = (await ann.post("/api/imports", json={"name": "x", "bytes": 5000})).json()["id"]
    assert (await ann.put(f"/api/imports/{id}/data?offset=0", content=b"x" * 1001)).status_code == 413
    for _ in range(uploads.WAITING - 1):
        assert (await ann.post("/api/imports", json={"name": "x", "bytes": 5})).status_code == 201
    assert (await ann.post("/api/imports", json={"name": "x", "bytes": 5})).status_code == 400
    assert (await dock.desk.ben.post("/api/imports", json={"name": "x", "bytes": 5})).status_code == 201
    monkeypatch.setattr(uploads, "_SPARE_BYTES", 1 << 60)
    full = await dock.desk.ben.post("/api/imports", json={"name": "x", "bytes": 5})
    assert (full.status_code, full.json()["error"]["code"]) == (413, "import_disk")


async def test_what_is_no_export_fails_in_words_and_can_be_removed(dock: Dock) -> None:
    id = await dock.send(b'{"hello": "world"}')
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    found = await dock.ended(id)
    assert found["state"] == "failed"
    assert "no conversation in it" in found["error"] and "ChatGPT" in found["error"]
    assert (await dock.desk.ann.delete(f"/api/imports/{id}")).status_code == 204
    assert dock.files() == []


async def test_an_import_is_stopped_and_started_again(dock: Dock, shelf: Store) -> None:
    data = export(1500, "words and more words " * 40)
    id = await dock.send(data, size=4 << 20)
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    other = await dock.send(export())
    for _ in range(3000):
        if await shelf.fetch("SELECT id FROM conversation LIMIT 1"):
            break
        await asyncio.sleep(0.02)
    refused = await dock.desk.ann.post(f"/api/imports/{other}/start")
    assert refused.status_code == 400 and "Another import of yours" in refused.json()["error"]["message"]
    pid = dock.imports._children[id].pid
    assert (await dock.desk.ann.delete(f"/api/imports/{id}")).status_code == 204
    found = await dock.ended(id)
    assert found["state"] == "cancelled"
    assert not Path(f"/proc/{pid}").exists()
    here = len(await shelf.fetch("SELECT id FROM conversation"))
    assert 0 < here < 1500
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    done = await dock.ended(id)
    assert done["state"] == "done"
    assert done["report"]["conversations"]["imported"] == 1500 - here
    assert done["report"]["conversations"]["unchanged"] == here
    assert len(await shelf.fetch("SELECT id FROM message")) == 3000


async def test_a_reader_that_is_killed_is_told_and_can_be_started_again(dock: Dock) -> None:
    id = await dock.send(export(500, "words " * 50), size=4 << 20)
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    while id not in dock.imports._children:
        await asyncio.sleep(0.01)
    dock.imports._children[id].send_signal(signal.SIGKILL)
    found = await dock.ended(id)
    assert found["state"] == "failed" and "Start it again" in found["error"]
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    assert (await dock.ended(id))["report"]["conversations"]["failed"] == 0


async def test_an_import_whose_server_is_gone_is_not_running_for_ever(
    dock: Dock, shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await dock.send(export())
    await states.start(shelf, "mem_ann", id, "somebody who died")
    assert (await dock.desk.ann.get(f"/api/imports/{id}")).json()["state"] == "running"
    monkeypatch.setattr(states, "SILENT_SECONDS", -1)
    found = (await dock.desk.ann.get(f"/api/imports/{id}")).json()
    assert found["state"] == "failed" and "interrupted" in found["error"]
    monkeypatch.undo()
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    assert (await dock.ended(id))["state"] == "done"


async def test_files_that_nobody_came_back_for_are_removed(
    dock: Dock, shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await dock.send(export())
    (dock.folder / "import_unknown.part").write_bytes(b"x")
    monkeypatch.setattr(uploads, "KEPT_SECONDS", -1)
    await dock.desk.ben.post("/api/imports", json={"name": "x", "bytes": 5})
    assert dock.files() == []
    assert (await dock.desk.ann.post(f"/api/imports/{old}/start")).status_code == 404


async def test_a_file_that_is_gone_is_asked_for_again(dock: Dock) -> None:
    id = await dock.send(export())
    (dock.folder / f"{id}.part").unlink()
    lost = await dock.desk.ann.post(f"/api/imports/{id}/start")
    assert lost.status_code == 400 and lost.json()["error"]["hint"] == "announce and send the file anew"


async def test_closing_ends_the_reader(dock: Dock) -> None:
    id = await dock.send(export(500, "words " * 50), size=4 << 20)
    await dock.desk.ann.post(f"/api/imports/{id}/start")
    while id not in dock.imports._children:
        await asyncio.sleep(0.01)
    pid = dock.imports._children[id].pid
    await dock.imports.close()
    assert not Path(f"/proc/{pid}").exists()
    assert (await dock.desk.ann.get(f"/api/imports/{id}")).json()["state"] == "failed"


async def test_the_report_reads_as_it_was_written(dock: Dock) -> None:
    described = dock.desk.api.openapi("x", "1")
    assert "/api/imports/{id}/data" in described["paths"]
    json.loads(msgspec.json.encode(described))
