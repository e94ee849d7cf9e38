"""Events: the encoder and the parser agree; the tap forgets and alters nothing however the stream is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import UpstreamBroken
from freehold.wire import sse
from freehold.wire.sse import EventTap, encode, events

CHUNK = b'{"model":"m","choices":[{"delta":{"content":"hi"}}]}'
NULL_USAGE = b'{"model":"m","choices":[{"delta":{}}],"usage":null}'
WITH_USAGE = b'{"choices":[{"delta":{}}],"usage": {"prompt_tokens":1}}'
PURE_USAGE = b'{"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
PURE_SPACED = b'{"choices" : [ ], "usage" : {"prompt_tokens": 3}}'
FILTER = b'{"choices":[],"prompt_filter_results":[]}'
QUOTED = rb'{"choices":[{"delta":{"content":"\"usage\":{ \"choices\":[]"}}]}'
PAYLOADS = [CHUNK, NULL_USAGE, WITH_USAGE, PURE_USAGE, PURE_SPACED, FILTER, QUOTED, b"[DONE]", b"", b"{", b"plain"]

blocks = st.one_of(
    st.sampled_from(PAYLOADS).map(lambda p: b"data: " + p),
    st.sampled_from(PAYLOADS).map(lambda p: b"data:" + p),
    st.sampled_from([b": ping", b"event: error\ndata: {}", b"data: a\ndata: b", b"data", b"id: 1", b"x\ry"]),
)
streams = st.lists(st.tuples(blocks, st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\n\n\n"])), max_size=8)


def run(pieces: list[bytes], strip: bool) -> tuple[object, ...]:
    tap = EventTap(strip_usage=strip)
    passed = b"".join([tap.feed(piece) for piece in pieces]) + tap.finish()
    return passed, tap.usage_data, tap.first_data, tap.done, tap.events, tap.chars


@settings(max_examples=80, deadline=None)
@given(streams, st.binary(max_size=12), st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_any_cut_gives_the_same(parts: list[tuple[bytes, bytes]], rest: bytes, cuts: list[int], strip: bool) -> None:
    stream = b"".join([block + end for block, end in parts]) + rest
    at = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in pairwise(at)]
    whole = run([stream], strip)
    assert run(pieces, strip) == whole
    assert run([stream[i : i + 3] for i in range(0, len(stream), 3)], strip) == whole
    if not strip:
        assert whole[0] == stream
    found = [event.data for event in events(stream)]
    assert whole[4] == len([data for data in found if data.strip() != b"[DONE]"])
    assert whole[3] == any(data.strip() == b"[DONE]" for data in found)


def test_the_quick_look_agrees_with_the_slow_one() -> None:
    stream = [encode(CHUNK)] * 3 + [encode(CHUNK) * 4, encode(NULL_USAGE), encode(QUOTED), encode(PURE_USAGE)]
    quick, slow = EventTap(), EventTap()
    for piece in stream:
        assert quick.feed(piece) == piece
        assert slow._feed(piece) == piece
    assert (quick.events, quick.chars, quick.usage_data) == (slow.events, slow.chars, slow.usage_data)
    assert quick.events == 10


def test_only_pure_usage_is_withheld() -> None:
    tap = EventTap(strip_usage=True)
    for kept in (CHUNK, NULL_USAGE, WITH_USAGE, FILTER, QUOTED):
        assert tap.feed(encode(kept)) == encode(kept)
    assert tap.usage_data == WITH_USAGE
    assert tap.feed(encode(PURE_USAGE)) == b""
    assert tap.usage_data == PURE_USAGE
    assert tap.feed(encode(PURE_SPACED)) == b""
    assert tap.feed(encode(b"[DONE]")) == b"data: [DONE]\n\n"
    assert tap.done
    assert tap.first_data == CHUNK


def test_an_incomplete_event_is_held_back() -> None:
    tap = EventTap()
    assert tap.feed(b"data: a\n\ndata: b") == b"data: a\n\n"
    assert tap.feed(b"b\n") == b""
    assert tap.feed(b"\nda") == b"data: bb\n\n"
    assert tap.finish() == b"da"
    assert tap.events == 2


def test_the_last_event_may_lack_its_blank_line() -> None:
    tap = EventTap(strip_usage=True)
    assert tap.feed(b"data: " + PURE_USAGE) == b""
    assert tap.finish() == b""
    assert tap.usage_data == PURE_USAGE
    tap = EventTap()
    assert tap.feed(b"data: [DONE]\n") + tap.finish() == b"data: [DONE]\n"
    assert tap.done


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_BYTES", 1000)
    tap = EventTap()
    with pytest.raises(UpstreamBroken) as caught:
        for _ in range(11):
            tap.feed(b"x" * 100)
    assert caught.value.hint


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.sampled_from([None, "error"]))
def test_encode_and_events_agree(text: str, name: str | None) -> None:
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    assert list(events(encode(text.encode(), name, "7"))) == [(data, name, "7")]


def test_encode_refuses_a_second_line_in_a_field() -> None:
    with pytest.raises(ValueError):
        encode(b"x", "a\nb")


def test_a_byte_order_mark_is_no_part_of_the_first_event() -> None:
    tap = EventTap()
    assert tap.feed(b"\xef\xbb\xbfdata: a\n\n") == b"\xef\xbb\xbfdata: a\n\n"
    assert tap.first_data == b"a"


ERROR = b'data: {"error":{"message":"it broke"}}\n\n'


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_an_event_that_is_an_error_is_kept_and_ends_what_is_let_through(step: int) -> None:
    first = b'data: {"choices":[{"delta":{"content":"say \\"error\\": no"}}]}\n\n'
    stream = first + ERROR + first + b"data: [DONE]\n\n"
    tap = EventTap()
    out = b"".join(tap.feed(stream[at : at + step]) for at in range(0, len(stream), step))
    assert out == first + b"data: [DONE]\n\n"
    assert tap.error_data == ERROR[6:-2]


@pytest.mark.parametrize("data", [b'{"choices":[],"error":null}', b'{"choices":[{"error":{"code":1}}]}', b'"error"'])
def test_other_events_that_speak_of_errors_pass(data: bytes) -> None:
    tap = EventTap()
    event = b"data: " + data + b"\n\n"
    assert tap.feed(event) == event
    assert tap.error_data is None
