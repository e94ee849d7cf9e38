"""Whole imports into a real store: what is there afterwards, what twice does, and what hostile files do not do."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from exports import PNG, START, chatgpt, claude, librechat, node, openwebui, simple, written, zipped
from shelves import conversation, member, say

from freehold.assist import export, search
from freehold.assist.files import LibrarySettings
from freehold.assist.imports import archive as archive_
from freehold.assist.imports.run import Imported, run
from freehold.assist.shapes import MESSAGE, message
from freehold.core.errors import BadRequest
from freehold.store import Store

S = 1_000_000_000


async def bring(store: Store, path: Path, who: str = "mem_ann", **more: Any) -> Imported:
    async def progress(source: str, done: int, total: int) -> None:
        assert 0 <= done <= total

    return await run(store, who, path, more.get("library") or LibrarySettings(), more.get("progress", progress))


async def rows(store: Store, sql: str, *args: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await store.fetch(sql, *args)]


def counts(found: Imported) -> dict[str, int]:
    return {name: count for name, count in found.report.conversations.items() if count}


async def contents(store: Store) -> list[Any]:
    """Everything that an import writes."""
    return [
        await rows(store, "SELECT * FROM conversation ORDER BY id"),
        await rows(store, "SELECT * FROM message ORDER BY id"),
        await rows(store, "SELECT message, conversation, member, words FROM message_search ORDER BY message"),
        await rows(store, "SELECT id, name FROM file ORDER BY id"),
    ]


async def test_todays_zip_of_chatgpt(shelf: Store, tmp_path: Path) -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_00000000abcd1234"}
    gone = {**picture, "asset_pointer": "sediment://file_00000000ffffffff"}
    content = {"content_type": "multimodal_text", "parts": [picture, gone, "Look at these"]}
    pictured = chatgpt(
        "c3",
        [node("c3-q", None, "user", content=content), node("c3-a", "c3-q", "assistant", "Nice.")],
        "c3-a",
    )
    path = zipped(
        tmp_path / "export.zip",
        {
            "chat.html": b"<html>",
            "conversations-000.json": [simple("c1"), simple("c2", title=None)],
            "conversations-001.json": [pictured],
            "export_manifest.json": {"files": []},
            "shared_conversations.json": [{"id": "s", "conversation_id": "c1", "title": "t", "is_anonymous": True}],
            "user.json": {"id": "u", "email": "ann@example.org"},
            "message_feedback.json": [],
            "conversation_asset_file_names.json": {"file_00000000abcd1234.dat": "holiday.png"},
            "file_00000000abcd1234.dat": PNG,
        },
    )
    found = await bring(shelf, path)
    assert found.sources == ["chatgpt"]
    assert counts(found) == {"imported": 3}
    items = {item.title: item for item in found.report.items}
    assert set(items) == {"About c1", "How far is the moon?", "About c3"}
    assert (items["About c3"].kept, items["About c3"].lost) == (["1 image"], ["1 image not in the export"])
    id = items["About c3"].id
    assert id is not None
    messages = [message(row) for row in await shelf.fetch(f"SELECT {MESSAGE} FROM message WHERE conversation = ?", id)]
    asked = next(each for each in messages if each.role == "user")
    assert [part.__class__.__name__ for part in asked.parts] == ["FilePart", "Text"]
    assert asked.parts[0].name == "holiday.png"  # type: ignore[union-attr]
    ((data, media, owner),) = await shelf.fetch("SELECT data, media, member FROM file")
    assert (bytes(data), media, owner) == (PNG, "image/png", "mem_ann")
    (first,) = await shelf.fetch(
        "SELECT c.title, c.source, c.source_id, c.created_at, m.model, m.origin, m.state, m.facts, m.created_at "
        "FROM conversation c JOIN message m ON m.id = c.leaf WHERE c.source_id = 'c1'"
    )
    assert tuple(first[:7]) == ("About c1", "chatgpt", "c1", int(START) * S, "gpt-5-thinking", "chatgpt", "done")
    facts = json.loads(first[7])
    assert (facts["answered"], facts["maker"], facts["seller"]) == ("gpt-5-thinking", "openai", "openai")
    assert first[8] == (int(START) + 2) * S
    hits = await search.search(shelf, "mem_ann", "moon far")
    assert len([hit for hit in hits.items if hit.role == "user"]) == 2
    assert not (await search.search(shelf, "mem_ben", "moon")).items


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ([simple()], "chatgpt"),
        ([claude()], "claude"),
        ([openwebui()], "openwebui"),
        (openwebui(), "openwebui"),
        (librechat(), "librechat"),
        ([librechat(tree=False)], "librechat"),
        ({"conversations": [simple()]}, "chatgpt"),
    ],
)
async def test_each_format_twice_makes_no_doubles(shelf: Store, tmp_path: Path, values: Any, source: str) -> None:
    path = written(tmp_path / "anything.bin", values)
    first = await bring(shelf, path)
    assert (first.sources, counts(first)) == ([source], {"imported": 1})
    before = await contents(shelf)
    again = await bring(shelf, path)
    assert counts(again) == {"unchanged": 1}
    assert await contents(shelf) == before
    other = await bring(shelf, path, "mem_ben")
    assert counts(other) == {"imported": 1}


async def test_every_message_has_a_parent_that_is_there_and_older(shelf: Store, tmp_path: Path) -> None:
    nodes = [node("0", None, "user", "x", at=START + 50)]
    nodes += [node(str(n), str(n - 1), ["user", "assistant"][n % 2], "x", at=None) for n in range(1, 20)]
    nodes += [node("early", "0", "assistant", "y", at=START - 1000)]
    await bring(shelf, written(tmp_path / "x.json", [chatgpt("c", nodes, "19")]))
    found = await rows(shelf, "SELECT id, parent, created_at FROM message")
    times = {id: at for id, _, at in found}
    assert len(times) == 21
    assert sum(parent is None for _, parent, _ in found) == 1
    assert all(parent is None or times[parent] < at for _, parent, at in found)


async def test_a_newer_export_adds_what_is_new(shelf: Store, tmp_path: Path) -> None:
    old = simple("c1")
    await bring(shelf, written(tmp_path / "old.json", [old]))
    ((id, leaf),) = await shelf.fetch("SELECT id, leaf FROM conversation")
    new = simple("c1", title="Renamed")
    mapping = new["mapping"]
    mapping["c1-q2"] = node("c1-q2", "c1-a", "user", "And the sun?", at=START + 10)
    mapping["c1-a2"] = node("c1-a2", "c1-q2", "assistant", "Farther.", at=START + 11)
    mapping["c1-b"] = node("c1-b", "c1-q", "assistant", "Quite far.", at=START + 12)
    new["current_node"] = "c1-a2"
    path = written(tmp_path / "new.json", [new])
    found = await bring(shelf, path)
    assert counts(found) == {"updated": 1}
    assert found.report.items[0].branches == 2
    ((same, title, moved),) = await shelf.fetch("SELECT id, title, leaf FROM conversation")
    assert (same, title) == (id, "About c1")
    assert moved != leaf
    assert [row[0] for row in await shelf.fetch("SELECT source_id FROM message WHERE id = ?", moved)] == ["c1-a2"]
    assert len(await rows(shelf, "SELECT id FROM message")) == 5
    assert counts(await bring(shelf, path)) == {"unchanged": 1}


async def test_what_the_member_did_meanwhile_stays(shelf: Store, tmp_path: Path) -> None:
    await bring(shelf, written(tmp_path / "old.json", [simple("c1")]))
    ((id, leaf),) = await shelf.fetch("SELECT id, leaf FROM conversation")
    mine = await say(shelf, "ann", id, "Go on here", leaf)
    await shelf.write(("UPDATE conversation SET title = 'Mine' WHERE id = ?", [(id,)]))
    new = simple("c1")
    new["mapping"]["c1-q2"] = node("c1-q2", "c1-a", "user", "And there?")
    new["current_node"] = "c1-q2"
    assert counts(await bring(shelf, written(tmp_path / "new.json", [new]))) == {"updated": 1}
    assert await rows(shelf, "SELECT title, leaf FROM conversation") == [("Mine", mine)]
    assert len(await rows(shelf, "SELECT id FROM message")) == 4


async def test_an_answer_that_was_longer_in_the_newer_export_is_longer(shelf: Store, tmp_path: Path) -> None:
    await bring(shelf, written(tmp_path / "old.json", [simple("c1", answer="Far")]))
    assert counts(await bring(shelf, written(tmp_path / "new.json", [simple("c1", answer="Far awayward")]))) == {
        "updated": 1
    }
    assert [hit.role for hit in (await search.search(shelf, "mem_ann", "awayward")).items] == ["assistant"]


class Killed(Exception):
    pass


async def test_an_import_that_was_killed_can_be_run_again(
    shelf: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from freehold.assist.imports import run as run_

    monkeypatch.setattr(run_, "_TELL_SECONDS", 0.0)
    path = written(tmp_path / "x.json", [simple(f"c{n}") for n in range(200)])

    async def progress(source: str, done: int, total: int) -> None:
        if done >= 150:
            raise Killed

    with pytest.raises(Killed):
        await bring(shelf, path, progress=progress)
    here = len(await rows(shelf, "SELECT id FROM conversation"))
    assert 0 < here < 200
    found = await bring(shelf, path)
    assert counts(found) == {"imported": 200 - here, "unchanged": here}
    assert len(await rows(shelf, "SELECT id FROM message")) == 400


async def test_one_bad_conversation_never_stops_the_rest(shelf: Store, tmp_path: Path) -> None:
    deep = '{"title":"Too deep","mapping":' + '{"a":' * 10_000 + "1" + "}" * 10_000 + ',"id":"deep"}'
    surrogate = json.dumps(simple("half", question="lone \ud83d half", title="\udcff\0 NUL \0"))
    doubled = json.dumps(simple("twice")).replace('"title": "About twice"', '"title": "x", "title": "About twice"')
    bad = [
        json.dumps(simple("c1")),
        deep,
        '{"mapping": {nonsense}, "title": "No \\u00e4 JSON"}',
        '{"mapping": {}}',
        '{"hello": "world"}',
        json.dumps(chatgpt("empty", [node("r", None, None)], "r")),
        surrogate,
        doubled,
        json.dumps(simple("c1")),
        json.dumps(simple("c9")),
    ]
    found = await bring(shelf, written(tmp_path / "x.json", f"[{','.join(bad)}]".encode("utf-8", "surrogatepass")))
    assert counts(found) == {"imported": 4, "failed": 4, "skipped": 1}
    told = {item.title: item.lost for item in found.report.items if item.outcome in ("failed", "skipped")}
    assert told["No ä JSON"][0].startswith("it is no sound JSON")
    assert told["About empty"] == ["nothing in it that could be shown"]
    assert told["Too deep"] == ["it nests too deeply"]
    reasons = [item.lost[0] for item in found.report.items if item.title == "?"]
    assert sorted(reasons) == ["it has no id", "it is no conversation that is known here"]
    titles = {title for (title,) in await rows(shelf, "SELECT title FROM conversation")}
    assert "About twice" in titles
    assert all("\0" not in title for title in titles)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9, 0.99])
async def test_a_text_that_is_cut_short_gives_what_came_before(shelf: Store, tmp_path: Path, at: float) -> None:
    whole = json.dumps([simple(f"c{n}", answer="words " * 50) for n in range(100)]).encode()
    found = await bring(shelf, written(tmp_path / "x.json", whole[: int(len(whole) * at)]))
    assert found.report.conversations["imported"] == len(await rows(shelf, "SELECT id FROM conversation"))
    assert abs(found.report.conversations["imported"] - at * 100) <= 2
    failed = [item for item in found.report.items if item.outcome == "failed"]
    assert [item.lost for item in failed] == [["the rest of this file: it ends in the middle"]]


async def test_a_shard_that_is_damaged_does_not_stop_the_others(shelf: Store, tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "x.zip",
        {f"conversations-00{n}.json": [simple(f"c{n}-{k}", answer="w " * 3000) for k in range(30)] for n in range(3)},
    )
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("conversations-001.json")
    middle = info.header_offset + 60 + info.compress_size // 2
    data[middle : middle + 40] = os.urandom(40)
    path.write_bytes(data)
    found = await bring(shelf, path)
    assert found.report.conversations["imported"] >= 60
    failed = [item for item in found.report.items if item.outcome == "failed"]
    assert "conversations-001.json" in {item.title for item in failed}
    sources = {id.partition("-")[0] for (id,) in await rows(shelf, "SELECT source_id FROM conversation")}
    assert {"c0", "c2"} <= sources


async def refused(store: Store, path: Path) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        await bring(store, path)
    assert "ChatGPT" in caught.value.hint
    assert await rows(store, "SELECT id FROM conversation") == []
    return caught.value


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\x89PNG\r\n", b"{}", b"[]", b"[1,2]", b'{"a":', b"[[[[", b'[{"x":1},{"y":2}]', b"\xff\xfe{"],
)
async def test_a_file_that_is_no_export_says_what_was_expected(shelf: Store, tmp_path: Path, data: bytes) -> None:
    await refused(shelf, written(tmp_path / "x", data))


async def test_archives_that_are_none(shelf: Store, tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.zip", {"conversations.json": [simple()], "filler": os.urandom(5000)}).read_bytes()
    assert "damaged" in (await refused(shelf, written(tmp_path / "cut.zip", whole[:-1000]))).message
    assert "damaged" in (await refused(shelf, written(tmp_path / "head.zip", whole[:40]))).message
    await refused(shelf, zipped(tmp_path / "empty.zip", {}))
    await refused(shelf, zipped(tmp_path / "other.zip", {"a.json": {"x": 1}, "b.txt": b"hi"}))
    nested = zipped(tmp_path / "nested.zip", {"inner.zip": whole})
    assert "another archive" in (await refused(shelf, nested)).message


async def test_an_archive_with_a_password(shelf: Store, tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"conversations.json": [simple()]})
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)
    assert "password" in (await refused(shelf, path)).message


async def test_bombs(shelf: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_, "RATIO_FROM", 1_000_000)
    zeros = zipped(tmp_path / "zeros.zip", {"conversations.json": b" " * 20_000_000})
    assert "far more" in (await refused(shelf, zeros)).message
    monkeypatch.setattr(archive_, "UNPACKED_BYTES", 100_000)
    much = zipped(tmp_path / "much.zip", {f"{n}.json": os.urandom(20_000) for n in range(10)})
    assert "of JSON" in (await refused(shelf, much)).message
    monkeypatch.setattr(archive_, "ENTRIES", 50)
    many = zipped(tmp_path / "many.zip", {f"{n}": b"" for n in range(60)})
    assert "60 files" in (await refused(shelf, many)).message


async def test_an_entry_that_lies_about_its_size(shelf: Store, tmp_path: Path) -> None:
    """It says that it is small, and would unpack to a gigabyte: no more than it says is unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(b"[" + b" " * 1_000_000) for _ in range(200)) + packer.flush()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("conversations.json", packed)
        archive.writestr("conversations-001.json", json.dumps([simple()]))
    data = bytearray(held.getvalue())
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = data.index(mark)
        data[at + method : at + method + 2] = b"\x08\x00"
    path = written(tmp_path / "lie.zip", bytes(data))
    found = await bring(shelf, path)
    assert counts(found) == {"imported": 1, "failed": 1}
    assert found.report.items[0].title == "conversations.json"


