"""Promise 1: nothing leaves unrecorded. The vendor itself looks into the store when a request arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Starter
from tests.e2e.traffic import many, streamed, whole
from tests.system import BATCHED, STRICT, System, config, deployment
from tests.vendor import Seen, Vendor


def watch(vendor: Vendor, house: System) -> None:
    """Let the vendor note, before it answers, what the ledger says of each request."""

    def look(seen: Seen) -> list[str]:
        user = seen.json()["user"]
        rows = house.entries()
        return [row["kind"] for row in rows if f'"{user}"'.encode() in bytes(row["data"])]

    vendor.on_arrival = look


async def test_the_intent_is_there_when_the_vendor_sees_the_request(
    system: Starter, vendor: Vendor, store: str
) -> None:
    house = system(config(deployment("fine", vendor.url, "ok"), store=store))
    watch(vendor, house)
    async with house.client() as client:
        await asyncio.gather(*(whole(client, "fine") for _ in range(5)), *(streamed(client, "fine") for _ in range(5)))
    assert len(vendor.seen) == 10
    assert [seen.note for seen in vendor.seen] == [["intent"]] * 10
    outcomes = house.outcomes()
    assert len(outcomes) == 10
    assert {row["status"] for row in outcomes} == {200}
    assert all(row["error"] == "" for row in outcomes)


async def test_every_try_is_recorded_before_it_is_made(system: Starter, vendor: Vendor, store: str) -> None:
    house = system(
        config(
            deployment("first", vendor.url, "status;code=500", more="retries = 1"),
            deployment("second", vendor.url, "ok"),
            '[routes.both]\ndeployments = ["first"]\nfallback = ["second"]\n',
            store=store,
        )
    )
    watch(vendor, house)
    async with house.client() as client:
        got = await whole(client, "both")
    assert got.status == 200
    assert [seen.note.count("intent") for seen in vendor.seen] == [1, 2, 3]
    rows = house.entries("call = ?", got.call)
    tries = [(row["attempt"], row["deployment"], row["kind"]) for row in rows]
    assert tries == [
        (0, "first", "intent"),
        (0, "first", "outcome"),
        (1, "first", "intent"),
        (1, "first", "outcome"),
        (2, "second", "intent"),
        (2, "second", "outcome"),
    ]


@pytest.mark.parametrize("durability", [STRICT, BATCHED])
async def test_every_finished_reply_has_its_entry(system: Starter, vendor: Vendor, durability: str) -> None:
    house = system(config(deployment("fine", vendor.url, "ok"), ledger=durability, workers=2))
    async with house.client() as client:
        got = await many(client, "fine", 300)
    assert {g.status for g in got} == {200}
    assert len({g.call for g in got}) == 300
    assert house.stop() == 0
    done = {row["call"] for row in house.outcomes()}
    assert {g.call for g in got} == done
    verdict = house.json("ledger", "verify")
    assert verdict["ok"] is True


async def test_what_the_entry_says(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("fine", vendor.url, "ok;in=1000;out=10;cached=600", price=("2.00", "8.00"))))
    async with house.client() as client:
        got = await whole(client, "fine")
        again = await streamed(client, "fine")
    one, two = house.outcomes()
    assert one["call"] == got.call and two["call"] == again.call
    for row in (one, two):
        assert (row["asked"], row["sent"]) == ("fine", "ok;in=1000;out=10;cached=600")
        assert row["answered"] == "ok-2026-01-01"
        assert (row["maker"], row["seller"], row["host"]) == ("openai", "vendor-openai", "vendor-openai")
        assert (row["input"], row["output"], row["cached"]) == (1000, 10, 600)
        assert row["currency"] == "USD"
    assert one["cost"] == two["cost"] > 0
    assert got.headers["x-freehold-cost"] == f"{one['cost'] / 1e9:.9f} USD"
    assert got.headers["x-freehold-deployment"] == "fine"
    assert float(got.headers["x-freehold-overhead-ms"]) < 1000


async def test_the_callers_key_never_leaves(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("fine", vendor.url, "ok"), deployment("az", vendor.url, "ok", kind="azure")))
    async with house.client(cookies={"session": "private"}) as client:
        client.headers["x-private"] = "mine"
        await whole(client, "fine")
        await whole(client, "az")
    for seen in vendor.seen:
        sent: list[Any] = [value for _, value in seen.headers]
        assert not any(house.key in value or "private" in value or value == "mine" for value in sent)


def test_a_changed_ledger_is_noticed(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("fine", vendor.url, "ok")))

    async def calls() -> None:
        async with house.client() as client:
            for _ in range(3):
                await whole(client, "fine")

    asyncio.run(calls())
    house.stop()
    assert house.json("ledger", "verify")["ok"] is True
    import sqlite3

    with sqlite3.connect(house.database) as connection:
        changed = connection.execute("UPDATE entry SET cost = cost + 1 WHERE seq = 4").rowcount
    assert changed == 1
    done = house.cli("ledger", "verify", "--json", check=False)
    assert done.returncode != 0
