"""From the text of a contract file to a Contract. Knows TOML and the form of the fields; notes all that is wrong with
all files; refuses to judge whether the terms make sense."""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Union

import msgspec

from freehold.contracts import checks, linking
from freehold.contracts.faults import ContractsFaulty, Problem, nearest
from freehold.contracts.terms import Contract

_AMOUNT = re.compile(r"-?[0-9][0-9_]*(?:\.[0-9]+)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_AT = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    Decimal: "a number",
    list: "a list",
    dict: "a table",
}
_DECIMALS = 9
_LARGEST = Decimal(10) ** 15
_LONGEST = 10**12
_LINKED = {"", "id", "supersedes", "term", "term.start"}


def read(text: str, origin: str) -> Contract:
    """Return the contract that `text` states; `origin` names the file in what is said of it. Raises ContractsFaulty
    with all that is wrong with it."""
    contract, problems = parse_text(text, origin)
    if problems or contract is None:
        raise ContractsFaulty(problems)
    return contract


def parse(paths: Iterable[Path]) -> tuple[list[tuple[Contract, str]], list[Problem]]:
    """Return the contracts of files that could be read, each with its file's name, and all that is wrong with any."""
    found: list[tuple[Contract, str]] = []
    problems: list[Problem] = []
    files = tuple(dict.fromkeys(paths))
    for path in files:
        contract, faults = parse_file(path)
        problems += faults
        if contract is not None:
            found.append((contract, str(path)))
    return found, [*problems, *linking.faults(found, whole=len(found) == len(files))]


