"""What can be set, called and seen, written out of the code itself: JSON schema and the pages of docs/reference."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from freehold.app import settings as tables
from freehold.app.config import Secret, unwrap
from freehold.app.environment import VARIABLES
from freehold.core import errors

_FIELD = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)
_MADE = "<!-- Made by `make docs` from the code; do not edit. -->\n"


def meanings(shape: type) -> dict[str, str]:
    """Return what the comment behind each field of `shape` says."""
    return dict(_FIELD.findall(inspect.getsource(shape)))


def schema() -> dict[str, Any]:
    """Return the JSON schema of freehold.toml, with the meanings as descriptions."""
    made = msgspec.json.schema(tables.File, schema_hook=_foreign)
    for name, definition in made["$defs"].items():
        shape = getattr(tables, name)
        said = meanings(shape)
        hints = typing.get_type_hints(shape, include_extras=True)
        for key, member in definition.get("properties", {}).items():
            if key in said:
                member = definition["properties"][key] = {**member, "description": said[key]}
            if unwrap(hints[key])[1] is not None:
                member.pop("anyOf", None)
                member["type"] = ["number", "string"]
    made["$defs"]["Target"] = {"anyOf": [{"type": "string"}, made["$defs"]["Target"]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "freehold.toml", **made}


def _foreign(kind: type) -> dict[str, Any]:
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
        _MADE + "# Settings",
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
            cells = (f"`{field.encode_name}`", _type(hints[field.name]), _default(field), said[field.name])
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


def every_table(shape: type[msgspec.Struct], where: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Yield the name and the Struct of every table, in the order of the file."""
    for field in msgspec.structs.fields(shape):
        bare, _ = unwrap(typing.get_type_hints(shape, include_extras=True)[field.name])
        name = f"{where}.{field.encode_name}" if where else field.encode_name
        if typing.get_origin(bare) in (dict, tuple):
            bare = next((each for each in typing.get_args(bare) if inspect.isclass(each) and _struct(each)), None)
            name = f"{name}.NAME" if where == "" else f"{name}[]"
        if bare is not None and _struct(bare):
            yield name, bare
            yield from every_table(bare, name)


def _struct(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, msgspec.Struct)


def _type(hint: Any) -> str:
    bare, unit = unwrap(hint)
    if unit is not None:
        return unit
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(word)}`" for word in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict or _struct(bare):
        return "table"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", Secret: "secret"}
    return names[bare]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or isinstance(value, msgspec.Struct):
        return "-" if value is None else "below"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def commands() -> str:
    """Return docs/reference/commands.md."""
    from freehold.app.cli.parser import build
    from freehold.app.main import EXIT_CODES

    parser = build()
    lines = [
        _MADE + "# Commands",
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


def error_codes() -> str:
    """Return docs/reference/errors.md: the errors' classes, and each further code that some place gives."""
    lines = [
        _MADE + "# Errors",
        "",
        "Every error of the API carries one of these codes, in the client's dialect, and a hint that says what to do.",
        "`retry`: whether the same call may succeed later. `fault`: whose it is.",
        "",
        "| code | status | retry | fault | meaning |",
        "|---|--:|---|---|---|",
    ]
    tree = errors.__doc__ or ""
    for name, kind in sorted(errors.FreeholdError.registry.items(), key=lambda item: item[1].code):
        if kind.__module__ == errors.__name__:
            found = re.search(rf"─ {name}\s+(.*?)(?:\s\s+\(.*)?$", tree, re.MULTILINE)
            meaning = found[1].strip() if found else name
            retry = "yes" if kind.retryable else "no"
            lines.append(f"| `{kind.code}` | {kind.status} | {retry} | {kind.fault} | {meaning} |")
    lines += ["", "Codes that single places give instead of their class's own, with what they say there:", ""]
    lines += ["| code | class | says |", "|---|---|---|"]
    for code, places in sorted(special_codes().items()):
        for kind_name, message in sorted(places):
            lines.append(f"| `{code}` | {kind_name} | {message.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def special_codes() -> dict[str, set[tuple[str, str]]]:
    """Return every code that is given at a place of its own, with the classes and messages that it comes with."""
    found: dict[str, set[tuple[str, str]]] = {}
    root = Path(inspect.getfile(errors)).parent.parent
    for file in sorted(root.rglob("*.py")):
        if file == Path(inspect.getfile(errors)):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                code = next((k.value for k in node.keywords if k.arg == "code"), None)
                if isinstance(code, ast.Constant) and isinstance(code.value, str) and node.args:
                    place = (ast.unparse(node.func).rpartition(".")[2], _message(node.args[0]))
                    found.setdefault(code.value, set()).add(place)
            elif isinstance(node, ast.ClassDef):
                for own in _class_codes(node):
                    found.setdefault(own, set()).add((node.name, (ast.get_docstring(node) or "").split("\n")[0]))
    return found


def _class_codes(node: ast.ClassDef) -> Iterator[str]:
    """Yield what a class body assigns to `code`, alone or in a tuple."""
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        pairs = [(statement.targets[0], statement.value)]
        if isinstance(statement.targets[0], ast.Tuple) and isinstance(statement.value, ast.Tuple):
            pairs = list(zip(statement.targets[0].elts, statement.value.elts, strict=True))
        for name, value in pairs:
            if isinstance(name, ast.Name) and name.id == "code" and isinstance(value, ast.Constant):
                yield str(value.value)


def _message(node: ast.expr) -> str:
    """Return a message as it stands in the source, with the names of what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _message(node.left) + _message(node.right)
    return "..."


def _piece(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return "{" + ast.unparse(part.value) + "}"
    return str(part.value) if isinstance(part, ast.Constant) else "..."
