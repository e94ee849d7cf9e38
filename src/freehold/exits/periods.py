"""Periods as people name them, 2026Q3 or 2026-09 or from day to day, and the months, quarters and years that a day lies
in. Pure; refuses to know what day it is."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

import msgspec

from freehold.core.errors import BadRequest

Every = Literal["month", "quarter", "year"]

ONE_DAY = timedelta(days=1)
LONGEST = 36_600
"""Days that a period may have: a century."""
_HINT = "write 2026Q3, 2026-09, 2026, 2026-09-14, or two of these with .. between"
_FORM = re.compile(r"([0-9]{4})(?:-?Q([1-4])|-([0-9]{2})(?:-([0-9]{2}))?)?", re.IGNORECASE)


class Period(msgspec.Struct, frozen=True, order=True):
    """From a first day to a last one, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def has(self, day: date) -> bool:
        """Return whether a day is in it."""
        return self.first <= day <= self.last

    def common(self, other: Period) -> Period | None:
        """Return the days that are in both; None when none is."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Period(first, last) if first <= last else None

    def __str__(self) -> str:
        """The shortest name: 2026, 2026Q3, 2026-09, 2026-09-14, or 2026-09-14..2026-10-02."""
        first, last = self.first, self.last
        if first == last:
            return first.isoformat()
        if cycle(first, "year") == self:
            return f"{first.year}"
        if cycle(first, "quarter") == self:
            return f"{first.year}Q{(first.month + 2) // 3}"
        return f"{first:%Y-%m}" if cycle(first, "month") == self else f"{first.isoformat()}..{last.isoformat()}"


def period(text: str) -> Period:
    """Read a period. Raises BadRequest (param `period`) for what is none."""
    begin, dots, end = text.strip().partition("..")
    first, last = _one(begin), _one(end) if dots else None
    found = Period(first.first, (last or first).last)
    if found.last < found.first:
        raise BadRequest(f"{text[:40]!r} ends before it begins.", param="period", hint="write the earlier day first")
    if found.days > LONGEST:
        raise BadRequest(f"{text[:40]!r} is longer than a century.", param="period", hint="ask for less")
    return found


def _one(text: str) -> Period:
    parts = _FORM.fullmatch(text.strip())
    try:
        if parts is None:
            raise ValueError
        year, quarter, month, day = (None if part is None else int(part) for part in parts.groups())
        if day is not None:
            return Period(date(year or 0, month or 0, day), date(year or 0, month or 0, day))
        if month is not None:
            return cycle(date(year or 0, month, 1), "month")
        return cycle(date(year or 0, (quarter or 1) * 3, 1), "year" if quarter is None else "quarter")
    except ValueError as e:
        raise BadRequest(f"{text[:40]!r} is no period.", param="period", hint=_HINT) from e


def cycle(day: date, every: Every) -> Period:
    """Return the calendar month, quarter or year that a day lies in."""
    length = {"month": 1, "quarter": 3, "year": 12}[every]
    month = (day.month - 1) // length * length + 1
    last = month + length - 1
    return Period(date(day.year, month, 1), date(day.year, last, monthrange(day.year, last)[1]))


def cycles(span: Period, every: Every) -> Iterator[Period]:
    """Yield the calendar months, quarters or years that have days of `span`, whole, the earliest first."""
    day = span.first
    while day <= span.last:
        whole = cycle(day, every)
        yield whole
        if whole.last == date.max:
            return
        day = whole.last + ONE_DAY
