"""What was earned, as we are told: a file of revenue by product and day, month or other period. Refuses to know where
the file lies and what is owed of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

import msgspec

from freehold.core.errors import BadRequest, ConfigError
from freehold.exits.periods import Period, period

COLUMNS = ("period", "product", "currency", "gross", "net")
"""Columns of the file; `day` may stand for `period`."""
_HEADER = "period,product,currency,gross,net"
_NUMBER = frozenset("0123456789.-")


class Earned(msgspec.Struct, frozen=True):
    """One row: what a product earned in a period, in units of `currency`; gross or net may be unknown. `line` is where
    it stands in the file."""

    period: Period
    product: str
    currency: str
    gross: Decimal | None
    net: Decimal | None
    line: int = 0

    def within(self, days: Period, net: bool) -> Fraction | None:
        """Return what of it falls on `days`, evenly by days where it is for more than these; None when that is not
        known."""
        whole = self.net if net else self.gross
        both = self.period.common(days)
        if whole is None or both is None:
            return None if whole is None else Fraction(0)
        return Fraction(whole) * Fraction(both.days, self.period.days)


def load(path: Path | None) -> tuple[Earned, ...] | None:
    """Read a file of revenue; None where none is named. Raises ConfigError for one that cannot be read."""
    if path is None:
        return None
    try:
        return read(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} cannot be read: {why}", hint="look at [contracts] revenue or --revenue") from e


def read(text: str, where: str) -> tuple[Earned, ...]:
    """Read a file of revenue: CSV with the columns period (or day), product, currency, and gross, net or both. Raises
    ConfigError that names `where` and the line."""
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = ["period" if name == "day" else name for name in names]
        _check(reader.fieldnames, where)
        return tuple(_row(row, f"{where}, line {reader.line_num}", reader.line_num) for row in reader)
    except csv.Error as e:
        raise ConfigError(f"{where}: {e}", hint="write it as CSV with commas between the values") from e


def _check(names: list[str], where: str) -> None:
    for name in ("period", "product", "currency"):
        if name not in names:
            raise ConfigError(f"{where}: there is no column {name}", hint=f"the first line is {_HEADER}")
    if not {"gross", "net"} & set(names):
        raise ConfigError(f"{where}: there is neither a column gross nor net", hint=f"the first line is {_HEADER}")
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            raise ConfigError(f"{where}: column {name!r} is unknown or there twice", hint=f"known are {_HEADER}")


def _row(row: Mapping[str, str | None], where: str, line: int) -> Earned:
    if None in row or None in row.values():
        raise ConfigError(f"{where}: not as many values as columns", hint=f"the first line is {_HEADER}")
    given = {name: (value or "").strip() for name, value in row.items()}
    try:
        when = period(given["period"])
    except BadRequest as e:
        raise ConfigError(f"{where}: {e.message}", hint=e.hint) from e
    currency = given["currency"]
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise ConfigError(f"{where}: {currency!r} is no currency", hint="write its three letters, e.g. USD")
    if not given["product"]:
        raise ConfigError(f"{where}: no product is named", hint="name a business function or a route")
    gross, net = (_amount(given.get(name, ""), where) for name in ("gross", "net"))
    if gross is None and net is None:
        raise ConfigError(f"{where}: neither gross nor net is stated", hint="state one of them, e.g. 1250.00")
    return Earned(when, given["product"], currency, gross, net, line)


def _amount(text: str, where: str) -> Decimal | None:
    if not text:
        return None
    try:
        if set(text) <= _NUMBER:
            return Decimal(text)
    except InvalidOperation:
        pass
    raise ConfigError(f"{where}: {text!r} is no amount", hint="write it as 1250.00, with no sign for thousands")
