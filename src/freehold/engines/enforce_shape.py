"""Shapers: from the pieces that the engine emits to the deltas that OpenAI documents. One for each choice of a reply.

A whole reply is put together from the very deltas that a stream would have carried, so both say the same.
"""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

import msgspec

from freehold.core.errors import EngineError
from freehold.engines.enforce import Plan, Tool, call_id
from freehold.engines.schema import fits

Delta = dict[str, Any]
Piece = tuple[Delta, list[Any] | None]
"""A delta, and the logprobs of its tokens."""


class Shaper(Protocol):
    """`push` takes what one engine event held, `finish` the engine's reason; both return what to emit."""

    def push(
        self, content: str | None, calls: list[Any] | None, reasoning: str | None, logprobs: list[Any] | None
    ) -> list[Piece]: ...
    def finish(self, reason: str) -> tuple[list[Piece], str]: ...


def shaper(plan: Plan, *, whole: bool = True) -> Shaper:
    """The shaper that this plan needs. `whole`: no stop sequence of the caller's own can cut what is said."""
    if plan.enforced:
        return ForcedCall(whole)
    if plan.choice == "auto":
        return MaybeCalls(plan)
    return Text() if plan.schema is None or not whole else Formed(plan.schema)


class Text:
    """Nothing to rebuild."""

    def push(
        self, content: str | None, calls: list[Any] | None, reasoning: str | None, logprobs: list[Any] | None
    ) -> list[Piece]:
        out: list[Piece] = []
        if reasoning:
            out.append(({"reasoning_content": reasoning}, None))
        if content or logprobs:
            out.append(({"content": content or ""}, logprobs))
        return out

    def finish(self, reason: str) -> tuple[list[Piece], str]:
        return [], reason


class Formed(Text):
    """What is said is JSON of a schema, by grammar. The engine can drop a grammar that grows beyond its bounds, and
    says so in its log only: here it shows."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._text: list[str] = []

    def push(
        self, content: str | None, calls: list[Any] | None, reasoning: str | None, logprobs: list[Any] | None
    ) -> list[Piece]:
        self._text.append(content or "")
        return super().push(content, calls, reasoning, logprobs)

    def finish(self, reason: str) -> tuple[list[Piece], str]:
        if reason == "stop":
            try:
                value = json.loads("".join(self._text))  # takes lone surrogates, as grammars do
            except ValueError as e:
                raise _unformed() from e
            if not fits(value, self._schema):
                raise _unformed()
        return [], reason


def _unformed() -> EngineError:
    return EngineError(
        "The engine could not hold the reply to its schema.",
        code="reply_off_schema",
        status=502,
        hint="ask again, with a simpler schema",
    )


_HEADER = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)')


class ForcedCall:
    """The text is {"name": ..., "arguments": {...}} by grammar: it becomes one call, its arguments streamed."""

    def __init__(self, whole: bool = True) -> None:
        self._whole = whole
        self._text = ""
        self._depth = 0
        self._named = self._ended = self._quoted = self._escaped = False

    def push(
        self, content: str | None, calls: list[Any] | None, reasoning: str | None, logprobs: list[Any] | None
    ) -> list[Piece]:
        out: list[Piece] = [({"reasoning_content": reasoning}, None)] if reasoning else []
        if not content or self._ended:
            return out
        if not self._named:
            self._text += content
            head = _HEADER.match(self._text)
            if head is None:
                return out
            self._named = True
            content = self._text[head.end() :]
            out.append(({"tool_calls": [opening(0, msgspec.json.decode(head[1]))]}, None))
        piece = self._arguments(content)
        if piece:
            out.append(({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None))
        return out

    def _arguments(self, text: str) -> str:
        """The part of `text` that belongs to the arguments; notes where they end."""
        for at, sign in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped = sign == "\\"
                self._quoted = sign != '"'
            elif sign == '"':
                self._quoted = True
            elif sign in "{[":
                self._depth += 1
            elif sign in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self._ended = True
                    return text[: at + 1]
        return text

    def finish(self, reason: str) -> tuple[list[Piece], str]:
        if reason == "stop" and self._whole and not self._ended:
            raise _unformed()
        return [], "tool_calls" if self._ended else reason


_FENCE = re.compile(r"```(?:json|tool_call|tool_code)?[ \t]*\n?(.*?)\n?[ \t]*```", re.DOTALL)
_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_STARTS = ("```json", "```tool_call", "```\n", "``` ", "{", "[", "<tool_call>")
_LONGEST = max(map(len, _STARTS))


class MaybeCalls:
    """The engine's parser may find calls. Text that begins like a block of JSON is held until it shows what it is."""

    def __init__(self, plan: Plan) -> None:
        self._tools = {tool.name: tool for tool in plan.tools}
        self._parallel = plan.parallel
        self._held = ""
        self._logprobs: list[Any] = []
        self._holding = True
        self._opened: set[int] = set()

    def push(
        self, content: str | None, calls: list[Any] | None, reasoning: str | None, logprobs: list[Any] | None
    ) -> list[Piece]:
        out: list[Piece] = [({"reasoning_content": reasoning}, None)] if reasoning else []
        if content:
            if self._holding:
                self._held += content
                self._logprobs += logprobs or ()
                if not _may_be_call(self._held):
                    out += self._release()
            else:
                out.append(({"content": content}, logprobs))
        if calls:
            out += self._release() if self._held.strip() else []
            self._held, self._holding = "", False
            out += [piece for call in calls if (piece := self._native(call)) is not None]
        return out

    def _native(self, call: dict[str, Any]) -> Piece | None:
        index = call.get("index", 0)
        if index > 0 and not self._parallel:
            return None
        function = call.get("function") or {}
        if index not in self._opened:
            self._opened.add(index)
            start = opening(index, function.get("name") or "", call.get("id"))
            start["function"]["arguments"] = function.get("arguments") or ""
            return {"tool_calls": [start]}, None
        return {"tool_calls": [{"index": index, "function": {"arguments": function.get("arguments") or ""}}]}, None

    def _release(self) -> list[Piece]:
        """Give out what was held, as text."""
        held, logprobs = self._held, self._logprobs
        self._held, self._logprobs, self._holding = "", [], False
        return [({"content": held}, logprobs or None)] if held else []

    def finish(self, reason: str) -> tuple[list[Piece], str]:
        if self._opened:
            return [], "tool_calls" if reason in ("stop", "tool_calls") else reason
        found = read_calls(self._held, self._tools) if self._held and reason == "stop" else []
        if not found:
            return self._release(), reason
        out: list[Piece] = []
        for index, (name, arguments) in enumerate(found if self._parallel else found[:1]):
            start = opening(index, name)
            start["function"]["arguments"] = arguments
            out.append(({"tool_calls": [start]}, None))
        return out, "tool_calls"


