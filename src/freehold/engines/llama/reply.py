"""OpenAI's reply objects, streamed and whole, from the same deltas. Knows their shape; refuses to know the engine."""

from __future__ import annotations

import math
import secrets
import time
from typing import Any

import msgspec

from freehold.core.errors import FreeholdError
from freehold.wire.server import Exchange

_encode = msgspec.json.Encoder().encode
JSON_HEADERS = ((b"content-type", b"application/json"),)
STREAM_HEADERS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
Delta = dict[str, Any]


class Tally:
    """Tokens of one reply, over all of its prompts and choices."""

    __slots__ = ("cached", "completion", "prompt", "reasoning")

    def __init__(self) -> None:
        self.prompt = self.completion = self.cached = self.reasoning = 0

    def usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def error_headers(error: FreeholdError) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of a reply that tells of `error`."""
    if error.retry_after is None:
        return JSON_HEADERS
    return (*JSON_HEADERS, (b"retry-after", b"%d" % math.ceil(error.retry_after)))


def render_error(error: FreeholdError) -> bytes:
    """`error` as OpenAI's error object."""
    kind = "invalid_request_error" if error.status < 500 and error.status != 429 else "server_error"
    return _encode({"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}})


class Stream:
    """Writes server-sent events. Nothing is sent before the first piece, so that an error can still be a status."""

    def __init__(self, exchange: Exchange, chat: bool, model: str, fingerprint: str, include_usage: bool) -> None:
        self._exchange = exchange
        self._chat = chat
        kind = "chat.completion.chunk" if chat else "text_completion"
        id = secrets.token_hex(12)
        head = {
            "id": f"chatcmpl-{id}" if chat else f"cmpl-{id}",
            "object": kind,
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._plain_tail = b'},"logprobs":null,"finish_reason":null}' + self._tail
        self._include_usage = include_usage
        self._pending: list[bytes] = []
        self._opened: set[int] = set()

    def text(self, index: int, content: str) -> None:
        """The frequent case: a piece of a chat answer and nothing else."""
        if index not in self._opened:
            self._open(index)
        self._pending.append(
            b'%b{"index":%d,"delta":{"content":%b%b' % (self._head, index, _encode(content), self._plain_tail)
        )

    def delta(self, index: int, delta: Delta, logprobs: Any = None, finish: str | None = None) -> None:
        if self._chat:
            if index not in self._opened:
                self._open(index)
            if logprobs is not None:
                logprobs = {"content": logprobs, "refusal": None}
            choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        else:
            choice = {"index": index, "text": delta.get("content", ""), "logprobs": logprobs, "finish_reason": finish}
        self._pending.append(self._head + _encode(choice) + self._tail)

    def _open(self, index: int) -> None:
        self._opened.add(index)
        delta = {"role": "assistant", "content": "", "refusal": None}
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        self._pending.append(self._head + _encode(choice) + self._tail)

    def flush(self) -> None:
        """Send what has come together since the last time, in one write."""
        if self._pending:
            if not self._exchange.answered:
                self._exchange.start(200, STREAM_HEADERS)
            self._exchange.write(b"".join(self._pending))
            self._pending.clear()

    def end(self, tally: Tally) -> None:
        if self._include_usage:
            self._pending.append(self._head + b'],"usage":' + _encode(tally.usage()) + b"}\n\n")
        self._pending.append(b"data: [DONE]\n\n")
        if not self._exchange.answered:
            self._exchange.start(200, STREAM_HEADERS)
        self._exchange.end(b"".join(self._pending))
        self._pending.clear()

    def fail(self, error: FreeholdError) -> None:
        """Tell of an error: by status while nothing was sent, else by an error event that ends the stream undone."""
        if not self._exchange.answered:
            self._exchange.reply(error.status, error_headers(error), render_error(error))
            return
        self._pending.append(b"data: " + render_error(error) + b"\n\n")
        self._exchange.end(b"".join(self._pending))


class _Choice:
    __slots__ = ("calls", "content", "finish", "logprobs", "reasoning")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, dict[str, Any]] = {}
        self.logprobs: list[Any] = []
        self.finish: str | None = None


class Whole:
    """Puts the deltas together and answers once."""

    def __init__(self, exchange: Exchange, chat: bool, model: str, fingerprint: str, logprobs: bool) -> None:
        self._exchange, self._chat, self._model, self._fingerprint = exchange, chat, model, fingerprint
        self._wants_logprobs = logprobs
        self._choices: dict[int, _Choice] = {}

    def _choice(self, index: int) -> _Choice:
        found = self._choices.get(index)
        if found is None:
            found = self._choices[index] = _Choice()
        return found

    def text(self, index: int, content: str) -> None:
        self._choice(index).content.append(content)

    def delta(self, index: int, delta: Delta, logprobs: Any = None, finish: str | None = None) -> None:
        choice = self._choice(index)
        if "content" in delta:
            choice.content.append(delta["content"])
        if "reasoning_content" in delta:
            choice.reasoning.append(delta["reasoning_content"])
        for call in delta.get("tool_calls", ()):
            at = choice.calls.get(call["index"])
            if at is None:
                choice.calls[call["index"]] = {**call, "function": dict(call["function"])}
            else:
                at["function"]["arguments"] += call["function"]["arguments"]
        if logprobs is not None:
            choice.logprobs.append(logprobs)
        if finish is not None:
            choice.finish = finish

    def flush(self) -> None:
        """Nothing leaves before the end."""

    def end(self, tally: Tally) -> None:
        id = secrets.token_hex(12)
        reply = {
            "id": f"chatcmpl-{id}" if self._chat else f"cmpl-{id}",
            "object": "chat.completion" if self._chat else "text_completion",
            "created": int(time.time()),
            "model": self._model,
            "system_fingerprint": self._fingerprint,
            "choices": [self._render(i, self._choices[i]) for i in sorted(self._choices)],
            "usage": tally.usage(),
        }
        self._exchange.reply(200, JSON_HEADERS, _encode(reply))

    def _render(self, index: int, choice: _Choice) -> dict[str, Any]:
        content = "".join(choice.content)
        if not self._chat:
            logprobs = merge_legacy(choice.logprobs) if self._wants_logprobs else None
            return {"index": index, "text": content, "logprobs": logprobs, "finish_reason": choice.finish}
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
        if choice.reasoning:
            message["reasoning_content"] = "".join(choice.reasoning)
        if choice.calls:
            message["content"] = content or None
            calls = [choice.calls[i] for i in sorted(choice.calls)]
            message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in calls]
        logprobs = None
        if self._wants_logprobs and not choice.calls:
            logprobs = {"content": [p for batch in choice.logprobs for p in batch], "refusal": None}
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish}

    def fail(self, error: FreeholdError) -> None:
        self._exchange.reply(error.status, error_headers(error), render_error(error))


def merge_legacy(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """Join the logprobs of a text completion."""
    merged: dict[str, Any] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for piece in pieces:
        for name, values in merged.items():
            values += piece[name]
    return merged
