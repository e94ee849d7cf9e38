"""JSON schemas as llama.cpp's grammars can hold them: what it cannot is found before. Refuses to fetch a reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from freehold.core.errors import BadRequest
from freehold.engines import schema_bounds
from freehold.engines.schema_bounds import UNREACHABLE, Weight

_ANNOTATIONS = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "example",
        "$schema",
        "$id",
        "$comment",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$defs",
        "definitions",
        "discriminator",
        "strict",
    ]
)
_ENFORCED = frozenset(
    [
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "$ref",
    ]
)
_INTEGER_RANGE = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_FORMATS = frozenset(
    [
        "date",
        "time",
        "date-time",
        "uuid",
        "uuid1",
        "uuid2",
        "uuid3",
        "uuid4",
        "uuid5",
    ]
)
_TYPES = frozenset(
    [
        "object",
        "array",
        "string",
        "number",
        "integer",
        "boolean",
        "null",
    ]
)
_DEPTH = 64
_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")


def prepare(schema: Any, param: str, *, strict: bool, weight: Weight | None = None) -> dict[str, Any]:
    """Return `schema` as the grammar takes it, or refuse it: BadRequest with the path of the keyword.

    What is never right (a dangling reference, a pattern that would silently allow any string, more than a grammar can
    hold) is refused always; keywords that the grammar would pass over are refused when `strict`. `weight` is added to.
    """
    if not isinstance(schema, dict):
        raise refuse(param, "#", "a schema is a JSON object")
    own = Weight()
    for path, part in _parts(schema, "#", 0, param):
        _check_part(schema, part, path, param, strict)
        at, why = schema_bounds.weigh(path, part, own)
        if why:
            raise refuse(param, at, why)
        if strict and _levels(path) > schema_bounds.STRICT_LEVELS:
            raise refuse(param, path, f"objects are nested more than {schema_bounds.STRICT_LEVELS} deep")
    if excess := own.excess():
        raise refuse(param, "#", excess)
    if endless := schema_bounds.loops(schema, _parts(schema, "#", 0, param), resolve):
        raise refuse(param, endless, "the reference leads back to itself, so no value could ever end")
    if weight is not None:
        weight.add(own)
    return _translated(schema)  # type: ignore[no-any-return]


def _levels(path: str) -> int:
    """How many objects a part is nested in."""
    return path.count("/properties/") + path.count("/additionalProperties")


def refuse(param: str, path: str, why: str) -> BadRequest:
    """What is said of a schema that cannot be taken."""
    return BadRequest(
        f"Invalid schema for {param!r}: at {path}: {why}.",
        code="invalid_json_schema",
        param=param,
        hint="rewrite the part of the schema that the path names",
    )


def _parts(schema: dict[str, Any], path: str, depth: int, param: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its path."""
    if depth > _DEPTH:
        raise refuse(param, path, f"nested more than {_DEPTH} deep")
    yield path, schema
    for name in _NAMED:
        inner = schema.get(name)
        if isinstance(inner, dict):
            for key, value in inner.items():
                if isinstance(value, dict):
                    yield from _parts(value, f"{path}/{name}/{key}", depth + 1, param)
                elif not isinstance(value, bool):
                    raise refuse(param, f"{path}/{name}/{key}", "a schema is a JSON object")
    for name in _LISTED:
        inner = schema.get(name)
        if isinstance(inner, list):
            for index, value in enumerate(inner):
                if isinstance(value, dict):
                    yield from _parts(value, f"{path}/{name}/{index}", depth + 1, param)
    for name in ("items", "additionalProperties"):
        inner = schema.get(name)
        if isinstance(inner, dict):
            yield from _parts(inner, f"{path}/{name}", depth + 1, param)


def _check_part(root: dict[str, Any], part: dict[str, Any], path: str, param: str, strict: bool) -> None:
    kinds = part.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _TYPES:
            raise refuse(param, f"{path}/type", f"{kind!r} is no JSON type")
    if "pattern" in part:
        _, why = translate(part["pattern"])
        if why:
            raise refuse(param, f"{path}/pattern", why)
    if "$ref" in part and resolve(root, part["$ref"]) is None:
        raise refuse(param, f"{path}/$ref", f"{part['$ref']!r} leads nowhere within this schema")
    for name, form in (("enum", list), ("required", list), ("properties", dict), *((n, list) for n in _LISTED)):
        if name in part and not isinstance(part[name], form):
            raise refuse(param, f"{path}/{name}", f"it must be {'a list' if form is list else 'an object'}")
    if not strict:
        return
    for name in part:
        if name in _ANNOTATIONS or name in _ENFORCED:
            continue
        if name in _INTEGER_RANGE and kinds == "integer":
            continue
        raise refuse(param, f"{path}/{name}", "this engine cannot enforce the keyword, and the schema is strict")
    if "format" in part and part["format"] not in _FORMATS:
        raise refuse(
            param, f"{path}/format", f"this engine cannot enforce {part['format']!r}, and the schema is strict"
        )


