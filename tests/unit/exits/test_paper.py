"""A report as a PDF: its words can be read and copied, tables go on over pages, numbers end where their column does."""

from __future__ import annotations

import ctypes
import io
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
import pytest

from freehold.exits.glyphs import FIRST, WIDTHS, encoded, width
from freehold.exits.paper import HIGH, MARGIN, WIDE, Column, Paper


def opened(paper: Paper) -> Any:
    return pdfium.PdfDocument(io.BytesIO(paper.done()))


def words(document: Any) -> list[str]:
    return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]


def test_words_can_be_copied_and_pages_are_numbered() -> None:
    paper = Paper("Überblick – 2026Q3 (50 %)", subtitle=r"back\slash", foot="Freehold")
    paper.heading("Lines")
    paper.text("Zoë owes 12 € to “us”.\nA second line.")
    paper.facts([("Contract", "ms-ea-2026"), ("Rule", "word " * 60)])
    paper.rule()
    paper.bars([("large", 10.0, "10.00 USD"), ("none", 0.0, "0.00 USD")])
    document = opened(paper)
    (text,) = words(document)
    assert text.startswith("Überblick – 2026Q3 (50 %)\nback\\slash\nLines\nZoë owes 12 € to “us”.\nA second line.\n")
    assert "Contract ms-ea-2026" in text and "Page 1 of 1" in text and "large 10.00 USD" in text
    assert document.get_metadata_dict()["Title"] == "Überblick – 2026Q3 (50 %)"
    assert paper.done()[:8] == b"%PDF-1.7"


def test_what_the_fonts_lack_is_said() -> None:
    paper = Paper("日本 and Ελλάδα")
    (text,) = words(opened(paper))
    assert text.startswith("?? and ??????\n")
    assert "8 characters here are of scripts that this paper's fonts lack" in text
    assert encoded("a\u202fb\u2212c\u0065\u0301\x07") == (b"a b-c\xe9?", 1)


def test_a_table_goes_on_over_pages_under_its_head() -> None:
    paper = Paper("Long")
    paper.table([Column("Name", 2), Column("Amount", 1, True)], [(f"row {n}", f"{n}.00") for n in range(200)],
                totals=[("All of them", "19,900.00")])  # fmt: skip
    pages = words(opened(paper))
    assert len(pages) > 3
    assert all("Name Amount" in page for page in pages)
    lines = [line for page in pages for line in page.splitlines()]
    assert [line for line in lines if line.startswith("row ")] == [f"row {n} {n}.00" for n in range(200)]
    assert "All of them 19,900.00" in pages[-1]


def test_a_row_that_is_longer_than_a_page_is_broken_and_nothing_is_lost() -> None:
    paper = Paper("Tall")
    paper.table([Column("a"), Column("b")], [("x" * 200, "\n".join(f"line {n}" for n in range(150)))])
    pages = words(opened(paper))
    assert len(pages) == 3
    whole = "\n".join(pages)
    assert all(f"line {n}\n" in whole or f"line {n}\r" in whole or whole.endswith(f"line {n}") for n in range(150))
    assert whole.count("x") == 200


def test_numbers_end_where_their_column_does_and_nothing_leaves_the_page() -> None:
    paper = Paper("Right")
    paper.table([Column("Name"), Column("Amount", 1, True)], [("a", "1.00"), ("b", "1,234,567.89"), ("c", "-5")])
    page = opened(paper)[0]
    text = page.get_textpage()
    ends = set()
    for number in range(text.count_rects()):
        left, bottom, right, top = text.get_rect(number)
        assert left >= MARGIN - 1 and right <= WIDE - MARGIN + 1 and 0 < bottom < top < HIGH
        if text.get_text_bounded(left - 0.5, bottom - 0.5, right + 0.5, top + 0.5).strip() in (
            "1.00",
            "1,234,567.89",
            "-5",
        ):
            ends.add(round(right))
    assert len(ends) == 1


def test_the_same_report_makes_the_same_bytes() -> None:
    made = []
    for _ in range(2):
        paper = Paper("Same")
        paper.table([Column("a")], [("1",)])
        made.append(paper.done())
    assert made[0] == made[1]


@pytest.mark.parametrize(("bold", "font"), [(False, b"Helvetica"), (True, b"Helvetica-Bold")])
def test_widths_are_those_of_the_fonts(bold: bool, font: bytes) -> None:
    document = raw.FPDF_CreateNewDocument()
    loaded, found = raw.FPDFText_LoadStandardFont(document, font), ctypes.c_float()
    for code, said in enumerate(WIDTHS[bold], FIRST):
        if said:
            character = bytes([code]).decode("cp1252")
            raw.FPDFFont_GetGlyphWidth(loaded, ord(character), ctypes.c_float(1000), ctypes.byref(found))
            assert abs(found.value - said) <= 1, character
    raw.FPDFFont_Close(loaded)
    raw.FPDF_CloseDocument(document)
    assert width(b"00", 10, bold) == pytest.approx(11.12)
