from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.guards.find import CLASS_OF, KINDS, Finding, class_of, find
from freehold.guards.fold import fold


def seen(text: str) -> list[tuple[str, str, str]]:
    return [(each.kind, each.note, text[each.start : each.end]) for each in find(text)]


def test_says_what_where_and_whose() -> None:
    text = (
        "Ann (ann@example.org, +44 20 7946 0958) pays DE89 3704 0044 0532 0130 00 by 4111 1111 1111 1111 from 10.1.2.3"
    )
    assert seen(text) == [
        ("EMAIL", "", "ann@example.org"),
        ("PHONE", "GB", "+44 20 7946 0958"),
        ("IBAN", "DE", "DE89 3704 0044 0532 0130 00"),
        ("CARD", "visa", "4111 1111 1111 1111"),
        ("IP", "", "10.1.2.3"),
    ]


def test_only_the_kinds_asked_for() -> None:
    text = "ann@example.org 10.1.2.3 sk-ant-api03-Ab12Cd34Ef56Gh78Ij90"
    assert [each.kind for each in find(text, frozenset({"IP", "SECRET"}))] == ["IP", "SECRET"]
    assert find(text, frozenset()) == []


def test_every_kind_has_a_meaning_and_a_class() -> None:
    assert KINDS.keys() == CLASS_OF.keys()
    (number,) = find("NHS number 943 476 5919")
    assert (number.note, class_of(number)) == ("GB NHS", "special")
    assert class_of(Finding("SECRET", 0, 1, "openai")) == "secret"
    assert class_of(Finding("NATIONAL_ID", 0, 1, "DE Steuer-ID")) == "personal"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("card ４１１１１１１１１１１１１１１１ ok", "CARD"),
        ("card 4111\u00a01111\u00a01111\u00a01111 ok", "CARD"),
        ("card 4111\u20111111\u20111111\u20111111 ok", "CARD"),
        ("card 41\u200b11 11\u00ad11 1111 11\u206011 ok", "CARD"),
        ("card ٤١١١١١١١١١١١١١١١ ok", "CARD"),
        ("card 𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏 ok", "CARD"),
        ("pay DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00 ok", "IBAN"),
        ("pay ＤＥ８９３７０４００４４０５３２０１３０００ ok", "IBAN"),
        ("mail ann\u200b@exam\u200bple.org ok", "EMAIL"),
        ("mail ann＠example.org ok", "EMAIL"),
        ("key sk-proj-Ab12Cd34\u200bEf56Gh78Ij90Kl12 ok", "SECRET"),
    ],
)
def test_look_alikes_hide_nothing_and_places_are_those_of_the_text(text: str, kind: str) -> None:
    (found,) = find(text)
    assert found.kind == kind
    assert (text[: found.start], text[found.end :]) == (text[: text.index(" ") + 1], " ok")


@given(st.text(max_size=60))
def test_folding_keeps_the_place_of_each_character(text: str) -> None:
    folded = fold(text)
    if folded is None:
        return
    places = folded.places or list(range(len(text)))
    assert len(places) == len(folded.text)
    assert places == sorted(set(places))
    for c, at in zip(folded.text, places, strict=True):
        assert c == text[at] or c.isascii()
    if folded.places is None:
        assert len(folded.text) == len(text)


PIECES = st.sampled_from(
    ["ann@example.org", "+44 20 7946 0958", "4111 1111 1111 1111", "DE89370400440532013000", "10.1.2.3", "fe80::1",
     "078-05-1120", "RSSMRA85T10A562S", "sk-ant-api03-Ab12Cd34Ef56Gh78Ij90", "0171 2345678", "password=hunter42x",
     "postgres://ann:s3cret@db.example/x", " ", ", ", ": ", "\n", "a", "7", "tel ", "é", "\u200b", "４", "-",
     "(", "12 "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join), st.none() | st.sets(st.sampled_from(sorted(KINDS))).map(frozenset))
@settings(max_examples=200, deadline=None)
def test_findings_are_in_order_apart_and_inside(text: str, kinds: frozenset[str] | None) -> None:
    found = find(text, kinds)
    at = 0
    for each in found:
        assert at <= each.start < each.end <= len(text)
        assert each.kind in KINDS
        assert kinds is None or each.kind in kinds
        at = each.end


@given(st.text(alphabet="0123456789 -.+()/A@:", max_size=300))
@settings(max_examples=200, deadline=None)
def test_hard_text_breaks_nothing(text: str) -> None:
    for each in find(text):
        assert text[each.start : each.end].strip()


def test_cards_in_a_row_are_all_found() -> None:
    number = "4111 1111 1111 1111"
    assert len(find(" ".join([number] * 50))) == 50
    assert len(find("12 " + " ".join([number] * 7))) == 7


@pytest.mark.parametrize(
    "text",
    [
        "see section 3.3.2.4 and version 10.20.30.40",
        'an array a[::2] and b[1::2], or 12:30:45::',
        "Order 79927398713 of 2026-11-24 09:30, 3 boxes at 12.50, total 1,234,567.89",
        "EAN 4006381333931, ISBN 978-3-16-148410-0, item 123456789012",
        "1.234.567 inhabitants, 12 345 678 more, 60000-64999 ports",
        "id 123e4567-e89b-12d3-a456-426614174000, sha 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "x = 3.14159265358979 + 2.718281828459; y += 98172489",
        "at 52.520008, 13.404954 from 2019-2024, ms 1732470000000",
        "zip 02139-4307",
    ],
)  # fmt: skip
def test_other_numbers_are_left(text: str) -> None:
    assert seen(text) == []


@pytest.mark.parametrize("network", ["visa", "mastercard", "amex", "diners", "discover", "jcb", "unionpay", "maestro"])
def test_test_cards_of_each_network(network: str) -> None:
    numbers = {
        "visa": "4242424242424242", "mastercard": "2223003122003222", "amex": "378282246310005",
        "diners": "30569309025904", "discover": "6011111111111117", "jcb": "3530111333300000",
        "unionpay": "6205500000000000004", "maestro": "6759649826438453",
    }  # fmt: skip
    assert seen(f"charge {numbers[network]}.") == [("CARD", network, numbers[network])]


def test_short_cards_are_told_by_a_word() -> None:
    assert seen("item 4222222222222 here") == []
    assert seen("my card 4222222222222 here") == [("CARD", "visa", "4222222222222")]
