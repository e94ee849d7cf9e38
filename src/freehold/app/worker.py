"""A process that answers calls. Knows its house, its socket and its supervisor; refuses to know the command line."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import sys
from typing import Any

import uvloop

from freehold.app import clerk, logs
from freehold.app.access_log import access_log
from freehold.app.channel import Channel
from freehold.app.house import House
from freehold.app.settings import Config
from freehold.app.tls import server_context
from freehold.console.office import Office
from freehold.core.errors import FreeholdError
from freehold.gateway import Door
from freehold.pipeline.metrics import Sample, render
from freehold.wire.client import Origin
from freehold.wire.server import HttpServer, Limits, listen

_PR_SET_PDEATHSIG = 1


class Desk:
    """What the door and the console ask of the processes around them. Implements gateway.Control and
    console.Control, and hands out engines."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._channel.ask("state")
        return found

    async def samples(self) -> bytes:
        samples: list[Sample] = await self._channel.ask("samples")
        return render(samples)

    async def order(self, name: str, /, **about: Any) -> Any:
        return await self._channel.ask("order", name, about)

    async def ready(self, model: str) -> Origin:
        origin: Origin = await self._channel.ask("engine", model)
        return origin


class Worker:
    """Opens the house, serves, follows the supervisor's orders, ends."""

    def __init__(self, channel_fd: int, listen_fd: int, meter_fd: int | None) -> None:
        self._end = socket.socket(fileno=channel_fd)
        self._listening = socket.socket(fileno=listen_fd)
        self._meter_fd = meter_fd
        self._orders: asyncio.Queue[float] = asyncio.Queue()
        self._prepared: Any = None
        self._house: House
        self._desk: Desk
        self._server: HttpServer

    async def run(self) -> None:
        channel = Channel(
            {
                "prepare": self._prepare,
                "commit": self._commit,
                "sample": self._sample,
                "look": self._look,
                "console": self._console,
                "stop": self._orders.put,
            }
        )
        await channel.open(self._end)
        index, config = await channel.ask("hello")
        logs.configure(config.server.log)
        desk = self._desk = Desk(channel)
        house = self._house = await House.open(config, index, self._meter_fd, desk)
        try:
            self._server = await listen(
                access_log(house.door, config) if config.server.access_log else house.door,
                sock=self._listening,
                limits=_limits(config),
                ssl=server_context(config.server.tls),
                on_error=_renderer(house.door),
            )
            channel.tell("open")
            patience = await self._wait(channel)
            await house.quiet()
            await self._server.close_gracefully(patience)
        finally:
            await house.close()
            await channel.close()

    async def _wait(self, channel: Channel) -> float:
        """Return the seconds that running streams have left, once told to stop; none when the supervisor has gone."""
        order = asyncio.ensure_future(self._orders.get())
        alone = asyncio.ensure_future(channel.closed.wait())
        done, pending = await asyncio.wait((order, alone), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return order.result() if order in done else 0.0

    async def _prepare(self, config: Config) -> None:
        self._prepared = await self._house.prepare(config)

    async def _commit(self) -> None:
        if self._prepared is not None:
            self._house.adopt(self._prepared)
            self._prepared = None

    async def _sample(self) -> Sample:
        return self._house.sample(self._server)

    async def _console(self, asked: dict[str, Any]) -> Any:
        """Answer as /api/admin would, for the command line."""
        house = self._house
        office = Office(house.door.pipeline, house.kept, self._desk, house.default_limits)
        return await clerk.answer(office, **asked)

    async def _look(self) -> dict[str, Any]:
        """What this worker sees, for the console: circuits as (deployment, state, attempts under way)."""
        pipeline = self._house.door.pipeline
        return {
            "inflight": pipeline.metrics.inflight,
            "connections": self._server.open_connections,
            "ledger": pipeline.ledger.state,
            "circuits": pipeline.health.report(),
        }


def _limits(config: Config) -> Limits:
    said = config.server.limits
    return Limits(
        header_bytes=said.header_bytes,
        headers=said.headers,
        body_bytes=said.body_bytes,
        header_seconds=said.header_seconds,
        body_seconds=said.body_seconds,
        keepalive_seconds=said.keepalive_seconds,
        connections=said.connections,
    )


def _renderer(door: Door) -> Any:
    """Errors of the protocol itself are answered like any other."""

    def render_error(exchange: Any, e: FreeholdError) -> None:
        door.refuse(exchange, e)

    return render_error


def _die_with_parent() -> None:
    """Linux: be killed when the supervisor dies. Elsewhere the closed channel ends us."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """`python -m freehold.app.worker CHANNEL_FD LISTEN_FD [METER_FD]`: only the supervisor calls it so."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    channel, listening, *meter = (int(a) for a in sys.argv[1:])
    try:
        uvloop.run(Worker(channel, listening, meter[0] if meter else None).run())
    except FreeholdError as e:
        print(f"freehold: {e.message}" + (f"\n  {e.hint}" if e.hint else ""), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
