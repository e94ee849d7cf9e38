"""An answer while it is made: grows by what is heard, and tells of it. Refuses to know stores, calls and readers.

Pieces are put together for a few milliseconds: a model that sends 400 a second makes about 50 events of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from freehold.assist.hearing import Kind
from freehold.assist.shapes import Message, Reasoning, Text

PAUSE = 0.02
"""Seconds between two events of one answer."""
LONGEST = 4_000_000
"""Characters of one answer: who writes on for ever is stopped."""

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
        self._kind: Kind = "text"
        self._pieces: list[str] = []
        self._size = sum(len(part.text) for part in message.parts if isinstance(part, (Text, Reasoning)))
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def say(self, kind: Kind, text: str) -> None:
        """Append a piece."""
        if self._pieces and kind != self._kind:
            self.flush()
        self._kind = kind
        self._pieces.append(text)
        self._size += len(text)
        if self._size > LONGEST:
            self.full.set()
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
        text = "".join(self._pieces)
        self._pieces.clear()
        self._last = asyncio.get_running_loop().time()
        message = self.message
        form = Text if self._kind == "text" else Reasoning
        last = message.parts[-1] if message.parts else None
        message.n += 1
        self.dirty = True
        if isinstance(last, (Text, Reasoning)) and isinstance(last, form):
            last.text += text
        elif any(isinstance(part, form) for part in message.parts):
            # A delta goes to the last part of its kind; that a new one begins is said by the whole message.
            message.parts.append(form(text))
            self._tell("message", {"message": message})
            return
        else:
            message.parts.append(form(text))
        self._tell("delta", Delta(message.id, message.n, self._kind, text))

    def changed(self) -> None:
        """Tell that something else of the message changed."""
        self.flush()
        self.message.n += 1
        self.dirty = True
        self._tell("message", {"message": self.message})

    def tell(self, name: str, data: Any) -> None:
        """Tell of something beside the message."""
        self._tell(name, data)
