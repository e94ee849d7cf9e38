"""The product's static files over the product's own server, the tests' pages below /test, a stranger beside it.

Knows the files and who asked for what; refuses to know what they do. What the stranger hears has leaked.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from types import TracebackType

from freehold.core.errors import FreeholdError
from freehold.gateway.pages import Pages
from freehold.wire.server import Exchange, HttpServer, listen

ROOT = Path(__file__).resolve().parent.parent.parent
STATIC = ROOT / "src" / "freehold" / "console" / "static"
OWN = Path(__file__).resolve().parent / "pages"
SECRET = "the-secret-of-the-page"


class Site:
    """Two servers and an ear for datagrams, in a thread. `url` is ours, `stranger` another origin."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.version = ""  # what /version.js says instead of the truth
        self.url = self.stranger = ""
        self.datagrams = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[HttpServer] = []
        self._static, self._own = Pages(STATIC), Pages(OWN)

    def __enter__(self) -> Site:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        for handler in (self._ours, self._strangers):
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            self._servers.append(await listen(handler, sock=sock))
        self.url, self.stranger = (f"http://127.0.0.1:{server.port}" for server in self._servers)
        site = self

        class Ear(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                site.datagrams += 1

        self._ear, _ = await self._loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
        self.udp_port: int = self._ear.get_extra_info("sockname")[1]

    async def _close(self) -> None:
        self._ear.close()
        for server in self._servers:
            await server.close_gracefully(1)

    async def _ours(self, exchange: Exchange) -> None:
        try:
            if exchange.path.startswith("/test/"):
                await self._own.serve(exchange, exchange.path[5:])
                return
            if exchange.path.startswith("/api/"):
                # What a thief would like to read, and who came with the cookie.
                cookie = "with" if b"cookie" in exchange.headers else "without"
                self.seen.append(f"{exchange.method} {exchange.path} {cookie} cookie")
                exchange.reply(200, [(b"content-type", b"application/json")], f'"{SECRET}"'.encode())
                return
            if exchange.path == "/version.js" and self.version:
                exchange.reply(200, [(b"content-type", b"text/javascript")], self.version.encode())
                return
            await self._static.serve(exchange, exchange.path)
        except FreeholdError as e:
            exchange.reply(e.status, [(b"content-type", b"text/plain")], str(e).encode())

    async def _strangers(self, exchange: Exchange) -> None:
        self.seen.append(f"stranger: {exchange.method} {exchange.path}?{exchange.query}")
        exchange.reply(200, [(b"content-type", b"text/html"), (b"access-control-allow-origin", b"*")], b"thanks")
