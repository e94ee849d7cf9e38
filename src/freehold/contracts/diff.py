"""What changed from one contract to another, and what that means for us. Knows the terms; refuses to know which of the
two is in force."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from freehold.contracts.meanings import RULES, ForUs, nothing, rate
from freehold.contracts.terms import Commitment, Contract
from freehold.contracts.wording import plain

_NAME = re.compile(r"\[[^]]*\]")
_NAMES = {"schema", "id", "version", "title", "supersedes", "source", "note"}
"""What tells one file from another, and is no term."""
_KEYS = ("id", "on", "type", "holder", "deployment", "below", "above", "over")
"""By which an item of a list is known again, the first that it has; a price also by its model, a right by its scope."""


class Change(msgspec.Struct, frozen=True):
    """One term that is not as it was: its dotted field, items of lists by their names, `commitment[macc].amount`; what
    it was and is, None where it was not there; what that means, and whether it is better or worse for us, where that
    can be said at all."""

    field: str
    was: str | None
    now: str | None
    means: str = ""
    for_us: ForUs = ""


def changes(old: Contract, new: Contract) -> list[Change]:
    """Return how `new` differs from `old`, in the order of the file. Ids, versions, notes and sources are no terms."""
    found: list[Change] = []
    for field in msgspec.structs.fields(Contract):
        if field.name not in _NAMES:
            found += _compare(getattr(old, field.name), getattr(new, field.name), field.name)
    return found


def _compare(old: Any, new: Any, where: str) -> Iterable[Change]:
    if old == new:
        return
    shape = type(new if new is not None else old)
    if issubclass(shape, msgspec.Struct):
        if type(old) is not type(new):
            yield _told(where, old, new)
            return
        found = [
            change
            for field in msgspec.structs.fields(shape)
            for change in _compare(getattr(old, field.name), getattr(new, field.name), f"{where}.{field.name}")
        ]
        yield from _by_the_day(old, new, found) if isinstance(new, Commitment) else found
    elif issubclass(shape, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _compare(old.get(key), new.get(key), f"{where}.{key}")
    elif shape is tuple and any(isinstance(item, msgspec.Struct) for item in (*old, *new)):
        before, after = _keyed(old), _keyed(new)
        for key in dict.fromkeys((*before, *after)):
            yield from _compare(before.get(key), after.get(key), f"{where}[{key}]")
    elif shape is not tuple or set(old) != set(new):
        yield _told(where, old, new)


def _by_the_day(old: Commitment, new: Commitment, found: list[Change]) -> list[Change]:
    """Return the changes of a commitment: where its days are others, its sum means something by the day alone."""
    named = {change.field.rpartition(".")[2]: change for change in found}
    if not named.keys() & {"start", "end"}:
        return found
    sums = [name for name in ("start", "end", "quantity", "amount") if name in named]
    for name in sums:
        means, for_us = rate(old, new) if name == sums[-1] else ("", "")
        named[name] = msgspec.structs.replace(named[name], means=means, for_us=for_us)
    return list(named.values())


def _keyed(items: tuple[Any, ...]) -> dict[str, Any]:
    """Return the items of a list by the names by which they are known again."""
    seen: Counter[str] = Counter()
    found = {}
    for item in items:
        name = next((plain(getattr(item, key)) for key in _KEYS if hasattr(item, key)), "")
        more = [getattr(item, key) for key in ("model", "scope") if isinstance(getattr(item, key, None), str)]
        name = " ".join((name, *more))
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} {seen[name]}"] = item
    return found


def _told(where: str, old: Any, new: Any) -> Change:
    was, now = (None if nothing(value) else plain(value) for value in (old, new))
    bare = _NAME.sub("", where)
    rule = next((rule for pattern, rule in RULES if fnmatchcase(bare, pattern)), None)
    means, for_us = rule(old, new) if rule is not None else ("", "")
    return Change(where, was, now, means, for_us)
