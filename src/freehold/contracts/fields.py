"""The fields of a contract by dotted name: which are stated, which there are, where they came from. Refuses to know
what one means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from freehold.contracts.terms import Contract


def usual(field: msgspec.structs.FieldInfo) -> Any:
    """Return the value of a field that nobody states; NODEFAULT for one that must be stated."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def stated(table: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each field that says something else than its default, with its value: of tables within tables the fields,
    of lists of tables those of each item, "commitment.0.amount"."""
    if isinstance(table, msgspec.Struct):
        for field in msgspec.structs.fields(type(table)):
            value = getattr(table, field.name)
            if value != usual(field):
                yield from stated(value, f"{where}.{field.name}" if where else field.name)
    elif isinstance(table, tuple) and table and isinstance(table[0], msgspec.Struct):
        for index, item in enumerate(table):
            yield from stated(item, f"{where}.{index}")
    else:
        yield where, table


def exists(table: Any, dotted: str) -> bool:
    """Return whether a dotted name leads to a field, or to an item of a list or table that is there."""
    for part in dotted.split("."):
        if isinstance(table, msgspec.Struct):
            if part not in table.__struct_fields__:
                return False
            table = getattr(table, part)
        elif isinstance(table, tuple):
            if not part.isascii() or not part.isdigit() or int(part) >= len(table):
                return False
            table = table[int(part)]
        elif isinstance(table, dict) and part in table:
            table = table[part]
        else:
            return False
    return True


def sources(contract: Contract, dotted: str) -> tuple[int, ...]:
    """Return which of a contract's sources speak of a field: those at it, at a table around it, or at a part of it."""
    return tuple(
        index
        for index, source in enumerate(contract.source)
        if source.at == dotted or dotted.startswith(f"{source.at}.") or source.at.startswith(f"{dotted}.")
    )