def resolve(root: dict[str, Any], reference: object) -> Any:
    """What a local reference points at; None when it is not local or leads nowhere."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    at: Any = root
    for step in reference.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict):
            at = at.get(step)
        elif isinstance(at, list) and step.isdigit() and int(step) < len(at):
            at = at[int(step)]
        else:
            return None
    return at


_IN_TEXT = frozenset('^$.[]()|{}*+?trn\\"-xuU')  # what may follow a backslash, outside of a class
_IN_CLASS = frozenset('trn\\"[]-xuU')  # and inside
_SETS = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r"}


def translate(pattern: object) -> tuple[str, str]:
    """Return `pattern` in the words that llama.cpp's grammar knows, and why it cannot be ("" when it can).

    llama.cpp itself takes a pattern that it does not know for "any string", without an error.
    """
    if not isinstance(pattern, str):
        return "", "a pattern is a string"
    if len(pattern) < 2 or not pattern.startswith("^") or not pattern.endswith("$"):
        return "", "a pattern must begin with ^ and end with $"
    try:
        re.compile(pattern)
    except re.error as e:
        return "", f"not a regular expression: {e}"
    out: list[str] = []
    inside, at, end = False, 1, len(pattern) - 1
    while at < end:
        sign = pattern[at]
        if sign == "\\":
            at += 1
            sign = pattern[at]
            if at < end and sign in _SETS:
                out.append(_SETS[sign] if inside else f"[{_SETS[sign]}]")
            elif at < end and sign == "/":
                out.append("/")
            elif at < end and sign in (_IN_CLASS if inside else _IN_TEXT):
                out.append("\\" + sign)
            else:
                return "", f"the escape \\{sign} is not supported; write a character class such as [0-9]"
        else:
            why = "" if inside else _unknown(pattern, at, end)
            if why:
                return "", why
            out.append("\\[" if inside and sign == "[" else sign)
            inside = sign != "]" if inside else sign == "["
        at += 1
    return f"^{''.join(out)}$", ""


def _unknown(pattern: str, at: int, end: int) -> str:
    """What at this place, outside of a class, the grammar does not know."""
    sign = pattern[at]
    if sign == "(" and pattern.startswith("(?", at) and not pattern.startswith("(?:", at):
        return "look-around, named groups and flags are not supported"
    if sign in "^$":
        return "an anchor within the pattern is not supported"
    if sign in "*+?}" and at + 1 < end and pattern[at + 1] in "?+":
        return "lazy and possessive repetition are not supported"
    return ""


def _translated(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: translate(inner)[0] if key == "pattern" and isinstance(inner, str) else _translated(inner)
            for key, inner in value.items()
            if not _unreachable(key, inner)
        }
    return [_translated(v) for v in value] if isinstance(value, list) else value


def _unreachable(key: str, bound: Any) -> bool:
    """Whether this is a longest length that no reply can reach: it would only cost."""
    return key in ("maxItems", "maxLength", "maxProperties") and isinstance(bound, int) and bound >= UNREACHABLE


def rooted(schema: dict[str, Any], at: str) -> dict[str, Any]:
    """Return `schema` with its local references rewritten for a place `at` ("#/$defs/x") within a larger schema."""

    def move(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: at + inner[1:]
                if key == "$ref" and isinstance(inner, str) and inner.startswith("#")
                else move(inner)
                for key, inner in value.items()
            }
        return [move(v) for v in value] if isinstance(value, list) else value

    return move(schema)  # type: ignore[no-any-return]


def fits(value: Any, schema: Any, root: dict[str, Any] | None = None, depth: int = 0) -> bool:
    """Whether `value` is of the form that `schema` asks for, as far as its main keywords go."""
    if isinstance(schema, bool) or not isinstance(schema, dict):
        return schema is not False
    root = schema if root is None else root
    if depth > _DEPTH:
        return True
    if "$ref" in schema:
        target = resolve(root, schema["$ref"])
        return target is not None and fits(value, target, root, depth + 1)
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    for name, all_of in (("anyOf", any), ("oneOf", any), ("allOf", all)):
        if name in schema and not all_of(fits(value, inner, root, depth + 1) for inner in schema[name]):
            return False
    kinds = schema.get("type")
    if kinds is not None and not any(_is(value, k) for k in (kinds if isinstance(kinds, list) else [kinds])):
        return False
    if isinstance(value, dict):
        return _fits_object(value, schema, root, depth)
    if isinstance(value, list):
        items = schema.get("items")
        sized = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return sized and (items is None or all(fits(v, items, root, depth + 1) for v in value))
    return True


def _fits_object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], depth: int) -> bool:
    properties = schema.get("properties", {})
    if any(name not in value for name in schema.get("required", ())):
        return False
    more = schema.get("additionalProperties", True) if "patternProperties" not in schema else True
    return all(fits(inner, properties.get(key, more), root, depth + 1) for key, inner in value.items())


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer()
        )
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    forms: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "null": type(None),
    }
    return isinstance(value, forms.get(kind, object))
