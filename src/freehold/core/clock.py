"""The two clocks: civil time for records, monotonic time for durations; and days, which are all in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

now_ns: Callable[[], int] = time.time_ns
"""Nanoseconds since the Unix epoch, UTC."""

tick: Callable[[], float] = time.perf_counter
"""Monotonic seconds, for durations only."""


MS = 1_000_000
"""Nanoseconds of a millisecond."""

DAY = 86_400_000_000_000
"""Nanoseconds of a day."""

_EPOCH = date(1970, 1, 1)


def begin(day: date) -> int:
    """Return when a day begins, nanoseconds since the epoch."""
    return (day - _EPOCH).days * DAY


def end(day: date) -> int:
    """Return when a day is over, nanoseconds since the epoch: also of the last one that a date can be."""
    return begin(day) + DAY


def day_of(at_ns: int) -> date:
    """Return the day of a moment. Raises OverflowError for one beyond the year 9999."""
    return _EPOCH + timedelta(days=at_ns // DAY)


def today() -> date:
    """Return the day that it is."""
    return day_of(now_ns())


def iso(at_ns: int) -> str:
    """Return `at_ns` as RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
