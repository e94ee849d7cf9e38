from __future__ import annotations

import io
import json
import re
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shelves import PNG, Desk, conversation, member, say

from freehold.assist import export, memories
from freehold.assist.export_markdown import markdown
from freehold.core.errors import BadRequest

FACTS = {
    "call": "call_1", "deployment": "gpt-azure", "asked": "assistant", "sent": "gpt-5", "answered": "gpt-5-2026",
    "maker": "openai", "seller": "microsoft", "host": "microsoft", "region": "swedencentral", "contract": "ms-ea",
    "input": 1200, "output": 34, "cost": "0.0123", "currency": "USD", "calls": 1,
}  # fmt: skip


async def talk(desk: Desk, who: str = "ann") -> tuple[str, list[str]]:
    """A conversation with a file and two branches, of which the second is shown."""
    file = (await getattr(desk, who).post("/api/files", params={"name": "../a b.txt"}, content=b"words")).json()
    place = await conversation(desk.store, who, "Über <b>plans</b>/../..\\x\n# h", created_at=1_767_225_600 * 10**9)
    part = {"type": "file", "file": file["id"], "name": file["name"], "media": "text/plain", "bytes": 5,
            "mode": "whole", "note": "whole, 2 tokens"}  # fmt: skip
    ask = await say(desk.store, who, place, "", parts=[{"type": "text", "text": "Read this"}, part])
    first = await say(desk.store, who, place, "First answer", ask, role="assistant", facts=FACTS, model="assistant",
                      created_at=2 * 10**18)  # fmt: skip
    tool = {"type": "tool", "id": "t1", "server": "web", "name": "find", "arguments": '{"q": "private"}',
            "state": "done", "result": "private result"}  # fmt: skip
    parts = [{"type": "reasoning", "text": "private thought"}, tool, {"type": "text", "text": "Second answer"}]
    second = await say(desk.store, who, place, "", ask, role="assistant", facts=FACTS, model="assistant", parts=parts,
                       cut=1, created_at=2 * 10**18 + 1)  # fmt: skip
    return place, [ask, first, second, file["id"]]


async def test_json_holds_the_whole_tree(desk: Desk) -> None:
    place, (ask, first, second, file) = await talk(desk)
    answer = await desk.ann.get(f"/api/conversations/{place}/export")
    found = answer.json()
    assert (found["format"], found["version"]) == ("freehold.conversation", 1)
    assert found["conversation"]["leaf"] == second and found["conversation"]["id"] == place
    assert [(m["id"], m["parent"]) for m in found["messages"]] == [(ask, None), (first, ask), (second, ask)]
    assert {name: found["messages"][1]["facts"][name] for name in FACTS} == FACTS
    assert found["messages"][0]["parts"][1]["file"] == file
    assert [part["type"] for part in found["messages"][2]["parts"]] == ["reasoning", "tool", "text"]
    assert re.fullmatch(r'attachment; filename="2026-01-01-uber-b-plans-b-x-h-conv_[0-9a-f]+\.json"',
                        answer.headers["content-disposition"])  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"


async def test_markdown_is_the_shown_branch_with_who_answered(desk: Desk) -> None:
    place, _ = await talk(desk)
    answer = await desk.ann.get(f"/api/conversations/{place}/export", params={"format": "md"})
    text = answer.text
    assert text.startswith("# Über \\<b\\>plans\\</b\\>/../..\\\\x \\# h\n")
    assert "Second answer" in text and "First answer" not in text and "private" not in text
    assert "*Not shown here, because on other branches: 1 of 3 messages.*" in text
    assert (
        "gpt-5-2026, made by openai, sold by microsoft, hosted by microsoft (swedencentral), 1,200 tokens in, 34 out, "
        "0.0123 USD; cut at its length" in text
    )
    assert "*File: a b.txt (whole, 2 tokens)*" in text and "*Tool: web/find, done*" in text
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"


async def test_markdown_of_what_is_not_known(desk: Desk) -> None:
    place = await conversation(desk.store, "ann", "")
    ask = await say(desk.store, "ann", place, "x")
    await say(desk.store, "ann", place, "y", ask, role="assistant", origin="chatgpt", state="interrupted")
    found, messages, _ = await export.conversation_document(desk.store, "mem_ann", place)
    text = markdown(found, messages)
    assert text.startswith("# Conversation\n")
    assert "*from chatgpt, where Freehold did not see who answered; broken off*" in text


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    folders = r"(conversations|markdown)/[A-Za-z0-9_-]+\.(json|md)|files/file_[0-9a-f]+/[^/\\]+"
    for name in archive.namelist():
        assert re.fullmatch(rf"manifest\.json|{folders}", name), name
        assert ".." not in Path(name).parts
    return archive


