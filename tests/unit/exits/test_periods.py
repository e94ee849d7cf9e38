"""Periods as people name them, and the sums that are cut where something begins."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.exits.calls import call

from freehold.core.errors import BadRequest
from freehold.exits.periods import Period, cycle, cycles, period
from freehold.exits.stretches import begin, day_of
from freehold.exits.sums import Evidence, Sums
from freehold.ledger.reliance import Use

days = st.dates(date(1970, 1, 1), date(2100, 1, 1))
spans = st.tuples(days, days).map(lambda pair: Period(min(pair), max(pair)))


@pytest.mark.parametrize(
    ("text", "first", "last", "name"),
    [
        ("2026", "2026-01-01", "2026-12-31", "2026"),
        (" 2026q3 ", "2026-07-01", "2026-09-30", "2026Q3"),
        ("2026-Q4", "2026-10-01", "2026-12-31", "2026Q4"),
        ("2028-02", "2028-02-01", "2028-02-29", "2028-02"),
        ("2026-09-14", "2026-09-14", "2026-09-14", "2026-09-14"),
        ("2026-01..2026-03", "2026-01-01", "2026-03-31", "2026Q1"),
        ("2025Q4..2026-02-10", "2025-10-01", "2026-02-10", "2025-10-01..2026-02-10"),
    ],
)
def test_a_period_has_a_first_and_a_last_day_and_a_name(text: str, first: str, last: str, name: str) -> None:
    found = period(text)
    assert (str(found.first), str(found.last), str(found)) == (first, last, name)
    assert period(name) == found


@pytest.mark.parametrize(
    "text", ["", "2026-00", "2026-13", "2026Q5", "2026-02-30", "2026-09-00", "0000", "26", "2026..2025", "1900..2026",
             "2026...2027", "٢٠٢٦"],
)  # fmt: skip
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        period(text)
    assert refused.value.param == "period" and refused.value.hint


@given(spans)
def test_every_name_is_read_as_what_it_names(span: Period) -> None:
    if span.days <= 36_600:
        assert period(str(span)) == span


@given(spans, st.sampled_from(["month", "quarter", "year"]))
def test_cycles_cover_a_span_without_gap(span: Period, every: str) -> None:
    found = list(cycles(span, every))  # type: ignore[arg-type]
    assert found[0].has(span.first) and found[-1].has(span.last)
    assert all(b.first - a.last == timedelta(days=1) for a, b in pairwise(found))
    assert all(cycle(it.last, every) == it for it in found)  # type: ignore[arg-type]
    common = [both.days for it in found if (both := it.common(span)) is not None]
    assert sum(common) == span.days


@given(days)
def test_days_and_their_begin_agree(day: date) -> None:
    assert day_of(begin(day)) == day == day_of(begin(day) + 86_399_999_999_999)


def use(day: str, seq: int) -> Use:
    entry = call(day)
    names = {name: getattr(entry, name, 0) for name in Use._fields}
    names |= {"at": begin(date.fromisoformat(day)), "failed": False, "attempts": 1, "first_seq": seq, "last_seq": seq}
    return Use(**names)


def test_sums_are_taken_where_stretches_begin_and_nowhere_else() -> None:
    edges = [date(2026, 7, 1), date(2026, 7, 10)]
    sums = Sums(period("2026-07"), edges, [use("2026-07-01", 1), use("2026-07-10", 5)])
    assert [it.first_seq for it in sums.over(period("2026-07"))] == [1, 5]
    assert [it.first_seq for it in sums.over(period("2026-07-10..2026-07-31"))] == [5]
    with pytest.raises(ValueError, match="no stretch begins on 2026-07-05"):
        list(sums.over(period("2026-07-05..2026-07-31")))
    with pytest.raises(ValueError, match="no stretch begins on 2026-07-06"):
        list(sums.over(period("2026-07-01..2026-07-05")))
    evidence = Evidence()
    for it in sums.over(period("2026-07")):
        evidence.add(it)
    assert (evidence.attempts, evidence.first_seq, evidence.last_seq) == (2, 1, 5)
