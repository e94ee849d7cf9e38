"""How each inbound dialect says things: errors, and what it adds to an answer. Refuses to know the pipeline."""

from __future__ import annotations

from typing import Protocol

from freehold.core.errors import FreeholdError
from freehold.wire.dialects import azure, openai
from freehold.wire.http import Headers


class Dialect(Protocol):
    """One inbound dialect, as the door needs it. `kind` arguments are the kind of the deployment that answered."""

    name: str

    def error(self, e: FreeholdError, request_id: str) -> tuple[int, Headers, bytes]: ...

    def error_event(self, e: FreeholdError) -> bytes: ...

    def reply(self, body: bytes, kind: str) -> bytes: ...

    def opening(self, kind: str, call: str, model: str) -> bytes: ...

    def passes(self, kind: str) -> bool:
        """Whether events go on as they are."""
        ...

    def events(self, events: bytes, kind: str) -> bytes: ...


class OpenAI:
    """Answers pass as they are."""

    name = "openai"
    error = staticmethod(openai.error)
    error_event = staticmethod(openai.error_event)

    def reply(self, body: bytes, kind: str) -> bytes:
        return body

    def opening(self, kind: str, call: str, model: str) -> bytes:
        return b""

    def passes(self, kind: str) -> bool:
        return True

    def events(self, events: bytes, kind: str) -> bytes:
        return events


class Azure:
    """Answers that did not come from Azure gain the filter fields that its clients read; they claim nothing."""

    name = "azure"
    error = staticmethod(azure.error)
    error_event = staticmethod(azure.error_event)

    def reply(self, body: bytes, kind: str) -> bytes:
        return body if kind == "azure" else azure.annotate_reply(body)

    def opening(self, kind: str, call: str, model: str) -> bytes:
        return b"" if kind == "azure" else azure.opening_event(call, model)

    def passes(self, kind: str) -> bool:
        return kind == "azure"

    def events(self, events: bytes, kind: str) -> bytes:
        return events if kind == "azure" else azure.annotate_events(events)


OPENAI = OpenAI()
AZURE = Azure()
