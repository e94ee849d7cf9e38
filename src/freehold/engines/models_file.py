"""The form of a models file: from TOML to Models, or to all that is wrong with it. Refuses to look models up."""

from __future__ import annotations

import difflib
import re
import tomllib
import types
import typing
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from freehold.core.errors import ConfigError
from freehold.engines.catalogue import (
    CAPABILITIES,
    FILE_NAME,
    UNKNOWN,
    File,
    Hub,
    Local,
    Model,
    Part,
    Source,
    Url,
    Wheels,
)

T = TypeVar("T", bound=msgspec.Struct)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_SIZES = {"bytes", "memory"}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_HEXADECIMAL = f"must be 64 lower-case hexadecimal digits, or {UNKNOWN!r}"


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: `where` names table and key, `hint` says what to do."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ModelsFileFaulty(ConfigError):
    """All that is wrong with a models file; `problems` lists it."""

    def __init__(self, origin: str, faults: list[Fault]) -> None:
        count = "1 problem" if len(faults) == 1 else f"{len(faults)} problems"
        super().__init__(
            f"{origin}: {count}\n" + "\n".join(f"    {fault}" for fault in faults),
            hint="correct the lines named; the reference of the models file lists the keys and their forms",
        )
        self.problems = faults


def read(text: str, origin: str, folder: Path) -> dict[str, Model]:
    """Return the models that `text` describes; `origin` names the file in what is said of it, relative paths start
    from `folder`. Raises ConfigError: not TOML, or ModelsFileFaulty with all that is wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{origin} is not TOML: {e}", hint="correct the line that it names") from e
    reading = _Reading()
    for key in document:
        if key != "models":
            reading.note(key, "no such table or key", "a models file holds nothing but [models.NAME] tables")
    tables = document.get("models", {})
    if not isinstance(tables, dict):
        reading.note("models", f"must be a table, not {_kind(tables)}", "write [models.NAME]")
        tables = {}
    models = {name: reading.model(name, table, folder) for name, table in tables.items()}
    if reading.faults:
        raise ModelsFileFaulty(origin, reading.faults)
    return {name: model for name, model in models.items() if model is not None}


class _Reading:
    """Turns tables into Structs and notes every fault instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def note(self, where: str, message: str, hint: str = "") -> None:
        self.faults.append(Fault(where, message, hint))

    def model(self, name: str, raw: Any, folder: Path) -> Model | None:
        where = f"[models.{name}]"
        if not _NAME.fullmatch(name):
            self.note(where, "a name is made of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit")
        model = self.table(Model, raw, where)
        if not isinstance(raw, dict):
            return None
        if raw.get("name", name) != name:
            self.note(f"{where} name", f"{raw['name']!r} differs from the table's", "leave it out")
        if bool(raw.get("path")) == bool(raw.get("files")):
            self.note(where, "needs either files or a path, and not both")
        listed = raw.get("files")
        files = [file for file in listed if isinstance(file, dict)] if isinstance(listed, list) else []
        self._files(files, where)
        if model is None:
            return None
        rooted = tuple(
            msgspec.structs.replace(f, sources=tuple(_rooted(source, folder) for source in f.sources))
            for f in model.files
        )
        path = str((folder / Path(model.path).expanduser()).absolute()) if model.path else ""
        return msgspec.structs.replace(model, name=name, files=rooted, path=path)

    def _files(self, files: list[dict[str, Any]], where: str) -> None:
        """Note what is wrong with the files together."""
        names = [file.get("name") for file in files]
        for twice in {str(name) for name in names if name and names.count(name) > 1}:
            self.note(f"{where} files", f"two files are called {twice!r}")
        roles = [file.get("role", "model") for file in files]
        if roles and not {"model", "shard"} & {role for role in roles if isinstance(role, str)}:
            self.note(f"{where} files", "none has the role model or shard", "an engine opens that one")
        given = {file.get("name") for file in files if file.get("role") == "material"}
        for index, file in enumerate(files):
            sources = file.get("sources")
            for source in sources if isinstance(sources, list) else ():
                if isinstance(source, dict) and source.get("kind") == "convert":
                    wanted = [each for each in source.get("materials") or () if isinstance(each, str)]
                    missing = sorted(set(wanted) - given)
                    if missing or not wanted:
                        which = ", ".join(missing) or "(none)"
                        self.note(f"{where} files[{index}].sources", f"{which}: no file of role material is called so")

    def table(self, shape: type[T], raw: Any, where: str) -> T | None:
        """Return `raw` as a `shape`; None, and faults noted, when it cannot be one."""
        if not isinstance(raw, dict):
            self.note(where, f"must be a table, not {_kind(raw)}")
            return None
        hints = typing.get_type_hints(shape)
        fields = {field.name: field for field in msgspec.structs.fields(shape)}
        values: dict[str, Any] = {}
        for key, value in raw.items():
            if key in fields:
                read = self.value(hints[key], value, _join(where, key), key)
                if read is not None:
                    values[key] = read
            elif key != shape.__struct_config__.tag_field:
                self.note(_join(where, key), "no such key", _near(key, fields))
        missing = [name for name, field in fields.items() if field.required and name not in raw]
        for name in missing:
            self.note(_join(where, name), "is missing")
        if any(field.required and name not in values for name, field in fields.items()):
            return None
        made = shape(**values)
        for key, message, hint in _faults(made):
            self.note(_join(where, key), message, hint)
        return made

    def value(self, hint: Any, raw: Any, where: str, key: str) -> Any:
        """Return `raw` as what the annotation asks for; None, and a fault noted, when it cannot be."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Literal:
            if raw in arguments:
                return raw
            self.note(where, f"{raw!r} is none of {', '.join(arguments)}", _near(str(raw), arguments))
        elif origin is types.UnionType:
            return self._tagged(arguments, raw, where)
        elif origin in (tuple, frozenset):
            return self._several(origin, arguments[0], raw, where, key)
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self.table(hint, raw, where)
        elif key in _SIZES and isinstance(raw, str):
            return self._size(raw, where)
        elif isinstance(raw, hint) and not isinstance(raw, bool):
            if hint is not int or raw >= 0:
                return raw
            self.note(where, "is negative")
        else:
            self.note(where, f"must be {_WORDS[hint]}, not {_kind(raw)}")
        return None

    def _several(self, origin: type, item: Any, raw: Any, where: str, key: str) -> Any:
        if not isinstance(raw, list):
            self.note(where, f"must be a list, not {_kind(raw)}", "write it in [ ]")
            return None
        values = [self.value(item, each, f"{where}[{index}]", "") for index, each in enumerate(raw)]
        if key == "capabilities":
            for each in values:
                if each is not None and each not in CAPABILITIES:
                    self.note(where, f"{each!r} is no capability", _near(each, CAPABILITIES))
        return origin(each for each in values if each is not None)

    def _tagged(self, shapes: tuple[Any, ...], raw: Any, where: str) -> Any:
        kinds = {str(shape.__struct_config__.tag): shape for shape in shapes}
        if not isinstance(raw, dict):
            self.note(where, f"must be a table, not {_kind(raw)}", 'write { kind = "hf", ... }')
        elif "kind" not in raw:
            self.note(f"{where}.kind", "is missing", f"one of {', '.join(kinds)}")
        elif raw["kind"] not in kinds:
            self.note(f"{where}.kind", f"{raw['kind']!r} is none of {', '.join(kinds)}")
        else:
            return self.table(kinds[raw["kind"]], raw, where)
        return None

    def _size(self, text: str, where: str) -> int | None:
        found = _SIZE.fullmatch(text)
        factor = _UNITS.get(found[2].lower()) if found else None
        if found is None or factor is None:
            self.note(where, f"{text!r} is no size", 'write bytes, or text such as "400 MB" or "1.5 GiB"')
            return None
        return int(Decimal(found[1]) * factor)


_WORDS = {
    str: "text",
    int: "a whole number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
    float: "a fraction",
}


def _faults(made: msgspec.Struct) -> Iterable[tuple[str, str, str]]:
    """Yield what is wrong beyond the types: the key, what is wrong, what to do."""
    match made:
        case File():
            if not FILE_NAME.fullmatch(made.name):
                yield "name", f"{made.name!r} is not a plain file name", ""
            if made.known and not _SHA256.fullmatch(made.sha256):
                yield "sha256", _HEXADECIMAL, ""
            if not made.sources:
                yield "sources", "at least one source is needed", ""
        case Hub():
            if not _REPOSITORY.fullmatch(made.repo):
                yield "repo", f"{made.repo!r} is not of the form owner/name", ""
            if not made.path or made.path.startswith("/") or ".." in made.path:
                yield "path", f"{made.path!r} is no path within the repository owner/name", ""
            if not made.revision or "/" in made.revision:
                yield "revision", f"{made.revision!r} is no branch, tag or commit", ""
        case Wheels() if not made.parts:
            yield "parts", "at least one is needed", ""
        case Url() if not made.url.startswith(("https://", "http://")):
            yield "url", f"{made.url!r} is not an http or https address", ""
        case Part():
            if not _PACKAGE.fullmatch(made.package):
                yield "package", f"{made.package!r} is no name of a package", ""
            if made.version and not _VERSION.fullmatch(made.version):
                yield "version", f"{made.version!r} is no exact version", ""
            if made.sha256 and not _SHA256.fullmatch(made.sha256):
                yield "sha256", _HEXADECIMAL, ""


def fault(file: File) -> str:
    """Return what is wrong with a file that was put together here, in one line; empty when nothing is."""
    found = [*_faults(file), *(each for source in file.sources for each in _faults(source))]
    return "; ".join(f"{key}: {message}" for key, message, _ in found)


def _rooted(source: Source, folder: Path) -> Source:
    if isinstance(source, Local):
        return Local(path=str((folder / Path(source.path).expanduser()).absolute()))
    return source


def _join(where: str, key: str) -> str:
    return f"{where} {key}" if where.endswith("]") and where.startswith("[") and " " not in where else f"{where}.{key}"


def _near(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else f"known: {', '.join(names)}"


def _kind(raw: Any) -> str:
    return _WORDS.get(type(raw), f"a {type(raw).__name__}")
