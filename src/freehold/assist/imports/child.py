"""The process that does one import, so that nobody waits for it: `python -m freehold.assist.imports.child`. What it is
to do comes as one line of JSON on standard input; what came of it stands in the row of the import."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from freehold import store
from freehold.assist.extract import Bounds
from freehold.assist.files import LibrarySettings
from freehold.assist.imports.run import run
from freehold.assist.imports.states import State, Task, finish, tell
from freehold.core.errors import FreeholdError

_PR_SET_PDEATHSIG = 1
_MEMORY = 3 * 1024**3
"""Address space of this process: what a hostile file makes of it ends here."""


class Cancelled(Exception):
    """The row says that nobody wants this any more."""


def main() -> int:
    """Do it. The exit status only matters when the row could not be written."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    if os.getppid() != task.parent:  # it had ended before we could ask
        return 4
    with contextlib.suppress(OSError):
        os.nice(10)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return asyncio.run(_work(task))


async def _work(task: Task) -> int:
    opened = await store.open(task.url)
    library = LibrarySettings(
        file_bytes=task.file_bytes, member_bytes=task.member_bytes, pdf=Bounds(), folder=task.folder
    )

    async def progress(source: str, done: int, total: int) -> None:
        if not await tell(opened, task.id, task.holder, source, done, total):
            raise Cancelled

    try:
        state: State = "done"
        error, report, sources = "", None, [""]
        try:
            found = await run(opened, task.member, Path(task.path), library, progress)
            report, sources = found.report, found.sources
        except FreeholdError as e:
            state, error = "failed", e.sentences()
        except MemoryError:
            state, error = "failed", "It takes more memory to read than is given to it."
        except Cancelled:
            return 0
        await finish(opened, task.id, task.holder, state, ", ".join(sources), report, error)
        return 0
    finally:
        await opened.close()


if __name__ == "__main__":
    sys.exit(main())
