"""A book of list prices: how it is written and how a model's price is found in it. Refuses to guess."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

from freehold.contracts.price import Price, Tier, charge
from freehold.core.call import Usage
from freehold.core.clock import begin
from freehold.core.errors import ConfigError
from freehold.core.money import NANO, nano

_VERSION = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest)\Z")
"""What vendors append to a name to say which build of one model it is; nothing else is taken for one."""

_RATES = frozenset({"input", "cached", "output", "currency", "tiers", "from", "until", "source", "checked", "note"})
_TIER = frozenset({"above", "input", "cached", "output"})
_KEPT = 4096
DEAREST = 1_000_000 * NANO
"""The highest rate that is taken, in nano-units for a million tokens: one of the currency for each token. Sums of a
ledger hold 64 bits, and a slip of the pen must not fill them."""


class PriceBook:
    """List prices by seller and model, each with the days it holds. Never changed once built."""

    def __init__(self, rows: Iterable[tuple[str, str, Price]]) -> None:
        """`rows` are (seller, model, price); a model may have several, of different days, the later ones preferred."""
        self._rows: dict[tuple[str, str], list[Price]] = {}
        for seller, model, price in rows:
            self._rows.setdefault((seller.lower(), model.lower()), []).append(price)
        for prices in self._rows.values():
            prices.sort(key=lambda price: price.valid_from or 0, reverse=True)
        self._found: dict[tuple[str, str], list[Price]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def rows(self) -> list[tuple[str, str, Price]]:
        """Return all rows as (seller, model, price), sorted."""
        return [(*key, price) for key, prices in sorted(self._rows.items()) for price in prices]

    def only(self, currency: str) -> PriceBook:
        """Return the book without prices in another currency: what they say could not be added to the others."""
        return PriceBook(row for row in self.rows() if row[2].currency == currency)

    def find(self, seller: str, model: str, at: int) -> Price | None:
        """Return the price of `model` at `seller` at time `at` (ns); None when the book has none.

        The name itself comes first; then the name without its build, a date or "latest" at its end, so that
        gpt-4o-2024-08-06 is priced as gpt-4o. No other likeness counts: gpt-4o-audio-preview is another model.
        """
        key = (seller, model)
        prices = self._found.get(key)
        if prices is None:
            prices = self._look(seller.lower(), model.lower())
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[key] = prices
        for price in prices:
            if price.holds(at):
                return price
        return None

    def _look(self, seller: str, model: str) -> list[Price]:
        prices = self._rows.get((seller, model))
        if prices is None and (base := _VERSION.sub("", model)) != model:
            prices = self._rows.get((seller, base))
        return prices or []

    def estimate(self, seller: str, model: str, usage: Usage, at: int) -> tuple[int, str] | None:
        """Return (nano-units, currency) that `usage` would cost at time `at` (ns); None when no price is known."""
        price = self.find(seller, model, at)
        return None if price is None else (charge(usage, price), price.currency)

    @classmethod
    def parse(cls, text: str, *, where: str = "prices") -> PriceBook:
        """Read a book from TOML: a table per seller with `source`, `checked`, `currency` for its rows and the rows
        under `models`. A row is a table of rates in currency units per million tokens, or a list of such, with `from`
        and `until` days; `alias` names further names. ConfigError, naming `where`, for what is none of this."""
        try:
            tables = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as e:
            raise ConfigError(f"{where}: {e}", hint="correct the file's TOML") from e
        rows: list[tuple[str, str, Price]] = []
        for seller, table in tables.items():
            models = table.get("models") if isinstance(table, dict) else None
            if not isinstance(models, dict):
                raise ConfigError(
                    f"{where}: {seller} has no models", hint=f"write [{seller}.models] and a row under it"
                )
            shared = {name: value for name, value in table.items() if name != "models"}
            for model, given in models.items():
                for row in given if isinstance(given, list) else [given]:
                    place = f'{where}: {seller}.models."{model}"'
                    if not isinstance(row, dict):
                        raise ConfigError(
                            f"{place} is not a table of rates", hint='write { input = "2.50", output = "10" }'
                        )
                    names = [model, *row.get("alias", ())]
                    price = read_price({**shared, **{k: v for k, v in row.items() if k != "alias"}}, where=place)
                    rows += [(seller, name, price) for name in names]
        return cls(rows)


def shipped() -> PriceBook:
    """Return the book that comes with the house; each row says where it is from and when somebody looked."""
    return PriceBook.parse(resources.files(__package__).joinpath("prices.toml").read_text("utf-8"), where="prices.toml")


def read_price(table: Mapping[str, Any], *, where: str = "price") -> Price:
    """Read a price as written in configuration, e.g. { input = "2.50", cached = "1.25", output = "10.00" }.

    Rates are currency units per million tokens, as text, integers or Decimals: parse the TOML with
    `parse_float=Decimal`, for a float has lost what was written. ConfigError, naming `where`, for anything else.
    """
    unknown = sorted(set(table) - _RATES)
    if unknown:
        raise ConfigError(f"{where}: unknown {', '.join(unknown)}", hint=f"known are {', '.join(sorted(_RATES))}")
    if "input" not in table:
        raise ConfigError(f"{where}: no input rate", hint='write { input = "2.50", output = "10.00" }')
    currency = table.get("currency", "USD")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise ConfigError(f"{where}.currency: {currency!r} is no currency", hint='write its three letters, e.g. "USD"')
    tiers = tuple(_tier(tier, where) for tier in table.get("tiers", ()))
    words = {name: table.get(name, "") for name in ("source", "note")}
    checked = table.get("checked", "")
    return Price(
        input=_rate(table["input"], f"{where}.input"),
        output=_rate(table.get("output", 0), f"{where}.output"),
        cached=_rate(table["cached"], f"{where}.cached") if "cached" in table else None,
        currency=currency,
        tiers=tuple(sorted(tiers, key=lambda tier: tier.above)),
        valid_from=_day(table.get("from"), f"{where}.from"),
        valid_until=_day(table.get("until"), f"{where}.until"),
        checked=checked.isoformat() if isinstance(checked, date) else str(checked),
        **{name: str(value) for name, value in words.items()},
    )


def _tier(table: Any, where: str) -> Tier:
    if not isinstance(table, Mapping) or set(table) - _TIER or not isinstance(table.get("above"), int):
        raise ConfigError(
            f"{where}.tiers: {table!r} is no tier", hint='write { above = 200000, input = "4", output = "12" }'
        )
    if "input" not in table or "output" not in table:
        raise ConfigError(f"{where}.tiers: a tier needs its own input and output rates", hint="state both")
    cached = _rate(table["cached"], f"{where}.tiers.cached") if "cached" in table else None
    return Tier(table["above"], _rate(table["input"], where), _rate(table["output"], where), cached)


def _rate(value: Any, where: str) -> int:
    hint = 'write currency units per million tokens, e.g. "2.50"; at most nine decimals'
    if isinstance(value, float | bool) or not isinstance(value, str | int | Decimal):
        raise ConfigError(f"{where}: {value!r} is not an exact amount", hint=hint)
    try:
        rate = nano(value)
    except ValueError as e:
        raise ConfigError(f"{where}: {e}", hint=hint) from e
    if rate < 0:
        raise ConfigError(f"{where}: a rate below zero", hint=hint)
    if rate > DEAREST:
        raise ConfigError(f"{where}: {value} is more than a million for a million tokens", hint=hint)
    return rate


def _day(value: Any, where: str) -> int | None:
    """Return when the day begins, in nanoseconds."""
    if value is None:
        return None
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = None
    if not isinstance(day, date):
        raise ConfigError(f"{where}: {value!r} is no day", hint="write it as 2026-01-31")
    return begin(day)