async def test_paths_in_an_archive_lead_nowhere(shelf: Store, tmp_path: Path) -> None:
    home = tmp_path / "deep" / "er"
    home.mkdir(parents=True)
    names = ["../../evil.json", "/etc/conversations.json", "C:\\conversations.json", "a/../../conversations-001.json"]
    files: dict[str, Any] = {name: [simple(f"c{n}")] for n, name in enumerate(names)}
    path = zipped(home / "x.zip", files)
    before = sorted(tmp_path.rglob("*"))
    assert counts(await bring(shelf, path)) == {"imported": 4}
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_picture_that_is_none_or_too_large_is_told(shelf: Store, tmp_path: Path) -> None:
    def pictured(id: str, pointer: str) -> dict[str, Any]:
        part = {"content_type": "image_asset_pointer", "asset_pointer": f"sediment://{pointer}"}
        content = {"content_type": "multimodal_text", "parts": [part, "see"]}
        return chatgpt(id, [node(f"{id}q", None, "user", content=content)], f"{id}q")

    values = [pictured("bad", "file_00000001"), pictured("big", "file_00000002"), pictured("same", "file_00000003")]
    files = {"file_00000001.dat": b"MZ\0\0program", "file_00000002.png": PNG + b"x" * 3000, "file_00000003.png": PNG}
    path = zipped(tmp_path / "x.zip", {"conversations.json": [*values, pictured("too", "file_00000003")], **files})
    found = await bring(shelf, path, library=LibrarySettings(file_bytes=2000))
    told = {item.title: item.lost for item in found.report.items}
    assert told["About bad"] == ["1 file that could not be kept (of a kind that is not read)"]
    assert told["About big"] == ["1 file that could not be kept (too large)"]
    assert told["About same"] == told["About too"] == []
    assert len(await rows(shelf, "SELECT id FROM file")) == 1


