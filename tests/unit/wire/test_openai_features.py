"""What a call makes use of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.wire.dialects import openai
from freehold.wire.dialects.openai_features import features

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
STRICT = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {"type": "object"}}}
ASKS = [{"role": "user", "content": 'say "strict": true'}]


def of(**more: Any) -> tuple[str, ...]:
    return features(openai.parse("chat", json.dumps({"model": "m", "messages": ASKS, **more}).encode()))


@pytest.mark.parametrize(
    ("more", "uses"),
    [
        ({}, ()),
        ({"temperature": 0.5, "seed": 1}, ("seed", "temperature")),
        ({"stream": True}, ("stream",)),
        ({"tools": [TOOL]}, ("tools",)),
        ({"tools": [STRICT]}, ("strict_tools", "tools")),
        ({"tools": [TOOL], "tool_choice": "auto"}, ("tool_choice", "tools")),
        ({"tools": [TOOL], "tool_choice": "required"}, ("forced_tool", "tool_choice", "tools")),
        ({"response_format": SCHEMA}, ("json_schema", "strict_schema")),
        ({"response_format": {"type": "json_object"}}, ("json_object",)),
        ({"n": 2}, ("choices", "n")),
        ({"max_tokens": 1000}, ("output:1024",)),
        ({"max_completion_tokens": 1024}, ("output:1024",)),
        ({"max_completion_tokens": 1}, ("output:1",)),
        ({"messages": [*ASKS, {"role": "assistant", "content": "Well,"}]}, ("prefill",)),
        ({"messages": [{"role": "assistant", "content": "Well,"}, *ASKS]}, ()),
    ],
)
def test_uses(more: dict[str, Any], uses: tuple[str, ...]) -> None:
    assert of(**more) == uses
