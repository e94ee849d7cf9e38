"""How files go to a model: whole where they fit, else the passages nearest to the question, and it is said which way.

Knows the room, in tokens, and BM25; refuses to know models. The text that is handed out says itself when it is not
all: a model that counts rows of a table it saw a part of is told so.
"""

from __future__ import annotations

import asyncio
import base64
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from freehold.assist.extract import IMAGE_TOKENS, PAGE, estimate
from freehold.assist.files import readable
from freehold.assist.search import words
from freehold.core.errors import NotFound
from freehold.store import Store

Mode = Literal["whole", "passages", "image", "none"]

_SMALL, _LARGE = 300, 1_600
"""Characters of a passage: shorter paragraphs are put together, longer ones are cut."""
_LONG = 65_536
"""Characters of a text that are not gone through in the loop that serves everybody."""
_ROWS = 20
"""Rows of a table in one passage."""
_FRAME = 24
"""Tokens set aside for what is written around a passage or a file."""
_K1, _B = 1.2, 0.75

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_TABLES = ("text/csv", "text/tab-separated-values")


class Used(msgspec.Struct, frozen=True):
    """A file as it goes to a model: its `text`, or a picture's `data_url`; `note` says to a person which way."""

    file: str
    name: str
    media: str
    bytes: int
    mode: Mode
    text: str = ""
    note: str = ""
    data_url: str | None = None


class Passage(msgspec.Struct, frozen=True):
    """A piece of a text; `where` is the page or heading that it stands under. `rows` are a table's."""

    text: str
    where: str = ""
    rows: int = 0


async def weigh(
    store: Store, member: str, file_ids: Sequence[str], question: str, room_tokens: int, *, lenient: bool = False
) -> list[Used]:
    """Return how each of the files is used, in order, all together within about `room_tokens`.

    Each file has an even share of the room; what small ones leave goes to the large ones. Raises NotFound for a file
    that is not there or not readable; `lenient` has it stand in the answer as not used: an old turn is gone over anew.
    """
    columns = "name, media, bytes, tokens, pages, note, text"
    rows = await readable(store, member, file_ids, columns)
    ids = list(dict.fromkeys(file_ids))
    missing = [id for id in ids if id not in rows]
    if missing and not lenient:
        raise NotFound(f"There is no file {missing[0][:64]!r}.", param="files", hint="take it off and add it again")
    pictures = [id for id in ids if id in rows and rows[id][1].startswith("image/")]
    texts = {id: rows[id][6] or "" for id in ids if id in rows and id not in pictures}
    room = max(room_tokens - IMAGE_TOKENS * len(pictures), 0)
    shares = _shares({id: rows[id][3] + _FRAME for id, text in texts.items() if text}, room)
    used = []
    for id in ids:
        if id not in rows:
            used.append(Used(id, "", "", 0, "none", note="no longer there"))
            continue
        name, media, size, tokens, _, note, _ = rows[id]
        if id in pictures:
            ((data,),) = await store.fetch("SELECT data FROM file WHERE id = ?", id)
            url = f"data:{media};base64,{base64.b64encode(data).decode()}"
            used.append(Used(id, name, media, size, "image", note="picture", data_url=url))
        elif not texts[id]:
            used.append(Used(id, name, media, size, "none", note=note or "holds no text"))
        elif tokens + _FRAME <= shares[id]:
            said = f"whole, {tokens:,} tokens" + (f"; {note}" if note else "")
            used.append(Used(id, name, media, size, "whole", _shown(texts[id]), said))
        else:
            given = (texts[id], media, question, shares[id] - _FRAME)
            # A table of many megabytes takes a second to go through
            mode, text, said = await asyncio.to_thread(_part, *given) if len(given[0]) > _LONG else _part(*given)
            used.append(Used(id, name, media, size, mode, text, said + (f"; {note}" if note else "")))
    return used


