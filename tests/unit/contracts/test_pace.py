"""How far commitments have come: what counts, to the nano-unit, and where it leads."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.drafts import TODAY, Used, contract, used

from freehold.contracts.pace import Pace, counted, owed, paces, since
from freehold.contracts.register import Register, Version
from freehold.contracts.terms import Commitment
from freehold.core.clock import begin

DAY = timedelta(days=1)
HERE = {"gpt": "deal"}
PLAIN = contract()


def spend(amount: str = "3650", start: str = "2026-01-01", end: str = "2026-12-31", more: str = "") -> Version:
    return contract(
        f'[[commitment]]\nid = "year"\ntype = "spend"\nstart = {start}\nend = {end}\namount = "{amount}"\n{more}\n'
    )


def pace(version: Version, uses: list[Used], day: date = TODAY, deployments: dict[str, str] | None = None) -> Pace:
    (one,) = paces(Register([version]), uses, HERE if deployments is None else deployments, day)
    return one


def daily(cost: int, first: date, last: date) -> list[Used]:
    return [used(first + place * DAY, cost) for place in range((last - first).days + 1)]


def test_as_much_each_day_as_the_line_asks_is_neither_ahead_nor_behind() -> None:
    one = pace(spend(), daily(10, date(2026, 1, 1), TODAY - DAY))
    assert (one.state, one.counted, one.line, one.ahead) == ("running", 1510, 1510, 0)
    assert (one.rate, one.forecast, one.linear) == (10, 3650, 3650)
    assert (one.shortfall, one.cost, one.unit) == (0, 0, "USD")


def test_what_slows_down_is_forecast_by_the_last_thirty_days() -> None:
    uses = daily(10, date(2026, 1, 1), date(2026, 5, 1)) + daily(1, date(2026, 5, 2), TODAY)
    one = pace(spend(), uses)
    assert one.rate == 1
    assert one.counted == 1210 + 31
    assert one.forecast == 1240 + 214
    assert one.ahead == 1241 - 1510
    assert one.shortfall == 3650 - 1454
    assert one.cost == one.shortfall
    assert one.linear is not None and one.linear.quantize(Decimal("0.01")) == Decimal("2997.35")


@pytest.mark.parametrize(("rule", "cost"), [("pay", Decimal(3650)), ("rollover", 0), ("none", 0), ("unknown", None)])
def test_what_a_shortfall_costs_is_by_its_rule(rule: str, cost: Decimal | None) -> None:
    one = pace(spend(more=f'shortfall = "{rule}"'), [])
    assert (one.shortfall, one.cost) == (3650, cost)


def test_before_a_day_is_over_nothing_is_forecast() -> None:
    one = pace(spend(), [used(date(2026, 1, 1), 5)], date(2026, 1, 1))
    assert (one.counted, one.line, one.forecast, one.shortfall) == (5, 0, None, 0)
    ahead = pace(spend(), [], date(2025, 12, 31))
    assert (ahead.state, ahead.forecast, ahead.points[0].counted) == ("future", None, None)


def test_once_over_it_is_met_or_not() -> None:
    whole = daily(10, date(2026, 1, 1), date(2026, 12, 31))
    later = date(2027, 2, 1)
    assert pace(spend(), whole, later).state == "met"
    lacking = pace(spend(), whole[1:], later)
    assert (lacking.state, lacking.shortfall, lacking.cost) == ("over", 10, 10)
    assert pace(spend(), [*whole, used(date(2027, 1, 1), 99)], later).counted == 3650


def test_only_its_own_currency_counts_and_what_has_no_price_is_told() -> None:
    uses = [
        used(TODAY, 7),
        used(TODAY, 7, currency="EUR"),
        used(TODAY, 0, currency="", input=30, output=12),
    ]
    one = pace(spend(), uses)
    assert (one.counted, one.foreign, one.unpriced) == (7, ("EUR",), 42)


def test_a_volume_counts_tokens() -> None:
    version = contract(
        '[[commitment]]\nid = "tokens"\ntype = "volume"\nstart = 2026-01-01\nend = 2026-12-31\nquantity = 1000\n'
        'unit_price = "0.5"\n'
    )
    one = pace(version, [used(TODAY - DAY, 1, input=300, output=15), used(TODAY, 1, currency="EUR", input=1)])
    assert (one.unit, one.counted) == ("tokens", 316)
    assert one.cost == one.shortfall * Decimal("0.5")


@pytest.mark.parametrize(
    ("unit", "day", "paid"),
    [
        ("ptu-month", "2026-01-31", 60),
        ("ptu-month", "2026-02-28", 120),
        ("ptu-months", "2026-06-01", 360),
        ("gpu-quarter", "2026-03-31", 180),
        ("gpu-year", "2026-06-01", 720),
        ("ptu-week", "2026-01-08", Decimal("27.169811321")),
        ("gpu-hour", "2026-12-31", 720),
        ("seat", "2025-12-31", 0),
    ],
)
def test_reserved_units_are_paid_with_each_period_that_begins(unit: str, day: str, paid: Decimal) -> None:
    version = contract(
        '[[commitment]]\nid = "ptu"\ntype = "units"\nstart = 2026-01-01\nend = 2026-12-31\nquantity = 720\n'
        f'unit = "{unit}"\nunit_price = "221"\n'
    )
    one = pace(version, daily(10, date(2026, 1, 1), TODAY), date.fromisoformat(day))
    assert (one.counted, one.ahead, one.shortfall) == (paid, 0, 0)


def test_months_of_units_that_begin_late_in_one() -> None:
    version = contract(
        '[[commitment]]\nid = "ptu"\ntype = "units"\nstart = 2026-01-31\nend = 2026-04-29\nquantity = 3\n'
        'unit = "ptu-month"\n'
    )
    days = ["2026-01-31", "2026-02-27", "2026-02-28", "2026-03-30", "2026-03-31", "2026-04-29"]
    assert [pace(version, [], date.fromisoformat(day)).counted for day in days] == [1, 1, 2, 2, 3, 3]


def test_globs_reach_deployments_under_other_contracts() -> None:
    version = spend(more='counts = ["azure-*", "grok-foundry"]')
    there = {"azure-gpt": "deal", "grok-foundry": "xai", "gpt": "deal"}
    uses = [used(TODAY, 1, deployment=name, contract=contract) for name, contract in there.items()]
    assert pace(version, uses, deployments=there).counted == 2
    assert pace(version, uses, deployments=there).deployments == ("azure-gpt", "grok-foundry")


def test_use_counts_under_the_contract_that_it_was_under() -> None:
    """Also of a deployment that is no more, and of one whose entries name no contract yet."""
    uses = [used(TODAY, 1, deployment="gone"), used(TODAY, 2, contract=""), used(TODAY, 4, contract="other")]
    assert counted(Register([spend()]), uses, HERE) == {("deal", "year"): 3}


def test_a_version_takes_the_commitments_of_the_one_before() -> None:
    old = spend("100", end="2026-12-31")
    new = contract(
        '[[commitment]]\nid = "year"\ntype = "spend"\nstart = 2026-01-01\nend = 2026-12-31\namount = "300"\n',
        id="deal-2",
        head='supersedes = "deal"',
        term="start = 2026-05-01",
    )
    register = Register([old, new])
    uses = [used(date(2026, 2, 1), 40), used(date(2026, 5, 20), 50, contract="deal-2")]
    assert [(one.contract, one.counted) for one in paces(register, uses, HERE, TODAY)] == [("deal-2", 90)]
    assert [one.contract for one in paces(register, uses, HERE, date(2026, 4, 1))] == ["deal", "deal-2"]
    assert owed(register, HERE, {("deal-2", "year"): Decimal(90)}, TODAY) == {"gpt"}
    assert owed(register, HERE, {("deal-2", "year"): Decimal(300)}, TODAY) == frozenset()


@pytest.mark.parametrize(
    ("day", "so_far", "owing"),
    [
        ("2026-01-01", "0", True),
        ("2026-12-31", "3649.999999999", True),
        ("2026-12-31", "3650", False),
        ("2025-12-31", "0", False),
        ("2027-01-01", "0", False),
    ],
)
def test_use_is_owed_while_a_commitment_runs_and_is_not_met(day: str, so_far: str, owing: bool) -> None:
    names = owed(Register([spend()]), HERE, {("deal", "year"): Decimal(so_far)}, date.fromisoformat(day))
    assert names == ({"gpt"} if owing else frozenset())


@pytest.mark.parametrize("head", ['status = "draft"', 'status = "terminated"', 'status = "expired"'])
def test_nothing_is_owed_under_what_is_not_in_force(head: str) -> None:
    text = '[[commitment]]\nid = "year"\ntype = "spend"\nstart = 2026-01-01\nend = 2026-12-31\namount = "1"\n'
    assert owed(Register([contract(text, head=head)]), HERE, {}, TODAY) == frozenset()


def test_reserved_units_are_owed_as_long_as_they_are_paid_for() -> None:
    text = (
        '[[commitment]]\nid = "p"\ntype = "units"\nstart = 2026-01-01\nend = 2026-12-31\nquantity = 1\nunit = "ptu"\n'
    )
    register = Register([contract(text)])
    assert owed(register, HERE, counted(register, [used(TODAY, 1)], HERE), TODAY) == {"gpt"}


def test_sums_that_are_not_by_day_are_refused() -> None:
    with pytest.raises(ValueError, match="by day"):
        counted(Register([spend()]), [Used(at=0, cost=1)], HERE)


def test_the_days_that_have_to_be_known() -> None:
    assert since(Register([spend()]), TODAY) == date(2026, 1, 1)
    assert since(Register([spend(start="2026-08-01")]), TODAY) == TODAY
    assert since(Register(), TODAY) == TODAY


@pytest.mark.parametrize("end", ["2026-01-01", "2026-02-10", "2026-12-31", "2031-03-03"])
def test_the_points_lead_to_the_last_day_at_even_steps(end: str) -> None:
    one = pace(spend(end=end), daily(10, date(2026, 1, 1), TODAY))
    days = [point.day for point in one.points]
    assert (days[-1], len(days) <= 52, days[0] >= one.start) == (one.end, True, True)
    assert len({later - earlier for earlier, later in pairwise(days)}) <= 1
    assert one.points[-1].line == one.amount
    known = [point for point in one.points if point.counted is not None]
    assert [point.day for point in known] == [day for day in days if day <= TODAY]
    forecast = [point for point in one.points if point.forecast is not None]
    if one.end > TODAY:
        assert forecast[0].forecast == known[-1].counted, "it begins where what is known ends"
        assert forecast[-1].forecast == one.forecast


days = st.dates(date(2025, 11, 1), date(2027, 2, 28))
money = st.integers(0, 10**15)


@given(
    amount=st.decimals("0.01", "1e9", places=2, allow_nan=False),
    first=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    length=st.integers(0, 800),
    spent=st.lists(st.tuples(days, money), max_size=30),
    day=days,
)
def test_a_pace_adds_up_whatever_was_spent(
    amount: Decimal, first: date, length: int, spent: list[tuple[date, int]], day: date
) -> None:
    last = first + length * DAY
    uses = [Used(at=begin(at), cost=nano) for at, nano in spent if at <= day]
    promised = Commitment(id="year", type="spend", start=first, end=last, amount=amount)
    version = Version.of(msgspec.structs.replace(PLAIN.contract, commitment=(promised,)))
    one = pace(version, uses, day)
    within = sum(nano for at, nano in spent if at <= day and first <= at <= last)
    assert one.counted * 1_000_000_000 == within
    assert 0 <= one.line <= one.amount
    assert one.counted - one.line == one.ahead
    assert one.shortfall >= 0
    if one.state == "running":
        assert day >= first
        assert one.forecast is None or one.forecast >= one.counted
    if one.state == "met":
        assert (one.shortfall, one.counted >= one.amount) == (0, True)
    if one.state == "over":
        assert one.shortfall == one.amount - one.counted > 0
    lines = [point.line for point in one.points]
    assert lines == sorted(lines)
    known = [point.counted for point in one.points if point.counted is not None]
    assert known == sorted(known)
    key = {("deal", "year"): one.counted}
    running = first <= day <= last and one.counted < one.amount
    assert owed(Register([version]), HERE, key, day) == (
        {"gpt"} if running and day >= date(2026, 1, 1) else frozenset()
    )
