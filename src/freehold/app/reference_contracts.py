"""docs/reference/contracts.md and the published schema, made of the comments on the terms. Refuses to say what no
field says, beside an introduction."""

from __future__ import annotations

import inspect
import json
import typing
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from freehold.app import reference
from freehold.app.config import unwrap
from freehold.contracts.schema import meanings, schema
from freehold.contracts.terms import Contract

SCHEMA_FILE = "contract.schema.json"
SAMPLE = """schema = "freehold.contract/1"
id = "vendor-2026"
version = "2026.1"
title = "Vendor's models, yearly"
kind = "model-api"
supersedes = ""
owner = "Jo Doe, procurement"

[party]
supplier = "vendor"
entity = "Vendor Ireland Ltd"
country = "IE"

[term]
start = 2026-01-01
end = 2026-12-31
renewal = { auto = true, months = 12 }
notice_days = { customer = 90, supplier = 180 }
exit = { transition_days = 30, retrieval_days = 30, erasure = "yes", erasure_days = 30 }

[[commitment]]
id = "yearly"
type = "spend"
start = 2026-01-01
end = 2026-12-31
amount = "240000"
shortfall = "pay"

[[price]]
model = "vendor-large*"
input = "1.25"
cached_input = "0.125"
output = "10"
batch = "0.5"

[data]
retention_days = 30
human_review = "no"
trains_on_inputs = "no"
regions = ["eu"]
classes_allowed = ["public", "internal", "confidential", "personal"]

[use]
output_may_train = "not_competing"

[[source]]
at = "price"
source = "order form 4711"
date = 2025-12-11
"""
"""A contract file; a test has it read."""

_INTRO = f"""\
A contract is one TOML file; `[contracts] include` in `freehold.toml` says which files there are. Nothing but `schema`,
`id`, `kind`, `[party]` with its `supplier` and `[term]` with its `start` has to be stated, and what is not stated is
not promised. Money, rates and percentages are exact: text such as `"12.50"`, whole numbers, or numbers with a point.
Days are days in UTC, and the last one of a stretch belongs to it. An unknown name is an error, and all errors of all
files are told at once.

`freehold contracts schema` prints [the JSON schema]({SCHEMA_FILE}), by which editors complete and check these files.
What the terms do is told in [the guide](../guides/contracts.md)."""


def page() -> str:
    """Return docs/reference/contracts.md."""
    lines = [reference.MADE + "# Contracts", "", *_INTRO.splitlines(), "", "```toml", *SAMPLE.splitlines(), "```"]
    tables: list[tuple[str, type[msgspec.Struct]]] = [("", Contract), *reference.every_table(Contract, "")]
    for where, shape in tables:
        lines += ["", f"## {_heading(where)}", "", (inspect.getdoc(shape) or "").split("\n\n")[0], ""]
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        hints = typing.get_type_hints(shape, include_extras=True)
        said = meanings(shape)
        for field in msgspec.structs.fields(shape):
            cells = (_type(hints[field.name]), _default(field), said[field.name])
            lines.append(reference.row(f"`{field.name}`", *cells))
    return "\n".join(lines) + "\n"


def schema_text() -> str:
    """Return docs/reference/contract.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _heading(where: str) -> str:
    name = where.replace("[]", "")
    return "The file" if not where else f"`[[{name}]]`" if where.endswith("[]") else f"`[{name}]`"


def _type(hint: Any) -> str:
    bare, unit = unwrap(hint)
    if unit == "percent" or bare is Decimal:
        return "percent" if unit else "exact number"
    return "day" if bare is date else reference.type_in_words(hint).replace("list of table", "list of tables")


def _default(field: msgspec.structs.FieldInfo) -> str:
    return f"`{field.default}`" if isinstance(field.default, Decimal) else reference.default_in_words(field)
