"""Money as integers: nano-units (1e-9) of a currency. Refuses floats."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO = 1_000_000_000
MILLION = 1_000_000


def nano(amount: str | int | Decimal) -> int:
    """Return `amount` (currency units, e.g. "2.50") in nano-units, exactly; ValueError when it is finer than a nano."""
    try:
        value = Decimal(amount) * NANO
    except InvalidOperation as e:
        raise ValueError(f"not an amount of money: {amount!r}") from e
    if not value.is_finite() or value != value.to_integral_value():
        raise ValueError(f"not an amount of money in whole nano-units: {amount!r}")
    return int(value)


def charge(tokens: int, per_million: int) -> int:
    """Return the cost in nano-units of `tokens` at `per_million` nano-units a million tokens, half to even."""
    quotient, rest = divmod(tokens * per_million, MILLION)
    if rest * 2 > MILLION or (rest * 2 == MILLION and quotient & 1):
        quotient += 1
    return quotient


def show(amount: int, currency: str = "USD") -> str:
    """Return `amount` nano-units for people: at least two, at most nine decimals, e.g. "0.000123 USD"."""
    value = (Decimal(amount) / NANO).quantize(Decimal("1e-9"), rounding=ROUND_HALF_EVEN)
    whole, _, frac = f"{value:f}".partition(".")
    return f"{whole}.{frac.rstrip('0').ljust(2, '0')} {currency}"
