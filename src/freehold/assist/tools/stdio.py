"""Messages over the standard streams of a child process: one JSON text a line. Refuses to know what the messages say
beyond whose answer they are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from freehold.assist.tools import leash, protocol
from freehold.assist.tools.offers import ServerSettings
from freehold.assist.tools.protocol import Message
from freehold.core.clock import tick
from freehold.core.errors import UpstreamBroken, UpstreamError, UpstreamTimeout

log = logging.getLogger("freehold.tools")

LINE_BYTES = 8 * 1024 * 1024
"""The longest line that a server may write."""
_FLOOD, _FLOOD_SECONDS = 2000, 5.0  # so many messages that nobody asked for, within so long, are a flood
_NOISE = 1000  # lines that are no messages; some programs chat on their output, none for ever
_TURN = 64  # lines that are read before others have a turn
_LOG_LINES, _LOG_CHARS = 200, 500  # of a child's own log, in `_FLOOD_SECONDS`
_GRACE_SECONDS = 2.0
_WRITE_SECONDS = 10.0


class Gauge:
    """Counts within spans of time; `full` says that there were more than `most` in this one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = tick()
        self.count = 0

    def full(self) -> bool:
        now = tick()
        if now - self._began > _FLOOD_SECONDS:
            self._began, self.count = now, 0
        self.count += 1
        return self.count > self._most


class Stdio:
    """A carrier. Made by `start`; `alive` until the process ends or is ended."""

    def __init__(self, settings: ServerSettings, process: asyncio.subprocess.Process) -> None:
        self._name = settings.name
        self._process = process
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._flood = Gauge(_FLOOD)
        self._noise = 0
        self._why = ""
        self._tail: list[str] = []
        self._tasks = (asyncio.create_task(self._read()), asyncio.create_task(self._log()))
        self.revision = ""
        self.heard: Callable[[str], None] = lambda method: None
        self.alive = True

    @classmethod
    async def start(cls, settings: ServerSettings) -> Stdio:
        """Start the program, in a group of its own that ends with us. Raises UpstreamError."""
        words = (sys.executable, "-I", "-S", str(Path(leash.__file__)), str(os.getpid()), *settings.command)
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=settings.env,
                cwd=settings.cwd,
                start_new_session=True,
                limit=LINE_BYTES,
            )
        )
        try:
            return cls(settings, await asyncio.shield(starting))
        except asyncio.CancelledError:
            # A start that is cancelled half-way leaves a process behind: let it finish, then end what came of it.
            with contextlib.suppress(OSError):
                await cls(settings, await starting).close()
            raise
        except (OSError, ValueError) as e:
            raise UpstreamBroken(
                f"{settings.command[0]} cannot be started: {e}", hint="Correct `command` and `cwd` in [tools]."
            ) from e

    async def ask(self, data: bytes, number: int, method: str, name: str) -> Message:
        """Send a request and return its response. Raises UpstreamError."""
        if not self.alive:
            raise self._gone()
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await self.tell(data)
            return await answer
        finally:
            del self._waiting[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, also when our own wait was cut short

    async def tell(self, data: bytes) -> None:
        """Write a message. Raises UpstreamError, also when the child takes nothing for a while."""
        stdin = self._process.stdin
        assert stdin is not None  # started with a pipe
        if not self.alive:
            raise self._gone()
        try:
            stdin.write(data + b"\n")
            async with asyncio.timeout(_WRITE_SECONDS):
                await stdin.drain()
        except TimeoutError as e:
            self._fail("it does not read what it is sent")
            raise UpstreamTimeout(f"the server {self._name} reads nothing", hint=protocol.HINT) from e
        except (OSError, RuntimeError) as e:
            raise self._gone() from e

    async def close(self) -> None:
        """End the process and its group: its input ends, then SIGTERM, then SIGKILL."""
        self.alive = False
        for task in self._answers:
            task.cancel()
        process = self._process
        ended = asyncio.ensure_future(process.wait())
        if process.returncode is None and process.stdin is not None:
            process.stdin.close()
            await asyncio.wait((ended,), timeout=_GRACE_SECONDS / 4)
            if not ended.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait((ended,), timeout=_GRACE_SECONDS)
        self._signal(signal.SIGKILL)  # whatever is left of the group
        for reader in self._tasks:
            reader.cancel()
        await asyncio.gather(*self._tasks, *self._answers, return_exceptions=True)
        self._fail("it was ended")
        process._transport.close()  # type: ignore[attr-defined]  # a grandchild may still hold the pipes
        await asyncio.wait((ended,), timeout=5)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _gone(self) -> UpstreamError:
        said = f" Its last words: {' | '.join(self._tail[-3:])}" if self._tail else ""
        why = self._why or "it ended"
        return UpstreamBroken(f"the server {self._name} is gone: {why}.{said}", hint="It is started again on next use.")

    def _fail(self, why: str) -> None:
        """No more is to be had from the child: tell all who wait, and end it."""
        self._why = self._why or why
        if self.alive:
            self.alive = False
            self._signal(signal.SIGKILL)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._gone())

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None  # started with a pipe
        lines = 0
        why = "it ended"
        try:
            while line := await stdout.readline():
                why = self._take(line)
                if why:
                    break
                lines += 1
                if lines % _TURN == 0:
                    await asyncio.sleep(0)
            else:
                why = "it ended"
        except ValueError:
            why = f"it wrote a line of more than {LINE_BYTES // 1024 // 1024} MiB"
        if self.alive:
            log.warning("a server of tools is gone", extra={"server": self._name, "why": why})
            await asyncio.sleep(0.05)  # what it said last may still be under way
        self._fail(why)

    def _take(self, line: bytes) -> str:
        """Take one line; return why no more are read, or nothing."""
        if not line.strip():
            return ""
        try:
            messages = protocol.read(line)
        except UpstreamBroken:
            self._noise += 1
            if self._noise <= 3:
                text = line[:_LOG_CHARS].decode("utf-8", "replace").strip()
                log.warning("a server of tools wrote what is no message", extra={"server": self._name, "line": text})
            return "it writes what is no message of the protocol" if self._noise > _NOISE else ""
        for message in messages:
            answer = self._waiting.get(message.id) if message.method is None and isinstance(message.id, int) else None
            if answer is not None and not answer.done():
                answer.set_result(message)
                continue
            if self._flood.full():
                return "it sends messages without end"
            if message.method is not None and message.id is None:
                self.heard(message.method)
            elif message.method is not None and len(self._answers) < _TURN:
                task = asyncio.create_task(self._answer(message))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)
        return ""

    async def _answer(self, message: Message) -> None:
        with contextlib.suppress(UpstreamError):
            await self.tell(protocol.reply(message))

    async def _log(self) -> None:
        """Its standard error goes to our log, as far as it keeps to a measure."""
        stderr = self._process.stderr
        assert stderr is not None  # started with a pipe
        gauge = Gauge(_LOG_LINES)
        rest = b""
        while data := await stderr.read(65536):
            *whole, rest = (rest + data).split(b"\n")
            rest = rest[-LINE_BYTES // 64 :]
            for line in whole:
                self._say(line, gauge)
        self._say(rest, gauge)

    def _say(self, line: bytes, gauge: Gauge) -> None:
        text = protocol.clean(line.decode("utf-8", "replace")).strip()[:_LOG_CHARS]
        if not text:
            return
        self._tail = [*self._tail[-4:], text]
        if not gauge.full():
            log.info("a server of tools says", extra={"server": self._name, "line": text})
        elif gauge.count == _LOG_LINES + 1:
            log.warning("a server of tools says too much; the rest is left out", extra={"server": self._name})
