"""Answers live on the server: workers that are killed, a server that is restarted, tabs that close. On both engines."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import Starter
from tests.e2e.page import Page, one, text
from tests.system import System, config, deployment
from tests.vendor import Vendor

SLOW = "You said: go" + " and so on" * 90


@pytest.fixture
def house(system: Starter, vendor: Vendor, store: str) -> System:
    """Two workers, and a model that takes some seconds for an answer."""
    slow = deployment("slow", vendor.url, "ok;every=15;more=90", price=("1", "2"), more="retries = 0")
    return system(config(slow, deployment("plain", vendor.url, "ok"), workers=2, store=store), key=None)


@pytest.fixture
async def olga(house: System) -> AsyncIterator[Page]:
    page = await Page(house).enter()
    yield page
    await page.close()


def holder(house: System, message: str) -> int:
    """The process that makes the answer."""
    rows = house.sql("SELECT holder FROM run WHERE message = ?", message)
    return int(rows[0]["holder"].rpartition("@")[2].split(":")[1]) if rows else 0


async def test_a_killed_worker_loses_no_more_than_a_moment(house: System, olga: Page) -> None:
    talk = await olga.begin()
    posted = await olga.turn(talk, "go", "slow")
    id = posted["answers"][0]["id"]
    async with olga.follow(talk) as screen, olga.follow(talk) as second:
        queued = await olga.turn(talk, "next", "plain", parent=id)
        assert queued["queued"]
        await screen.until(lambda s: id in s.messages and len(text(s.messages[id])) > 150)
        pid = holder(house, id)
        assert pid in house.workers()
        seen = len(text(screen.messages[id]))
        os.kill(pid, signal.SIGKILL)
        for one_screen in (screen, second):
            await one_screen.until(lambda s: s.messages[id]["state"] == "interrupted")
            kept = text(one_screen.messages[id])
            assert SLOW.startswith(kept) and len(kept) > seen - 150 and one_screen.gaps == 0
        await olga.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
        await screen.until(lambda s: any(text(m) == "You said: next" for m in s.messages.values()))
    resumed = await olga.ask("POST", f"/messages/{id}/continue")
    assert resumed["message"]["state"] == "running"
    done = await olga.ended(talk, id)
    assert done["state"] == "done" and text(done).startswith(kept)
    assert house.sql("SELECT COUNT(*) AS n FROM run")[0]["n"] == 0


async def test_a_restart_keeps_everything_and_the_queue_goes_on(house: System, olga: Page) -> None:
    talk = await olga.begin()
    posted = await olga.turn(talk, "go", "slow")
    id = posted["answers"][0]["id"]
    await olga.turn(talk, "and then", "plain", parent=id)
    await olga.until(talk, lambda o: len(text(one(o, id))) > 100)
    await asyncio.to_thread(house.kill_tree)
    await asyncio.to_thread(house.start)
    cut = await olga.until(talk, lambda o: one(o, id, "interrupted"))
    assert SLOW.startswith(text(cut)) and text(cut)
    await olga.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
    assert text((await olga.open(talk))["messages"][-1]) == "You said: and then"
    third = await olga.turn(talk, "go", "slow")
    await olga.until(talk, lambda o: len(text(one(o, third["answers"][0]["id"]))) > 100)
    assert await asyncio.to_thread(house.stop) == 0, "a server that ends waits for no answer"
    await asyncio.to_thread(house.start)
    ended = one(await olga.open(talk), third["answers"][0]["id"])
    assert ended["state"] == "interrupted" and SLOW.startswith(text(ended)) and len(text(ended)) > 100


async def test_a_closed_tab_loses_nothing(house: System, olga: Page) -> None:
    talk = await olga.begin()
    posted = await olga.turn(talk, "go", "slow")
    id = posted["answers"][0]["id"]
    async with olga.follow(talk) as screen:
        await screen.until(lambda s: s.deltas > 3)
    done = await olga.ended(talk, id)
    assert done["state"] == "done" and text(done) == SLOW
    tabs: list[Any] = []
    async with olga.follow(talk) as screen:
        await screen.until(lambda s: id in s.messages)
        tabs.append(screen.messages[id])
    assert tabs == [done]


async def test_many_at_once_on_two_workers(olga: Page, vendor: Vendor) -> None:
    """Twelve turns of one conversation at one moment, over both workers, each sent twice: each is asked once, one after
    the other."""
    talk = await olga.begin()
    first = await olga.turn(talk, "go", "slow")
    posts = await asyncio.gather(*(olga.turn(talk, f"turn {n}", "plain", id=f"t{n % 6}") for n in range(12)))
    assert len({post["message"]["id"] for post in posts}) == 6
    await olga.ask("POST", f"/messages/{first['answers'][0]['id']}/stop")
    held = await olga.until(talk, lambda o: o if o["held"] else None)
    assert len(held["queue"]) == 6
    await olga.ask("POST", f"/messages/{held['queue'][0]['id']}/send")
    await olga.until(talk, lambda o: not o["queue"] and not o["conversation"]["running"])
    messages = (await olga.open(talk))["messages"]
    assert len(messages) == 14 and len(vendor.seen) == 7
    assert [m["parent"] for m in messages[1:]] == [m["id"] for m in messages[:-1]]
    asked = [text(m) for m in messages if m["role"] == "user"]
    assert asked[1:] == [text(m) for m in held["queue"]], "in the order in which they came"
