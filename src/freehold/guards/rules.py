"""Moderation by word lists: what is blatant, with no model asked. Knows which lists there are; refuses to understand
anything: a list catches what nobody tried to hide, and nothing that takes a second thought."""

from __future__ import annotations

from freehold.guards import lists
from freehold.guards.taxonomy import Concern, worst

_ATTACK = "injection"


def find(text: str) -> list[Concern]:
    """Return what the rules find in `text`, the worst of each category, but for signs of an attack on a model."""
    found = lists.shipped().find(text)
    return split(found)[0] if found else []


def split(found: list[Concern]) -> tuple[list[Concern], list[Concern]]:
    """Return what must not be said, the worst of each category, and the signs of an attack, from one look at a text."""
    said = worst(concern for concern in found if concern.category != _ATTACK)
    return said, [concern for concern in found if concern.category == _ATTACK]
