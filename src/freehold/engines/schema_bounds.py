"""How large a schema may be, and how much one weighs. Knows the numbers; refuses to know what the keywords mean.

OpenAI documents 5,000 properties, 10 levels of objects, 1,000 enum values, and 15,000 characters in an enum of more
than 250; ours are the same or tighter, so that a grammar is ready within a second while other calls go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

PROPERTIES = 2_000  # over the whole schema
OPTIONAL = 400  # in one object; the engine gives up at 500 ways on
ENUM_VALUES = 1_000  # over the whole schema
LARGE_ENUM, LARGE_ENUM_CHARACTERS = 250, 15_000  # an enum of more values may hold so many characters
CHARACTERS = 120_000  # of names of properties and definitions, and of enum and const values
STRICT_LEVELS = 10  # of objects within objects, when the schema is strict
COUNT = 10_000  # minLength, minItems, minProperties; all bounds on items together
UNREACHABLE = 100_000  # a longest length beyond what any reply can have: as good as none
OPTIONS = 1_000  # alternatives over the whole schema: anyOf, oneOf, types
_CALM = 64  # a schema with more ways on at one place is not for the simple grammar

_NAMED = ("properties", "$defs", "definitions", "patternProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")


class Weight(msgspec.Struct):
    """What a schema, or all of a request, amounts to."""

    properties: int = 0
    values: int = 0  # of enums
    characters: int = 0
    options: int = 0
    items: int = 0  # bounds on the number of items, added up
    calm: bool = True  # nothing in it can make the simple grammar slow

    def add(self, other: Weight) -> None:
        self.properties += other.properties
        self.values += other.values
        self.characters += other.characters
        self.options += other.options
        self.items += other.items
        self.calm = self.calm and other.calm

    def excess(self, times: int = 1) -> str:
        """What is too much, in words; "" when nothing is. `times`: how often the bounds of one schema are granted."""
        for count, most, what in (
            (self.values, ENUM_VALUES, "enum values"),
            (self.properties, PROPERTIES, "properties"),
            (self.characters, CHARACTERS, "characters in names and values"),
            (self.options, OPTIONS, "alternatives"),
            (self.items, COUNT, "items in the bounds of its arrays, added up"),
        ):
            if count > most * times:
                return f"there are {count:,} {what}; at most {most * times:,} are taken"
        return ""


def weigh(path: str, part: dict[str, Any], weight: Weight) -> tuple[str, str]:
    """Add one part of a schema (not what is nested in it) to `weight`; return (path, why) of what is too much there."""
    for name in _NAMED:
        inner = part.get(name)
        if isinstance(inner, dict):
            weight.characters += sum(map(len, inner))
            weight.properties += len(inner) if name in ("properties", "patternProperties") else 0
    for name in _LISTED:
        inner = part.get(name)
        if isinstance(inner, list):
            weight.options += len(inner)
            weight.calm = weight.calm and len(inner) <= _CALM
    required, properties = part.get("required"), part.get("properties")
    if isinstance(properties, dict):
        optional = len(properties) - (len(required) if isinstance(required, list) else 0)
        weight.calm = weight.calm and optional <= _CALM
        if optional > OPTIONAL and len(properties) <= PROPERTIES:
            return f"{path}/properties", f"{optional:,} of them are not required; at most {OPTIONAL} are taken"
    if "pattern" in part or "$ref" in part or "patternProperties" in part:
        weight.calm = False  # both can grow without end in the simple grammar
    return _weigh_values(path, part, weight) or _weigh_counts(path, part, weight) or ("", "")


def _weigh_values(path: str, part: dict[str, Any], weight: Weight) -> tuple[str, str] | None:
    values = part.get("enum")
    if "const" in part:
        weight.characters += _characters(part["const"])
    if not isinstance(values, list):
        return None
    if not values:
        return f"{path}/enum", "it is empty, so nothing could be said"
    characters = sum(map(_characters, values))
    weight.characters += characters
    weight.values += len(values)
    weight.calm = weight.calm and len(values) <= _CALM
    if len(values) > LARGE_ENUM and characters > LARGE_ENUM_CHARACTERS:
        return f"{path}/enum", (
            f"its {len(values):,} values hold {characters:,} characters; "
            f"with more than {LARGE_ENUM} values at most {LARGE_ENUM_CHARACTERS:,} are taken"
        )
    return None


def _weigh_counts(path: str, part: dict[str, Any], weight: Weight) -> tuple[str, str] | None:
    for what in ("Length", "Items", "Properties"):
        least, most = part.get(f"min{what}"), part.get(f"max{what}")
        for name, value in ((f"min{what}", least), (f"max{what}", most)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                return f"{path}/{name}", "it must be a whole number, 0 or more"
        if least is not None and least > COUNT:
            return f"{path}/min{what}", f"{least:,} is more than a reply can hold; at most {COUNT:,} are taken"
        if least is not None and most is not None and least > most:
            return f"{path}/min{what}", f"{least:,} is more than max{what}, {most:,}"
        bounds = [n for n in (least, most) if n is not None and n < UNREACHABLE]
        if what == "Items":
            weight.items += sum(bounds)
        weight.calm = weight.calm and max(bounds, default=0) <= _CALM
    return None


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value))


def loops(root: dict[str, Any], parts: Iterator[tuple[str, dict[str, Any]]], resolve: Any) -> str:
    """The path of a reference that leads back to itself with nothing in between, so that no value could end it."""
    for path, part in parts:
        seen: list[int] = []
        at: Any = part
        while isinstance(at, dict) and "$ref" in at:
            if id(at) in seen:
                return f"{path}/$ref"
            seen.append(id(at))
            at = resolve(root, at["$ref"])
    return ""
