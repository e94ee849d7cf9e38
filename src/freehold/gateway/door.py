"""The table of paths, and the boundary where every error becomes an answer. Refuses to know SQL and vendors."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from freehold.access import Key
from freehold.core.call import Kind
from freehold.core.errors import FreeholdError, MethodNotAllowed, NotFound, Unauthenticated
from freehold.core.ids import new_id
from freehold.gateway import calls, models, moderations, probes
from freehold.gateway.answer import named
from freehold.gateway.dialect import AZURE, OPENAI, Dialect
from freehold.gateway.pages import Pages
from freehold.pipeline import Pipeline
from freehold.wire.http import Headers
from freehold.wire.server import Exchange

log = logging.getLogger("freehold.door")


class DoorSettings(msgspec.Struct, frozen=True):
    """What the door is told by the configuration."""

    cors_origins: tuple[str, ...] = ()
    depth: int = 64


class Control(Protocol):
    """What the door asks of the process around it."""

    async def state(self) -> dict[str, Any]:
        """The state of each part that a call may need; `ready` is true when calls can be served at once."""

    async def samples(self) -> bytes:
        """The Prometheus text of all workers."""


Endpoint = Callable[["Door", Exchange, str], Awaitable[None]]
Api = Callable[[Exchange], Awaitable[None]]
"""What answers below /api: the assistants' and the console's endpoints, put together by the house."""


class Door:
    """The handler that wire.server calls for each request."""

    def __init__(
        self, pipeline: Pipeline, control: Control, pages: Pages, settings: DoorSettings, api: Api | None = None
    ) -> None:
        self.pipeline = pipeline
        self.control = control
        self.pages = pages
        self.settings = settings
        self.api = api

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request. Nothing is raised but cancellation."""
        path = exchange.path
        dialect = AZURE if path.startswith("/openai/") else OPENAI
        try:
            found = _EXACT.get(path)
            if found is not None:
                methods, endpoint, rest = *found, ""
            else:
                methods, endpoint, rest = _search(path)
            if exchange.method not in methods:
                if self._preflight(exchange, methods):
                    return
                raise MethodNotAllowed(
                    f"{exchange.method} is not allowed on {path}.",
                    hint=f"allowed: {', '.join(methods)}",
                )
            await endpoint(self, exchange, rest)
        except FreeholdError as e:
            self.refuse(exchange, e, dialect)
        except Exception:
            request_id = new_id("req")
            log.exception("unexpected error", extra={"request": request_id, "path": path})
            hint = f"look for {request_id} in its log"
            self.refuse(exchange, FreeholdError("Freehold failed to handle this request.", hint=hint), dialect)

    def refuse(self, exchange: Exchange, e: FreeholdError, dialect: Dialect = OPENAI) -> None:
        """Render `e`, unless an answer has begun: then the connection is cut, as a broken answer never ends cleanly."""
        if exchange.method == "POST" and exchange.path.startswith(("/v1/", "/openai/")):  # else it was no call
            self.pipeline.metrics.count("freehold_calls_total", (("status", str(e.status)), ("error", e.code)))
        if exchange.answered:
            exchange.abort()
            return
        status, headers, body = dialect.error(e, new_id("req"))
        exchange.reply(status, [*headers, *self.cors(exchange)], body)

    def cors(self, exchange: Exchange) -> Headers:
        """Return the fields that let a page of an allowed origin read the answer; none for anybody else."""
        allowed = self.settings.cors_origins
        if not allowed or exchange.path.startswith("/api/"):  # what a browser's session opens is for our own pages
            return ()
        origin = exchange.headers.get(b"origin")
        if origin is None or ("*" not in allowed and origin.decode("latin-1") not in allowed):
            return ((b"vary", b"origin"),)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"origin"),
        )

    def authenticate(self, exchange: Exchange) -> Key:
        """Return the key of `authorization: Bearer` or `api-key`. Raises Unauthenticated."""
        headers = exchange.headers
        token = headers.get(b"authorization")
        if token is not None and token[:7].lower() == b"bearer ":
            return self.pipeline.snapshot.keys.find(token[7:].strip())
        token = headers.get(b"api-key") or headers.get(b"x-api-key")
        if token is None:
            raise Unauthenticated(
                "You didn't provide an API key.",
                code="missing_api_key",
                hint="send `Authorization: Bearer <key>` or `api-key: <key>`; `freehold keys create NAME` makes one",
            )
        return self.pipeline.snapshot.keys.find(token)

    def _preflight(self, exchange: Exchange, methods: tuple[str, ...]) -> bool:
        if exchange.method != "OPTIONS":
            return False
        allow = b", ".join(m.encode() for m in (*methods, "OPTIONS"))
        headers = [(b"allow", allow), named()]
        granted = self.cors(exchange)
        if len(granted) > 1:
            headers += [
                *granted,
                (b"access-control-allow-methods", allow),
                (b"access-control-allow-headers", _grant(exchange.headers.get(b"access-control-request-headers", b""))),
                (b"access-control-max-age", b"600"),
            ]
        exchange.reply(204, headers, b"")
        return True


