"""Questions and answers between the supervisor and one worker, over their private socket pair.

Frames are a four-byte length and a pickle: both ends are this program, one started the other, and nobody else holds
the socket.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from freehold.core.errors import FreeholdError

log = logging.getLogger("freehold.channel")

Handler = Callable[..., Awaitable[Any]]


class Channel:
    """One end. `handlers` answers the other end's questions by name; `closed` is set when the other end has gone."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()

    async def open(self, end: socket.socket) -> None:
        """Start to listen on `end`, which belongs to the channel from here on."""
        reader, self._writer = await asyncio.open_connection(sock=end)
        self._keep(asyncio.ensure_future(self._read(reader)))

    async def ask(self, name: str, *arguments: Any) -> Any:
        """Return what the other end's handler `name` returns, or raise what it raises."""
        if self.closed.is_set():
            raise FreeholdError("The other process has gone.", code="process_gone", retryable=True)
        self._next += 1
        number = self._next
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send((number, name, arguments))
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def tell(self, name: str, *arguments: Any) -> None:
        """Ask without waiting for an answer; what goes wrong there stays there."""
        if not self.closed.is_set():
            self._send((0, name, arguments))

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send(self, message: tuple[Any, ...]) -> None:
        data = pickle.dumps(message)
        assert self._writer is not None  # open() comes first
        self._writer.write(struct.pack("!I", len(data)) + data)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (length,) = struct.unpack("!I", await reader.readexactly(4))
                number, name, content = pickle.loads(await reader.readexactly(length))
                if name is None:
                    self._settle(number, content)
                else:
                    self._keep(asyncio.ensure_future(self._answer(number, name, content)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(FreeholdError("The other process has gone.", retryable=True))

    def _settle(self, number: int, content: tuple[bool, Any]) -> None:
        future = self._waiting.get(number)
        if future is not None and not future.done():
            good, value = content
            if good:
                future.set_result(value)
            else:
                future.set_exception(value)

    async def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            content = (True, await self._handlers[name](*arguments))
        except FreeholdError as e:
            content = (False, e)
        except Exception as e:
            log.exception("a question of the other process failed", extra={"question": name})
            hint = f"its log says more: {type(e).__name__}"  # no more here: it may name files
            content = (False, FreeholdError("The process that runs the house failed to do this.", hint=hint))
        if number and not self.closed.is_set():
            self._send((number, None, content))
