"""The HTTP/1.1 server: listens, runs one task a request, sweeps, closes gracefully. Refuses to know endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl as tls
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from freehold.core.clock import tick
from freehold.core.errors import FreeholdError
from freehold.wire.connection import HttpProtocol
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers, date_line

__all__ = ["Exchange", "Handler", "Headers", "HttpProtocol", "HttpServer", "Limits", "OnError", "listen"]

log = logging.getLogger("freehold.wire")

Handler = Callable[[Exchange], Coroutine[Any, Any, None]]
OnError = Callable[[Exchange, FreeholdError], None]

SWEEP_SECONDS = 0.5


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one server takes from its clients. Times are kept to about half a second."""

    header_bytes: int = 32768  # request line and headers together, bytes; beyond it 431
    headers: int = 100  # number of header fields; beyond it 431
    url_bytes: int = 8192  # request target, bytes; beyond it 414
    body_bytes: int = 33554432  # request body, bytes; beyond it 413
    header_seconds: float = 10  # from the first byte of a request to the end of its headers; beyond it 408
    body_seconds: float = 60  # from there to the end of the body; beyond it 408
    keepalive_seconds: float = 75  # an idle connection is closed after so many seconds
    stall_seconds: float = 120  # a client that takes no byte of its answer for so many seconds is cut off
    connections: int = 4096  # open at once; a further one is answered 503
    pipeline_bytes: int = 65536  # read ahead while a request is worked on, bytes


def plain_error(exchange: Exchange, error: FreeholdError) -> None:
    """Answer `error` as plain JSON: what a server does whose owner renders nothing of its own."""
    body = msgspec.json.encode({"error": {"message": error.message, "code": error.code, "hint": error.hint}})
    exchange.reply(error.status, [(b"content-type", b"application/json")], body)


