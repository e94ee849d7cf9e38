"""The only file that reads the process's environment. Knows what variables mean; refuses to know what is made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLES: dict[str, str] = {
    "FREEHOLD_CONFIG": "Path of the configuration file; `--config` goes before it.",
    "FREEHOLD_HOME": "Folder for downloaded models. Default: the user's cache folder, else the data folder.",
    "FREEHOLD_KEY": "The key that `freehold chat` shows to the door. Without it, `chat` asks for the key.",
    "FREEHOLD_URL": "Where `freehold chat` finds the door. Default: `[server] listen`.",
    "HF_TOKEN": "Token for gated or private repositories of the model hub; sent to the hub alone.",
    "HF_ENDPOINT": "Address of a mirror of the model hub.",
    "HF_HUB_OFFLINE": "Set to 1 to keep the hub's client off the network.",
    "HOME": "The user's folder. May be empty: then nothing is kept outside the data folder.",
    "PATH": "Where programs are found; those of `[tools]` get it, unless their `env` has another.",
    "XDG_CONFIG_HOME": "Folder of the user's configuration; `freehold/freehold.toml` is looked for in it.",
    "XDG_DATA_HOME": "Folder of the user's data, used when the configuration is the user's own file.",
    "XDG_CACHE_HOME": "Folder of the user's caches; downloaded models go to `freehold/models` in it.",
    "XDG_RUNTIME_DIR": "Folder for sockets when the data folder's path is too long for a UNIX socket.",
    "NO_COLOR": "Any value: no colour and no moving progress bars.",
    "CI": "Any value: plain progress lines.",
    "TERM": "`dumb`: no colour and no moving progress bars.",
}
"""Every variable that Freehold itself looks at. Vendors' keys come on top: docs/reference/settings.md."""


class Environment:
    """What the process was started with, frozen when read. An empty value counts as unset."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def get(self, name: str) -> str | None:
        return self._values.get(name) or None

    def child(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment for a child process: ours, with `extra` on top."""
        return {**self._values, **(extra or {})}

    @property
    def home(self) -> Path | None:
        """The user's folder; None when HOME is empty, relative or no folder, so that nothing is scattered."""
        text = self.get("HOME")
        if text is None or not os.path.isabs(text) or not os.path.isdir(text):
            return None
        return Path(text)

    def folder(self, variable: str, below_home: str) -> Path | None:
        """Return the XDG folder that `variable` names, or `below_home` in the user's folder, or None without either."""
        text = self.get(variable)
        if text is not None and os.path.isabs(text):
            return Path(text)
        home = self.home
        return home / below_home if home is not None else None

    @property
    def plain(self) -> bool:
        """True when output must stay free of colour and movement."""
        return any(self.get(name) is not None for name in ("NO_COLOR", "CI")) or self.get("TERM") == "dumb"


def read() -> Environment:
    """Return the environment as it is now."""
    return Environment(os.environ)