async def test_the_archive_of_one_conversation(desk: Desk) -> None:
    place, (*_, file) = await talk(desk)
    answer = await desk.ann.get(f"/api/conversations/{place}/export", params={"format": "zip"})
    archive = opened(answer.content)
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["format"], manifest["version"]) == ("freehold.archive", 1)
    (entry,), (kept,) = manifest["conversations"], manifest["files"]
    assert json.loads(archive.read(entry["path"]))["conversation"]["id"] == place and entry["messages"] == 3
    assert b"Second answer" in archive.read(entry["markdown"])
    assert (kept["id"], kept["name"], kept["sha256"]) == (file, "a b.txt", sha256(b"words").hexdigest())
    assert archive.read(kept["path"]) == b"words"
    assert "projects" not in manifest and len(archive.namelist()) == 4
    again = await desk.ann.get(f"/api/conversations/{place}/export", params={"format": "zip"})
    assert opened(again.content).namelist() == archive.namelist()


async def test_the_archive_of_everything(desk: Desk) -> None:
    place, (*_, file) = await talk(desk)
    await talk(desk, "ben")
    other = (await desk.ann.post("/api/files", params={"name": "b.png"}, content=PNG)).json()["id"]
    await desk.ann.post("/api/projects", json={"name": "P", "files": [other]})
    await desk.ann.post("/api/prompts", json={"name": "Q", "text": "{{x}}"})
    await desk.ann.post("/api/assistants", json={"name": "A", "files": [file]})
    await desk.ben.post("/api/assistants", json={"name": "of Ben", "shared": True})
    await memories.propose(desk.store, "mem_ann", "a fact", None, None)
    archive = opened((await desk.ann.get("/api/export")).content)
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["member"] == {"name": "ann", "display": "Ann", "settings": {}}
    assert [entry["id"] for entry in manifest["conversations"]] == [place]
    assert [kept["id"] for kept in manifest["files"]] == [file, other]
    assert [each["files"] for each in (*manifest["projects"], *manifest["assistants"])] == [[other], [file]]
    assert [each["name"] for each in (*manifest["prompts"], *manifest["assistants"])] == ["Q", "A"]
    assert [(each["text"], each["state"]) for each in manifest["memories"]] == [("a fact", "proposed")]
    assert archive.getinfo(f"files/{other}/b.png").compress_type == zipfile.ZIP_STORED
    whole = (await desk.ann.get("/api/export", params={"format": "json"})).json()
    assert whole["format"] == "freehold.account" and len(whole["conversations"]) == 1
    assert len(whole["conversations"][0]["messages"]) == 3 and whole["files"][0]["sha256"]
    assert "of Ben" not in json.dumps(whole) and "Ben" not in json.dumps(whole)


async def test_an_account_with_nothing_in_it(desk: Desk) -> None:
    assert (await desk.ben.get("/api/export", params={"format": "json"})).json()["conversations"] == []
    assert opened((await desk.ben.get("/api/export")).content).namelist() == ["manifest.json"]


async def test_nobody_exports_what_is_somebody_elses(desk: Desk) -> None:
    place, _ = await talk(desk)
    for form in ("json", "md", "zip"):
        answer = await desk.ben.get(f"/api/conversations/{place}/export", params={"format": form})
        assert answer.status_code == 404
        assert (await desk.ada.get(f"/api/conversations/{place}/export", params={"format": form})).status_code == 404
    assert (await desk.nobody.get("/api/export")).status_code == 401
    assert (await desk.ann.get("/api/export", params={"format": "exe"})).status_code == 400


async def test_an_archive_is_larger_than_what_is_sent_at_once(desk: Desk) -> None:
    data = bytes(range(256)) * 4096 * 6
    picture = (await desk.ann.post("/api/files", params={"name": "a.png"}, content=PNG + data)).json()["id"]
    archive = opened((await desk.ann.get("/api/export")).content)
    assert archive.read(f"files/{picture}/a.png") == PNG + data


async def test_a_file_on_disk(desk: Desk, tmp_path: Path) -> None:
    place, _ = await talk(desk)
    for name in ("out.zip", "out.json"):
        assert await export.save(desk.store, member("ann"), tmp_path / name) == 1
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "out.json").read_bytes())["conversations"][0]["conversation"]["id"] == place
    opened((tmp_path / "out.zip").read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(("out", "."))) == [
        "out.json",
        "out.zip",
    ]
    with pytest.raises(BadRequest) as e:
        await export.save(desk.store, member("ann"), tmp_path / "none" / "out.zip")
    assert e.value.code == "export_target"


