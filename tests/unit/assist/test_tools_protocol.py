"""The protocol's messages: what is read, what is refused, how a result reads."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.assist.tools import protocol
from freehold.assist.tools.offers import function_name
from freehold.core.errors import UpstreamBroken


def result(**members: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(members))


def test_a_batch_of_the_older_revision_is_read() -> None:
    found = protocol.read(b'[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","method":"x"}]')
    assert [(m.id, m.method) for m in found] == [(1, None), (None, "x")]


@pytest.mark.parametrize(
    "data", [b"", b"null", b"{", b'{"id":{}}', b'{"id":1.5}', b'"x"', b"\xff", b"[" * 200_000, b'{"a":' * 200_000]
)
def test_garbage_is_an_error_of_the_tree(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        protocol.read(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_broken(data: bytes) -> None:
    with contextlib.suppress(UpstreamBroken):
        assert isinstance(protocol.read(data), list)


def test_a_tool_that_is_no_good_is_left_out_and_the_rest_is_kept() -> None:
    deep = {"x": {}}
    for _ in range(50):
        deep = {"x": deep}
    tools = [
        {"name": "good", "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}}},
        {"name": "", "inputSchema": {}},
        {"name": "n" * 300, "inputSchema": {}},
        {"name": "list", "inputSchema": []},
        {"name": "huge", "inputSchema": {"x": "y" * 100_000}},
        {"name": "bare", "description": "d" * 10_000, "annotations": {"title": "Bare"}},
        "none",
    ]
    found, cursor, bad = protocol.page(result(tools=tools, nextCursor="next"))
    assert ([tool.name for tool in found], cursor, bad) == (["good", "bare"], "next", 5)
    assert found[1].title == "Bare"
    assert len(found[1].description) == 4096
    assert found[1].schema == {"type": "object", "properties": {}}


def test_a_result_is_cut_at_its_bound_and_says_so() -> None:
    said = protocol.words(result(content=[{"type": "text", "text": "é" * 500}]), 101)
    assert said.text.startswith("é" * 50 + "\n\n[The result was cut here: 101 of 1000 bytes")
    assert not said.failed


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(1, 300))
def test_a_cut_text_is_a_beginning_and_within_its_bound(text: str, bound: int) -> None:
    kept = protocol.cut(text, bound)
    if len(text.encode()) <= bound:
        assert kept == text
    else:
        beginning = kept.rpartition("\n\n[The result was cut here")[0]
        assert text.startswith(beginning)
        assert len(beginning.encode()) <= bound


def test_structured_content_stands_in_for_a_missing_text() -> None:
    assert protocol.words(result(content=[], structuredContent={"a": 1}), 100).text == '{"a":1}'
    both = protocol.words(result(content=[{"type": "text", "text": "t"}], structuredContent={"a": 1}), 100)
    assert both.text == "t"


def test_a_tool_that_wants_to_ask_its_user_has_failed() -> None:
    assert protocol.words(result(resultType="input_required", content=[]), 100).failed


def test_names_for_models_are_short_plain_and_differ() -> None:
    taken: set[str] = set()
    tools = ["a.b", "a_b", "a b", "x" * 200, "x" * 199 + "y", "ü", "__a"]
    for server, tool in [("s_", "_a"), *[("s", tool) for tool in tools]]:
        name = function_name(server, tool, taken)
        assert name not in taken
        assert 1 <= len(name) <= 64
        assert name.isascii() and all(c.isalnum() or c in "_-" for c in name)
        taken.add(name)
    assert function_name("s", "plain") == "s__plain"
