"""Sees look-alikes as what they look like: digits of other scripts, full-width forms, odd spaces and hyphens, and
characters without width. Keeps where each character was; refuses to know what is looked for.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from freehold.guards.finding import Finding

_INVISIBLE: Final = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
_SPACES: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_HYPHENS: Final = "\u2010-\u2015\u2212\ufe58\ufe63"
_DIGITS: Final = (
    "\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0be6-\u0bef\u0c66-\u0c6f"
    "\u0ce6-\u0cef\u0d66-\u0d6f\u0e50-\u0e59\u0ed0-\u0ed9\u0f20-\u0f29\u1040-\u1049\u17e0-\u17e9\u1810-\u1819"
    "\uff10-\uff19\U0001d7ce-\U0001d7ff"
)
_WIDE: Final = "\uff08-\uff09\uff0b\uff0d-\uff0f\uff20-\uff3a\uff3f\uff41-\uff5a"
_ODD: Final = re.compile(f"[{_SPACES}{_HYPHENS}{_DIGITS}{_WIDE}]")
_GONE: Final = re.compile(f"[{_INVISIBLE}]+")
_OFTEN: Final = (("\u00a0", " "), ("\u202f", " "), ("\u2013", "-"), ("\u2014", "-"))
"""What typography puts into many texts, for which a replacement each is far quicker."""
_ANY: Final = re.compile(f"[{_SPACES}{_HYPHENS}{_DIGITS}{_WIDE}{_INVISIBLE}]")
_BEYOND: Final = re.compile("[^\x00-\u009f\u00a1-\u00ac\u00ae-\u024f]")
"""Cheap, and all that most European texts need."""


class Folded(NamedTuple):
    """A text as it looks, and where each of its characters was (None: where it is)."""

    text: str
    places: list[int] | None = None

    def back(self, found: list[Finding]) -> list[Finding]:
        """Return the findings with their places in the text before it was folded."""
        places = self.places
        if places is None:
            return found
        return [each._replace(start=places[each.start], end=places[each.end - 1] + 1) for each in found]


def fold(text: str) -> Folded | None:
    """Return the text as it looks; None when it is what it looks like."""
    if _BEYOND.search(text) is None or _ANY.search(text) is None:
        return None
    places: list[int] | None = None
    if _GONE.search(text) is not None:
        kept = [(at, at + len(part)) for at, part in _parts(text)]
        places = [at for start, end in kept for at in range(start, end)]
        text = _GONE.sub("", text)
    for odd, plain in _OFTEN:
        text = text.replace(odd, plain)
    return Folded(_ODD.sub(_plain, text), places)


def _parts(text: str) -> list[tuple[int, str]]:
    """What stands between the characters without width, and where."""
    bounds = [0, *(at for match in _GONE.finditer(text) for at in match.span()), len(text)]
    return [(bounds[i], text[bounds[i] : bounds[i + 1]]) for i in range(0, len(bounds), 2)]


def _plain(match: re.Match[str]) -> str:
    c = match[0]
    value = unicodedata.decimal(c, None)
    if value is not None:
        return str(value)
    if "\uff01" <= c <= "\uff5e":
        return chr(ord(c) - 0xFEE0)
    return " " if c.isspace() else "-"
