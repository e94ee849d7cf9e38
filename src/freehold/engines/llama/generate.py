"""One native call and what it emits: shapes deltas, counts tokens, sees that nothing was cut. Refuses to know HTTP."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from freehold.core.errors import EngineError
from freehold.engines.enforce_shape import Shaper, Text
from freehold.engines.llama.native import Failure, Native, as_error
from freehold.engines.llama.reply import Tally
from freehold.engines.llama.slots import Slots


class _Logprobs(msgspec.Struct):
    content: list[dict[str, Any]] | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(msgspec.Struct):
    cached_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details = msgspec.field(default_factory=_Details)


class _Progress(msgspec.Struct):
    total: int = 0


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    prompt_progress: _Progress | None = None
    error: Failure | None = None


_decode = msgspec.json.Decoder(_Event | None).decode


class Output(Protocol):
    """Where deltas go: a stream or a whole reply."""

    def text(self, index: int, content: str) -> None: ...
    def delta(self, index: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> None: ...
    def flush(self) -> None: ...


class Generation:
    """The answers to one prompt. `feed` takes what the engine emits."""

    def __init__(self, output: Output, shapers: list[Shaper], first: int, tally: Tally, prompt_counted: bool) -> None:
        self._output, self._shapers, self._first, self._tally = output, shapers, first, tally
        self._simple = all(type(s) is Text for s in shapers)
        self._total = 0  # tokens of the prompt, as the engine counted them before it began
        self._counted = prompt_counted
        self.finished = 0

    def feed(self, batch: list[bytes]) -> None:
        for data in batch:
            event = _decode(data)
            if event is None:  # llama.cpp emits a bare null when there is nothing to say
                continue
            if event.error is not None:
                raise as_error(event.error)
            if event.prompt_progress is not None:
                self._total = event.prompt_progress.total
                continue
            for choice in event.choices:
                self._choice(choice)
            if event.usage is not None:
                self._count(event.usage)
        self._output.flush()

    def _choice(self, choice: _Choice) -> None:
        delta = choice.delta
        index = self._first + choice.index
        logprobs = choice.logprobs.content if choice.logprobs is not None else None
        if delta is not None:
            if delta.reasoning_content:
                self._tally.reasoning += 1
            content, reasoning, calls = delta.content, delta.reasoning_content, delta.tool_calls
        else:
            content, reasoning, calls = choice.text, None, None
        if self._simple and content and logprobs is None and not reasoning and delta is not None:
            self._output.text(index, content)
        elif content or reasoning or calls or logprobs:
            for piece, probabilities in self._shapers[choice.index].push(content, calls, reasoning, logprobs):
                self._output.delta(index, piece, probabilities)
        if choice.finish_reason is not None:
            pieces, reason = self._shapers[choice.index].finish(choice.finish_reason)
            for piece, probabilities in pieces:
                self._output.delta(index, piece, probabilities)
            self._output.delta(index, {}, None, reason)
            self.finished += 1

    def _count(self, usage: _Usage) -> None:
        if self._total and usage.prompt_tokens < self._total:
            raise EngineError(
                f"The engine used {usage.prompt_tokens} of the prompt's {self._total} tokens.",
                code="prompt_truncated",
                status=500,
                retryable=False,
                hint="report this: an engine of ours never cuts a prompt",
            )
        if not self._counted:
            self._counted = True
            self._tally.prompt += usage.prompt_tokens
            self._tally.cached += usage.prompt_tokens_details.cached_tokens
        self._tally.completion += usage.completion_tokens


async def answer(
    native: Native,
    slots: Slots,
    body: dict[str, Any],
    chat: bool,
    choices: int,
    offset: int,
    make: Any,
    output: Output,
    tally: Tally,
) -> None:
    """Generate `choices` answers to one prompt, numbered from `offset`; more than there are slots go in rounds.

    With a seed each answer is a call of its own, seeded apart: together they would depend on one another's batch.
    """
    seeded = "seed" in body
    done = 0
    while done < choices:
        count = 1 if seeded else min(choices - done, slots.size)
        native_body = {**body, "n": count}
        if seeded:
            native_body["seed"] = (body["seed"] + done) & 0x7FFFFFFF
        generation = Generation(output, [make() for _ in range(count)], offset + done, tally, done > 0)
        encoded = msgspec.json.encode(native_body)
        await slots.take(count)
        try:
            await native.generate(chat, encoded, generation.feed, len(encoded) - len(body.get("grammar", "")))
        finally:
            slots.give(count)
        if generation.finished < count:
            raise EngineError("The engine ended the answer before it was complete.", status=500, hint="ask again")
        done += count
