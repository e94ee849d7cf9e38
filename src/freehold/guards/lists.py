"""Word lists and how a text is looked through for them, in time linear in it. Knows words and their company; refuses to
understand anything, and to know what follows.

A text is folded (plain.py); its words and its pairs of neighbours tell whether anything can be there at all: most texts
end here, for a pair is far rarer than the words that it is made of.
Spaced (k i l l) and stretched (kiiill) letters, and a 1 that may be an i or an l, are put right where a look says that
there are any. The lists are words/NAME.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import product
from typing import Annotated

import msgspec

from freehold.guards.plain import TABLE, fold, seen
from freehold.guards.taxonomy import CATEGORIES, Concern

LANGUAGES = ("de", "en", "es", "fr")
"""Lists of what must not be said, by language."""
ATTACKS = "injection"
"""The list of signs of an attack on a model, in all languages; no rule of another list has its category."""

_NO_DIGITS = bytes(byte if chr(byte).isalpha() and byte < 128 else 32 for byte in range(256))
_SPACED = re.compile(rb" [a-z] [a-z] [a-z] ")
_APART = re.compile(rb"(?<=[ ][a-z]) (?=[a-z] )")
_STRETCHED = re.compile(rb"([a-z])\1\1+")
_SAME = re.compile(rb"\0\0")
_RARE = 1_000_000
_SOME = 64
"""Words among which drawn out letters are looked for at once."""
_ONE = re.compile(rb"1(?:(?<=[A-Za-z]1)|(?=[A-Za-z]))")
_ONES = 4
"""How many 1 of a word are tried as i and as l, and how many drawn out letters as one and as two."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename={"company": "with"}, forbid_unknown_fields=True):
    """One rule of a list. `words` are phrases of which one must be there; one of `company`, where there are any, must
    stand within `near` words of it, and none of `unless`. {a,b} in a phrase stands for each of them."""

    name: str
    category: str
    severity: Annotated[int, msgspec.Meta(ge=2, le=6, multiple_of=2)]
    words: tuple[str, ...]
    company: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    near: Annotated[int, msgspec.Meta(ge=1, le=40)] = 8


