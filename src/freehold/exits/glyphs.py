"""How wide the letters of Helvetica are, and which there are. Data; refuses to know pages.

The two fonts are among those that every reader of PDF has, so no file carries them. They hold the characters of
Windows-1252: those of western Europe. Widths are in thousandths of the size, for the codes 32 to 255 (0: no such
character), as PDFium's built-in fonts have them (read with pypdfium2 5.15, November 2026).
"""

from __future__ import annotations

import unicodedata

_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 "
    "278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 "
    "667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 "
    "556 333 500 278 556 500 722 500 500 500 334 260 334 584 278 667 0 222 556 333 1000 556 556 333 1000 667 333 "
    "1000 0 611 0 0 222 222 333 333 350 556 1000 333 1000 500 366 944 0 500 667 278 333 556 556 556 556 260 556 333 "
    "737 370 612 584 278 737 333 400 584 333 333 333 556 537 278 333 333 365 612 834 834 834 611 667 667 667 667 "
    "667 667 1000 722 667 667 667 667 278 278 278 278 722 722 778 778 778 778 778 584 778 722 722 722 722 667 667 "
    "611 556 556 556 556 556 556 889 500 556 556 556 556 278 278 278 278 556 556 556 556 556 556 556 584 611 556 "
    "556 556 556 500 556 500"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333 "
    "333 584 584 584 611 1072 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 "
    "667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 "
    "611 389 556 333 611 556 778 556 556 500 389 280 389 584 278 722 0 278 556 500 1000 556 556 333 1000 667 333 "
    "1000 0 611 0 0 278 278 500 500 350 556 1000 333 1000 556 333 944 0 500 667 278 333 556 556 556 556 280 556 333 "
    "737 370 556 584 278 737 333 400 584 333 333 333 611 556 278 333 333 365 556 834 834 834 611 722 722 722 722 "
    "722 722 1000 722 667 667 667 667 278 278 278 278 722 722 778 778 778 778 778 584 778 722 722 722 722 667 667 "
    "611 556 556 556 556 556 556 889 556 556 556 556 556 278 278 278 278 611 611 611 611 611 611 611 584 611 611 "
    "611 611 611 556 611 556"
)
FIRST = 32
WIDTHS: dict[bool, tuple[int, ...]] = {
    bold: tuple(map(int, row.split())) for bold, row in ((False, _REGULAR), (True, _BOLD))
}
"""Widths by whether the letters are bold, from the code `FIRST` on."""
UNKNOWN = ord("?")
_ALIKE = str.maketrans({"\u2009": " ", "\u202f": " ", "\u2011": "-", "\u2212": "-", "\u200b": "", "\t": " "})


def encoded(text: str) -> tuple[bytes, int]:
    """Return a text in the fonts' codes, and how many characters they lack: a question mark stands for each."""
    found, lost = bytearray(), 0
    for character in unicodedata.normalize("NFC", text.translate(_ALIKE)):
        try:
            code = character.encode("cp1252")[0]
        except UnicodeEncodeError:
            code = 0
        if code < FIRST:
            lost += character not in "\r\n"
            code = UNKNOWN if character not in "\r\n" else FIRST
        found.append(code)
    return bytes(found), lost


def width(codes: bytes, size: float, bold: bool = False) -> float:
    """Return how wide a text is at a size, in points."""
    row = WIDTHS[bold]
    return sum(row[code - FIRST] for code in codes) * size / 1000
