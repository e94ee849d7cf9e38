"""All engines of this machine within one budget of bytes: who starts, sleeps, goes. Refuses to know calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from freehold.core.errors import EngineError
from freehold.engines import fit as fitting
from freehold.engines import gguf
from freehold.engines.command import Command
from freehold.engines.engine import Engine, Model, log
from freehold.engines.supervise import sweep
from freehold.wire.client import Client
from freehold.wire.origin import Origin

__all__ = ["Command", "EngineManager", "Model", "Resolver", "Source"]

Source: TypeAlias = Model | Command
Resolver: TypeAlias = Callable[[str], Awaitable[Source]]
"""From a model's name to what serves it; brings the file here when it is not. Raises EngineError or ConfigError."""

_LOOK_SECONDS, _LOOK_IDLE_SECONDS = 2.0, 10.0
_RETRY_SECONDS = 10.0  # when memory is taken by engines at work


class EngineSettings(Protocol):
    """What [engines] says that concerns the manager."""

    @property
    def memory(self) -> int | None: ...  # bytes for all engines; None: 70 % of the machine's
    @property
    def keep_alive(self) -> float: ...  # idle seconds after which an engine sleeps; 0: never
    @property
    def threads(self) -> int | None: ...
    @property
    def max_context(self) -> int: ...


class EngineManager:
    """Made by the supervisor; `run` is the private folder of sockets and logs, `memory_bytes` outranks `settings`."""

    def __init__(
        self,
        settings: EngineSettings,
        resolver: Resolver,
        run: Path,
        memory_bytes: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.machine = fitting.measure()
        self._memory = memory_bytes
        self._run = run
        self._environment = dict(environment or {})
        self._engines: dict[str, Engine] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._room = asyncio.Lock()
        self._client = Client()
        self._looker: asyncio.Task[None] | None = None
        self._closed = False
        self.evictions = 0
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(run)
        self.configure(settings, resolver)

    def configure(self, settings: EngineSettings, resolver: Resolver) -> None:
        """Take over settings; engines that run keep theirs until they start anew."""
        self._settings, self._resolver = settings, resolver
        self.budget = self._memory or settings.memory or self.machine.memory * 7 // 10

    async def ready(self, model: str) -> Origin:
        """Return where `model` listens, once it does: loads it on first use. All who ask wait for the same load.

        Raises EngineError: `engine_memory` with `retry_after` while other engines at work hold the memory, or without
        when it could never fit; what went wrong when it cannot start; ConfigError when nobody knows it.
        """
        engine = self._engines.get(model)
        if engine is not None and engine.up and not engine.seen.asleep:
            return engine.grant()
        self._check_open()
        async with self._opening.setdefault(model, asyncio.Lock()):
            engine = self._engines.get(model) or await self._open(model)
            if not engine.up:
                await self._make_room(engine, engine.estimate)
                self._check_open()  # all of this took its time
                if self._engines.get(model) is not engine:
                    raise EngineError(f"The engine of {model} was stopped.", retry_after=1.0, hint="ask again")
                engine.launch()
            elif engine.seen.asleep:
                await self._make_room(engine, max(engine.estimate - engine.bytes, 0))
                engine.seen.asleep = False  # the call that comes wakes it
                log.debug("engine %s: woken", model)
        await engine.wait()
        return engine.grant()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("Freehold is stopping.", hint="ask again when it runs", retry_after=5.0)

    def status(self) -> list[dict[str, Any]]:
        """The state of each engine that was asked for, by name."""
        return [self._engines[name].status() for name in sorted(self._engines)]

    async def stop(self, model: str) -> None:
        """End an engine; the next call starts it again. Nothing happens when there is none."""
        engine = self._engines.pop(model, None)
        if engine is not None:
            await engine.stop()

    async def close(self) -> None:
        """End all engines; none is started any more."""
        self._closed = True
        if self._looker is not None:
            self._looker.cancel()
            await asyncio.gather(self._looker, return_exceptions=True)
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()), return_exceptions=True)
        await self._client.close()

    async def _open(self, model: str) -> Engine:
        """Make the engine of `model`, not started yet: find its file, read it, fit it."""
        source = await self._resolver(model)
        engine = Engine(model, source, self._run, self._client, self._environment, self._settings.keep_alive)
        if isinstance(source, Model):
            # Checked here, for llama.cpp only ever says that it could not
            engine.facts = await asyncio.to_thread(gguf.read, source.path)
            engine.fit = fitting.fit(
                engine.facts,
                self.machine,
                budget=self.budget,
                context=source.context,
                max_context=self._settings.max_context,
                threads=self._settings.threads,
                companions=source.companions + (_size(source.mmproj) if source.mmproj else 0),
            )
            if not engine.fit.fits:
                raise EngineError(
                    f"{model} does not fit this machine: {engine.fit.why}",
                    code="engine_memory",
                    retryable=False,
                    hint="`freehold models fit` shows what fits",
                )
            engine.estimate = engine.fit.bytes
        self._check_open()
        self._engines[model] = engine
        if self._looker is None:
            self._looker = asyncio.create_task(self._look())
        return engine

    async def _make_room(self, engine: Engine, need: int) -> None:
        """Reserve `need` bytes: idle engines go, the longest unused first, until it fits. Busy ones never go."""
        async with self._room:
            while self._taken(engine) + need > self.budget:
                victim = await self._victim(engine)
                if victim is None:
                    raise EngineError(
                        f"No memory for {engine.name} now: it needs {need >> 20} MiB, and "
                        f"{self._taken(engine) >> 20} of {self.budget >> 20} MiB are held by engines at work.",
                        code="engine_memory",
                        retry_after=_RETRY_SECONDS,
                        hint="try again shortly, or raise [engines] memory",
                    )
                await self._evict(victim, f"{engine.name} needs {need >> 20} MiB")

    async def _evict(self, victim: Engine, why: str) -> None:
        self.evictions += 1
        log.info("engine %s: evicted: %s", victim.name, why)
        await victim.stop()

    def _taken(self, engine: Engine) -> int:
        """Bytes that all engines are counted with, those whose start is decided included; `engine` by what it holds."""
        return sum(e.bytes for e in self._engines.values() if e is not engine or e.up)

    async def _victim(self, engine: Engine) -> Engine | None:
        """The engine whose end hurts least: idle, with memory to give, unused for the longest time."""
        candidates = [e for e in self._engines.values() if e is not engine and e.up and e.bytes]
        for candidate in sorted(candidates, key=lambda e: e.granted):
            await candidate.look()  # what was seen of it is seconds old
            if candidate.idle:
                return candidate
        return None

    async def _look(self) -> None:
        """Look after the engines: are they alive, do they keep to the budget."""
        while True:
            busy = any(e.state in ("starting", "busy", "ready") for e in self._engines.values())
            await asyncio.sleep(_LOOK_SECONDS if busy else _LOOK_IDLE_SECONDS)
            await asyncio.gather(*(e.look() for e in tuple(self._engines.values())), return_exceptions=True)
            with contextlib.suppress(EngineError):
                await self._relieve()

    async def _relieve(self) -> None:
        """End idle engines while all together hold more than they may: one woke up, or grew."""
        async with self._room:
            while sum(e.bytes for e in self._engines.values()) > self.budget:
                engines = [e for e in self._engines.values() if e.idle and e.bytes]
                if len(self._engines) < 2 or not engines:
                    return
                victim = min(engines, key=lambda e: e.granted)
                await self._evict(victim, "all together hold more than [engines] memory")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
