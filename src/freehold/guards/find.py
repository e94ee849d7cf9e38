"""Finds personal data and secrets in a text. Knows which recognisers there are, what they cannot do without and who
goes before whom; refuses to know what follows from a finding.

Every recogniser stands behind a look for what it cannot do without: most text has none of it. The looks are made on the
text as bytes, translated to shapes, which costs a few nanoseconds a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from freehold.guards import national
from freehold.guards.digits import find_runs
from freehold.guards.finding import CLASS_OF, KINDS, Finding, class_of
from freehold.guards.fold import Folded, fold
from freehold.guards.numbers import iban_end, is_ipv6
from freehold.guards.secrets import find_secrets

__all__ = ["CLASS_OF", "KINDS", "Finding", "class_of", "find"]

_SHAPE: Final = bytes(
    ord("0") if 48 <= i < 58 else ord("A") if i < 128 and chr(i).isalpha() else i if i < 128 else ord("x")
    for i in range(256)
)
_NO_DIGITS: Final = bytes(i for i in range(256) if not 48 <= i < 58)

_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[\w.%+-]++@"
    r"(?:[A-Za-z0-9\u00a1-\uffff](?:[A-Za-z0-9\u00a1-\uffff-]{0,62})\.){1,8}[A-Za-z\u00a1-\uffff]{2,24}"
)
# These begin with a set of characters and look back from behind the first of them: the engine then skips to the next
# one of the set, where a look back at the very start would be tried at each character of the text.
_IBAN: Final = re.compile(r"\d(?<=[A-Za-z]{2}.)(?<![A-Za-z0-9][A-Za-z]{2}.)\d(?= ?[A-Za-z0-9]{2})", re.ASCII)
_IPV6: Final = re.compile(
    r"[0-9A-Fa-f:](?<![\w:.].)(?:(?<!:)[0-9A-Fa-f]{0,3}:|(?<=:)(?=:))(?:[0-9A-Fa-f]{0,4}:){1,6}"
    r"(?:[0-9A-Fa-f]{1,4}(?:(?:\.\d{1,3}){3})?|(?<=::))(?!\w|:[0-9A-Fa-f:])",
    re.ASCII,
)
_SEPARATOR: Final = re.compile(r"[^0-9A-Za-z]+")


def find(text: str, kinds: frozenset[str] | None = None) -> list[Finding]:
    """Return what was found, in order, none overlapping; of those `kinds` only, or of all. Time linear in the text.

    Look-alikes hide nothing: digits of other scripts, full-width forms, non-breaking spaces and characters without
    width are seen as what they look like. Places are those of `text` as it was given.
    """
    folded: Folded | None = None if text.isascii() else fold(text)
    plain = text if folded is None else folded.text
    raw = plain.encode("utf-8", "surrogatepass")
    found: list[Finding] = []
    if kinds is None or "SECRET" in kinds:
        found = _distinct(find_secrets(plain, raw))
    if "@" in plain and (kinds is None or "EMAIL" in kinds):
        found = _merged(found, [Finding("EMAIL", *match.span()) for match in _EMAIL.finditer(plain)])
    if raw.translate(None, _NO_DIGITS):
        found = _merged(found, _numbers(plain, raw))
    if kinds is not None:
        found = [each for each in found if each.kind in kinds]
    return found if folded is None else folded.back(found)


def _distinct(found: Iterable[Finding]) -> list[Finding]:
    """In order; of those that overlap the one that begins first, then the longest."""
    kept: list[Finding] = []
    for each in sorted(found, key=lambda each: (each.start, -each.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept


def _merged(first: list[Finding], more: list[Finding]) -> list[Finding]:
    """Both, each in order already, in order; of what overlaps only that of `first`."""
    if not first or not more:
        return first or more
    merged: list[Finding] = []
    at = 0
    for each in more:
        while at < len(first) and first[at].end <= each.start:
            merged.append(first[at])
            at += 1
        if at == len(first) or each.end <= first[at].start:
            merged.append(each)
    return merged + first[at:]


def _numbers(text: str, raw: bytes) -> list[Finding]:
    """Bank accounts, numbers with letters, addresses, then what is digits alone: each goes before the next."""
    shape = raw.translate(_SHAPE)
    found: list[Finding] = []
    if b"AA00" in shape:
        found = _ibans(text)
    if (
        b"A0" in shape
        or b"0A" in shape
        or b"0-A" in shape
        or b"AA 00 00" in shape
        or b"0000000 A" in shape
        or b"00 A 00" in shape
        or b"A-0000000" in shape
    ):
        for row in national.LETTERED:
            if any(gate in shape for gate in row.gates):
                more = [
                    Finding("NATIONAL_ID", *match.span(), row.note)
                    for match in row.form.finditer(text)
                    if row.check(_compact(match[0]))
                ]
                found = _merged(found, more)
    if shape.count(b":") > 1:
        found = _merged(found, [Finding("IP", *m.span()) for m in _IPV6.finditer(text) if is_ipv6(m[0])])
    return _merged(found, list(find_runs(text)))


def _compact(number: str) -> str:
    return _SEPARATOR.sub("", number).upper()


def _ibans(text: str) -> list[Finding]:
    found: list[Finding] = []
    for digits in _IBAN.finditer(text):
        begin = digits.start() - 2
        if not found or begin >= found[-1].end:
            end = iban_end(text, begin)
            if end is not None:
                found.append(Finding("IBAN", begin, end, text[begin : begin + 2].upper()))
    return found
