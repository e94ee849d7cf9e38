from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.contracts import OWN_COMPUTE, Price, PriceBook, Tier, ceiling, charge, read_price, shipped
from freehold.core.call import Usage
from freehold.core.errors import ConfigError

TOKENS = st.integers(0, 10**9)
RATES = st.integers(0, 10**12)
DAY = 86_400 * 10**9
GPT_4O = Price(input=2_500_000_000, cached=1_250_000_000, output=10_000_000_000)


def test_cached_input_is_part_of_the_input() -> None:
    usage = Usage(input=1_000_000, cached=400_000, output=100_000, reasoning=90_000)
    assert charge(usage, GPT_4O) == 1_500_000_000 + 500_000_000 + 1_000_000_000


def test_cached_without_a_rate_costs_as_the_rest() -> None:
    price = Price(input=1_000_000, output=0)
    assert charge(Usage(input=10, cached=9), price) == 10


def test_cached_above_the_input_is_held_to_it() -> None:
    assert charge(Usage(input=1_000_000, cached=5_000_000), GPT_4O) == 1_250_000_000


@given(TOKENS, TOKENS, TOKENS, RATES, RATES, RATES)
def test_charge_is_the_exact_sum_rounded_once(
    given_: int, cached: int, output: int, rate: int, cached_rate: int, output_rate: int
) -> None:
    cached = min(cached, given_)
    exact = Fraction((given_ - cached) * rate + cached * cached_rate + output * output_rate, 10**6)
    got = charge(Usage(given_, output, cached), Price(rate, output_rate, cached_rate))
    assert abs(got - exact) <= Fraction(1, 2)
    whole = Decimal(exact.numerator * (10**6 // exact.denominator)) / 10**6
    assert got == int(whole.quantize(Decimal(1), ROUND_HALF_EVEN)) or whole > 10**20


@given(TOKENS, TOKENS, st.lists(st.tuples(TOKENS, TOKENS), max_size=8))
def test_whole_differs_from_its_parts_by_rounding_alone(a: int, b: int, more: list[tuple[int, int]]) -> None:
    parts = [(a, b), *more]
    whole = charge(Usage(sum(p[0] for p in parts), sum(p[1] for p in parts)), GPT_4O)
    assert abs(whole - sum(charge(Usage(*p), GPT_4O) for p in parts)) <= (len(parts) + 1) / 2


@given(TOKENS, TOKENS, TOKENS)
def test_more_tokens_never_cost_less(given_: int, output: int, more: int) -> None:
    assert charge(Usage(given_, output + more), GPT_4O) >= charge(Usage(given_, output), GPT_4O)
    assert charge(Usage(given_, output, cached=given_), GPT_4O) <= charge(Usage(given_, output), GPT_4O)


@given(TOKENS, TOKENS, TOKENS)
def test_the_ceiling_is_never_passed_nor_more_than_a_nano_too_high(given_: int, cached: int, output: int) -> None:
    top = ceiling(given_, output, GPT_4O)
    assert charge(Usage(given_, output, min(cached, given_)), GPT_4O) <= top
    assert top - charge(Usage(given_, output), GPT_4O) <= 1


def test_a_tier_holds_for_the_whole_call() -> None:
    price = Price(1_000_000, 2_000_000, tiers=(Tier(100, 3_000_000, 5_000_000), Tier(200, 7_000_000, 11_000_000)))
    assert charge(Usage(100, 1), price) == 102
    assert charge(Usage(101, 1), price) == 308
    assert charge(Usage(201, 1), price) == 201 * 7 + 11


def test_own_compute_costs_nothing_and_says_so() -> None:
    assert charge(Usage(10**6, 10**6), OWN_COMPUTE) == 0
    assert "own compute" in OWN_COMPUTE.note


BOOK = """
[acme]
source = "https://acme.example/prices"
checked = 2026-01-02
[acme.models]
"m-4o" = [
  { input = "5", output = "15", until = 2026-02-01 },
  { input = 2.5, output = 10, from = 2026-02-01, until = 2026-03-01 },
]
"m-4o-mini" = { input = "0.000000001", alias = ["small"] }
"""
FEBRUARY = 1_769_904_000 * 10**9


def test_prices_are_found_by_day() -> None:
    book = PriceBook.parse(BOOK)
    before, during = book.find("acme", "m-4o", FEBRUARY - 1), book.find("acme", "m-4o", FEBRUARY)
    assert before is not None and before.input == 5 * 10**9
    assert during is not None and during.input == 2_500_000_000 and during.checked == "2026-01-02"
    assert book.find("acme", "m-4o", FEBRUARY + 28 * DAY) is None


@pytest.mark.parametrize("name", ["m-4o", "M-4o", "m-4o-2026-01-15", "m-4o-20260115", "m-4o-0115", "m-4o-latest"])
def test_builds_of_a_model_share_its_price(name: str) -> None:
    assert PriceBook.parse(BOOK).find("acme", name, 0) is not None


@pytest.mark.parametrize("name", ["m-4o-audio", "m-4", "m-4o-mini-tts", "m-4o-2026-1-1", "xm-4o", "m-4o-", ""])
def test_nothing_else_does(name: str) -> None:
    assert PriceBook.parse(BOOK).find("acme", name, 0) is None
    assert PriceBook.parse(BOOK).find("other", "m-4o", 0) is None


def test_alias_and_estimate() -> None:
    book = PriceBook.parse(BOOK)
    assert book.estimate("acme", "small", Usage(input=3_000_000), 0) == (3, "USD")
    assert book.estimate("acme", "unknown", Usage(input=1), 0) is None


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"input": 2.5},
        {"input": True},
        {"input": "x"},
        {"input": "-1"},
        {"input": "NaN"},
        {"input": "0.0000000001"},
        {"input": "1", "outptu": "2"},
        {"input": "1", "currency": "dollars"},
        {"input": "1", "from": "soon"},
        {"input": "1", "tiers": [{"above": 1, "input": "1"}]},
        {"input": "1", "tiers": [{"above": "1", "input": "1", "output": "1"}]},
    ],
)
def test_what_is_no_price_is_refused_with_a_hint(table: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as e:
        read_price(table, where="deployments.x.price")
    assert "deployments.x.price" in e.value.message
    assert e.value.hint


@given(st.decimals(min_value=0, max_value=10**6, places=9))
def test_written_rates_are_exact(rate: Decimal) -> None:
    assert Decimal(read_price({"input": str(rate)}).input) == rate * 10**9
    assert read_price({"input": rate}).input == read_price({"input": str(rate)}).input


def test_the_shipped_book_is_sound() -> None:
    book = shipped()
    assert len(book) > 80
    for seller, model, price in book.rows():
        assert price.source.startswith("https://") and price.checked[:3] == "202", (seller, model)
        assert price.input > 0 and price.currency == "USD"
        assert price.cached is None or 0 < price.cached <= price.input
        assert "embed" in model or price.output >= price.input
        assert all(tier.input >= price.input and tier.output >= price.output for tier in price.tiers)
    now = 1_795_000_000 * 10**9
    assert book.find("openai", "gpt-4o-2024-08-06", now) == book.find("openai", "gpt-4o", now)
    old = book.find("openai", "gpt-4o-2024-05-13", now)
    assert old is not None and old.input == 5 * 10**9
    assert book.find("openai", "gpt-4o-audio-preview", now) is None


def test_a_book_of_one_currency_knows_nothing_of_others() -> None:
    book = PriceBook([("a", "m", Price(1, 1)), ("a", "n", Price(1, 1, currency="JPY"))]).only("USD")
    assert len(book) == 1 and book.find("a", "m", 0) is not None and book.find("a", "n", 0) is None
