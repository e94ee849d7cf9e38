"""Writes entries to files that others read: CSV, JSON lines, Parquet. Refuses to leave half a file behind.

Columns are `seq`, `hash` (hexadecimal) and all fields of an Entry, in every format.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, get_type_hints

import msgspec

from freehold.core.errors import ConfigError, StoreError
from freehold.core.ids import new_id
from freehold.ledger.entry import FIELDS, Entry
from freehold.ledger.query import Query, Stored, count, entries
from freehold.store import Store

Format = Literal["csv", "jsonl", "parquet"]
COLUMNS = ("seq", "hash", *FIELDS)
CHUNK = 2000
RISKY = ("=", "+", "-", "@", "\t", "\r")


class Writer(Protocol):
    def write(self, rows: Sequence[Stored]) -> None: ...
    def end(self) -> None: ...


class CsvWriter:
    """RFC 4180, UTF-8. A text that a spreadsheet would run as a formula gets a quote before it; lists are joined with
    blanks."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._csv = csv.writer(self._text)
        self._csv.writerow(COLUMNS)

    def write(self, rows: Sequence[Stored]) -> None:
        for row in rows:
            values = msgspec.structs.astuple(row.entry)
            self._csv.writerow([row.seq, row.hash.hex(), *map(_cell, values)])

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

    def write(self, rows: Sequence[Stored]) -> None:
        lines = [
            msgspec.json.encode(
                {"seq": row.seq, "hash": row.hash.hex(), **{name: getattr(row.entry, name) for name in FIELDS}}
            )
            for row in rows
        ]
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
        kinds = {
            int: pyarrow.int64(),
            float: pyarrow.float64(),
            bool: pyarrow.bool_(),
            tuple[str, ...]: pyarrow.list_(pyarrow.string()),
        }
        fields = [("seq", pyarrow.int64()), ("hash", pyarrow.string())]
        fields += [(name, kinds.get(kind, pyarrow.string())) for name, kind in get_type_hints(Entry).items()]
        self._schema = pyarrow.schema(fields)
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Stored]) -> None:
        values = [(row.seq, row.hash.hex(), *msgspec.structs.astuple(row.entry)) for row in rows]
        columns = [
            self._arrow.array(column, type=field.type)
            for column, field in zip(zip(*values, strict=True), self._schema, strict=True)
        ]
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
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stdout: BinaryIO | None = None,
) -> int:
    """Write the entries that `query` finds to `target` ("-": to `stdout`); return how many there were.

    The file appears under its name when it is whole. An existing one is replaced only with `force`. `progress` is told
    entries done and in all. Raises ConfigError (the file exists, pyarrow is missing), StoreError (no space, no store).
    """
    total = await count(store, query) if progress is not None else 0
    if query.limit is not None:
        total = min(total, query.limit)
    if str(target) == "-":
        return await _stream(store, query, WRITERS[form](stdout or sys.stdout.buffer), progress, total)
    path = Path(target)
    if path.exists() and not force:
        raise _exists(path)
    part = path.with_name(f".{path.name}.{new_id('part')}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            done = await _stream(store, query, WRITERS[form](file), progress, total)
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
    store: Store, query: Query, writer: Writer, progress: Callable[[int, int], None] | None, total: int
) -> int:
    done = 0
    chunk: list[Stored] = []

    async def put() -> None:
        nonlocal done
        await asyncio.to_thread(writer.write, chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, max(total, done))

    async for stored in entries(store, query):
        chunk.append(stored)
        if len(chunk) == CHUNK:
            await put()
            chunk = []
    if chunk:
        await put()
    await asyncio.to_thread(writer.end)
    return done


def _exists(path: Path) -> ConfigError:
    return ConfigError(f"{path} exists already.", hint="name another file, or add --force to replace it")
