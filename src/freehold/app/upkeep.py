"""What the supervisor keeps for all workers: the limits' memory, the engines, and calls that a crash left open."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from freehold import access, ledger, store
from freehold.access import Limit, LimitsMemory, SharedMeter, StoreMeter
from freehold.app import known, options, wiring
from freehold.app.environment import Environment
from freehold.app.settings import Config, Deployment
from freehold.core.clock import now_ns
from freehold.core.errors import EngineError, FreeholdError, StoreError
from freehold.engines import shelf
from freehold.engines.catalogue import Catalogue, Model
from freehold.wire.client import Origin

if TYPE_CHECKING:
    from freehold.engines.manager import EngineManager, Source

log = logging.getLogger("freehold.upkeep")

GRACE_SECONDS = 60.0
"""Beyond a call's longest time, before an intent without outcome counts as left behind."""


class Upkeep:
    """Made by `open` before the first worker starts. `meter_fd` is the memory that the workers count limits in; None
    when they count in a PostgreSQL store that other machines share."""

    def __init__(self, config: Config, environment: Environment, opened: store.Store) -> None:
        self._config = config
        self._environment = environment
        self._store = opened
        self._manager: EngineManager | None = None
        self._memory: LimitsMemory | None = None
        self._meter: SharedMeter | StoreMeter
        self._tasks: list[asyncio.Task[None]] = []
        self._asked: set[str] = set()  # engines that somebody started by hand
        self._why: dict[str, str] = {}  # why an engine that was wanted from the start could not even be tried
        self.meter_fd: int | None = None

    @classmethod
    async def open(cls, config: Config, environment: Environment) -> Upkeep:
        """Open the store, close what a crash left open, count what was used. Raises StoreError or ConfigError."""
        self = cls(config, environment, await store.open(config.store_url))
        for spool in sorted(config.data.glob("spool-*.jsonl")):
            await ledger.replay(self._store, spool)
        if self._store.engine == "sqlite":
            self.meter_fd = os.memfd_create("freehold-limits")
            self._memory = LimitsMemory(workers=config.server.workers, fd=self.meter_fd)
            self._meter = SharedMeter(self._memory, None, config.run / "limits.lock")
            # This process holds the only server on the store: whatever is open was left by one that died.
            await ledger.recover(self._store)
        else:
            self._meter = StoreMeter(self._store, access.holder(config.run))
            # Calls of other hosts are under way; what this one held before it was killed may have been billed.
            await self._meter.release_holder(access.holder(config.run), spent=True)
        await self._restore()
        self._tasks.append(asyncio.create_task(self._mend()))
        return self

    def start_engines(self) -> None:
        """Begin to load the models that are wanted from the start; nobody waits for it here."""
        if self._config.engines.start == "at_start":
            for model in self._wanted():
                self._tasks.append(asyncio.create_task(self._warm(model)))

    async def engine(self, model: str) -> Origin:
        """Return where `model` listens, once it does. Raises EngineError."""
        return await self._engines().ready(model)

    def engines(self) -> list[dict[str, Any]]:
        """The state of each engine, for people and for /readyz."""
        wanted = set(self._wanted()) if self._config.engines.start == "at_start" else set()
        tried = self._manager.status() if self._manager is not None else []
        seen = {state["name"] for state in tried}
        waiting = [
            {
                "name": m,
                "state": "failed" if m in self._why else "starting",
                "reason": self._why.get(m, ""),
                "wanted": m in wanted,
            }
            for m in sorted((wanted | self._asked) - seen)
        ]
        return [{**state, "wanted": state["name"] in wanted} for state in tried] + waiting

    def start_engine(self, name: str) -> None:
        """Begin to load a model; `engines` says how it goes. Nobody waits for it here."""
        self._asked.add(name)
        self._why.pop(name, None)
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(self._warm(name)))

    async def stop_engine(self, name: str) -> dict[str, Any]:
        """Stop an engine and free its memory; the next call starts it again."""
        self._asked.discard(name)
        await self._engines().stop(name)
        self._why.pop(name, None)
        return {"stopped": name}

    async def prove(self, expect: Sequence[ledger.Mark], progress: Callable[[int, int], None]) -> ledger.Proof:
        """Prove the whole ledger, in steps between which calls go on. Raises StoreError."""
        return await ledger.verify(self._store, expect, progress)

    async def note(self, act: str, **about: Any) -> None:
        """Put an act on record. What it did stands even if that fails; then the log says so."""
        from freehold.app.cli.stored import record

        try:
            await record(self._store, act, **about)
        except StoreError as e:
            log.error("an act is not on record", extra={"act": act, "why": e.message, **about})

    async def bury(self, worker: int) -> None:
        """A worker died: what its calls had reserved counts as used, for they may have been billed."""
        if isinstance(self._meter, SharedMeter):
            self._meter.release_worker(worker, spent=True)
            return
        try:
            await self._meter.release_holder(access.holder(self._config.run, worker), spent=True)
        except StoreError as e:  # its leases end by themselves, and `_mend` counts what the ledger says
            log.error("a dead worker's reservations could not be released", extra={"why": e.message, "hint": e.hint})

    async def reload(self, config: Config) -> None:
        """Take over a configuration: engines that are no longer wanted end, new ones start."""
        before, engines = self._own(), self._config.engines
        self._config = config
        after = self._own()
        names = before.keys() | after.keys()
        touched = [n for n in sorted(names) if engines != config.engines or before.get(n) != after.get(n)]
        if self._manager is not None:
            self._manager.configure(config.engines, self._find)
            for model in touched:
                await self._manager.stop(model)  # an engine takes its settings when it is made
        if config.engines.start == "at_start":
            self._tasks += [asyncio.create_task(self._warm(model)) for model in touched if model in after]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._manager is not None:
            await self._manager.close()
        await self._store.close()

    def _engines(self) -> EngineManager:
        """The manager, imported and made when the first engine is asked for."""
        if self._manager is None:
            from freehold.engines.manager import EngineManager

            environment = self._environment.child()
            self._manager = EngineManager(self._config.engines, self._find, self._config.run, environment=environment)
        return self._manager

    async def _find(self, name: str) -> Source:
        """Return what serves the engine `name`. Nothing is downloaded here. Raises EngineError."""
        from freehold.engines import manager

        config = self._config
        written = self._own().get(name)
        if written is not None and written.kind == "command":
            return options.command(name, written)
        # An engine's name is the model's; what the deployment says may be a file or another reference to it.
        model = self._catalogue().find((written and written.model) or name, base=config.base)
        path = shelf.locate(config.home, model)
        if path is None or not path.is_file():
            raise absent(model)
        companion = shelf.locate(config.home, model, "mmproj")
        return manager.Model(path=path, mmproj=companion, context=written.context if written else None)

    def _catalogue(self) -> Catalogue:
        return known.models(self._config.engines.catalogue)

    def _own(self) -> dict[str, Deployment]:
        """The deployments that we run ourselves, by the name of their engine."""
        config = self._config
        own = {name: d for name, d in config.deployments.items() if d.kind in wiring.OWN_KINDS}
        return {wiring.engine_name(config, name, d): d for name, d in own.items()}

    def _wanted(self) -> list[str]:
        return list(self._own())

    async def _warm(self, model: str) -> None:
        self._why.pop(model, None)
        try:
            await self.engine(model)
        except FreeholdError as e:
            if model in self._asked or model in self._wanted():  # else it was stopped meanwhile
                self._why[model] = e.message
            log.error("engine did not start", extra={"model": model, "why": e.message, "hint": e.hint})

    async def _restore(self) -> None:
        """Count again what the ledger knows to be used, so that a restart forgets no budget."""
        keys = (await access.load(self._store)).keys()
        limits = {limit.id: limit for key in keys for limit in key.limits if limit.window != "minute"}
        if not limits:
            return
        now = now_ns()
        rows = await ledger.usage_since(
            self._store, min(access.opened(each.window, now) or 0 for each in limits.values())
        )
        for limit in limits.values():
            if isinstance(self._meter, SharedMeter):
                self._meter.restore(limit, used(limit, rows, now))
            else:
                await self._meter.restore(limit, used(limit, rows, now))

    async def _mend(self) -> None:
        """Close calls whose worker died, once none of them can be under way any more."""
        while True:
            await asyncio.sleep(GRACE_SECONDS)
            longest = max((d.timeout.total for d in self._config.deployments.values()), default=0.0)
            try:
                closed = await ledger.recover(self._store, int((longest + GRACE_SECONDS) * 1e9))
                if isinstance(self._meter, StoreMeter):  # what a host counted in memory only when it died
                    await self._meter.sweep()
                    await self._restore()
            except StoreError as e:
                log.error("open calls could not be closed", extra={"why": e.message})
            else:
                if closed:
                    log.warning("calls closed that were left open", extra={"calls": closed})


def absent(model: Model) -> EngineError:
    """Return what is said of a model whose file is not here."""
    if model.path:
        message, hint = f"There is no file {model.path}.", "put it there, or correct `model` of the deployment"
    else:
        message, hint = f"The model {model.name} is not on this machine.", f"run `freehold models pull {model.name}`"
    return EngineError(message, code="model_missing", retryable=False, hint=hint)


def used(limit: Limit, rows: list[ledger.DayUse], now: int) -> int:
    """Return how much of `limit` the ledger's rows by key and day know to be used in the window that holds `now`."""
    since = access.opened(limit.window, now) or 0
    kind, _, subject = limit.subject.partition(":")
    mine = [r for r in rows if r.at >= since and (r.key if kind == "key" else r.team) == subject]
    match limit.measure:
        case "requests":
            return sum(r.requests for r in mine)
        case "tokens":
            return sum(r.tokens for r in mine)
        case _:
            return sum(r.cost for r in mine if r.currency in ("", limit.currency))
