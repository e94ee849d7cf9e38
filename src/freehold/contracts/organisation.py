"""What the organisation says of itself: its business functions, the parties it deals with, what each class of data asks
of whoever gets it. Pure; refuses to know where that is written."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from freehold.contracts.terms import CLASSES, DataClass

Criticality = Literal["critical", "important", "ordinary"]


class Entity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A legal entity that can be a maker, seller, host or owner of compute."""

    name: str = ""  # what people call it; default: its id
    group: str = ""  # id of the group that it belongs to; default: itself
    lei: str = ""  # Legal Entity Identifier (ISO 17442)
    country: str = ""  # where it is registered, ISO 3166-1 alpha-2
    equity: tuple[str, ...] = ()  # ids of parties that own a part of it, or that it owns a part of


class Function(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A business function: what is done with the answers, and how long it can do without."""

    title: str = ""  # what people call it; default: its name
    criticality: Criticality = "ordinary"  # how much depends on it
    rto: Annotated[float, msgspec.Meta(ge=0, extra={"unit": "seconds"})] | None = None  # how long it may stand still
    owner: str = ""  # who answers for it
    teams: tuple[str, ...] = ()  # names of teams whose calls are for it
    keys: tuple[str, ...] = ()  # names of keys whose calls are for it
    routes: tuple[str, ...] = ()  # public model names, as globs, whose calls are for it
    impact: Literal["", "low", "medium", "high"] = ""  # of its standing still, for the DORA register


class DataRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipient has to have promised before words of a class go there. What no contract says is not promised."""

    contract: bool = False  # a contract in force is needed at all
    regions: tuple[str, ...] = ()  # where it may be processed: regions or areas; empty: anywhere
    retention_days: int | None = None  # longest that it may be kept; none: any time
    training: bool = True  # the recipient may train with it
    review: bool = True  # its people may read it


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """All of this. `areas` names sets of regions beyond those that are shipped; `default_class` is the class of a call
    that nobody classed, and the least one unless clients may class theirs `lower`."""

    parties: Mapping[str, Entity] = msgspec.field(default_factory=dict)
    functions: Mapping[str, Function] = msgspec.field(default_factory=dict)
    rules: Mapping[DataClass, DataRule] = msgspec.field(default_factory=dict)
    areas: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    default_class: DataClass = "internal"
    lower: bool = False

    def classed(self, declared: str) -> str:
        """Return the class of a call that its client declares to be of `declared` (one of CLASSES, or empty)."""
        if not declared or (not self.lower and CLASSES.index(declared) < CLASSES.index(self.default_class)):
            return self.default_class
        return declared

    def group(self, party: str) -> str:
        """Return the id of the group that a party belongs to: itself where nobody says."""
        entity = self.parties.get(party)
        return entity.group or party if entity is not None else party

    def function(self, key: str, team: str, asked: str) -> str:
        """Return which function a call is for, by the names of its key and team and the model asked for: who names the
        key goes before who names the team, and that before who names the route. Empty when none does."""
        by_team = by_route = ""
        for name, function in self.functions.items():
            if key in function.keys:
                return name
            if team and team in function.teams:
                by_team = by_team or name
            elif not by_route and any(fnmatchcase(asked, pattern) for pattern in function.routes):
                by_route = name
        return by_team or by_route
