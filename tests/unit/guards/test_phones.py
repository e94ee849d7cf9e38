from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.guards.find import find

HOMES = [
    "US", "CA", "GB", "IE", "DE", "AT", "CH", "FR", "BE", "NL", "ES", "PT", "IT", "SE", "DK", "NO", "FI", "PL", "CZ",
    "HU", "RO", "GR", "TR", "RU", "UA", "IN", "CN", "JP", "KR", "BR", "MX", "AU", "NZ", "ZA", "IL",
]  # fmt: skip
FORMS = phonenumbers.PhoneNumberFormat
KINDS = phonenumbers.PhoneNumberType


def phones(text: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.note) for each in find(text) if each.kind == "PHONE"]


@pytest.mark.parametrize("form", [FORMS.INTERNATIONAL, FORMS.E164], ids=["international", "E.164"])
def test_every_region_of_libphonenumber_written_internationally(form: int) -> None:
    missed = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (KINDS.FIXED_LINE, KINDS.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                written = phonenumbers.format_number(number, form)
                if [found for found, _ in phones(f"Ask for Ann, {written}, today")] != [written]:
                    missed.append(written)
    assert missed == []


@pytest.mark.parametrize("region", HOMES)
def test_numbers_as_they_are_written_at_home_where_a_word_tells(region: str) -> None:
    for kind in (KINDS.FIXED_LINE, KINDS.MOBILE):
        number = phonenumbers.example_number_for_type(region, kind)
        written = phonenumbers.format_number(number, FORMS.NATIONAL)
        bare = "".join(c for c in written if c.isdigit())
        assert [found for found, _ in phones(f"My phone: {written}.")] == [written]
        assert [found for found, _ in phones(f"My phone: {bare}.")] == [bare]


@pytest.mark.parametrize(
    ("written", "country"),
    [
        ("(415) 555-2671", "US"), ("415.555.2671", "US"), ("1-800-555-0199", "US"), ("01 23 45 67 89", "FR"),
        ("06.12.34.56.78", "FR"), ("020 7946 0958", ""), ("030/901820", ""), ("(030) 90 18 20", ""),
        ("08-12 34 56", "SE"),
        ("612 34 56 78", "ES"), ("12 345 67 89", ""), ("138 1234 5678", "CN"), ("090-1234-5678", ""),
        ("010-2000-0000", ""), ("(11) 96123-4567", "BR"), ("98765 43210", "IN"), ("8 (912) 345-67-89", "RU"),
        ("(02) 1234 5678", ""), ("914 54 925", "NO"), ("0049 30 901820", "DE"), ("+49 (0)30 901820", "DE"),
        ("+1-210-213-9916x151", "US"),
    ],
)  # fmt: skip
def test_forms_that_need_no_word(written: str, country: str) -> None:
    assert phones(f"Ann, {written}, Bob") == [(written, country)]


@pytest.mark.parametrize(
    "text",
    ["rufen Sie 15123456789 an: Handy 15123456789", "电话13812345678", "携帯 09012345678", "전화 01020000000",
     "тел. 9123456789", "هاتف 0501234567", "טלפון 0501234567", "appelez le 612345678", "llámame al 612345678",
     "chiamami 3123456789", "☎ 5550123", "ring 0701234567", "555 0123 (mobile)"],
)  # fmt: skip
def test_words_that_tell_in_many_languages(text: str) -> None:
    assert phones(text)


@given(st.integers(10**6, 10**13 - 1))
def test_bare_digits_without_a_word_are_no_phone(number: int) -> None:
    assert phones(f"Order {number} was shipped") == []


def test_a_word_tells_of_the_next_number_only() -> None:
    assert phones("phone 030 1234567, order 12345678") == [("030 1234567", "")]


def test_what_follows_a_number_is_not_its() -> None:
    assert phones("+44 20 7946 0958 2024") == [("+44 20 7946 0958", "GB")]


@pytest.mark.parametrize("text", ["x = y +3.140000", "+1 234", "a + 98172489", "+0 123 456 789", "+999 12345678"])
def test_a_plus_alone_makes_no_phone(text: str) -> None:
    assert phones(text) == []
