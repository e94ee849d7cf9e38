from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelves import PNG, Desk, assembled, member, pdf

from freehold.assist import wording
from freehold.assist.extract import Bounds, Extracted, Extractor, estimate
from freehold.assist.files import LibrarySettings, save
from freehold.core.errors import BadRequest, TooLarge
from freehold.store import Store

CSV = "name,amount\nann,1\nben,2\n"


async def read(data: bytes, name: str = "x", bounds: Bounds | None = None) -> Extracted:
    return await Extractor(bounds).read(data, name)


@pytest.mark.parametrize(
    ("data", "name", "media", "text"),
    [
        (b"plain words", "a.png", "text/plain", "plain words"),
        (b"# Title\n\ntext", "a.md", "text/markdown", "# Title\n\ntext"),
        (CSV.encode(), "a.csv", "text/csv", CSV),
        (b"a\tb\n1\t2", "a.tsv", "text/tab-separated-values", "a\tb\n1\t2"),
        (b'{"a": [1, 2]}', "a.txt", "application/json", '{"a": [1, 2]}'),
        (b"{not json", "a.json", "text/plain", "{not json"),
        (b"<svg onload=alert(1)>", "a.svg", "text/plain", "<svg onload=alert(1)>"),
        (b"<html><script>", "a.html", "text/plain", "<html><script>"),
        ("\ufeffGrüße".encode(), "a", "text/plain", "Grüße"),
        ("Grüße\r\n字".encode("utf-16"), "a", "text/plain", "Grüße\n字"),
        ("\ufeffGrüße".encode("utf-16-be"), "a", "text/plain", "Grüße"),
        ("Grüße und mehr".encode("utf-16-le"), "a", "text/plain", "Grüße und mehr"),
        ("Grüße".encode("utf-32"), "a", "text/plain", "Grüße"),
        ("Grüße für 5 €".encode("cp1252"), "a", "text/plain", "Grüße für 5 €"),
        (b"\x1b[31mred\x1b[0m line of a log", "a.log", "text/plain", "[31mred[0m line of a log"),
    ],
)
async def test_text_is_known_by_its_bytes(data: bytes, name: str, media: str, text: str) -> None:
    found = await read(data, name)
    assert (found.media, found.text) == (media, text)
    assert found.tokens == estimate(text)


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\x01\0\x01\0", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_pictures_are_known_by_their_first_bytes(data: bytes, media: str) -> None:
    found = await read(data, "innocent.txt")
    assert (found.media, found.text) == (media, None) and found.tokens > 0


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04\x14\0\x06\0", b"\x7fELF\x02\x01", b"MZ\x90\0", b"\x1f\x8b\x08\0", b"a\0b\0\0c", b"text\0text",
        b"SQLite format 3\0", os.urandom(4096), b"\x01\x02\x03\x04" * 50, b"RIFF\x10\0\0\0AVI ", b"\xff\xfe\x00",
    ],
)  # fmt: skip
async def test_what_is_no_text_is_refused_and_what_is_taken_is_named(data: bytes) -> None:
    with pytest.raises(BadRequest) as e:
        await read(data, "a.txt")
    assert e.value.code == "file_kind"
    for kind in ("Markdown", "CSV", "JSON", "PDF", "PNG", "JPEG", "GIF", "WebP"):
        assert kind in e.value.hint


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = asyncio.run(read(data[:1] + data.replace(b"%PDF-", b"")))
    except BadRequest:
        return
    if found.text is not None:
        assert "\0" not in found.text
        found.text.encode("utf-8")


async def test_a_pdf_page_by_page() -> None:
    found = await read(
        pdf([["Hello (world)".replace("(", "\\(").replace(")", "\\)"), "second line"], ["Page two"]]), "a"
    )
    assert (found.media, found.pages, found.note) == ("application/pdf", 2, "")
    assert found.text == "Hello (world)\nsecond line\fPage two"


async def test_a_pdf_of_two_hundred_pages() -> None:
    found = await read(pdf([[f"page {p} line {n} of the report" for n in range(45)] for p in range(200)]))
    assert found.pages == 200 and found.text is not None
    assert found.text.count("\f") == 199 and "page 199 line 44" in found.text


