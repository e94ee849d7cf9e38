"""What a limit is: its written forms, its window in time, its identity. Refuses to know how anything is counted."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from freehold.core.errors import ConfigError
from freehold.core.money import nano, show

Measure = Literal["requests", "tokens", "money"]
Window = Literal["minute", "day", "month", "total"]

LARGEST = (1 << 62) - 1
"""The largest amount that a counter can hold; as money, about 4.6 thousand million currency units."""

CURRENCY = "USD"
"""The currency that budgets are counted in, and so that of every price that counts towards one."""

_WINDOWS: dict[str, Window] = {
    "minute": "minute", "min": "minute", "m": "minute", "day": "day", "d": "day", "month": "month", "total": "total",
}  # fmt: skip
_MEASURES: dict[str, Measure] = {
    "requests": "requests", "request": "requests", "tokens": "tokens", "token": "tokens", "budget": "money",
}  # fmt: skip
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_AMOUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_FORM = (
    "write it as requests=60/minute, tokens=100000/minute or budget=5.00 USD/day (windows: minute, day, month, total)"
)


class Limit(msgspec.Struct, frozen=True):
    """At most `amount` of `measure` in any `window` for `subject` ("key:<id>" or "team:<id>").

    `amount` counts requests, tokens, or nano-units of `currency`. A minute is any sixty seconds; days and months are
    those of the calendar in UTC; a total never ends. `id` stays the same when only the amount changes, so that raising
    a limit forgets nothing that was counted.
    """

    id: str
    subject: str
    measure: Measure
    window: Window
    amount: int
    currency: str = ""

    def describe(self) -> str:
        """Return the limit in the form that `parse` reads, e.g. "budget=5.00 USD/day"."""
        name = "budget" if self.measure == "money" else self.measure
        return f"{name}={self.say(self.amount)}/{self.window}"

    def say(self, amount: int) -> str:
        """Return `amount` of what this limit counts for people, e.g. "5.00 USD" or "60"."""
        return show(amount, self.currency or CURRENCY) if self.measure == "money" else str(amount)


def parse(text: str, subject: str) -> Limit:
    """Read one limit, e.g. "tokens=100k/minute", for `subject`; ConfigError says what is wrong with it.

    A budget is in CURRENCY: another one is refused, for nothing here converts money.
    """
    name, sign, rest = text.strip().partition("=")
    amount_text, slash, window_text = rest.rpartition("/")
    measure = _MEASURES.get(name.strip().lower())
    window = _WINDOWS.get(window_text.strip().lower())
    if not sign or not slash or measure is None or window is None:
        raise ConfigError(f"not a limit: {text!r}", hint=_FORM)
    match = _AMOUNT.fullmatch(amount_text.strip())
    if match is None:
        raise ConfigError(f"not an amount: {amount_text.strip()!r} in the limit {text!r}", hint=_FORM)
    digits, unit = match[1].replace("_", "").replace(",", ""), match[2]
    amount = _money(digits, unit, text) if measure == "money" else _count(digits, unit, text)
    if not 0 <= amount <= LARGEST:
        raise ConfigError(f"the amount of the limit {text!r} is too large to count", hint="use a smaller amount")
    return make(subject, measure, window, amount)


def make(subject: str, measure: Measure, window: Window, amount: int) -> Limit:
    """Return the limit of `amount` (requests, tokens or nano-units) for `subject`, with its identity."""
    unit = CURRENCY if measure == "money" else ""
    return Limit(f"{subject}/{measure}/{window}", subject, measure, window, amount, unit)


def parse_all(texts: Iterable[str], subject: str) -> tuple[Limit, ...]:
    """Read several limits of one subject. Two of one measure and window are refused: which one holds would be a
    guess."""
    limits = tuple(parse(text, subject) for text in texts)
    seen: set[str] = set()
    for limit in limits:
        if limit.id in seen:
            raise ConfigError(
                f"two limits on {limit.measure} per {limit.window} for {subject}", hint="keep the one that is meant"
            )
        seen.add(limit.id)
    return limits


def opened(window: Window, at_ns: int) -> int | None:
    """Return when the window that holds `at_ns` began (ns); None for a total. A sliding minute began a minute
    before."""
    if window == "total":
        return None
    if window == "minute":
        return at_ns - 60_000_000_000
    day = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).replace(hour=0, minute=0, second=0)
    return int((day if window == "day" else day.replace(day=1)).timestamp()) * 1_000_000_000


def closes(window: Literal["day", "month"], at_ns: int) -> int:
    """Return when the calendar window that holds `at_ns` ends (ns): the next midnight, or first of a month, in UTC."""
    day = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).replace(hour=0, minute=0, second=0)
    days = 1 if window == "day" else calendar.monthrange(day.year, day.month)[1] - day.day + 1
    return int((day + timedelta(days=days)).timestamp()) * 1_000_000_000


def _count(digits: str, unit: str, text: str) -> int:
    scale = _SCALES.get(unit.lower())
    if scale is None:
        raise ConfigError(f"unknown unit {unit!r} in the limit {text!r}", hint=_FORM)
    value = Decimal(digits) * scale
    if value != value.to_integral_value():
        raise ConfigError(f"the limit {text!r} is not a whole number", hint="requests and tokens come whole")
    return int(value)


def _money(digits: str, unit: str, text: str) -> int:
    if unit and unit.upper() != CURRENCY:
        raise ConfigError(
            f"the limit {text!r} is in {unit.upper()}, budgets are counted in {CURRENCY}",
            hint=f"state it in {CURRENCY}; nothing here converts currencies",
        )
    try:
        return nano(digits)
    except (ValueError, InvalidOperation) as e:
        raise ConfigError(f"not an amount of money: {digits!r} in the limit {text!r}", hint=_FORM) from e
