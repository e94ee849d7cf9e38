"""What the tests of the wire share: a socket, a reader of requests, a client of raw bytes, a scripted server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from freehold.wire.client import Origin
from freehold.wire.server import HttpServer

Serve = Callable[..., Awaitable[HttpServer]]


class Scripted:
    """A server of raw bytes: a script is run for each connection."""

    def __init__(self) -> None:
        self.origin = Origin("http", "127.0.0.1", 0)
        self.connections = 0
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()


Script = Callable[[Scripted, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Play = Callable[[Script], Awaitable[Scripted]]


def bound() -> socket.socket:
    """Return a socket on a free port of 127.0.0.1."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


async def read_request(server: Scripted, reader: asyncio.StreamReader) -> bytes:
    """Read one request with content-length and note it."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    request = head + await reader.readexactly(length)
    server.requests.append(request)
    return request


async def raw(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send `pieces` to 127.0.0.1 and return everything up to the close by the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
