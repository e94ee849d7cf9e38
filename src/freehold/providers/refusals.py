"""What a vendor's reply that is no answer means. Knows the shapes in which vendors refuse; never repeats a secret."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from freehold.core.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamFault,
    UpstreamOverloaded,
    UpstreamRejected,
)

LONGEST_WAIT = 86400.0
"""Seconds; a vendor that asks for more is not believed."""
LONGEST_BODY = 65536
"""Bytes of a vendor's refusal that are read and passed on."""

_BAD_KEY = re.compile(
    r"(incorrect|invalid|missing|expired|no) api[ _-]?key|API_KEY_INVALID"
    r"|api[ _-]?key (is )?(not valid|invalid|expired)",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|(prompt|input) is too long|too many (input )?tokens"
    r"|(exceed|longer than).{0,60}context",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model_not_found|DeploymentNotFound|the model .{0,80} does not exist", re.IGNORECASE)
_NO_MONEY = re.compile(
    r"insufficient[ _](quota|balance|funds|credits?)|exceeded your current quota|out of credits", re.IGNORECASE
)
_WAIT = re.compile(r"(?:retry|try again) (?:after|in) ([0-9.]+) ?(ms|milliseconds?|s|seconds?)\b", re.IGNORECASE)
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([0-9.]+)s)?(?:([0-9.]+)ms)?")
_SECRET = re.compile(rb"\b(?:sk|xai|gsk|pplx|nvapi|hf|csk)[-_][A-Za-z0-9*_.-]{8,}")
_encode = msgspec.json.Encoder().encode


class Refusal(Struct):
    """A refusal as far as it could be read."""

    message: str = ""
    type: str | None = None
    code: str | None = None
    param: str | None = None
    inner: str | None = None

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.code, self.type, self.inner, self.message) if part)


def explain(
    where: str, status: int, headers: Mapping[bytes, bytes], body: bytes, secret: bytes, now: float | None = None
) -> UpstreamError:
    """Return the error for a reply of `status` by the deployment `where`. `secret` is the key that must not show.

    `now` is the time in Unix seconds, for dates in headers. Retryable errors are those that the same call may survive
    later or elsewhere: the pipeline tries again, or goes on to the next deployment.
    """
    body = hide(body[:LONGEST_BODY], secret)
    said = read(body)
    text = said.text
    wait = retry_after(headers, text, time.time() if now is None else now)
    if status in (401, 403, 407) or (status == 400 and _BAD_KEY.search(text)):
        return UpstreamError(
            f"The vendor behind '{where}' refused our credentials (status {status}).",
            code="upstream_auth",
            fault="ours",
            hint="Ask whoever runs this server to check the deployment's key.",
        )
    if status == 402 or (status in (400, 429) and _NO_MONEY.search(text)):
        return UpstreamError(
            f"The account with the vendor behind '{where}' is out of credit (status {status}).",
            code="upstream_quota",
            fault="ours",
            hint="Ask whoever runs this server to raise the account's limit or pay its bill.",
            retry_after=wait,
        )
    if status in (429, 503, 529) or (status == 498 and wait is not None):
        return UpstreamOverloaded(
            f"'{where}' is overloaded or limits our rate (status {status}).",
            status=429 if status == 429 else 503,
            retry_after=wait,
            hint="Try again later, or give the route a fallback.",
        )
    if status == 404 or (status == 400 and _NO_MODEL.search(text)):
        return UpstreamFault(
            f"'{where}' does not know the model that it was asked for (status {status}).",
            code="upstream_model_missing",
            fault="ours",
            hint="Ask whoever runs this server to check the deployment's model and endpoint.",
        )
    if status in (408, 409, 425, 460, 499) or status >= 500:
        words = f": {said.message[:300]}" if said.message else ""
        return UpstreamFault(
            f"'{where}' failed (status {status}){words}",
            retry_after=wait,
            hint="Try again, or give the route a fallback.",
        )
    if 400 <= status < 500:
        return _rejected(where, status, said, body)
    return UpstreamBroken(
        f"'{where}' answered with status {status}, which is no answer.", hint="Check the deployment's endpoint."
    )


