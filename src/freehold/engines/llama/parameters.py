"""From OpenAI's request members to llama.cpp's. Knows each member's form and range; passes on nothing it does not know.

Only named members reach the engine, so its private ones (lora, grammar, id_slot, cache_prompt ...) stay out of reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from freehold.core.errors import BadRequest, Unsupported
from freehold.engines.llama.settings import ChildSettings

Body = dict[str, Any]

_SAMPLING: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    # llama.cpp's own, widely sent by clients of local models
    "min_p": (0.0, 1.0),
    "repeat_penalty": (0.0, 10.0),
}
_SHARED = frozenset(
    {"model", "n", "stream", "stream_options", "stop", "seed", "logit_bias", "max_tokens", "user", "metadata", "top_k"}
    | _SAMPLING.keys()
)
# Accepted because leaving them unhonoured changes nothing that the caller could observe
_INERT = frozenset({"safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
CHAT = (
    _SHARED
    | _INERT
    | frozenset(
        [
            "messages",
            "max_completion_tokens",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "response_format",
            "logprobs",
            "top_logprobs",
            "modalities",
            "service_tier",
            "store",
            "reasoning_effort",
            "chat_template_kwargs",
        ]
    )
)
COMPLETION = _SHARED | _INERT | frozenset(["prompt", "suffix", "echo", "best_of", "logprobs"])
EMBEDDING = frozenset({"model", "input", "encoding_format", "dimensions", "user"})

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read(body: bytes, known: frozenset[str]) -> Body:
    """Return the request's members without those that are null. BadRequest, Unsupported (names the member)."""
    try:
        request = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:  # the latter for bytes that are no UTF-8
        raise BadRequest(f"The body is not a JSON object: {e}", hint="send one JSON object") from e
    for name in [name for name, value in request.items() if value is None]:
        del request[name]
    for name in request:
        if name not in known:
            raise Unsupported(
                f"Unsupported parameter: {name!r}.", param=name, hint="leave it out: this engine cannot honour it"
            )
    return request


def wrong(name: str, what: str) -> BadRequest:
    return BadRequest(
        f"Invalid value for {name!r}: {what}.", param=name, hint="see OpenAI's API reference for its form"
    )


def whole(request: Body, name: str, low: int, high: int, otherwise: int) -> int:
    value = request.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(name, f"an integer from {low} to {high} is needed")
    return value


def flag(request: Body, name: str, otherwise: bool = False) -> bool:
    value = request.get(name, otherwise)
    if not isinstance(value, bool):
        raise wrong(name, "true or false is needed")
    return value


def text(request: Body, name: str) -> str | None:
    value = request.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(name, "a string is needed")
    return value


class Common(msgspec.Struct):
    """What chat and text completions have in common."""

    stream: bool
    include_usage: bool
    n: int
    native: Body  # members for llama.cpp


def common(request: Body, settings: ChildSettings, default_tokens: int = -1) -> Common:
    """Check the members that both kinds share and translate them; `default_tokens` -1 means up to the context's end."""
    stream = flag(request, "stream")
    options = request.get("stream_options", {})
    if not isinstance(options, dict) or options.keys() - {"include_usage", "include_obfuscation"}:
        raise wrong("stream_options", "an object with include_usage is needed")
    if options and not stream:
        raise wrong("stream_options", "it is only allowed with stream: true")
    native: Body = {"stream": True, "return_progress": True, "stream_options": {"include_usage": True}}
    for name, (low, high) in _SAMPLING.items():
        if name in request:
            value = request[name]
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
                raise wrong(name, f"a number from {low:g} to {high:g} is needed")
            native[name] = value
    if native.get("presence_penalty") or native.get("frequency_penalty"):
        native["repeat_last_n"] = settings.context  # OpenAI: over the text so far, not its last 64 tokens
    if "top_k" in request:
        native["top_k"] = whole(request, "top_k", 0, 1 << 20, 0)
    most = "max_completion_tokens" if "max_completion_tokens" in request else "max_tokens"
    limit = whole(request, most, 1, 1 << 30, 1) if most in request else default_tokens
    native["n_predict"] = limit
    if "seed" in request:
        # A warm cache changes the arithmetic, and so the answer: the same seed would not give the same text.
        native["seed"] = whole(request, "seed", -(1 << 63), (1 << 63) - 1, 0) & 0x7FFFFFFF
        native["cache_prompt"] = False
    _stop(request, native)
    _bias(request, native, settings.vocabulary)
    for name, check in _FREE.items():
        if name in request:
            check(request, name)
    return Common(stream, bool(options.get("include_usage", False)), whole(request, "n", 1, 128, 1), native)


def _metadata(request: Body, name: str) -> None:
    value = request[name]
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise wrong(name, "an object of strings is needed")


_FREE: dict[str, Callable[[Body, str], object]] = {
    "user": text,
    "safety_identifier": text,
    "prompt_cache_key": text,
    "prompt_cache_retention": text,
    "metadata": _metadata,
}


def _stop(request: Body, native: Body) -> None:
    stop = request.get("stop", [])
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or len(stop) > 4 or not all(isinstance(s, str) and s for s in stop):
        raise wrong("stop", "a string or up to four non-empty strings are needed")
    if stop:
        native["stop"] = stop


def _bias(request: Body, native: Body, vocabulary: int) -> None:
    bias = request.get("logit_bias", {})
    if not isinstance(bias, dict):
        raise wrong("logit_bias", "an object from token ids to numbers is needed")
    for token, value in bias.items():
        # llama.cpp ignores an id outside of the vocabulary and takes a text for its tokens
        if not token.isascii() or not token.isdigit() or (vocabulary and int(token) >= vocabulary):
            raise wrong("logit_bias", f"{token!r} is no token id of this model")
        if not isinstance(value, int | float) or isinstance(value, bool) or not -100 <= value <= 100:
            raise wrong("logit_bias", f"the bias of {token} is not a number from -100 to 100")
    if bias:
        native["logit_bias"] = bias


def tokens(values: list[Any], vocabulary: int, name: str) -> None:
    """Check a prompt or input that is given as token ids."""
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (vocabulary and value >= vocabulary):
            raise wrong(name, f"{value!r} is no token id of this model")
