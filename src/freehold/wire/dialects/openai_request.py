"""Bytes of an OpenAI request to a Call: the whole request is judged here, once. Refuses to know who asks or answers.

Source: openai-openapi v2.3.0 and, for wording and codes, the service's own answers. A body is read twice: once for its
members as received (`Call.fields`), once into typed structs that are thrown away. Long bodies take a way that reads the
long member once; whatever it cannot decide is left to the plain way, which alone words the errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET, Raw

from freehold.core.call import (
    DIMENSIONS,
    JSON_OBJECT,
    JSON_SCHEMA,
    LOGPROBS,
    SUFFIX,
    TOOLS,
    VISION,
    Call,
    Kind,
)
from freehold.core.errors import FreeholdError
from freehold.core.ids import new_id
from freehold.wire.dialects import json_body
from freehold.wire.dialects import openai_schema as schema
from freehold.wire.dialects.openai_rules import (
    MAX_INPUTS,
    check_chat,
    check_completion,
    check_message,
    check_texts,
    has_image,
    refuse,
)

MAX_DEPTH = 64
"""How deep a body may nest arrays and objects, unless the caller of `parse` says otherwise."""

LONG = 8192
"""Bytes from which a body takes the way that reads its long member once."""

_decoder = msgspec.json.Decoder
_chat, _known_chat, _opaque_chat = _decoder(schema.Chat), _decoder(schema.KnownChat), _decoder(schema.OpaqueChat)
_completion, _opaque_completion = _decoder(schema.Completion), _decoder(schema.OpaqueCompletion)
_embedding, _opaque_embedding = _decoder(schema.Embedding), _decoder(schema.OpaqueEmbedding)
_calls = _decoder(list[schema.OnlyToolCall])
_parts = _decoder(list[schema.OnlyPart])
_members = _decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode
_NOTHING: frozenset[str] = frozenset()
_QUOTE, _BRACKET, _COMMA = ord('"'), ord("["), ord(",")
_NULL = Raw(b"null")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_WANT = re.compile(r"Expected `(?P<want>.*)`, got `(?P<got>.*)`")
_WORDS = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "object": "object", "array": "array",
    "null": "null",
}  # fmt: skip


def parse(
    kind: Kind,
    body: bytes,
    *,
    max_depth: int = MAX_DEPTH,
    id: str = "",
    dialect: str = "openai",
    model: str | None = None,
) -> Call:
    """Return the Call that `body` asks for; BadRequest (or TooLarge) names the member and what is wrong with it.

    `model` overrides the body's own, which may then be absent: Azure names the deployment in the path. `id` is the
    Call's id, made here when empty. `Call.session` is `metadata.session_id`, or `metadata.session`, or `user`:
    what keeps a conversation on one arm of a migration. `Call.choices` counts what is generated per prompt, so
    `best_of` where it exceeds `n`.
    """
    found = _read_long(kind, body, max_depth) if len(body) >= LONG else None
    fields, typed = found or _read(kind, body, max_depth)
    asked = model or typed.model
    if not asked:
        refuse("missing_required_parameter", "model", "Missing required parameter: 'model'.")
    call = Call(id or new_id("call"), dialect, kind, asked, fields, len(body))
    call.user = call.session = typed.user or None
    if kind == "embedding":
        if typed.dimensions is not None:
            call.needs = frozenset((DIMENSIONS,))
        return call
    if typed.stream:
        call.stream = True
        options = typed.stream_options
        call.include_usage = options is not None and options.include_usage is True
    if typed.metadata:
        call.session = typed.metadata.get("session_id") or typed.metadata.get("session") or call.session
    call.max_output = typed.max_tokens
    call.choices = typed.n or 1
    if kind == "completion":
        call.choices = max(call.choices, typed.best_of or 1)
        if typed.suffix is not None or typed.logprobs is not None:
            wanted = ((SUFFIX, typed.suffix), (LOGPROBS, typed.logprobs))
            call.needs = frozenset(name for name, value in wanted if value is not None)
        return call
    if typed.max_completion_tokens is not None:
        call.max_output = typed.max_completion_tokens
    call.needs = _chat_needs(typed)
    return call


def encode(fields: Mapping[str, Raw], **replace: Any) -> bytes:
    """Return a body of `fields` with members replaced or added (any JSON value, or ready JSON as Raw) or removed (None
    is written as null; `...` removes). The bytes of all other members are kept."""
    merged: dict[str, Any] = {**fields, **replace}
    if ... in replace.values():
        merged = {key: value for key, value in merged.items() if value is not ...}
    return _encode(merged)


def _read(kind: Kind, body: bytes, max_depth: int) -> tuple[dict[str, Raw], Any]:
    """The plain way: judge everything, in words."""
    fields = json_body.members(body)
    typed: Any
    try:
        if kind == "chat":
            typed = _read_chat(body, fields, max_depth)
        elif kind == "completion":
            _require_depth(body, fields, "prompt", max_depth)
            typed = _completion.decode(body)
            check_texts(typed.prompt, "prompt", empty=True)
            check_completion(typed)
        else:
            _require_depth(body, fields, "input", max_depth)
            typed = _embedding.decode(body)
            check_texts(typed.input, "input", empty=False, most=MAX_INPUTS)
    except msgspec.ValidationError as e:
        json_body.require_depth(body, max_depth)
        _refuse_value(e)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        json_body.refuse_syntax(body, e)
    if not body.isascii():
        json_body.require_utf8(body)  # members that nobody has read as text
    return fields, typed


def _read_chat(body: bytes, fields: dict[str, Raw], max_depth: int) -> Any:
    try:
        typed: Any = _known_chat.decode(body)
        _require_depth(body, fields, "messages", max_depth)
    except msgspec.ValidationError:
        json_body.require_depth(body, max_depth)
        typed = _chat.decode(body)
    for index, message in enumerate(typed.messages):
        # Most messages are plain text by somebody who needs nothing else.
        if message.content.__class__ is not str or message.role == "tool" or message.tool_calls is not None:
            check_message(message, index)
    check_chat(typed)
    return typed


def _require_depth(body: bytes, fields: dict[str, Raw], known: str, max_depth: int) -> None:
    """Refuse what nests too deep, the member `known` apart, whose type bounds it."""
    if len(body) - len(fields.get(known, b"")) >= 2 * max_depth:
        for name, value in fields.items():
            if name != known and len(value) >= 2 * max_depth:
                json_body.require_depth(bytes(value), max_depth, inside=1)


def _read_long(kind: Kind, body: bytes, max_depth: int) -> tuple[dict[str, Raw], Any] | None:
    """The way for long bodies, or None when it cannot decide. The long member is read once, typed, with its texts left
    opaque, and where it ends is computed instead of reading it again (see `_carve`)."""
    typed: Any
    try:
        if kind == "chat":
            typed = _opaque_chat.decode(body)
            fields = _carve(body, "messages", len(_encode(typed.messages)), max_depth)
            if fields is None or not _judge_opaque(typed.messages):
                return None
            check_chat(typed)
        else:
            key = "prompt" if kind == "completion" else "input"
            typed = (_opaque_completion if kind == "completion" else _opaque_embedding).decode(body)
            text: Raw = getattr(typed, key)
            # Lists are left to the plain way; a long string needs no judging beyond its syntax.
            fields = _carve(body, key, len(text), max_depth) if memoryview(text)[0] == _QUOTE else None
            if kind == "completion":
                check_completion(typed)
        if not body.isascii():
            json_body.require_utf8(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, FreeholdError):
        return None
    return (fields, typed) if fields is not None else None


def _judge_opaque(messages: list[Any]) -> bool:
    """Return whether all messages are certainly good; lists of parts are typed in place."""
    for message in messages:
        content = message.content
        if message.tool_calls is not UNSET:
            calls = _calls.decode(message.tool_calls)
            if not calls or any((c.function if c.type == "function" else c.custom) is None for c in calls):
                return False
            if content is UNSET or content == _NULL:
                continue
        elif content is UNSET or (message.role == "tool" and not message.tool_call_id):
            return False
        first = memoryview(content)[0]
        if first == _BRACKET:
            message.content = _parts.decode(content)
            if not message.content:
                return False
        elif first != _QUOTE:
            return False
    return True


def _carve(body: bytes, key: str, size: int, max_depth: int) -> dict[str, Raw] | None:
    """Return the top-level members of valid JSON whose member `key` is `size` bytes long if written compactly.

    Sound because a body that splits into `head "key": value tail`, where head and tail are objects once closed and
    opened again, splits at its top level: inside a string the quotes would not pair, deeper the brackets would not.
    `size` is the least length of the value, so a split can only come too early, never behind a further member, and
    the final comparison refuses repeated keys. None when the split fails.
    """
    mark = f'"{key}":'.encode()
    at = body.find(mark)
    end = at + len(mark) + size
    if at < 1 or end >= len(body):
        return None
    head = body[: at - 1] + b"}" if at > 1 else b"{}"
    tail = b"{" + body[end + 1 :] if body[end] == _COMMA else b"{" + body[end:]
    fields = _members.decode(head)
    fields[key] = Raw(memoryview(body)[at + len(mark) : end])
    behind = _members.decode(tail)
    fields.update(behind)
    if len(_encode(fields)) != len(body):
        return None
    _require_depth(body, fields, key, max_depth)
    return fields


def _chat_needs(chat: Any) -> frozenset[str]:
    needs = []
    if chat.tools or chat.functions:
        needs.append(TOOLS)
    if chat.logprobs:
        needs.append(LOGPROBS)
    if chat.response_format is not None:
        form = chat.response_format.type
        if form != "text":
            needs.append(JSON_SCHEMA if form == "json_schema" else JSON_OBJECT)
    if has_image(chat.messages):
        needs.append(VISION)
    return frozenset(needs) if needs else _NOTHING


def _refuse_value(error: msgspec.ValidationError) -> NoReturn:
    """Say a validation error in OpenAI's words."""
    match = _AT.match(str(error))
    what, path = (match["what"], match["path"]) if match else (str(error), None)
    param = path.removeprefix("$").removeprefix(".") if path else ""
    missing = re.match(r"Object missing required field `(.*)`", what)
    if missing:
        param = f"{param}.{missing[1]}" if param else missing[1]
        refuse("missing_required_parameter", param, f"Missing required parameter: '{param}'.")
    types = _WANT.fullmatch(what)
    if types:
        want = " or ".join(dict.fromkeys(_WORDS.get(name, name) for name in types["want"].split(" | ")))
        got = _WORDS.get(types["got"], types["got"])
        refuse("invalid_type", param, f"Invalid type for '{param}': expected {want}, but got {got} instead.")
    refuse("invalid_value", param, f"Invalid value for '{param}': {what[:1].lower()}{what[1:].replace('`', '')}.")
