"""Composition of one worker: configuration to Snapshot, store, ledger, limits, pipeline and door."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from freehold import access, contracts, store
from freehold.access import KeyRing, LimitsMemory, Meter, SharedMeter, StoreMeter
from freehold.app import owing, wiring
from freehold.app.guarding import Guards
from freehold.app.rooms import Rooms
from freehold.app.settings import Config
from freehold.core.errors import StoreError
from freehold.core.ids import new_id
from freehold.gateway import Door, DoorSettings
from freehold.gateway.pages import Pages
from freehold.guards.policy import Policies
from freehold.ledger import Ledger
from freehold.pipeline import Pipeline, Snapshot
from freehold.pipeline.flow import Policy
from freehold.pipeline.health import Health
from freehold.pipeline.metrics import Sample
from freehold.wire.client import Client, Origin
from freehold.wire.server import HttpServer

log = logging.getLogger("freehold.house")

SWEEP_SECONDS = 5.0
STATIC = Path(__file__).parent.parent / "console" / "static"


class Desk(Protocol):
    """What the house asks of the processes around it."""

    async def state(self) -> dict[str, Any]: ...

    async def samples(self) -> bytes: ...

    async def ready(self, model: str) -> Origin: ...

    async def order(self, name: str, /, **about: Any) -> Any: ...


class Prepared(msgspec.Struct):
    """A configuration that was found good, and the Snapshot made of it."""

    config: Config
    snapshot: Snapshot


class House:
    """Everything that a worker needs to answer calls. Made by `open`, let go of by `close`."""

    door: Door

    def __init__(self, config: Config, opened: store.Store, ledger: Ledger, meter: Meter, client: Client) -> None:
        self._config = config
        self._store = opened
        self._ledger = ledger
        self._meter = meter
        self._client = client
        self._health = Health(wiring.breaker(config), config.server.vendor_inflight)
        self._book = contracts.shipped().only(access.CURRENCY)
        self._tasks: list[asyncio.Task[Any]] = []
        self._guards: Guards
        self._pipeline: Pipeline
        self._rooms: Rooms

    @classmethod
    async def open(cls, config: Config, index: int, meter_fd: int | None, desk: Desk) -> House:
        """Open the store and build the first Snapshot. Raises ConfigError or StoreError."""
        strict = config.ledger.durability == "strict"
        opened = await store.open(config.store_url, durable=strict)
        ledger = Ledger(
            opened,
            durability=config.ledger.durability,
            when_down=config.ledger.when_down,
            spool_path=config.data / f"spool-{index}.jsonl",
            flush_ms=config.ledger.flush_ms,
        )
        house = cls(config, opened, ledger, _meter(config, index, meter_fd, opened), Client())
        known = await opened.generation()  # before the keys: a key revoked meanwhile must not be missed
        snapshot = house.build(config, await access.load(opened))
        house._guards = Guards(config, opened)
        house._pipeline = Pipeline(
            snapshot, house._client, ledger, house._meter, desk.ready, house._health, _policy(config),
            house._guards.shields,
        )  # fmt: skip
        holder = f"{access.holder(config.run, index)}.{new_id('worker')}"  # another one after each start
        house._rooms = await Rooms.open(
            config, opened, house._pipeline, ledger, house._client, holder, desk, house._guards.vault
        )
        house.door = Door(house._pipeline, desk, Pages(STATIC), _door(config), house._rooms.api)
        house._tasks = [
            asyncio.create_task(opened.watch(house._keys_changed, seen=known)),
            asyncio.create_task(house._sweep()),
            asyncio.create_task(owing.tend(opened, house._pipeline, house._renew)),
            asyncio.create_task(house._guards.forget()),
        ]
        return house

    @property
    def kept(self) -> store.Store:
        """The store, for whoever works beside the door."""
        return self._store

    def default_limits(self) -> Sequence[str]:
        """Return the limits of keys that are made without their own."""
        return self._config.access.default_limits

    def build(self, config: Config, keys: KeyRing) -> Snapshot:
        """Return the Snapshot of `config` with `keys`. Raises ConfigError."""
        table, providers, prices = wiring.tables(config)
        seal = hashlib.sha256(config.hash.encode())
        for key in keys.keys():  # noqa: SIM118 - a KeyRing is no mapping
            seal.update(msgspec.json.encode(key, order="deterministic"))
        return Snapshot(
            table, providers, keys, self._book, prices, seal.hexdigest()[:16], config.register, config.organisation,
            wiring.bonds(config, table), Policies(config.policies),
        )  # fmt: skip

    async def prepare(self, config: Config) -> Prepared:
        """Build what `adopt` will put in force; nothing changes yet. Raises ConfigError."""
        return Prepared(config, self.build(config, await access.load(self._store)))

    def adopt(self, prepared: Prepared) -> None:
        """Put a prepared configuration in force, at once and whole."""
        self._config = prepared.config
        pipeline = self._pipeline
        # With the ring in force now: a key that was revoked since `prepare` must not come back.
        pipeline.snapshot = self.build(prepared.config, pipeline.snapshot.keys)
        pipeline.policy = _policy(prepared.config)
        self._guards.configure(prepared.config)
        self._health.keep(prepared.snapshot.table.deployments)
        self.door.settings = _door(prepared.config)
        self._rooms.configure(prepared.config)

    def sample(self, server: HttpServer) -> Sample:
        """Return this worker's metrics, gauges included."""
        metrics = self._pipeline.metrics
        sample = metrics.sample()
        gauges: list[tuple[str, Any, float]] = [
            ("freehold_inflight", (), metrics.inflight),
            ("freehold_connections", (), server.open_connections),
            ("freehold_ledger_ok", (), float(self._ledger.state == "ok")),
        ]
        for name, state, _ in self._health.report():
            gauges.append(("freehold_breaker_open", (("deployment", name),), float(state == "open")))
        sample.counters += gauges
        return sample

    async def quiet(self) -> None:
        """End what would keep the server waiting: streams of events, and answers that nobody may be watching."""
        await self._rooms.quiet()

    async def close(self) -> None:
        """Finish what is under way behind, write what waits, let go."""
        if hasattr(self, "_rooms"):
            await self._rooms.quiet()
            await self._rooms.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "_pipeline"):
            await self._pipeline.drain()
        if hasattr(self, "_guards"):
            await self._guards.close()
        await self._client.close()
        with suppress(StoreError):
            await self._ledger.close()
        if isinstance(self._meter, StoreMeter):
            await self._meter.close()
        with suppress(StoreError):
            await self._store.close()

    async def _keys_changed(self, generation: int) -> None:
        """Keys or teams changed in the store: the same tables, another ring."""
        keys = await access.load(self._store)
        self._pipeline.snapshot = self.build(self._config, keys)
        log.debug("keys in force", extra={"generation": generation, "keys": len(keys)})

    def _renew(self) -> None:
        """The same tables for another day."""
        self._pipeline.snapshot = self.build(self._config, self._pipeline.snapshot.keys)

    async def _sweep(self) -> None:
        while isinstance(self._meter, SharedMeter):
            await asyncio.sleep(SWEEP_SECONDS)
            self._meter.sweep()


def _meter(config: Config, index: int, meter_fd: int | None, opened: store.Store) -> Meter:
    if meter_fd is None:
        return StoreMeter(opened, access.holder(config.run, index))
    memory = LimitsMemory(workers=config.server.workers, fd=meter_fd)
    return SharedMeter(memory, index, config.run / "limits.lock")


def _policy(config: Config) -> Policy:
    return Policy(
        bodies=config.ledger.bodies,
        reserve_output_tokens=config.access.reserve_output_tokens,
        reply_bytes=config.server.limits.reply_bytes,
    )


def _door(config: Config) -> DoorSettings:
    server = config.server
    return DoorSettings(server.cors_origins, server.limits.depth)
