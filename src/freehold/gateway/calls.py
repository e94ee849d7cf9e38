"""The endpoints that become a Call: chat completions, completions and embeddings, in OpenAI's and Azure's dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from freehold.contracts.terms import CLASSES
from freehold.core.call import Call, Kind
from freehold.core.errors import BadRequest, FreeholdError
from freehold.gateway.answer import Answer
from freehold.gateway.dialect import AZURE, OPENAI, Dialect
from freehold.wire.dialects import azure as azure_wire
from freehold.wire.dialects import openai as openai_wire
from freehold.wire.server import Exchange

if TYPE_CHECKING:
    from freehold.gateway.door import Door

Handler = Callable[["Door", Exchange, str], Awaitable[None]]


def openai(kind: Kind) -> Handler:
    """Return the endpoint of `kind` under /v1: the model is named in the body."""

    def endpoint(door: Door, exchange: Exchange, _: str) -> Awaitable[None]:
        return _serve(door, exchange, kind, OPENAI, None)

    return endpoint


def azure_v1(kind: Kind) -> Handler:
    """Return the endpoint of `kind` under /openai/v1: Azure's shapes, the model in the body, no api-version asked."""

    def endpoint(door: Door, exchange: Exchange, _: str) -> Awaitable[None]:
        return _serve(door, exchange, kind, AZURE, None)

    return endpoint


def azure(kind: Kind) -> Handler:
    """Return the endpoint of `kind` under /openai/deployments/{name}: the name is the public model name."""

    async def endpoint(door: Door, exchange: Exchange, name: str) -> None:
        versions = parse_qs(exchange.query).get("api-version", [])
        azure_wire.check_version(versions[0] if versions else None)
        await _serve(door, exchange, kind, AZURE, unquote(name))

    return endpoint


_CLASS, _USE = b"x-freehold-data-class", b"x-freehold-use"
_DECLARED = {_CLASS, _USE}
_USES = ("train", "train_competing")


def _declare(call: Call, name: bytes, value: bytes) -> None:
    """Take what the client says of the words it sends, and of what the answer is for. Raises BadRequest."""
    said, known = value.decode("latin-1").strip().lower(), CLASSES if name == _CLASS else _USES
    if said not in known:
        raise BadRequest(
            f"{name.decode()}: {said[:64]!r} is not known.",
            param=name.decode(),
            hint=f"write one of {', '.join(known)}, or leave the header out",
        )
    if name == _CLASS:
        call.data_class = said
    else:
        call.use = said


def declare(call: Call, exchange: Exchange) -> None:
    """Take what the headers say of the words and of what the answer is for. Raises BadRequest."""
    for name in _DECLARED & exchange.headers.keys():
        _declare(call, name, exchange.headers[name])


def require_json(exchange: Exchange) -> None:
    """Raise BadRequest unless the body says that it is JSON."""
    media = exchange.headers.get(b"content-type", b"")
    if media[:16].lower() != b"application/json":
        raise BadRequest(
            "The request body must be JSON.",
            status=415,
            code="unsupported_media_type",
            hint="send `content-type: application/json`",
        )


async def _serve(door: Door, exchange: Exchange, kind: Kind, dialect: Dialect, deployment: str | None) -> None:
    key = door.authenticate(exchange)
    require_json(exchange)
    depth = door.settings.depth
    call: Call = openai_wire.parse(kind, exchange.body, model=deployment, max_depth=depth, dialect=dialect.name)
    declare(call, exchange)
    answer = Answer(exchange, dialect, call.asked, door.cors(exchange))
    pipeline = door.pipeline
    try:
        reply = await pipeline.run(call, key, answer, exchange.began)
    except asyncio.CancelledError:
        pipeline.metrics.count("freehold_calls_total", (("status", "499"), ("error", "client_gone")))
        raise
    except FreeholdError as e:
        answer.fail(e, call.id)
        pipeline.metrics.count("freehold_calls_total", (("status", str(e.status)), ("error", e.code)))
    else:
        answer.finish(reply)
        pipeline.metrics.good.value += 1
