from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.dialects.published import valid

from freehold.core import errors
from freehold.core.call import Usage
from freehold.core.errors import FreeholdError
from freehold.wire.dialects import openai

TYPES = [
    (errors.BadRequest("x"), 400, "invalid_request_error", b"false"),
    (errors.TooLarge("x"), 413, "invalid_request_error", b"false"),
    (errors.Unauthenticated("x"), 401, "authentication_error", b"false"),
    (errors.Forbidden("x"), 403, "permission_error", b"false"),
    (errors.NotFound("x"), 404, "not_found_error", b"false"),
    (errors.ContextTooLong("x"), 400, "invalid_request_error", b"false"),
    (errors.Unsupported("x"), 400, "invalid_request_error", b"false"),
    (errors.OverLimit("over 5 requests/minute"), 429, "requests", b"true"),
    (errors.OverLimit("over 5 tokens/minute"), 429, "tokens", b"true"),
    (errors.OverBudget("x"), 429, "insufficient_quota", b"false"),
    (errors.UpstreamOverloaded("x"), 429, "rate_limit_error", b"true"),
    (errors.Unroutable("x"), 503, "server_error", b"true"),
    (errors.UpstreamFault("x"), 502, "server_error", b"true"),
    (errors.UpstreamTimeout("x"), 504, "server_error", b"true"),
    (errors.StoreError("x"), 503, "server_error", b"true"),
    (errors.EngineError("x"), 503, "server_error", b"true"),
    (FreeholdError("x"), 500, "server_error", b"false"),
]


@pytest.mark.parametrize(("error", "status", "kind", "retry"), TYPES)
def test_errors_have_the_published_shape(error: FreeholdError, status: int, kind: str, retry: bytes) -> None:
    got, headers, body = openai.error(error, "req_1")
    said = valid(body, "ErrorResponse")["error"]
    found = dict(headers)
    assert got == status and said["type"] == kind and said["code"] == error.code
    assert found[b"x-should-retry"] == retry and found[b"x-request-id"] == b"req_1"
    assert found[b"content-type"] == b"application/json" and b"retry-after" not in found


def test_an_error_says_when_to_come_back_and_what_to_do() -> None:
    error = errors.OverLimit("Too fast.", retry_after=1.25, hint="Slow down.", param="model")
    _, headers, body = openai.error(error, "r")
    assert dict(headers)[b"retry-after"] == b"2" and dict(headers)[b"retry-after-ms"] == b"1250"
    assert json.loads(body)["error"]["message"] == "Too fast. Slow down."
    assert json.loads(body)["error"]["param"] == "model"


def test_a_vendors_own_object_passes_but_nothing_else_does() -> None:
    error = errors.UpstreamRejected("no", status=422)
    error.body = b'{\n "error": {"message": "m", "x": 1}}'
    assert openai.error(error, "r")[::2] == (422, error.body)
    assert openai.error_event(error) == b'data: {"error":{"message":"m","x":1}}\n\n'
    for other in (b"<html>", b'{"error":"text"}', b"[]", b'{"detail":[]}', b"\xff"):
        error.body = other
        assert valid(openai.error_object(error), "ErrorResponse")["error"]["message"].startswith("no")


def test_the_event_that_ends_a_stream() -> None:
    event = openai.error_event(errors.UpstreamBroken("cut", hint="Again."))
    assert event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2
    assert valid(event[6:], "ErrorResponse")["error"]["code"] == "upstream_broken"


def test_request_ids_cannot_break_a_header() -> None:
    assert openai.error(FreeholdError("x"), "r\u2028")[1][1][1] == b"r?"


USAGES: list[tuple[str, Any, Usage | None]] = [
    ("plain", {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, Usage(3, 4)),
    ("embedding", {"prompt_tokens": 3, "total_tokens": 3}, Usage(3)),
    (
        "details",
        {
            "prompt_tokens": 30,
            "completion_tokens": 9,
            "total_tokens": 39,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        Usage(30, 9, 20, 5),
    ),
    ("null details", {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(3, 4)),
    ("deepseek", {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 8}, Usage(10, 2, 8)),
    ("moonshot", {"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 8}, Usage(10, 2, 8)),
    (
        "xai leaves reasoning out",
        {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 17,
            "completion_tokens_details": {"reasoning_tokens": 10},
        },
        Usage(5, 12, 0, 10),
    ),
    ("floats", {"prompt_tokens": 3.0, "completion_tokens": 4.0}, Usage(3, 4)),
    ("strings", {"prompt_tokens": "3", "completion_tokens": "4"}, Usage(3, 4)),
    ("input and output", {"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
    ("negative", {"prompt_tokens": -3, "completion_tokens": 4}, None),
    ("cached more than read", {"prompt_tokens": 3, "completion_tokens": 0, "cached_tokens": 9}, Usage(3, 0, 3)),
    ("total alone", {"total_tokens": 9}, Usage(9)),
    ("empty", {}, None),
    ("null", None, None),
    ("text", "many", None),
    ("details a list", {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": []}, Usage(3, 4)),
]


@pytest.mark.parametrize(("stated", "expected"), [u[1:] for u in USAGES], ids=[u[0] for u in USAGES])
def test_usage(stated: Any, expected: Usage | None) -> None:
    data = json.dumps({"id": "x", "model": "gpt-5-2026", "choices": [{"index": 0}], "usage": stated}).encode()
    assert openai.usage(data) == expected
    assert openai.answered(data) == "gpt-5-2026"
    assert openai.metered(data) == (None if expected is None else (expected, "gpt-5-2026"))


def test_usage_in_odd_places() -> None:
    used = {"prompt_tokens": 1, "completion_tokens": 2}
    for chunk in ({"x_groq": {"usage": used}}, {"choices": [{"usage": used}]}):
        assert openai.usage(json.dumps(chunk).encode()) == Usage(1, 2)
    assert openai.usage(b'{"choices":[{"delta":{"content":"usage"}}]}') is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40) | st.from_regex(rb'\{"usage":.{0,20}\}', fullmatch=True))
def test_reading_never_raises(data: bytes) -> None:
    openai.usage(data), openai.answered(data), openai.metered(data)


def test_an_estimate_is_marked_as_one() -> None:
    call = openai.parse("chat", b'{"model":"m","messages":[{"role":"user","content":"hello there"}]}')
    guess = openai.estimate_usage(call, 41)
    assert guess == Usage(-(-call.size // 4), 11, estimated=True)


def test_an_image_is_not_counted_by_its_bytes() -> None:
    url = "data:image/png;base64," + "A" * 100_000
    content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": content}]}
    call = openai.parse("chat", json.dumps(body).encode())
    assert 765 < openai.estimate_input(call) < 900


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'{"choices": []}', True),
        (b'{"object": "list", "data": [], "error": null}', True),
        (b'{"error": {"message": "no"}}', False),
        (b'{"choices": [], "error": {"message": "no"}}', False),
        (b'{"choices": 1}', False),
        (b'{"id": "x", "choices": [', False),
        (b"<html></html>", False),
        (b"", False),
        (b"[" * 100_000, False),
        (b"data: {}\n\n", False),
    ],
)
def test_what_is_an_answer(body: bytes, good: bool) -> None:
    assert openai.is_answer(body) is good
