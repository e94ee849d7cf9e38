"""The listing of public model names that a key may use, in both dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import msgspec

from freehold.core.errors import NotFound
from freehold.gateway.answer import JSON, named
from freehold.pipeline import Snapshot
from freehold.routing import Route
from freehold.wire.dialects import azure as azure_wire
from freehold.wire.server import Exchange

if TYPE_CHECKING:
    from freehold.gateway.door import Door


async def listing(door: Door, exchange: Exchange, _: str) -> None:
    """GET /v1/models."""
    _reply(door, exchange, {"object": "list", "data": _visible(door, exchange)})


async def one(door: Door, exchange: Exchange, name: str) -> None:
    """GET /v1/models/{name}; a name may hold slashes."""
    wanted = unquote(name)
    for model in _visible(door, exchange):
        if model["id"] == wanted:
            _reply(door, exchange, model)
            return
    raise NotFound(
        f"The model `{wanted}` does not exist or you do not have access to it.",
        code="model_not_found",
        param="model",
        hint="GET /v1/models lists the names that this key may use",
    )


async def azure_listing(door: Door, exchange: Exchange, rest: str) -> None:
    """GET /openai/models?api-version=."""
    _check_version(exchange)
    await listing(door, exchange, rest)


async def azure_one(door: Door, exchange: Exchange, name: str) -> None:
    """GET /openai/models/{name}?api-version=."""
    _check_version(exchange)
    await one(door, exchange, name)


def _check_version(exchange: Exchange) -> None:
    versions = parse_qs(exchange.query).get("api-version", [])
    azure_wire.check_version(versions[0] if versions else None)


def _visible(door: Door, exchange: Exchange) -> list[dict[str, object]]:
    key = door.authenticate(exchange)
    snapshot = door.pipeline.snapshot
    return [
        _describe(snapshot, route)
        for name, route in sorted(snapshot.table.routes.items())
        if key.routes is None or name in key.routes or f"{name}/*" in key.routes
    ]


def _describe(snapshot: Snapshot, route: Route) -> dict[str, object]:
    """An OpenAI model object, with what an organisation wants to know of it beside."""
    names = [t.name for t in route.targets if t.weight > 0] or [t.name for t in route.targets]
    first = snapshot.table.deployments[names[0]]
    name = f"{route.name}/*" if first.wildcard else route.name
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": first.maker or first.seller or "unknown",
        "freehold": {
            "deployments": [*names, *(f for f in route.fallback if f not in names)],
            "maker": first.maker,
            "seller": first.seller,
            "host": first.host,
            "chips": first.chips,
            "region": first.region,
            "capabilities": sorted(first.capabilities) if first.capabilities is not None else None,
            "context": first.context,
            "max_output": first.max_output,
        },
    }


def _reply(door: Door, exchange: Exchange, value: object) -> None:
    exchange.reply(200, [JSON, named(), *door.cors(exchange)], msgspec.json.encode(value))
