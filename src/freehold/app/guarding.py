"""The guards of one worker, and the house's key to the vault. Knows the configuration and one file; refuses to know
what guards look for."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import os
import secrets
from pathlib import Path

from freehold.app.settings import Config
from freehold.core.errors import ConfigError, StoreError
from freehold.guards import lists
from freehold.guards.moderation import ModerationShield
from freehold.guards.names import Names
from freehold.guards.privacy import PrivacyShield
from freehold.guards.shield import Shield
from freehold.guards.vault import KEY_BYTES, Vault
from freehold.store import Store

log = logging.getLogger("freehold.guarding")

FILE = "vault.key"
SWEEP_SECONDS = 3600.0


class Guards:
    """Made once in each worker. `shields` are in the order in which an answer comes by them: what a model says is
    judged as it said it, and pseudonyms are put back last, nearest to the caller."""

    def __init__(self, config: Config, store: Store) -> None:
        self.vault = vault(config, store)
        self._names = Names()
        self._privacy = PrivacyShield(self.vault, names=self._names, classify=config.data_rules.found)
        self.shields: tuple[Shield, ...] = (ModerationShield(), self._privacy)
        _ready(config)

    def configure(self, config: Config) -> None:
        """Put another configuration in force."""
        _ready(config)
        self._privacy.classify = config.data_rules.found

    async def forget(self) -> None:
        """Let go of pseudonyms whose time is over, now and then. Runs until it is cancelled."""
        while True:
            try:
                while await self.vault.sweep():
                    pass
            except StoreError as e:
                log.warning("pseudonyms could not be forgotten", extra={"why": e.message})
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """End what was begun."""
        await self._names.close()


def _ready(config: Config) -> None:
    """Read the word lists ahead of the first call, where a policy asks for them."""
    said = config.policies.values()
    if any(policy.moderation is not None or policy.injection.action != "off" for policy in said):
        lists.shipped()


def vault(config: Config, store: Store) -> Vault:
    """Return the vault with the house's key: `[vault] key`, or the data folder's. Raises ConfigError."""
    said = config.vault.key
    key = _decoded(said.value, said.source) if said is not None else _from_file(config.data / FILE)
    return Vault(store, key, days=config.vault.days)


def _decoded(text: str, source: str) -> bytes:
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"vault.key ({source}) is not {KEY_BYTES} bytes, in base64 or hexadecimal.",
            hint="make one with `openssl rand -base64 32`",
        )
    return key


def _from_file(path: Path) -> bytes:
    """Return the key in the file, which is made when there is none: whole, or not at all, whoever is first."""
    try:
        return _decoded(path.read_text("latin-1").strip(), str(path))
    except FileNotFoundError:
        pass
    except OSError as e:
        raise ConfigError(
            f"{path} cannot be read: {e.strerror}.", hint="let the user that Freehold runs as read it (mode 0600)"
        ) from e
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another worker was first: its key holds
            os.link(draft, path)
    finally:
        os.unlink(draft)
    return _decoded(path.read_text("ascii").strip(), str(path))
