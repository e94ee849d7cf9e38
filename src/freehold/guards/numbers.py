"""Checks that tell a payment card, an IBAN, an address or a telephone number from other digits. Pure."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
"""Characters of an IBAN by country (the SWIFT IBAN registry)."""

_LETTERS = {ord(c): str(int(c, 36)) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

_NETWORKS = tuple(
    (network, int(first), int(last), frozenset(int(n) for n in lengths.split("/")))
    for network, first, last, lengths in (
        row.split()
        for row in """
        visa 400000 499999 13/16/19
        mastercard 510000 559999 16
        mastercard 222100 272099 16
        mir 220000 220499 16/17/18/19
        amex 340000 349999 15
        amex 370000 379999 15
        diners 300000 305999 14/16/17/18/19
        diners 309500 309599 14/16/17/18/19
        diners 360000 369999 14/16/17/18/19
        diners 380000 399999 14/16/17/18/19
        jcb 352800 358999 16/17/18/19
        jcb 213100 213199 15
        jcb 180000 180099 15
        discover 601100 601199 16/17/18/19
        discover 644000 659999 16/17/18/19
        unionpay 620000 629999 16/17/18/19
        unionpay 810000 817199 16/17/18/19
        maestro 500000 509999 12/13/14/15/16/17/18/19
        maestro 560000 589999 12/13/14/15/16/17/18/19
        maestro 630000 639999 12/13/14/15/16/17/18/19
        maestro 670000 679999 12/13/14/15/16/17/18/19
        rupay 606900 608999 16
        rupay 817200 820199 16
        hipercard 606282 606282 16
        troy 979200 979289 16
        """.strip().splitlines()
    )
)
"""Payment networks: first six digits of their cards, from and to, and how many digits cards have (ISO/IEC 7812 issuer
identification numbers as the networks publish them; November 2026)."""

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def card_network(digits: str) -> str | None:
    """Return the network of the payment card that the digits number, e.g. `visa`; None: they number none. A network's
    range and the Luhn check (ISO/IEC 7812-1, annex B) must both hold."""
    if not 12 <= len(digits) <= 19:
        return None
    issuer = int(digits[:6])
    for network, first, last, lengths in _NETWORKS:
        if first <= issuer <= last and len(digits) in lengths:
            values = [ord(c) - 48 for c in reversed(digits)]
            odd = (sum(values[::2]) + sum(_DOUBLED[v] for v in values[1::2])) % 10
            return None if odd else network
    return None


def is_card(digits: str) -> bool:
    """Return whether 12 to 19 digits number a payment card."""
    return card_network(digits) is not None


@cache
def _iban_form(length: int) -> re.Pattern[str]:
    """The pattern of an IBAN of that many characters; single spaces may part its groups."""
    return re.compile(rf"[A-Za-z]{{2}}\d\d(?: ?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])", re.ASCII)


def iban_end(text: str, start: int) -> int | None:
    """Return where the IBAN ends that begins at `start`; None when none does (ISO 13616; check digits by ISO 7064
    MOD 97-10)."""
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    match = _iban_form(length).match(text, start) if length is not None else None
    if match is None:
        return None
    compact = match[0].replace(" ", "").upper()
    return match.end() if int((compact[4:] + compact[:4]).translate(_LETTERS)) % 97 == 1 else None


def is_ipv4(text: str) -> bool:
    """Return whether `text` is an IPv4 address in dotted form."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def is_ipv6(text: str) -> bool:
    """Return whether `text` is an IPv6 address with a digit in it and a part of three signs or more, so that no `a::b`
    and no `[1::2]` of a program is taken for one."""
    if not any(c.isdigit() for c in text) or max(map(len, text.split(":"))) < 3:
        return False
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
