"""The form of a contract file for machines: a JSON schema whose descriptions are the comments in terms.py. Knows no
contract."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from freehold.contracts import terms
from freehold.contracts.terms import Contract

_FIELD = re.compile(r"^    (\w+): [^#]*?  # (.+)$", re.MULTILINE)
_AMOUNT = r"^-?[0-9][0-9_]*(\.[0-9]+)?$"
TITLE = "A contract in the terms of Freehold"


def meanings(shape: type) -> dict[str, str]:
    """Return what the comment behind each field of `shape` says."""
    return dict(_FIELD.findall(inspect.getsource(shape)))


def schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a contract file. Editors check TOML by it: dates are days of TOML or text in
    ISO 8601, amounts are text or numbers."""
    made = msgspec.json.schema(Contract)
    for name, definition in made["$defs"].items():
        shape = getattr(terms, name)
        definition["description"] = " ".join((inspect.getdoc(shape) or "").split())
        said = meanings(shape)
        for key, member in definition.get("properties", {}).items():
            definition["properties"][key] = {**_loosened(member), "description": said[key]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **made}


def _loosened(member: Any) -> Any:
    """Return a part of the schema as TOML needs it: amounts may be numbers too, and there is no null."""
    if isinstance(member, list):
        return [_loosened(each) for each in member]
    if not isinstance(member, dict):
        return member
    stated = {key: value for key, value in member.items() if key != "default"}
    if isinstance(member.get("default"), (str, int)):
        stated["default"] = member["default"]
    choices = [each for each in stated.pop("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        stated |= choices[0]
    elif choices:
        stated["anyOf"] = choices
    if stated.get("format") == "decimal":
        del stated["format"]
        stated |= {"type": ["string", "number"], "pattern": _AMOUNT}
    return {key: value if key == "default" else _loosened(value) for key, value in stated.items()}
