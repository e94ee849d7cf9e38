"""Servers of tools on the running system: from the configuration to an answer, over both ways, and no process left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from freehold.ledger.entry import decode
from tests.conftest import Starter
from tests.e2e.page import Page, text
from tests.system import ROOT, System, command_line, config, deployment, free_port, tree, until
from tests.vendor import Vendor

PROGRAM = ROOT / "tests" / "unit" / "assist" / "tool_server.py"


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[str]:
    """The URL of a real server of tools over HTTP."""
    port = free_port()
    with (tmp_path / "workshop.log").open("wb") as out:
        process = subprocess.Popen((sys.executable, str(PROGRAM), "http", str(port)), stdout=out, stderr=out)
    deadline = time.monotonic() + 30
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/none", timeout=5).close()
        except HTTPError as e:
            e.close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


def children(system: System) -> list[int]:
    return [pid for pid in tree(system.pid) if "tool_server.py" in command_line(pid)]


def written(vendor: Vendor, tools: str) -> str:
    return config(deployment("tooled", vendor.url, "ok;tools=once", price=("1", "2")), tools)


async def test_tools_from_the_configuration_to_an_answer(system: Starter, vendor: Vendor, workshop: str) -> None:
    child = f'[tools.shop]\nkind = "stdio"\ncommand = ["{sys.executable}", "{PROGRAM}", "stdio"]\n'
    far = f'[tools.far]\nkind = "http"\nurl = "{workshop}"\nallow = "always"\ntools = {{ boom = "never" }}\n'
    running = system(written(vendor, child + far))
    olga = await Page(running).enter()
    for _ in range(100):
        listed = {each["name"]: each for each in await olga.ask("GET", "/tools")}
        if all(listed[name]["state"] == "ready" for name in ("shop", "far")):
            break
        await asyncio.sleep(0.1)
    assert {tool["name"]: tool["allow"] for tool in listed["far"]["tools"]}["boom"] == "never"
    assert {tool["allow"] for tool in listed["shop"]["tools"]} == {"ask"}
    await olga.ask("PUT", "/tools/far/boom", {"allow": "always"}, 403)
    await olga.ask("PUT", "/tools/shop/add", {"allow": "never"})

    talk = await olga.begin(tools=["shop", "far"])
    posted = await olga.turn(talk, "use far__echo please", "tooled")
    done = await olga.ended(talk, posted["answers"][0]["id"])
    assert done["state"] == "done" and "the tool says" in text(done)
    waits = await olga.turn(talk, "use shop__echo please", "tooled", parent=done["id"])
    waiting = await olga.ended(talk, waits["answers"][0]["id"])
    assert waiting["state"] == "waiting"
    (use,) = [part for part in waiting["parts"] if part["type"] == "tool"]
    acts = [decode(bytes(row["data"])).note for row in running.entries("kind = 2")]
    assert [json.loads(act)["server"] for act in acts if '"act":"tool"' in act] == ["far"]
    await olga.ask("POST", f"/messages/{waiting['id']}/tools/{use['id']}", {"allow": "once"})
    await olga.until(talk, lambda o: not o["conversation"]["running"] and o["messages"][-1]["state"] == "done")
    acts = [decode(bytes(row["data"])).note for row in running.entries("kind = 2")]
    assert [json.loads(act)["server"] for act in acts if '"act":"tool"' in act] == ["far", "shop"]

    (pid,) = children(running)
    running.configure(written(vendor, far))
    running.reload()
    until(lambda: not command_line(pid), what="a server that is no longer configured has ended")
    assert [each["name"] for each in await olga.ask("GET", "/tools")] == ["memory", "far"]
    await olga.close()


async def test_a_child_ends_with_its_worker_and_with_the_server(system: Starter, vendor: Vendor) -> None:
    child = f'[tools.shop]\nkind = "stdio"\ncommand = ["{sys.executable}", "{PROGRAM}", "stdio"]\n'
    running = system(written(vendor, child))
    olga = await Page(running).enter()
    await olga.ask("GET", "/tools")
    (first,) = until(lambda: children(running), what="it is started")
    os.kill(running.workers()[0], signal.SIGKILL)
    until(lambda: not command_line(first), what="it ends with its worker")
    running.wait()
    await olga.close()
    olga = await Page(running).enter("/api/session")
    await olga.ask("GET", "/tools")
    (second,) = until(lambda: children(running), what="it is started again")
    await olga.close()
    running.stop()
    assert not command_line(second)