def _may_be_call(text: str) -> bool:
    text = text.lstrip()
    return text.startswith(_STARTS) or (len(text) < _LONGEST and any(s.startswith(text) for s in _STARTS))


def opening(index: int, name: str, id: str | None = None) -> dict[str, Any]:
    """The first delta of a call."""
    return {"index": index, "id": id or call_id(), "type": "function", "function": {"name": name, "arguments": ""}}


def read_calls(text: str, tools: dict[str, Tool]) -> list[tuple[str, str]]:
    """Return (name, arguments as JSON) of each call that `text` consists of; nothing when it is more than calls."""
    text = text.strip()
    tagged = _TAGGED.findall(text)
    if tagged and not _TAGGED.sub("", text).strip():
        blocks = tagged
    else:
        fence = _FENCE.fullmatch(text)
        blocks = [fence[1] if fence else text]
    found: list[tuple[str, str]] = []
    for block in blocks:
        try:
            value = msgspec.json.decode(block)
        except msgspec.DecodeError:
            return []
        for call in value if isinstance(value, list) else [value]:
            read = _read_call(call, tools)
            if read is None:
                return []
            found.append(read)
    return found


def _read_call(call: Any, tools: dict[str, Tool]) -> tuple[str, str] | None:
    if not isinstance(call, dict):
        return None
    inner = call.get("function")
    call = inner if isinstance(inner, dict) else call
    tool = tools.get(call.get("name", "")) if isinstance(call.get("name"), str) else None
    arguments = call.get("arguments", call.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = msgspec.json.decode(arguments)
        except msgspec.DecodeError:
            return None
    if tool is None or not isinstance(arguments, dict) or not fits(arguments, tool.parameters):
        return None
    return tool.name, msgspec.json.encode(arguments).decode()