def _shares(needs: dict[str, int], room: int) -> dict[str, int]:
    """Divide the room evenly; what a small one does not need goes to the others."""
    shares, left = {}, room
    for number, (id, need) in enumerate(sorted(needs.items(), key=lambda item: item[1])):
        shares[id] = min(need, left // (len(needs) - number))
        left -= shares[id]
    return shares


def _shown(text: str) -> str:
    """The whole text, a PDF's pages told apart."""
    if PAGE not in text:
        return text
    return "\n\n".join(f"[page {n}]\n{page.strip()}" for n, page in enumerate(text.split(PAGE), 1))


def _part(text: str, media: str, question: str, room: int) -> tuple[Mode, str, str]:
    """Return the passages that fit, as one text, and what a person is told about them."""
    table = media in _TABLES
    head, passages = _rows(text) if table else ("", divide(text, media))
    room -= estimate(head)
    taken, near = choose(passages, question, room)
    how = "nearest to the question" if near else "from the beginning"
    if not taken:
        return "none", "", f"not used: not even one of {len(passages):,} passages fits"
    if table:
        got, total = sum(passages[n].rows for n in taken), sum(passage.rows for passage in passages)
        said = f"{got:,} of {total:,} rows, {how}: counts and sums over it would be wrong"
        warning = f"[This is a part of a table: {got} of {total} rows. Do not count, sum or rank over it; say so.]"
    else:
        said = f"{len(taken):,} of {len(passages):,} passages, {how}"
        warning = f"[These are {len(taken)} of {len(passages)} passages of the file, {how}. Say so where it matters.]"
    blocks = [warning, *([head] if head else [])]
    for number in taken:
        passage = passages[number]
        where = f", {passage.where}" if passage.where else ""
        blocks.append(f"[{'rows' if table else f'passage {number + 1}'}{where}]\n{passage.text}")
    return "passages", "\n\n".join(blocks), said


def divide(text: str, media: str = "") -> list[Passage]:
    """Return the passages of a text in order: paragraphs, the short ones together and the long ones cut, none across
    a page or a heading."""
    pages = text.split(PAGE)
    passages: list[Passage] = []
    for number, page in enumerate(pages, 1):
        where = f"page {number}" if len(pages) > 1 else ""
        headings: list[tuple[int, str]] = []
        block: list[str] = []
        for paragraph in re.split(r"\n[ \t]*\n", page):
            found = _HEADING.match(paragraph.strip().partition("\n")[0]) if media == "text/markdown" else None
            if found or sum(map(len, block)) >= _SMALL:
                passages += _sized(block, _under(where, headings))
                block = []
            if found:
                headings = [each for each in headings if each[0] < len(found[1])] + [(len(found[1]), found[2])]
            block.append(paragraph)
        passages += _sized(block, _under(where, headings))
    return passages


def _under(page: str, headings: list[tuple[int, str]]) -> str:
    return ", ".join(filter(None, (page, " > ".join(title for _, title in headings)[:200])))


def _sized(block: list[str], where: str) -> list[Passage]:
    """Return paragraphs as passages, cut where they are too long: at the end of a line or sentence, or else a word."""
    text = "\n\n".join(block).strip("\n")
    passages = []
    while len(text) > _LARGE:
        ends = [text.rfind(sign, _SMALL, _LARGE) + len(sign) for sign in ("\n", ". ", "。", " ")]
        end = next((end for sign, end in zip((1, 2, 1, 1), ends, strict=True) if end >= _SMALL + sign), _LARGE)
        passages.append(Passage(text[:end].strip("\n"), where))
        text = text[end:]
    if text.strip():
        passages.append(Passage(text.strip("\n"), where))
    return passages


def _rows(text: str) -> tuple[str, list[Passage]]:
    """Return a table's first row, and the others in passages of some rows. A row is a line: a quoted one that runs
    over several may be cut."""
    lines = text.strip("\n").split("\n")
    head, rest = lines[0][:2_000], lines[1:]
    passages = []
    for start in range(0, len(rest), _ROWS):
        some = rest[start : start + _ROWS]
        passages.append(Passage("\n".join(some), f"{start + 1:,} to {start + len(some):,}", len(some)))
    return head, passages


def choose(passages: Sequence[Passage], question: str, room: int) -> tuple[list[int], bool]:
    """Return the numbers of the passages that fit the room, in the order of the text, and whether any was near: the
    best by BM25 first; those that share no word with the question only when none does, from the beginning."""
    scores = rank(passages, question)
    near = any(scores)
    order = sorted(range(len(passages)), key=lambda n: -scores[n])  # stable: equal ones as they stand
    taken = []
    for number in order:
        if near and not scores[number]:
            break
        cost = estimate(passages[number].text) + _FRAME
        if cost <= room:
            taken.append(number)
            room -= cost
        if room < _FRAME:
            break
    return sorted(taken), near


def rank(passages: Sequence[Passage], question: str) -> list[float]:
    """Return the score of each passage by BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75), 0 for no word. The
    length of a passage is its characters'."""
    asked = set(words(question))
    if not asked or not passages:
        return [0.0] * len(passages)
    counts = [_count(f"{passage.where} {passage.text}", asked) for passage in passages]
    lengths = [len(passage.text) for passage in passages]
    spread = Counter(word for count in counts for word in count)
    mean = sum(lengths) / len(lengths) or 1.0
    weight = {w: math.log(1 + (len(passages) - n + 0.5) / (n + 0.5)) for w, n in spread.items()}
    return [
        sum(weight[w] * f * (_K1 + 1) / (f + _K1 * (1 - _B + _B * length / mean)) for w, f in count.items())
        for count, length in zip(counts, lengths, strict=True)
    ]


def _count(text: str, asked: set[str]) -> dict[str, int]:
    """Return how often each of the words stands in `text`. Plain text, most of what is long, is searched for each word
    and not taken apart: that is ten times as fast."""
    if not text.isascii():
        return Counter(word for word in words(text) if word in asked)
    low = text.lower()
    found = {}
    for word in asked:
        times, at, end = 0, low.find(word), len(low)
        while at >= 0:
            after = at + len(word)
            if not ((at and low[at - 1].isalnum()) or (after < end and low[after].isalnum())):
                times += 1
            at = low.find(word, after)
        if times:
            found[word] = times
    return found
