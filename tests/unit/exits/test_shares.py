"""Shares of revenue: worked by hand, and as laws that hold for any tiers, cap, days and cuts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.exits.calls import contract, register

from freehold.contracts import PriceBook
from freehold.contracts.terms import RevenueShare, ShareTier
from freehold.exits.bases import Bases
from freehold.exits.periods import Period, period
from freehold.exits.revenue import Earned
from freehold.exits.settlement import window
from freehold.exits.shares import Basis, cents, owed, shared, slices
from freehold.exits.sharing import Sharing
from freehold.exits.statement import Line
from freehold.exits.sums import Sums

START = date(2026, 1, 1)
DAYS = 700
EVERY_DAY = frozenset(START + timedelta(days=n) for n in range(-1, 3 * DAYS))
day = st.integers(0, DAYS).map(lambda n: START + timedelta(days=n))
money = st.decimals(0, 3_000_000, places=2)
percent = st.decimals(0, 100, places=3)


def share(pct: str = "20", tiers: Any = (), **more: Any) -> RevenueShare:
    given = {"id": "rs", "payer": "customer", "basis": "gross_revenue", "settle": "quarter", **more}
    steps = tuple(ShareTier(over=Decimal(over), pct=Decimal(part)) for over, part in tiers)
    return RevenueShare(pct=Decimal(pct), tiers=steps, **given)


def bases(*values: str) -> list[Basis]:
    quarters = ("2026Q1", "2026Q2", "2026Q3", "2026Q4")
    return [
        Basis(period(name), Fraction(0), Fraction(Decimal(value)))
        for name, value in zip(quarters, values, strict=False)
    ]


def test_three_quarters_worked_by_hand() -> None:
    """20 % up to a million and 15 % above, 300,000 at most over all: 74,400 of 372,000; then 200,000 and 15 % of
    62,028.98, so 209,304.35; then 16,295.65 is left."""
    found = owed(share("20", [("1000000", "15")], cap_total=Decimal(300_000)), bases("372000", "1062028.98", "900000"))
    assert [it.due for it in found] == [Decimal("74400.00"), Decimal("209304.35"), Decimal("16295.65")]
    assert [it.uncapped for it in found] == [Decimal("74400.00"), Decimal("209304.35"), Decimal("180000.00")]
    assert [it.cap_left for it in found] == [Decimal("225600.00"), Decimal("16295.65"), Decimal("0.00")]
    assert [(s.over, s.part, s.share) for s in found[1].slices] == [
        (0, Decimal("1000000.00"), Decimal("200000.00")),
        (1_000_000, Decimal("62028.98"), Decimal("9304.35")),
    ]


def test_cents_are_rounded_once_and_half_to_even() -> None:
    """One line is rounded, not its tiers: 0.004 and 0.004 come to a cent, and half a cent goes to the even one."""
    assert [cents(Fraction(n, 1000)) for n in (5, 15, 25, 35, -5, -15)] == list(
        map(Decimal, ("0.00", "0.02", "0.02", "0.04", "0.00", "-0.02"))
    )
    it = share("0.4", [("1", "0.4")])
    assert shared(it, Fraction(2)) == Fraction(8, 1000)
    assert owed(it, bases("2"))[0].due == Decimal("0.01")
    assert [s.share for s in slices(it, Fraction(2))] == [Decimal("0.00"), Decimal("0.00")]


def test_a_basis_below_zero_owes_nothing_and_takes_back_what_was_owed_before() -> None:
    assert owed(share(), bases("-100"))[0].due == 0
    taken_back = Basis(period("2026Q1"), Fraction(1000), Fraction(400))
    assert owed(share(), [taken_back])[0].due == Decimal("-120.00")


steps = st.lists(st.tuples(st.integers(1, 2_000_000), percent), max_size=4, unique_by=lambda step: step[0])


@given(percent, steps, money, money)
def test_tiers_rise_and_make_no_leap(
    pct: Decimal, tiers: list[tuple[int, Decimal]], one: Decimal, more: Decimal
) -> None:
    it = share(str(pct), [(str(over), str(part)) for over, part in tiers])
    low, high = shared(it, Fraction(one)), shared(it, Fraction(one) + Fraction(more))
    dearest = max([pct, *(part for _, part in tiers)])
    assert 0 <= high - low <= Fraction(more) * Fraction(dearest) / 100
    parts = slices(it, Fraction(one))
    assert sum((Fraction(s.part) for s in parts), Fraction(0)) == Fraction(one)


# -- over days: a share on revenue of any days, cut into any periods

earned_rows = st.lists(
    st.tuples(day, st.integers(0, 120), st.decimals(-50_000, 900_000, places=2)), min_size=1, max_size=8
)


def lines(it: RevenueShare, rows: list[Earned], asked: Period) -> list[Line]:
    """What a statement for `asked` has of a share, by the same way that a settlement takes."""
    version = contract("p", kind="partner")
    version = msgspec.structs.replace(version, contract=msgspec.structs.replace(version.contract, revenue_share=(it,)))
    known = register(version)
    sums = Sums(Period(START, asked.last), EVERY_DAY, ())
    windows = {"p": window(known, version, asked.last)}
    return list(
        Sharing(known, Bases(sums, tuple(rows), PriceBook([])), windows, asked).lines(version, lambda use: True)
    )


def dues(it: RevenueShare, rows: list[Earned], asked: Period) -> Decimal:
    return sum((line.due for line in lines(it, rows, asked) if line.due is not None), Decimal(0))


def rows_of(raw: list[tuple[date, int, Decimal]]) -> list[Earned]:
    return [
        Earned(Period(first, first + timedelta(days=length)), "chat", "USD", amount, None)
        for first, length, amount in raw
    ]


@st.composite
def cuts(draw: st.DrawFn) -> list[Period]:
    """A span of days and how it is cut into periods, one after another."""
    marks = sorted(draw(st.lists(day, min_size=2, max_size=6, unique=True)))
    return [Period(a, b - timedelta(days=1)) for a, b in pairwise(marks)]


settles = st.sampled_from(["month", "quarter", "year"])
caps = st.none() | st.decimals(1, 200_000, places=2)


@given(earned_rows, cuts(), percent, steps, caps, settles, st.sampled_from(["customer", "supplier"]))
def test_periods_may_be_cut_in_any_way_and_no_cap_is_passed(
    raw: Any, parts: list[Period], pct: Decimal, tiers: Any, cap: Decimal | None, settle: Any, payer: Any
) -> None:
    it = share(str(pct), [(str(over), str(part)) for over, part in tiers], cap_total=cap, settle=settle, payer=payer)
    rows, whole = rows_of(raw), Period(parts[0].first, parts[-1].last)
    apart = [dues(it, rows, part) for part in parts]
    assert sum(apart, Decimal(0)) == dues(it, rows, whole)
    if cap is not None:
        assert dues(it, rows, Period(START, whole.last)) <= cap
        for part in parts:
            for line in lines(it, rows, part):
                assert line.due is None or (line.cap is not None and 0 <= line.cap.left <= cap)


@given(earned_rows, percent, caps)
def test_months_add_up_to_their_quarter(raw: Any, pct: Decimal, cap: Decimal | None) -> None:
    it, rows = share(str(pct), cap_total=cap), rows_of(raw)
    months = [dues(it, rows, period(name)) for name in ("2026-07", "2026-08", "2026-09")]
    assert sum(months, Decimal(0)) == dues(it, rows, period("2026Q3"))


@given(earned_rows, percent, steps, caps, settles)
def test_either_direction_comes_to_the_same(raw: Any, pct: Decimal, tiers: Any, cap: Any, settle: Any) -> None:
    steps_ = [(str(over), str(part)) for over, part in tiers]
    ours, theirs = (
        share(str(pct), steps_, cap_total=cap, settle=settle, payer=who) for who in ("customer", "supplier")
    )
    rows, asked = rows_of(raw), period("2026")
    mine, yours = lines(ours, rows, asked), lines(theirs, rows, asked)
    assert [(line.due, line.basis, line.cap) for line in mine] == [(line.due, line.basis, line.cap) for line in yours]
    assert {line.payer for line in mine} <= {"customer"} and {line.payer for line in yours} <= {"supplier"}


@given(day, day, day, day)
def test_windows_are_exact_at_their_days(start: date, until: date, first: date, last: date) -> None:
    """A dollar a day at 100 %: as many dollars as days that are in the window and in the period."""
    (start, until), (first, last) = sorted((start, until)), sorted((first, last))
    rows = [Earned(Period(START, START + timedelta(days=DAYS)), "chat", "USD", Decimal(DAYS + 1), None)]
    it = share("100", start=start, until=until)
    both = Period(start, until).common(Period(first, last))
    assert dues(it, rows, Period(first, last)) == (both.days if both is not None else 0)


@pytest.mark.parametrize("settle", ["month", "quarter", "year"])
def test_a_cap_is_used_up_by_earlier_periods_first(settle: Any) -> None:
    rows = [Earned(Period(START, date(2026, 12, 31)), "chat", "USD", Decimal(365_000), None)]
    it = share("10", cap_total=Decimal(20_000), settle=settle)  # 100 a day: used up after 200 days, on 19 July
    assert dues(it, rows, period("2026-07-19")) == 100
    assert dues(it, rows, period("2026-07-20")) == 0
    (line,) = lines(it, rows, period("2026-07-19"))
    assert line.cap is not None and line.cap.left == 0
