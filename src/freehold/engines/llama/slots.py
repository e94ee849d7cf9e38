"""Who may run now. Knows arrival order; refuses to know what runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque


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
