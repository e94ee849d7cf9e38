"""One log line for each request, without bodies, queries and secrets."""

from __future__ import annotations

import ipaddress
import logging

from freehold.app.settings import Config
from freehold.core.clock import tick
from freehold.gateway import Door
from freehold.wire.server import Exchange, Handler

log = logging.getLogger("freehold.access")


def access_log(door: Door, config: Config) -> Handler:
    """Return a handler that has `door` answer and then logs who asked for what and how that ended.

    The client's address is the last one in x-forwarded-for that none of `[server] trusted_proxies` added, where the
    connection comes from one of those; else the connection's own.
    """
    trusted = [ipaddress.ip_network(network, strict=False) for network in config.server.trusted_proxies]

    def believed(address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in trusted)

    def client(exchange: Exchange) -> str:
        address = exchange.peer
        hops = exchange.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        while hops and believed(address):
            address = hops.pop().strip() or address
        return address

    async def handle(exchange: Exchange) -> None:
        try:
            await door(exchange)
        finally:
            log.info(
                "request",
                extra={
                    "client": client(exchange),
                    "method": exchange.method,
                    "path": exchange.path,
                    "status": exchange.status or 499,
                    "ms": round((tick() - exchange.began) * 1000, 2),
                },
            )

    return handle
