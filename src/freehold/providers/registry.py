"""Which provider speaks for a deployment: its kind, or a vendor's name, to the class that knows the dialect."""

from __future__ import annotations

from collections.abc import Callable

from freehold.core.errors import ConfigError
from freehold.providers.azure import Azure
from freehold.providers.base import Provider, Settings
from freehold.providers.command import Command
from freehold.providers.contentsafety import ContentSafety
from freehold.providers.llamacpp import LlamaCpp
from freehold.providers.openai import OpenAI
from freehold.providers.vendors import vendor

KINDS: dict[str, Callable[[Settings], Provider]] = {
    "openai": OpenAI,
    "azure": Azure,
    "llamacpp": LlamaCpp,
    "command": Command,
    "contentsafety": ContentSafety,
}
"""What a deployment's `kind` may be, beside a vendor's name."""


def build(settings: Settings) -> Provider:
    """Return the provider for `settings`; ConfigError says what is wrong with them."""
    make = KINDS.get(settings.kind)
    if make is None and vendor(settings.kind) is None:
        raise ConfigError(
            f"Deployment {settings.name!r}: no such kind: {settings.kind!r}.",
            param="kind",
            hint=f"Use one of {', '.join(sorted(KINDS))}, or a known vendor's name.",
        )
    return (make or OpenAI)(settings)
