"""Rows as files that spreadsheets and programs read: CSV, and Parquet where pyarrow is. Refuses to know what rows
say."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from freehold.core.errors import ConfigError
from freehold.ledger.export import RISKY

Type = Literal["text", "decimal", "integer", "day", "moment"]

DIGITS = 38
"""Digits of a decimal in Parquet, of which `_PLACES` stand behind the point."""
_PLACES = 15


def cell(value: Any) -> Any:
    """Return a value as CSV has it: nothing is empty, numbers have no sign for thousands and no exponent, days and
    moments (UTC) are of ISO 8601. A text that a spreadsheet would run as a formula gets a quote before it."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value if isinstance(value, str) and value.startswith(RISKY) else value


def comma_separated(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV by RFC 4180, UTF-8, with the names of the columns first."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])
    return text.getvalue().encode()


def parquet(columns: Mapping[str, Type], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as Parquet. Needs pyarrow (the extra `parquet`); raises ConfigError without it."""
    try:
        import pyarrow  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as e:
        hint = "pip install 'freehold[parquet]', or ask for csv"
        raise ConfigError("Parquet needs the pyarrow package.", hint=hint) from e
    kinds = {
        "text": pyarrow.string(),
        "decimal": pyarrow.decimal128(DIGITS, _PLACES),
        "integer": pyarrow.int64(),
        "day": pyarrow.date32(),
        "moment": pyarrow.timestamp("ms", tz="UTC"),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    arrays = [pyarrow.array([row[field.name] for row in rows], type=field.type) for field in schema]
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), file, compression="zstd")
    return file.getvalue()
