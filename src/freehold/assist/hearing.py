"""Reads a streamed answer as it comes: words, thoughts and uses of tools. Knows OpenAI's events; refuses to know what
becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from freehold.pipeline import About
from freehold.wire.client import Source

Kind = Literal["text", "reasoning"]

TOOL_BYTES = 262_144
"""Longest arguments of one use of a tool; what goes beyond is no use of one."""
USES = 32
"""Uses of tools that one reply may ask for; what goes beyond is not heard."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Use(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Use] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []


class Use(msgspec.Struct):
    """A use of a tool that the model asks for; `arguments` is JSON, if the model is right."""

    id: str = ""
    name: str = ""
    arguments: str = ""


_chunk = msgspec.json.Decoder(_Chunk).decode


class Ear:
    """Implements pipeline.Receiver. `said` gets each piece as it comes; `about` is set once the first event is there,
    `began` is called then; `uses` are whole when the call has ended."""

    def __init__(self, said: Callable[[Kind, str], None], began: Callable[[About], None]) -> None:
        self._said = said
        self._began = began
        self.about: About | None = None
        self.uses: list[Use] = []
        self.finish = ""
        self._places: dict[int, Use] = {}

    def begin(self, about: About) -> Callable[[bytes], None]:
        self.about = about
        self._began(about)
        return self.hear

    def attach(self, source: Source) -> None:
        """What is heard is kept short by whoever follows it, so the source is never paused."""

    def hear(self, data: bytes) -> None:
        """Take one or more whole events. What is no sound chunk says nothing and is passed over."""
        for line in data.split(b"\n"):
            if not line.startswith(b"data:"):
                continue
            try:
                chunk = _chunk(line[5:])
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            for choice in chunk.choices:
                if choice.finish_reason:
                    self.finish = choice.finish_reason
                delta = choice.delta
                if delta is None:
                    continue
                thought = delta.reasoning_content or delta.reasoning
                if thought:
                    self._said("reasoning", thought)
                if delta.content:
                    self._said("text", delta.content)
                if delta.refusal:
                    self._said("text", delta.refusal)
                if delta.tool_calls:
                    self._use(delta.tool_calls)

    def _use(self, pieces: list[_Use]) -> None:
        for piece in pieces:
            use = self._places.get(piece.index)
            if use is None or (piece.id and use.id and piece.id != use.id):  # some vendors number all of them 0
                if len(self.uses) >= USES:
                    self._places.pop(piece.index, None)  # nor is what follows of it, which may say the number alone
                    continue
                use = self._places[piece.index] = Use()
                self.uses.append(use)
            if piece.id:
                use.id = piece.id
            if piece.function is not None:
                use.name = use.name or piece.function.name or ""
                if len(use.arguments) <= TOOL_BYTES:
                    use.arguments += piece.function.arguments or ""


SHORT = 3
"""A text shorter than this that comes again may be its own continuation: `5` and `55`."""


class Joint:
    """Joins the continuation of a text to it: what a model says again of the end is left out.

    The first characters are held back until it is known whether they repeat; `said` gets the rest as it comes.
    """

    HOLD = 160
    LEAST = 12
    """A repetition shorter than this may be meant."""

    def __init__(self, before: str, said: Callable[[Kind, str], None]) -> None:
        self._before = before
        self._said = said
        self._held = ""
        self._open = not before

    def hear(self, kind: Kind, text: str) -> None:
        """Take a piece of the continuation."""
        if self._open or kind != "text":
            self._said(kind, text)
            return
        self._held += text
        if len(self._held) >= self.HOLD:
            self.settle()

    def settle(self) -> None:
        """Let go of what is held: enough has come, or all."""
        if self._open:
            return
        self._open = True
        rest = self._held[overlap(self._before, self._held, self.LEAST) :]
        self._held = ""
        if rest:
            self._said("text", rest)


def overlap(before: str, after: str, least: int) -> int:
    """Return how many characters at the start of `after` say the end of `before` again: all of a repetition of at
    least `least` characters, or that `before` is repeated whole; white space in front of it does not hide it."""
    space = len(after) - len(after.lstrip())
    for skip in dict.fromkeys((0, space)):
        for size in range(min(len(before), len(after) - skip), 0, -1):
            if size < least and (size < len(before) or size < SHORT):
                break
            if before.endswith(after[skip : skip + size]):
                return skip + size
    return 0
