"""What the console's API says of guards, as types. Refuses to know where any of it comes from. Times in milliseconds
since the epoch."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from freehold.console.ledger_api import VerdictRow
from freehold.console.shapes import CatchingUp, Failure, Named
from freehold.guards.policy import Policy
from freehold.guards.trial import Attack, Found
from freehold.ledger import Verdict

Span = Literal["24h", "7d", "30d", "90d"]
Part = Literal["privacy", "moderation", "injection", "data_class", "prefer"]


class HeldPolicy(Struct, kw_only=True):
    """A policy in force. `parts` are those that do something; `whom` and `does` say it in words."""

    policy: Policy
    parts: list[Part]
    whom: str
    does: list[str]


class CategoryNames(Struct, kw_only=True):
    """One of our categories and what others call the nearest of theirs; empty where they have none."""

    name: str
    means: str
    parent: str
    openai: str
    azure: str
    mlcommons: str


class Guards(Struct, kw_only=True):
    """`moderators`: deployments that policies ask."""

    policies: list[HeldPolicy]
    categories: list[CategoryNames]
    languages: list[str]
    moderators: list[str]


class Counted(Struct, kw_only=True):
    """Verdicts with one thing in common: how many, how many of them stopped something, and how many would have but for
    a policy that only looks on. `decider`: rules, injection, deployment, privacy, contract or vendor."""

    name: str
    decider: str = ""
    times: int = 0
    stopped: int = 0
    dry: int = 0
    last_at: int = 0


class DecidedBucket(Struct, kw_only=True):
    """Verdicts of a stretch by who decided; `stopped` of all, `would` of policies that only look on."""

    at: int
    by: dict[str, int]
    stopped: int = 0
    would: int = 0


class DecidedFor(Struct, kw_only=True):
    """What was decided in a span, and by whom. While entries are `catching_up` figures are partial."""

    span: str
    since: int
    until: int
    step: int
    times: int
    stopped: int
    would: int
    series: list[DecidedBucket]
    by: list[Counted]
    categories: list[Counted]
    policies: list[Counted]
    catching_up: CatchingUp | None


class StoppedCall(Struct, kw_only=True):
    """A call in which something was stopped, or would have been. `call` opens it on the ledger."""

    seq: int
    call: str
    at: int
    key: Named | None
    asked: str
    deployment: str
    verdicts: list[VerdictRow]


class StoppedCalls(Struct, frozen=True):
    calls: list[StoppedCall]
    next: int | None


class Asked(Struct, kw_only=True):
    """What a moderator said: `call` is the question on the ledger."""

    deployment: str
    form: str
    findings: list[Found]
    call: str = ""
    error: Failure | None = None


class Tried(Struct, kw_only=True):
    """What the guards say of a text. `asked` is empty unless somebody was to be asked."""

    rules: list[Found]
    attack: Attack
    personal: dict[str, int]
    verdicts: list[VerdictRow]
    stopped: bool
    asked: list[Asked]


def row(verdict: Verdict) -> VerdictRow:
    """Return a verdict with its members by name."""
    return VerdictRow(**{name: getattr(verdict, name) for name in VerdictRow.__struct_fields__})
