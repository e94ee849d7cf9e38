"""Keeps sums beside the ledger up to date, and tells the pipeline what is owed anyway. Knows the store and the terms;
refuses to choose where a call goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from freehold.contracts import pace
from freehold.core.clock import begin, day_of, now_ns
from freehold.core.errors import StoreError
from freehold.ledger import reliance, sight
from freehold.pipeline import Pipeline
from freehold.store import Store

log = logging.getLogger("freehold.owing")

SECONDS = 30.0  # between two looks
AT_ONCE = 0.2  # seconds that summing may take at each; what is left waits for the next


async def tend(store: Store, pipeline: Pipeline, renew: Callable[[], None]) -> None:
    """Sum what is new, and put what is owed in force, now and then; `renew` is called on each new day, for terms are
    worked out for one. Runs until it is cancelled."""
    today = day_of(now_ns())
    while True:
        if today != (today := day_of(now_ns())):
            renew()
        try:
            done, head = await reliance.roll(store, AT_ONCE)
            pipeline.owed = await owed(store, pipeline)
            seen, _ = await sight.roll(store, AT_ONCE)
            behind = head - min(done, seen)
        except StoreError:
            behind = 0  # the ledger says so already; what was owed stays in force
        except Exception:
            behind = 0
            log.exception("sums beside the ledger could not be brought up to date")
        await asyncio.sleep(SECONDS if behind < reliance.STRIDE else 1.0)


async def owed(store: Store, pipeline: Pipeline) -> frozenset[str]:
    """Return the deployments whose use counts towards a commitment that is not met yet. Raises StoreError."""
    snapshot = pipeline.snapshot
    register = snapshot.register
    now = now_ns()
    today = day_of(now)
    if next(pace.standing(register, today), None) is None:
        return frozenset()
    deployments = {each.name: each.contract for each in snapshot.table.deployments.values() if each.contract}
    uses = await reliance.uses(store, begin(pace.since(register, today)), now, by_day=True)
    return pace.owed(register, deployments, pace.counted(register, uses, deployments), today)
