"""What a server of tools is, what it offers and what came of a use. Data only: refuses to know connections."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from freehold.access import Member

Allow = Literal["ask", "always", "never"]
"""Whether a member is asked before each use of a tool, or it is used at once, or not at all."""

NAME_CHARS = 64
"""Longest name of a function that every vendor of models takes."""
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]+")


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One server as configured, secrets in the clear. Never shows its headers, its environment or its URL's query."""

    name: str
    kind: Literal["http", "stdio"]
    title: str = ""  # what people read; default: the name
    url: str = ""  # http: the server's one address
    headers: dict[str, str] = {}  # http: further headers of each request
    ca: str | None = None  # http: PEM file of certificate authorities to trust
    verify: bool = True  # http: check the server's certificate
    proxy: str | None = None  # http: URL of a forward proxy
    command: tuple[str, ...] = ()  # stdio: the program and its arguments
    env: dict[str, str] = {}  # stdio: its whole environment, PATH included
    cwd: str | None = None  # stdio: folder that it starts in
    allow: Allow = "ask"  # for every tool that `tools` does not name
    tools: dict[str, Allow] = {}  # tool by tool
    members: tuple[str, ...] = ()  # who may use it, by name; none of the three given: everybody
    teams: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    timeout: float = 60.0  # seconds that one use may take
    result_bytes: int = 100_000  # of a result as the model gets it; the rest is cut, and that is said

    def __repr__(self) -> str:
        return f"ServerSettings(name={self.name!r}, kind={self.kind!r})"

    def open_to(self, who: Member, team: str | None) -> bool:
        """Whether `who`, of the team named `team`, may use this server at all."""
        if not (self.members or self.teams or self.roles):
            return True
        return who.name in self.members or team in self.teams or who.role in self.roles

    def configured(self, tool: str) -> Allow:
        """Return the rule for `tool` as configured."""
        return self.tools.get(tool, self.allow)


class Offered(msgspec.Struct, frozen=True):
    """A tool as a conversation may use it. `name` is the function's name for the model, unique among those offered;
    `schema` is the JSON schema of its arguments; `allow` is never "never"."""

    name: str
    server: str
    tool: str
    title: str
    description: str
    schema: dict[str, Any]
    allow: Allow


class Result(msgspec.Struct, frozen=True):
    """What a tool answered, in words for the model and for people. `failed`: it did not do what it was asked."""

    text: str
    failed: bool


class ToolShown(msgspec.Struct, frozen=True):
    """A tool as the page lists it. `fixed`: the configuration says never, and a member cannot change that."""

    name: str
    title: str
    description: str
    schema: dict[str, Any]
    allow: Allow
    fixed: bool = False


class ToolServer(msgspec.Struct, frozen=True):
    """A server as the page lists it; `error` says why it failed."""

    name: str
    title: str
    kind: Literal["http", "stdio", "built-in"]
    state: Literal["ready", "connecting", "failed"]
    error: str
    tools: list[ToolShown]


def function_name(server: str, tool: str, taken: Iterable[str] = ()) -> str:
    """Return a name that every vendor takes for `tool` of `server`, and that is none of `taken`."""
    plain = _UNFIT.sub("_", f"{server}__{tool}")
    if len(plain) <= NAME_CHARS and plain == f"{server}__{tool}" and plain not in taken:
        return plain
    mark = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "replace")).hexdigest()[:8]
    return f"{plain[: NAME_CHARS - 9]}_{mark}"
