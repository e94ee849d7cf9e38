"""OpenAI's dialect as one name: requests in (`parse`, `encode`), errors and usage out."""

from __future__ import annotations

from freehold.wire.dialects.openai_reply import (
    answered,
    error,
    error_event,
    error_object,
    estimate_input,
    estimate_usage,
    is_answer,
    metered,
    read,
    text_chars,
    tier,
    usage,
)
from freehold.wire.dialects.openai_request import MAX_DEPTH, encode, parse

__all__ = [
    "MAX_DEPTH",
    "answered",
    "encode",
    "error",
    "error_event",
    "error_object",
    "estimate_input",
    "estimate_usage",
    "is_answer",
    "metered",
    "parse",
    "read",
    "text_chars",
    "tier",
    "usage",
]
