"""Promise 1, the hard half: kill -9 at random moments under load, 200 times. After each: no Entry of a finished reply
is lost, the chain holds. Then, with a budget small enough to be reached, that it is not passed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from hashlib import sha256

import pytest

from tests.conftest import Starter
from tests.e2e.traffic import Got, Wire, body, whole
from tests.system import System, config, deployment
from tests.vendor import Vendor

KILLS = 200
CLIENTS = 8
SEED = int(os.environ.get("KILL_SEED", "0")) or random.randrange(1 << 30)


class Chain:
    """Follows the ledger's hash chain with code of our own, from where it stood at the last look."""

    def __init__(self, house: System) -> None:
        self.house = house
        self.seq, self.head = 0, bytes(32)
        self.done: set[str] = set()
        self.intents: dict[str, int] = {}

    def follow(self) -> None:
        """Read what is new; AssertionError at a gap or a wrong hash."""
        connection = sqlite3.connect(f"file:{self.house.database}?mode=ro", uri=True, timeout=10)
        try:
            ask = "SELECT seq, hash, data, kind, call FROM entry WHERE seq > ? ORDER BY seq"
            for seq, digest, data, kind, call in connection.execute(ask, (self.seq,)):
                assert seq == self.seq + 1, f"a gap before {seq}"
                self.head = sha256(self.head + data).digest()
                assert digest == self.head, f"the chain breaks at {seq}"
                self.seq = seq
                if kind == 1:
                    self.done.add(call)
        finally:
            connection.close()


async def client_loop(house: System, finished: list[Got], stop: asyncio.Event, number: int) -> None:
    """Call until told to stop; what was received whole is noted. Broken calls are what this test is about."""
    wire = Wire(house.port, house.key)
    while not stop.is_set():
        try:
            got = await asyncio.wait_for(wire.call(body("fixed", stream=bool(number % 2), max_tokens=12)), 5)
            if got.done:
                finished.append(got)
            else:
                await asyncio.sleep(0.01)
        except OSError:
            await asyncio.sleep(0.02)
    wire.close()


async def under_load(house: System, chance: random.Random, worker_only: bool) -> list[Got]:
    """Let clients call, kill at a random moment, and return the replies that they finished."""
    finished: list[Got] = []
    stop = asyncio.Event()
    clients = [asyncio.create_task(client_loop(house, finished, stop, n)) for n in range(CLIENTS)]
    await asyncio.sleep(chance.uniform(0.02, 0.25))
    if worker_only:
        os.kill(chance.choice(house.workers()), signal.SIGKILL)
        await asyncio.sleep(chance.uniform(0.05, 0.3))
    else:
        await asyncio.to_thread(house.kill_tree)
    stop.set()
    await asyncio.gather(*clients)
    return finished


@pytest.mark.parametrize("workers", [1, 2])
def test_two_hundred_kills(system: Starter, vendor: Vendor, workers: int) -> None:
    print(f"seed {SEED}: set KILL_SEED to it to see the same again")
    chance = random.Random(SEED + workers)
    vendor.record = False
    text = config(
        deployment("fixed", vendor.url, "ok;in=20;out=10;delay=2", price=("100", "100"), more="retries = 0"),
        workers=workers,
    )
    house = system(text, key=("--limit", "budget=30 USD/day"))  # more than these calls can spend
    chain = Chain(house)
    kills = total = 0
    began = time.perf_counter()
    while kills < KILLS // 2:
        for worker_only in (True, True, False):
            finished = asyncio.run(under_load(house, chance, worker_only))
            kills += 1
            total += len(finished)
            if worker_only:
                house.wait()
            chain.follow()
            lost = [got.call for got in finished if got.call not in chain.done]
            assert not lost, f"kill {kills}: {len(lost)} replies were finished and have no Entry"
        house.start()
    assert total > KILLS, "the load was too light to prove anything"
    print(f"{kills} kills, {total} finished replies, {chain.seq} entries, {time.perf_counter() - began:.0f} s")
    house.stop()
    chain.follow()
    verdict = house.json("ledger", "verify")
    assert verdict["ok"] is True
    assert closed(house), "each intent has an outcome once recovery has run"


def closed(house: System) -> bool:
    """Whether every intent has its outcome."""
    open_ones = house.sql(
        "SELECT call, attempt FROM entry i WHERE kind = 0 AND NOT EXISTS "
        "(SELECT 1 FROM entry o WHERE o.call = i.call AND o.attempt = i.attempt AND o.kind = 1)"
    )
    return not open_ones


def test_the_budget_holds_through_kills(system: Starter, vendor: Vendor, store: str) -> None:
    """A budget of 0.6 USD, calls of 0.003: whatever is killed when, the vendor never sees more than 200 calls."""
    chance = random.Random(SEED)
    text = config(
        deployment("fixed", vendor.url, "ok;in=20;out=10", price=("100", "100"), more="retries = 0"),
        workers=2,
        store=store,
    )
    house = system(text, key=("--limit", "budget=0.6 USD/day"))
    for _ in range(8):
        asyncio.run(under_load(house, chance, False))
        house.start()

    async def the_rest() -> int:
        async with house.client() as client:
            got = [await whole(client, "fixed", max_tokens=12) for _ in range(220)]
        return len([g for g in got if g.status == 429])

    refused = asyncio.run(the_rest())
    assert refused > 0
    assert len(vendor.seen) <= 200
    spent = sum(row["cost"] for row in house.outcomes())
    assert spent <= 600_000_000
