"""Promise 9: storage down has a documented behaviour, `refuse` or `spool`, never a hang; it recovers by itself."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.conftest import Starter
from tests.e2e.traffic import many, streamed, whole
from tests.system import System, config, deployment
from tests.vendor import Vendor

REFUSE = 'durability = "strict"\nbodies = "none"\nwhen_down = "refuse"'
SPOOL = 'durability = "strict"\nbodies = "none"\nwhen_down = "spool"'


@contextmanager
def locked(house: System) -> Iterator[None]:
    """Another process holds the database: no write gets through."""
    connection = sqlite3.connect(house.database, isolation_level=None, timeout=20)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def disk_full(house: System) -> Iterator[None]:
    """No file of the workers may grow or be written: what a full disk does to them."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in house.workers()}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for pid, before in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def recovered(client: httpx2.AsyncClient, seconds: float = 10) -> None:
    """Wait until calls are served again."""
    deadline = time.perf_counter() + seconds
    while (await whole(client, "fine")).status != 200:
        assert time.perf_counter() < deadline, "no recovery"


@pytest.mark.parametrize("fault", [locked, disk_full])
async def test_refuse(system: Starter, vendor: Vendor, fault: object) -> None:
    house = system(config(deployment("fine", vendor.url, "ok"), ledger=REFUSE))
    async with house.client() as client:
        assert (await whole(client, "fine")).status == 200
        seen = len(vendor.seen)
        with fault(house):  # type: ignore[operator]
            for ask in (whole, streamed, whole):
                began = time.perf_counter()
                got = await ask(client, "fine")
                assert time.perf_counter() - began < 6
                assert got.status == 503
                assert got.error is not None and got.error["code"] == "store_unavailable"
            assert len(vendor.seen) == seen, "a call left unrecorded"
            assert (await client.get("/healthz")).status_code == 200
        await recovered(client)
    house.stop()
    assert house.json("ledger", "verify")["ok"] is True
    assert len({row["call"] for row in house.outcomes("status = 200")}) == len(vendor.seen)


async def test_spool(system: Starter, vendor: Vendor) -> None:
    """While the database is held calls go on, their entries in the spool; they are carried over once each."""
    house = system(config(deployment("fine", vendor.url, "ok"), ledger=SPOOL, workers=2))
    async with house.client() as client:
        first = await many(client, "fine", 10)
        with locked(house):
            second = await many(client, "fine", 40)
        third = await many(client, "fine", 10)
    got = [*first, *second, *third]
    assert {g.status for g in got} == {200}
    assert house.stop() == 0
    rows = house.outcomes()
    assert sorted(row["call"] for row in rows) == sorted(g.call for g in got)
    assert house.json("ledger", "verify")["ok"] is True


async def test_a_spool_outlives_kill_9(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("fine", vendor.url, "ok"), ledger=SPOOL))
    async with house.client() as client:
        with locked(house):
            got = await many(client, "fine", 20)
            house.kill_tree()
    assert {g.status for g in got} == {200}
    house.start()
    house.stop()
    assert {row["call"] for row in house.outcomes()} == {g.call for g in got}
    assert house.json("ledger", "verify")["ok"] is True


def test_a_database_that_cannot_be_opened_is_said_at_start(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("fine", vendor.url, "ok")), start=False)
    house.database.write_bytes(b"this is no database, and it is long enough to be read as one" * 100)
    done = house.cli("serve", check=False)
    assert done.returncode != 0
    assert "freehold.db" in done.stderr
    assert "Traceback" not in done.stderr
