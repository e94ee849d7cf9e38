"""The process that answers no call: starts workers, owns engines, limits and configuration, and listens for orders.

The tree lives and dies together: workers are told to stop on SIGTERM, and the kernel ends them when this process is
killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from freehold.app.channel import Channel
from freehold.app.environment import Environment
from freehold.app.load import effective
from freehold.app.orders import Orders
from freehold.app.settings import Config
from freehold.app.standing import changed, stand
from freehold.app.upkeep import Upkeep
from freehold.core.clock import now_ns, tick
from freehold.core.errors import ConfigError, FreeholdError

log = logging.getLogger("freehold.supervisor")

JUST_NOW = 5.0
"""Seconds for which a reload that finds nothing new tells what the one before it changed."""


class Worker:
    """One worker process and the channel to it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: asyncio.subprocess.Process | None = None
        self.channel: Channel | None = None
        self.ready = False
        self.started = 0.0
        self.crashes = 0


class Supervisor:
    """Runs until `stop` is called or a signal comes. `load` reads the configuration anew and may raise ConfigError."""

    def __init__(
        self,
        config: Config,
        environment: Environment,
        listening: socket.socket,
        upkeep: Upkeep,
        load: Callable[[], Config],
    ) -> None:
        self.config = config
        self.upkeep = upkeep
        self.started = now_ns()
        self.workers = [Worker(i) for i in range(config.server.workers)]
        self._environment = environment
        self._listening = listening
        self._load = load
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reloading = asyncio.Lock()
        self.waiting_restart: list[str] = []
        self._altered: list[str] = []  # by the last reload that changed something
        self._altered_at = -JUST_NOW
        self.orders = Orders(self, environment)
        # Taken now and not when the watch begins: what is written while the workers start is seen too.
        self._read = _stamp(config)

    def stop(self) -> None:
        """Stop taking calls, let those under way finish, then end."""
        self._stopping.set()

    async def run(self, started: Callable[[], Awaitable[None]]) -> None:
        """Serve until stopped. `started` is awaited once, when every worker takes calls."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload_aloud("signal")))
        try:
            await asyncio.gather(*(self._first(w) for w in self.workers))
            # First of all what is said to whoever waits: an engine that does not start is heard of after it.
            await started()
            self.upkeep.start_engines()
            for worker in self.workers:
                self._spawn(self._keep(worker))
            self._spawn(self._watch_files())
            await self._stopping.wait()
        finally:
            self._stopping.set()
            await self._end()

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, worker: Worker) -> None:
        ours, theirs = socket.socketpair()
        meter = self.upkeep.meter_fd
        fds = [theirs.fileno(), self._listening.fileno(), *([meter] if meter is not None else [])]
        worker.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "freehold.app.worker", *map(str, fds)),
            pass_fds=fds,
            env=self._environment.child(),
        )
        theirs.close()
        worker.started = tick()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        given = self.config

        async def hello() -> tuple[int, Config]:
            nonlocal given
            given = self.config
            return worker.index, given

        async def open_for_calls() -> None:
            try:
                while given is not self.config:  # a reload came between the two
                    await hello()
                    await channel.ask("prepare", given)
                    channel.tell("commit")
            except FreeholdError as e:
                log.error("a worker keeps its former configuration", extra={"worker": worker.index, "why": e.message})
            worker.ready = True
            if not ready.done():
                ready.set_result(None)

        channel = worker.channel = Channel(
            {
                "hello": hello,
                "open": open_for_calls,
                "engine": self.upkeep.engine,
                "state": self.state,
                "samples": self._samples,
                "order": self.orders.give,
            }
        )
        await channel.open(ours)
        ended = asyncio.ensure_future(worker.process.wait())
        await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise FreeholdError(
                f"Worker {worker.index} ended while it started (exit code {ended.result()}).",
                hint="its reason stands above; `freehold check` looks at the configuration",
            )
        ended.cancel()

    async def _first(self, worker: Worker) -> None:
        """Start a worker for the first time. One that is killed meanwhile is started again; one that fails is not."""
        while True:
            try:
                return await self._start(worker)
            except FreeholdError:
                code = worker.process.returncode if worker.process is not None else None
                if code is None or code >= 0 or self._stopping.is_set():
                    raise
                log.error("worker was killed while it started", extra={"worker": worker.index, "code": code})

    async def _keep(self, worker: Worker) -> None:
        """Start the worker again, with back-off, each time that it ends by itself."""
        while not self._stopping.is_set():
            assert worker.process is not None and worker.channel is not None  # _start() came first
            code = await worker.process.wait()
            worker.ready = False
            await worker.channel.close()
            await self.upkeep.bury(worker.index)
            if self._stopping.is_set():
                return
            worker.crashes = 1 if tick() - worker.started > 60 else worker.crashes + 1
            pause = min(0.1 * 2 ** (worker.crashes - 1), 10.0)
            log.error("worker ended", extra={"worker": worker.index, "code": code, "restart_in": pause})
            await asyncio.sleep(pause)
            try:
                await self._start(worker)
            except Exception as e:  # too many processes, no memory: tried again, with back-off
                log.error("worker did not start", extra={"worker": worker.index, "why": str(e)})

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        patience = self.config.server.shutdown_seconds
        for worker in self.workers:
            if worker.channel is not None:
                worker.channel.tell("stop", patience)
        running = [w.process for w in self.workers if w.process is not None and w.process.returncode is None]
        if running:
            waits = [asyncio.ensure_future(p.wait()) for p in running]
            await asyncio.wait(waits, timeout=patience + 5)
            for process in running:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        for worker in self.workers:
            if worker.channel is not None:
                await worker.channel.close()
        await self.orders.jobs.close()
        await self.upkeep.close()

    async def state(self) -> dict[str, Any]:
        """What /readyz and `freehold status` show."""
        engines = self.upkeep.engines()
        loading = [e["name"] for e in engines if e["state"] in ("starting", "failed") and e["wanted"]]
        workers = [
            {"index": w.index, "pid": w.process.pid if w.process else None, "ready": w.ready, "crashes": w.crashes}
            for w in self.workers
        ]
        return {
            "ready": not loading and any(w.ready for w in self.workers),
            "loading": loading,
            "pid": os.getpid(),
            "started": self.started,
            "snapshot": self.config.hash[:16],
            "workers": workers,
            "engines": engines,
        }

    async def _samples(self) -> list[Any]:
        """Return every worker's metrics."""
        return [answer for _, answer in await self._gather("sample")]

    async def looks(self) -> list[dict[str, Any]]:
        """Return what every worker sees: calls under way, circuits, its ledger."""
        return [{"index": index, **answer} for index, answer in await self._gather("look")]

    async def console(self, asked: dict[str, Any]) -> Any:
        """Have a worker answer what /api/admin answers. Raises what it raises."""
        for worker in self.workers:
            if worker.channel is not None and worker.ready:
                return await worker.channel.ask("console", asked)
        raise FreeholdError("No worker takes calls now.", retryable=True, hint="look at its log, then ask again")

    async def _gather(self, question: str) -> list[tuple[int, Any]]:
        """Ask every worker that takes calls; one that goes meanwhile says nothing."""
        asked = [(w.index, w.channel.ask(question)) for w in self.workers if w.channel is not None and w.ready]
        answers = await asyncio.gather(*(waiting for _, waiting in asked), return_exceptions=True)
        return [(i, a) for (i, _), a in zip(asked, answers, strict=True) if not isinstance(a, BaseException)]

    def read_anew(self) -> Config:
        """Return what the file says now, which is not in force. Raises ConfigError."""
        return self._load()

    def configuration(self) -> dict[str, Any]:
        """The configuration that runs, for `freehold diff`."""
        return {
            "hash": self.config.hash,
            "path": str(self.config.path) if self.config.path else None,
            "effective": effective(self.config),
            "needs_restart": self.waiting_restart,
        }

    async def reload(self, by: str = "command line") -> dict[str, Any]:
        """Put the file in force in every worker, or in none, and what changed on record as done by `by`; "" when the
        caller sees to that. Raises ConfigError with all that is wrong."""
        async with self._reloading:
            read = self._load()
            new = stand(self.config, read)
            altered = changed(self.config, read)
            if altered:
                self._altered, self._altered_at = altered, tick()
            elif tick() - self._altered_at < JUST_NOW:  # the file was seen to change before anybody asked
                altered = self._altered
                by = ""
            self.waiting_restart = changed(new, read)
            live = [w for w in self.workers if w.channel is not None and w.ready]
            for worker in live:
                assert worker.channel is not None  # filtered above
                await worker.channel.ask("prepare", new)
            # Heard of, so that whoever is told "in force" meets no worker that is behind; one that dies reads it anew.
            commits = [w.channel.ask("commit") for w in live if w.channel is not None]
            self.config = new  # what a worker that starts meanwhile is given
            await asyncio.gather(*commits, return_exceptions=True)
            await self.upkeep.reload(new)
            if by and altered:
                await self.upkeep.note("settings.reload", by=by, ok=True, hash=new.hash, changed=altered)
            return {"hash": new.hash, "changed": altered, "needs_restart": self.waiting_restart}

    async def _reload_aloud(self, by: str) -> None:
        try:
            done = await self.reload(by)
        except ConfigError as e:
            log.error("configuration refused; the old one stays in force", extra={"why": str(e)})
        except Exception as e:
            log.error("reload failed; the old configuration stays in force", extra={"why": str(e)})
        else:
            log.info("configuration in force", extra=done)

    async def _watch_files(self) -> None:
        """Reload when the configuration's files change; a half-written file is read again when it is at rest."""
        seen = self._read
        while True:
            await asyncio.sleep(1.0)
            now = _stamp(self.config)
            if now != seen:
                await asyncio.sleep(0.2)
                if _stamp(self.config) == now:
                    seen = now
                    await self._reload_aloud("the file")


def _stamp(config: Config) -> tuple[tuple[str, int, int], ...]:
    stamps = []
    for path in (config.path, *config.contract_files):
        if path is not None:
            try:
                found = os.stat(path)
                stamps.append((str(path), found.st_mtime_ns, found.st_size))
            except OSError:
                stamps.append((str(path), 0, 0))
    return tuple(stamps)
