"""`[tools.NAME]` and what assist.tools is handed of it. Knows which settings go together; refuses to know servers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from freehold.app.config import Reader, Word, join
from freehold.app.settings import Config, ToolServer

if TYPE_CHECKING:
    from freehold.assist.tools.offers import ServerSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_OURS = "memory"
_HTTP = ("url", "headers", "ca", "verify", "proxy")
_STDIO = ("command", "env", "cwd")


def checked(written: dict[str, ToolServer], reader: Reader) -> dict[str, ToolServer]:
    """Return the servers, PATH in the environment of each program; what is wrong with them is noted."""
    for name, server in written.items():
        _check(join("tools", name), name, server, reader)
    path = reader.environment.get("PATH") or os.defpath
    return {
        name: msgspec.structs.replace(server, env={"PATH": Word(path, "env:PATH"), **server.env})
        if server.kind == "stdio"
        else server
        for name, server in written.items()
    }


def _check(where: str, name: str, server: ToolServer, reader: Reader) -> None:
    if name == _OURS:
        reader.note(where, "is the name of our own server of tools", "choose another name")
    if not _NAME.fullmatch(name):
        reader.note(where, "cannot be the name of a server", "1 to 32 letters, digits, hyphens and underscores")
    plain = ToolServer(kind=server.kind)
    for key in _STDIO if server.kind == "http" else _HTTP:
        if getattr(server, key) != getattr(plain, key):
            reader.note(join(where, key), f"kind {server.kind!r} has no such setting", "leave it out")
    if server.kind == "stdio":
        if not server.command or not server.command[0]:
            reader.note(join(where, "command"), "is missing", 'e.g. ["uvx", "mcp-server-time"]')
        if server.cwd is not None and not server.cwd.is_dir():
            reader.note(join(where, "cwd"), f"{server.cwd} is no folder", "correct the path")
        words = [*server.command, *server.env, *(word.value for word in server.env.values())]
        if any("\0" in word for word in words) or any("=" in key or not key for key in server.env):
            reader.note(where, "a word of `command` or `env` cannot be handed to a program", "leave out NUL and =")
        return
    for key in ("url", "proxy"):
        _check_url(server.url if key == "url" else server.proxy, join(where, key), key == "url", reader)
    if server.ca is not None and not os.access(server.ca, os.R_OK):
        reader.note(join(where, "ca"), f"{server.ca} cannot be read", "check the path and its permissions")


def _check_url(url: str | None, where: str, wanted: bool, reader: Reader) -> None:
    if url is None:
        if wanted:
            reader.note(where, "is missing", 'e.g. url = "https://tools.example.org/mcp"')
        return
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii() and url.isprintable()
        _ = parts.port
    except ValueError:
        sound = False
    if not sound:
        reader.note(where, f"{url!r} is no URL", "e.g. https://host/mcp")
    elif wanted and (parts.username or parts.password):
        reader.note(
            where, "must not hold a user name or password", 'use headers = { authorization = { env = "NAME" } }'
        )


def servers(config: Config) -> tuple[ServerSettings, ...]:
    """Return the servers of tools in the order written, secrets in the clear."""
    from freehold.assist.tools.offers import ServerSettings

    return tuple(
        ServerSettings(
            name=name,
            kind=server.kind,
            title=server.title,
            url=server.url or "",
            headers={key: word.value for key, word in server.headers.items()},
            ca=str(server.ca) if server.ca is not None else None,
            verify=server.verify,
            proxy=server.proxy,
            command=server.command,
            env={key: word.value for key, word in server.env.items()},
            cwd=str(server.cwd or config.base),
            allow=server.allow,
            tools=dict(server.tools),
            members=server.members,
            teams=server.teams,
            roles=server.roles,
            timeout=server.timeout,
            result_bytes=server.result_bytes,
        )
        for name, server in config.tools.items()
    )