async def test_imported_text_stays_as_it_was_written(shelf: Store, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> [x](javascript:alert(3))"
    await bring(shelf, written(tmp_path / "x.json", [simple("c1", answer=evil, title=evil)]))
    ((parts,),) = await shelf.fetch("SELECT parts FROM message WHERE role = 'assistant'")
    assert json.loads(parts) == [{"type": "text", "text": evil}]
    assert await rows(shelf, "SELECT title FROM conversation") == [(evil,)]


async def test_claudes_projects_hold_their_conversations(shelf: Store, tmp_path: Path) -> None:
    project = {
        "uuid": "p1",
        "name": "Zoo",
        "description": "",
        "prompt_template": "Be kind to cats.",
        "docs": [{"uuid": "d", "filename": "cats.md", "content": "# Cats"}],
        "created_at": "2025-01-01T00:00:00Z",
    }
    files = {
        "conversations.json": [claude(project={"uuid": "p1", "name": "Zoo"})],
        "projects.json": [project],
        "users.json": [{"uuid": "u"}],
    }
    path = zipped(tmp_path / "x.zip", files)
    assert counts(await bring(shelf, path)) == {"imported": 1}
    ((id, name, instructions, held),) = await shelf.fetch("SELECT id, name, instructions, files FROM project")
    assert (name, instructions) == ("Zoo", "Be kind to cats.")
    assert await rows(shelf, "SELECT project FROM conversation") == [(id,)]
    assert [tuple(row) for row in await shelf.fetch("SELECT id, name FROM file")] == [(json.loads(held)[0], "cats.md")]
    assert counts(await bring(shelf, path)) == {"unchanged": 1}
    assert len(await rows(shelf, "SELECT id FROM project")) == 1


async def own(store: Store, tmp_path: Path) -> str:
    """A conversation of ann's with branches, a file, an answer that failed, and facts."""
    await store.write(
        (
            "INSERT INTO file(id, member, name, media, bytes, sha256, data, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [("file_0123456789abcdef", "mem_ann", "dot.png", "image/png", len(PNG), "x", PNG, S)],
        )
    )
    id = await conversation(store, "ann", "Plans", models='["fast"]')
    picture = {
        "type": "file",
        "file": "file_0123456789abcdef",
        "name": "dot.png",
        "media": "image/png",
        "bytes": len(PNG),
    }
    asked = await say(store, "ann", id, "", parts=[picture, {"type": "text", "text": "What is it?"}])
    facts = {"asked": "fast", "answered": "m-1", "maker": "acme", "cost": "0.01", "currency": "USD", "input": 7}
    tool = {"type": "tool", "id": "t", "server": "s", "name": "n", "arguments": "{}", "state": "done", "result": "r"}
    parts = [tool, {"type": "text", "text": "A dot."}]
    await say(store, "ann", id, "", asked, role="assistant", model="fast", facts=facts, parts=parts, bunch="g")
    await say(store, "ann", id, "half", asked, role="assistant", state="failed", error='{"code":"x","message":"y"}')
    await store.write(
        (
            "INSERT INTO prompt(id, member, name, text, created_at, updated_at) "
            "VALUES ('p', 'mem_ann', 'P', 'T', 1, 1)",
            [()],
        ),
        (
            "INSERT INTO project(id, member, parent, name, kind, created_at, updated_at) "
            "VALUES (?, 'mem_ann', ?, ?, 'project', 1, 1)",
            [("pr1", None, "Outer"), ("pr2", "pr1", "Inner")],
        ),
        (
            "INSERT INTO memory(id, member, text, state, created_at, updated_at) "
            "VALUES ('me', 'mem_ann', 'Likes dots', 'approved', 1, 1)",
            [()],
        ),
        ("UPDATE conversation SET project = 'pr2' WHERE id = ?", [(id,)]),
    )
    return id


@pytest.mark.parametrize("ending", [".zip", ".json"])
async def test_our_own_export_comes_back(shelf: Store, tmp_path: Path, ending: str) -> None:
    id = await own(shelf, tmp_path)
    target = tmp_path / f"all{ending}"
    await export.save(shelf, member("ann"), target)
    before = await contents(shelf)
    assert counts(await bring(shelf, target)) == {"unchanged": 1}  # into the account that it came from
    assert await contents(shelf) == before
    found = await bring(shelf, target, "mem_ben")
    assert counts(found) == {"imported": 1}
    assert counts(await bring(shelf, target, "mem_ben")) == {"unchanged": 1}
    ((copy, title, models, source, source_id),) = await shelf.fetch(
        "SELECT id, title, models, source, source_id FROM conversation WHERE member = 'mem_ben'"
    )
    assert (title, models, source, source_id) == ("Plans", '["fast"]', "freehold", id)

    async def tree(of: str) -> list[Any]:
        sql = f"SELECT {MESSAGE} FROM message WHERE conversation = ? ORDER BY created_at, id"
        read = [message(row) for row in await shelf.fetch(sql, of)]
        return [
            (m.role, m.state, m.model, m.group, m.facts, m.error, [type(p).__name__ for p in m.parts], m.text)
            for m in read
        ]

    theirs, ours = await tree(copy), await tree(id)
    if ending == ".zip":
        assert theirs == ours
        ((data,),) = await shelf.fetch("SELECT data FROM file WHERE member = 'mem_ben'")
        assert bytes(data) == PNG
    else:
        assert found.report.items[0].lost == ["1 image not in the export"]
        assert theirs[1:] == ours[1:]
    assert await rows(shelf, "SELECT name, text FROM prompt WHERE member = 'mem_ben'") == [("P", "T")]
    assert await rows(shelf, "SELECT text, state FROM memory WHERE member = 'mem_ben'") == [("Likes dots", "proposed")]
    assert await rows(
        shelf,
        "SELECT p.name, o.name FROM conversation c JOIN project p ON p.id = c.project "
        "JOIN project o ON o.id = p.parent WHERE c.member = 'mem_ben'",
    ) == [("Inner", "Outer")]


async def test_one_exported_conversation_comes_back(shelf: Store, tmp_path: Path) -> None:
    id = await own(shelf, tmp_path)
    _, _, document = await export.conversation_document(shelf, "mem_ann", id)
    path = written(
        tmp_path / "one.json", msgspec.json.encode({"format": "freehold.conversation", "version": 1, **document})
    )
    assert counts(await bring(shelf, path, "mem_ben")) == {"imported": 1}


async def test_two_imports_at_once_make_no_doubles(shelf: Store, tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", [simple(f"c{n}") for n in range(100)])
    await asyncio.gather(bring(shelf, path), bring(shelf, path))
    assert len(await rows(shelf, "SELECT id FROM conversation")) == 100
    assert len(await rows(shelf, "SELECT id FROM message")) == 200


async def test_the_report_tells_first_what_was_lost_and_is_bounded(shelf: Store, tmp_path: Path) -> None:
    hidden = {"metadata": {"is_visually_hidden_from_conversation": True}}
    values = [simple(f"c{n}") for n in range(1100)]
    values[1050]["mapping"]["h"] = node("h", None, "user", "x", **hidden)
    found = await bring(shelf, written(tmp_path / "x.json", values))
    assert (found.report.items_total, len(found.report.items)) == (1100, 1000)
    assert found.report.items[0].lost == ["1 hidden message"]
