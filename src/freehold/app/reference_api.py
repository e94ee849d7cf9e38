"""docs/reference/api.md: every endpoint below /api, and every shape that goes in or comes out. Refuses to say anything
that the table of endpoints does not hold, beside an introduction."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from freehold import __version__
from freehold.wire.api import Api, Endpoint

_INTRO = """Everything that the page and the console do goes through these endpoints, and so can you. They take and
answer JSON; times are milliseconds since the epoch, money is decimal text beside its currency, ids are opaque text. The
same, for machines, is at `GET /api/openapi.json`.

**Who may.** An endpoint names the least role that it asks for: everybody (`public`), `member`, `auditor` (reads the
console), `admin` (changes it), `owner`. Show a token in `authorization: Bearer ...` (`POST /api/me/tokens` makes
one); a browser has the cookie of its session instead, and sends `x-freehold-csrf` with every change, as
`GET /api/session` told it.

**Errors** are `{"error": {"message", "type", "code", "param"}}` with the status of the kind; [errors](errors.md)
lists the codes. Parameters and members that an endpoint does not know are refused.

**Streams** (`/events`, and temporary chats) are server-sent events; `Last-Event-ID` goes on where a connection was
lost.

Models are called at `/v1` and `/openai`: [endpoints](endpoints.md).
"""
TAGS = {
    "session": "Signing in",
    "me": "One's own account",
    "chat": "Chat",
    "assistants": "Assistants",
    "projects": "Projects",
    "prompts": "Prompts",
    "memories": "Memories",
    "files": "Files",
    "search": "Search",
    "shares": "Shares",
    "export": "Export",
    "imports": "Imports",
    "tools": "Tools",
    "console": "Console",
    "members": "Members",
    "about": "About this API",
}
"""Headings by tag, in the order of the page; a tag that is not here comes behind, under its own name."""
_METHODS = ("get", "post", "put", "patch", "delete")
Schema = dict[str, Any]


class _Nothing:
    """Stands where the makers of endpoints want a part of a running house, which they only keep."""

    def __getattr__(self, name: str) -> Any:
        return self


def endpoints() -> list[Endpoint]:
    """Return the table that every worker answers by. Nothing is opened, so none of it can be run."""

    async def build() -> list[Endpoint]:
        from freehold.assist import Assist, AssistSettings
        from freehold.console import Console, Settings, admin

        nothing: Any = _Nothing()
        console = Console(nothing, nothing, nothing, Settings())
        assist = Assist(nothing, nothing, nothing, nothing, AssistSettings(imports=Path("imports")), "")
        return [
            *console.endpoints(),
            *admin.endpoints(admin.Office(nothing, nothing, nothing, nothing)),
            *assist.endpoints(),
        ]

    return asyncio.run(build())


def page(made: str) -> str:
    """Return the page; `made` says how it is made."""
    nobody: Any = None  # nobody asks, so nobody is identified
    told = Api(endpoints(), nobody).openapi("Freehold", __version__)
    parts = [f"{made}# API\n\n{_INTRO}"]
    by_tag: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, methods in told["paths"].items():
        for method in _METHODS:
            if method in methods:
                by_tag.setdefault(methods[method].get("tags", ["about"])[0], []).append((method, path, methods[method]))
    for tag in [*(t for t in TAGS if t in by_tag), *sorted(by_tag.keys() - TAGS.keys())]:
        parts.append(f"## {TAGS.get(tag, tag.capitalize())}\n")
        parts += [_endpoint(*each) for each in by_tag[tag]]
    parts.append("## Shapes\n\nA `?` behind a name: it may be left out.\n")
    schemas = told["components"]["schemas"]
    parts += [_shape(name, schemas[name]) for name in sorted(schemas, key=lambda name: _short(name).lower())]
    return "\n".join(parts).rstrip() + "\n"


def _endpoint(method: str, path: str, operation: Schema) -> str:
    lines = [
        f"### `{method.upper()} {path}`\n",
        f"{operation['summary']}. Role: {operation.get('x-role', 'public')}.\n",
    ]
    asked = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    if asked:
        names = (f"`{p['name']}`{'' if p['required'] else '?'} {_kind(p['schema'])}" for p in asked)
        lines.append(f"- query: {', '.join(names)}")
    if "requestBody" in operation:
        lines.append(f"- body: {_kind(operation['requestBody']['content']['application/json']['schema'])}")
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if content is not None:
            lines.append(f"- answer {status}: {_kind(content['schema'])}")
        elif status != "200":
            lines.append(f"- answer {status}")
    return "\n".join(lines) + "\n"


def _shape(name: str, schema: Schema) -> str:
    lines = [f"### {_short(name)}\n"]
    if about := " ".join(schema.get("description", "").split()):
        lines.append(f"{about}\n")
    needed = schema.get("required", ())
    for field, kind in schema.get("properties", {}).items():
        lines.append(f"- `{field}`{'' if field in needed else '?'} {_kind(kind)}")
    if "properties" not in schema:
        lines.append(f"- {_kind(schema)}")
    return "\n".join(lines) + "\n"


def _kind(schema: Schema) -> str:
    """Return what a value is, in words; a shape by its name, as a link."""
    if "$ref" in schema:
        name = _short(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{name.lower().replace('.', '').replace(' ', '-')})"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(_kind(each) for each in schema[word])
    if "enum" in schema:
        return " or ".join(f"`{msgspec.json.encode(value).decode()}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{msgspec.json.encode(schema['const']).decode()}`"
    kind = schema.get("type", "anything")
    if kind == "array":
        inner = schema.get("items") or {}
        return f"list of {_kind(inner)}" if inner else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object, each member {_kind(schema['additionalProperties'])}"
    return _WORDS.get(str(kind), str(kind))


_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}


def _short(name: str) -> str:
    """Return a shape's name; where two rooms have one of the same name, with the room's file before it."""
    return ".".join(name.split(".")[-2:])
