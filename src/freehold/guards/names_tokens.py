"""Words of a text, and the numbers by which a spaCy model of English knows them. Pure; refuses to know weights.

The rules are data of the model (its file `tokenizer`); the order in which they are tried, the shapes of words and the
hashes are those that spaCy 3.8 documents and uses, so that the model sees what it was trained on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

_WHOLE: Final = (1 << 64) - 1
_NORM: Final = 67
_ORTH: Final = 65

_SYMBOLS: Final = {
    "ID": 64, "POS": 74, "TAG": 75, "DEP": 76, "ADJ": 84, "ADP": 85, "ADV": 86, "AUX": 87, "DET": 90, "NUM": 93,
    "SYM": 99, "X": 101, "EOL": 102, "ORG": 383, "GPE": 384, "LOC": 385, "LAW": 390, "acomp": 398, "advcl": 399,
    "advmod": 400, "agent": 401, "amod": 402, "appos": 403, "attr": 404, "aux": 405, "auxpass": 406, "cc": 407,
    "ccomp": 408, "complm": 409, "conj": 410, "cop": 411, "csubj": 412, "csubjpass": 413, "dep": 414, "det": 415,
    "dobj": 416, "expl": 417, "hmod": 418, "hyph": 419, "infmod": 420, "intj": 421, "iobj": 422, "mark": 423,
    "meta": 424, "neg": 425, "nmod": 426, "nn": 427, "npadvmod": 428, "nsubj": 429, "nsubjpass": 430, "num": 431,
    "number": 432, "oprd": 433, "obj": 434, "obl": 435, "parataxis": 436, "partmod": 437, "pcomp": 438, "pobj": 439,
    "poss": 440, "possessive": 441, "preconj": 442, "prep": 443, "prt": 444, "punct": 445, "quantmod": 446,
    "relcl": 447, "rcmod": 448, "root": 449, "xcomp": 450, "acl": 451, "IDX": 455, "_": 456,
}  # fmt: skip
"""Strings that have small numbers of their own instead of a hash: those of spaCy 3.8's symbols that a word, its first
letter, its last three or its shape can be (November 2026)."""

_ALIKE: Final = {
    "’": "'", "‘": "'", "´": "'", "`": "'", "'S": "'s", "’s": "'s", "’S": "'s", "”": '"', "“": '"', "''": '"',
    "„": '"', "»": '"', "«": '"', "…": "...", "—": "-", "–": "-", "--": "-", "---": "-", "€": "$", "£": "$", "¥": "$",
    "US$": "$", "C$": "$", "A$": "$", "₹": "$", "₩": "$", "₺": "$",
}  # fmt: skip
"""Signs that the model does not tell apart."""


class Word(NamedTuple):
    """One word: where it is, and the form in which the model knows it (lower case, unless the rules have another)."""

    start: int
    end: int
    norm: str


@lru_cache(maxsize=50_000)
def number(string: str) -> int:
    """Return the number of a string: a symbol's, or MurmurHash64A of its UTF-8 with seed 1 (A. Appleby, 2008)."""
    if not string:
        return 0
    symbol = _SYMBOLS.get(string)
    if symbol is not None:
        return symbol
    data, m = string.encode("utf-8", "surrogatepass"), 0xC6A4A7935BD1E995
    h = 1 ^ (len(data) * m & _WHOLE)
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        k = int.from_bytes(data[at : at + 8], "little") * m & _WHOLE
        k = (k ^ (k >> 47)) * m & _WHOLE
        h = (h ^ k) * m & _WHOLE
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & _WHOLE
    h = (h ^ (h >> 47)) * m & _WHOLE
    return h ^ (h >> 47)


def shape(word: str) -> str:
    """Return the shape of a word: X capital, x letter, d digit, others as they are; at most four alike in a row."""
    if len(word) >= 100:
        return "LONG"
    signs, last, times = [], "", 0
    for c in word:
        sign = ("X" if c.isupper() else "x") if c.isalpha() else "d" if c.isdigit() else c
        times = times + 1 if sign == last else 0
        last = sign
        if times < 4:
            signs.append(sign)
    return "".join(signs)


class Tokenizer:
    """Parts a text into words by the rules of a model."""

    def __init__(self, rules: bytes, norms: bytes) -> None:
        """Take the model's file `tokenizer` and its lookup tables (`lookups.bin`)."""
        given: dict[str, Any] = msgspec.msgpack.decode(rules)
        self._prefix = re.compile(given["prefix_search"])
        self._suffix = re.compile(given["suffix_search"])
        self._infix = re.compile(given["infix_finditer"])
        self._url = re.compile(given["url_match"])
        self._special: dict[str, list[dict[int, str]]] = given["exceptions"]
        tables: dict[str, dict[int, str]] = msgspec.msgpack.decode(norms)
        self._norms = tables.get("lexeme_norm", {})

    def words(self, text: str) -> list[Word]:
        """Return the words of a text in order; a run of white space other than one blank is a word too."""
        found: list[Word] = []
        for chunk in re.finditer(r"\S+|\s+", text):
            at, part = chunk.start(), chunk[0]
            if part.isspace():
                # The blank that ends a word belongs to it.
                skip = 1 if part[0] == " " and at > 0 else 0
                if len(part) > skip:
                    found.append(Word(at + skip, at + len(part), part[skip:].lower()))
                continue
            for piece, norm in self._chunk(part):
                found.append(Word(at, at + len(piece), norm))
                at += len(piece)
        return found

    def norm(self, word: str) -> str:
        """Return the form in which the model knows a word."""
        known = self._norms.get(number(word))
        return known if known is not None else _ALIKE.get(word) or word.lower()

    def _specially(self, word: str) -> list[tuple[str, str]]:
        return [(part[_ORTH], part.get(_NORM) or self.norm(part[_ORTH])) for part in self._special[word]]

    def _chunk(self, word: str) -> list[tuple[str, str]]:
        """The words of what stands between white space."""
        before: list[str] = []
        behind: list[str] = []
        size = 0
        while word and len(word) != size and word not in self._special:
            size = len(word)
            prefix = self._prefix.search(word)
            pre = prefix.end() - prefix.start() if prefix is not None else 0
            if pre and word[pre:] in self._special:
                before.append(word[:pre])
                word = word[pre:]
                break
            suffix = self._suffix.search(word[pre:])
            suf = suffix.end() - suffix.start() if suffix is not None else 0
            if suf and word[:-suf] in self._special:
                behind.append(word[-suf:])
                word = word[:-suf]
                break
            if pre:
                before.append(word[:pre])
            if suf and pre + suf <= len(word):
                behind.append(word[-suf:])
                word = word[pre:-suf]
            elif suf and not pre:
                behind.append(word[-suf:])
                word = word[:-suf]
            else:
                word = word[pre:]
        parts = [(part, self.norm(part)) for part in before]
        if word:
            parts += self._specially(word) if word in self._special else self._inside(word)
        return parts + [(part, self.norm(part)) for part in reversed(behind)]

    def _inside(self, word: str) -> list[tuple[str, str]]:
        parts: list[str] = []
        if self._url.match(word):
            parts = [word]
        else:
            at = 0
            for match in self._infix.finditer(word):
                if match.start() == 0:
                    continue
                parts += [word[at : match.start()], match[0]]
                at = match.end()
            parts.append(word[at:])
        return [(part, self.norm(part)) for part in parts if part]
