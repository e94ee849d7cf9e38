"""What goes back in OpenAI's dialect, and what is read of a vendor's reply. Refuses to know which vendor it was.

Error shapes: openai-openapi v2.3.0 `ErrorResponse`. Official SDKs obey `x-should-retry` before they look at the status,
and `retry-after-ms` before `retry-after` (openai-python `_base_client.py`).
"""

from __future__ import annotations

import contextlib
import math
import re

import msgspec
from msgspec import Raw, Struct

from freehold.core import errors
from freehold.core.call import VISION, Call, Usage
from freehold.core.errors import FreeholdError

JSON = (b"content-type", b"application/json")
Headers = list[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode
_TYPES: tuple[tuple[type[FreeholdError], str], ...] = (
    (errors.Unauthenticated, "authentication_error"),
    (errors.Forbidden, "permission_error"),
    (errors.NotFound, "not_found_error"),
    (errors.OverBudget, "insufficient_quota"),
    (errors.Refused, "invalid_request_error"),
    (errors.UpstreamOverloaded, "rate_limit_error"),
    (errors.UpstreamRejected, "invalid_request_error"),
)
CHARS_PER_TOKEN = 4
"""Characters of a token when we must guess: English prose in the usual vocabularies."""
IMAGE_TOKENS = 765
"""Tokens of an image when we must guess: four tiles at high detail as OpenAI counts them."""


class _Error(Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class _Wrapped(Struct):
    error: _Error


class _Rejected(Struct):
    error: dict[str, Raw]


_rejected = msgspec.json.Decoder(_Rejected)


def error(e: FreeholdError, request_id: str) -> tuple[int, Headers, bytes]:
    """Return status, headers and body that tell `e` to a client. A vendor's own error object passes as it is."""
    headers = [JSON, (b"x-request-id", request_id.encode("latin-1", "replace"))]
    headers.append((b"x-should-retry", b"true" if e.retryable else b"false"))
    if e.retry_after is not None:
        headers.append((b"retry-after", str(max(0, math.ceil(e.retry_after))).encode()))
        headers.append((b"retry-after-ms", str(max(0, math.ceil(e.retry_after * 1000))).encode()))
    if isinstance(e, errors.Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    return e.status, headers, error_object(e)


def error_object(e: FreeholdError) -> bytes:
    """Return `{"error": {...}}` for `e`."""
    if isinstance(e, errors.UpstreamRejected) and e.body:
        try:
            _rejected.decode(e.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # not of this shape: ours says it instead
        else:
            return e.body
    message = e.sentences()
    return _encode(_Wrapped(_Error(message, error_type(e), e.param, e.code)))


def error_type(e: FreeholdError) -> str:
    """Return OpenAI's `type` for `e`; that of a limit is what the limit counts."""
    if isinstance(e, errors.OverLimit):
        return "tokens" if "token" in e.message else "requests"
    for kind, name in _TYPES:
        if isinstance(e, kind):
            return name
    return "server_error"


def error_event(e: FreeholdError) -> bytes:
    """Return the event that ends a stream which has begun: SDKs raise on it. No `[DONE]` follows."""
    body = error_object(e)
    if b"\n" in body or b"\r" in body:  # a vendor's indented object would break the event apart
        body = msgspec.json.format(body, indent=-1)
    return b"data: " + body + b"\n\n"


_Number = int | float | None


class _PromptDetails(Struct):
    cached_tokens: _Number = None


class _CompletionDetails(Struct):
    reasoning_tokens: _Number = None


class _Usage(Struct):
    prompt_tokens: _Number = None
    completion_tokens: _Number = None
    total_tokens: _Number = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: _Number = None  # DeepSeek
    cached_tokens: _Number = None  # Moonshot
    input_tokens: _Number = None  # servers that mix OpenAI's dialects
    output_tokens: _Number = None


class _Groq(Struct):
    usage: _Usage | None = None


class _Choice(Struct):
    usage: _Usage | None = None  # Moonshot's streams


class _Reply(Struct):
    model: str | None = None
    usage: _Usage | None = None
    x_groq: _Groq | None = None
    choices: list[_Choice] | None = None


class _Loose(Struct):
    model: Raw = Raw(b"null")
    usage: Raw = Raw(b"null")


_reply = msgspec.json.Decoder(_Reply)
_loose = msgspec.json.Decoder(_Loose)
_text = msgspec.json.Decoder(str)
_numbers = msgspec.json.Decoder(dict[str, Raw])
_number = msgspec.json.Decoder(int | float)


def read(data: bytes) -> tuple[Usage | None, str | None]:
    """Return the usage and the name of the model that a reply or an event's payload states; None for what it does not.

    Never raises: what cannot be read was not stated. The numbers are the vendor's, verbatim, but for xAI's habit of
    leaving reasoning out of `completion_tokens` while its total counts it: `Usage.output` holds all that was made.
    """
    try:
        reply = _reply.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_loosely(data)
    stated = reply.usage
    if stated is None:
        if reply.x_groq is not None:
            stated = reply.x_groq.usage
        elif reply.choices:
            stated = reply.choices[0].usage
    return (None if stated is None else _count(stated)), reply.model


def metered(body: bytes) -> tuple[Usage, str] | None:
    """Return the usage and the model's name ("" if not stated) of a whole reply, or None when it states no usage."""
    stated, name = read(body)
    return None if stated is None else (stated, name or "")


def usage(data: bytes) -> Usage | None:
    """Return the usage that a reply or an event's payload states, or None. Cheap for the events that state none."""
    return read(data)[0] if b'usage"' in data else None


def answered(data: bytes) -> str | None:
    """Return the name of the model that answered, as the reply or event states it."""
    return read(data)[1]


_TIER = re.compile(rb'"service_tier"\s*:\s*"([a-z_]{1,32})"')


def tier(data: bytes) -> str:
    """Return the service tier that a reply, a part of one, or an event's payload states, e.g. "priority"; "" if none.
    The name cannot stand in a text: there its quotes would be escaped."""
    if b'"service_tier"' not in data:
        return ""
    found = _TIER.search(data)
    return "" if found is None or found[1] in (b"default", b"auto") else found[1].decode()


_MOST = 10**15


def _whole(number: _Number) -> int:
    return int(number) if number is not None and 0 < number < _MOST else 0


def _count_plain(stated: _Usage, given: int, made: int) -> Usage | None:
    """Count what most vendors state: integers that agree with each other, with details and no further words."""
    inside, outside = stated.prompt_tokens_details, stated.completion_tokens_details
    if inside is None or outside is None:
        return None
    cached, thought = inside.cached_tokens, outside.reasoning_tokens
    if (
        cached.__class__ is int
        and thought.__class__ is int
        and 0 <= cached <= given < _MOST
        and 0 <= thought <= made < _MOST
        and (not thought or stated.total_tokens == given + made)
    ):
        return Usage(given, made, cached, thought)
    return None


def _count(stated: _Usage) -> Usage | None:
    given = stated.prompt_tokens if stated.prompt_tokens is not None else stated.input_tokens
    made = stated.completion_tokens if stated.completion_tokens is not None else stated.output_tokens
    if given.__class__ is int and made.__class__ is int:
        plain = _count_plain(stated, given, made)
        if plain is not None:
            return plain
    if given is None and made is None and stated.total_tokens is None:
        return None
    if any(number is not None and not 0 <= number < _MOST for number in (given, made)):
        return None  # nobody used that many tokens, or fewer than none: better an estimate that says it is one
    input_, output, total = _whole(given), _whole(made), _whole(stated.total_tokens)
    cached = stated.prompt_tokens_details.cached_tokens if stated.prompt_tokens_details else None
    if cached is None:
        cached = stated.prompt_cache_hit_tokens if stated.prompt_cache_hit_tokens is not None else stated.cached_tokens
    reasoning = _whole(stated.completion_tokens_details.reasoning_tokens if stated.completion_tokens_details else None)
    if given is None and made is None:
        input_ = total
    elif reasoning and total == input_ + output + reasoning:
        output += reasoning
    return Usage(input_, output, min(_whole(cached), input_), min(reasoning, output))


_COUNTED = frozenset({"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"})


def _read_loosely(data: bytes) -> tuple[Usage | None, str | None]:
    """Read what can be read of a reply whose usage is not of the usual types."""
    try:
        reply = _loose.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    name: str | None = None
    counts: dict[str, float] = {}
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        name = _text.decode(reply.model)
    try:
        stated = _numbers.decode(reply.usage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, name
    for key, value in stated.items():
        try:
            counts[key] = _number.decode(bytes(value).strip(b'"'))  # some servers quote their numbers
        except (msgspec.DecodeError, UnicodeDecodeError):
            if key in _COUNTED:
                return None, name
    given = counts.get("prompt_tokens", counts.get("input_tokens"))
    made = counts.get("completion_tokens", counts.get("output_tokens"))
    return _count(_Usage(given, made, counts.get("total_tokens"))), name


class _Seen(Struct):
    content: Raw = Raw(b"null")


_BRACKET = ord("[")
_seen = msgspec.json.Decoder(list[_Seen])
_pieces = msgspec.json.Decoder(list[dict[str, Raw]])


class _Shape(Struct):
    choices: list[Raw] | None = None
    data: list[Raw] | None = None
    results: list[Raw] | None = None
    categories: list[Raw] | None = msgspec.field(default=None, name="categoriesAnalysis")
    error: Raw = Raw(b"null")


_shape = msgspec.json.Decoder(_Shape)


def is_answer(body: bytes) -> bool:
    """Whether a whole reply is one: JSON with choices, embeddings or a judgement of words, and no error."""
    try:
        shape = _shape.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    held = (shape.choices, shape.data, shape.results, shape.categories)
    return bytes(shape.error) == b"null" and any(each is not None for each in held)


class _Said(Struct):
    content: str | None = None


class _TextChoice(Struct):
    message: _Said | None = None
    text: str | None = None


class _Texts(Struct):
    choices: list[_TextChoice] = []


_texts = msgspec.json.Decoder(_Texts)


def text_chars(body: bytes) -> int:
    """Return the length of all texts in a whole reply; 0 for one that has none, an embedding for example."""
    try:
        choices = _texts.decode(body).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    return sum(len((c.message.content if c.message else c.text) or "") for c in choices)


def estimate_usage(call: Call, text_chars: int) -> Usage:
    """Return a guess for a vendor that states no usage, marked as one. `text_chars` is the length of the answers."""
    return Usage(estimate_input(call), -(-text_chars // CHARS_PER_TOKEN), estimated=True)


def estimate_input(call: Call) -> int:
    """Return a guess of the tokens that the call's prompt has; images count apart, not by their encoded bytes."""
    if VISION not in call.needs:
        return -(-call.size // CHARS_PER_TOKEN)
    size = call.size
    images = 0
    for message in _seen.decode(call.fields["messages"]):
        if memoryview(message.content)[0] != _BRACKET:
            continue
        for part in _pieces.decode(message.content):
            if "image_url" in part:
                images += 1
                size -= len(part["image_url"])
    return -(-size // CHARS_PER_TOKEN) + images * IMAGE_TOKENS
