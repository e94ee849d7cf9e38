from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.dialects.published import valid

from freehold.core.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRejected,
)
from freehold.providers.refusals import explain, read, retry_after
from freehold.wire.dialects import openai

KEY = "sk-proj-very-secret-0123456789"


def told(status: int, body: Any = None, headers: dict[bytes, bytes] | None = None) -> UpstreamError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return explain("dep", status, headers or {}, data, KEY.encode(), now=1_000_000.0)


def openai_says(message: str = "m", code: str | None = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code, **more}}


CASES: list[tuple[str, int, Any, type[UpstreamError], str, int, bool, str]] = [
    ("key", 401, openai_says("Incorrect API key provided: " + KEY), UpstreamError, "upstream_auth", 502, True, "ours"),
    ("forbidden", 403, b"", UpstreamError, "upstream_auth", 502, True, "ours"),
    ("gemini's key", 400, [openai_says("API key not valid.")], UpstreamError, "upstream_auth", 502, True, "ours"),
    (
        "xai's key",
        400,
        {"code": "x", "error": "Incorrect API key provided."},
        UpstreamError,
        "upstream_auth",
        502,
        True,
        "ours",
    ),
    ("unpaid", 402, {"message": "Pay."}, UpstreamError, "upstream_quota", 502, True, "ours"),
    ("quota", 429, openai_says(code="insufficient_quota"), UpstreamError, "upstream_quota", 502, True, "ours"),
    (
        "limit",
        429,
        openai_says(code="rate_limit_exceeded"),
        UpstreamOverloaded,
        "upstream_overloaded",
        429,
        True,
        "vendor",
    ),
    ("busy", 503, b"<html>", UpstreamOverloaded, "upstream_overloaded", 503, True, "vendor"),
    ("overloaded", 529, b"", UpstreamOverloaded, "upstream_overloaded", 503, True, "vendor"),
    ("model", 404, openai_says(code="model_not_found"), UpstreamFault, "upstream_model_missing", 502, True, "ours"),
    (
        "deployment",
        404,
        {"error": {"code": "DeploymentNotFound", "message": "Gone."}},
        UpstreamFault,
        "upstream_model_missing",
        502,
        True,
        "ours",
    ),
    (
        "model, 400",
        400,
        openai_says(code="model_not_found"),
        UpstreamFault,
        "upstream_model_missing",
        502,
        True,
        "ours",
    ),
    ("timeout", 408, b"", UpstreamFault, "upstream_fault", 502, True, "vendor"),
    ("conflict", 409, b"", UpstreamFault, "upstream_fault", 502, True, "vendor"),
    ("500", 500, b"oops", UpstreamFault, "upstream_fault", 502, True, "vendor"),
    ("502", 502, b"<html>", UpstreamFault, "upstream_fault", 502, True, "vendor"),
    ("504", 504, b"", UpstreamFault, "upstream_fault", 502, True, "vendor"),
    ("bad", 400, openai_says("temperature"), UpstreamRejected, "upstream_rejected", 400, False, "caller"),
    ("422", 422, {"detail": [{"msg": "no"}]}, UpstreamRejected, "upstream_rejected", 422, False, "caller"),
    ("413", 413, b"", UpstreamRejected, "upstream_rejected", 413, False, "caller"),
    ("redirect", 307, b"", UpstreamBroken, "upstream_broken", 502, True, "vendor"),
    ("204", 204, b"", UpstreamBroken, "upstream_broken", 502, True, "vendor"),
    (
        "long",
        400,
        openai_says("This model's maximum context length is 8 tokens", "context_length_exceeded"),
        UpstreamRejected,
        "context_length_exceeded",
        400,
        False,
        "caller",
    ),
    (
        "long elsewhere",
        400,
        {"object": "error", "message": "prompt is too long: 9 tokens > 8 maximum"},
        UpstreamRejected,
        "context_length_exceeded",
        400,
        False,
        "caller",
    ),
    (
        "filter",
        400,
        {"error": {"code": "content_filter", "message": "m", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        UpstreamRejected,
        "content_filter",
        400,
        False,
        "caller",
    ),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "ours", "retry", "fault"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_refusal_becomes_the_right_error(
    status: int, body: Any, kind: type[UpstreamError], code: str, ours: int, retry: bool, fault: str
) -> None:
    error = told(status, body)
    assert type(error) is kind and (error.code, error.status) == (code, ours)
    assert (error.retryable, error.fault) == (retry, fault) and error.hint and "dep" in error.message
    _, _, shown = openai.error(error, "r")
    assert KEY not in str(error) and KEY.encode() not in shown
    valid(shown, "ErrorResponse") if kind is not UpstreamRejected else json.loads(shown)


def test_a_vendors_own_words_pass_when_the_caller_can_help_it() -> None:
    body = openai_says("Unknown parameter: 'x'.", "unknown_parameter", param="x")
    error = told(400, body)
    assert isinstance(error, UpstreamRejected) and json.loads(error.body) == body and error.param == "x"


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "too hot", "type": "bad", "code": 1234},
        {"detail": "too hot"},
        {"error": "too hot"},
        {"detail": [{"loc": ["body", "t"], "msg": "too hot"}]},
        {"msg": "too hot"},
        [{"error": {"code": 400, "message": "too hot", "status": "INVALID_ARGUMENT"}}],
    ],
)
def test_other_shapes_reach_the_caller_in_openais(body: Any) -> None:
    error = told(400, body)
    assert isinstance(error, UpstreamRejected)
    assert "too hot" in valid(openai.error(error, "r")[2], "ErrorResponse")["error"]["message"]


