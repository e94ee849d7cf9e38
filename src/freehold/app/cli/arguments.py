"""What may stand behind an option: a moment, an amount, a limit. What cannot be read is wrong usage, exit code 2."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from datetime import date

    from freehold.ledger import Mark

T = TypeVar("T")
_LARGEST = 1 << 63
"""What the store can compare with; no time and no amount that is meant comes near it."""


def count(text: str) -> int:
    """Read a whole number of at least 0."""
    return _number(text, 0)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    return _number(text, 1)


def moment(text: str) -> int:
    """Read a time, nanoseconds: so long ago ("24h") or a date or time in ISO 8601, UTC unless it says otherwise."""
    from datetime import UTC, datetime

    from freehold.core.clock import now_ns

    spans = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
    try:
        if span := re.fullmatch(r"([0-9]{1,6})([mhdw])", text):
            return _stored(now_ns() - int(span[1]) * spans[span[2]] * 1_000_000_000)
        at = datetime.fromisoformat(text)
        return _stored(int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()) * 1_000_000_000)
    except (ValueError, OverflowError) as e:
        raise _bad(f"not a time: {text!r}", 'write "24h", "2026-11-01" or "2026-11-01T12:00:00Z"') from e


def day(text: str) -> date:
    """Read a day."""
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError as e:
        raise _bad(f"not a day: {text!r}", "write it as 2026-01-31") from e


def expiry(text: str) -> int:
    """Read a time to come, nanoseconds: a span from now ("90d") or a date or time in ISO 8601."""
    from freehold import access
    from freehold.core.clock import now_ns

    at = _said(lambda: access.expiry(text, now_ns()))
    if at <= now_ns():
        raise _bad(f"{text!r} is over", "name a later time")
    return at


def amount(text: str) -> int:
    """Read an amount of money in units of a currency, as nano-units."""
    from freehold.core.money import nano

    try:
        return _stored(nano(text))
    except ValueError as e:
        raise _bad(f"not an amount: {text!r}", "write it as 0.25") from e


def limit(text: str) -> str:
    """Read a limit; it stays text, for whose it is is not known yet."""
    from freehold import access

    _said(lambda: access.parse(text, "key:new"))
    return text


def name(text: str) -> str:
    """Read what a new key or team is to be called."""
    from freehold.access.names import check_name

    _said(lambda: check_name(text, "it"))
    return text


def group(text: str) -> str:
    """Read what the ledger can be summed by."""
    from freehold.app.config import suggest
    from freehold.ledger.query import GROUPS

    if text not in GROUPS:
        raise _bad(f"there is no sum by {text!r}", suggest(text, GROUPS))
    return text


def head(text: str) -> Mark:
    """Read a head of the chain as `ledger verify` prints it."""
    from freehold.ledger import Mark

    try:
        return Mark.parse(text)
    except ValueError as e:
        form = "NUMBER:HASH, the hash 64 hexadecimal digits, as `freehold ledger verify` prints it"
        raise _bad(f"not a head of the chain: {text!r}", form) from e


def _number(text: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < least:
        raise argparse.ArgumentTypeError(f"not a whole number of at least {least}: {text!r}")
    return int(text)


def _stored(number: int) -> int:
    if not -_LARGEST < number < _LARGEST:
        raise ValueError("beyond what can be stored")
    return number


def _said(read: Callable[[], T]) -> T:
    """Return what a room reads; what it says against the text is what is wrong with the usage."""
    from freehold.core.errors import FreeholdError

    try:
        return read()
    except FreeholdError as e:
        raise _bad(e.message, e.hint) from e


def _bad(message: str, hint: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{message} ({hint})" if hint else message)
