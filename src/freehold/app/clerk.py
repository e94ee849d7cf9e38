"""The administrators' API for whoever sits at the command line: the same endpoints, without HTTP and without a session,
as nobody but this server's own user reaches the control socket. Refuses to know what any endpoint does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from freehold.access import Member
from freehold.console import admin
from freehold.console.office import Office
from freehold.core.errors import BadRequest, NotFound
from freehold.wire.api import Raw, Request

NAME = "command line"
"""What acts are put on record under."""


async def answer(
    office: Office,
    method: str,
    path: str,
    params: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    key: str = "",
) -> Any:
    """Return what the endpoint `method` `path` (as the table writes it, names in braces) answers, as plain values.

    `key` is the id of the key that calls are made with. Raises what the endpoint raises, NotFound where there is none.
    """
    table = {(endpoint.method, endpoint.path): endpoint for endpoint in admin.endpoints(office)}
    endpoint = table.get((method, path))
    if endpoint is None:
        raise NotFound(f"There is nothing at {method} {path}.", hint="the server is of another version; restart it")
    who = Member("", NAME, "", "owner", None, key, {}, 0)
    try:
        asked = msgspec.convert(dict(query or {}), endpoint.query, strict=False) if endpoint.query else None
        given = msgspec.convert(body if body is not None else {}, endpoint.body) if endpoint.body else None
    except msgspec.ValidationError as e:
        raise BadRequest(f"{e}.", hint="docs/reference/api.md says what it takes") from e
    exchange: Any = None  # those that answer on the exchange itself are not for here
    found = await endpoint.run(Request(exchange, who, dict(params or {}), asked, given))
    if isinstance(found, Raw):
        return found.body.decode("utf-8", "replace")
    return msgspec.to_builtins(found)
