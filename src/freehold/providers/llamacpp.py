"""Our own engine child as a vendor: OpenAI's dialect over a private socket, only the members that it honours.

Which members those are is what `freehold.engines` accepts; a test holds the two lists together.
"""

from __future__ import annotations

from collections.abc import Mapping

from freehold.core.call import Call, Kind
from freehold.core.errors import UpstreamError
from freehold.providers.base import PATHS, Loss, Outgoing, Settings, ask_usage, block, lost, refuse_loss
from freehold.providers.refusals import explain
from freehold.wire.dialects.openai import encode

_SAMPLING = frozenset(
    {
        "model",
        "n",
        "stream",
        "stream_options",
        "stop",
        "seed",
        "logit_bias",
        "max_tokens",
        "user",
        "metadata",
        "top_k",
        "temperature",
        "top_p",
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repeat_penalty",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
    }
)
_CHAT = frozenset(
    {
        "messages",
        "max_completion_tokens",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "logprobs",
        "top_logprobs",
        "modalities",
        "service_tier",
        "store",
        "reasoning_effort",
        "chat_template_kwargs",
    }
)
HONOURED: dict[Kind, frozenset[str]] = {
    "chat": _SAMPLING | _CHAT,
    "completion": _SAMPLING | {"prompt", "suffix", "echo", "best_of", "logprobs"},
    "embedding": frozenset({"model", "input", "encoding_format", "dimensions", "user"}),
}
"""Members of a request that the engine gives effect to, or that change nothing one could observe."""


class LlamaCpp:
    """`model` names the model to the engines, who tell the pipeline where its child listens."""

    kind = "llamacpp"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._headers = block(settings, {})
        self._targets = {kind: f"/v1{path}".encode() for kind, path in PATHS.items()}

    def __repr__(self) -> str:
        return f"LlamaCpp({self.settings.name!r})"

    def request(self, call: Call, on_loss: Loss | None = None) -> Outgoing:
        fields = call.fields
        settings = self.settings
        replace: dict[str, object] = {"model": settings.model}
        honoured = HONOURED.get(call.kind, frozenset())
        gone: list[str] = []
        if settings.unsupported or not honoured.issuperset(fields):
            missing = [name for name in fields if name not in honoured or name in settings.unsupported]
            replace |= dict.fromkeys(missing, ...)
            gone = lost(fields, missing)
            if gone and (on_loss or settings.on_loss) == "strict":
                raise refuse_loss(gone, settings.name)
        asks = call.stream and not call.include_usage
        if asks:
            replace["stream_options"] = ask_usage(fields.get("stream_options"))
        return Outgoing(
            None,
            self._targets[call.kind],
            self._headers,
            encode(fields, **replace),
            settings.model,
            tuple(gone),
            asks,
        )

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamError:
        return explain(self.settings.name, status, headers, body, b"")
