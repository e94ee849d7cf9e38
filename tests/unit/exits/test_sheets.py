"""Files of rows: CSV that any reader takes apart again, and that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from freehold.exits.sheets import cell, comma_separated
from freehold.ledger.export import RISKY

# A reader of CSV takes a bare \r, \n or \0 for what it likes; what a field may hold by RFC 4180 is tested.
texts = st.text(st.characters(blacklist_characters="\0\r", blacklist_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_what_is_written_is_read_again(rows: list[tuple[str, str]]) -> None:
    data = comma_separated(("a", "b"), [{"a": a, "b": b} for a, b in rows])
    assert data.endswith(b"\r\n")
    read = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    assert read == [["a", "b"], *[[str(cell(a)), str(cell(b))] for a, b in rows]]


@given(texts)
def test_no_text_is_a_formula(text: str) -> None:
    said = cell(text)
    assert not said.startswith(RISKY)
    assert said in (text, f"'{text}")


def test_numbers_and_days_are_plain() -> None:
    assert cell(Decimal("1E+3")) == "1000" and cell(Decimal("-0.0000001")) == "-0.0000001"
    assert cell(date(2026, 7, 1)) == "2026-07-01"
    assert cell(datetime(2026, 7, 1, 12, tzinfo=UTC)) == "2026-07-01T12:00:00Z"
    assert comma_separated(("a", "b", "c"), [{"a": None, "b": True, "c": 5}]) == b"a,b,c\r\n,true,5\r\n"
