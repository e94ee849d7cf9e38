"""Ways: what tells sums beside the ledger apart and is no column, so that it is read from the stored bytes of entries
and kept once; and how far such sums have come. Refuses to know what is summed."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

from freehold.ledger.entry import FIELDS, Entry
from freehold.store import Store

PATIENCE = 0.4
"""Seconds that summing what is new may take before an answer goes out without it."""
_DEFAULTS = dict(zip(reversed(FIELDS), reversed(Entry.__struct_defaults__), strict=False))
_json = msgspec.json.Decoder(list[Any]).decode


def extract(engine: str, names: Iterable[str]) -> str:
    """Return the SQL of a JSON array, as text, of at least two fields of an entry, in the engine's words; null stands
    for a field that the entry is too old to have. To be read of `sealed`."""
    places = [FIELDS.index(name) for name in names]
    if engine == "postgres":
        return f"jsonb_build_array({', '.join(f'said -> {place}' for place in places)})::text"
    paths = ", ".join(f"'$[{place}]'" for place in places)
    return f"json_extract(CAST(data AS TEXT), {paths})"  # all at once: the bytes are read once


def sealed(engine: str, condition: str) -> str:
    """Return the SQL of a table `e`: the entries that keep to a condition, with what `extract` needs."""
    if engine == "postgres":  # the end keeps it to one look at the bytes
        return f"(SELECT *, convert_from(data, 'UTF8')::jsonb AS said FROM entry WHERE {condition} OFFSET 0) e"
    return f"(SELECT * FROM entry WHERE {condition}) e"


def told(names: Iterable[str], said: str) -> list[Any]:
    """Return what `extract` found of these fields; an entry that is too old to say a thing has its default."""
    return [_DEFAULTS.get(name, "") if value is None else value for name, value in zip(names, _json(said), strict=True)]


def numbered(way: bytes) -> int:
    """Return the number of a way by its text, the same whoever comes upon it first."""
    return int.from_bytes(sha256(way).digest()[:8], "big") >> 1


async def reached(store: Store, name: str) -> tuple[int, int]:
    """Return how many entries are in the table `name` of sums, and how many there are. Where the end of the ledger was
    cut off, what comes next would count as summed already: the table is emptied then. Raises StoreError."""
    head = "(SELECT COALESCE(MAX(seq), 0) FROM entry)"
    done, count = (await store.fetch(f"SELECT value, {head} FROM meta WHERE name = '{name}'"))[0]
    if done > count:
        anew = f"UPDATE meta SET value = 0 WHERE name = '{name}'"
        await store.write((f"DELETE FROM {name}", [()]), (anew, [()]))
        return 0, int(count)
    return int(done), int(count)
