"""Finds words in all that a member has written and read. Knows words and both engines' ways to ask for them; refuses
to know how a message came about.

A text is indexed as normal words: compatibility forms and case folded, accents off. Scripts that write no blanks
(Chinese, Japanese, Thai, Lao, Khmer, Burmese) are cut into single characters, and a word of theirs is asked for as a
phrase: so it is found wherever it stands, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.core.errors import StoreError
from freehold.store import Row, Step, Store

INDEX = """INSERT INTO message_search(message, conversation, member, words) VALUES (?, ?, ?, ?)
    ON CONFLICT(message) DO UPDATE SET conversation = excluded.conversation, member = excluded.member,
    words = excluded.words"""

_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u3190-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670"
_ACCENT = re.compile(f"[{_MARKS}]")
_WORD = re.compile(rf"(?=\w)[{_ALONE}]|[^\W_{_ALONE}]+")
_SEEN = re.compile(rf"(?=\w)[{_ALONE}]|(?:[^\W_{_ALONE}][{_MARKS}]*)+")
_PIECE = re.compile(r'"([^"]*)"|([^\s"]+)')

_LONGEST = 60
"""Characters of one word that count."""
_BYTES = 400_000
"""Of a text's words that are indexed; PostgreSQL takes a megabyte, their places included."""
_TERMS = 24
"""Words or phrases of one question."""
_SCANNED = 100_000
"""Characters of a text in which a snippet is looked for."""
_AROUND = 240
_STEP = 250
"""Pages of the index that one step of `scrub` merges."""
_MANY = 500
"""Titles that are gone through in the loop that serves everybody."""

Term = tuple[tuple[str, ...], bool]
"""Words that follow each other, and whether the last one is only the beginning of a word."""


class Hit(msgspec.Struct, frozen=True):
    """A place where something was found; `message` is None when it was the title. `at` is in milliseconds, `parts` is
    the text around it, cut where a hit begins and ends."""

    conversation: str
    title: str
    message: str | None
    role: str
    at: int
    parts: list[tuple[str, bool]]


class Hits(msgspec.Struct, frozen=True):
    items: list[Hit]
    more: bool


def words(value: str) -> list[str]:
    """Return the normal words of a text, in order."""
    if not value.isascii():
        value = unicodedata.normalize("NFKC", _ACCENT.sub("", unicodedata.normalize("NFKD", value)))
    return [word[:_LONGEST] for word in _WORD.findall(value.casefold())]


def row(member: str, conversation: str, message: str, text: str) -> tuple[str, str, str, str]:
    """Return the row that goes with `INDEX`, for those who write many at once."""
    found = words(text[:_BYTES])
    whole = " ".join(found)
    if len(whole) * 4 <= _BYTES:
        return message, conversation, member, whole
    kept, size = [], 0
    for word in found:
        size += len(word.encode("utf-8", "replace")) + 1
        if size > _BYTES:
            break
        kept.append(word)
    return message, conversation, member, " ".join(kept)


def index(member: str, conversation: str, message: str, text: str) -> Step:
    """Return the step that makes `text` the words of a message, in place of what stood there. For the same
    transaction as the message itself."""
    return INDEX, [row(member, conversation, message, text)]


