"""The words in an OpenAI answer, whole or one event of a stream: whose they are, and the same answer with other words.
Refuses to know what is looked for in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from freehold.wire.dialects.openai_texts import Path, put

Channel = (
    Literal["content", "refusal", "reasoning", "thinking", "transcript", "text"]
    | tuple[Literal["arguments", "custom", "part"], int]
)
"""Where in an answer words stand: its content, a refusal, what a model thinks aloud (vendors have two names for it),
what it says in sound, the text of a legacy completion; or the JSON or text that tool call number i is given (-1: the
legacy function call), or part i of a content in parts."""

Place = tuple[int, Channel]
"""A choice's index and a channel of it."""


class Piece(NamedTuple):
    """Words of an answer, or the next ones of it. `finish` is why the choice ends here, None where it goes on. A choice
    that ends without further words has one piece with none."""

    choice: int
    channel: Channel
    text: str
    finish: str | None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    text: Any = None
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None


_answer = msgspec.json.Decoder(_Answer)
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_index = msgspec.json.Decoder(_Choice)
_encode = msgspec.json.Encoder().encode

_NAMES: tuple[tuple[str, Channel], ...] = (
    ("content", "content"),
    ("refusal", "refusal"),
    ("reasoning_content", "reasoning"),  # DeepSeek and others
    ("reasoning", "thinking"),  # OpenRouter, Groq
)


_COMMON = frozenset({"role", "content", "refusal", "annotations"})
"""Members of a message of most answers, which say all they say in their content."""


def pieces(payload: bytes) -> list[Piece] | None:
    """Return the words of a whole answer or of one event's payload, in order. None when nothing in it can matter: it
    says nothing, ends no choice, or is no answer that we can read."""
    if b'"choices"' not in payload:
        return None
    try:
        choices = _answer.decode(payload).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    out: list[Piece] = []
    for choice in choices or ():
        message = choice.message
        if message is not None and choice.text is choice.delta is None and _COMMON.issuperset(message):
            content = message.get("content")
            if content.__class__ is str and content and not message.get("refusal"):
                out.append(Piece(choice.index, "content", content, choice.finish_reason))
                continue
        before = len(out)
        out += [Piece(choice.index, channel, text, choice.finish_reason) for channel, _, text in _said(choice)]
        if choice.finish_reason is not None and len(out) == before:
            out.append(Piece(choice.index, "text" if choice.text is not None else "content", "", choice.finish_reason))
    return out or None


def rewritten(payload: bytes, new: Mapping[Place, str]) -> bytes:
    """Return the answer or payload with other words at the places of `new`; the bytes of everything else are kept. A
    place at which it says nothing stays as it is."""
    edits: dict[Path, str] = {}
    for at, choice in enumerate(_answer.decode(payload).choices or ()):
        for channel, path, _ in _said(choice):
            text = new.get((choice.index, channel))
            if text is not None:
                edits[("choices", at, *path)] = text
    return bytes(put(Raw(payload), edits)) if edits else payload


def further(like: bytes, new: Mapping[Place, str], finish: str | None = None) -> bytes:
    """Return the payload of one more event of the stream that `like` is of, which says the words of `new` alone; each
    choice in it ends with `finish`, or goes on."""
    members = _members.decode(like)
    legacy = any(channel == "text" for _, channel in new) or members.get("object") == b'"text_completion"'
    said: dict[int, dict[str, Any]] = {}
    for (index, channel), text in new.items():
        _say(said.setdefault(index, {}), channel, text)
    choices = [
        {"index": index, **(words if legacy else {"delta": words}), "logprobs": None, "finish_reason": finish}
        for index, words in sorted(said.items())
    ]
    kept = {name: raw for name, raw in members.items() if name not in _OF_ONE}
    return _encode({**kept, "choices": choices})


_OF_ONE = frozenset({"usage", "prompt_filter_results", "obfuscation", "x_groq"})
"""Members of an event that are said but once, or belong to its own words."""


def _say(words: dict[str, Any], channel: Channel, text: str) -> None:
    """Put words where `channel` has them in a delta, or in a legacy choice."""
    match channel:
        case "reasoning":
            words["reasoning_content"] = text
        case "thinking":
            words["reasoning"] = text
        case ("part", number):
            words.setdefault("content", []).append({"type": "text", "text": text})
        case "transcript":
            words["audio"] = {"transcript": text}
        case "content" | "refusal" | "text":
            words[channel] = text
        case ("arguments", -1):
            words["function_call"] = {"arguments": text}
        case ("arguments", number):
            words.setdefault("tool_calls", []).append({"index": number, "function": {"arguments": text}})
        case ("custom", number):
            words.setdefault("tool_calls", []).append({"index": number, "custom": {"input": text}})


def _said(choice: _Choice) -> Iterator[tuple[Channel, Path, str]]:
    """The channels of a choice that say something, the path to the words from the choice, and the words."""
    if choice.text.__class__ is str and choice.text:
        yield "text", ("text",), choice.text
    for where, words in (("delta", choice.delta), ("message", choice.message)):
        if not words:
            continue
        for name, channel in _NAMES:
            text = words.get(name)
            if text.__class__ is str and text:
                yield channel, (where, name), text
        if isinstance(words.get("content"), list):  # Mistral
            for at, part in enumerate(words["content"]):
                if isinstance(part, dict) and isinstance(part.get("text"), str) and part["text"]:
                    yield ("part", at), (where, "content", at, "text"), part["text"]
        audio = words.get("audio")
        if isinstance(audio, dict) and isinstance(audio.get("transcript"), str):
            yield "transcript", (where, "audio", "transcript"), audio["transcript"]
        calls = words.get("tool_calls")
        if calls:
            yield from _called(where, calls)
        legacy = words.get("function_call")
        if isinstance(legacy, dict) and isinstance(legacy.get("arguments"), str) and legacy["arguments"]:
            yield ("arguments", -1), (where, "function_call", "arguments"), legacy["arguments"]


def _called(where: str, calls: Any) -> Iterator[tuple[Channel, Path, str]]:
    for at, called in enumerate(calls if isinstance(calls, list) else ()):
        if not isinstance(called, dict):
            continue
        number = called.get("index")
        number = number if isinstance(number, int) else at  # a whole answer does not count them
        function, custom = called.get("function"), called.get("custom")
        if isinstance(function, dict) and isinstance(function.get("arguments"), str) and function["arguments"]:
            yield ("arguments", number), (where, "tool_calls", at, "function", "arguments"), function["arguments"]
        if isinstance(custom, dict) and isinstance(custom.get("input"), str) and custom["input"]:
            yield ("custom", number), (where, "tool_calls", at, "custom", "input"), custom["input"]
