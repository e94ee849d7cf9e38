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

_LOCAL: Final = re.compile(r"[\w.%+-]+")
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9\u00a1-\uffff](?:[A-Za-z0-9\u00a1-\uffff-]{0,62})\.){1,8}[A-Za-z\u00a1-\uffff]{2,24}"
)
# Patterns of shapes begin with a digit and look back from there: the engine finds the next digit by itself.
_IBAN: Final = re.compile(rb"0(?<=AA0)(?<![A0]AA0)0(?= ?[A0]{2})")
_MIXED: Final = re.compile(rb"0(?:(?<=A0)|(?=A|-A)|(?<=AA 0)(?=0 0)|(?=0{6} A)|(?=0 A 00)|(?<=A-0))")
"""Digits and letters side by side, as in the numbers that have both."""
_COLONS: Final = re.compile(rb":(?=[0-9A-Fa-f]{0,4}:)")
_IPV6: Final = re.compile(
    r"[0-9A-Fa-f:](?<![\w:.].)(?:(?<!:)[0-9A-Fa-f]{0,3}:|(?<=:)(?=:))(?:[0-9A-Fa-f]{0,4}:){1,6}"
    r"(?:[0-9A-Fa-f]{1,4}(?:(?:\.\d{1,3}){3})?|(?<=::))(?!\w|:[0-9A-Fa-f:])",
    re.ASCII,
)
_SEPARATOR: Final = re.compile(r"[^0-9A-Za-z]+")
_WIDEST: Final = 28
"""Characters that a number with letters in it takes at most, with what may follow it."""


def find(text: str, kinds: frozenset[str] | None = None) -> list[Finding]:
    """Return what was found, in order, none overlapping; of those `kinds` only, or of all. Time linear in the text.

    Look-alikes hide nothing: digits of other scripts, full-width forms, non-breaking spaces and characters without
    width are seen as what they look like. Places are those of `text` as it was given.
    """
    folded: Folded | None = None if text.isascii() else fold(text)
    plain = text if folded is None else folded.text
    raw = plain.encode("ascii", "replace")  # one byte for each character: places stay
    found: list[Finding] = []
    if kinds is None or "SECRET" in kinds:
        secrets = list(find_secrets(plain, raw))
        found = _distinct(secrets) if secrets else secrets
    if "@" in plain:
        found = _merged(found, _emails(plain))
    shape = raw.translate(_SHAPE)
    if b"0" in shape:
        found = _numbers(plain, raw, shape, found)
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


def _emails(text: str) -> list[Finding]:
    """Each @ with what stands before it (RFC 5321: 64 characters) and a domain after it."""
    found: list[Finding] = []
    least, at = 0, text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        if domain is not None:
            local = _LOCAL.match(text[max(least, at - 64) : at][::-1])
            if local is not None:
                found.append(Finding("EMAIL", at - local.end(), domain.end()))
                least = domain.end()
        at = text.find("@", at + 1)
    return found


def _numbers(text: str, raw: bytes, shape: bytes, found: list[Finding]) -> list[Finding]:
    """`found` and bank accounts, numbers with letters, addresses, then what is digits alone; each goes before the
    next."""
    if _MIXED.search(shape, shape.find(b"0")) is not None:
        if b"AA00" in shape:
            found = _merged(found, _ibans(text, shape))
        found = _merged(found, _lettered(text, shape, found))
    if _COLONS.search(raw) is not None:
        found = _merged(found, [Finding("IP", *m.span()) for m in _IPV6.finditer(text) if is_ipv6(m[0])])
    return _merged(found, list(find_runs(text, shape, found)))


def _ibans(text: str, shape: bytes) -> list[Finding]:
    found: list[Finding] = []
    for digits in _IBAN.finditer(shape):
        begin = digits.start() - 2
        if not found or begin >= found[-1].end:
            end = iban_end(text, begin)
            if end is not None:
                found.append(Finding("IBAN", begin, end, text[begin : begin + 2].upper()))
    return found


def _lettered(text: str, shape: bytes, taken: list[Finding]) -> list[Finding]:
    """National ids with letters in them; only what is near a letter beside a digit is looked at, and nothing taken."""
    found: list[Finding] = []
    done, which = 0, 0
    for hit in _MIXED.finditer(shape):
        at = hit.start()
        while which < len(taken) and taken[which].end <= at:
            which += 1
        if at < done or (which < len(taken) and taken[which].start <= at):
            continue
        begin, done = max(done, at - _WIDEST), at + _WIDEST
        near = shape[begin : done + _WIDEST]
        for row in national.LETTERED:
            for gate in row.gates:
                if gate in near:
                    found += [
                        Finding("NATIONAL_ID", *match.span(), row.note)
                        for match in row.form.finditer(text, begin, done + _WIDEST)
                        if row.check(_SEPARATOR.sub("", match[0]).upper())
                    ]
                    break
    return _distinct(found)
