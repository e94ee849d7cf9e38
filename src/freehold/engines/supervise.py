"""One process under supervision: started, watched, logged, ended. Knows processes; refuses to know what they serve."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from freehold.core.clock import tick
from freehold.core.errors import EngineError

_LOG_BYTES = 262_144  # of one log file; the one before it is kept as well
_TAIL_LINES = 20
_BACKOFF_FIRST, _BACKOFF_MOST = 0.5, 60.0  # seconds
_CRASHES = 5  # so many in a row hold an engine as failed
_STEADY_SECONDS = 60.0  # up for so long, an engine counts as sound again
_HELD_SECONDS = 300.0  # a failed engine may be tried again after so long


class Backoff:
    """How long to wait before the next start, and when to give up for a while. Times in seconds of core.clock.tick."""

    def __init__(self) -> None:
        self.crashes = 0
        self.held_until = 0.0

    def crashed(self, up: float, now: float) -> float | None:
        """Note a crash after `up` seconds of service; return the wait, or None when the engine is held as failed."""
        self.crashes = 1 if up >= _STEADY_SECONDS else self.crashes + 1
        if self.crashes >= _CRASHES:
            self.held_until = now + _HELD_SECONDS
            return None
        return float(min(_BACKOFF_MOST, _BACKOFF_FIRST * 2 ** (self.crashes - 1)))

    def hold(self, now: float) -> None:
        """Hold it as failed at once: another start would fail the same way."""
        self.held_until = now + _HELD_SECONDS

    def reset(self) -> None:
        self.crashes, self.held_until = 0, 0.0


class Log:
    """A log file that does not grow beyond bounds, and its last lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._size = 0
        with contextlib.suppress(OSError):
            self._size = path.stat().st_size

    def write(self, data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            if line.strip():
                self.lines.append(line.strip()[:500])
        with contextlib.suppress(OSError):  # a full disk must not stop an engine
            if self._size + len(data) > _LOG_BYTES:
                self.path.replace(self.path.with_suffix(".log.1"))
                self._size = 0
            with open(self.path, "ab", opener=_private) as file:
                file.write(data)
            self._size += len(data)

    def tail(self, lines: int = 3) -> str:
        return " | ".join(list(self.lines)[-lines:])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Child:
    """A started process. `exited` is done when it ended; its result is the exit status."""

    def __init__(self, process: asyncio.subprocess.Process, log: Log, pid_file: Path) -> None:
        self.process = process
        self.log = log
        self._pid_file = pid_file
        self._reader = asyncio.create_task(self._drain())
        self.exited: asyncio.Task[int] = asyncio.create_task(self._wait())
        self.began = tick()

    @classmethod
    async def start(
        cls, words: Sequence[str], env: Mapping[str, str], cwd: str | None, log: Log, pid_file: Path, *, leader: bool
    ) -> Child:
        """Start `words`; EngineError when that cannot be done. `leader`: in a process group of its own, ended whole."""
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(env),
                cwd=cwd or None,
                start_new_session=leader,
            )
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # asyncio never returns from a start that is cancelled half-way: let it finish, then end what came of it
            with contextlib.suppress(OSError):
                process = await starting
                process.kill()
                await process.wait()
            raise
        except OSError as e:
            raise EngineError(
                f"cannot start {words[0]}: {e.strerror or e}",
                code="engine_start_failed",
                retryable=False,
                hint="check that the command exists and may be run",
            ) from e
        with contextlib.suppress(OSError):
            pid_file.write_text(str(process.pid))
        child = cls(process, log, pid_file)
        child._leader = leader
        return child

    _leader = False

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def say(self, line: bytes) -> None:
        """Write a line to its standard input."""
        stdin = self.process.stdin
        assert stdin is not None  # started with a pipe
        with contextlib.suppress(ConnectionError):
            stdin.write(line + b"\n")
            await stdin.drain()

    async def hear(self) -> bytes:
        """Its next line of standard output; empty when there is none any more."""
        stdout = self.process.stdout
        assert stdout is not None  # started with a pipe
        with contextlib.suppress(ValueError):
            return await stdout.readline()
        return b""

    def echo(self) -> None:
        """From now on its standard output goes to the log as well."""
        assert self.process.stdout is not None
        self._echo = asyncio.create_task(self._copy(self.process.stdout))

    async def _drain(self) -> None:
        assert self.process.stderr is not None
        await self._copy(self.process.stderr)

    async def _copy(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(65536):
            self.log.write(data)

    async def _wait(self) -> int:
        status = await self.process.wait()
        with contextlib.suppress(OSError):
            self._pid_file.unlink()
        # what it said last explains its end, and may still be under way
        await asyncio.wait({self._reader}, timeout=1)
        return status

    async def stop(self, grace: float) -> None:
        """Ask it to end (its input ends, SIGTERM), wait `grace` seconds, then kill it."""
        if self.alive:
            if self.process.stdin is not None:
                self.process.stdin.close()
            self.signal(signal.SIGTERM)
            await asyncio.wait({self.exited}, timeout=grace)
        self.kill()
        await asyncio.wait({self.exited}, timeout=10)

    def kill(self) -> None:
        """End it now."""
        if self.alive or self._leader:
            self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._leader:
                os.killpg(self.pid, number)
            elif self.alive:
                os.kill(self.pid, number)


def resident(pid: int) -> int:
    """Memory that a process holds, bytes; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def sweep(run: Path) -> None:
    """Remove what engines of an earlier server left in `run`; end those that outlived it."""
    for file in run.glob("engine-*.pid"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            if _ours(pid):
                os.kill(pid, signal.SIGKILL)
        file.unlink(missing_ok=True)
    for file in run.glob("engine-*.sock"):
        file.unlink(missing_ok=True)


def _ours(pid: int) -> bool:
    """Whether `pid` is an engine child: the number may have gone to somebody else since."""
    try:
        return b"freehold.engines.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
