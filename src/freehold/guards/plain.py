"""Text as word lists look at it: small letters without accents, whatever was done to hide them. Pure; refuses to know
what is looked for."""

from __future__ import annotations

import re
import unicodedata

_LEET = dict(zip("034579@$", "oeastgas", strict=True))
"""What stands for a letter. A 1 stays what it is: it may stand for i or l, and both are tried."""
_LETTERS = {
    **{char: unicodedata.normalize("NFD", char)[0] for char in map(chr, range(0xC0, 0x180))},
    "ß": "s", "æ": "a", "ø": "o", "œ": "o", "ð": "d", "þ": "t", "ł": "l",
}  # fmt: skip
_SAME = "аaеeоoрpсcхxуyіiјjѕsһhԁdɡgνvοoαaιiκkρpτtυuχxοoеeвbкkмmнhтt"
_LOOKALIKES = {ord(theirs): ours for theirs, ours in zip(_SAME[::2], _SAME[1::2], strict=True)}
"""Letters of the Cyrillic and Greek alphabets that look like ours."""
_FOREIGN = re.compile("[\u0370-\u052f\u0261]")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\u0300-\u036f\u20d0-\u20ff\U000e0000-\U000e01ef]+"
)
"""What nobody sees: marks without width, directions, marks above and below letters, tags."""


def _table() -> bytes:
    """Return what each byte of cp1252 becomes: a small letter, a digit that stands for none, or a space."""
    made = bytearray(b" " * 256)
    for byte in range(256):
        char = bytes([byte]).decode("cp1252", "replace").lower()
        char = _LETTERS.get(char, char)
        char = _LEET.get(char, char)
        if char.isascii() and char.isalnum():
            made[byte] = ord(char)
    return bytes(made)


TABLE = _table()
"""What `fold` makes of each byte of what `seen` returns."""


def fold(text: str) -> bytes:
    """Return `text` in small letters without accents, everything else as spaces."""
    return seen(text).translate(TABLE)


def seen(text: str) -> bytes:
    """Return `text` in cp1252, without what nobody sees and with look-alikes as what they look like."""
    if text.isascii():
        return text.encode()
    try:
        return text.replace("\xad", "").encode("cp1252")  # the soft hyphen is the one thing unseen that it has
    except UnicodeEncodeError:
        text = _UNSEEN.sub("", text)
    if _FOREIGN.search(text) is not None:
        text = text.lower().translate(_LOOKALIKES)
    return _UNSEEN.sub("", unicodedata.normalize("NFKD", text)).encode("cp1252", "replace")
