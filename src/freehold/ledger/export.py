"""Writes entries to files that others read: CSV, JSON lines, Parquet. Refuses to leave half a file behind.

Columns are those of `ledger.columns`, in every format: each names its unit.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import msgspec

from freehold.core.errors import BadRequest, ConfigError, StoreError
from freehold.core.ids import new_id
from freehold.ledger.columns import COLUMNS, KINDS, told
from freehold.ledger.query import Query, count, entries
from freehold.store import Store

Format = Literal["csv", "jsonl", "parquet"]
Told = dict[str, Any]
CHUNK = 2000
RISKY = ("=", "+", "-", "@", "\t", "\r")


class Writer(Protocol):
    def write(self, rows: Sequence[Told]) -> None: ...
    def end(self) -> None: ...


class CsvWriter:
    """RFC 4180, UTF-8. A text that a spreadsheet would run as a formula gets a quote before it; lists are joined with
    blanks."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._csv = csv.writer(self._text)
        self._csv.writerow(COLUMNS)

    def write(self, rows: Sequence[Told]) -> None:
        for row in rows:
            self._csv.writerow([_cell(row[name]) for name in COLUMNS])

    def end(self) -> None:
        self._text.flush()
        self._text.detach()


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        value = " ".join(value)
    if isinstance(value, bool):
        return int(value)
    return "'" + value if isinstance(value, str) and value.startswith(RISKY) else value


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, rows: Sequence[Told]) -> None:
        lines = [msgspec.json.encode(row) for row in rows]
        self._file.write(b"\n".join(lines) + b"\n")

    def end(self) -> None:
        self._file.flush()


class ParquetWriter:
    """Parquet with one row group a chunk; lists stay lists. Needs pyarrow (the extra `parquet`)."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError as e:
            hint = "pip install 'freehold[parquet]', or export csv or jsonl"
            raise ConfigError("Parquet needs the pyarrow package.", hint=hint) from e
        self._arrow = pyarrow
        kinds: dict[type, Any] = {
            int: pyarrow.int64(),
            float: pyarrow.float64(),
            bool: pyarrow.bool_(),
            tuple: pyarrow.list_(pyarrow.string()),
            str: pyarrow.string(),
        }
        fields = [(name, kinds[KINDS.get(name, str)]) for name in COLUMNS]
        self._schema = pyarrow.schema(fields)
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Told]) -> None:
        columns = [self._arrow.array([row[field.name] for row in rows], type=field.type) for field in self._schema]
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))

    def end(self) -> None:
        self._writer.close()


WRITERS: dict[Format, Callable[[BinaryIO], Writer]] = {
    "csv": CsvWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
}


async def export(
    store: Store,
    query: Query,
    target: Path | str,
    form: Format,
    *,
    names: Mapping[str, str] | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stdout: BinaryIO | None = None,
) -> int:
    """Write the entries that `query` finds to `target` ("-": to `stdout`); return how many there were.

    The file appears under its name when it is whole. An existing one is replaced only with `force`. `names` says what
    keys and teams are called, by id. `progress` is told entries done and in all. Raises BadRequest (the file exists),
    ConfigError (pyarrow is missing), StoreError (no space, no store).
    """
    total = await count(store, query) if progress is not None else 0
    if query.limit is not None:
        total = min(total, query.limit)
    if str(target) == "-":
        return await _stream(store, query, WRITERS[form](stdout or sys.stdout.buffer), names or {}, progress, total)
    path = Path(target)
    if path.exists() and not force:
        raise _exists(path)
    part = path.with_name(f".{path.name}.{new_id('part')}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            done = await _stream(store, query, WRITERS[form](file), names or {}, progress, total)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        if force:
            part.replace(path)
        else:
            os.link(part, path)  # unlike a rename it fails when the name was taken meanwhile
        return done
    except FileExistsError as e:
        raise _exists(path) from e
    except OSError as e:
        hint = "free some space, or name a folder that exists and is writable"
        raise StoreError(f"{path} cannot be written: {e.strerror}.", retryable=False, hint=hint) from e
    finally:
        part.unlink(missing_ok=True)


async def _stream(
    store: Store,
    query: Query,
    writer: Writer,
    names: Mapping[str, str],
    progress: Callable[[int, int], None] | None,
    total: int,
) -> int:
    done = 0
    chunk: list[Told] = []

    async def put() -> None:
        nonlocal done
        await asyncio.to_thread(writer.write, chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, max(total, done))

    async for stored in entries(store, query):
        chunk.append(told(stored, names))
        if len(chunk) == CHUNK:
            await put()
            chunk = []
    if chunk:
        await put()
    await asyncio.to_thread(writer.end)
    return done


def _exists(path: Path) -> BadRequest:
    return BadRequest(
        f"{path} exists already.", code="file_exists", hint="name another file, or add --force to replace it"
    )
