"""Shares and concentration, by arithmetic that anybody can follow, and what must hold for any traffic."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.contracts.organisation import Entity, Organisation
from freehold.contracts.register import Register, Version
from freehold.contracts.terms import Chain, Contract, Party, Term
from freehold.core.errors import BadRequest
from freehold.exits.concentration import (
    DIMENSIONS,
    MEASURES,
    PARTIES,
    Dimension,
    Lens,
    Measure,
    hhi,
    main_currency,
    measured,
    rests_on,
    spread,
    total,
)
from freehold.exits.stretches import MOST, aligned, begin, day_of, edges, usual
from freehold.ledger.reliance import Use
from freehold.ledger.traffic import DAY

EMPTY = dict.fromkeys(Use._fields[: Use._fields.index("failed")], "") | {"at": 0}


def use(**more: Any) -> Use:
    sums = {"failed": False, "calls": 1, "attempts": 1, "input": 0, "output": 0, "cached": 0, "cost": 0}
    return Use(**{**EMPTY, **sums, **more})


def contract(id: str, supplier: str, *, supersedes: str = "", group: str = "", status: Any = "active") -> Version:
    return Version.of(
        Contract(
            schema="freehold.contract/1", id=id, kind="model-api", supersedes=supersedes, status=status,
            party=Party(supplier=supplier, group=group), chain=Chain(), term=Term(start=date(2026, 1, len(id)))
        )
    )  # fmt: skip


HOUSE = Organisation(parties={"github": Entity(group="microsoft"), "azure": Entity(name="Azure", group="microsoft")})
PARTY = st.sampled_from(["", "own", "openai", "microsoft", "github", "azure", "oracle"])
USES = st.lists(
    st.builds(
        use, maker=PARTY, seller=PARTY, host=PARTY, compute=PARTY, chips=st.sampled_from(["", "nvidia", "tpu"]),
        region=st.sampled_from(["eu", "us"]), contract=st.sampled_from(["", "a", "b"]), failed=st.booleans(),
        attempts=st.integers(0, 50), input=st.integers(0, 10**6), output=st.integers(0, 10**6),
        cost=st.integers(0, 10**12), currency=st.sampled_from(["USD", "EUR", ""]),
    ),
    max_size=30,
)  # fmt: skip


def test_the_index_is_the_sum_of_squared_shares() -> None:
    assert hhi([50, 50]) == 0.5
    assert hhi([60, 30, 10]) == pytest.approx(0.46)
    assert hhi([7]) == 1.0
    assert hhi([]) is None
    assert hhi([0, 0]) is None
    assert hhi([10**30, 10**30, 10**30]) == pytest.approx(1 / 3)  # nano-units of years


@given(st.lists(st.integers(1, 10**18), min_size=1, max_size=40))
def test_the_index_lies_between_equal_parts_and_one(values: list[int]) -> None:
    found = hhi(values)
    assert found is not None
    whole = sum(values)
    exact = sum(Fraction(value, whole) ** 2 for value in values)
    assert found == pytest.approx(float(exact))
    assert 1 / len(values) - 1e-12 <= found <= 1 + 1e-12


@given(USES, st.sampled_from(DIMENSIONS), st.sampled_from(MEASURES), st.booleans())
def test_parts_make_up_the_whole(uses: list[Use], by: Dimension, measure: Measure, merged: bool) -> None:
    lens = Lens(HOUSE, Register(), merged=merged)
    found = spread(uses, by, lens, measure, "USD")
    whole = total(uses)
    assert sum(part.amount.of(measure, "USD") for part in found.parts) == whole.of(measure, "USD")
    assert sum(part.amount.requests + part.amount.failed for part in found.parts) == sum(u.attempts for u in uses)
    assert sum(measured(u, measure, "USD") for u in uses) == whole.of(measure, "USD")
    assert sum(part.share for part in found.parts) == pytest.approx(1.0 if whole.of(measure, "USD") else 0.0)
    assert [part.share for part in found.parts] == sorted((part.share for part in found.parts), reverse=True)
    members = [member for part in found.parts for member in part.members]
    assert len(members) == len(set(members))


@given(USES, st.sampled_from(PARTIES), st.sampled_from(MEASURES))
def test_putting_groups_together_never_lowers_concentration(uses: list[Use], by: Dimension, measure: Measure) -> None:
    apart = spread(uses, by, Lens(HOUSE, Register(), merged=False), measure, "USD").hhi
    merged = spread(uses, by, Lens(HOUSE, Register()), measure, "USD").hhi
    assert (apart is None) == (merged is None)
    assert apart is None or merged is None or merged >= apart - 1e-12


def test_currencies_are_never_added_and_what_has_no_price_is_counted() -> None:
    uses = [
        use(seller="a", currency="USD", cost=10, attempts=3),
        use(seller="b", currency="EUR", cost=1000, attempts=2),
        use(seller="c", attempts=5),
        use(seller="d", attempts=7, failed=True),
    ]
    assert main_currency(uses) == "USD"
    found = spread(uses, "seller", Lens(HOUSE, Register()), "spend", "USD")
    assert [(part.id, part.share) for part in found.parts if part.share] == [("a", 1.0)]
    whole = total(uses)
    assert whole.spend == {"USD": 10, "EUR": 1000}
    assert (whole.unpriced, whole.requests, whole.failed) == (5, 10, 7)


def test_a_call_rests_on_all_who_are_needed_for_it_and_on_nobody_where_it_is_our_own() -> None:
    lens = Lens(HOUSE, Register())
    azure = use(maker="openai", seller="azure", host="microsoft", compute="oracle")
    assert rests_on(azure, lens) == {"openai", "microsoft", "oracle"}
    assert rests_on(use(maker="openai", seller="own", host="own"), lens) == set()
    assert rests_on(use(maker="meta", seller="groq", host="own"), lens) == {"groq"}
    assert rests_on(use(maker="m", seller="s", host="h"), Lens(HOUSE, Register())) == {"m", "s", "h"}
    assert lens.read(use(host="h"), "compute") == "h"


def test_versions_of_a_contract_and_groups_that_contracts_state_are_put_together() -> None:
    register = Register(
        [
            contract("a", "azure"),
            contract("ab", "azure", supersedes="a"),
            contract("abc", "azure", supersedes="ab", status="draft"),
            contract("x", "bedrock", group="amazon"),
        ]
    )
    merged, apart = Lens(HOUSE, register), Lens(HOUSE, register, merged=False)
    assert [merged.read(use(contract=id), "contract") for id in ("a", "ab", "elsewhere", "")] == [
        "ab",
        "ab",
        "elsewhere",
        "",
    ]
    assert apart.read(use(contract="a"), "contract") == "a"
    assert merged.party("bedrock") == "amazon"
    assert apart.party("bedrock") == "bedrock"
    assert merged.title("azure") == "Azure"


@given(st.integers(0, 40_000), st.integers(1, 900), st.sampled_from(["day", "week", "month"]))
def test_stretches_cover_a_span_once(first: int, days: int, per: Any) -> None:
    since, until = first * DAY, (first + days) * DAY
    if per == "day" and days > MOST:
        with pytest.raises(BadRequest):
            edges(since, until, per)
        return
    found = edges(since, until, per)
    assert found[0] == since
    assert found == sorted(set(found))
    assert found[-1] < until
    starts = [day_of(at) for at in found[1:]]
    if per == "day":
        assert len(found) == days
    elif per == "week":
        assert all(day.weekday() == 0 for day in starts)
        assert all(later - earlier <= 7 * DAY for earlier, later in zip(found, [*found[1:], until], strict=True))
    else:
        assert all(day.day == 1 for day in starts)
        assert all(later - earlier <= 31 * DAY for earlier, later in zip(found, [*found[1:], until], strict=True))


def test_the_usual_stretch_grows_with_the_span() -> None:
    assert [usual(0, days * DAY) for days in (1, 30, 90, 365)] == ["day", "day", "week", "month"]
    assert begin(date(1970, 1, 2)) == DAY


@given(st.integers(0, 40_000 * DAY), st.sampled_from(["day", "week", "month"]))
def test_a_stretch_begins_where_it_is_aligned_to(at: int, per: Any) -> None:
    start = aligned(at, per)
    assert start <= at
    assert edges(start, at + 1, per) == [start]
    assert start == 0 or len(edges(start - DAY, at + 1, per)) == 2
