"""Promise 1 at the ledger: kill -9 at any moment loses no acknowledged Entry and breaks no chain."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freehold import store as stores
from freehold.ledger import Query, entries, recover, usage_since, verify
from freehold.ledger.bodies import read
from freehold.ledger.recover import open_intents

ROUNDS = 20  # for each durability


@pytest.fixture
def nursery() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("nursery.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("durability", ["strict", "batched"])
async def test_kill_loses_nothing_that_was_acknowledged(
    nursery: subprocess.Popen[str], tmp_path: Path, durability: str
) -> None:
    assert nursery.stdin is not None and nursery.stdout is not None
    path, acked = tmp_path / "freehold.db", tmp_path / "freehold.db.acked"
    chance = random.Random(durability)
    for number in range(ROUNDS):
        before = acked.stat().st_size if acked.exists() else 0
        nursery.stdin.write(f"{path} {durability} {number}\n")
        pid = int(nursery.stdout.readline())
        deadline = time.monotonic() + 20
        while not (acked.exists() and acked.stat().st_size > before):  # it is under load from here on
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.random() * 0.04)
        os.kill(pid, signal.SIGKILL)
        assert int(nursery.stdout.readline()) == -signal.SIGKILL, "the writer ended by itself"

    store = await stores.open(f"sqlite:///{path}")
    try:
        verdict = await verify(store)
        assert verdict.ok, verdict
        promised = acked.read_text().split("\n")
        assert promised.pop() == ""
        there = {row.entry.call async for row in entries(store, Query())}
        assert len(promised) >= ROUNDS and not set(promised) - there
        assert (await read(store, promised[-1]))[0].media == "text/plain", "texts are committed with their entry"
        orphans = await open_intents(store)
        assert await recover(store) == len(orphans)
        assert await open_intents(store) == []
        cost = sum(use.cost for use in await usage_since(store))
        assert cost == 3 * len(there) + 100 * len(orphans), "a budget sees each call once"
        assert (await verify(store)).ok
    finally:
        await store.close()
