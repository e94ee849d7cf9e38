"""A report as a PDF: title, headings, text, tables that go on over pages, bars, numbered pages. Knows what a page is;
refuses to know what a report says, and what time it is.

Letters are those of the fonts that every reader has (`glyphs`), so a file is small and its text can be copied; for a
character of another script stands a question mark, and the end of the report says so. The same report makes the same
bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from itertools import zip_longest

import msgspec

from freehold.exits.glyphs import FIRST, encoded, width

WIDE, HIGH = 595.28, 841.89
"""A4, in points."""
MARGIN = 48.0
_FOOT = 64.0
_INK, _FAINT, _LINE, _BAR, _SHADE = "0.13", "0.42", "0.80", "0.18 0.45 0.38", "0.955"
_TITLE, _HEADING, _TEXT, _CELL, _SMALL = 17.0, 11.5, 9.0, 8.0, 7.5
_LEADING = 1.32
_GAP = 8.0
_PAD = 3.0
_LOST = "{n} characters here are of scripts that this paper's fonts lack; a ? stands for each. CSV and JSON have them."


class Column(msgspec.Struct, frozen=True):
    """A column of a table: what stands above it, which part of the width it gets, and whether it holds numbers."""

    title: str
    weight: float = 1.0
    numeric: bool = False


class Paper:
    """A report that is written from top to bottom; `done` gives the file. `foot` stands at the end of each page."""

    def __init__(self, title: str, *, subtitle: str = "", foot: str = "", language: str = "en") -> None:
        self._name, self._foot, self._language = title, foot, language
        self._pages: list[list[str]] = []
        self._left, self._right = MARGIN, WIDE - MARGIN
        self._y = 0.0
        self._lost = 0
        self._turn()
        self._words(title, _TITLE, bold=True)
        if subtitle:
            self._y += 2
            self._words(subtitle, _TEXT, ink=_FAINT)
        self._y += _GAP

    def heading(self, text: str) -> None:
        """A heading, which stays with what comes after it."""
        self._y += _GAP
        self._room(_HEADING * _LEADING + 3 * _TEXT * _LEADING)
        self._words(text, _HEADING, bold=True)
        self._y += 2

    def text(self, text: str, *, faint: bool = False, bold: bool = False) -> None:
        """A paragraph."""
        self._words(text, _SMALL if faint else _TEXT, ink=_FAINT if faint else _INK, bold=bold)
        self._y += 3

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Pairs of a name and a value."""
        start = self._left + 0.24 * (self._right - self._left)
        for name, value in pairs:
            lines = self._wrapped(value, self._right - start, _TEXT)
            self._room(len(lines) * _TEXT * _LEADING)
            top = self._y
            self._put(name, self._left, top, _TEXT, ink=_FAINT)
            for line in lines:
                self._draw(line, start, self._y, _TEXT)
                self._y += _TEXT * _LEADING
        self._y += 4

    def rule(self) -> None:
        """A line across the page."""
        self._room(_GAP)
        self._y += 4
        self._stroke(self._left, self._y, self._right, self._y)
        self._y += 4

    def table(
        self, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, totals: Iterable[Sequence[str]] = ()
    ) -> None:
        """A table; its head is repeated on each page. `totals` are last rows, which stand out."""
        inner = self._right - self._left
        whole = sum(column.weight for column in columns)
        widths = [column.weight / whole * inner for column in columns]
        self._room(4 * _CELL * _LEADING + 2 * _PAD)
        self._head(columns, widths)
        for row in rows:
            self._row(columns, widths, row, False)
        for row in totals:
            self._row(columns, widths, row, True)
        self._y += _GAP

    def bars(self, parts: Iterable[tuple[str, float, str]]) -> None:
        """A bar for each (name, value, value in words), the longest being the largest value."""
        many = list(parts)
        largest = max((value for _, value, _ in many), default=0.0)
        inner = self._right - self._left
        start, full = self._left + 0.30 * inner, 0.48 * inner
        for name, value, said in many:
            lines = self._wrapped(name, 0.29 * inner, _CELL)
            self._room(len(lines) * _CELL * _LEADING + _PAD)
            top = self._y
            for place, line in enumerate(lines):
                self._draw(line, self._left, top + place * _CELL * _LEADING, _CELL)
            if largest > 0 and value > 0:
                self._fill(start, top + 1.5, max(1.0, full * value / largest), _CELL - 1, _BAR)
            codes = self._codes(said)
            self._draw(codes, self._right - width(codes, _CELL), top, _CELL)
            self._y += len(lines) * _CELL * _LEADING + _PAD
        self._y += _GAP

    def done(self) -> bytes:
        """Return the file."""
        if self._lost:
            self._y += _GAP
            self.text(_LOST.format(n=self._lost), faint=True)
        for number, page in enumerate(self._pages, 1):
            said = encoded(f"Page {number} of {len(self._pages)}")[0]
            _show(page, said, self._right - width(said, _SMALL), HIGH - 40, _SMALL, _FAINT, False)
            _show(page, encoded(self._foot)[0], self._left, HIGH - 40, _SMALL, _FAINT, False)
        return _file(self._pages, self._name, self._language)

    # -- where the next thing goes

    def _turn(self) -> None:
        self._pages.append([])
        self._y = MARGIN

    def _room(self, high: float) -> bool:
        """Turn the page unless there is room; return whether it was turned."""
        if self._y + high <= HIGH - _FOOT or self._y == MARGIN:
            return False
        self._turn()
        return True

    # -- tables

    def _head(self, columns: Sequence[Column], widths: Sequence[float]) -> None:
        cells = [
            self._wrapped(column.title, wide - 2 * _PAD, _CELL, bold=True)
            for column, wide in zip(columns, widths, strict=True)
        ]
        high = max(map(len, cells)) * _CELL * _LEADING + 2 * _PAD
        self._fill(self._left, self._y, self._right - self._left, high, _SHADE)
        bottom = self._y + high
        self._y += _PAD
        self._cells(columns, widths, cells, True)
        self._y = bottom
        self._stroke(self._left, self._y, self._right, self._y)

    def _row(self, columns: Sequence[Column], widths: Sequence[float], row: Sequence[str], bold: bool) -> None:
        cells = [self._wrapped(text, wide - 2 * _PAD, _CELL, bold=bold) for text, wide in zip(row, widths, strict=True)]
        leading = _CELL * _LEADING
        while any(cells):
            need, free = max(map(len, cells)), int((HIGH - _FOOT - self._y - 2 * _PAD) / leading)
            if free < min(need, 4):
                self._turn()
                self._head(columns, widths)
                continue
            self._y += _PAD
            self._cells(columns, widths, [lines[:free] for lines in cells], bold)
            cells = [lines[free:] for lines in cells]
            self._y += _PAD
        self._stroke(self._left, self._y, self._right, self._y)

    def _cells(
        self, columns: Sequence[Column], widths: Sequence[float], cells: Sequence[Sequence[bytes]], bold: bool
    ) -> None:
        for lines in zip_longest(*cells, fillvalue=b""):
            x = self._left
            for column, wide, line in zip(columns, widths, lines, strict=True):
                at = x + wide - _PAD - width(line, _CELL, bold) if column.numeric else x + _PAD
                self._draw(line, at, self._y, _CELL, bold=bold)
                x += wide
            self._y += _CELL * _LEADING

    # -- words

    def _words(self, text: str, size: float, *, ink: str = _INK, bold: bool = False) -> None:
        for line in self._wrapped(text, self._right - self._left, size, bold=bold):
            self._room(size * _LEADING)
            self._draw(line, self._left, self._y, size, ink=ink, bold=bold)
            self._y += size * _LEADING

    def _codes(self, text: str) -> bytes:
        codes, lost = encoded(text)
        self._lost += lost
        return codes

    def _wrapped(self, text: str, wide: float, size: float, *, bold: bool = False) -> list[bytes]:
        """Return the lines of a text that fit a width; a word that does not fit by itself is cut."""
        lines: list[bytes] = []
        for part in text.split("\n"):
            line = b""
            for word in _words(self._codes(part)):
                longer = line + b" " + word if line else word
                if width(longer, size, bold) <= wide:
                    line = longer
                    continue
                if line:
                    lines.append(line)
                while word and width(word, size, bold) > wide:
                    count = max(1, next(n for n in range(len(word), -1, -1) if width(word[:n], size, bold) <= wide))
                    lines.append(word[:count])
                    word = word[count:]
                line = word
            lines.append(line)
        return lines

    def _put(self, text: str, x: float, y: float, size: float, *, ink: str = _INK) -> None:
        self._draw(self._codes(text), x, y, size, ink=ink)

    def _draw(self, codes: bytes, x: float, y: float, size: float, *, ink: str = _INK, bold: bool = False) -> None:
        _show(self._pages[-1], codes, x, y, size, ink, bold)

    def _stroke(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self._pages[-1].append(f"{_LINE} G 0.5 w {x0:.2f} {HIGH - y0:.2f} m {x1:.2f} {HIGH - y1:.2f} l S")

    def _fill(self, x: float, y: float, wide: float, high: float, ink: str) -> None:
        colour = f"{ink} rg" if " " in ink else f"{ink} g"
        self._pages[-1].append(f"{colour} {x:.2f} {HIGH - y - high:.2f} {wide:.2f} {high:.2f} re f")


def _words(codes: bytes) -> list[bytes]:
    """Return the words of a text; a sign of per cent stays with its number."""
    words: list[bytes] = []
    for word in codes.split(b" "):
        if word.startswith(b"%") and words:
            words[-1] += b" " + word
        else:
            words.append(word)
    return words


def _show(page: list[str], codes: bytes, x: float, y: float, size: float, ink: str, bold: bool) -> None:
    if codes.strip():
        font = "F2" if bold else "F1"
        page.append(f"BT /{font} {size:g} Tf {ink} g {x:.2f} {HIGH - y - size:.2f} Td {_literal(codes)} Tj ET")


def _literal(codes: bytes) -> str:
    """Return a string of PDF (ISO 32000, 7.3.4.2) in ASCII."""
    return "(" + "".join(chr(c) if FIRST <= c < 127 and c not in b"()\\" else f"\\{c:03o}" for c in codes) + ")"


def _file(pages: Sequence[Sequence[str]], title: str, language: str) -> bytes:
    """Return a file of these pages (ISO 32000, 7.5)."""
    first = 6  # the objects before are: catalogue, pages, information, two fonts
    kids = " ".join(f"{first + 2 * place} 0 R" for place in range(len(pages)))
    name = "<FEFF" + title.encode("utf-16-be").hex().upper() + ">"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /Lang ({language}) /ViewerPreferences << /DisplayDocTitle true >> >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        f"<< /Title {name} /Producer (Freehold) >>".encode(),
        *(
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>".encode()
            for font in ("Helvetica", "Helvetica-Bold")
        ),
    ]
    for place, page in enumerate(pages):
        body = zlib.compress("\n".join(page).encode("ascii"), 9)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDE} {HIGH}] /Contents {first + 2 * place + 1} 0 R "
            "/Resources << /Font << /F1 4 0 R /F2 5 0 R >> >> >>".encode()
        )
        objects.append(f"<< /Length {len(body)} /Filter /FlateDecode >>\nstream\n".encode() + body + b"\nendstream")
    return _assembled(objects)


def _assembled(objects: Sequence[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
