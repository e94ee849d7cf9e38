"""Making a connection: TCP or UNIX socket, TLS, forward proxies. Refuses to know HTTP beyond a proxy's CONNECT."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from freehold.core.errors import ConfigError, ConnectFailed
from freehold.wire.origin import Origin, overdue

P = TypeVar("P", bound=asyncio.Protocol)
Trust = Callable[[Origin], ssl.SSLContext]
"""Gives the TLS context for an origin; contexts are costly to make, so the client keeps them."""

_PROXY_REPLY_BYTES = 16384


def tls_context(verify: bool, ca: str | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, or those in the file `ca`; ConfigError when it is bad."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot read certificates from {ca}: {error}", hint="Name a PEM file in `ca`.") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def proxy_address(origin: Origin) -> SplitResult | None:
    """Return the parts of the origin's proxy URL, or None; ConfigError when it is no http://host:port."""
    if origin.proxy is None:
        return None
    parts = urlsplit(origin.proxy)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme != "http" or not parts.hostname or port == -1:
        raise ConfigError("the proxy is not of the form http://[user:password@]host:port", hint="Correct `proxy`.")
    return parts


def proxy_authorization(proxy: SplitResult) -> bytes:
    """Return the `proxy-authorization` line for the user in the proxy's URL; nothing without one."""
    if proxy.username is None:
        return b""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return b"proxy-authorization: Basic %b\r\n" % base64.b64encode(pair)


async def dial(origin: Origin, make: Callable[[], P], trust: Trust, seconds: float) -> P:
    """Connect to `origin` and return the protocol that `make` made.

    Raises ConnectFailed, UpstreamTimeout, ConfigError."""
    proxy = proxy_address(origin)
    where = origin.unix or f"{origin.host}:{origin.port}"
    try:
        async with asyncio.timeout(seconds):
            if proxy is not None and origin.unix is None:
                return await _dial_by_proxy(origin, proxy, make, trust)
            return await _dial_directly(origin, make, trust)
    except TimeoutError as error:
        raise overdue("connect", seconds, began=False) from error
    except ssl.SSLCertVerificationError as error:
        raise ConnectFailed(
            f"the certificate of {where} was not accepted: {error.verify_message}",
            hint="Name the authority that signed it in `ca`.",
        ) from error
    except OSError as error:
        raise ConnectFailed(
            f"cannot connect to {where}: {error}", hint="Check the address and that the server is up."
        ) from error


async def _dial_directly(origin: Origin, make: Callable[[], P], trust: Trust) -> P:
    loop = asyncio.get_running_loop()
    context = trust(origin) if origin.scheme == "https" else None
    name = origin.host if context is not None else None
    if origin.unix is not None:
        return (await loop.create_unix_connection(make, origin.unix, ssl=context, server_hostname=name))[1]
    return (await loop.create_connection(make, origin.host, origin.port, ssl=context, server_hostname=name))[1]


async def _dial_by_proxy(origin: Origin, proxy: SplitResult, make: Callable[[], P], trust: Trust) -> P:
    loop = asyncio.get_running_loop()
    if origin.scheme != "https":
        return (await loop.create_connection(make, proxy.hostname or "", proxy.port or 80))[1]
    transport, tunnel = await loop.create_connection(_Tunnel, proxy.hostname or "", proxy.port or 80)
    try:
        authority = authority_of(origin)
        transport.write(
            b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (authority, authority, proxy_authorization(proxy))
        )
        await tunnel.opened
        protocol = make()
        secured = await loop.start_tls(transport, protocol, trust(origin), server_hostname=origin.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ConnectionError("the connection was lost in the TLS handshake")
    protocol.connection_made(secured)
    return protocol


def authority_of(origin: Origin) -> bytes:
    """Return host and port as a request names them, IPv6 in brackets; ConfigError when the host is no name."""
    try:
        host = origin.host.encode("ascii" if origin.host.isascii() else "idna")
    except UnicodeError as error:
        raise ConfigError(f"{origin.host!r} is no name of a host", hint="Correct the address.") from error
    if any(byte <= 32 or byte in b"/?#@\\" for byte in host):
        raise ConfigError(f"{origin.host!r} is no name of a host", hint="Correct the address.")
    return b"%b:%d" % (b"[%b]" % host if b":" in host else host, origin.port)


class _Tunnel(asyncio.Protocol):
    """Waits for a proxy to say yes to CONNECT."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reply = b""

    def data_received(self, data: bytes) -> None:
        self._reply += data
        if self.opened.done():
            return
        if b"\r\n\r\n" in self._reply:
            line = self._reply.partition(b"\r\n")[0]
            words = line.split(b" ", 2)
            if words[0].startswith(b"HTTP/1.") and len(words) > 1 and words[1].startswith(b"2"):
                self.opened.set_result(None)
            else:
                self.opened.set_exception(ConnectionError(f"the proxy said {line.decode('latin-1')!r}"))
        elif len(self._reply) > _PROXY_REPLY_BYTES:
            self.opened.set_exception(ConnectionError("the proxy's reply is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the proxy closed the connection"))
