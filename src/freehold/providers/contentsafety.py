"""Azure AI Content Safety as a vendor: it judges words and writes none. Knows `text:analyze`; refuses every other call.

Source, read 2026-11: Microsoft's REST reference of `Text Operations - Analyze Text`, api-version 2024-09-01: the key in
`Ocp-Apim-Subscription-Key` (or a bearer token of Microsoft Entra), at most 10,000 characters in `text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw

from freehold.core.call import Call
from freehold.core.errors import ConfigError, Unsupported, UpstreamError
from freehold.providers.base import Loss, Outgoing, Settings, block, locate
from freehold.providers.refusals import explain

VERSION = "2024-09-01"
_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str)
_CATEGORIES = Raw(b'["Hate","SelfHarm","Sexual","Violence"]')


class ContentSafety:
    """`endpoint` is the resource's address; `model` is only a name, the service has none."""

    kind = "contentsafety"

    def __init__(self, settings: Settings) -> None:
        if not settings.endpoint:
            raise ConfigError(
                f"Deployment {settings.name!r} has no endpoint.",
                param="endpoint",
                hint="Write the resource's address, e.g. https://NAME.cognitiveservices.azure.com",
            )
        self.settings = settings
        self._secret = (settings.key or "").encode()
        self._origin, path = locate(settings, settings.endpoint)
        query = urlencode({"api-version": settings.api_version or VERSION, **settings.query})
        self._target = f"{quote(path, safe='/%:@')}/contentsafety/text:analyze?{query}".encode()
        headers = {}
        if settings.key:
            bearer = {"authorization": f"Bearer {settings.key}"}
            headers = bearer if settings.bearer else {"ocp-apim-subscription-key": settings.key}
        self._headers = block(settings, headers)

    def __repr__(self) -> str:
        return f"ContentSafety({self.settings.name!r})"

    def request(self, call: Call, on_loss: Loss | None = None) -> Outgoing:
        if call.kind != "moderation":
            raise Unsupported(
                f"`{self.settings.name}` judges words and answers nothing.",
                param="model",
                hint="name it as the `deployment` of a policy's moderation, and ask another model",
            )
        text = _text.decode(call.fields["input"])
        body = _encode({"text": text, "categories": _CATEGORIES, "outputType": "FourSeverityLevels"})
        return Outgoing(self._origin, self._target, self._headers, body, self.settings.model)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamError:
        return explain(self.settings.name, status, headers, body, self._secret)
