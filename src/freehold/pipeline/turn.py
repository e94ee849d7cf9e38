"""What passes between the pipeline and whoever called it: the door or an assistant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from freehold.guards.shield import Look
from freehold.ledger import Entry
from freehold.wire.client import Source


class About(msgspec.Struct):
    """What is said beside an answer. `cost` is in nano-units of `currency`, None while it is not known or not priced;
    `overhead` is the house's own time in seconds. `outcome` is the ledger's entry of the attempt, once it is known:
    also of one that failed or was left, for whoever got this from `Receiver.begin`. `look` is what guards see of the
    call, where policies hold."""

    call: str
    deployment: str
    kind: str = ""
    dropped: tuple[str, ...] = ()
    cost: int | None = None
    currency: str = ""
    overhead: float = 0.0
    outcome: Entry | None = None
    look: Look | None = None


class Reply(msgspec.Struct):
    """A whole answer, or the closing event of a streamed one."""

    body: bytes
    about: About


class Receiver(Protocol):
    """Takes a streamed answer as it comes. Nothing is called on it for an answer that is not streamed."""

    def begin(self, about: About) -> Callable[[bytes], None]:
        """The first event is at hand; from here on no other deployment will be tried.

        Returns what takes the events: called with one or more whole server-sent events, ready to be passed on."""

    def attach(self, source: Source) -> None:
        """The source to pause while the receiver cannot take more."""
