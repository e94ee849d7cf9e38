"""What a call makes use of, as far as another model might not be able to do it. Reads members' names, what was judged
already, and short members; refuses to read long texts again."""

from __future__ import annotations

import re
from functools import lru_cache

from freehold.core.call import STREAM, Call

NOTED = frozenset(
    {
        "audio", "echo", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "metadata",
        "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
        "reasoning_effort", "safety_identifier", "seed", "service_tier", "stop", "store", "stream_options", "suffix",
        "temperature", "tool_choice", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
"""Members of a request that not every model honours, besides those that `core.call` names as capabilities."""

STRICT_TOOLS, STRICT_SCHEMA, FORCED_TOOL, CHOICES, PREFILL, CACHE = (
    "strict_tools", "strict_schema", "forced_tool", "choices", "prefill", "cache_control",
)  # fmt: skip
"""Uses that a member's value shows: tools and schemas that have to be kept to, a tool that has to be called, several
answers, an answer that is begun by the caller, and marks of what a vendor shall cache."""

OUTPUT = "output:"
"""Followed by the bound on output that the caller asked for, rounded up to a power of two, tokens."""

_STRICT = re.compile(rb'"strict"\s*:\s*true')
_FORCED = (b'"required"', b'"any"')
_TAIL = 400  # bytes of the messages in which the last one's role is looked for
_ROLE = re.compile(rb'"role"\s*:\s*"([a-z]+)"')


def features(call: Call) -> tuple[str, ...]:
    """Return the names of what `call` makes use of, sorted: NOTED members, needs, and those uses."""
    fields = call.fields
    known = _named(call.needs, call.stream, tuple(fields))
    more: list[str] = []
    tools = fields.get("tools")
    if tools is not None and b'"strict"' in bytes(tools) and _STRICT.search(bytes(tools)):
        more.append(STRICT_TOOLS)
    choice = fields.get("tool_choice")
    if choice is not None and (bytes(choice) in _FORCED or bytes(choice)[:1] == b"{"):
        more.append(FORCED_TOOL)
    form = fields.get("response_format")
    if form is not None and _STRICT.search(bytes(form)):
        more.append(STRICT_SCHEMA)
    if call.choices > 1:
        more.append(CHOICES)
    if call.max_output:
        more.append(f"{OUTPUT}{1 << (call.max_output - 1).bit_length()}")
    messages = fields.get("messages")
    if messages is not None:
        raw = bytes(messages)
        if b'"cache_control"' in raw:
            more.append(CACHE)
        tail = raw[-_TAIL:]
        if b'"assistant"' in tail and _begun(tail):
            more.append(PREFILL)
    return tuple(sorted({*known, *more})) if more else known


def _begun(tail: bytes) -> bool:
    """Whether the last message is the assistant's: the last role that is named in the end of the messages."""
    roles = _ROLE.findall(tail)
    return bool(roles) and roles[-1] == b"assistant"


@lru_cache(512)
def _named(needs: frozenset[str], stream: bool, members: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*needs, *(NOTED.intersection(members)), *((STREAM,) if stream else ())}))
