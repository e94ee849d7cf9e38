"""Vendors that speak OpenAI's dialect. Knows in which ways they differ; the table of vendors says who differs how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Raw

from freehold.core.call import Call, Kind
from freehold.core.errors import ConfigError, UpstreamError
from freehold.providers.base import (
    PATHS,
    WILDCARD,
    Loss,
    Outgoing,
    Settings,
    ask_usage,
    block,
    locate,
    lost,
    refuse_loss,
    sent_model,
)
from freehold.providers.refusals import explain
from freehold.providers.vendors import Vendor, vendor
from freehold.wire.dialects.openai import encode
from freehold.wire.origin import Origin

DEFAULT = "openai"


class OpenAI:
    """See `Provider`."""

    kind = "openai"

    def __init__(self, settings: Settings) -> None:
        known = vendor(settings.endpoint or (settings.kind if settings.kind != self.kind else DEFAULT))
        self.settings = settings
        self._secret = (settings.key or "").encode()
        self._origin, self._targets, self._headers = self._connect(settings, known)
        self._unsupported = settings.unsupported | (known.unsupported if known else frozenset())
        self._usage = settings.stream_usage or (known.stream_usage if known else "ask")
        self._bound = settings.max_tokens or (known.max_tokens if known else None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.name!r})"

    def _connect(self, settings: Settings, known: Vendor | None) -> tuple[Origin | None, dict[Kind, bytes], bytes]:
        """Return where requests go, their targets by kind of call, and their header lines."""
        endpoint = known.base_url if known else settings.endpoint
        if not endpoint:
            raise ConfigError(
                f"Deployment {settings.name!r} has no endpoint.",
                param="endpoint",
                hint="Write its base URL, /v1 included.",
            )
        if "{" in endpoint:
            raise ConfigError(
                f"Deployment {settings.name!r}: the address of {known.name if known else endpoint} differs by account.",
                param="endpoint",
                hint=f"Write it as endpoint, after the form {endpoint}",
            )
        origin, path = locate(settings, endpoint)
        query = f"?{urlencode(settings.query)}" if settings.query else ""
        targets = {kind: (quote(path, safe="/%:@") + tail + query).encode() for kind, tail in PATHS.items()}
        headers = dict(known.headers) if known else {}
        if settings.key:
            header, prefix = (known.auth_header, known.auth_prefix) if known else ("authorization", "Bearer ")
            headers[header] = prefix + settings.key
        if settings.organization:
            headers["openai-organization"] = settings.organization
        if settings.project:
            headers["openai-project"] = settings.project
        return origin, targets, block(settings, headers)

    def request(self, call: Call, on_loss: Loss | None = None) -> Outgoing:
        fields = call.fields
        model = self.settings.model
        sent = model if model != WILDCARD else sent_model(model, call.asked)
        replace: dict[str, Any] = {"model": sent}
        gone: list[str] = []
        if not self._unsupported.isdisjoint(fields) or (self._usage == "never" and call.include_usage):
            gone = self._leave_out(call, replace)
            if gone and (on_loss or self.settings.on_loss) == "strict":
                raise refuse_loss(gone, self.settings.name)
        if self._bound is not None and call.kind == "chat":  # legacy completions know max_tokens alone
            self._rename_bound(fields, replace)
        asks = call.stream and self._usage == "ask" and not call.include_usage
        if asks:
            replace["stream_options"] = ask_usage(fields.get("stream_options"))
        elif self._usage != "ask" and "stream_options" in fields:
            replace["stream_options"] = ...
        return Outgoing(
            self._origin,
            self._target(call, sent),
            self._headers,
            encode(fields, **replace),
            sent,
            tuple(gone),
            call.stream and not call.include_usage,
        )

    def _target(self, call: Call, sent: str) -> bytes:
        return self._targets[call.kind]

    def _leave_out(self, call: Call, replace: dict[str, Any]) -> list[str]:
        """Mark for removal what the vendor does not take; return what is thereby lost."""
        names = [name for name in call.fields if name in self._unsupported]
        replace |= dict.fromkeys(names, ...)
        gone = lost(call.fields, names)
        # A stream that always states its usage needs no asking; one that never does loses what was asked for.
        if self._usage == "never" and call.include_usage and "stream_options" not in gone:
            gone.append("stream_options")
        return gone

    def _rename_bound(self, fields: Mapping[str, Raw], replace: dict[str, Any]) -> None:
        """Give the bound on output the one name that the vendor knows."""
        other = "max_tokens" if self._bound == "max_completion_tokens" else "max_completion_tokens"
        if other in fields and replace.get(other) is not ...:
            replace[other] = ...
            replace[str(self._bound)] = fields[other]

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamError:
        return explain(self.settings.name, status, headers, body, self._secret)
