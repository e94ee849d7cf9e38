"""Moving in, on the running system: over HTTP and by the command, cut off by a kill and done again, and then used."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Starter
from tests.e2e.person import Person
from tests.system import command_line, config, deployment, tree, until
from tests.vendor import Vendor

START = 1_760_000_000.0


def node(id: str, parent: str | None, role: str | None, text: str = "", at: float = START) -> dict[str, Any]:
    message = {
        "id": id,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "content": {"content_type": "text", "parts": [text]},
        "metadata": {"model_slug": "gpt-5"} if role == "assistant" else {},
        "recipient": "all",
    }
    return {"id": id, "parent": parent, "children": [], "message": message if role else None}


def talk(id: str, words: str = "") -> dict[str, Any]:
    """A conversation with two answers to one question, the older one shown."""
    nodes = [
        node(f"{id}-r", None, None),
        node(f"{id}-q", f"{id}-r", "user", f"What is a zebra? {words}"),
        node(f"{id}-1", f"{id}-q", "assistant", "A horse with stripes.", START + 1),
        node(f"{id}-2", f"{id}-q", "assistant", "An animal of Africa.", START + 2),
    ]
    return {
        "title": f"Zebras {id}",
        "create_time": START,
        "update_time": START + 9,
        "mapping": {each["id"]: each for each in nodes},
        "current_node": f"{id}-1",
        "conversation_id": id,
    }


def archive(path: Path, count: int, words: str = "") -> Path:
    """A sharded export, as it comes today."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for shard in range(0, count, 100):
            talks = [talk(f"c{n}", words) for n in range(shard, min(shard + 100, count))]
            out.writestr(f"conversations-{shard // 100:03}.json", json.dumps(talks))
        out.writestr("user.json", "{}")
        out.writestr("chat.html", "<html>")
    return path


@pytest.mark.parametrize("workers", [1, 2])
async def test_moving_in_and_going_on(
    system: Starter, vendor: Vendor, store: str, workers: int, tmp_path: Path
) -> None:
    running = system(config(deployment("plain", vendor.url, "ok", price=("1", "2")), store=store, workers=workers))
    olga = await Person(running).first()
    id = await olga.send(archive(tmp_path / "export.zip", 150))
    done = await olga.ended(id)
    assert (done["state"], done["source"]) == ("done", "chatgpt")
    assert done["report"]["conversations"]["imported"] == 150
    assert done["report"]["items"][0]["branches"] == 2
    folder = running.home / ".freehold" / "imports"
    until(lambda: folder.is_dir() and not list(folder.glob("*")), what="the file is gone once its reader has ended")

    found = (await olga.call("GET", "/api/search?q=stripes&limit=5"))["items"]
    assert found
    place = found[0]["conversation"]
    whole = await olga.call("GET", f"/api/conversations/{place}")
    assert whole["conversation"]["source"] == "chatgpt"
    leaf = next(each for each in whole["messages"] if each["id"] == whole["conversation"]["leaf"])
    assert leaf["parts"] == [{"type": "text", "text": "A horse with stripes."}]
    assert (leaf["origin"], leaf["model"], leaf["facts"]["answered"]) == ("chatgpt", "gpt-5", "gpt-5")
    turn = {"parent": leaf["id"], "text": "And a quagga?", "files": [], "models": ["plain"]}
    posted = await olga.call("POST", f"/api/conversations/{place}/turns", json=turn)
    answer = posted["answers"][0]["id"]
    for _ in range(600):
        whole = await olga.call("GET", f"/api/conversations/{place}")
        state = next(each["state"] for each in whole["messages"] if each["id"] == answer)
        if state != "running":
            break
        await asyncio.sleep(0.02)
    assert state == "done"

    # The command brings the same export: nothing is double, and what was added here stays.
    told = running.json("import", str(tmp_path / "export.zip"), "--member", "olga")
    assert told["conversations"]["unchanged"] == 150
    again = await olga.call("GET", f"/api/conversations/{place}")
    assert len(again["messages"]) == len(whole["messages"]) == 5
    acts = [row["data"] for row in running.entries("kind = 2")]
    assert any(b"member.import" in bytes(act) for act in acts)
    await olga.client.aclose()


async def test_a_kill_in_the_middle_loses_nothing(system: Starter, vendor: Vendor, tmp_path: Path) -> None:
    running = system(config(deployment("plain", vendor.url, "ok")))
    olga = await Person(running).first()
    await olga.send(archive(tmp_path / "export.zip", 3000, "and so on " * 300))
    for _ in range(3000):
        if (await olga.call("GET", "/api/conversations?limit=1"))["items"]:
            break
        await asyncio.sleep(0.02)
    readers = [pid for pid in tree(running.pid) if "imports.child" in command_line(pid)]
    assert len(readers) == 1
    os.kill(running.workers()[0], signal.SIGKILL)
    until(lambda: not command_line(readers[0]), what="the reader ends with its worker")
    await olga.client.aclose()
    running.stop()
    running.start()
    told = running.json("import", str(tmp_path / "export.zip"), "--member", "olga", timeout=300)
    found = told["conversations"]
    assert found["imported"] + found["unchanged"] == 3000
    assert found["unchanged"] > 0
    assert running.sql("SELECT count(*) AS n FROM message")[0]["n"] == 9000