def test_a_client_finds_the_code_that_it_tests_for() -> None:
    error = told(400, {"error": {"message": "input is too long", "code": 400}})
    assert valid(openai.error_object(error), "ErrorResponse")["error"]["code"] == "context_length_exceeded"


def test_keys_never_show() -> None:
    for key in (KEY, "sk-pro*****************1234", "xai-0123456789abcdef", "gsk_0123456789abcdef"):
        error = told(400, openai_says(f"You sent {key} in x"))
        assert key not in str(error) and key.encode() not in openai.error_object(error)
    assert b"sk-learn" in openai.error_object(told(400, openai_says("use sk-learn")))


NOW = 1_000_000.0
WAITS: list[tuple[dict[bytes, bytes], str, float | None]] = [
    ({}, "", None),
    ({b"retry-after": b"7"}, "", 7.0),
    ({b"retry-after": b"0.5"}, "", 0.5),
    ({b"retry-after-ms": b"250", b"retry-after": b"7"}, "", 0.25),
    ({b"retry-after": formatdate(NOW + 30, usegmt=True).encode()}, "", 30.0),
    ({b"retry-after": formatdate(NOW - 30, usegmt=True).encode()}, "", 0.0),
    ({b"retry-after": b"soon"}, "", None),
    ({b"retry-after": b"-5"}, "", None),
    ({b"retry-after": b"nan"}, "", None),
    ({b"retry-after": b"inf"}, "", None),
    ({b"retry-after": b"9999999"}, "", None),
    ({b"x-ratelimit-remaining-requests": b"0", b"x-ratelimit-reset-requests": b"6m0s"}, "", 360.0),
    ({b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"20ms"}, "", 0.02),
    ({b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"1h2m3.5s"}, "", 3723.5),
    ({b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"12"}, "", 12.0),
    ({b"x-ratelimit-remaining-tokens": b"8", b"x-ratelimit-reset-tokens": b"12"}, "", None),
    ({b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"1.2.3s"}, "", None),
    ({}, "Please retry after 10 seconds.", 10.0),
    ({}, "Please try again in 250ms.", 0.25),
    ({}, "Please try again in 1.5s. Visit us.", 1.5),
]


@pytest.mark.parametrize(("headers", "text", "wait"), WAITS)
def test_how_long_to_wait(headers: dict[bytes, bytes], text: str, wait: float | None) -> None:
    assert retry_after(headers, text, NOW) == (None if wait is None else pytest.approx(wait))


def test_azures_limit_says_when_in_its_message() -> None:
    error = told(
        429, {"error": {"code": "429", "message": "Requests have exceeded the limit. Please retry after 26 seconds."}}
    )
    assert isinstance(error, UpstreamOverloaded) and error.retry_after == 26.0


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "detail", "innererror"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(100, 599),
    st.binary(max_size=30) | json_value.map(lambda v: json.dumps(v).encode()),
    st.dictionaries(
        st.sampled_from(
            [b"retry-after", b"retry-after-ms", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens"]
        ),
        st.binary(max_size=12),
    ),
)
def test_nothing_that_a_vendor_sends_breaks_us(status: int, body: bytes, headers: dict[bytes, bytes]) -> None:
    error = told(status, body, headers)
    assert error.status >= 400 and (error.retry_after is None or error.retry_after >= 0)
    json.loads(openai.error_object(error))
    read(body)
