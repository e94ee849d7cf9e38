"""A call under its guards: what they are shown before anybody is chosen, and the way of an answer back through them.
Refuses to know which guards there are and what they look for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from freehold.guards.shield import Flow, Look, Shield
from freehold.pipeline.turn import About, Receiver
from freehold.wire.client import Source


class Guarded:
    """Implements Receiver before another one: events come by each guard, in the order of `shields`, on their way."""

    def __init__(self, receiver: Receiver, look: Look, shields: Sequence[Shield]) -> None:
        self._receiver = receiver
        self._look = look
        self._shields = shields
        self._flows: list[Flow] = []

    def begin(self, about: About) -> Callable[[bytes], None]:
        send = self._receiver.begin(about)
        for shield in reversed(self._shields):
            flow = shield.stream(self._look, send)
            if flow is not None:
                self._flows.insert(0, flow)
                send = flow.feed
        return send

    def attach(self, source: Source) -> None:
        self._look.enough = source.enough
        self._receiver.attach(source)

    async def finish(self) -> None:
        """The vendor's answer is complete: let the rest of it through. Raises Blocked."""
        for flow in self._flows:
            await flow.finish()

    def close(self) -> None:
        """The attempt is over, however it ended."""
        for flow in self._flows:
            flow.close()
