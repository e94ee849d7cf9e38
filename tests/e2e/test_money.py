"""Promises 5 and 7: budgets and limits hold under concurrency and across processes; the vendor's usage is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from freehold.ledger.entry import FIELDS
from tests.conftest import Starter
from tests.e2e.conftest import Opener
from tests.e2e.traffic import Got, many, streamed, whole
from tests.system import System, config, deployment
from tests.vendor import Vendor

NANO = 1_000_000_000
FIXED = deployment("fixed", "{vendor}", "ok;in=20;out=10", price=("100", "100"))  # 30 tokens: 0.003 USD a call
COST = 3_000_000
COST_AT, RESERVED_AT = FIELDS.index("cost"), FIELDS.index("reserved")
Caller = Callable[..., Coroutine[Any, Any, Got]]


def limited(system: Starter, vendor: Vendor, limit: str, workers: int, store: str = "sqlite:///freehold.db") -> System:
    text = config(FIXED.replace("{vendor}", vendor.url), workers=workers, store=store)
    return system(text, key=("--limit", limit))


@pytest.mark.parametrize("workers", [1, 4])
async def test_a_request_limit_is_exact(system: Starter, vendor: Vendor, workers: int, store: str) -> None:
    house = limited(system, vendor, "requests=40/day", workers, store)
    async with house.client() as client:
        got = await many(client, "fixed", 128)
    good = [g for g in got if g.status == 200]
    bad = [g for g in got if g.status != 200]
    assert len(good) == len(vendor.seen) == 40
    assert {g.status for g in bad} == {429}
    assert all(g.error is not None and g.error["code"] == "rate_limit_exceeded" for g in bad)
    assert all(int(g.headers["retry-after"]) > 0 for g in bad)


@pytest.mark.parametrize("workers", [1, 4])
async def test_a_budget_is_never_passed(system: Starter, vendor: Vendor, workers: int, store: str) -> None:
    """0.1 USD and calls of 0.003: at most 33 of 256; and no money is lost to reservations that were given back."""
    house = limited(system, vendor, "budget=0.1 USD/day", workers, store)
    async with house.client() as client:
        got = await many(client, "fixed", 256, max_tokens=12)
        for _ in range(60):  # one after the other, until nothing fits any more
            got.append(await whole(client, "fixed", max_tokens=12))
    bad = [g for g in got if g.status != 200]
    assert {g.status for g in bad} == {429}
    assert {g.error["code"] for g in bad if g.error} == {"insufficient_quota"}
    spent = sum(row["cost"] for row in house.outcomes())
    assert spent == COST * len(vendor.seen)
    assert spent <= NANO // 10
    assert spent >= NANO // 10 * 0.8, "reservations were not given back"


async def test_budgets_outlive_a_restart(system: Starter, vendor: Vendor, store: str) -> None:
    house = limited(system, vendor, "requests=10/day", 2, store)
    async with house.client() as client:
        first = await many(client, "fixed", 6)
    assert {g.status for g in first} == {200}
    assert house.stop() == 0
    house.start()
    async with house.client() as client:
        second = await many(client, "fixed", 20)
    assert len([g for g in second if g.status == 200]) == 4


async def test_a_token_limit_counts_what_the_vendor_states(system: Starter, vendor: Vendor) -> None:
    house = limited(system, vendor, "tokens=300/day", 1)
    async with house.client() as client:
        got = [await whole(client, "fixed", max_tokens=12) for _ in range(20)]
    used = 30 * len([g for g in got if g.status == 200])
    assert 240 <= used <= 300


async def test_calls_that_fail_cost_nothing(system: Starter, vendor: Vendor) -> None:
    dead = deployment("dead", vendor.url, "status;code=400", price=("100", "100"), more="retries = 0")
    house = system(config(dead, FIXED.replace("{vendor}", vendor.url)), key=("--limit", "budget=0.05 USD/day"))
    async with house.client() as client:
        assert {g.status for g in await many(client, "dead", 100, at_once=4, max_tokens=12)} == {400}
        got = await many(client, "fixed", 10, at_once=1, max_tokens=12)
    assert {g.status for g in got} == {200}


@pytest.mark.parametrize("call", [whole, streamed])
async def test_a_client_that_leaves_gives_its_reservation_back(system: Starter, vendor: Vendor, call: Caller) -> None:
    """What it sent is charged, by estimate: the vendor may have worked on it. What it might have got is not."""
    slow = deployment("slow", vendor.url, "hang", price=("100", "100"))
    house = system(config(slow, FIXED.replace("{vendor}", vendor.url)), key=("--limit", "budget=0.2 USD/day"))
    async with house.client() as client:
        waiting = [asyncio.create_task(call(client, "slow", max_tokens=100)) for _ in range(10)]
        await asyncio.sleep(0.5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0.3)
    left = house.outcomes("deployment = ?", "slow")
    assert len(left) == len(vendor.seen) == 10
    assert {(row["status"], row["error"], row["output"]) for row in left} == {(499, "client_gone", 0)}
    assert all(row["input"] > 0 and row["cost"] == row["input"] * 100_000 for row in left)
    spent, reserved = (sum(json.loads(bytes(row["data"]))[at] for row in left) for at in (COST_AT, RESERVED_AT))
    assert reserved + 24 * COST > NANO // 5 > spent + 24 * COST, "the next assertion would prove nothing"
    async with house.client() as client:
        got = await many(client, "fixed", 24, at_once=1, max_tokens=12)
    assert {g.status for g in got} == {200}


USAGES = {
    "plain": "ok;in=123;out=45;cached=100;reasoning=30",
    "each": "usage_each;in=123;out=45;cached=100;reasoning=30",
    "silent": "no_usage",
}


@pytest.fixture(scope="module")
def house(shared_vendor: Vendor, opened: Opener) -> System:
    parts = [deployment(n, shared_vendor.url, act, price=("2.5", "10")) for n, act in USAGES.items()]
    return opened(config(*parts))


@pytest.mark.parametrize("route", ["plain", "each"])
async def test_usage_is_believed_verbatim(house: System, behind: Vendor, route: str) -> None:
    async with house.client() as client:
        one = await whole(client, route)
        two = await streamed(client, route)
        three = await streamed(client, route, stream_options={"include_usage": True})
    rows = [house.outcomes("call = ?", got.call)[0] for got in (one, two, three)]
    for row in rows:
        assert (row["input"], row["output"], row["cached"]) == (123, 45, 100)
    assert len({row["cost"] for row in rows}) == 1, "streamed and whole cost the same"
    asked = [seen.json().get("stream_options") for seen in behind.seen]
    assert asked == [None, {"include_usage": True}, {"include_usage": True}]


async def test_an_estimate_is_marked_as_one(house: System, behind: Vendor) -> None:
    async with house.client() as client:
        got = [await whole(client, "silent", "a few words to count"), await streamed(client, "silent", "a few words")]
    for one in got:
        row = house.outcomes("call = ?", one.call)[0]
        assert row["input"] > 0 and row["output"] > 0
        assert b"true" in bytes(row["data"]), "the entry says that this is an estimate"
