"""The two clocks: civil time for records, monotonic time for durations."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

now_ns: Callable[[], int] = time.time_ns
"""Nanoseconds since the Unix epoch, UTC."""

tick: Callable[[], float] = time.perf_counter
"""Monotonic seconds, for durations only."""


def iso(at_ns: int) -> str:
    """Return `at_ns` as RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