class List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of one language; `common` are words that many texts have, the most common first: no phrase is
    found by them that has a rarer word."""

    rule: tuple[Rule, ...]
    common: str = ""


Company = dict[bytes, list[list[bytes]]]
"""Phrases by their first word."""


class _Ready(msgspec.Struct, frozen=True, eq=False):
    """A rule as it is looked for."""

    concern: Concern
    company: Company
    unless: Company
    near: int


Pair = tuple[bytes, bytes]
_LETTERS = frozenset((bytes([one]), bytes([other])) for one in range(97, 123) for other in range(97, 123))
"""Words of one letter side by side: spaced letters."""
Shape = tuple[int, int]
"""Where in a phrase the pair of words stands by which it is found, and how many words the phrase has."""


class Words:
    """All lists, made ready. `find` is what they are for."""

    def __init__(self, lists: Mapping[str, List]) -> None:
        # A phrase of one word -> the rules that have it; the rarest pair of another one -> shape -> phrases of that
        # shape, each with its rules.
        self._alone: dict[bytes, list[_Ready]] = {}
        self._phrases: dict[Pair, dict[Shape, dict[tuple[bytes, ...], list[_Ready]]]] = {}
        common: dict[bytes, int] = {}
        for each in lists.values():
            for rank, word in enumerate(fold(each.common).split()):
                common[word] = min(rank, common.get(word, rank))
        for language, each in lists.items():
            for rule in each.rule:
                assert rule.category in CATEGORIES, rule.category
                self._add(rule, Concern(rule.category, rule.severity, f"{language}/{rule.name}"), common)
        longer = (phrase for shapes in self._phrases.values() for phrases in shapes.values() for phrase in phrases)
        self._words, self._pairs = frozenset(self._alone), _LETTERS.union(self._phrases)
        self._known = self._words.union(*longer)

    def _add(self, rule: Rule, concern: Concern, common: Mapping[bytes, int]) -> None:
        ready = _Ready(concern, _indexed(rule.company), _indexed(rule.unless), rule.near)
        for phrase in _folded(rule.words):
            _put(self._alone.setdefault(b"".join(phrase), []), ready)  # spaced letters come together as one word
            if len(phrase) > 1:
                rare = [common.get(word, _RARE + len(word)) + 1 for word in phrase]  # a word is as rare as its rank
                at = max(range(len(phrase) - 1), key=lambda n: rare[n] * rare[n + 1])
                shapes = self._phrases.setdefault((phrase[at], phrase[at + 1]), {})
                _put(shapes.setdefault((at, len(phrase)), {}).setdefault(tuple(phrase), []), ready)

    def find(self, text: str) -> list[Concern]:
        """Return what each rule that holds finds in `text`, once. Time linear in the text."""
        plain = seen(text)
        data = plain.translate(TABLE)
        words = data.split()
        found: dict[int, Concern] = {}
        pairs = self._look(words, found)
        if _ONE.search(plain) is not None:
            meant = {word: self._meant(word) for word in _with_one(plain, data)}
            if any(word != other for word, other in meant.items()):
                self._look([meant.get(word, word) for word in words], found)
        if pairs and _SPACED.search(data) is not None:
            self._look(_APART.sub(b"", b" " + data + b" ").split(), found)
        if _runs(data) and _runs(b" ".join(data.translate(_NO_DIGITS).replace(b"www", b"w").split())):
            self._look(self._all_shrunk(words), found)
        return list(found.values())

    def _meant(self, word: bytes) -> bytes:
        """Return the word of a list that is meant by one with a 1 in it, or the word itself."""
        parts = word.split(b"1")
        if 1 < len(parts) <= _ONES + 1:
            for letters in product(b"il", repeat=len(parts) - 1):
                tried = parts[0] + b"".join(
                    bytes([letter]) + part for letter, part in zip(letters, parts[1:], strict=True)
                )
                if tried in self._known:
                    return tried
        return word

    def _all_shrunk(self, words: list[bytes]) -> list[bytes]:
        """Return the words, each that has letters drawn out as the one that is meant."""
        out: list[bytes] = []
        for at in range(0, len(words), _SOME):
            some = words[at : at + _SOME]
            drawn = _runs(b" ".join(some))
            out += [self._shrunk(word) if _runs(word) else word for word in some] if drawn else some
        return out

    def _shrunk(self, word: bytes) -> bytes:
        """Return the word of a list that is meant by one with letters drawn out, or one without any twice in a row."""
        parts = _STRETCHED.split(word)  # between the runs, whose letters stand at the odd places
        runs = len(parts) // 2
        if runs <= _ONES:
            for times in product((1, 2), repeat=runs):
                tried = b"".join(part * times[n // 2] if n % 2 else part for n, part in enumerate(parts))
                if tried in self._known:
                    return tried
        return _STRETCHED.sub(rb"\1", word)

    def _look(self, words: list[bytes], found: dict[int, Concern]) -> frozenset[Pair]:
        """Put what the rules find among these words to what was found, and return which pairs are there that matter."""
        after = words[1:]  # zip fills one tuple again and again; pairwise, which does not, takes half as long again
        pairs = self._pairs.intersection(zip(words, after, strict=False))
        alone = self._words.intersection(words)
        if not pairs and not alone:
            return pairs
        dead: set[int] = set()  # rules whose company is nowhere in the text
        for start, length, rule in self._said(words, alone, pairs):
            known = id(rule)
            if known in found or known in dead:
                continue
            if rule.company and rule.company.keys().isdisjoint(words):
                dead.add(known)
                continue
            first, last = max(0, start - rule.near), start + length + rule.near
            if rule.company and not _has(rule.company, words, first, last):
                continue
            if not _has(rule.unless, words, first, last):
                found[known] = rule.concern
        return pairs

    def _said(
        self, words: list[bytes], alone: frozenset[bytes], pairs: frozenset[Pair]
    ) -> Iterator[tuple[int, int, _Ready]]:
        """Yield where phrases stand, how many words they have, and their rules; `alone` and `pairs` are those that are
        there."""
        begin = alone | {first for first, _ in pairs}
        for at in [at for at, word in enumerate(words) if word in begin]:
            for rule in self._alone.get(words[at], ()):
                yield at, 1, rule
            pair = (words[at], words[at + 1]) if at + 1 < len(words) else (words[at], b"")
            for (place, length), phrases in self._phrases[pair].items() if pair in self._phrases else ():
                start = at - place
                for rule in phrases.get(tuple(words[start : start + length]), ()) if start >= 0 else ():
                    yield start, length, rule


def _put(rules: list[_Ready], rule: _Ready) -> None:
    if rule not in rules:
        rules.append(rule)


def _has(company: Company, words: list[bytes], first: int, last: int) -> bool:
    """Whether one of the phrases stands among the words from `first` to `last`."""
    near = words[first:last]
    if company.keys().isdisjoint(near):
        return False
    return any(
        near[at : at + len(phrase)] == phrase
        for at, word in enumerate(near)
        if word in company
        for phrase in company[word]
    )


def _with_one(plain: bytes, data: bytes) -> Iterator[bytes]:
    """Yield the words in which a 1 stands beside a letter, so that it may be one itself."""
    at = data.find(b"1")
    while at >= 0:
        end = at + 1
        if plain[max(0, at - 1) : at].isalpha() or plain[end : end + 1].isalpha():
            end = data.find(b" ", at)
            end = end if end >= 0 else len(data)
            yield data[data.rfind(b" ", 0, at) + 1 : end]
        at = data.find(b"1", end)


def _runs(data: bytes) -> bool:
    """Whether a byte stands three times in a row: two neighbours that differ in no bit, twice. Far quicker than a
    pattern that refers back."""
    number = int.from_bytes(data, "big")
    return _SAME.search((number ^ (number >> 8)).to_bytes(len(data), "big")) is not None


_BRACES = re.compile(r"\{([^{}]*)\}")


def _expanded(phrase: str) -> list[str]:
    """Return all that a phrase with {a,b} stands for."""
    parts = _BRACES.split(phrase)
    return ["".join(chosen) for chosen in product(*(p.split(",") if n % 2 else [p] for n, p in enumerate(parts)))]


def _folded(phrases: tuple[str, ...]) -> list[list[bytes]]:
    """Return the words of each phrase, also as they are written by who has no umlauts."""
    found = []
    for phrase in phrases:
        for one in _expanded(phrase):
            plain = one.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
            found += [fold(way).split() for way in ({one, plain} if plain != one else {one})]
    return found


def _indexed(phrases: tuple[str, ...]) -> Company:
    index: Company = {}
    for words in _folded(phrases):
        index.setdefault(words[0], []).append(words)
    return index


def read(name: str) -> List:
    """Return the list that comes along as words/NAME.toml."""
    text = (resources.files("freehold.guards") / "words" / f"{name}.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=List)


@cache
def shipped() -> Words:
    """Return the lists that come along, made ready; about 100 ms, once."""
    return Words({name: read(name) for name in (*LANGUAGES, ATTACKS)})
