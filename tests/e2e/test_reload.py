"""Promise 10: a reload is atomic, and keys end at once. Graceful shutdown lets streams finish."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.conftest import Starter
from tests.e2e.traffic import Got, streamed, whole
from tests.system import System, config, deployment, until
from tests.vendor import Vendor


def routes(house: System) -> set[str]:
    reply = httpx2.get(house.url + "/v1/models", headers={"authorization": f"Bearer {house.key}"}, trust_env=False)
    return {card["id"] for card in reply.json()["data"]}


def logged(house: System, text: str, since: int) -> bool:
    return text in house.log.read_text()[since:]


BAD = {
    "no TOML": "[server\n",
    "an unknown field": '[deployments.a]\nkind = "openai"\nendpoint = "http://127.0.0.1:9"\nmodel = "x"\nmodle = "y"\n',
    "a route to nowhere": '[routes.a]\ndeployments = ["nobody"]\n',
    "a secret that is not there": (
        '[deployments.a]\nkind = "openai"\nendpoint = "http://127.0.0.1:9/v1"\nmodel = "x"\nkey = { env = "NOT_SET" }\n'
    ),
}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_good_file_takes_effect_and_a_bad_one_changes_nothing(system: Starter, vendor: Vendor, workers: int) -> None:
    one = deployment("one", vendor.url, "ok")
    house = system(config(one, workers=workers))
    assert routes(house) == {"one"}
    for what, text in BAD.items():
        size = len(house.log.read_text())
        house.configure(config(one, deployment("two", vendor.url, "ok"), text, workers=workers))
        house.reload()
        until(lambda size=size: logged(house, "old one stays in force", size), 5, what=f"word about {what}")
        for _ in range(4):
            assert routes(house) == {"one"}, what
    house.configure(config(one, deployment("two", vendor.url, "ok"), workers=workers))
    house.reload()
    until(lambda: routes(house) == {"one", "two"}, 5)
    for _ in range(8):
        assert routes(house) == {"one", "two"}


def test_the_file_is_watched(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("one", vendor.url, "ok")))
    house.configure(config(deployment("one", vendor.url, "ok"), deployment("two", vendor.url, "ok")))
    until(lambda: routes(house) == {"one", "two"}, 10)
    done = house.json("reload")
    assert "deployments.two.model" in done["changed"], "what was read a moment ago is told"
    acts = [act for act in house.json("audit") if act["act"] == "settings.reload"]
    assert [act["by"] for act in acts] == ["the file"]


async def test_no_call_fails_while_the_configuration_changes(system: Starter, vendor: Vendor) -> None:
    """Each call sees one configuration, whole: the answer is always by a deployment that the route had."""
    texts = [
        config(deployment(name, vendor.url, "ok"), f'[routes.it]\ndeployments = ["{name}"]\n', workers=2)
        for name in ("left", "right")
    ]
    house = system(texts[0])
    got: list[Got] = []
    stop = asyncio.Event()

    async def call(client: httpx2.AsyncClient) -> None:
        while not stop.is_set():
            got.append(await whole(client, "it"))

    async with house.client() as client:
        tasks = [asyncio.create_task(call(client)) for _ in range(4)]
        for n in range(1, 7):
            await asyncio.sleep(0.3)
            house.configure(texts[n % 2])
            house.reload()
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*tasks)
    assert {g.status for g in got} == {200}
    assert {g.headers["x-freehold-deployment"] for g in got} == {"left", "right"}
    assert got[-1].headers["x-freehold-deployment"] == "left"
    assert len(house.outcomes()) == len({g.call for g in got}) == len(got)


async def test_a_stream_outlives_a_reload(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("slow", vendor.url, "ok;every=40;more=8")))
    async with house.client() as client:
        task = asyncio.create_task(streamed(client, "slow"))
        await asyncio.sleep(0.3)
        house.configure(config(deployment("other", vendor.url, "ok")))
        house.reload()
        got = await task
        assert got.done and got.text.endswith("and so on")
        assert (await whole(client, "other")).status == 200
        assert (await whole(client, "slow")).status == 404


@pytest.mark.parametrize("workers", [1, 4])
async def test_a_revoked_key_ends_at_once(system: Starter, vendor: Vendor, workers: int, store: str) -> None:
    house = system(config(deployment("one", vendor.url, "ok"), workers=workers, store=store))
    other = house.new_key("other")
    async with house.client() as client:
        client.headers["authorization"] = f"Bearer {other['key']}"
        until_known = time.perf_counter() + 3
        while (await whole(client, "one")).status != 200 and time.perf_counter() < until_known:
            await asyncio.sleep(0.02)
        house.cli("keys", "revoke", "other")
        revoked = time.perf_counter()
        refused = 0
        while refused < 20 and time.perf_counter() < revoked + 3:
            refused = refused + 1 if (await whole(client, "one")).status == 401 else 0
        assert refused == 20, "still let in after 3 s"
        client.headers["authorization"] = f"Bearer {house.key}"
        assert (await whole(client, "one")).status == 200


async def test_keys_have_routes_and_an_end(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("one", vendor.url, "ok"), deployment("two", vendor.url, "ok")))
    narrow = house.new_key("narrow", "--route", "one")["key"]
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat(timespec="seconds")
    brief = house.new_key("brief", "--expires", soon)["key"]
    async with house.client() as client:
        client.headers["authorization"] = f"Bearer {narrow}"
        async with asyncio.timeout(5):
            while (await whole(client, "one")).status != 200:
                await asyncio.sleep(0.02)
        assert (await whole(client, "two")).status == 403
        assert [c["id"] for c in (await client.get("/v1/models")).json()["data"]] == ["one"]
        client.headers["authorization"] = f"Bearer {brief}"
        await asyncio.sleep(3.5)
        assert (await whole(client, "one")).status == 401


async def test_shutdown_lets_streams_finish(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("slow", vendor.url, "ok;every=30;more=15"), workers=2))
    async with house.client() as client:
        tasks = [asyncio.create_task(streamed(client, "slow")) for _ in range(6)]
        await asyncio.sleep(0.5)
        assert house.process is not None
        os.kill(house.pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        with pytest.raises((httpx2.HTTPError, OSError)):
            async with house.client(timeout=2) as late:
                await whole(late, "slow")
        got = await asyncio.gather(*tasks)
    assert all(g.done and g.text.endswith("and so on") for g in got)
    assert await asyncio.to_thread(house.process.wait, 10) == 0
    assert {row["error"] for row in house.outcomes()} == {""}
    assert len(house.outcomes()) == 6


async def test_shutdown_ends_streams_that_take_too_long(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("slow", vendor.url, "ok;every=50;more=2000"), server="shutdown_seconds = 1"))
    async with house.client() as client:
        task = asyncio.create_task(streamed(client, "slow"))
        await asyncio.sleep(0.4)
        began = time.perf_counter()
        assert await asyncio.to_thread(house.stop) == 0
        assert time.perf_counter() - began < 8
        results = await asyncio.gather(task, return_exceptions=True)
    broken = results[0]
    assert isinstance(broken, httpx2.HTTPError) or (isinstance(broken, Got) and not broken.done)
    assert len(house.outcomes()) == 1, "the outcome of the cut call is on record"


def test_only_one_server_for_a_store(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("one", vendor.url, "ok")))
    done = house.cli("serve", check=False)
    assert done.returncode != 0
    assert re.search(r"already running from this folder", done.stderr + done.stdout)
    assert house.ready()
