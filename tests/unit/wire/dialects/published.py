"""Validates what the dialects write against the published API descriptions in tests/data."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

DATA = Path(__file__).parents[3] / "data"


@cache
def _schemas(file: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / file).read_text())
    return document


def valid(body: bytes | Any, schema: str, *, azure: bool = False) -> Any:
    """Return `body` decoded; AssertionError when it is not of `schema`."""
    value = json.loads(body) if isinstance(body, bytes) else body
    document = _schemas("azure_schemas.json" if azure else "openai_schemas.json")
    whole = {**document, "$ref": f"#/components/schemas/{schema}"}
    errors = [e.message for e in jsonschema.Draft202012Validator(whole).iter_errors(value)]
    assert not errors, errors
    return value
