"""The syntax of freehold.toml: finding, parsing, turning tables into Structs. Refuses to know what a table means."""

from __future__ import annotations

import difflib
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, Union

import msgspec

from freehold.app.environment import Environment
from freehold.core.errors import ConfigError

FILE = "freehold.toml"
T = TypeVar("T", bound=msgspec.Struct)
_UNITS: dict[str, dict[str, float]] = {
    "bytes": {
        "b": 1,
        "kb": 1e3,
        "mb": 1e6,
        "gb": 1e9,
        "tb": 1e12,
        "kib": 2**10,
        "mib": 2**20,
        "gib": 2**30,
        "tib": 2**40,
    },
    "seconds": {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400},
}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")
_NAMED = re.compile("`([^`]*)`")
_WORDS = {
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "Decimal": "a fraction",
    "decimal": "a number",
    "array": "a list",
    "list": "a list",
    "object": "a table",
    "dict": "a table",
    "int | decimal": "a number",
    "str | array": "text or a list",
}
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Secret:
    """A secret and where it came from: `env:NAME` or `file:PATH`. Never shows its value."""

    __slots__ = ("source", "value")

    def __init__(self, value: str, source: str) -> None:
        self.value = value
        self.source = source

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.value, self.source) == (other.value, other.source)

    def __hash__(self) -> int:
        return hash((self.value, self.source))


class Word(Secret):
    """Text that may stand in the file as it is, which is its source then, or be a secret."""

    __slots__ = ()


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: `where` names table and key, `hint` says what to do."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class Problems(ConfigError):
    """All problems of a configuration at once; `problems` lists them."""

    def __init__(self, path: Path | None, problems: list[Problem]) -> None:
        name = str(path) if path is not None else "configuration"
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"{name}: {count}\n{lines}", hint="correct the lines named; `freehold check` reads the file again"
        )
        self.path = path
        self.problems = problems

    def __reduce__(self) -> tuple[type[Problems], tuple[Path | None, list[Problem]]]:
        return Problems, (self.path, self.problems)


def find(explicit: str | None, environment: Environment, cwd: Path) -> Path | None:
    """Return the file to read: `explicit` (--config), FREEHOLD_CONFIG, ./freehold.toml, the user's own, or None.

    Raises ConfigError when a file that was named does not exist.
    """
    for origin, named in (("--config", explicit), ("FREEHOLD_CONFIG", environment.get("FREEHOLD_CONFIG"))):
        if named is not None:
            path = (cwd / named).absolute()
            if not path.is_file():
                raise ConfigError(f"{path}: no such file", hint=f"it was named by {origin}; correct the path")
            return path
    here = cwd / FILE
    if here.is_file():
        return here.absolute()
    folder = environment.folder("XDG_CONFIG_HOME", ".config")
    if folder is not None and (folder / "freehold" / FILE).is_file():
        return folder / "freehold" / FILE
    return None


