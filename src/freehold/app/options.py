"""What `options` of a deployment may hold, kind by kind. Knows names and types; refuses to know what comes of them."""

from __future__ import annotations

import shlex
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from freehold.app.config import Reader, join, suggest
from freehold.app.environment import Environment
from freehold.app.settings import Bytes, Deployment, Seconds
from freehold.core.errors import ConfigError
from freehold.engines.command import Command
from freehold.providers import Settings

_VENDOR = ("organization", "project", "headers", "query", "max_tokens", "stream_usage")
_AZURE = ("bearer", "headers", "query", "max_tokens", "stream_usage")
_SAFETY = ("bearer", "headers", "query")
_UNITS: dict[str, Any] = {"memory": Bytes, "start_seconds": Seconds}
"""Options of a command that have a unit, and so may be text such as "2 GB"."""


def offered(kind: str) -> Mapping[str, Any]:
    """Return the options of `kind`, by name, with the annotation of each. Of a vendor: those of `openai`."""
    if kind == "llamacpp":
        return {}
    if kind == "command":
        hints = typing.get_type_hints(Command, include_extras=True)
        return {name: _UNITS.get(name, hint) for name, hint in hints.items() if name != "model"}
    hints = typing.get_type_hints(Settings, include_extras=True)
    names = {"azure": _AZURE, "contentsafety": _SAFETY}.get(kind, _VENDOR)
    return {name: hints[name] for name in names}


def read(written: Deployment, where: str, reader: Reader) -> dict[str, Any]:
    """Return the options of a deployment as they are meant; what is wrong with them is noted."""
    known = offered(written.kind)
    values: dict[str, Any] = {}
    for name, raw in written.options.items():
        place = f"{join(where, 'options')}.{name}"
        if name not in known:
            hint = suggest(name, known) or "it takes none"
            reader.note(place, f"kind {written.kind!r} has no such option", hint)
        else:
            values[name] = reader.value(known[name], raw, place)
    if written.kind == "command":
        _listens(written.options.get("command"), f"{join(where, 'options')}.command", reader)
    return {name: value for name, value in values.items() if value is not None}


def _listens(command: Any, where: str, reader: Reader) -> None:
    """Note a command that is missing, cannot be split, or is not told where to listen."""
    usage = 'e.g. "llama-server --host 127.0.0.1 --port {port} -m model.gguf"; {socket} may stand instead of {port}'
    if command is None or not command:
        reader.note(where, "is missing", usage)
    elif isinstance(command, str):
        try:
            shlex.split(command)
        except ValueError as e:
            reader.note(where, f"cannot be split into words: {e}", "close what was quoted, or write a list of words")
    words = " ".join(map(str, command)) if isinstance(command, list) else command
    if isinstance(words, str) and words and "{port}" not in words and "{socket}" not in words:
        reader.note(where, "does not say where to listen", usage)


def values(name: str, written: Deployment) -> dict[str, Any]:
    """Return the options of deployment `name`. Raises ConfigError."""
    reader = Reader(Path(), Environment({}))
    found = read(written, join("deployments", name), reader)
    if reader.problems:
        first = reader.problems[0]
        raise ConfigError(f"{first.where}: {first.message}.", hint=first.hint)
    return found


def command(name: str, written: Deployment) -> Command:
    """Return the command of deployment `name`. Raises ConfigError."""
    return msgspec.convert({"model": written.model or "", **values(name, written)}, Command)
