"""What a meter promises, what a reservation is, and how a refusal is said. Refuses to know where the counts are
kept."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from freehold.access.limits import Limit
from freehold.core.errors import OverBudget, OverLimit


class Reservation(msgspec.Struct, eq=False, gc=False):
    """Room that was set aside for one call. Made by a meter, handed back to it once; its insides are the meter's."""

    limits: tuple[Limit, ...]
    requests: int
    tokens: int
    money: int
    expires: float = 0.0
    held: bool = True
    settled: bool = False
    second: int = 0
    plan: Any = None
    marks: tuple[int, ...] = ()
    id: str = ""


class Standing(msgspec.Struct, frozen=True):
    """How far a limit is used: `used` is settled, `reserved` is set aside for calls under way, both in the limit's own
    unit; `resets_in` is the seconds until its calendar window ends, None where it slides or never ends."""

    limit: Limit
    used: int
    reserved: int
    resets_in: float | None = None


class Meter(Protocol):
    """Holds limits exactly, however many calls run at once: a call reserves its upper bound, and settles what it
    took."""

    async def reserve(self, limits: tuple[Limit, ...], requests: int, tokens: int, money: int) -> Reservation:
        """Set room aside under every one of `limits`, or under none of them.

        `money` is in nano-units. Raises OverLimit or OverBudget, which name the limit in the way.
        """

    def settle(self, reservation: Reservation, tokens: int, money: int, requests: int | None = None) -> None:
        """Replace what was reserved by what was taken. A call that was never sent gives all back: settle(r, 0, 0, 0).

        Counts in full even where it is more than was reserved; the next call is refused then. A second settling of one
        reservation changes nothing.
        """


def wanted(limit: Limit, requests: int, tokens: int, money: int) -> int:
    """Return the one of the three that `limit` counts."""
    return money if limit.measure == "money" else tokens if limit.measure == "tokens" else requests


def refusal(standing: Standing, want: int, retry_after: float | None) -> OverLimit | OverBudget:
    """Return the error that says which limit stands in the way of `want` more, in people's terms.

    `retry_after` is in seconds; None when waiting does not help.
    """
    limit = standing.limit
    window = "in total" if limit.window == "total" else f"a {limit.window}"
    unit = "" if limit.measure == "money" else f" {limit.measure}"
    whose = limit.subject.partition(":")[0]
    message = (
        f"the {whose}'s limit of {limit.say(limit.amount)}{unit} {window} is reached: {limit.say(standing.used)} used"
    )
    if standing.reserved:
        message += f", {limit.say(standing.reserved)} reserved by calls under way"
    message += f", this call may take {limit.say(want)}" if limit.measure != "requests" else ""
    if want > limit.amount:
        return _never(limit, want, message)
    if retry_after is None:
        hint = f"ask whoever gave out the key to raise the {whose}'s {limit.describe()}"
    else:
        hint = f"try again in {_span(retry_after)}, or ask for a higher limit"
    if limit.measure == "money":
        return OverBudget(message, hint=hint, retry_after=retry_after, retryable=retry_after is not None)
    return OverLimit(message, hint=hint, retry_after=retry_after, retryable=retry_after is not None)


def _never(limit: Limit, want: int, message: str) -> OverLimit | OverBudget:
    """A call whose bound is above the whole amount: no waiting helps, a smaller call does."""
    hint = "send less, or set a lower max_tokens: this call alone may take more than the whole limit"
    if limit.measure == "requests":
        hint = f"this limit allows no requests at all; ask for a higher one than {limit.describe()}"
    kind = OverBudget if limit.measure == "money" else OverLimit
    return kind(message, hint=hint, retryable=False)


def _span(seconds: float) -> str:
    """Seconds for people, rounded up: "12 s", "3 min", "5 h", "2 days"."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{-int(-seconds // size)} {unit}"
    return f"{max(1, -int(-seconds // 1))} s"
