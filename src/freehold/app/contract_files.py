"""The contract files that a configuration names, whatever the rest of it is worth: who reads terms needs no vendor's
key. Knows where they are; refuses to know what they say."""

from __future__ import annotations

from pathlib import Path

from freehold.app.config import Problems, Reader, parse
from freehold.app.environment import Environment
from freehold.app.place import Place
from freehold.app.settings import Contracts
from freehold.contracts.register import Register, load


def included(contracts: Contracts, reader: Reader) -> tuple[Path, ...]:
    """Return the files that `[contracts] include` matches, each once; what it names wrongly is noted."""
    found: list[Path] = []
    for index, pattern in enumerate(contracts.include):
        where = f"contracts.include[{index}]"
        if Path(pattern).is_absolute():
            reader.note(where, "must be relative to the configuration file", "move the contracts beside it")
            continue
        matches = sorted(path for path in reader.base.glob(pattern) if path.is_file()) if pattern.strip() else []
        if not matches:
            reader.note(where, f"{pattern!r} matches no file", f"relative to {reader.base}")
        found += matches
    return tuple(dict.fromkeys(found))


def register(place: Place, environment: Environment) -> Register:
    """Return the contracts of the configuration at `place`. Raises ConfigError for `[contracts]`, and ContractsFaulty
    for the files."""
    raw = parse(place.path).get("contracts", {}) if place.path is not None else {}
    reader = Reader(place.base, environment)
    files = included(reader.table(Contracts, raw, "contracts") or Contracts(), reader)
    if reader.problems:
        raise Problems(place.path, reader.problems)
    return load(files)
