"""The row of an import: who may move it from which state to which. Knows SQL; refuses to know files and processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from freehold.assist.imports.report import Outcome, Report
from freehold.core.clock import now_ns
from freehold.core.errors import NotFound
from freehold.store import Step, Store

State = Literal["receiving", "running", "done", "failed", "cancelled"]

SILENT_SECONDS = 60
"""An import that runs says so every half second; one that has been silent for so long was killed."""
_COLUMNS = "id, name, bytes, received, state, source, done, total, sums, {}, error, created_at"
_NS = 1_000_000_000
_LOCK: Step = ("UPDATE meta SET value = value WHERE name = 'generation'", [()])
"""Makes what follows in a transaction wait for another that begins so too: what it then reads stays true."""


class Import(msgspec.Struct, frozen=True):
    """An import as its member sees it. `done` and `total` count conversations, the latter is an estimate until the end;
    `conversations` says how many fared how, once it is known. A list has no `report`. `created_at` is in
    milliseconds."""

    id: str
    name: str
    bytes: int
    received: int
    state: State
    source: str
    done: int
    total: int | None
    conversations: dict[Outcome, int] | None
    report: Report | None
    error: str
    created_at: int


class Task(msgspec.Struct):
    """What is to be done. `url` is the store's, with its password."""

    url: str
    id: str
    member: str
    holder: str
    path: str
    parent: int
    file_bytes: int
    member_bytes: int
    folder: str


def _read(row: Sequence[Any]) -> Import:
    id, name, size, received, state, source, done, total, sums, text, error, at = row
    counts = msgspec.json.decode(sums, type=dict[Outcome, int]) if sums else None
    report = msgspec.json.decode(text, type=Report) if text else None
    return Import(id, name, size, received, state, source, done, total, counts, report, error, at // 1_000_000)


async def all_of(store: Store, member: str, limit: int) -> list[Import]:
    """Return a member's imports, the newest first, without their reports."""
    sql = f"SELECT {_COLUMNS.format('NULL')} FROM import WHERE member = ? ORDER BY created_at DESC, id DESC LIMIT ?"
    return [_read(row) for row in await store.fetch(sql, member, limit)]


async def find(store: Store, member: str, id: str) -> Import:
    """Return one import. Raises NotFound."""
    rows = await store.fetch(f"SELECT {_COLUMNS.format('report')} FROM import WHERE id = ? AND member = ?", id, member)
    if not rows:
        raise NotFound(f"There is no import {id[:64]!r}.", hint="it was removed, or is somebody else's")
    return _read(rows[0])


async def make(store: Store, member: str, id: str, name: str, size: int) -> None:
    now = now_ns()
    sql = """INSERT INTO import(id, member, name, bytes, state, created_at, updated_at)
        VALUES (?, ?, ?, ?, 'receiving', ?, ?)"""
    await store.write((sql, [(id, member, name, size, now, now)]))


async def receive(store: Store, id: str, received: int) -> None:
    """Note how much is there."""
    sql = "UPDATE import SET received = ?, updated_at = ? WHERE id = ? AND received < ?"
    await store.write((sql, [(received, now_ns(), id, received)]), durable=False)


async def start(store: Store, member: str, id: str, holder: str) -> bool:
    """Take a whole file's import to running; False when another of the member's runs, or this one cannot."""
    now = now_ns()
    sql = """UPDATE import SET state = 'running', holder = ?, beat_at = ?, updated_at = ?, error = '', sums = NULL,
        report = NULL, done = 0, total = NULL
        WHERE id = ? AND member = ? AND state IN ('receiving', 'failed', 'cancelled') AND received = bytes
        AND NOT EXISTS (SELECT 1 FROM import i WHERE i.member = ? AND i.state = 'running')"""
    return await store.write(_LOCK, (sql, [(holder, now, now, id, member, member)])) == 1


async def tell(store: Store, id: str, holder: str, source: str, done: int, total: int) -> bool:
    """Note how far it is; False when it is not wanted any more."""
    now = now_ns()
    sql = """UPDATE import SET source = ?, done = ?, total = ?, beat_at = ?, updated_at = ?
        WHERE id = ? AND holder = ? AND state = 'running'"""
    return await store.write((sql, [(source, done, total, now, now, id, holder)]), durable=False) == 1


async def finish(
    store: Store, id: str, holder: str, state: State, source: str, report: Report | None, error: str
) -> bool:
    """Note what came of it; False when that is known already."""
    now = now_ns()
    text = msgspec.json.encode(report).decode() if report is not None else None
    sums = msgspec.json.encode(report.conversations).decode() if report is not None else None
    sql = """UPDATE import SET state = ?, source = ?, sums = ?, report = ?, error = ?, updated_at = ?
        WHERE id = ? AND holder = ? AND state = 'running'"""
    return await store.write((sql, [(state, source, sums, text, error, now, id, holder)])) == 1


async def cancel(store: Store, member: str, id: str) -> bool:
    """Say that a running import is not wanted any more; False when it does not run."""
    sql = "UPDATE import SET state = 'cancelled', updated_at = ? WHERE id = ? AND member = ? AND state = 'running'"
    return await store.write((sql, [(now_ns(), id, member)])) == 1


async def remove(store: Store, member: str, id: str) -> bool:
    """Remove the row of an import that does not run; False when it does, or is not there."""
    sql = "DELETE FROM import WHERE id = ? AND member = ? AND state <> 'running'"
    return await store.write((sql, [(id, member)])) == 1


async def bury(store: Store, member: str) -> None:
    """Call what was killed failed."""
    now = now_ns()
    sql = """UPDATE import SET state = 'failed', error = ?, updated_at = ?
        WHERE member = ? AND state = 'running' AND beat_at < ?"""
    error = "It was interrupted. Start it again: what is here already stays as it is."
    await store.write((sql, [(error, now, member, now - SILENT_SECONDS * _NS)]), durable=False)


async def forgotten(store: Store, older_than_seconds: float) -> list[str]:
    """Return the imports whose files nobody has touched for so long; those that never came whole are removed."""
    before = now_ns() - int(older_than_seconds * _NS)
    await store.write(("DELETE FROM import WHERE state = 'receiving' AND updated_at < ?", [(before,)]), durable=False)
    sql = "SELECT id FROM import WHERE state <> 'running' AND updated_at < ?"
    return [id for (id,) in await store.fetch(sql, before)]
