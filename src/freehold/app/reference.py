"""What can be set, called and seen, written out of the code itself: JSON schema and the pages of docs/reference."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from freehold.app import settings as tables
from freehold.app.config import Secret, Word, unwrap
from freehold.app.environment import VARIABLES

_FIELD = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)
MADE = "<!-- Made by `make docs` from the code; do not edit. -->\n"


def meanings(shape: type) -> dict[str, str]:
    """Return what the comment behind each field of `shape` says."""
    return dict(_FIELD.findall(inspect.getsource(shape)))


def schema() -> dict[str, Any]:
    """Return the JSON schema of freehold.toml, with the meanings as descriptions."""
    made = msgspec.json.schema(tables.File, schema_hook=_foreign)
    every: list[tuple[str, type[msgspec.Struct]]] = [("", tables.File), *every_table(tables.File, "")]
    shapes = {shape.__name__: shape for _, shape in every}
    for name, definition in made["$defs"].items():
        shape = shapes[name]
        said = meanings(shape)
        hints = typing.get_type_hints(shape, include_extras=True)
        names = {field.encode_name: field.name for field in msgspec.structs.fields(shape)}
        for key, member in definition.get("properties", {}).items():
            if names[key] in said:
                member = definition["properties"][key] = {**member, "description": said[names[key]]}
            if unwrap(hints[names[key]])[1] is not None:
                member.pop("anyOf", None)
                member["type"] = ["number", "string"]
    made["$defs"]["Target"] = {"anyOf": [{"type": "string"}, made["$defs"]["Target"]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "freehold.toml", **made}


def _foreign(kind: type) -> dict[str, Any]:
    if kind is Word:
        return {"anyOf": [{"type": "string"}, _foreign(Secret)]}
    if kind is Secret:
        one = {"type": "string", "minLength": 1}
        return {
            "type": "object",
            "oneOf": [{"required": ["env"]}, {"required": ["file"]}],
            "properties": {"env": one, "file": one},
            "additionalProperties": False,
        }
    if issubclass(kind, Path):
        return {"type": "string", "minLength": 1}
    raise NotImplementedError(kind)


def settings() -> str:
    """Return docs/reference/settings.md."""
    lines = [
        MADE + "# Settings",
        "",
        "`freehold.toml`, everything optional. It is looked for as `--config PATH`, `FREEHOLD_CONFIG`,",
        "`./freehold.toml`, then `freehold/freehold.toml` in the user's configuration folder. Relative paths are",
        "relative to the file.",
        'Secrets stand in it only as `{ env = "NAME" }` or `{ file = "PATH" }`. Durations are seconds, or text such as',
        '`"5m"`; sizes are bytes, or text such as `"32 MiB"`. An unknown name is an error. `freehold check` prints',
        "every value in force with its origin; `freehold schema` prints the JSON schema.",
    ]
    for where, shape in every_table(tables.File, ""):
        lines += ["", f"## `[{where}]`", "", (inspect.getdoc(shape) or "").splitlines()[0], ""]
        lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
        hints = typing.get_type_hints(shape, include_extras=True)
        said = meanings(shape)
        for field in msgspec.structs.fields(shape):
            cells = (
                f"`{field.encode_name}`",
                type_in_words(hints[field.name]),
                default_in_words(field),
                said[field.name],
            )
            lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    lines += ["", "## Environment variables", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()]
    lines += ["", "Vendors' keys are found under these names when the file declares no deployments:", ""]
    lines += ["| variable | deployment | endpoint |", "|---|---|---|", *_vendors()]
    return "\n".join(lines) + "\n"


def _vendors() -> Iterator[str]:
    from freehold.app.discovery import vendor_rows

    for variable, name, endpoint in vendor_rows():
        yield f"| `{variable}` | `{name}` | `{endpoint}` |"


def row(*cells: str) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def every_table(shape: type[msgspec.Struct], where: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Yield the name and the Struct of every table, in the order of the file."""
    for field in msgspec.structs.fields(shape):
        bare, _ = unwrap(typing.get_type_hints(shape, include_extras=True)[field.name])
        name = f"{where}.{field.encode_name}" if where else field.encode_name
        if typing.get_origin(bare) in (dict, tuple):
            name = f"{name}.NAME" if typing.get_origin(bare) is dict else f"{name}[]"
            bare = next((each for each in typing.get_args(bare) if inspect.isclass(each) and _struct(each)), None)
        if bare is not None and _struct(bare):
            yield name, bare
            yield from every_table(bare, name)


def _struct(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, msgspec.Struct)


def type_in_words(hint: Any) -> str:
    """Return an annotation for people."""
    bare, unit = unwrap(hint)
    if unit is not None:
        return unit
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(word)}`" for word in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_in_words(each) for each in arguments))
    if origin in (tuple, frozenset):
        return f"list of {type_in_words(arguments[0])}"
    if origin is dict or _struct(bare):
        return "table"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}
    return {**names, Secret: "secret", Word: "text or secret"}[bare]


def default_in_words(field: msgspec.structs.FieldInfo) -> str:
    """Return what holds when the file says nothing."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or isinstance(value, msgspec.Struct):
        return "-" if value is None else "below"
    return f"`{json.dumps(list(value) if isinstance(value, (tuple, frozenset)) else value)}`"


def commands() -> str:
    """Return docs/reference/commands.md."""
    from freehold.app.cli.parser import build
    from freehold.app.main import EXIT_CODES

    parser = build()
    lines = [
        MADE + "# Commands",
        "",
        "```",
        _help(parser),
        "```",
        "",
        "## Exit codes",
        "",
        "| code | means |",
        "|---|---|",
    ]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    for name, command in _commands(parser):
        lines += ["", f"## `{name}`", "", "```", _help(command), "```"]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                if any(isinstance(each, argparse._SubParsersAction) for each in command._actions):
                    yield from _commands(command)
                else:
                    yield command.prog, command


def _help(parser: argparse.ArgumentParser) -> str:
    # A fixed width: the page must not depend on the terminal that it was made in.
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, max_help_position=28, width=100)
    return parser.format_help().rstrip()
