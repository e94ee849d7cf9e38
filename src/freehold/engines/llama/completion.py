"""POST /v1/completions, infilling included. Knows what OpenAI documents of it; refuses to know sockets."""

from __future__ import annotations

from typing import Any

from freehold.core.errors import BadRequest, ContextTooLong, FreeholdError, Unsupported
from freehold.engines.enforce_shape import Text
from freehold.engines.llama import parameters
from freehold.engines.llama.generate import answer
from freehold.engines.llama.native import Native
from freehold.engines.llama.reply import Stream, Tally, Whole
from freehold.engines.llama.settings import ChildSettings
from freehold.engines.llama.slots import Slots
from freehold.wire.server import Exchange

_DEFAULT_TOKENS = 16  # OpenAI's default for this endpoint
_PROMPTS = 128


async def complete(native: Native, slots: Slots, exchange: Exchange, fingerprint: str) -> None:
    """Answer one request; every error goes out in OpenAI's form."""
    settings = native.settings
    request = parameters.read(exchange.body, parameters.COMPLETION)
    common = parameters.common(request, settings, _DEFAULT_TOKENS)
    prompts = _prompts(request, settings.vocabulary)
    if parameters.whole(request, "best_of", 1, 20, common.n) != common.n:
        raise Unsupported("best_of beyond n is not supported.", param="best_of", hint="leave it out")
    top = parameters.whole(request, "logprobs", 0, 5, 0) if "logprobs" in request else None
    if top is not None:
        common.native["logprobs"] = max(1, top)
    echo = parameters.flag(request, "echo")
    if echo and (top is not None or not all(isinstance(p, str) for p in prompts)):
        raise Unsupported("echo is only supported for texts, without logprobs.", param="echo", hint="leave it out")
    suffix = parameters.text(request, "suffix")
    output: Stream | Whole
    if common.stream:
        output = Stream(exchange, False, settings.name, fingerprint, common.include_usage)
    else:
        output = Whole(exchange, False, settings.name, fingerprint, top is not None)
    natives = [_native_prompt(p, suffix, settings) for p in prompts]
    tally = Tally()
    try:
        for number, prompt in enumerate(natives):
            first = number * common.n
            text = prompts[number] if echo else ""
            sink = _Legacy(output, top, text if isinstance(text, str) else "")
            body = {**common.native, "prompt": prompt}
            await answer(native, slots, body, False, common.n, first, Text, sink, tally)
    except FreeholdError as e:
        if isinstance(e, ContextTooLong):
            e.param = "prompt"
        output.fail(e)
        return
    output.end(tally)


def _prompts(request: parameters.Body, vocabulary: int) -> list[str | list[int]]:
    given = request.get("prompt", "")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given or len(given) > _PROMPTS:
        raise parameters.wrong("prompt", f"a text, a list of tokens, or up to {_PROMPTS} of them are needed")
    if all(isinstance(p, str) for p in given):
        return given
    lists = given if all(isinstance(p, list) and p for p in given) else [given]
    for values in lists:
        parameters.tokens(values, vocabulary, "prompt")
    return lists


def _native_prompt(prompt: str | list[int], suffix: str | None, settings: ChildSettings) -> Any:
    """The prompt as llama.cpp takes it: text, tokens, or for infilling a mixture of both."""
    tokens = settings.tokens
    if suffix:
        marks = [tokens.get(f"fim_{part}") for part in ("prefix", "suffix", "middle")]
        if None in marks:
            raise Unsupported(
                "This model cannot fill in text between a prompt and a suffix.",
                param="suffix",
                hint="ask a code model with infill tokens",
            )
        if not isinstance(prompt, str):
            raise parameters.wrong("prompt", "with a suffix it must be a text")
        start = [tokens["bos"]] if settings.add_bos and "bos" in tokens else []
        return [*start, marks[0], prompt, marks[1], suffix, marks[2]]
    if prompt == "":
        if "bos" not in tokens:
            raise BadRequest("The prompt is empty.", param="prompt", hint="send some text")
        return [tokens["bos"]]
    return prompt


class _Legacy:
    """Adds the echo, and turns logprobs into the four lists that this endpoint has."""

    def __init__(self, output: Stream | Whole, top: int | None, echo: str) -> None:
        self._output, self._top, self._echo = output, top, echo
        self._at: dict[int, int] = {}
        self.flush = output.flush

    def text(self, index: int, content: str) -> None:
        self.delta(index, {"content": content})

    def delta(self, index: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> None:
        if self._echo and index not in self._at:
            self._output.delta(index, {"content": self._echo})
        at = self._at.get(index, 0)
        self._at[index] = at + len(delta.get("content", ""))
        shown = _lists(logprobs, self._top, at) if logprobs is not None and self._top is not None else None
        self._output.delta(index, delta, shown, finish)


def _lists(entries: list[dict[str, Any]], top: int, at: int) -> dict[str, Any]:
    tops: list[dict[str, Any] | None] = []
    offsets = []
    for entry in entries:
        offsets.append(at)
        at += len(entry.get("token", ""))
        tops.append({e["token"]: e["logprob"] for e in entry.get("top_logprobs", ())[:top]} if top else None)
    return {
        "tokens": [e.get("token", "") for e in entries],
        "token_logprobs": [e.get("logprob") for e in entries],
        "top_logprobs": tops,
        "text_offset": offsets,
    }
