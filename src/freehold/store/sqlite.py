"""The store in one SQLite file: WAL, one writing thread, a small pool of readers. Refuses to know what rows mean."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from freehold.core.clock import now_ns
from freehold.core.errors import StoreError
from freehold.store.base import CONFLICT, VALUE, Build, Head, Row, Step, Tries
from freehold.store.migrations import LANES, pending
from freehold.store.thread import WorkThread

T = TypeVar("T")

READERS = 2
POLL = 0.05  # seconds between looks at the generation counter
LOOK = 0.1  # seconds that a look at the file's place is good for
WIDEST = 32  # rows of one INSERT: wider ones save little CPU and cost memory for the prepared statement
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"})

HINTS = {
    "SQLITE_FULL": "the disk is full: free some space; nothing that was acknowledged is lost",
    "SQLITE_BUSY": "another process keeps the database locked: end its transaction (a backup, a shell, a report)",
    "SQLITE_LOCKED": "another process keeps the database locked: end its transaction (a backup, a shell, a report)",
    "SQLITE_READONLY": "the database file or its folder is not writable for this user",
    "SQLITE_CANTOPEN": "the folder has to exist and be writable for this user",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a backup, then run `freehold ledger verify`",
    "SQLITE_NOTADB": "the file is not a SQLite database: name another one in [store] url",
    "SQLITE_IOERR": "the disk reports an error (see the system log), or this process may not write a file so large "
    "(ulimit -f)",
}


RULE = "another row has this value already, or there is no room for it: read what is there"


def explain(error: sqlite3.Error, path: str) -> StoreError:
    """Return `error` as a StoreError that says what to do."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith("SQLITE_CONSTRAINT"):
        return StoreError(f"A rule of the table forbids it: {error}.", code=CONFLICT, retryable=False, hint=RULE)
    hint = next((text for prefix, text in HINTS.items() if name.startswith(prefix)), "see the message of the database")
    return StoreError(f"The store {path} failed: {error}.", hint=hint)


