"""What the organisation lets pass: policies, whom each holds for, and all that hold for one call together. Refuses to
look into words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import msgspec

from freehold.contracts.terms import CLASSES, DataClass

Action = Literal["pass", "pseudonymise", "redact", "own", "refuse"]
ACTIONS: tuple[Action, ...] = ("pass", "pseudonymise", "redact", "own", "refuse")
"""What is done about a finding on its way to a recipient, from the mildest to the strictest."""

Severity = Annotated[int, msgspec.Meta(ge=0, le=6)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Privacy(_Table, frozen=True, kw_only=True):
    """What recipients get to see of personal data and secrets: pass, pseudonymise, redact, own (only a model of one's
    own may take it) or refuse."""

    outside: Action = "pass"  # for every recipient that is not one's own
    own: Action = "pass"  # for models on one's own machines
    recipients: dict[str, Action] = {}  # instead, by the id of a maker, seller or host: the strictest of them holds
    kinds: tuple[str, ...] = ()  # kinds of finding that are looked for; empty: all
    by_kind: dict[str, Action] = {}  # instead, for a kind of finding, e.g. { SECRET = "refuse" }
    names: bool = False  # names and places too: asks the worker of the `names` extra
    media: Literal["pass", "own", "refuse"] = "pass"  # images, sound and files, which nobody looks into


class Moderation(_Table, frozen=True, kw_only=True):
    """What may be said, to a model and by it."""

    input: bool = True  # look at what is asked
    output: bool = True  # look at what is answered
    rules: bool = True  # by word lists and patterns, inline
    block: dict[str, Severity] = {}  # category, or "*" -> severity that stops words: 2 low, 4 medium, 6 high
    note: dict[str, Severity] = {}  # the same, for what is put on record alone; default: from 2
    deployment: str = ""  # deployment that is asked as well
    form: Literal["llama_guard", "openai", "azure", "json"] = "json"  # how it is asked
    window: Annotated[int, msgspec.Meta(ge=50, le=20_000)] = 600  # characters of an answer that are looked at together
    delay: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 200  # characters of an answer that are held back at most
    when_down: Literal["pass", "block"] = "pass"  # when the deployment does not answer


class Injection(_Table, frozen=True, kw_only=True):
    """What is done about instructions that come in with tools' results and documents."""

    action: Literal["off", "note", "block"] = "off"  # nobody looks, it is put on record, or the call is refused
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5  # score from which text is taken for an attack


class Policy(_Table, frozen=True, kw_only=True):
    """Rules and whom they hold for. What is left empty does not narrow it down."""

    name: str = ""  # as the configuration calls it; set there
    teams: tuple[str, ...] = ()  # names of teams
    keys: tuple[str, ...] = ()  # names of keys
    routes: tuple[str, ...] = ()  # public model names, as globs
    functions: tuple[str, ...] = ()  # business functions
    classes: tuple[DataClass, ...] = ()  # classes of data, as declared
    dry_run: bool = False  # records what it would do, and does nothing
    data_class: DataClass | None = None  # calls are at least of this class
    prefer: Literal["weights", "commitments"] = "weights"  # commitments: use that is owed anyway goes first
    privacy: Privacy = Privacy()  # personal data and secrets
    moderation: Moderation | None = None  # what may be said
    injection: Injection = Injection()  # instructions from tools and documents

    def holds(self, key: str, team: str, asked: str, function: str, classes: Collection[str]) -> bool:
        """Return whether it holds for such a call; key and team by name, `classes` all that the call was taken for."""
        return (
            (not self.teams or team in self.teams)
            and (not self.keys or key in self.keys)
            and (not self.functions or function in self.functions)
            and (not self.classes or not set(self.classes).isdisjoint(classes))
            and (not self.routes or any(fnmatchcase(asked, pattern) for pattern in self.routes))
        )


class Plan(msgspec.Struct, frozen=True):
    """All policies that hold for one call, in the order of the file. `enforced` are those that act, `dry` those that
    only look on. `kept` is what a guard has made of them, by its name: a plan serves many calls."""

    policies: tuple[Policy, ...]
    names: tuple[str, ...] = ()
    enforced: tuple[Policy, ...] = ()
    dry: tuple[Policy, ...] = ()
    data_class: DataClass | None = None
    burn: bool = False
    looks: bool = False
    kept: dict[str, Any] = {}

    @classmethod
    def of(cls, policies: Iterable[Policy]) -> Plan:
        """Put policies together."""
        held = tuple(policies)
        enforced = tuple(policy for policy in held if not policy.dry_run)
        classes = [policy.data_class for policy in enforced if policy.data_class is not None]
        return cls(
            policies=held,
            names=tuple(policy.name for policy in held),
            enforced=enforced,
            dry=tuple(policy for policy in held if policy.dry_run),
            data_class=max(classes, key=CLASSES.index, default=None),
            burn=any(policy.prefer == "commitments" for policy in enforced),
            looks=any(map(_looks, held)),
        )


def _looks(policy: Policy) -> bool:
    """Whether words have to be looked at for this policy."""
    privacy = policy.privacy
    acts = {privacy.outside, privacy.own, privacy.media, *privacy.recipients.values(), *privacy.by_kind.values()}
    return acts != {"pass"} or policy.moderation is not None or policy.injection.action != "off"


_KEPT, _LONGEST = 1024, 256
"""Plans that are kept, and characters of the longest name that one is kept for."""


class Policies:
    """The policies in force. Never changed once built."""

    def __init__(self, policies: Mapping[str, Policy] | None = None) -> None:
        self.all = tuple(msgspec.structs.replace(policy, name=name) for name, policy in (policies or {}).items())
        self._plans: dict[tuple[str, str, str, str, tuple[str, ...]], Plan | None] = {}

    def plan(self, key: str, team: str, asked: str, function: str, *classes: str) -> Plan | None:
        """Return what holds for such a call, None where nothing does; key and team by name. `classes` are those that it
        was taken for, one after the other: what held for a lower one goes on to hold."""
        if not self.all:
            return None
        case = (key, team, asked, function, classes)
        if len(asked) > _LONGEST:  # nobody's route: who asks for such names is not to fill the memory with them
            held = [policy for policy in self.all if policy.holds(*case)]
            return Plan.of(held) if held else None
        if case not in self._plans:
            if len(self._plans) >= _KEPT:
                self._plans.clear()
            held = [policy for policy in self.all if policy.holds(*case)]
            self._plans[case] = Plan.of(held) if held else None
        return self._plans[case]


def strictest(actions: Iterable[Action]) -> Action:
    """Return the strictest of these; "pass" of none."""
    return max(actions, key=ACTIONS.index, default="pass")


def class_above(one: DataClass, other: DataClass) -> DataClass:
    """Return the more protected of two classes."""
    return one if CLASSES.index(one) >= CLASSES.index(other) else other