def _rejected(where: str, status: int, said: Refusal, body: bytes) -> UpstreamRejected:
    text = said.text
    code = None
    if said.code == "content_filter" or said.inner == "ResponsibleAIPolicyViolation" or said.type == "content_filter":
        code = "content_filter"
    elif status in (400, 413, 422) and _TOO_LONG.search(text):
        code = "context_length_exceeded"
    error = UpstreamRejected(
        f"'{where}' declined the request (status {status}): {said.message or 'no reason given'}",
        status=status,
        code=code,
        param=said.param or ("messages" if code == "context_length_exceeded" else None),
        hint="Change the request as the vendor's message says.",
    )
    error.body = _openai_shape(said, body, code)
    return error


def _openai_shape(said: Refusal, body: bytes, code: str | None) -> bytes:
    """Return the vendor's own object if a client of OpenAI's can read it and finds the code that it tests for."""
    if isinstance(_member(_json(body), "error"), dict) and (code is None or said.code == code):
        return body
    kind = said.type or "invalid_request_error"
    return _encode({"error": {"message": said.message, "type": kind, "param": said.param, "code": code or said.code}})


def hide(body: bytes, secret: bytes) -> bytes:
    """Return `body` without `secret` and without what looks like a vendor's key, masked ones included."""
    if len(secret) >= 4:
        body = body.replace(secret, b"[key]")
    return _SECRET.sub(b"[key]", body)


def read(body: bytes) -> Refusal:
    """Return what a refusal says, whatever its shape; an empty one when it says nothing that can be read."""
    value = _json(body)
    if isinstance(value, list) and value:
        value = value[0]  # Gemini's
    if not isinstance(value, dict):
        return Refusal()
    error = value.get("error")
    source = error if isinstance(error, dict) else value
    message = source.get("message")
    if message is None and isinstance(error, str):
        message = error
    if message is None:
        message = value.get("detail") or value.get("msg")  # FastAPI's, and others'
    inner = source.get("innererror") or source.get("inner_error")
    return Refusal(
        _text(message) or "",
        _text(source.get("type")) or _text(source.get("status")),
        _text(source.get("code")),
        _text(source.get("param")),
        _text(_member(inner, "code")),
    )


def _json(body: bytes) -> Any:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(body)
    return None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else _encode(value).decode()


def retry_after(headers: Mapping[bytes, bytes], text: str, now: float) -> float | None:
    """Return the seconds that a vendor asks us to wait: `retry-after-ms`, `retry-after` (seconds or a date), the reset
    of an exhausted limit, or what the message says; None when it says nothing."""
    wait = _number(headers.get(b"retry-after-ms"), 0.001)
    if wait is None and (given := headers.get(b"retry-after")) is not None:
        wait = _number(given, 1.0)
        if wait is None:
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                wait = max(0.0, parsedate_to_datetime(given.decode("latin-1")).timestamp() - now)
    if wait is None:
        resets = [_reset(headers, measure) for measure in (b"requests", b"tokens")]
        wait = max((reset for reset in resets if reset is not None), default=None)
    if wait is None and (said := _WAIT.search(text)):
        wait = _number(said[1].rstrip(".").encode(), 0.001 if said[2].lower().startswith("m") else 1.0)
    return wait if wait is not None and wait <= LONGEST_WAIT else None


def _reset(headers: Mapping[bytes, bytes], measure: bytes) -> float | None:
    """Return when an exhausted limit is full again: seconds, or a span as OpenAI writes it (6m0s, 20ms)."""
    if headers.get(b"x-ratelimit-remaining-" + measure, b"").strip() not in (b"0", b"0.0"):
        return None
    given = headers.get(b"x-ratelimit-reset-" + measure, b"").strip()
    seconds = _number(given, 1.0)
    if seconds is not None:
        return seconds
    span = _SPAN.fullmatch(given.decode("latin-1"))
    if span is None or not any(span.groups()):
        return None
    try:
        days, hours, minutes, secs, millis = (float(part or 0) for part in span.groups())
    except ValueError:
        return None
    return days * 86400 + hours * 3600 + minutes * 60 + secs + millis / 1000


def _number(given: bytes | None, unit: float) -> float | None:
    if given is None:
        return None
    with contextlib.suppress(ValueError):
        number = float(given)
        if 0 <= number < float("inf"):
            return number * unit
    return None