class SQLite:
    """See `store.base.Store`. `open` makes one."""

    engine = "sqlite"

    def __init__(self, path: str, durable: bool, patience: float) -> None:
        self.path = path
        self._durable = durable
        self._patience = patience
        self._writing: sqlite3.Connection | None = None
        self._turn: int | None = None
        self._heads: dict[str, Head] = {}
        self._alone = True
        self._places: dict[str, tuple[int, int]] = {}  # device and inode of the files as we opened them
        self._looked = 0.0
        self._gone = ""
        self._thread = WorkThread("freehold-store-writer")
        self._readers = ThreadPoolExecutor(READERS, "freehold-store-reader")
        self._reading = threading.local()
        self._opened: list[sqlite3.Connection] = []

    @classmethod
    async def open(cls, path: str, *, durable: bool, patience: float) -> SQLite:
        store = cls(path, durable, patience)
        try:
            await store._thread.do(store._prepare, max(patience, 60.0))
        except BaseException:
            await store.close()
            raise
        return store

    # -- the protocol ---------------------------------------------------------------------------------------------

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._fetch, sql, args)

    async def write(self, *steps: Step, durable: bool = True, patience: float | None = None) -> int:
        return await self._do(partial(self._in_turn, partial(self._write, steps, durable)), patience)

    async def append(self, lane: str, build: Build, *, ask: Sequence[Any] = (), also: Sequence[Step] = ()) -> Head:
        return await self._do(partial(self._in_turn, partial(self._append, lane, build, ask, also)))

    async def generation(self) -> int:
        rows = await self.fetch("SELECT value FROM meta WHERE name = 'generation'")
        return int(rows[0][0])

    async def bump(self) -> int:
        return await self._do(partial(self._in_turn, self._bump))

    async def watch(self, callback: Callable[[int], Awaitable[None] | None], seen: int | None = None) -> None:
        loop = asyncio.get_running_loop()
        if seen is None:
            seen = await self.generation()
        found, due, tries = seen, 0.0, Tries(callback)
        looker = _Looker(self)
        executor = ThreadPoolExecutor(1, "freehold-store-watch")
        try:
            while True:
                await asyncio.sleep(POLL)
                now = await loop.run_in_executor(executor, looker.look)
                found = found if now is None else now
                if found != seen and loop.time() >= due:
                    if await tries.call(found):
                        seen = found
                    else:
                        due = loop.time() + tries.pause
        finally:
            executor.submit(looker.close)
            executor.shutdown(wait=False)

    async def shred(self, table: str, *steps: Step) -> int:
        return await self._do(partial(self._in_turn, partial(self._shred, steps)), max(self._patience, 60.0))

    async def close(self) -> None:
        self._readers.shutdown(wait=True, cancel_futures=True)
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        await self._thread.close(self._let_go, self._patience)

    # -- on the writing thread --------------------------------------------------------------------------------------

    async def _do(self, work: Callable[[], T], patience: float | None = None) -> T:
        try:
            return await self._thread.do(work, patience or self._patience)
        except sqlite3.Error as e:
            raise explain(e, self.path) from e
        except OSError as e:
            hint = "the folder of the database has to be writable for this user, and its disk has to have space"
            raise StoreError(f"The store {self.path} failed: {e.strerror}.", hint=hint) from e
        except (OverflowError, UnicodeEncodeError) as e:
            raise _unfit(e) from e

    def _prepare(self) -> None:
        refuse_remote(self.path)
        try:
            if not os.path.exists(self.path):
                # Made here so that it is never, not even for a moment, readable for others; WAL files inherit the mode.
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._places[self.path] = _place(self.path)
            self._migrate(self._writer())
            self._look(0.0)
        except OSError as e:
            hint = "the folder has to exist and be writable for this user"
            raise StoreError(f"The store {self.path} cannot be made: {e.strerror}.", hint=hint) from e
        except sqlite3.Error as e:
            raise explain(e, self.path) from e

    def _in_turn(self, work: Callable[[], T]) -> T:
        """Do `work` when it is our turn among the processes that write to this file. SQLite by itself makes those who
        wait sleep ever longer and serves whoever happens to look at the right moment: some would wait for a second.
        The kernel's queue for a file lock is fair, wakes at once, and forgets processes that die."""
        if self._turn is None:
            self._turn = os.open(f"{self.path}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            self._look()
            return work()
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _look(self, good_for: float = LOOK) -> None:
        """Raise StoreError once the file or its log is not where we opened it. Whoever has a file open does not notice
        when it is deleted or another one put in its place: it would go on writing to what nobody will find again."""
        now = time.monotonic()
        if not self._gone:
            if now - self._looked < good_for:
                return
            self._looked = now
            for path, known in list(self._places.items()):
                try:
                    found = _place(path)
                except FileNotFoundError:
                    self._gone = f"{path} was deleted or moved away while it was in use"
                    break
                if found != known:
                    self._gone = f"{path} was replaced by another file while it was in use"
                    break
        if self._gone:
            raise StoreError(
                f"{self._gone[0].upper()}{self._gone[1:]}.",
                code="store_gone",
                hint="stop Freehold, restore the store from a backup when it is lost, then start again",
            )

    def _writer(self) -> sqlite3.Connection:
        if self._writing is None:
            log = f"{self.path}-wal"
            self._places.pop(log, None)  # the last connection to close folds it into the file; the next makes it anew
            self._writing = self._connect()
            self._enter_wal(self._writing)
            self._writing.execute("SELECT 1 FROM sqlite_master").fetchone()  # from here on the log is there
            self._places[log] = _place(log)
            # Erased bodies are overwritten, not just unlinked; entries are never deleted, so the ledger pays nothing.
            self._writing.execute("PRAGMA secure_delete=ON")
            self._writing.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")
        return self._writing

    def _connect(self) -> sqlite3.Connection:
        self._look(0.0)
        return sqlite3.connect(
            f"file://{quote(os.path.abspath(self.path))}?mode=rw",  # never makes a file
            uri=True,
            timeout=self._patience * 0.8,  # less than the caller's patience: better to hear the reason than silence
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _enter_wal(self, db: sqlite3.Connection) -> None:
        """Switch to write-ahead logging. When two processes do this to a new file at once, SQLite fails one of them
        without waiting, so we wait ourselves."""
        until = time.monotonic() + self._patience
        while True:
            try:
                db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as e:
                if e.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def _migrate(self, db: sqlite3.Connection) -> None:
        # Looked at first: who only joins the others takes no lock, and so begins also while somebody keeps it.
        made = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'").fetchone()
        if made and not pending(db.execute("SELECT number, name FROM migration").fetchall()):
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and "migration" not in tables:
                raise StoreError(
                    f"{self.path} holds another program's tables ({', '.join(sorted(tables)[:5])}).",
                    code="store_foreign",
                    retryable=False,
                    hint="name another file in [store] url",
                )
            db.execute(
                "CREATE TABLE IF NOT EXISTS migration"
                "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
            )
            for migration in pending(db.execute("SELECT number, name FROM migration ORDER BY number").fetchall()):
                for statement in migration.sql("sqlite"):
                    db.execute(statement)
                db.execute("INSERT INTO migration VALUES (?, ?, ?)", (migration.number, migration.name, now_ns()))
            db.execute("COMMIT")
        except BaseException:
            self._undo(db)
            raise

    def _append(self, lane: str, build: Build, ask: Sequence[Any], also: Sequence[Step]) -> Head:
        """Alone on the file, one INSERT is the whole transaction: it goes by the head we remember, and the primary key
        on `seq` refuses it when another process was faster. Otherwise lock, read the head, insert, commit."""
        table = LANES[lane]
        db = self._writer()
        head = self._heads.get(lane)
        if self._alone and head is not None and not ask and not also:
            rows = build(head)
            if not rows:
                return head
            if len(rows) <= WIDEST:
                try:
                    db.execute(table.insert(len(rows)), list(chain.from_iterable(rows)))
                except sqlite3.IntegrityError:
                    self._undo(db)
                    self._alone = False
                except BaseException:
                    self._undo(db)
                    raise
                else:
                    head = self._heads[lane] = Head(rows[-1][0], rows[-1][1])
                    return head
        return self._append_locked(lane, build, ask, also)

    def _append_locked(self, lane: str, build: Build, ask: Sequence[Any], also: Sequence[Step]) -> Head:
        table = LANES[lane]
        db = self._writer()
        try:
            db.execute("BEGIN IMMEDIATE")
            last = db.execute(table.head).fetchone()
            head = Head(*last) if last else Head()
            known = self._heads.get(lane)
            if known is not None:
                self._alone = known.seq == head.seq
            found = db.execute(ask[0], ask[1:]).fetchall() if ask else ()
            rows = build(Head(head.seq, head.hash, found))
            for start in range(0, len(rows), WIDEST):
                part = rows[start : start + WIDEST]
                db.execute(table.insert(len(part)), list(chain.from_iterable(part)))
            for sql, many in also:
                db.executemany(sql, many)
            db.execute("COMMIT")
        except BaseException:
            self._undo(db)
            raise
        if rows:
            head = Head(rows[-1][0], rows[-1][1])
        self._heads[lane] = head
        return head

    def _write(self, steps: Sequence[Step], durable: bool) -> int:
        db = self._writer()
        if durable != self._durable:
            db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        try:
            db.execute("BEGIN IMMEDIATE")
            changed = 0
            for sql, many in steps:
                changed = db.executemany(sql, many).rowcount
            db.execute("COMMIT")
            return changed
        except BaseException:
            self._undo(db)
            raise
        finally:
            if durable != self._durable and self._writing is not None:
                db.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")

    def _bump(self) -> int:
        self._write((("UPDATE meta SET value = value + 1 WHERE name = 'generation'", ((),)),), True)
        (value,) = self._writer().execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()
        return int(value)

    def _shred(self, steps: Sequence[Step]) -> int:
        changed = self._write(steps, True)
        # What was overwritten is still in the write-ahead log until that has been carried over and cut off.
        (kept, *_) = self._writer().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if kept:
            raise StoreError(
                f"The old bytes are out of the tables, but {self.path}-wal still holds them: another process reads.",
                code="store_busy",
                hint="wait until the backup, shell or report that reads the database has ended, then erase again",
            )
        return changed

    def _undo(self, db: sqlite3.Connection) -> None:
        """Roll back; a connection that cannot even do that is thrown away, the next job opens a fresh one."""
        self._heads.clear()
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error:
            db.close()
            self._writing = None

    def _let_go(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        if self._turn is not None:
            os.close(self._turn)
            self._turn = None

    # -- on a reading thread ----------------------------------------------------------------------------------------

    def _fetch(self, sql: str, args: Sequence[Any]) -> list[Row]:
        self._look()
        try:
            connection = getattr(self._reading, "connection", None)
            if connection is None:
                connection = self.reader()
                self._reading.connection = connection
                self._opened.append(connection)
            rows: list[Row] = connection.execute(sql, args).fetchall()
            return rows
        except sqlite3.Error as e:
            raise explain(e, self.path) from e
        except (OverflowError, UnicodeEncodeError) as e:
            raise _unfit(e) from e

    def reader(self) -> sqlite3.Connection:
        """Return a new connection that cannot write."""
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        return connection


def _unfit(e: Exception) -> StoreError:
    return StoreError(f"A value does not fit: {e}.", code=VALUE, retryable=False, hint="64 bits, UTF-8")


class _Looker:
    """Looks at the generation counter on a connection of its own: `data_version` tells cheaply whether any other
    connection has committed since the last look."""

    def __init__(self, store: SQLite) -> None:
        self._store = store
        self._db: sqlite3.Connection | None = None
        self._version = -1

    def look(self) -> int | None:
        """Return the generation, or None when nothing was committed or the file cannot be read now."""
        try:
            if self._db is None:
                self._db = self._store.reader()
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return None
            (generation,) = self._db.execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()
            self._version = version
            return int(generation)
        except (sqlite3.Error, StoreError):
            self.close()
            return None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
            self._version = -1


def _place(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def refuse_remote(path: str, mounts: str = "/proc/self/mounts") -> None:
    """Raise StoreError when `path` lies on a network file system, as far as the system tells: SQLite's locks and
    shared memory do not work there, and two processes would break the chain."""
    try:
        table = Path(mounts).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    where = os.path.realpath(path)
    best, kind = "", ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].encode().decode("unicode_escape")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    if kind in REMOTE:
        raise StoreError(
            f"{path} lies on a network file system ({kind} at {best}).",
            code="store_remote",
            retryable=False,
            hint="keep the SQLite file on a local disk, or use PostgreSQL: postgresql://HOST/DATABASE",
        )
