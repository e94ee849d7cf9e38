"""An OpenAI-compatible server that the engines start by a command: they say where it listens."""

from __future__ import annotations

from freehold.core.call import Kind
from freehold.providers.base import PATHS, Settings, block
from freehold.providers.openai import OpenAI
from freehold.providers.vendors import Vendor
from freehold.wire.origin import Origin


class Command(OpenAI):
    """See `Provider`."""

    kind = "command"

    def _connect(self, settings: Settings, known: Vendor | None) -> tuple[Origin | None, dict[Kind, bytes], bytes]:
        headers = {"authorization": f"Bearer {settings.key}"} if settings.key else {}
        return None, {kind: f"/v1{path}".encode() for kind, path in PATHS.items()}, block(settings, headers)
