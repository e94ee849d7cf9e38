"""Azure OpenAI as a vendor: the deployment stands in the path, or in the body with v1 paths."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from freehold.core.call import Call, Kind
from freehold.core.errors import ConfigError
from freehold.providers.base import PATHS, WILDCARD, Settings, block, locate
from freehold.providers.openai import OpenAI
from freehold.providers.vendors import Vendor
from freehold.wire.dialects.azure import NEWEST_GA
from freehold.wire.origin import Origin

V1 = "v1"
_AFTER_HOST = re.compile(r"/openai(/v1)?/?$")


class Azure(OpenAI):
    """`endpoint` is the resource's address, `model` the name of the deployment there. The api-version defaults to the
    newest stable one; `v1` (or an endpoint that ends in /openai/v1) takes the paths that need none."""

    kind = "azure"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._unsupported = settings.unsupported

    def _connect(self, settings: Settings, known: Vendor | None) -> tuple[Origin | None, dict[Kind, bytes], bytes]:
        if not settings.endpoint:
            raise ConfigError(
                f"Deployment {settings.name!r} has no endpoint.",
                param="endpoint",
                hint="Write the resource's address, e.g. https://NAME.openai.azure.com",
            )
        origin, path = locate(settings, settings.endpoint)
        v1 = settings.api_version in (V1, "preview", "latest") or path.endswith("/openai/v1")
        path = quote(_AFTER_HOST.sub("", path), safe="/%:@")
        query = dict(settings.query)
        if v1:
            if settings.api_version == "preview":
                query["api-version"] = "preview"
            base = f"{path}/openai/v1"
        else:
            query["api-version"] = settings.api_version or NEWEST_GA
            name = "{}" if settings.model == WILDCARD else quote(settings.model, safe="")
            base = f"{path}/openai/deployments/{name}"
        tail = f"?{urlencode(query)}" if query else ""
        targets = {kind: (base + end + tail).encode() for kind, end in PATHS.items()}
        headers = {}
        if settings.key:
            headers = {"authorization": f"Bearer {settings.key}"} if settings.bearer else {"api-key": settings.key}
        return origin, targets, block(settings, headers)

    def _target(self, call: Call, sent: str) -> bytes:
        target = self._targets[call.kind]
        return target.replace(b"{}", quote(sent, safe="").encode()) if b"{}" in target else target
