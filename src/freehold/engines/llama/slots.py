"""Who may run now. Knows arrival order; refuses to know what runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from freehold.core.errors import EngineError

_WAITING = 256  # calls in line; whoever comes then is told to come again
_RETRY_SECONDS = 5.0
_CHARACTERS = 3  # of text in a token, at least, mostly


class Slots:
    """`size` permits, handed out in order of arrival; a call may need several at once.

    llama.cpp queues by itself, but a call in its queue cannot be taken back before its turn.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return sum(not turn.done() for _, turn in self._line)

    async def take(self, count: int) -> None:
        """Wait for `count` permits (at most `size`). Cancelling takes the call out of the line."""
        if self.free >= count and not self._line:
            self.free -= count
            return
        if len(self._line) >= _WAITING:
            raise EngineError(
                f"The engine has {_WAITING} calls waiting.",
                code="engine_busy",
                retry_after=_RETRY_SECONDS,
                hint="try again shortly; a fallback of the route would take the call now",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(count)  # our turn had come in the same moment
            else:
                with contextlib.suppress(ValueError):
                    self._line.remove((count, turn))
                self._call()
            raise

    def give(self, count: int) -> None:
        """Return `count` permits."""
        self.free += count
        self._call()

    def _call(self) -> None:
        while self._line and (self._line[0][1].done() or self._line[0][0] <= self.free):
            count, turn = self._line.popleft()
            if not turn.done():
                self.free -= count
                turn.set_result(None)


class Reading:
    """Lets the engine read one long prompt at a time, and short ones beside it that fit into one of its steps.

    It would read several one after the other anyhow; and when their callers leave, each would have to wait for its own
    next step to be told to stop, while one that has not begun just leaves.
    """

    def __init__(self, step: int) -> None:
        self._short = step * _CHARACTERS  # characters of prompt that one step takes in
        self._room = Slots(self._short)
        self._long = Slots(1)

    @property
    def waiting(self) -> int:
        """Prompts in line."""
        return self._room.waiting + self._long.waiting

    def _gate(self, length: int) -> tuple[Slots, int]:
        return (self._long, 1) if length > self._short else (self._room, max(1, length))

    async def begin(self, length: int) -> None:
        """Wait until a prompt of `length` characters may be read."""
        gate, count = self._gate(length)
        await gate.take(count)

    def end(self, length: int) -> None:
        """Note that it was."""
        gate, count = self._gate(length)
        gate.give(count)
