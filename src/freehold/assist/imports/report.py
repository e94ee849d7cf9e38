"""What came of an import, conversation by conversation. Refuses to know how it came about."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

Outcome = Literal["imported", "updated", "unchanged", "skipped", "failed"]
ITEMS = 1000
"""So many conversations are told one by one; those that did not come over whole go before the others."""


class Item(msgspec.Struct):
    """One conversation. `why` explains what was skipped or failed; `id` is the conversation's here, if it is here."""

    id: str | None
    title: str
    outcome: Outcome
    messages: int = 0
    branches: int = 0
    kept: list[str] = []
    lost: list[str] = []


class Report(msgspec.Struct):
    """The whole of it; `items_total` counts all conversations."""

    conversations: dict[Outcome, int]
    items: list[Item]
    items_total: int = 0


class Keeper:
    """Collects a report that does not grow beyond its bound."""

    def __init__(self) -> None:
        self._counts: Counter[Outcome] = Counter()
        self._telling: list[Item] = []
        self._plain: list[Item] = []

    def add(self, item: Item) -> None:
        self._counts[item.outcome] += 1
        telling = bool(item.lost) or item.outcome in ("skipped", "failed")
        held = self._telling if telling else self._plain
        if len(held) < ITEMS:
            held.append(item)

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    def report(self) -> Report:
        """Return what there is by now."""
        names: tuple[Outcome, ...] = ("imported", "updated", "unchanged", "skipped", "failed")
        items = (self._telling + self._plain)[:ITEMS]
        return Report({name: self._counts[name] for name in names}, items, self.count)


def counted(things: Counter[str]) -> list[str]:
    """Return counts in words, e.g. "3 images"; of one: "1 image"."""
    return [f"{count} {_one(name) if count == 1 else name}" for name, count in things.items() if count > 0]


def _one(name: str) -> str:
    """Return the name of many things for one of them: the first word in the plural loses its ending."""
    words = name.split(" ")
    for at, word in enumerate(words):
        if word.endswith("s") and not word.endswith("ss"):
            words[at] = word.removesuffix("es") if word == "canvases" else word[:-1]
            break
    return " ".join(words).replace(" that were ", " that was ")