async def test_a_scan_says_that_it_is_one() -> None:
    found = await read(pdf([[], []]))
    assert (found.text, found.pages, found.note, found.tokens) == ("", 2, "scanned, needs OCR", 0)
    partly = await read(pdf([["words"], []]))
    assert partly.note == "1 of 2 pages hold no text (pictures, or scanned, needs OCR)"


async def test_a_pdf_is_read_as_far_as_it_is_kept() -> None:
    found = await read(pdf([["x" * 60] * 20] * 5), bounds=Bounds(characters=2000))
    assert found.note == "read up to page 2 of 5" and found.text is not None
    assert len(found.text) < 2100


@pytest.mark.parametrize(
    "data", [b"%PDF-1.4 junk", pdf([["abc"]])[:300], b"%PDF-" + os.urandom(5000), b"x%PDF-1.7\n%%EOF"]
)
async def test_a_broken_pdf_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as e:
        await read(data)
    assert e.value.code == "file_damaged"


def bomb(size: int) -> bytes:
    """A small PDF that unpacks to `size` bytes three times over."""
    packer = zlib.compressobj(9)
    packed = (
        b"".join(packer.compress(b"BT (aaaaaaaaaa) Tj ET\n" * 50_000) for _ in range(size // 1_100_000))
        + packer.flush()
    )
    twice = zlib.compress(packed, 9)
    filters = b"/Filter [/FlateDecode /FlateDecode]"
    return assembled([
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R /Resources << /Font << /F 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(twice), filters, twice),
    ])  # fmt: skip


async def test_a_pdf_that_unpacks_to_gigabytes_takes_nothing_down() -> None:
    data = bomb(1_200_000_000)
    assert len(data) < 200_000
    with pytest.raises(BadRequest) as e:
        await read(data, "bomb.pdf", Bounds(seconds=4))
    assert e.value.code in ("file_heavy", "file_damaged")
    assert (await read(pdf([["still here"]]))).text == "still here"


async def test_a_pdf_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(BadRequest) as e:
        await read(pdf([["words"]]), "slow.pdf", Bounds(seconds=0))
    assert e.value.code == "file_heavy"


async def test_pages_that_lead_in_circles_end() -> None:
    data = assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 99 >>"])
    with pytest.raises(BadRequest):
        found = await read(data, "circle.pdf", Bounds(seconds=10))
        assert not found.text
        raise BadRequest("nothing in it")


def test_the_reader_of_pdfs_can_do_nothing_else() -> None:
    """What is tried after the door is shut is refused by the kernel."""
    program = """
import socket, subprocess, sys, os
from freehold.assist.extract_child import _shut
tries = [
    lambda: open("/etc/hostname"), lambda: open("x-new", "w"), lambda: socket.socket(),
    lambda: os.fork(), lambda: os.kill(os.getppid(), 0), lambda: os.listdir("/"),
    lambda: os.execv("/bin/true", ["true"]),
]
_shut()
for number, attempt in enumerate(tries):
    try:
        attempt()
    except PermissionError:
        continue
    os.write(1, b"done: %d" % number)
os.write(1, b"end")
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"end", done


async def test_the_server_never_loads_the_reader() -> None:
    program = "import sys, freehold.assist.library; print('pypdfium2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


async def test_the_reader_sees_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for the child, first in the path, writes down what it was given."""
    folder = tmp_path / "freehold" / "assist"
    folder.mkdir(parents=True)
    for place in (folder.parent, folder):
        (place / "__init__.py").touch()
    told = tmp_path / "told"
    lines = (
        "import os, sys, json",
        f"open({str(told)!r}, 'w').write(json.dumps(dict(os.environ)))",
        "sys.stdin.buffer.read()",
        'print(\'{"pages": ["x"], "total": 1}\')',
    )
    (folder / "extract_child.py").write_text("\n".join(lines))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert (await read(pdf([["y"]]))).text == "x"
    assert "secret" not in told.read_text() and "PYTHONPATH" in told.read_text()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("/", "file"), ("..", "file"), ("", "file"), ("\0", "file"), ("a\0b.txt", "ab.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("new\nline\r\n.txt", "newline.txt"),
        ('<img src=x onerror="alert(1)">.png', "_img src=x onerror=_alert(1)__.png"),
        ("con.txt", "_con.txt"), ("LPT1", "_LPT1"), (".env", "env"), ("trailing. ", "trailing"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"), ("日本語.txt", "日本語.txt"), ("\ud800.txt", "_.txt"),
    ],
)  # fmt: skip
def test_names_are_harmless(given: str, kept: str) -> None:
    assert wording.file_name(given) == kept


@given(st.text(st.characters(), max_size=300))
def test_no_name_is_a_path(given: str) -> None:
    name = wording.file_name(given)
    assert name and len(name) <= 121 and not set(name) & set('/\\\0\n\r<>:"|?*') and name not in (".", "..")
    assert name.encode("utf-8") and not name.startswith(".")


async def test_limits_are_kept(shelf: Store) -> None:
    bounds = LibrarySettings(file_bytes=100, member_bytes=150)
    ann = member("ann").id
    await save(shelf, Extractor(), bounds, ann, "a.txt", b"a" * 100)
    with pytest.raises(TooLarge) as e:
        await save(shelf, Extractor(), bounds, ann, "a.txt", b"a" * 101)
    assert e.value.code == "file_too_large" and e.value.hint
    with pytest.raises(TooLarge) as e:
        await save(shelf, Extractor(), bounds, ann, "a.txt", b"a" * 51)
    assert e.value.code == "files_full"
    await save(shelf, Extractor(), bounds, member("ben").id, "a.txt", b"a" * 51)


async def test_a_table_of_twenty_megabytes(shelf: Store) -> None:
    row = b"2026-01-01,some value,12.50,and a comment\n"
    file = await save(shelf, Extractor(), LibrarySettings(), "mem_ann", "big.csv", row * (20 * 2**20 // len(row)))
    assert (file.media, file.note) == ("text/csv", "") and file.tokens > 5_000_000


async def test_over_http(desk: Desk) -> None:
    made = await desk.ann.post("/api/files", params={"name": "../notes.md"}, content=b"# Notes\n\x00"[:-1])
    file = made.json()
    assert made.status_code == 201
    expected = {"name": "notes.md", "media": "text/markdown", "bytes": 8, "tokens": 3, "pages": None, "note": ""}
    assert {name: file[name] for name in expected} == expected
    assert (await desk.ann.get("/api/files")).json() == [file]
    answer = await desk.ann.get(f"/api/files/{file['id']}")
    assert answer.content == b"# Notes\n"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename=\"notes.md\"; filename*=UTF-8''notes.md"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private")
    assert (await desk.ann.get(f"/api/files/{file['id']}/text")).json() == {"text": "# Notes\n"}
    for act in ("get", "delete"):
        assert (await getattr(desk.ben, act)(f"/api/files/{file['id']}")).status_code == 404
        assert (await getattr(desk.ada, act)(f"/api/files/{file['id']}")).status_code == 404
        assert (await getattr(desk.nobody, act)(f"/api/files/{file['id']}")).status_code == 401
    assert (await desk.ben.get(f"/api/files/{file['id']}/text")).status_code == 404
    assert (await desk.ann.delete(f"/api/files/{file['id']}")).status_code == 204
    assert (await desk.ann.get(f"/api/files/{file['id']}")).status_code == 404


async def test_only_pictures_are_shown_in_the_page(desk: Desk) -> None:
    name = 'ü "quoted"\r\nset-cookie: x=1.png'
    picture = (await desk.ann.post("/api/files", params={"name": name}, content=PNG)).json()
    answer = await desk.ann.get(f"/api/files/{picture['id']}")
    assert answer.headers["content-type"] == "image/png" and "set-cookie" not in answer.headers
    assert answer.headers["content-disposition"].startswith('inline; filename="_ _quoted_set-cookie_ x_1.png"')
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    drawing = (await desk.ann.post("/api/files", params={"name": "a.svg"}, content=svg,
                                   headers={"content-type": "image/svg+xml"})).json()  # fmt: skip
    answer = await desk.ann.get(f"/api/files/{drawing['id']}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_refusal_over_http_says_what_is_taken(desk: Desk) -> None:
    answer = await desk.ann.post("/api/files", params={"name": "a.docx"}, content=b"PK\x03\x04\0\0")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "file_kind" and "Markdown" in answer.json()["error"]["hint"]
    assert (await desk.ann.post("/api/files", content=b"")).json()["error"]["code"] == "file_empty"
