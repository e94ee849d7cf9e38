from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.guards.names_cues import cues, joined


def seen(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in cues(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Asafe.", "Asafe"),
        ("everyone calls me Leonora now", "Leonora"),
        ("mein Name ist Ludwig van Beethoven und", "Ludwig van Beethoven"),
        ("Je m'appelle Zoé Dupont, et", "Zoé Dupont"),
        ("me llamo José García Márquez y", "José García Márquez"),
        ("Sehr geehrte Frau Özdemir, wir", "Özdemir"),
        ("Dear Wiktor,", "Wiktor"),
        ("Hi O'Neil-Smith!", "O'Neil-Smith"),
        ("ask Dr. Nwosu about it", "Nwosu"),
        ("Herr Müller-Lüdenscheidt kommt", "Müller-Lüdenscheidt"),
        ("Mme de La Fontaine", "La Fontaine"),
        ("First name: Anneliese\nCity", "Anneliese"),
    ],
)
def test_names_by_what_introduces_them(text: str, name: str) -> None:
    (found,) = seen(text)
    assert found[0] == "NAME"
    assert found[1].endswith(name)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("at 221B Baker Street, London NW1 6XE now", "221B Baker Street, London NW1 6XE"),
        ("ship to 5327 Simpson Track Apt. 819, Port Robert, QC X2B 9X2.", None),
        ("wohnt Klotzallee 82-96, 74788 Stendal seit", "Klotzallee 82-96, 74788 Stendal"),
        ("in der Hauptstraße 5a in", "Hauptstraße 5a"),
        ("habite 12 bis, rue de la Paix, 75002 Paris", "12 bis, rue de la Paix, 75002 Paris"),
        ("vive en Calle Mayor, 12 de", "Calle Mayor, 12"),
        ("abita in Via Garibaldi 7, 20121 Milano", "Via Garibaldi 7, 20121 Milano"),
        ("woont Irisstraat 165, 8564SG Heerenveen", "Irisstraat 165, 8564SG Heerenveen"),
        ("mieszka ul. Polna 7, 00-950 Warszawa", "ul. Polna 7, 00-950 Warszawa"),
    ],
)
def test_addresses_by_their_form(text: str, place: str | None) -> None:
    (found,) = seen(text)
    assert found[0] == "PLACE"
    if place is not None:
        assert found[1] == place


@pytest.mark.parametrize(
    "text",
    [
        "Dear Sir or Madam, Hello World, Hi all, Dear Customer",
        "on 26 February 2001 and 15 April 1998, by Tim, 15 April 1998",
        "in 2024 The report of 12 May shows 40 Employees",
        "I call him when he is at home; this is my name: none",
        "Chapter 12, Table 3 and Figure 14 of Part 2",
    ],
)
def test_what_is_neither(text: str) -> None:
    assert seen(text) == []


def test_joined_findings_keep_the_surer_kind_and_the_wider_place() -> None:
    first = [("NAME", 10, 15), ("PLACE", 30, 60)]
    model = [("PLACE", 10, 20), ("NAME", 35, 40), ("NAME", 70, 75)]
    assert joined(first, model) == [("NAME", 10, 20), ("PLACE", 30, 60), ("NAME", 70, 75)]
    assert joined([], model) == model
    assert joined(first, []) == first


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=6).map(
    lambda spans: [("NAME", at * 2, at * 2 + size) for at, size in sorted(spans)]
)


@given(SPANS, SPANS)
def test_joined_findings_are_in_order_apart_and_lose_nothing(
    first: list[tuple[str, int, int]], more: list[tuple[str, int, int]]
) -> None:
    found = joined(first, more)
    assert all(a[2] <= b[1] for a, b in itertools.pairwise(found))
    for _, start, end in first + more:
        assert any(s <= start and e >= end for _, s, e in found)


@given(st.text(alphabet="AaBb 12,.'-\nÄß", max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    at = 0
    for _, start, end in cues(text):
        assert at <= start < end <= len(text)
        at = end