def _grant(asked: bytes) -> bytes:
    """Return the fields that a page of an allowed origin may send: those it asks for, for SDKs send many of their own
    and the origin is trusted with a key. Whatever is no name of a field is passed over."""
    names = [name.strip(b" \t").lower() for name in asked[:_ASKED_BYTES].split(b",")]
    return b", ".join(dict.fromkeys([*_SENT, *filter(_FIELD.fullmatch, names)]))


def _search(path: str) -> tuple[tuple[str, ...], Endpoint, str]:
    if path.startswith("/v1/models/"):
        return _GET, models.one, path[11:]
    if path.startswith("/openai/deployments/"):
        name, slash, operation = path[20:].partition("/")
        kind = _AZURE_OPERATIONS.get(operation)
        if name and slash and kind:
            return _POST, calls.azure(kind), name
    if path.startswith("/openai/v1/models/"):
        return _GET, models.one, path[18:]
    if path.startswith("/openai/models/"):
        return _GET, models.azure_one, path[15:]
    if path.startswith("/api/"):
        return _ANY, _own, path
    if not path.startswith(("/v1/", "/openai/")):
        return _GET, _page, path
    raise _nothing(path)


def _nothing(path: str) -> NotFound:
    return NotFound(f"There is nothing at {path}.", hint="docs/reference/endpoints.md lists what there is")


async def _own(door: Door, exchange: Exchange, path: str) -> None:
    """Below /api: a browser's sessions are not for pages of other origins, so no CORS field is ever added there."""
    if door.api is None:
        raise _nothing(path)
    await door.api(exchange)


async def _page(door: Door, exchange: Exchange, path: str) -> None:
    await door.pages.serve(exchange, path)


_EXPOSED = b"x-request-id, x-freehold-deployment, x-freehold-cost, x-freehold-overhead-ms, x-freehold-dropped"
_SENT = (b"authorization", b"api-key", b"x-api-key", b"content-type")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,64}")
_ASKED_BYTES = 2048
_GET = ("GET", "HEAD")
_POST = ("POST",)
_ANY = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_AZURE_OPERATIONS: dict[str, Kind] = {
    "chat/completions": "chat",
    "completions": "completion",
    "embeddings": "embedding",
}
_EXACT: dict[str, tuple[tuple[str, ...], Endpoint]] = {
    "/v1/chat/completions": (_POST, calls.openai("chat")),
    "/v1/completions": (_POST, calls.openai("completion")),
    "/v1/embeddings": (_POST, calls.openai("embedding")),
    "/v1/moderations": (_POST, moderations.endpoint),
    "/v1/models": (_GET, models.listing),
    "/openai/v1/chat/completions": (_POST, calls.azure_v1("chat")),
    "/openai/v1/completions": (_POST, calls.azure_v1("completion")),
    "/openai/v1/embeddings": (_POST, calls.azure_v1("embedding")),
    "/openai/v1/models": (_GET, models.listing),
    "/openai/models": (_GET, models.azure_listing),
    "/healthz": (_GET, probes.alive),
    "/readyz": (_GET, probes.ready),
    "/metrics": (_GET, probes.metrics),
}
