"""The words of an answer: the same whole and streamed, and put back without touching anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.wire.dialects.openai_pieces import Channel, Piece, Place, further, pieces, rewritten

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
channels: st.SearchStrategy[Channel] = st.one_of(
    st.sampled_from(["content", "refusal", "reasoning", "thinking", "transcript"]),
    st.builds(lambda number: ("arguments", number), st.integers(-1, 3)),
    st.builds(lambda number: ("custom", number), st.integers(4, 6)),
)
answers = st.dictionaries(st.tuples(st.integers(0, 2), channels), words, min_size=1, max_size=6)
LIKE = b'{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"total_tokens":9}}'
LEGACY = b'{"id":"x","object":"text_completion","created":1,"model":"m","choices":[]}'


def whole_of(said: dict[Place, str]) -> bytes:
    """A whole answer that says this."""
    choices = json.loads(further(LIKE, said, "stop"))["choices"]
    for choice in choices:
        message = choice["message"] = choice.pop("delta")
        for called in message.get("tool_calls", ()):
            called["id"] = "c"
    return json.dumps({"id": "x", "object": "chat.completion", "choices": choices, "usage": {"a": 1.50}}).encode()


def joined(payloads: list[bytes]) -> dict[Place, str]:
    """What a client puts together of a stream."""
    out: dict[Place, str] = {}
    for payload in payloads:
        for piece in pieces(payload) or ():
            place = (piece.choice, piece.channel)
            out[place] = out.get(place, "") + piece.text
    return {place: text for place, text in out.items() if text}


@given(answers, st.integers(1, 7))
def test_streamed_and_whole_say_the_same(said: dict[Place, str], step: int) -> None:
    stream = []
    for place, text in said.items():
        stream += [further(LIKE, {place: text[at : at + step]}) for at in range(0, len(text), step)]
    assert joined(stream) == said
    assert joined([whole_of(said)]) == said


@given(answers)
def test_other_words_stand_where_the_first_ones_stood(said: dict[Place, str]) -> None:
    new = {place: text[::-1] + "é" for place, text in said.items()}
    for payload in (whole_of(said), further(LIKE, said)):
        assert json.loads(rewritten(payload, said)) == json.loads(payload)
        assert joined([rewritten(payload, new)]) == new


def test_bytes_of_what_is_not_touched_are_kept() -> None:
    chunk = (
        b'{"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"a\\u0062"},"logprobs":{"x":1.50},'
        b'"finish_reason":null},{"index":1,"delta":{"content":"\\u0041"},"finish_reason":"length"}],"service_tier":"x"}'
    )
    assert rewritten(chunk, {(0, "content"): "z"}) == chunk.replace(b'"a\\u0062"', b'"z"')
    assert rewritten(chunk, {(2, "content"): "z", (0, "refusal"): "z"}) == chunk
    assert pieces(chunk) == [Piece(0, "content", "ab", None), Piece(1, "content", "A", "length")]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"choices":[],"usage":{"total_tokens":1}}',
        b'{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":null}]}',
        b'{"choices":null}',
        b'{"choices":[',
        b'{"object":"list","data":[{"embedding":[0.1]}]}',
        b'{"choices":"\xff"}',
        b"[DONE]",
        b"",
    ],
)
def test_nothing_that_can_matter(payload: bytes) -> None:
    assert pieces(payload) is None


def test_the_end_of_a_choice_is_a_piece_without_words() -> None:
    ended = b'{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}'
    assert pieces(ended) == [Piece(1, "content", "", "stop")]
    assert pieces(b'{"choices":[{"index":0,"text":"","finish_reason":"stop"}]}') == [Piece(0, "text", "", "stop")]


def test_legacy_completions() -> None:
    payload = b'{"id":"x","object":"text_completion","choices":[{"index":0,"text":"on","finish_reason":null}]}'
    assert pieces(payload) == [Piece(0, "text", "on", None)]
    assert json.loads(rewritten(payload, {(0, "text"): "off"}))["choices"][0]["text"] == "off"
    more = further(LEGACY, {(1, "text"): "more"}, "content_filter")
    assert pieces(more) == [Piece(1, "text", "more", "content_filter")]


def test_a_further_event_is_of_the_same_stream_and_states_no_usage() -> None:
    made = json.loads(further(LIKE, {(0, "content"): "x", (2, ("arguments", 1)): "{}"}))
    assert (made["id"], made["model"], "usage" in made) == ("x", "m", False)
    assert [choice["index"] for choice in made["choices"]] == [0, 2]
    assert made["choices"][1]["delta"]["tool_calls"] == [{"index": 1, "function": {"arguments": "{}"}}]


def test_odd_answers_of_vendors() -> None:
    parts = b'{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"thinking","thinking":[]}]}}]}'
    assert pieces(parts) == [Piece(0, ("part", 0), "a", None)]
    assert pieces(rewritten(parts, {(0, ("part", 0)): "b"})) == [Piece(0, ("part", 0), "b", None)]
    both = b'{"choices":[{"index":0,"delta":{"reasoning_content":"a","reasoning":"a"}}]}'
    assert {piece.channel for piece in pieces(both) or ()} == {"reasoning", "thinking"}
    wrong: list[Any] = [{"delta": {"tool_calls": [None, {"function": None}, {"function": {"arguments": 1}}]}}]
    assert pieces(json.dumps({"choices": wrong}).encode()) is None
