"""Servers that others wrote, started by a command. Refuses to know models."""

from __future__ import annotations

import os
import re
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from freehold.core.errors import ConfigError
from freehold.wire.client import Origin

_PLACE = re.compile(r"\{(port|model|socket)\}")


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenAI-compatible server that we start and supervise."""

    command: tuple[str, ...] | str  # words, or one line split as a shell would, without one; {port} {model} {socket}
    model: str = ""  # what {model} stands for
    env: dict[str, str] = {}  # variables of its own, on top of a few harmless ones
    cwd: str = ""  # folder it runs in; empty: ours
    health: str = "/health"  # path that answers 2xx when it can serve
    start_seconds: float = 600.0  # until then it must be ready
    memory: int = 0  # bytes to reserve for it; 0: what it is seen to hold


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A command with everything filled in."""

    words: tuple[str, ...]
    origin: Origin


def prepare(command: Command, socket_path: Path) -> Launch:
    """Fill the places of the template. With {socket} it listens there, else on a free port of the loopback."""
    given = command.command
    words = shlex.split(given) if isinstance(given, str) else list(given)
    text = " ".join(words)
    places = set(_PLACE.findall(text))
    if not words or not places & {"port", "socket"}:
        raise ConfigError(
            "the engine's command says nowhere to listen",
            param="command",
            hint="use {port} (or {socket}) in it, e.g. llama-server --host 127.0.0.1 --port {port}",
        )
    if "socket" in places:
        origin = Origin(scheme="http", host="engine", port=80, unix=str(socket_path))
    else:
        origin = Origin(scheme="http", host="127.0.0.1", port=free_port())
    values = {"port": str(origin.port), "model": command.model, "socket": str(socket_path)}
    return Launch(words=tuple(_PLACE.sub(lambda m: values[m[1]], word) for word in words), origin=origin)


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE")


def child_environment(environment: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child: a few of ours and `extra`. Keys of vendors are none of its business."""
    kept = {name: environment[name] for name in _INHERITED if name in environment}
    return {"PATH": os.defpath, **kept, **extra}
