"""One contract for both meters, and a model that the shared one is held against."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from freehold import store
from freehold.access import Limit, LimitsMemory, Reservation, SharedMeter, Standing, StoreMeter, holder, parse_all
from freehold.core.errors import OverBudget, OverLimit, StoreError

NOON = 1_795_262_400.0  # 2026-11-21 12:00:00 UTC


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Bench:
    """A meter under test, with its clock, and what differs between the two made alike."""

    def __init__(self, meter: SharedMeter | StoreMeter, clock: Clock) -> None:
        self.meter, self.clock = meter, clock

    async def usage(self, limit: Limit) -> Standing:
        if isinstance(self.meter, SharedMeter):
            return self.meter.usage(limit)
        await self.meter.close()  # waits for what was settled
        return await self.meter.usage(limit)

    async def counts(self, limit: Limit) -> tuple[int, int]:
        standing = await self.usage(limit)
        return standing.used, standing.reserved

    async def restore(self, limit: Limit, used: int) -> None:
        done = self.meter.restore(limit, used)
        if done is not None:
            await done

    async def sweep(self) -> int:
        swept = self.meter.sweep()
        return swept if isinstance(swept, int) else await swept


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> str:
    """One database for the tests of this file: making one takes longer than all that they do in it."""
    return str(request.getfixturevalue("postgres_server").database())


@pytest.fixture(params=["shared", "locked", "sqlite", "postgres"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    clock = Clock()
    if request.param in ("sqlite", "postgres"):
        url = f"sqlite:///{tmp_path}/meter.db"
        shelf = await store.open(
            request.getfixturevalue("database") if request.param == "postgres" else url, durable=False
        )
        await empty(shelf)
        meter = StoreMeter(shelf, "host-1", lease=100, civil=clock)
        yield Bench(meter, clock)
        await meter.close()
        await shelf.close()
    else:
        workers = 1 if request.param == "shared" else 3
        memory = LimitsMemory(64, workers)
        shared = SharedMeter(memory, workers - 1, tmp_path / "lock", lease=100, monotonic=clock, civil=clock)
        yield Bench(shared, clock)
        shared.close()
        memory.close()


async def empty(shelf: store.Store) -> None:
    for table in ("counter", "counter_second", "counter_lease"):
        await shelf.write((f"DELETE FROM {table}", [()]))


def limits(*texts: str, subject: str = "key:k") -> tuple[Limit, ...]:
    return parse_all(texts, subject)


async def test_no_limits_no_counting(bench: Bench) -> None:
    bench.meter.settle(await bench.meter.reserve((), 1, 10**12, 10**12), 1, 1)


async def test_reserve_then_settle(bench: Bench) -> None:
    requests, tokens, budget = both = limits("requests=10/minute", "tokens=1000/day", "budget=1.00 USD/month")
    reservation = await bench.meter.reserve(both, 1, 600, 400_000_000)
    assert await bench.counts(requests) == (1, 0)
    assert await bench.counts(tokens) == (0, 600)
    assert await bench.counts(budget) == (0, 400_000_000)
    bench.meter.settle(reservation, 250, 100_000_000)
    assert await bench.counts(requests) == (1, 0)
    assert await bench.counts(tokens) == (250, 0)
    assert await bench.counts(budget) == (100_000_000, 0)


async def test_settling_twice_counts_once(bench: Bench) -> None:
    (tokens,) = both = limits("tokens=1000/total")
    reservation = await bench.meter.reserve(both, 1, 600, 0)
    for _ in range(3):
        bench.meter.settle(reservation, 100, 0)
    assert await bench.counts(tokens) == (100, 0)


@pytest.mark.parametrize("window", ["minute", "day", "month", "total"])
async def test_a_call_that_was_never_sent_gives_all_back(bench: Bench, window: str) -> None:
    all_ = limits(f"requests=1/{window}", f"tokens=10/{window}")
    for _ in range(3):
        bench.meter.settle(await bench.meter.reserve(all_, 1, 10, 0), 0, 0, requests=0)
        assert [await bench.counts(limit) for limit in all_] == [(0, 0), (0, 0)]
    await bench.meter.reserve(all_, 1, 10, 0)


async def test_giving_back_after_the_window_takes_nothing_from_the_next(bench: Bench) -> None:
    for window in ("minute", "day"):
        (limit,) = both = limits(f"requests=5/{window}", subject=f"key:{window}")
        old = await bench.meter.reserve(both, 1, 0, 0)
        bench.clock.now += 86_400
        await bench.meter.reserve(both, 1, 0, 0)
        bench.meter.settle(old, 0, 0, requests=0)
        assert await bench.counts(limit) == (1, 0)


async def test_amounts_are_reached_exactly(bench: Bench) -> None:
    both = limits("tokens=100/day")
    bench.meter.settle(await bench.meter.reserve(both, 1, 60, 0), 60, 0)
    await bench.meter.reserve(both, 1, 40, 0)
    with pytest.raises(OverLimit):
        await bench.meter.reserve(both, 1, 1, 0)
    await bench.meter.reserve(both, 1, 0, 0)  # takes nothing, so nothing stands in its way


async def test_all_or_nothing(bench: Bench) -> None:
    first = limits("requests=5/minute", "tokens=1000/minute")
    third = limits("budget=0.10 USD/day", subject="team:t")
    with pytest.raises(OverBudget):
        await bench.meter.reserve(first + third, 1, 100, 100_000_001)
    for limit in first + third:
        assert await bench.counts(limit) == (0, 0)
    await bench.meter.reserve(first + third, 1, 100, 100_000_000)


async def test_more_than_reserved_counts_in_full(bench: Bench) -> None:
    (budget,) = both = limits("budget=1.00 USD/total")
    bench.meter.settle(await bench.meter.reserve(both, 1, 0, 900_000_000), 0, 1_700_000_000)
    assert await bench.counts(budget) == (1_700_000_000, 0)
    with pytest.raises(OverBudget) as e:
        await bench.meter.reserve(both, 1, 0, 1)
    assert e.value.retry_after is None and not e.value.retryable and e.value.status == 429
    assert "1.00 USD" in e.value.message and "1.70 USD used" in e.value.message and e.value.hint


async def test_an_absurd_usage_does_not_break_the_counter(bench: Bench) -> None:
    (tokens,) = both = limits("tokens=100/minute")
    bench.meter.settle(await bench.meter.reserve(both, 1, 1, 0), 10**40, -5)
    assert (await bench.counts(tokens))[0] > 10**12
    with pytest.raises(OverLimit):
        await bench.meter.reserve(both, 1, 1, 0)


async def test_a_minute_slides(bench: Bench) -> None:
    (limit,) = both = limits("requests=3/minute")
    for at in (0.0, 20.0, 40.0):
        bench.clock.now = NOON + at
        await bench.meter.reserve(both, 1, 0, 0)
    for at in (40.0, 59.9, 60.0, 60.9):
        bench.clock.now = NOON + at
        with pytest.raises(OverLimit) as e:
            await bench.meter.reserve(both, 1, 0, 0)
        assert e.value.retry_after is not None and e.value.retryable
    bench.clock.now += e.value.retry_after
    await bench.meter.reserve(both, 1, 0, 0)
    bench.clock.now = NOON + 500
    assert await bench.counts(limit) == (0, 0)


async def test_retry_after_is_when_room_is_there(bench: Bench) -> None:
    (limit,) = both = limits("tokens=100/minute")
    for at, tokens in ((0.25, 30), (10.5, 30), (30.75, 40)):
        bench.clock.now = NOON + at
        bench.meter.settle(await bench.meter.reserve(both, 1, tokens, 0), tokens, 0)
        await bench.usage(limit)
    with pytest.raises(OverLimit) as e:
        await bench.meter.reserve(both, 1, 60, 0)
    wait = e.value.retry_after
    assert wait == pytest.approx(71 - 30.75)
    bench.clock.now += wait - 0.01
    with pytest.raises(OverLimit):
        await bench.meter.reserve(both, 1, 60, 0)
    bench.clock.now += 0.01
    await bench.meter.reserve(both, 1, 60, 0)


@pytest.mark.parametrize(("window", "left"), [("day", 43_200), ("month", 9.5 * 86_400)])
async def test_calendar_windows_end_in_utc(bench: Bench, window: str, left: float) -> None:
    (limit,) = both = limits(f"budget=1.00 USD/{window}")
    bench.meter.settle(await bench.meter.reserve(both, 1, 0, 10**9), 0, 10**9)
    assert await bench.counts(limit) == (10**9, 0)
    with pytest.raises(OverBudget) as e:
        await bench.meter.reserve(both, 1, 0, 1)
    assert e.value.retry_after == left
    assert (await bench.usage(limit)).resets_in == left
    bench.clock.now += left - 1
    with pytest.raises(OverBudget):
        await bench.meter.reserve(both, 1, 0, 1)
    bench.clock.now += 1
    await bench.meter.reserve(both, 1, 0, 10**9)


async def test_a_reservation_outlives_midnight(bench: Bench) -> None:
    (budget,) = both = limits("budget=1.00 USD/day")
    bench.clock.now = NOON + 43_190
    reservation = await bench.meter.reserve(both, 1, 0, 600_000_000)
    bench.clock.now += 20
    assert await bench.counts(budget) == (0, 600_000_000)
    with pytest.raises(OverBudget) as e:
        await bench.meter.reserve(both, 1, 0, 500_000_000)
    assert e.value.retry_after == 1.0  # room comes as soon as the call under way is settled
    bench.meter.settle(reservation, 0, 300_000_000)
    assert await bench.counts(budget) == (300_000_000, 0)


async def test_a_call_larger_than_the_limit_is_told_so(bench: Bench) -> None:
    with pytest.raises(OverLimit) as e:
        await bench.meter.reserve(limits("tokens=100/minute"), 1, 101, 0)
    assert e.value.retry_after is None and not e.value.retryable and "max_tokens" in e.value.hint


async def test_leases_that_ran_out_come_free_and_are_still_settled(bench: Bench) -> None:
    (tokens,) = both = limits("tokens=100/total")
    lost = await bench.meter.reserve(both, 1, 80, 0)
    bench.clock.now += 99
    assert await bench.sweep() == 0
    bench.clock.now += 2
    late = await bench.meter.reserve(both, 1, 30, 0)  # found no room, so it swept
    assert await bench.counts(tokens) == (0, 30)
    bench.meter.settle(lost, 50, 0)
    assert await bench.counts(tokens) == (50, 30)
    bench.meter.settle(late, 10, 0)
    assert await bench.counts(tokens) == (60, 0)


async def test_restore_never_lowers(bench: Bench) -> None:
    for window in ("day", "month", "total"):
        (budget,) = both = limits(f"budget=10.00 USD/{window}", subject=f"key:{window}")
        await bench.restore(budget, 4 * 10**9)
        bench.meter.settle(await bench.meter.reserve(both, 1, 0, 10**9), 0, 10**9)
        await bench.usage(budget)
        await bench.restore(budget, 3 * 10**9)
        assert await bench.counts(budget) == (5 * 10**9, 0)


async def test_raising_a_limit_forgets_nothing(bench: Bench) -> None:
    bench.meter.settle(await bench.meter.reserve(limits("tokens=100/day"), 1, 100, 0), 100, 0)
    with pytest.raises(OverLimit):
        await bench.meter.reserve(limits("tokens=100/day"), 1, 50, 0)
    await bench.meter.reserve(limits("tokens=150/day"), 1, 50, 0)


async def test_many_at_once_get_exactly_what_there_is(bench: Bench) -> None:
    key, team = limits("requests=100/minute"), limits("tokens=250/total", subject="team:t")
    both = key + team
    got = await asyncio.gather(*(bench.meter.reserve(both, 1, 10, 0) for _ in range(60)), return_exceptions=True)
    assert sum(isinstance(r, Reservation) for r in got) == 25
    assert all(isinstance(r, Reservation | OverLimit) for r in got)
    assert await bench.counts(key[0]) == (25, 0)
    for r in got:
        if isinstance(r, Reservation):
            bench.meter.settle(r, 4, 0)
    assert await bench.counts(team[0]) == (100, 0)


async def test_two_hosts_on_one_postgres_share_a_limit(database: str) -> None:
    stores = [await store.open(database, durable=False) for _ in range(2)]
    await empty(stores[0])
    meters = [StoreMeter(shelf, f"host-{n}") for n, shelf in enumerate(stores)]
    key, team = limits("requests=30/minute"), limits("budget=0.000000200 USD/day", subject="team:t")
    got = await asyncio.gather(
        # in both orders: rows are locked in one order whatever the caller's is
        *(meter.reserve(key + team if n % 2 else team + key, 1, 0, 10) for n in range(20) for meter in meters),
        return_exceptions=True,
    )
    assert sum(isinstance(r, Reservation) for r in got) == 20
    assert all(isinstance(r, Reservation | OverBudget) for r in got)
    assert (await meters[0].usage(team[0])).reserved == 200
    freed = await meters[1].release_holder("host-0")
    assert freed == 1
    mine = sum(isinstance(r, Reservation) and r.id.startswith("host-1:") for r in got)
    assert (await meters[0].usage(team[0])).reserved == mine * 10
    assert (await meters[0].usage(key[0])).used == 20
    for meter, shelf in zip(meters, stores, strict=True):
        await meter.close()
        await shelf.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[store.Store]:
    url = f"sqlite:///{tmp_path}/meter.db"
    opened = await store.open(
        request.getfixturevalue("database") if request.param == "postgres" else url, durable=False
    )
    await empty(opened)
    yield opened
    await opened.close()


async def test_what_a_live_call_holds_is_renewed_and_what_a_dead_host_held_runs_out(shelf: store.Store) -> None:
    clock = Clock()
    alive, dead = (StoreMeter(shelf, name, lease=100, civil=clock) for name in ("host-a", "host-b"))
    (tokens,) = both = limits("tokens=100/total")
    held = await alive.reserve(both, 1, 40, 0)
    await dead.reserve(both, 1, 30, 0)
    for _ in range(5):
        clock.now += 90
        assert await alive.renew() == 1
        await alive.sweep()
    assert (await alive.usage(tokens)).reserved == 40
    alive.settle(held, 10, 0)
    assert await alive.renew() == 0
    clock.now += 101
    await alive.close()
    standing = await alive.usage(tokens)
    assert (standing.used, standing.reserved) == (10, 0)
    await dead.close()


async def test_renewing_goes_on_by_itself(shelf: store.Store) -> None:
    meter = StoreMeter(shelf, "host-a", lease=0.2)
    (tokens,) = both = limits("tokens=100/total")
    await meter.reserve(both, 1, 40, 0)
    await asyncio.sleep(0.5)
    assert await meter.sweep() == 0
    assert (await meter.usage(tokens)).reserved == 40
    await meter.close()
    await asyncio.sleep(0.3)
    assert await meter.sweep() == 1


async def test_what_a_killed_process_held_counts_as_spent(shelf: store.Store) -> None:
    clock = Clock()
    dead, other = (StoreMeter(shelf, name, civil=clock) for name in ("host-a:0", "host-a:1"))
    every = limits("tokens=100/minute", "budget=0.000000100 USD/day", "tokens=100/month", "requests=5/total")
    await dead.reserve(every, 1, 40, 30)
    mine = await other.reserve(every, 1, 20, 10)
    clock.now += 5
    assert await other.release_holder("host", spent=True) == 0
    assert await other.release_holder("host-a:0", spent=True) == 3
    assert await other.release_holder("host-a:0", spent=True) == 0
    found = [(s.used, s.reserved) for s in [await other.usage(limit) for limit in every]]
    assert found == [(40, 20), (30, 10), (40, 20), (2, 0)]
    other.settle(mine, 5, 5)
    await other.close()
    clock.now += 62
    found = [(s.used, s.reserved) for s in [await other.usage(limit) for limit in every]]
    assert found == [(0, 0), (35, 0), (45, 0), (2, 0)]
    await dead.close()


def test_a_holder_is_the_same_after_a_restart_and_no_other_hosts(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    assert holder(one, 0) == holder(one, 0) != holder(one, 1)
    assert holder(one, 0).startswith(f"{holder(one)}:") and holder(one, 0) != holder(two, 0)
    assert [path.name for path in one.iterdir()] == ["holder"]


class Failing:
    """A store whose next writes are lost, or are carried out and reported as failed all the same."""

    def __init__(self, shelf: store.Store) -> None:
        self._shelf = shelf
        self.failures: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shelf, name)

    async def write(self, *steps: store.Step, durable: bool = True, patience: float | None = None) -> int:
        if not self.failures:
            return await self._shelf.write(*steps, durable=durable, patience=patience)
        if self.failures.pop(0):
            await self._shelf.write(*steps, durable=durable, patience=patience)
        raise StoreError("the connection broke", hint="look at the database")


async def test_a_settling_is_tried_until_it_holds_and_counts_once(tmp_path: Path) -> None:
    shelf = await store.open(f"sqlite:///{tmp_path}/meter.db", durable=False)
    failing = Failing(shelf)
    meter = StoreMeter(failing, "host-1")
    tokens, requests = both = limits("tokens=100/minute", "requests=10/day")
    for committed in (True, False):
        reservation = await meter.reserve(both, 1, 40, 0)
        failing.failures = [committed, committed]
        meter.settle(reservation, 20, 0)
        await meter.close()
    assert (await meter.usage(tokens)).used == 40
    assert (await meter.usage(tokens)).reserved == 0
    assert (await meter.usage(requests)).used == 2
    failing.failures = [False] * 1000
    meter.settle(await _reserved(meter, failing, both), 20, 0)
    await meter.close(0.2)  # gives up in time
    await shelf.close()


async def _reserved(meter: StoreMeter, failing: Failing, both: tuple[Limit, ...]) -> Reservation:
    kept, failing.failures = failing.failures, []
    reservation = await meter.reserve(both, 1, 40, 0)
    failing.failures = kept
    return reservation


class Model(RuleBasedStateMachine):
    """The shared meter against a list of what happened, under one sliding minute and one day."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.memory = LimitsMemory(8)
        self.meter = SharedMeter(self.memory, lease=50, monotonic=self.clock, civil=self.clock)
        self.limits = limits("requests=4/minute", "tokens=50/minute", "budget=0.000000090 USD/day")
        self.open: list[tuple[Reservation, float]] = []
        self.calls: list[float] = []
        self.settled: list[tuple[float, int, int]] = []

    def used(self) -> tuple[int, int, int]:
        since = int(self.clock.now) - 60
        day = self.clock.now // 86_400
        return (
            sum(int(at) >= since for at in self.calls),
            sum(tokens for at, tokens, _ in self.settled if int(at) >= since),
            sum(money for at, _, money in self.settled if at // 86_400 == day),
        )

    def reserved(self) -> tuple[int, int]:
        live = [r for r, _ in self.open if r.held]
        return sum(r.tokens for r in live), sum(r.money for r in live)

    @rule(tokens=st.integers(0, 30), money=st.integers(0, 50))
    def reserve(self, tokens: int, money: int) -> None:
        want = self.used()
        held = self.reserved()
        fits = (
            want[0] + 1 <= 4
            and (tokens == 0 or want[1] + held[0] + tokens <= 50)
            and (money == 0 or want[2] + held[1] + money <= 90)
        )
        try:
            reservation = run(self.meter.reserve(self.limits, 1, tokens, money))
        except (OverLimit, OverBudget):
            assert not fits
        else:
            assert fits
            self.open.append((reservation, self.clock.now))
            self.calls.append(self.clock.now)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(0, 40), money=st.integers(0, 60), sent=st.booleans())
    def settle(self, data: st.DataObject, tokens: int, money: int, sent: bool) -> None:
        reservation, at = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        if sent:
            self.meter.settle(reservation, tokens, money)
            self.settled.append((self.clock.now, tokens, money))
        else:
            self.meter.settle(reservation, 0, 0, requests=0)
            self.calls.remove(at)

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 7.5, 59.0, 61.0, 3_600.0, 43_199.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.meter.sweep()

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        standings = [self.meter.usage(limit) for limit in self.limits]
        assert tuple(s.used for s in standings) == self.used()
        assert tuple(s.reserved for s in standings[1:]) == self.reserved()


def run(coroutine: Any) -> Any:
    """Drive a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as e:
        return e.value
    raise AssertionError("it waited")


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
