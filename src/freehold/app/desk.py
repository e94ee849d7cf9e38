"""The control socket in the run folder: what the command line asks of a running server. Only its user can reach it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from freehold import __version__
from freehold.app.control import SOCKET
from freehold.app.first_run import base_url
from freehold.app.supervisor import Supervisor
from freehold.core.errors import FreeholdError, NotFound
from freehold.wire.server import Exchange, HttpServer, Limits, listen

_JSON = [(b"content-type", b"application/json")]


async def open_desk(supervisor: Supervisor, run: Path) -> HttpServer:
    """Listen on `run`/control.sock. GET /status, GET /config, POST /reload, POST /stop, POST /engines/{name}/stop, and
    POST /orders/{name} with a JSON object of what the order takes."""

    async def configuration() -> Any:
        return supervisor.configuration()

    async def stop() -> Any:
        supervisor.stop()
        return {"stopping": True}

    async def status() -> Any:
        config = supervisor.config
        about = {"version": __version__, "url": base_url(config), "data": str(config.data)}
        return {**about, "file": str(config.path) if config.path else None, **await supervisor.state()}

    orders: dict[tuple[str, str], Callable[[], Awaitable[Any]]] = {
        ("GET", "/status"): status,
        ("GET", "/config"): configuration,
        ("POST", "/reload"): supervisor.reload,
        ("POST", "/stop"): stop,
    }

    async def answer(exchange: Exchange) -> None:
        try:
            order = orders.get((exchange.method, exchange.path))
            if order is not None:
                status, value = 200, await order()
            elif exchange.method == "POST" and exchange.path.startswith("/orders/"):
                about = msgspec.json.decode(exchange.body, type=dict[str, Any]) if exchange.body else {}
                status, value = 200, await supervisor.orders.give(exchange.path[8:], about)
            elif exchange.method == "POST" and exchange.path.startswith("/engines/"):
                name, _, verb = exchange.path[9:].rpartition("/")
                if verb != "stop":
                    raise NotFound(f"There is nothing at {exchange.path}.")
                status, value = 200, await supervisor.upkeep.stop_engine(name)
            else:
                raise NotFound(f"There is nothing at {exchange.path}.")
        except msgspec.DecodeError as e:
            status, value = 400, {"error": {"code": "invalid_request", "message": str(e), "hint": "send JSON"}}
        except FreeholdError as e:
            status, value = e.status, {"error": {"code": e.code, "message": str(e), "hint": e.hint}}
        exchange.reply(status, _JSON, msgspec.json.encode(value))

    path = run / SOCKET
    path.unlink(missing_ok=True)
    return await listen(answer, path=str(path), limits=Limits())
