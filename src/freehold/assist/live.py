"""An answer while it is made: grows by what is heard, and tells of it. Refuses to know stores, calls and readers.

Pieces are put together for a few milliseconds: a model that sends 400 a second makes about 50 events of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from typing import Any

import msgspec

from freehold.assist.hearing import Kind
from freehold.assist.shapes import Message, Reasoning, Text

PAUSE = 0.02
"""Seconds between two events of one answer."""
LONGEST = 4_000_000
"""Characters of one answer: who writes on for ever is stopped."""
TURNS = 100
"""Parts of words and of thoughts in one answer. Beyond it nothing begins a new part: who thinks between any two words
would have the whole message told each time."""

Tell = Callable[[str, Any], None]
"""Takes an event's name and data."""


class Delta(msgspec.Struct):
    """What is appended to the last part of that kind; see the API."""

    message: str
    n: int
    kind: Kind
    text: str


class Live:
    """`message` as it is now; `tell` is told of each change. `dirty` says that the store is behind."""

    def __init__(self, message: Message, tell: Tell) -> None:
        self.message = message
        self.dirty = False
        self.full = asyncio.Event()
        self._tell = tell
        self._pieces: list[tuple[Kind, str]] = []
        self._size = sum(len(part.text) for part in message.parts if isinstance(part, (Text, Reasoning)))
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def say(self, kind: Kind, text: str) -> None:
        """Append a piece; what goes beyond the longest answer is dropped, and `full` is set."""
        text = text[: max(LONGEST - self._size, 0)]
        self._size += len(text)
        if self._size >= LONGEST:
            self.full.set()
        if not text:
            return
        self._pieces.append((kind, text))
        if self._timer is None:
            loop = asyncio.get_running_loop()
            wait = self._last + PAUSE - loop.time()
            if wait <= 0:
                self.flush()
            else:
                self._timer = loop.call_later(wait, self.flush)

    def flush(self) -> None:
        """Tell what was put together."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pieces:
            return
        said = self._put_together()
        self._last = asyncio.get_running_loop().time()
        self.dirty = True
        message = self.message
        # A delta goes to the last part of its kind; that a new one begins is said by the whole message.
        begun = [self._append(kind, text) for kind, text in said]
        if any(begun):
            message.n += 1
            self._tell("message", {"message": message})
            return
        for kind, text in said:
            message.n += 1
            self._tell("delta", Delta(message.id, message.n, kind, text))

    def _put_together(self) -> list[tuple[Kind, str]]:
        """Return the pieces by turns of kind; by kind alone once there are too many turns."""
        pieces, self._pieces = self._pieces, []
        turns = [(kind, "".join(text for _, text in group)) for kind, group in groupby(pieces, lambda each: each[0])]
        if len(turns) + sum(isinstance(part, (Text, Reasoning)) for part in self.message.parts) <= TURNS:
            return turns
        kinds = dict.fromkeys(kind for kind, _ in turns)
        return [(kind, "".join(text for each, text in turns if each == kind)) for kind in kinds]

    def _append(self, kind: Kind, text: str) -> bool:
        """Append to the message; return whether that began one more part of a kind that was there."""
        form = Text if kind == "text" else Reasoning
        parts = self.message.parts
        there = [part for part in parts if isinstance(part, (Text, Reasoning))]
        same = [part for part in there if isinstance(part, form)]
        if same and (parts[-1] is same[-1] or len(there) >= TURNS):
            same[-1].text += text
            return False
        parts.append(form(text))
        return bool(same)

    def changed(self) -> None:
        """Tell that something else of the message changed."""
        self.flush()
        self.message.n += 1
        self.dirty = True
        self._tell("message", {"message": self.message})