def text_of(parts: str | list[Any]) -> str:
    """Return what is to be indexed of a message's parts (a list, or its JSON): texts, and names of files."""
    try:
        found = msgspec.json.decode(parts) if isinstance(parts, str) else msgspec.to_builtins(parts)
    except msgspec.MsgspecError:
        return ""
    said = {"text": "text", "file": "name"}
    texts = [part.get(said.get(str(part.get("type")), "")) for part in found if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def terms(question: str) -> list[Term]:
    """Return what a question asks for, all of which must be there: words, "phrases", and the last word begun."""
    pieces = [(match[1], match[2]) for match in _PIECE.finditer(question[:2000])]
    found: list[Term] = []
    for number, (phrase, word) in enumerate(pieces):
        cut = words(phrase or word or "")
        if cut:
            begun = bool(word) and number == len(pieces) - 1
            # One letter begins half of all words: it is asked for as the word that it is
            found.append((tuple(cut), begun and (len(cut[-1]) > 1 or not cut[-1].isascii())))
    return found[-_TERMS:]


async def search(store: Store, member: str, question: str, limit: int = 30, project: str | None = None) -> Hits:
    """Return what a member's titles and messages hold of `question`: titles first, then the best messages."""
    asked = terms(question)
    if not asked:
        return Hits([], False)
    hits = await _titles(store, member, asked, project, limit + 1)
    if len(hits) <= limit:
        hits += await _messages(store, member, asked, project, limit + 1 - len(hits))
    return Hits(hits[:limit], len(hits) > limit)


async def _titles(store: Store, member: str, asked: list[Term], project: str | None, limit: int) -> list[Hit]:
    """Titles are short and change often, so they are read and not indexed."""
    sql = "SELECT id, title, updated_at FROM conversation WHERE member = ?"
    rows = await (store.fetch(sql + " AND project = ?", member, project) if project else store.fetch(sql, member))
    found = await asyncio.to_thread(_named, rows, asked) if len(rows) > _MANY else _named(rows, asked)
    found.sort(key=lambda row: -row[2])
    return [
        Hit(conversation, title, None, "title", at // 1_000_000, cut(title, places(title, asked)))
        for conversation, title, at in found[:limit]
    ]


def _named(rows: Sequence[Row], asked: list[Term]) -> list[Row]:
    """Return the rows whose title, their second value, holds all terms."""
    sought = [f" {' '.join(cut)}{'' if begun else ' '}" for cut, begun in asked]
    found = []
    for row in rows:
        title = f" {' '.join(words(row[1]))} "
        if all(term in title for term in sought):
            found.append(row)
    return found


async def _messages(store: Store, member: str, asked: list[Term], project: str | None, limit: int) -> list[Hit]:
    columns = "m.id, m.role, m.created_at, m.parts, c.id, c.title"
    joined = "JOIN message m ON m.id = s.message JOIN conversation c ON c.id = m.conversation"
    if store.engine == "sqlite":
        sql = f"""SELECT {columns} FROM message_words JOIN message_search s ON s.id = message_words.rowid {joined}
            WHERE message_words MATCH ? AND s.member = ? AND c.member = ?"""
        order = "bm25(message_words, 0.0, 1.0), m.created_at DESC"
        given: list[Any] = [_for_sqlite(member, asked), member, member]
    else:
        sql = f"""SELECT {columns} FROM message_search s {joined}, to_tsquery('simple', ?) q
            WHERE s.found @@ q AND s.member = ? AND c.member = ?"""
        order = "ts_rank_cd(s.found, q, 1) DESC, m.created_at DESC"
        given = [_for_postgres(asked), member, member]
    if project:
        sql += " AND c.project = ?"
        given.append(project)
    rows = await store.fetch(f"{sql} ORDER BY {order}, m.id LIMIT ?", *given, limit)
    hits = []
    for message, role, at, parts, conversation, title in rows:
        text = text_of(parts)
        hits.append(Hit(conversation, title, message, role, at // 1_000_000, cut(text, places(text[:_SCANNED], asked))))
    return hits


def _for_sqlite(member: str, asked: list[Term]) -> str:
    """The words hold letters and digits alone, so nothing in them is syntax; the member's id stands in quotes."""
    phrases = [f'"{" ".join(cut)}"{" *" if begun else ""}' for cut, begun in asked]
    owner = member.replace('"', '""')
    return f'member : "{owner}" AND words : ({" AND ".join(phrases)})'


def _for_postgres(asked: list[Term]) -> str:
    phrases = []
    for cut, begun in asked:
        lexemes = [f"'{word}'" for word in cut]
        lexemes[-1] += ":*" if begun else ""
        phrases.append(f"({' <-> '.join(lexemes)})")
    return " & ".join(phrases)


def places(text: str, asked: list[Term]) -> list[tuple[int, int]]:
    """Return where in `text` the terms stand, in order, without overlap."""
    seen: list[tuple[str, int, int]] = []
    for match in _SEEN.finditer(text):
        seen += [(word, match.start(), match.end()) for word in words(match[0])]
    firsts: dict[str, list[int]] = {}
    for number, (word, _, _) in enumerate(seen):
        firsts.setdefault(word, []).append(number)
    spans: list[tuple[int, int]] = []
    for sought, begun in asked:
        last = len(sought) - 1
        starts = range(len(seen)) if begun and not last else firsts.get(sought[0], ())
        found = [n for n in starts if n + last < len(seen) and _stands(seen, n, sought, begun)]
        spans += [(seen[n][1], seen[n + last][2]) for n in found]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _stands(seen: list[tuple[str, int, int]], at: int, sought: tuple[str, ...], begun: bool) -> bool:
    *before, final = sought
    if any(seen[at + i][0] != word for i, word in enumerate(before)):
        return False
    there = seen[at + len(before)][0]
    return there.startswith(final) if begun else there == final


def cut(text: str, spans: list[tuple[int, int]]) -> list[tuple[str, bool]]:
    """Return the text around the first hit in parts, each with whether it is a hit."""
    start = max(spans[0][0] - _AROUND // 4, 0) if spans else 0
    end = min(start + _AROUND, len(text))
    if start > 0:  # begin with a whole word
        blank = text.find(" ", start, spans[0][0])
        start = blank + 1 if blank >= 0 else start
    parts: list[tuple[str, bool]] = [("…", False)] if start else []
    for first, last in spans:
        if last > end:
            break
        parts += [(text[start:first], False), (text[first:last], True)]
        start = last
    parts.append((text[start:end] + ("…" if end < len(text) else ""), False))
    return [(re.sub(r"\s+", " ", piece), hit) for piece, hit in parts if piece]


async def scrub(store: Store) -> None:
    """See to it that words which were forgotten leave the store's files: SQLite's index keeps them, as deleted, until
    its pieces are merged. It is done in small steps, between which others write; a second or two for 100,000
    messages."""
    if store.engine != "sqlite":
        return
    merge = "INSERT INTO message_words(message_words, rank) VALUES ('merge', ?)"
    ((pages,),) = await store.fetch("SELECT COUNT(*) FROM message_words_data")
    await store.write((merge, [(-_STEP,)]), durable=False)
    for _ in range(pages // _STEP + 1):
        await store.write((merge, [(_STEP,)]), durable=False)
    await erase(store, "message_search", ("DELETE FROM message_search WHERE message = ''", [()]))


async def erase(store: Store, table: str, *steps: Step) -> int:
    """As `store.shred`; but where a reader still holds the old log, what is deleted is deleted all the same and its
    bytes go when the log is next cut. Return how many rows the last step changed, 1 where that is not known."""
    try:
        return await store.shred(table, *steps)
    except StoreError as e:
        if e.code != "store_busy":
            raise
        return 1
