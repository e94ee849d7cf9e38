"""Days in UTC, and the stretches of days that a trend is shown by. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from freehold.core.clock import DAY, begin, day_of
from freehold.core.errors import BadRequest

__all__ = ["MOST", "Per", "aligned", "begin", "day_of", "edges", "usual"]

Per = Literal["day", "week", "month"]
MOST = 400
"""Stretches that a trend may have."""
_DAYS, _WEEKS = 35, 190  # the longest spans, in days, that are shown by the day and by the week


def usual(since: int, until: int) -> Per:
    """Return what a span of that length (ns) is best shown by."""
    days = (until - since) // DAY
    return "day" if days <= _DAYS else "week" if days <= _WEEKS else "month"


def aligned(at: int, per: Per) -> int:
    """Return when the stretch that holds a moment begins, ns: weeks on Mondays, months on their first day."""
    day = day_of(at)
    if per == "month":
        return begin(day.replace(day=1))
    return begin(day - timedelta(days=day.weekday() if per == "week" else 0))


def edges(since: int, until: int, per: Per) -> list[int]:
    """Return when the stretches of since <= at < until begin, ns: the first at `since`, weeks on Mondays, months on
    their first day. Raises BadRequest for too many."""
    day, last, found = day_of(since), day_of(until - 1), []
    while day <= last:
        found.append(begin(day))
        if len(found) > MOST:
            raise BadRequest(
                f"That span has more than {MOST} {per}s.", param="per", hint="ask per week or per month, or since later"
            )
        day = _next(day, per)
    return found


def _next(day: date, per: Per) -> date:
    if per == "month":
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day + timedelta(days=1 if per == "day" else 7 - day.weekday())