def parse_file(path: Path) -> tuple[Contract | None, list[Problem]]:
    """Return the contract of one file as `parse_text` does."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as e:
        why = f"cannot be read: {e.strerror}"
        return None, [Problem(str(path), "", why, "check the path and who may read it")]
    except UnicodeDecodeError as e:
        return None, [Problem(str(path), "", f"is not UTF-8 at byte {e.start}", "save the file as UTF-8")]
    return parse_text(text, str(path))


def parse_text(text: str, origin: str) -> tuple[Contract | None, list[Problem]]:
    """Return the contract of one text, and all that is wrong with it; None where what links it to others is."""
    try:
        tables = tomllib.loads(text.replace("\r\n", "\n"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as e:
        at = _AT.search(str(e))
        line = int(at[1]) if at and at[1] else text.count("\n") + 1 if at else 0
        return None, [Problem(origin, "", f"is not TOML: {e}", "correct the line that it names", line)]
    form = Form()
    contract: Contract = form.table(Contract, tables, "")
    faults = dict(form.faults)
    # What could not be read has something else in its place: nothing is said of such a field a second time.
    for where, what, hint in checks.check(contract):
        if not any(each == where or each.startswith(f"{where}.") for each in form.faults):
            faults.setdefault(where, (what, hint))
    lines = places(text)
    problems = [Problem(origin, where, what, hint, line_of(where, lines)) for where, (what, hint) in faults.items()]
    problems.sort(key=lambda problem: problem.line)
    return (None if faults.keys() & _LINKED else contract), problems


class Form:
    """Turns raw tables into Structs, noting each fault by the dotted name of its field."""

    def __init__(self) -> None:
        self.faults: dict[str, tuple[str, str]] = {}

    def note(self, where: str, what: str, hint: str = "") -> None:
        self.faults.setdefault(where, (what, hint))

    def table(self, shape: type[Any], raw: Any, where: str) -> Any:
        """Return `raw` as a `shape`, with something else in the place of what is wrong or missing."""
        if not isinstance(raw, Mapping):
            self.note(where, f"must be a table, not {_kind(raw)}", f"write [{where}], or {{ ... }} in one line")
            return _instead(shape)
        fields = {field.name: field for field in msgspec.structs.fields(shape)}
        for key in raw:
            if key not in fields:
                self.note(_join(where, key), "no such field", nearest(key, fields))
        hints = typing.get_type_hints(shape, include_extras=True)
        values: dict[str, Any] = {}
        for name, field in fields.items():
            place = _join(where, name)
            value = self.value(hints[name], raw[name], place) if name in raw else None
            if field.required and name not in raw:
                self.note(place, "is missing", _sample(name, hints[name]))
            elif field.required and value == "":
                self.note(place, "is empty", "say what it is")
            if value is not None or field.required:
                values[name] = _instead(hints[name]) if value is None else value
        return shape(**values)

    def value(self, hint: Any, raw: Any, where: str) -> Any:
        """Return `raw` as what the annotation `hint` asks for; None, and a fault noted, when it cannot be."""
        bare = unwrap(hint)
        origin, arguments = typing.get_origin(bare), typing.get_args(bare)
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            return self.table(bare, raw, where)
        if origin is tuple:
            return self._list(arguments[0], raw, where)
        if origin is dict:
            return self._named(arguments[1], raw, where)
        if origin is typing.Literal:
            return self._word(arguments, raw, where)
        if bare is Decimal:
            return self._amount(raw, where)
        if bare is int:
            return self._whole(raw, where)
        if bare is date:
            return self._day(raw, where)
        if type(raw) is not bare:
            hint = "put it in quotes" if bare is str else "write true or false, without quotes"
            self.note(where, f"must be {_KINDS[bare]}, not {_kind(raw)}", hint)
            return None
        if bare is str and _CONTROL.search(raw):
            self.note(where, "holds a control character", "leave it out")
            return None
        return raw

    def _list(self, item: Any, raw: Any, where: str) -> Any:
        if not isinstance(raw, list):
            table = isinstance(unwrap(item), type) and issubclass(unwrap(item), msgspec.Struct)
            self.note(where, f"must be a list, not {_kind(raw)}", f"write [[{where}]]" if table else "write it in [ ]")
            return None
        values = [self.value(item, each, f"{where}.{index}") for index, each in enumerate(raw)]
        return tuple(value for value in values if value is not None)

    def _named(self, item: Any, raw: Any, where: str) -> Any:
        if not isinstance(raw, Mapping):
            self.note(where, f"must be a table, not {_kind(raw)}", "write { name = value, ... }")
            return None
        values = {key: self.value(item, each, _join(where, key)) for key, each in raw.items()}
        return {key: value for key, value in values.items() if value is not None}

    def _word(self, words: tuple[Any, ...], raw: Any, where: str) -> Any:
        if raw in words and isinstance(raw, str):
            return raw
        said = repr(raw) if isinstance(raw, str) else _kind(raw)
        hint = 'write "yes" or "no"' if isinstance(raw, bool) and "yes" in words else nearest(str(raw), words)
        self.note(where, f"{said} is none of {', '.join(word for word in words if word)}", hint)
        return None

    def _amount(self, raw: Any, where: str) -> Decimal | None:
        hint = 'write it as "12.50" or 12.50'
        if isinstance(raw, bool) or not isinstance(raw, int | str | Decimal):
            self.note(where, f"must be a number, not {_kind(raw)}", hint)
            return None
        if isinstance(raw, str) and not _AMOUNT.fullmatch(raw):
            self.note(where, f"{raw!r} is not an exact number", hint + "; no sign of a currency, no blanks, no commas")
            return None
        value = raw if isinstance(raw, Decimal) else Decimal(raw)
        if not value.is_finite() or abs(value) >= _LARGEST:
            self.note(where, f"{raw} is too large", f"at most {_LARGEST:f}")
            return None
        if typing.cast(int, value.as_tuple().exponent) < -_DECIMALS and value != round(value, _DECIMALS):
            self.note(
                where, f"{raw} has more than {_DECIMALS} decimals", "money is counted in billionths at the finest"
            )
            return None
        return value

    def _whole(self, raw: Any, where: str) -> int | None:
        if type(raw) is not int:
            self.note(where, f"must be a whole number, not {_kind(raw)}", "write it without quotes, e.g. 30")
            return None
        if not 0 <= raw <= _LONGEST:
            self.note(where, f"{raw} is {'below 0' if raw < 0 else 'too large'}", f"write 0 to {_LONGEST}")
            return None
        return raw

    def _day(self, raw: Any, where: str) -> date | None:
        if isinstance(raw, str):
            try:
                raw = date.fromisoformat(raw)
            except ValueError:
                self.note(where, f"{raw!r} is no day", "write it as 2026-01-31")
                return None
        if isinstance(raw, datetime) or not isinstance(raw, date):
            self.note(where, f"must be a day, not {_kind(raw)}", "write it as 2026-01-31, without a time")
            return None
        return raw


def unwrap(hint: Any) -> Any:
    """Return an annotation without Annotated and without None beside it."""
    while True:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            hint = hint.__origin__
        elif origin in (Union, types.UnionType):
            hint = next(each for each in typing.get_args(hint) if each is not type(None))
        else:
            return hint


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _kind(raw: Any) -> str:
    if isinstance(raw, date):
        return "a time" if isinstance(raw, datetime) else "a day"
    return _KINDS.get(type(raw), f"a {type(raw).__name__}")


def _instead(hint: Any) -> Any:
    """Return something of a type, for the place of what could not be read."""
    bare = unwrap(hint)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return Form().table(bare, {}, "")
    if typing.get_origin(bare) is typing.Literal:
        return typing.get_args(bare)[0]
    return {str: "-", int: 0, Decimal: Decimal(0), date: date.max}[bare]


def _sample(name: str, hint: Any) -> str:
    bare = unwrap(hint)
    if typing.get_origin(bare) is typing.Literal:
        return f'write {name} = "{typing.get_args(bare)[0]}"'
    samples = {str: '"..."', date: "2026-01-31", Decimal: '"12.50"', int: "30"}
    return f"write {name} = {samples[bare]}" if bare in samples else f"write [{name}]"


_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\s-]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")


def places(text: str) -> dict[str, int]:
    """Return the line of each table and key that begins one, by dotted name. What stands inside a list or table of one
    line is not looked for."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = quote = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not quote:
            if header := _HEADER.fullmatch(line):
                table = _resolved(re.sub(r"\s", "", header[2]), header[1] == "[[", counts)
                found.setdefault(table, number)
            elif key := _KEY.match(line):
                found.setdefault(_join(table, key[1]), number)
        for mark in ('"""', "'''"):
            if quote in ("", mark) and line.count(mark) % 2:
                quote = "" if quote else mark
    return found


def _resolved(name: str, many: bool, counts: dict[str, int]) -> str:
    """Return the dotted name of a header's table, with the index of each list of tables in it."""
    where = ""
    parts = name.split(".")
    for index, part in enumerate(parts):
        where = _join(where, part)
        if many and index == len(parts) - 1:
            counts[where] = counts.get(where, -1) + 1
        if where in counts:
            where = f"{where}.{counts[where]}"
    return where


def line_of(where: str, lines: Mapping[str, int]) -> int:
    """Return the line of a field, or of the nearest table around it; 0 where none is known."""
    parts = where.split(".")
    for end in range(len(parts), 0, -1):
        if line := lines.get(".".join(parts[:end])):
            return line
    return 0
