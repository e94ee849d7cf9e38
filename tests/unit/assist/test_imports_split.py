"""A long JSON text is cut where its values end, however it arrives and whatever stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.assist.imports.split import Piece, Unsound, pieces

TRICKY = st.text(st.sampled_from('\\"[]{}:,a \n'), max_size=40)
SCALAR = st.none() | st.booleans() | st.integers() | TRICKY
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY, inner, max_size=4))
OBJECT = st.dictionaries(TRICKY.filter(lambda key: key != "conversations"), VALUE, max_size=5)


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def cut(data: bytes, size: int = 7, most: int = 1 << 20) -> list[tuple[object, bool]]:
    return [(piece.data and json.loads(piece.data), piece.outer) for piece in pieces(chunks(data, size), most)]


@given(st.lists(OBJECT, max_size=6), st.integers(1, 60), st.sampled_from([None, 1]))
def test_a_list_is_cut_into_its_objects(values: list[object], size: int, indent: int | None) -> None:
    assert cut(json.dumps(values, indent=indent).encode(), size) == [(value, False) for value in values]


@given(OBJECT, st.lists(OBJECT, max_size=4), OBJECT, st.integers(1, 60))
def test_an_objects_list_of_conversations_is_cut_out_of_it(
    before: dict[str, object], values: list[object], after: dict[str, object], size: int
) -> None:
    whole = {**before, "conversations": values, **{f"{key}'": value for key, value in after.items()}}
    expected = [(value, False) for value in values]
    assert cut(json.dumps(whole).encode(), size) == [*expected, ({**whole, "conversations": []}, True)]


@given(OBJECT, st.integers(1, 60))
def test_any_other_object_stays_in_one_piece(value: dict[str, object], size: int) -> None:
    assert cut(json.dumps(value).encode(), size) == [(value, False)]


def test_lines_of_json_a_mark_and_scalars() -> None:
    assert cut(b'\xef\xbb\xbf{"a":1}\n{"b":[2]}\n') == [({"a": 1}, False), ({"b": [2]}, False)]
    assert cut(b'[1, "x]", {"a": 1}, null]') == [({"a": 1}, False)]
    assert cut(b"") == cut(b"[]") == []


@pytest.mark.parametrize("backslashes", [0, 1, 2, 3, 14, 15, 16, 17, 31, 32, 33])
def test_rows_of_backslashes(backslashes: int) -> None:
    values = [{"a": "\\" * backslashes + '"]}'}, {"b": '"' + "\\" * backslashes}]
    for size in (1, 5, 1000):
        assert cut(json.dumps(values).encode(), size) == [(value, False) for value in values]


def test_a_value_that_is_no_json_fails_alone() -> None:
    found = list(pieces([b'[{"a":1},{"b":nonsense,},{"d":2}]']))
    assert found == [Piece(b'{"a":1}'), Piece(b'{"b":nonsense,}'), Piece(b'{"d":2}')]


def test_a_value_that_is_too_long_is_passed_over() -> None:
    long = {"b": [["y" * 10]] * 30_000}
    data = json.dumps([{"a": 1}, long, {"c": 2}]).encode()
    assert cut(data, 4096, most=65_536) == [({"a": 1}, False), (None, False), ({"c": 2}, False)]
    whole = json.dumps({"x": [[1]] * 30_000}).encode()
    assert cut(whole, 4096, most=65_536) == [(None, False)]


@pytest.mark.parametrize("data", [b'[{"a":1},{"b":', b'[{"a":1},{"b":"', b'[{"a":1}', b'{"a":', b'[{"a":1}]]', b"{}}"])
def test_what_ends_in_the_middle_says_so(data: bytes) -> None:
    with pytest.raises(Unsound):
        list(pieces(chunks(data, 3)))


def test_a_quotation_mark_that_is_missing_does_not_fill_the_memory() -> None:
    with pytest.raises(Unsound, match="quotation mark"):
        list(pieces(chunks(b'[{"a":"' + b"x" * 300_000, 4096), most=65_536))


def test_ten_thousand_deep() -> None:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    found = list(pieces(chunks(b"[" + deep + b',{"b":2}]', 4096)))
    assert [piece.data for piece in found] == [deep, b'{"b":2}']
