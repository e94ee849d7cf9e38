"""A table of endpoints over HTTP: paths with names in them, typed bodies and queries, JSON answers, OpenAPI of it all.

Knows an Exchange; refuses to know who is asking (a function is handed in) and what any endpoint does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from freehold.core.errors import BadRequest, MethodNotAllowed, NotFound, StoreError
from freehold.core.ids import new_id
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers
from freehold.wire.sse import encode

W = TypeVar("W")

Access = Literal["public", "member", "auditor", "admin", "owner"]
"""The least role that an endpoint asks for; `public` asks for none."""

PRIVATE: Headers = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""For what is told to one person: it is stored nowhere, and is what its type says."""
JSON: Headers = ((b"content-type", b"application/json"), *PRIVATE)
_STREAM: Headers = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_NAME = re.compile(r"\{([a-z_]+)\}")
_VALUE_BYTES = 512
"""The longest value of a name in a path, in characters: ids and names are shorter."""
_UNFIT = "store_value"
"""The code of the error of a store that cannot hold a value, or look for it: that is the client's, not the store's."""


class Request(Generic[W]):
    """What an endpoint gets: the exchange, who is asking, the names in the path, the query and the body as typed.
    `again` is for what goes on for long: it raises FreeholdError once whoever asked may ask no longer."""

    __slots__ = ("again", "body", "exchange", "params", "query", "who")

    def __init__(
        self,
        exchange: Exchange,
        who: W,
        params: dict[str, str],
        query: Any,
        body: Any,
        again: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        self.exchange = exchange
        self.who = who
        self.params = params
        self.query = query
        self.body = body
        self.again = again


class Raw(msgspec.Struct, frozen=True):
    """An answer that is no JSON."""

    body: bytes
    media: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: int = 200


class _Sent:
    """The type of SENT."""


SENT = _Sent()
"""Returned by an endpoint that has answered on the exchange itself."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One path and method. `body`, `query` and `answer` are types that msgspec reads; with no `body` none is read, and
    the bytes stay in `request.exchange.body`. `run` returns what `answer` says, None for 204, Raw, or SENT.
    """

    method: str
    path: str
    run: Callable[[Request[Any]], Awaitable[Any]]
    summary: str
    access: Access = "member"
    body: Any = None
    query: Any = None
    answer: Any = None
    status: int = 200
    tag: str = ""


class Download:
    """A file as the answer to an exchange, in pieces, as fast as the client takes them. `headers` say what it is."""

    def __init__(self, exchange: Exchange, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._exchange = exchange
        self._free = asyncio.Event()
        self._free.set()
        exchange.start(200, [*headers, *PRIVATE])
        exchange.on_pressure(self._free.clear, self._free.set)

    async def write(self, piece: bytes) -> None:
        """Send a piece, and wait until the client takes more."""
        self._exchange.write(piece)
        await self._free.wait()

    def end(self) -> None:
        """It was sent whole."""
        self._exchange.end()


class EventStream:
    """Server-sent events as the answer to an exchange. `gone` is set when the client left, `pressed` is true while it
    takes no more: what is sent then waits in memory, so send a summary later instead of every piece now."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.gone = asyncio.Event()
        self.pressed = False
        self.relieved = asyncio.Event()
        exchange.start(200, [*_STREAM, (b"x-request-id", new_id("req").encode())])
        exchange.on_gone(self.gone.set)
        exchange.on_pressure(self._press, self._relieve)
        exchange.write(b": open\n\n")

    def send(self, name: str, data: Any, id: str | None = None) -> None:
        """Send one event; `data` becomes JSON."""
        self._exchange.write(encode(msgspec.json.encode(data), name, id))

    def comment(self) -> None:
        """Show proxies and the client that the stream lives."""
        self._exchange.write(b": \n\n")

    def close(self) -> None:
        self._exchange.end()

    def _press(self) -> None:
        self.pressed = True
        self.relieved.clear()

    def _relieve(self) -> None:
        self.pressed = False
        self.relieved.set()


class _Route(msgspec.Struct, frozen=True):
    pattern: re.Pattern[str]
    methods: dict[str, Endpoint]


class Api:
    """Answers every request below /api, or raises FreeholdError for the door to render.

    `identify` returns who is asking and raises Unauthenticated or Forbidden when that is not enough for `access`.
    """

    def __init__(self, endpoints: Iterable[Endpoint], identify: Callable[[Exchange, Access], Awaitable[Any]]) -> None:
        self.endpoints = tuple(endpoints)
        self._identify = identify
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._routes: dict[int, list[_Route]] = {}
        by_path: dict[str, dict[str, Endpoint]] = {}
        for endpoint in self.endpoints:
            methods = by_path.setdefault(endpoint.path, {})
            if endpoint.method in methods:
                raise ValueError(f"{endpoint.method} {endpoint.path} is there twice")
            methods[endpoint.method] = endpoint
        for path, methods in by_path.items():
            if "{" not in path:
                self._exact[path] = methods
                continue
            pattern = re.compile(_NAME.sub(lambda name: f"(?P<{name[1]}>[^/]+)", path))
            self._routes.setdefault(path.count("/"), []).append(_Route(pattern, methods))

    async def __call__(self, exchange: Exchange) -> None:
        """Answer `exchange`. Raises FreeholdError."""
        methods, params = self._find(exchange.path)
        endpoint = methods.get("GET" if exchange.method == "HEAD" else exchange.method)
        if endpoint is None:
            raise MethodNotAllowed(
                f"{exchange.method} is not allowed on {exchange.path}.", hint=f"allowed: {', '.join(sorted(methods))}"
            )
        who = await self._identify(exchange, endpoint.access)
        query = _query(exchange.query, endpoint.query) if endpoint.query is not None else None
        body = _body(exchange, endpoint.body) if endpoint.body is not None else None
        again = partial(self._identify, exchange, endpoint.access)
        try:
            answer = await endpoint.run(Request(exchange, who, params, query, body, again))
        except StoreError as e:
            if e.code != _UNFIT:
                raise
            raise BadRequest("A text holds a zero byte, or a number has more than 64 bits.", hint="leave it out") from e
        self._answer(exchange, endpoint, answer)

    def _answer(self, exchange: Exchange, endpoint: Endpoint, answer: Any) -> None:
        if answer is SENT:
            return
        name = (b"x-request-id", new_id("req").encode())
        if isinstance(answer, Raw):
            media = (b"content-type", answer.media.encode())
            exchange.reply(answer.status, [media, *answer.headers, name], answer.body)
        elif answer is None:
            exchange.reply(204, [(b"cache-control", b"no-store"), name], b"")
        else:
            exchange.reply(endpoint.status, [*JSON, name], msgspec.json.encode(answer))

    def _find(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for route in self._routes.get(path.count("/"), ()):
            found = route.pattern.fullmatch(path)
            if found is not None:
                params = {name: unquote(value) for name, value in found.groupdict().items()}
                if any(len(value) > _VALUE_BYTES or "\0" in value for value in params.values()):
                    break
                return route.methods, params
        raise NotFound(f"There is nothing at {path[:200]}.", hint="GET /api/openapi.json lists what there is")

    def openapi(self, title: str, version: str) -> dict[str, Any]:
        """Return the OpenAPI 3.1 description of all endpoints."""
        types = [t for e in self.endpoints for t in (e.body, e.query, e.answer) if t is not None]
        schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        renamed = {name: _short(name) for name in components}
        schemas, components = _rename((schemas, components), renamed)
        known = {id(t): schema for t, schema in zip(types, schemas, strict=True)}
        paths: dict[str, dict[str, Any]] = {}
        for endpoint in self.endpoints:
            operation = _operation(endpoint, known, components)
            paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
        return {
            "openapi": "3.1.0",
            "info": {"title": title, "version": version},
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "session": {"type": "apiKey", "in": "cookie", "name": "freehold_session"},
                    "token": {"type": "http", "scheme": "bearer"},
                },
            },
        }


def _short(name: str) -> str:
    """A name for readers: `freehold.console.ledger_api.Row`, which is one of several Rows, is `LedgerRow`."""
    *_, module, last = f".{name}".split(".")
    return "".join(part.title() for part in module.removesuffix("_api").split("_")) + last


def _rename(value: Any, names: dict[str, str]) -> Any:
    """Return schemas with their components called otherwise."""
    prefix = "#/components/schemas/"
    if isinstance(value, dict):
        return {
            names.get(key, key): prefix + names[inner.removeprefix(prefix)]
            if key == "$ref" and isinstance(inner, str)
            else _rename(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(_rename(inner, names) for inner in value)
    if isinstance(value, str) and value.startswith(prefix):  # where a discriminator maps to
        return prefix + names[value.removeprefix(prefix)]
    return value


def _operation(endpoint: Endpoint, known: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _NAME.findall(endpoint.path)
    ]
    if endpoint.query is not None:
        schema = known[id(endpoint.query)]
        schema = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
        needed = schema.get("required", ())
        parameters += [
            {"name": name, "in": "query", "required": name in needed, "schema": value}
            for name, value in schema.get("properties", {}).items()
        ]
    answer: dict[str, Any] = {"description": "done"}
    if endpoint.answer is not None:
        answer["content"] = {"application/json": {"schema": known[id(endpoint.answer)]}}
    operation: dict[str, Any] = {"summary": endpoint.summary, "responses": {str(endpoint.status): answer}}
    if endpoint.tag:
        operation["tags"] = [endpoint.tag]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        content = {"application/json": {"schema": known[id(endpoint.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.access != "public":
        operation["security"] = [{"session": []}, {"token": []}]
        operation["x-role"] = endpoint.access
    return operation


def _query(text: str, form: Any) -> Any:
    pairs: dict[str, str] = {}
    try:
        for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=64, errors="strict"):
            if name in pairs:
                raise BadRequest(f"The parameter {name[:64]!r} comes twice.", hint="give it once")
            pairs[name] = value
    except ValueError as e:
        raise BadRequest("The query of the address cannot be read.", hint="write it as name=value&name=value") from e
    return _convert(lambda: msgspec.convert(pairs, form, strict=False), form, pairs)


def _body(exchange: Exchange, form: Any) -> Any:
    media = exchange.headers.get(b"content-type", b"")
    if media[:16].lower() != b"application/json":
        raise BadRequest(
            "The request body must be JSON.",
            status=415,
            code="unsupported_media_type",
            hint="send `content-type: application/json`",
        )
    return _convert(lambda: msgspec.json.decode(exchange.body, type=form), form, None)


def _convert(read: Callable[[], Any], form: Any, pairs: dict[str, str] | None) -> Any:
    try:
        value = read()
        if pairs is not None:
            unknown = pairs.keys() - {field.encode_name for field in msgspec.structs.fields(form)}
            if unknown:
                name = min(unknown)
                raise BadRequest(f"There is no parameter {name[:64]!r} here.", param=name[:64], hint="leave it out")
        return value
    except msgspec.ValidationError as e:
        message, _, where = str(e).partition(" - at `$")
        raise BadRequest(message + ".", param=where.strip("`.") or None, hint="see /api/openapi.json") from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(f"The request body is not sound JSON: {e}.", hint="look at the place that is named") from e
