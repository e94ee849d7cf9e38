"""What a file is and the text in it, by its content and never by its claims. Refuses to know who sent it.

Read in this process: text, whose bytes are only decoded. A PDF is read by a process of its own (extract_child).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Literal

import msgspec

from freehold.assist.wording import sound
from freehold.core.errors import BadRequest, Unroutable

TAKEN = "text, Markdown, CSV, JSON, program code, PDF, and PNG, JPEG, GIF or WebP pictures"
PAGE = "\f"
"""Stands between the pages of a PDF's text."""
SCANNED = "scanned, needs OCR"
IMAGE_TOKENS = 2_000

_MIB = 1 << 20
_START = re.compile(r"\s*[\[{]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufff0-\uffff]")
_SIGNS = "€‚„…†‡‰‹›‘’“”•–—™«»°§¿¡·"
_PIECE = 250_000
_MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
_TABLES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_FOREIGN = (
    (b"PK\x03\x04", "an archive or an office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
    (b"Rar!", "an archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3\0", "a database"),
    (b"OggS", "sound"),
    (b"ID3", "sound"),
    (b"BM", "a bitmap picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
)
_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What reading one PDF may take: bytes of memory, seconds, characters of text kept; and how many are read at once
    by one process of the server."""

    memory: int = 768 * _MIB
    seconds: int = 60
    characters: int = 4_000_000
    at_once: int = 2


class Extracted(msgspec.Struct, frozen=True):
    """`text` is None for pictures; `pages` are a PDF's; `note` says what a person should know before they ask."""

    media: str
    text: str | None = None
    pages: int | None = None
    note: str = ""
    tokens: int = 0


class _Answer(msgspec.Struct, frozen=True):
    """What the child says."""

    pages: list[str] | None = None
    total: int = 0
    error: str = "crash"


def estimate(text: str) -> int:
    """Return about how many tokens a text makes: rather too many than too few."""
    size = len(text)
    plain = size if text.isascii() else len(text.encode("ascii", "ignore"))
    return (plain * 2 + 6) // 7 + size - plain


class Extractor:
    """Reads files. One for each process of the server: it bounds how many PDFs are read at once."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._turns = asyncio.Semaphore(self._bounds.at_once)

    async def read(self, data: bytes, name: str) -> Extracted:
        """Return what `data` is. Raises BadRequest, with what is taken, for anything else; Unroutable when a PDF
        cannot be read now."""
        if not data:
            raise BadRequest(f"{name} is empty.", code="file_empty", hint="choose a file with something in it")
        picture = _picture(data)
        if picture:
            return Extracted(picture, tokens=IMAGE_TOKENS)
        if b"%PDF-" in data[:1024]:
            return await self._pdf(data, name)
        found = await asyncio.to_thread(_text, data, name) if len(data) > 65_536 else _text(data, name)
        if found is None:
            raise _refused(data, name)
        return found

    async def _pdf(self, data: bytes, name: str) -> Extracted:
        async with self._turns:
            answer = await self._ask(data, name)
        if answer.pages is None:
            raise _unread(name, answer.error)
        pages = [sound(page).replace("\r\n", "\n").replace(PAGE, " ") for page in answer.pages]
        total = answer.total
        bare = sum(not page.strip() for page in pages)
        text, note = PAGE.join(pages), ""
        if bare == len(pages):
            return Extracted("application/pdf", "", total, SCANNED)
        if bare:
            note = f"{bare} of {len(pages)} pages hold no text (pictures, or {SCANNED})"
        if len(pages) < total:
            note = f"read up to page {len(pages)} of {total}" + (f"; {note}" if note else "")
        return Extracted("application/pdf", text, total, note, estimate(text))

    async def _ask(self, data: bytes, name: str) -> _Answer:
        """Return the child's answer. It sees none of this process's environment, which may hold keys."""
        bounds = self._bounds
        given = (str(bounds.memory), str(bounds.seconds), str(bounds.characters))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "freehold.assist.extract_child", *given),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd="/",
        )
        try:
            async with asyncio.timeout(bounds.seconds):
                out, _ = await child.communicate(data)
        except TimeoutError:
            raise _unread(name, "slow") from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        if child.returncode or not out:
            raise _unread(name, "slow" if child.returncode in (-24, -9) else "crash")
        return msgspec.json.decode(out, type=_Answer)


def _picture(data: bytes) -> Literal["image/png", "image/jpeg", "image/gif", "image/webp"] | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _text(data: bytes, name: str) -> Extracted | None:
    """Return the text and what kind it is; None when it is no text."""
    decoded = _decoded(data)
    if decoded is None:
        return None
    text, note = decoded
    text = "".join(_CONTROL.sub("", piece) for piece in _pieces(sound(text.replace("\r\n", "\n").replace("\r", "\n"))))
    if not text.strip():
        return Extracted("text/plain", "", None, "holds no text")
    return Extracted(_kind(text, os.path.splitext(name)[1].lower()), text, None, note, estimate(text))


def _decoded(data: bytes) -> tuple[str, str] | None:
    """Return the text and, where the encoding had to be guessed, a word on it."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), ""
            except UnicodeDecodeError:
                return None
    if b"\0" in data:
        return None if any(data.startswith(magic) for magic, _ in _FOREIGN) else _wide(data)
    try:
        text, note = data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        if any(data.startswith(magic) for magic, _ in _FOREIGN):
            return None
        # Windows' table where it has all the bytes, else ISO's, which has a sign for each
        try:
            text, note = data.decode("cp1252"), "read as Windows-1252: it is no UTF-8"
        except UnicodeDecodeError:
            text, note = data.decode("latin-1"), "read as Latin-1: it is no UTF-8"
        sample = text[:65_536]
        if sum(sign.isalnum() or sign.isspace() or sign.isascii() or sign in _SIGNS for sign in sample) * 20 < 19 * len(
            sample
        ):
            return None
    found = sum(len(_CONTROL.findall(piece)) for piece in _pieces(text))
    strange = found - text.count("\f") - text.count("\x1b")
    return None if strange * 200 > len(text) else (text, note)


def _pieces(text: str) -> Iterator[str]:
    """An expression that goes through many megabytes at once lets no other thread run meanwhile."""
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _wide(data: bytes) -> tuple[str, str] | None:
    """UTF-16 without its mark: in most texts nearly every other byte is zero."""
    even, odd, half = data[0::2].count(0), data[1::2].count(0), len(data) // 2
    encoding = "utf-16-le" if odd > half * 0.4 and not even else "utf-16-be" if even > half * 0.4 and not odd else ""
    if not encoding or len(data) % 2:
        return None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if _STRANGE.search(text) else (text, "read as UTF-16 without a mark")


def _kind(text: str, ending: str) -> str:
    if _START.match(text):
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            msgspec.json.decode(text, type=msgspec.Raw)
            return "application/json"
    if ending in _TABLES and _TABLES[ending] in text.partition("\n")[0]:
        return "text/csv" if ending == ".csv" else "text/tab-separated-values"
    if ending == ".csv":
        return "text/csv"
    return "text/markdown" if ending in _MARKDOWN else "text/plain"


def _refused(data: bytes, name: str) -> BadRequest:
    what = next((said for magic, said in _FOREIGN if data.startswith(magic)), "no text")
    return BadRequest(
        f"{name} cannot be read: it is {what}.", code="file_kind", hint=f"taken now: {TAKEN}; save it as one of these"
    )


def _unread(name: str, why: str) -> BadRequest | Unroutable:
    if why == "password":
        return BadRequest(
            f"{name} is locked by a password.", code="file_locked", hint="save a copy without one and add that"
        )
    if why in ("memory", "slow", "crash"):
        taken = {"memory": "took too much memory to read", "slow": "took too long to read", "crash": "broke its reader"}
        hint = "split it, or save it anew (print it to PDF); nothing of it was kept"
        return BadRequest(f"{name} {taken[why]}.", code="file_heavy", hint=hint)
    return BadRequest(f"{name} is damaged: it is no sound PDF.", code="file_damaged", hint="open it and save it anew")
