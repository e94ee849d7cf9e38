"""Says what runs of digits in a text are: cards, addresses of machines, national ids, telephone numbers, or nothing.
Knows the order in which they are asked; refuses to know letters but for the words that tell of a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from freehold.guards import national, phones
from freehold.guards.finding import Finding
from freehold.guards.numbers import card_network, is_ipv4

# Of shapes: begins with a digit and looks back from there, so that the engine finds the next digit by itself. The bound
# keeps what is looked at again small.
_RUN: Final = re.compile(rb"0(?<![A0_]0)(?<!0\.0)(?:(?:[ .-]|\)[ -]?| ?\(|/| [/-] )?0){3,35}(?:(?![A0_])|(?=A0))")
"""Digits, four or more, with what parts the groups of one number between them."""
_CARD: Final = re.compile(
    r"(?<![\d.])(?:\d{14,19}|\d{4}(?P<s>[ .-])\d{4}(?P=s)\d{4}(?P=s)\d{4}(?:(?P=s)\d{1,3}(?!\d))?"
    r"|\d{4}(?P<t>[ .-])\d{6}(?P=t)\d{4,5})(?!\d)"
)
_PIECE: Final = re.compile(r"\([^ ]{1,40}(?: [^ (]{1,40}){0,40}|[^ (]{1,40}")
_WORD: Final = re.compile(r"\w+")
_GROUP: Final = re.compile(r"\d*")
_NOT_DIGIT: Final = re.compile(r"\D+")
_EXTENSION: Final = re.compile(r"[xX]\d{1,6}(?!\w)", re.ASCII)
_CARDS: Final = frozenset(
    {"card", "cards", "cc", "credit", "debit", "visa", "maestro", "karte", "carte", "tarjeta", "carta"}
)
_VERSIONS: Final = ("version", "ver", "release", "firmware", "build")

_BEFORE, _AFTER = 64, 44
"""Characters before and after a number in which a word may tell what it is."""


def find_runs(text: str, shape: bytes, taken: list[Finding]) -> Iterator[Finding]:
    """Yield what the runs of digits in a text are, in order; not of those that are `taken` (in order) already.

    `shape`: the text with 0 for each digit and A for each letter, a byte for each character.
    """
    before = which = 0
    at = max(0, shape.find(b"0"))
    while (run := _RUN.search(shape, at)) is not None:
        start, end = run.span()
        while which < len(taken) and taken[which].end <= start:
            which += 1
        if which < len(taken) and taken[which].start < end:
            at = before = taken[which].end if taken[which].start <= start else end
            continue
        extension = None
        if shape[end : end + 1] == b"A":
            extension = _EXTENSION.match(text, end)
            if extension is None:
                at = end
                continue
        if end - start < 6 or _is_day(text, start, end):  # a year, most often: too short for anything
            at = before = end
            continue
        found = _whole(text, start, end, before)
        if found is None and end - start > 8:
            found = _part(text, start, end, before)
        if found is not None:
            if extension is not None and found.end == end and found.kind == "PHONE":
                found = found._replace(end=extension.end())
            yield found
            end = found.end
        at = before = end


def _is_day(text: str, start: int, end: int) -> bool:
    """Whether a run is a date or a span of years and nothing else, but for the hour of a time."""
    date = phones.DATE.match(text, start)
    if date is None or "+" in text[max(0, start - 2) : start]:
        return False
    return date.end() == end or (end - date.end() < 4 and text[date.end()] == " " and text[end : end + 1] == ":")


def _whole(text: str, start: int, end: int, before: int) -> Finding | None:
    """What a run is when it is one number. Words that tell of it are looked for from `before` on."""
    written = text[start:end]
    digits = written if written.isdigit() else _NOT_DIGIT.sub("", written)
    count = len(digits)
    if count < 6 or written.count(".") == 3:
        address = written.partition("/")[0]
        if written.count(".") == 3 and is_ipv4(address) and not _is_version(text, start, address):
            return Finding("IP", start, start + len(address))
        if count < 6:
            return None
    lead = text[max(0, start - 2) : start]
    if lead.endswith("+") or lead == "+(":
        return _international(start - 2 if lead in ("(+", "+(") else start - 1, text, start, end)
    if lead.endswith("(") and ")" in written:
        start, written = start - 1, "(" + written
    if count > 13 and _CARD.fullmatch(written):
        network = card_network(digits)
        if network is not None:
            return Finding("CARD", start, end, network)
    if count > 18:
        return None
    note = national.formed(written, digits)
    if note is not None:
        return Finding("NATIONAL_ID", start, end, note)
    if count > 16:
        return None
    if digits.startswith("00") and 9 < count < len(written):
        found = _international(start, text, start + 2, end)
        if found is not None:
            return found
    return _told(text, start, end, before, written, digits)


def _is_version(text: str, start: int, address: str) -> bool:
    """Return whether four numbers with points are likelier a version or a section: so called, or of one digit each."""
    parts = address.split(".")
    if len(address) == 7 and len(set(parts)) > 1:
        return True
    return text[max(0, start - 12) : start].lower().rstrip(" =:\"'(v").endswith(_VERSIONS)


def _told(text: str, start: int, end: int, before: int, written: str, digits: str) -> Finding | None:
    """What words near by say that it is, and what its form says where no word does."""
    near = text[max(before, start - _BEFORE) : start].lower()
    after = text[end : end + _AFTER].lower()
    words = set(_WORD.findall(near))
    for word in words.union(_WORD.findall(after)):
        for row in national.BY_WORD.get(word, ()):
            if len(digits) in row.lengths and row.check(digits):
                return Finding("NATIONAL_ID", start, end, row.note)
    for part, row in national.BY_PART:
        if part in near and len(digits) in row.lengths and row.check(digits):
            return Finding("NATIONAL_ID", start, end, row.note)
    if 12 <= len(digits) <= 13 and not words.isdisjoint(_CARDS):  # short numbers, as rare as article numbers are many
        network = card_network(digits)
        if network is not None:
            return Finding("CARD", start, end, network)
    country = phones.national(written, digits)
    if country is None and phones.in_context(written, digits):
        told = not words.isdisjoint(phones.WORDS) or any(part in near for part in phones.PARTS)
        told = told or phones.NEXT.match(after) is not None
        country = "" if told else None
    return None if country is None else Finding("PHONE", start, end, country)


def _international(begin: int, text: str, start: int, end: int) -> Finding | None:
    """The number that begins at `begin` with + or 00 and whose digits begin at `start`; groups after it are not its."""
    while end > start:
        digits = _NOT_DIGIT.sub("", text[start:end])
        if len(digits) < 7:
            return None
        first = _GROUP.match(text, start, end)
        country = phones.international(digits, first.end() - start if first else 0) if len(digits) <= 16 else None
        if country is not None:
            return Finding("PHONE", begin, end, country)
        shorter = end - 1
        while shorter > start and (text[shorter].isdigit() or not text[shorter - 1].isdigit()):
            shorter -= 1
        end = shorter
    return None


def _part(text: str, start: int, end: int, before: int) -> Finding | None:
    """The first number in a run that is more than one: a card among other digits, or what stands between spaces."""
    for card in _CARD.finditer(text, start, end) if end - start > 13 else ():
        digits = _NOT_DIGIT.sub("", card[0])
        # Sixteen digits in fours may be followed by what else stands on a card; it goes with them.
        network = card_network(digits) or (card["s"] and card_network(digits[:16]))
        if network:
            return Finding("CARD", *card.span(), network)
    if " " in text[start:end]:
        for piece in _PIECE.finditer(text, start, end):
            if 7 <= piece.end() - piece.start() < end - start:
                at = piece.start() + (text[piece.start()] == "(")
                found = _whole(text, at, piece.end(), before)
                if found is not None:
                    return found
    return None