class HttpServer:
    """A listening server. `connections` are open now, `tasks` the requests that are worked on."""

    def __init__(self, handler: Handler, limits: Limits, on_error: OnError) -> None:
        self.handler = handler
        self.limits = limits
        self.on_error = on_error
        self.loop = asyncio.get_running_loop()
        self.connections: set[HttpProtocol] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self.date = date_line()
        self._listener: asyncio.AbstractServer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._path: str | None = None

    @property
    def open_connections(self) -> int:
        return len(self.connections)

    # For the connections.

    def opened(self, protocol: HttpProtocol) -> None:
        """Count a new connection in, or turn it away."""
        self.connections.add(protocol)
        if self._timer is None:
            self._sweep()
        if len(self.connections) > self.limits.connections or self.closing:
            protocol.last = True
            exchange = Exchange(protocol, "", "", {}, b"", tick())
            exchange.keep = False
            protocol.error = _overcrowded()
            protocol.current = exchange
            self.refuse(exchange, protocol.error)

    def lost(self, protocol: HttpProtocol) -> None:
        """Count a connection out."""
        self.connections.discard(protocol)

    def serve(self, exchange: Exchange) -> None:
        """Have the handler answer `exchange`, in a task of its own."""
        exchange.task = self.loop.create_task(self._run(exchange), name="request")  # a made-up name costs

    def refuse(self, exchange: Exchange, error: FreeholdError) -> None:
        """Answer `exchange` with `error`, by the owner's rendering if that works."""
        if exchange.gone or exchange.complete:
            return
        if exchange.answered:
            exchange.abort()
            return
        try:
            self.on_error(exchange, error)
        except Exception:
            log.exception("rendering an error failed")
        if not exchange.answered:
            plain_error(exchange, error)
        elif not exchange.complete:
            exchange.abort()

    async def _run(self, exchange: Exchange) -> None:
        task: Any = exchange.task
        # Not in `serve`: a task that is cancelled before its first step would never leave the set.
        self.tasks.add(task)
        try:
            await self.handler(exchange)
        except asyncio.CancelledError:
            self.refuse(exchange, _stopping())
        except FreeholdError as error:
            self.refuse(exchange, error)
        except Exception:
            log.exception("the handler of %s %s failed", exchange.method, exchange.path)
            self.refuse(exchange, _internal())
        else:
            if not exchange.complete and not exchange.gone:
                # Nothing may be left hanging; an answer that was begun and not ended is broken, and must look so.
                log.error("the handler of %s %s did not finish its answer", exchange.method, exchange.path)
                self.refuse(exchange, _internal())
        finally:
            self.tasks.discard(task)

    def _sweep(self) -> None:
        self.date = date_line()
        now = tick()
        for protocol in tuple(self.connections):
            protocol.check(now)
        self._timer = self.loop.call_later(SWEEP_SECONDS, self._sweep) if self.connections else None

    # For the owner.

    @property
    def port(self) -> int:
        """The TCP port that is listened on; 0 for a UNIX socket."""
        sockets: Any = getattr(self._listener, "sockets", ())
        address = sockets[0].getsockname() if sockets else ""
        return int(address[1]) if isinstance(address, tuple) else 0

    async def start(self, sock: socket.socket | None, path: str | None, ssl: tls.SSLContext | None) -> None:
        """Listen on `sock`, which is bound, or on a UNIX socket at `path`."""
        handshake = self.limits.header_seconds if ssl is not None else None

        def connect() -> HttpProtocol:
            return HttpProtocol(self)

        if path is not None:
            self._path = path
            self._listener = await self.loop.create_unix_server(
                connect, path, ssl=ssl, backlog=1024, ssl_handshake_timeout=handshake
            )
        elif sock is None:
            raise ValueError("listen needs a bound socket or a path")
        else:
            self._listener = await self.loop.create_server(
                connect, sock=sock, ssl=ssl, backlog=1024, ssl_handshake_timeout=handshake
            )

    async def close_gracefully(self, seconds: float) -> None:
        """Stop listening, let requests that run finish for up to `seconds`, then cancel them and close everything."""
        self.closing = True
        if self._listener is not None:
            self._listener.close()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        for protocol in tuple(self.connections):
            if protocol.current is None and not protocol.closing:
                protocol.shut(linger=False)
        await asyncio.sleep(0)  # tasks made in this turn enter their names
        end = tick() + seconds
        while self.tasks and (left := end - tick()) > 0:
            await asyncio.wait(self.tasks, timeout=left)
        if self.tasks:
            for task in tuple(self.tasks):
                task.cancel()
            await asyncio.wait(tuple(self.tasks), timeout=1)
        end = tick() + 1
        while self.connections and tick() < end:  # answers that are still in a send buffer
            await asyncio.sleep(0.01)
        for protocol in tuple(self.connections):
            protocol.transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.sleep(0)


def _overcrowded() -> FreeholdError:
    return FreeholdError(
        "too many connections are open",
        code="too_many_connections",
        status=503,
        retryable=True,
        retry_after=1.0,
        hint="Try again in a moment, or have the operator raise the limit on connections.",
    )


def _stopping() -> FreeholdError:
    return FreeholdError(
        "the server is shutting down",
        code="shutting_down",
        status=503,
        retryable=True,
        retry_after=1.0,
        hint="Try again; another worker or the restarted server will answer.",
    )


def _internal() -> FreeholdError:
    return FreeholdError("something failed on our side", hint="The server's log says what; report it if it persists.")


async def listen(
    handler: Handler,
    *,
    sock: socket.socket | None = None,
    path: str | None = None,
    limits: Limits | None = None,
    ssl: tls.SSLContext | None = None,
    on_error: OnError = plain_error,
) -> HttpServer:
    """Serve `handler` on the bound socket `sock` or on a UNIX socket at `path`; OSError when that cannot be done.

    `on_error` is given each request that cannot be served, and answers it.
    """
    server = HttpServer(handler, limits or Limits(), on_error)
    await server.start(sock, path, ssl)
    return server
