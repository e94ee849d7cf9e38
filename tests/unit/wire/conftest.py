"""Servers on real sockets for the tests of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from wire_kit import Play, Script, Scripted, Serve, bound

from freehold.wire.client import Client, Origin
from freehold.wire.server import Handler, HttpServer, listen


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start an HttpServer for a handler; closed after the test."""
    servers: list[HttpServer] = []

    async def start(handler: Handler, **options: Any) -> HttpServer:
        if "path" not in options:
            options["sock"] = bound()
        server = await listen(handler, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close_gracefully(0)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """Start a server that misbehaves as told."""
    stops: list[Callable[[], Awaitable[None]]] = []

    async def start(script: Script) -> Scripted:
        made = Scripted()
        tasks: set[asyncio.Task[Any]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made.connections += 1
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await script(made, reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                made.gone.set()
            finally:
                writer.close()

        server = await asyncio.start_server(connected, sock=bound())
        made.origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])

        async def stop() -> None:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

        stops.append(stop)
        return made

    yield start
    for stop in stops:
        await stop()