# -- shares -----------------------------------------------------------------------------------------------------------


async def shared(desk: Desk, place: str) -> dict[str, Any]:
    answer = await desk.ann.post(f"/api/conversations/{place}/shares")
    assert answer.status_code == 201
    return dict(answer.json())


async def test_a_link_shows_the_branch_as_it_was_and_no_more(desk: Desk) -> None:
    place, (ask, _, _, file) = await talk(desk)
    link = await shared(desk, place)
    assert link["url"] == f"/share/{link['token']}" and len(link["token"]) > 40 and link["revoked_at"] is None
    await say(desk.store, "ann", place, "said later", ask)
    answer = await desk.nobody.get(f"/api/shared/{link['token']}")
    assert answer.headers["cache-control"] == "no-store" and "noindex" in answer.headers["x-robots-tag"]
    found = answer.json()
    assert set(found) == {"title", "by", "messages", "created_at"} and found["by"] == "Ann"
    assert [(m["id"], m["parent"], m["role"]) for m in found["messages"]] == [
        ("0", None, "user"),
        ("1", "0", "assistant"),
    ]
    assert found["messages"][1]["parts"][-1] == {"type": "text", "text": "Second answer"}
    facts = found["messages"][1]["facts"]
    assert (facts["maker"], facts["answered"], facts["cost"]) == ("openai", "gpt-5-2026", None)
    for private in ("private", "said later", "First answer", "mem_ann", "key_ann", "call_1", "gpt-azure", "ms-ea",
                    "0.0123", place, ask, file):  # fmt: skip
        assert private not in answer.text, private


async def test_pictures_go_along_while_they_are_small(desk: Desk) -> None:
    ids = []
    for data in (PNG, PNG + b"x" * 400_000):
        ids.append((await desk.ann.post("/api/files", params={"name": "a.png"}, content=data)).json()["id"])
    place = await conversation(desk.store, "ann", "Pictures")
    parts = [{"type": "file", "file": id, "name": "a.png", "media": "image/png", "bytes": 1} for id in ids]
    await say(desk.store, "ann", place, "", parts=parts)
    link = await shared(desk, place)
    await desk.ann.delete(f"/api/files/{ids[0]}")
    (message,) = (await desk.nobody.get(f"/api/shared/{link['token']}")).json()["messages"]
    small, large = message["parts"]
    assert small["data_url"].startswith("data:image/png;base64,iVBOR") and large["data_url"] is None
    assert (small["file"], large["file"]) == ("file-1", "file-2")


async def test_a_link_taken_back_is_as_one_that_never_was(desk: Desk) -> None:
    place, _ = await talk(desk)
    link = await shared(desk, place)
    assert (await desk.ben.get("/api/shares")).json() == []
    assert (await desk.ben.delete(f"/api/shares/{link['id']}")).status_code == 404
    assert (await desk.ben.post(f"/api/conversations/{place}/shares")).status_code == 404
    assert (await desk.ann.delete(f"/api/shares/{link['id']}")).status_code == 204
    gone = await desk.nobody.get(f"/api/shared/{link['token']}")
    never = await desk.nobody.get("/api/shared/" + "x" * 45)
    assert (gone.status_code, gone.content) == (never.status_code, never.content) == (404, never.content)
    (listed,) = (await desk.ann.get("/api/shares")).json()
    assert listed["revoked_at"] is not None
    assert await desk.store.fetch("SELECT content FROM share") == [("{}",)]


async def test_links_end_with_their_member(desk: Desk) -> None:
    place, _ = await talk(desk)
    link = await shared(desk, place)
    await desk.store.write(("UPDATE member SET disabled_at = 1 WHERE id = 'mem_ann'", [()]))
    assert (await desk.nobody.get(f"/api/shared/{link['token']}")).status_code == 404


async def test_an_empty_conversation_is_not_shared(desk: Desk) -> None:
    place = await conversation(desk.store, "ann", "Empty")
    await say(desk.store, "ann", place, "You are an assistant", role="system")
    assert (await desk.ann.post(f"/api/conversations/{place}/shares")).json()["error"]["code"] == "share_empty"


def test_every_endpoint_stands_in_the_description(tmp_path: Path) -> None:
    from freehold.assist import library
    from freehold.wire.api import Api

    async def nobody(*_: Any) -> None:
        return None

    described = Api(library.endpoints(None, None, nobody), nobody).openapi("x", "1")  # type: ignore[arg-type]
    assert {"/api/files", "/api/search", "/api/export", "/api/shared/{token}"} <= described["paths"].keys()
    assert msgspec.json.encode(described)
