"""Limits across real processes: forked workers on one budget, and one of them killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from freehold.access import LimitsMemory, SharedMeter, parse_all
from freehold.core.errors import FreeholdError

WORKERS = 4

# The suite's own threads are no matter here: a child uses nothing that a thread may have held at the fork.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def fork(work: Callable[[], int]) -> int:
    """Run `work` in a child process, its result being the exit code; return the child's pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        code = work()
    finally:
        os._exit(code)


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_workers_together_get_exactly_the_budget(tmp_path: Path) -> None:
    memory, lock = LimitsMemory(64, WORKERS), tmp_path / "limits.lock"
    key = parse_all(["requests=300/total", "budget=1.00 USD/total"], "key:k")
    team = parse_all(["tokens=2000/total"], "team:t")

    def hammer(worker: int) -> Callable[[], int]:
        async def calls() -> int:
            meter = SharedMeter(memory, worker, lock)
            passed = 0
            for turn in range(120):
                try:
                    reservation = await meter.reserve(key + team, 1, 20, 10_000_000)
                except FreeholdError:
                    continue
                # Half the calls take less than their bound and so leave room to the others.
                tokens = 20 if turn % 2 else 10
                meter.settle(reservation, tokens, 1_000_000)
                passed += tokens
            return passed // 10

        return lambda: asyncio.run(calls())

    pids = [fork(hammer(worker)) for worker in range(WORKERS)]
    taken = sum(code_of(pid) for pid in pids) * 10
    supervisor = SharedMeter(memory, None, lock)
    (tokens,) = team
    standing = supervisor.usage(tokens)
    assert standing.reserved == 0
    assert standing.used == taken
    assert 2000 - 20 < taken <= 2000  # all that was there, and not one token more
    supervisor.close()


def test_a_killed_worker_stops_nobody_and_its_reservations_come_free(tmp_path: Path) -> None:
    memory, lock = LimitsMemory(64, WORKERS), tmp_path / "limits.lock"
    both = parse_all(["tokens=1000/total"], "key:k")
    ready, go = os.pipe()

    async def holding() -> int:
        meter = SharedMeter(memory, 0, lock)
        for _ in range(6):
            await meter.reserve(both, 1, 100, 0)
        assert meter._lock is not None
        with meter._lock:  # dies while it holds the lock, its sums half changed
            base = memory.base(both[0].id)
            assert base is not None
            memory.words[base + 1] += 77
            os.write(go, b"x")
            time.sleep(60)
        return 0

    async def taking() -> int:
        meter = SharedMeter(memory, 1, lock)
        passed = 0
        for _ in range(12):
            try:
                await meter.reserve(both, 1, 100, 0)
            except FreeholdError:
                continue
            passed += 1
        return passed

    victim = fork(lambda: asyncio.run(holding()))
    assert os.read(ready, 1) == b"x"
    other = fork(lambda: asyncio.run(taking()))  # waits for the lock
    os.kill(victim, signal.SIGKILL)
    assert code_of(victim) == -signal.SIGKILL
    assert code_of(other) == 3  # the kernel took the lock back; 600 and the torn 77 are still reserved

    supervisor = SharedMeter(memory, None, lock)
    assert supervisor.usage(both[0]).reserved == 977
    supervisor.release_worker(0)
    assert supervisor.usage(both[0]).reserved == 300
    supervisor.release_worker(1)
    assert supervisor.usage(both[0]).reserved == 0
    assert code_of(fork(lambda: asyncio.run(taking()))) == 10
    supervisor.close()
    for end in (ready, go):
        os.close(end)


def test_kills_at_random_moments_never_let_more_through(tmp_path: Path) -> None:
    memory, lock = LimitsMemory(64, 2), tmp_path / "limits.lock"
    both = parse_all(["tokens=100000/total", "requests=1000000/minute"], "key:k")
    supervisor = SharedMeter(memory, None, lock)

    async def endless() -> int:
        meter = SharedMeter(memory, 0, lock)
        while True:
            reservation = await meter.reserve(both, 1, 10, 0)
            meter.settle(reservation, 0, 0)

    for turn in range(12):
        pid = fork(lambda: asyncio.run(endless()))
        time.sleep(0.02 + turn * 0.003)
        os.kill(pid, signal.SIGKILL)
        assert code_of(pid) == -signal.SIGKILL
        supervisor.release_worker(0)
        assert [supervisor.usage(limit).reserved for limit in both] == [0, 0]
        assert supervisor.usage(both[0]).used == 0
    supervisor.close()


def test_a_limit_made_later_has_one_slot_in_every_process(tmp_path: Path) -> None:
    memory, lock = LimitsMemory(512, 2), tmp_path / "limits.lock"
    many = [parse_all(["requests=5/total"], f"key:{n}") for n in range(200)]

    async def each(worker: int) -> int:
        meter = SharedMeter(memory, worker, lock)
        order = many if worker == 0 else reversed(many)
        for limits in order:
            await meter.reserve(limits, 1, 0, 0)
        return 0

    pids = [fork(lambda w=worker: asyncio.run(each(w))) for worker in range(2)]  # type: ignore[misc]
    assert [code_of(pid) for pid in pids] == [0, 0]
    supervisor = SharedMeter(memory, None, lock)
    assert {supervisor.usage(limits[0]).used for limits in many} == {2}
    assert len(memory.bases()) == 200
    supervisor.close()
