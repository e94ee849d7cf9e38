"""The configuration as people read it: each value with where it is from, and how two of them differ. Refuses to change
anything."""

from __future__ import annotations

from typing import Any

from freehold.app.config import Problems
from freehold.app.load import defaults, effective
from freehold.app.settings import Config
from freehold.core.errors import ConfigError


def settings(config: Config) -> list[dict[str, Any]]:
    """Return every value in force: `name`, `value` (a secret as its source), `origin`, and whether it is the
    default."""
    usual = defaults(config)
    rows = []
    for name, value in sorted(effective(config).items()):
        where = origin(name, config.origins)
        rows.append(
            {"name": name, "value": value, "origin": where, "default": where == "default" and value == usual.get(name)}
        )
    return rows


def origin(name: str, origins: dict[str, str]) -> str:
    """Return where a value is from: its own origin, or that of the list or table that was given whole."""
    while name:
        if name in origins:
            return origins[name]
        name = name[: max(name.rfind("."), name.rfind("["), 0)]
    return "default"


def differences(runs: dict[str, Any], file: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the settings in which two `effective` configurations differ."""
    return [
        {"name": name, "runs": runs.get(name), "file": file.get(name)}
        for name in sorted(runs.keys() | file.keys())
        if runs.get(name) != file.get(name)  # a setting that is null here and absent there says the same
    ]


def problems(e: ConfigError) -> list[dict[str, str]]:
    """Return all that is wrong with a configuration that was refused."""
    if isinstance(e, Problems):
        return [{"where": p.where, "message": p.message, "hint": p.hint} for p in e.problems]
    return [{"where": "", "message": e.message, "hint": e.hint}]
