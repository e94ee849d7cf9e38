"""The seam between the path of a call and its guards: what a guard is shown, and what it may do. Refuses to know which
guards there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import msgspec

from freehold.contracts.terms import DataClass
from freehold.core.call import Call
from freehold.core.errors import BadRequest, FreeholdError
from freehold.guards.policy import Plan, Policy
from freehold.ledger import Verdict
from freehold.wire.dialects.openai_texts import Text, read, repeated

LARGE = 64 * 1024
"""Bytes of a call from which it is looked at beside the loop: others are not to wait for that."""

Send = Callable[[bytes], None]
"""Takes one or more whole server-sent events."""

Ask = Callable[[Call], Awaitable[bytes]]
"""Asks a deployment by its own name, under the same contracts and on record, and returns the body of its whole answer.
Raises what a call raises."""


class Look(msgspec.Struct):
    """One call as its guards see it: made once, shared by the call's attempts.

    `data_class` may be raised by who finds something. `found` counts what is in the input, by kind; `redactions` what
    was taken out or replaced on the way to the recipient of the attempt under way; `verdicts` is what is put on record
    with each attempt. `conversation` names what pseudonyms are kept for. `kept` is each guard's own, by its name.
    `stopped` is why the answer under way ends here, and `enough` lets go of the vendor that still writes it: a guard
    that asks somebody beside a stream finds out between two events.
    """

    call: Call
    plan: Plan
    key: str
    conversation: str
    data_class: DataClass
    ask: Ask
    found: dict[str, int] = {}
    redactions: dict[str, int] = {}
    verdicts: list[Verdict] = []
    kept: dict[str, Any] = {}
    stopped: FreeholdError | None = None
    enough: Callable[[], None] | None = None
    said: list[Text] | None = None
    plain: bool = False

    def texts(self) -> list[Text]:
        """Return what is said in the call, read once for all guards."""
        if self.said is None:
            self.said, self.plain = read(self.call)
        return self.said

    def require_single_members(self, policies: Iterable[Policy]) -> None:
        """Refuse a call in which one object of the messages has a member twice, unless all who ask only look on: a
        recipient may believe the one that no guard saw. Raises BadRequest."""
        if "twice" not in self.kept:
            if self.call.size < LARGE:
                self.texts()
            self.kept["twice"] = repeated(self.call, plain=len(self.said) if self.said and self.plain else None)
        twice = self.kept["twice"]
        if twice is not None and not all(policy.dry_run for policy in policies):
            raise BadRequest(
                f"'{twice}' stands twice in one object of 'messages'.",
                code="duplicate_key",
                param="messages",
                hint="send each member once: readers differ on which of two they believe",
            )

    def note(self, verdict: Verdict) -> None:
        """Put a verdict on record, the same one once."""
        if verdict not in self.verdicts:
            self.verdicts.append(verdict)


class Recipient(Protocol):
    """Who is to get the words; a routing.Deployment is one. `engine` is not empty for a model of one's own."""

    @property
    def name(self) -> str: ...
    @property
    def maker(self) -> str: ...
    @property
    def seller(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def engine(self) -> str: ...


class Flow(Protocol):
    """A stream on its way back through a guard."""

    def feed(self, events: bytes) -> None:
        """Take whole server-sent events, but for the closing [DONE]; hand on what may go. Raises Blocked: the vendor is
        cut off and nothing more is sent but what `feed` has sent itself."""

    async def finish(self) -> None:
        """The vendor has ended: hand on the rest. Raises Blocked."""

    def close(self) -> None:
        """The attempt is over, however it ended: let go of what is under way."""


class Shield(Protocol):
    """A guard. One object serves all calls of a worker."""

    async def inspect(self, look: Look) -> None:
        """See the input, once for each call, before anybody is chosen. Raises Blocked."""

    def allows(self, look: Look, to: Recipient) -> str:
        """Return why a recipient may not get the call; "" when it may. Asked of each before one is chosen."""

    async def outgoing(self, look: Look, call: Call, to: Recipient) -> Call:
        """Return the call as this recipient may see it, for each attempt. Raises Blocked."""

    def stream(self, look: Look, send: Send) -> Flow | None:
        """Return what the events of an attempt's answer go through on their way to `send`; None: nothing to do."""

    async def whole(self, look: Look, body: bytes) -> bytes:
        """Return a whole answer as the caller may see it. Raises Blocked."""
