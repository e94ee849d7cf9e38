"""What a call makes use of, as far as another model might not be able to do it. Reads the members' names and what was
judged already; refuses to read long texts again."""

from __future__ import annotations

from functools import lru_cache

from freehold.core.call import STREAM, Call

NOTED = frozenset(
    {
        "audio", "cache_control", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
        "max_completion_tokens", "max_tokens", "modalities", "n", "parallel_tool_calls", "prediction",
        "presence_penalty", "prompt_cache_key", "reasoning_effort", "seed", "service_tier", "stop", "store",
        "stream_options", "suffix", "temperature", "tool_choice", "top_logprobs", "top_p", "verbosity",
        "web_search_options",
    }
)  # fmt: skip
"""Members of a request that not every model honours."""


def features(call: Call) -> tuple[str, ...]:
    """Return the names of what `call` makes use of, sorted: members of the request (NOTED) and needs."""
    return _named(call.needs, call.stream, tuple(call.fields))


@lru_cache(512)
def _named(needs: frozenset[str], stream: bool, members: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*needs, *(NOTED.intersection(members)), *((STREAM,) if stream else ())}))
