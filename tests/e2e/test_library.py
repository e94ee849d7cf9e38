"""The library on the running system: files in answers, search, shares, exports, from the first visit on."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any

import httpx2
import pytest

from tests.conftest import Starter
from tests.e2e.person import Person
from tests.papers import PNG, pdf
from tests.system import config, deployment
from tests.vendor import Vendor


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_life_of_files_and_words(system: Starter, vendor: Vendor, store: str, workers: int) -> None:
    running = system(config(deployment("plain", vendor.url, "ok", price=("1", "2")), store=store, workers=workers))
    olga = await Person(running).first()

    manual = pdf([["The pump needs oil", "every 400 hours"], ["The warranty ends after two years"]])
    kept = await olga.call("POST", "/api/files?name=manual.pdf", content=manual)
    assert (kept["media"], kept["pages"], kept["note"]) == ("application/pdf", 2, "")
    place = (await olga.call("POST", "/api/conversations", json={"title": "Pump"}))["id"]
    answer = await olga.ask(place, "How long is the warranty?", [kept["id"]])
    assert answer["state"] == "done", answer
    sent = json.dumps([json.loads(each.body) for each in vendor.seen])
    assert "warranty ends after two years" in sent and "every 400 hours" in sent
    question = (await olga.call("GET", f"/api/conversations/{place}"))["messages"][0]
    part = next(part for part in question["parts"] if part["type"] == "file")
    assert part["mode"] == "whole" and part["note"].startswith("whole, ")

    hits = (await olga.call("GET", "/api/search?q=warr"))["items"]
    assert question["id"] in [hit["message"] for hit in hits]
    assert ["warranty", True] in hits[0]["parts"]

    link = await olga.call("POST", f"/api/conversations/{place}/shares")
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as stranger:
        found = (await stranger.get(f"/api/shared/{link['token']}")).json()
        assert found["by"] == "Olga" and found["messages"][1]["facts"]["maker"] == "openai"
        assert (await stranger.get(f"/api/files/{kept['id']}")).status_code == 401
        await olga.call("DELETE", f"/api/shares/{link['id']}")
        assert (await stranger.get(f"/api/shared/{link['token']}")).status_code == 404

    def check(data: bytes) -> None:
        archive = zipfile.ZipFile(io.BytesIO(data))
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert [each["title"] for each in manifest["conversations"]] == ["Pump"]
        assert archive.read(manifest["files"][0]["path"]) == manual
        whole = json.loads(archive.read(manifest["conversations"][0]["path"]))
        assert whole["messages"][1]["facts"]["seller"] == "vendor-openai"

    check(await olga.call("GET", "/api/export"))
    target = running.home / "olga.zip"
    facts = await asyncio.to_thread(running.json, "export", "--member", "olga", str(target))
    assert facts["conversations"] == 1 and facts["bytes"] == target.stat().st_size
    check(target.read_bytes())
    again = await asyncio.to_thread(running.cli, "export", "--member", "olga", str(target), check=False)
    assert again.returncode == 2 and "exists" in again.stderr
    nobody = await asyncio.to_thread(running.cli, "export", "--member", "nobody", "x.zip", check=False)
    assert nobody.returncode == 1 and "no member" in nobody.stderr and not (running.home / "x.zip").exists()
    entries = await asyncio.to_thread(running.json, "ledger", "query", "--kind", "admin", "--limit", "1000")
    assert [True for entry in entries if "member.export" in json.dumps(entry)] == [True]
    await olga.client.aclose()


async def test_a_hostile_pdf_takes_no_worker_down(system: Starter, vendor: Vendor) -> None:
    running = system(config(deployment("plain", vendor.url, "ok"), '[library]\nfile_bytes = "1 MiB"\n'))
    olga = await Person(running).first()
    workers = running.workers()
    for data in (b"%PDF-1.7\n" + b"\xff" * 100_000, manual_cut()):
        answer = await olga.client.post("/api/files?name=x.pdf", content=data)
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "file_damaged"
    picture = await olga.call("POST", "/api/files?name=%E2%80%AEgnp.exe", content=PNG)
    assert (picture["name"], picture["media"]) == ("gnp.exe", "image/png")
    large = await olga.client.post("/api/files?name=big.txt", content=b"x" * (2**20 + 1))
    assert large.status_code == 413 and large.json()["error"]["code"] == "file_too_large"
    assert running.workers() == workers
    await olga.client.aclose()


def manual_cut() -> bytes:
    return pdf([["words"]])[:250]


def plain(document: dict[str, Any]) -> list[Any]:
    """What of a conversation has to come back: the tree and all that was said, whatever its ids."""
    numbers = {message["id"]: number for number, message in enumerate(document["messages"])}
    told = []
    for message in document["messages"]:
        parts = [{k: v for k, v in part.items() if k != "file"} for part in message["parts"]]
        facts = message["facts"] and {k: message["facts"][k] for k in ("answered", "maker", "seller", "cost", "call")}
        told.append((numbers.get(message["parent"]), message["role"], parts, message["model"], facts, message["state"]))
    return [document["conversation"]["title"], numbers[document["conversation"]["leaf"]], *told]


async def test_what_is_taken_out_comes_back_elsewhere(system: Starter, vendor: Vendor) -> None:
    """A member moves from one Freehold to another with everything."""
    old = system(config(deployment("plain", vendor.url, "ok", price=("1", "2"))))
    olga = await Person(old).first()
    manual = pdf([["The warranty ends after two years"]])
    kept = await olga.call("POST", "/api/files?name=manual.pdf", content=manual)
    place = (await olga.call("POST", "/api/conversations", json={"title": "Pumps & <b>oil</b>"}))["id"]
    await olga.ask(place, "How long is the warranty?", [kept["id"]])
    await olga.ask(place, "Another beginning", [])
    await olga.call("POST", "/api/projects", json={"name": "Works", "instructions": "be brief", "files": [kept["id"]]})
    await olga.call("POST", "/api/prompts", json={"name": "Mail", "text": "To {{whom}}"})
    await olga.call("POST", "/api/memories", json={"text": "Lives in Ghent"})
    before = await olga.call("GET", "/api/export?format=json")
    assert len(before["conversations"][0]["messages"]) == 4
    await asyncio.to_thread(old.cli, "export", "--member", "olga", str(old.home / "olga.zip"))

    new = system(config(deployment("plain", vendor.url, "ok")))
    again = await Person(new).first()
    for _ in range(2):  # twice makes no doubles
        await asyncio.to_thread(new.cli, "import", "--member", "olga", str(old.home / "olga.zip"))
    after = await again.call("GET", "/api/export?format=json")
    assert [plain(each) for each in after["conversations"]] == [plain(each) for each in before["conversations"]]
    assert [file["sha256"] for file in after["files"]] == [file["sha256"] for file in before["files"]]
    for what in ("projects", "prompts", "memories"):
        assert [each.get("name", each.get("text")) for each in after[what]] == [
            each.get("name", each.get("text")) for each in before[what]
        ]
    assert after["projects"][0]["instructions"] == "be brief" and len(after["projects"][0]["files"]) == 1
    hits = (await again.call("GET", "/api/search?q=warranty"))["items"]
    assert hits and hits[0]["title"] == "Pumps & <b>oil</b>"
    for person in (olga, again):
        await person.client.aclose()
