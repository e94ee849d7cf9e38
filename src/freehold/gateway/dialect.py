"""How each inbound dialect says things: errors, and what it adds to an answer. Refuses to know how it came about."""

from __future__ import annotations

from typing import Protocol

from freehold.core.errors import FreeholdError
from freehold.guards.judging import filter_results
from freehold.guards.moderation import looks
from freehold.guards.taxonomy import Side
from freehold.pipeline import About
from freehold.wire.dialects import azure, openai
from freehold.wire.http import Headers


class Dialect(Protocol):
    """One inbound dialect, as the door needs it. `about` says who answered, and what guards see of the call."""

    name: str

    def error(self, e: FreeholdError, request_id: str) -> tuple[int, Headers, bytes]: ...

    def error_event(self, e: FreeholdError) -> bytes: ...

    def reply(self, body: bytes, about: About) -> bytes: ...

    def opening(self, about: About, model: str) -> bytes: ...

    def passes(self, about: About) -> bool:
        """Whether events go on as they are."""
        ...

    def events(self, events: bytes, about: About) -> bytes: ...


class OpenAI:
    """Answers pass as they are."""

    name = "openai"
    error = staticmethod(openai.error)
    error_event = staticmethod(openai.error_event)

    def reply(self, body: bytes, about: About) -> bytes:
        return body

    def opening(self, about: About, model: str) -> bytes:
        return b""

    def passes(self, about: About) -> bool:
        return True

    def events(self, events: bytes, about: About) -> bytes:
        return events


class Azure:
    """Answers gain the filter fields that Azure's clients read, where they have none: what our own guards found, and
    nothing where nobody has looked."""

    name = "azure"
    error = staticmethod(azure.error)
    error_event = staticmethod(azure.error_event)

    def reply(self, body: bytes, about: About) -> bytes:
        prompt, answer = _found(about, "input"), _found(about, "output")
        if about.kind == "azure" and prompt is None and answer is None:
            return body
        return azure.annotate_reply(body, prompt, answer)

    def opening(self, about: About, model: str) -> bytes:
        return b"" if about.kind == "azure" else azure.opening_event(about.call, model, _found(about, "input"))

    def passes(self, about: About) -> bool:
        return about.kind == "azure" and _found(about, "output") is None

    def events(self, events: bytes, about: About) -> bytes:
        return azure.annotate_events(events, _found(about, "output"))


def _found(about: About, side: Side) -> dict[str, object] | None:
    """Return what our own guards found so far on one side; None where none of them looks."""
    look = about.look
    return filter_results(look.verdicts, side) if look is not None and looks(look, side) else None


OPENAI = OpenAI()
AZURE = Azure()