def parse(path: Path) -> dict[str, Any]:
    """Return the tables of the file; fractions are exact Decimals. Raises ConfigError with line and column."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {e.strerror}", hint="check the path and its permissions") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: is not UTF-8 at byte {e.start}", hint="save the file as UTF-8") from e
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: {e}", hint="correct the TOML at that place") from e


def join(where: str, key: str) -> str:
    """Return the dotted name of `key` in the table `where`, quoted where TOML asks for it."""
    name = key if _BARE.fullmatch(key) else f'"{key}"'
    return f"{where}.{name}" if where else name


class Reader:
    """Turns raw tables into Structs. Notes every problem instead of stopping at the first, and where they are from."""

    def __init__(self, base: Path, environment: Environment) -> None:
        self.base = base
        self.environment = environment
        self.problems: list[Problem] = []
        self.origins: dict[str, str] = {}

    def note(self, where: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(where, message, hint))

    def table(self, shape: type[T], raw: Any, where: str) -> T | None:
        """Return `raw` as a `shape`; None (and problems noted) when it cannot be one."""
        from_text = getattr(shape, "from_text", None)
        if isinstance(raw, str) and from_text is not None:
            return typing.cast(T, from_text(raw))
        if not isinstance(raw, Mapping):
            self.note(where, f"must be a table, not {_kind(raw)}", f"write [{where}] or {where} = {{ ... }}")
            return None
        hints = typing.get_type_hints(shape, include_extras=True)
        fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
        for key in raw:
            if key not in fields:
                self.note(join(where, key), "no such setting", suggest(key, fields))
        values: dict[str, Any] = {}
        whole = True
        for key, field in fields.items():
            before = len(self.problems)
            if key in raw:
                value = self.value(hints[field.name], raw[key], join(where, key))
                if value is not None or len(self.problems) == before:
                    values[field.name] = value
                    continue
            elif field.required:
                self.note(join(where, key), "is missing", f"add {key} = ... under [{where}]")
            whole = whole and not field.required
        # A value that is no good is left out, so that one mistake does not hide the others.
        return shape(**values) if whole else None

    def value(self, hint: Any, raw: Any, where: str) -> Any:
        """Return `raw` as what the annotation `hint` asks for; None (and a problem noted) when it cannot be."""
        self.origins[where] = "file"
        bare, unit = unwrap(hint)
        if bare is Secret:
            return self.secret(raw, where)
        if bare is Word:
            found = Secret(raw, raw) if isinstance(raw, str) else self.secret(raw, where)
            return Word(found.value, found.source) if found is not None else None
        if bare is Path:
            return self.path(raw, where)
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            if isinstance(raw, Mapping):
                del self.origins[where]  # a table's values have origins of their own
            return self.table(bare, raw, where)
        origin, arguments = typing.get_origin(bare), typing.get_args(bare)
        if origin in (tuple, list):
            return self._sequence(origin, arguments[0], raw, where)
        if origin is dict and arguments[1] is not Any:
            del self.origins[where]
            return self.mapping(arguments[1], raw, where)
        return self._scalar(hint, bare, unit, raw, where)

    def mapping(self, shape: Any, raw: Any, where: str) -> dict[str, Any]:
        """Return a table whose keys are the user's own names and whose values are of `shape`."""
        if not isinstance(raw, Mapping):
            self.note(where, f"must be a table, not {_kind(raw)}")
            return {}
        values = {key: self.value(shape, item, join(where, key)) for key, item in raw.items()}
        return {key: item for key, item in values.items() if item is not None}

    def secret(self, raw: Any, where: str) -> Secret | None:
        """Read `{ env = "NAME" }` or `{ file = "PATH" }`."""
        usage = 'write { env = "NAME" } or { file = "PATH" }'
        if isinstance(raw, str):
            self.note(where, "a secret must not stand in the file, which is read, copied and kept in git", usage)
        elif not isinstance(raw, Mapping) or len(raw) != 1 or not isinstance(next(iter(raw.values())), str):
            self.note(where, "names no secret", usage)
        elif "env" in raw:
            value = self.environment.get(raw["env"])
            if value is not None:
                self.origins[where] = f"env {raw['env']}"
                return Secret(value.strip(), f"env:{raw['env']}")
            self.note(
                where, f"the environment variable {raw['env']} is not set", f"export {raw['env']}=... before the start"
            )
        elif "file" in raw:
            return self._secret_file(self.base / raw["file"], where)
        else:
            self.note(where, f"a secret cannot come from `{next(iter(raw))}`", usage)
        return None

    def _secret_file(self, path: Path, where: str) -> Secret | None:
        try:
            value = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            reason = e.strerror if isinstance(e, OSError) else "not UTF-8"
            self.note(where, f"{path} cannot be read: {reason}", "check the path and its permissions")
            return None
        if not value:
            self.note(where, f"{path} is empty", "put the secret, and nothing else, into it")
            return None
        self.origins[where] = f"file {path}"
        return Secret(value, f"file:{path}")

    def path(self, raw: Any, where: str) -> Path | None:
        if not isinstance(raw, str) or not raw:
            self.note(where, f"must be a path, not {_kind(raw)}")
            return None
        return self.base / raw

    def _sequence(self, origin: Any, item: Any, raw: Any, where: str) -> Any:
        if not isinstance(raw, list):
            self.note(where, f"must be a list, not {_kind(raw)}", "write it in [ ]")
            return None
        return origin(self.value(item, each, f"{where}[{index}]") for index, each in enumerate(raw))

    def _scalar(self, hint: Any, bare: Any, unit: str | None, raw: Any, where: str) -> Any:
        try:
            if unit is not None and isinstance(raw, str):
                raw = quantity(raw, unit)
            if isinstance(raw, Decimal) and bare is float:
                raw = float(raw)
            if isinstance(raw, float) and bare is int and raw.is_integer():
                raw = int(raw)
            return msgspec.convert(raw, hint)
        except msgspec.ValidationError as e:
            allowed = [str(word) for word in typing.get_args(bare)] if typing.get_origin(bare) is typing.Literal else []
            if allowed and isinstance(raw, str):
                self.note(where, f"{raw!r} is none of {', '.join(allowed)}", suggest(raw, allowed))
            else:
                self.note(where, _NAMED.sub(lambda found: _WORDS.get(found[1], found[1]), str(e)))
        except ValueError as e:
            self.note(where, str(e))
        return None


def quantity(text: str, unit: str) -> float:
    """Return "12 GiB" in bytes or "5m" in seconds; ValueError when it is neither."""
    found = _QUANTITY.fullmatch(text)
    factor = _UNITS[unit].get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise ValueError(f"{text!r} is no amount of {unit}; the units are {', '.join(_UNITS[unit])}")
    return float(Decimal(found[1]) * Decimal(str(factor)))


def suggest(word: str, known: typing.Iterable[str]) -> str:
    """Return "did you mean ...?", or what is known as far as it is a list that one reads."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    if close and difflib.SequenceMatcher(None, word, close[0]).ratio() >= _SURE:
        close = close[:1]
    if close:
        quoted = [f"`{name}`" for name in close]
        return f"did you mean {' or '.join(filter(None, (', '.join(quoted[:-1]), quoted[-1])))}?"
    if len(names) > _MANY:
        near = difflib.get_close_matches(word, names, n=_FEW, cutoff=0.0)
        return f"nearest of {len(names)}: {', '.join(near)}"
    return "known: " + ", ".join(names) if names else ""


_SURE = 0.75
"""Likeness from which the nearest name is suggested alone."""
_MANY, _FEW = 24, 5
"""More names than this are not listed, but so many of the nearest."""


def unwrap(hint: Any) -> tuple[Any, str | None]:
    """Return the annotation without Optional and Annotated, and the unit that it was annotated with."""
    unit = None
    while True:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            for meta in hint.__metadata__:
                unit = (getattr(meta, "extra", None) or {}).get("unit", unit)
            hint = hint.__origin__
        elif origin in (Union, types.UnionType):
            rest = [each for each in typing.get_args(hint) if each is not type(None)]
            if len(rest) != 1:
                return hint, unit
            hint = rest[0]
        else:
            return hint, unit


def _kind(raw: Any) -> str:
    return _WORDS.get(type(raw).__name__, f"a {type(raw).__name__}")
