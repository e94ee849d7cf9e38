"""The store in a PostgreSQL schema of its own, `freehold`. Knows asyncpg; refuses to touch any other schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zlib import crc32

import asyncpg

from freehold.core.clock import now_ns
from freehold.core.errors import ConfigError, StoreError
from freehold.store.base import CONFLICT, VALUE, Build, Head, Row, Step, Tries
from freehold.store.migrations import LANES, pending

SCHEMA = "freehold"
POOL = 6  # connections of one process: one appends, the others read and write configuration
LOCK = crc32(b"freehold")  # first half of the advisory locks' key
MIGRATE = 0  # second half: migrations; a lane has the crc of its name
WIDEST = 64  # rows of one INSERT
TABLES = frozenset(
    {"body", "entry", "spent", "key", "team", "meta", "member", "session", "conversation", "message", "message_search"}
    | {"file", "project", "prompt", "assistant", "memory", "share", "import", "vault_key"}
)

UNREACHABLE = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)


RULE = "another row has this value already, or there is no room for it: read what is there"


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Return `sql` with its `?` marks as `$1`, `$2`, ...; those inside quotes stay."""
    parts, count, quote = [], 0, ""
    for sign in sql:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "?":
            count += 1
            sign = f"${count}"
        parts.append(sign)
    return "".join(parts)


def explain(error: BaseException) -> StoreError:
    """Return `error` as a StoreError that says what to do."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return StoreError(f"A rule of the table forbids it: {error}.", code=CONFLICT, retryable=False, hint=RULE)
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError | asyncpg.LockNotAvailableError):
        return StoreError(
            "PostgreSQL did not finish a write in time.",
            code="store_slow",
            hint="look at the database's disk and load, and for a transaction that keeps locks (pg_stat_activity)",
        )
    if isinstance(error, asyncpg.DataError | OverflowError | ValueError):
        return StoreError(f"A value does not fit: {error}.", code=VALUE, retryable=False, hint="64 bits, UTF-8, no NUL")
    if isinstance(error, asyncpg.DiskFullError):
        return StoreError(f"PostgreSQL has no space: {error}.", hint="free some space on the database's disk")
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError):
        return StoreError(f"PostgreSQL denies access: {error}.", hint="check the user, the password and its rights")
    if isinstance(error, UNREACHABLE):
        return StoreError(
            f"PostgreSQL cannot be reached: {error or type(error).__name__}.",
            hint="check [store] url, and that the server runs and takes connections from here",
        )
    return StoreError(f"PostgreSQL failed: {error}.", hint="see the message and the log of the database")


async def _prepare(connection: Any) -> None:
    """Make values come back as SQLite gives them: sums of integers as int, truth as 0 or 1."""
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")
    await connection.set_type_codec(
        "bool", schema="pg_catalog", encoder=lambda v: "t" if v else "f", decoder=lambda v: int(v == "t"), format="text"
    )


def _number(text: str) -> int | float:
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


class Postgres:
    """See `store.base.Store`. `open` makes one."""

    engine = "postgres"

    def __init__(self, url: str, pool: Any, durable: bool, patience: float) -> None:
        self._url = url
        self._pool = pool
        self._durable = durable
        self._patience = patience

    @classmethod
    async def open(cls, url: str, *, durable: bool, patience: float) -> Postgres:
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=0,  # the pool would log each of its tries to keep one
                max_size=POOL,
                timeout=max(patience, 10.0),
                init=_prepare,
                server_settings={
                    "search_path": SCHEMA,
                    "application_name": "freehold",
                    "synchronous_commit": _on(durable),
                },
            )
        except (ValueError, asyncpg.ClientConfigurationError) as e:
            raise ConfigError(f"store.url: {e}.", hint="write postgresql://user:password@host/database") from e
        except (*UNREACHABLE, asyncpg.PostgresError) as e:
            raise explain(e) from e
        store = cls(url, pool, durable, patience)
        try:
            await store._migrate()
        except BaseException:
            await store.close()
            raise
        return store

    # -- the protocol ---------------------------------------------------------------------------------------------

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        async with self._connection(None) as db:
            return [tuple(row) for row in await db.fetch(numbered(sql), *args)]

    async def write(self, *steps: Step, durable: bool = True, patience: float | None = None) -> int:
        async with self._transaction(patience or self._patience, durable) as db:
            return await _run(db, steps)

    async def append(self, lane: str, build: Build, *, ask: Sequence[Any] = (), also: Sequence[Step] = ()) -> Head:
        table = LANES[lane]
        lock = f"; SELECT pg_advisory_xact_lock({_signed(LOCK)}, {_signed(crc32(lane.encode()))})"
        async with self._transaction(self._patience, self._durable, lock) as db:
            # The lock is held before this statement takes its snapshot, so it sees what the last holder committed.
            last = await db.fetchrow(table.head)
            head = Head(*last) if last else Head()
            found = [tuple(row) for row in await db.fetch(numbered(ask[0]), *ask[1:])] if ask else ()
            rows = build(Head(head.seq, head.hash, found))
            for start in range(0, len(rows), WIDEST):
                part = rows[start : start + WIDEST]
                await db.execute(numbered(table.insert(len(part))), *(value for row in part for value in row))
            await _run(db, also)
        return Head(rows[-1][0], rows[-1][1]) if rows else head

    async def generation(self) -> int:
        rows = await self.fetch("SELECT value FROM meta WHERE name = 'generation'")
        return int(rows[0][0])

    async def bump(self) -> int:
        async with self._transaction(self._patience, True) as db:
            value = await db.fetchval("UPDATE meta SET value = value + 1 WHERE name = 'generation' RETURNING value")
            await db.execute(f"NOTIFY {SCHEMA}_generation")
            return int(value)

    async def watch(self, callback: Callable[[int], Awaitable[None] | None], seen: int | None = None) -> None:
        pause, tries = 0.1, Tries(callback)
        while True:
            try:
                bell = asyncio.Event()
                db = await asyncpg.connect(
                    self._url,
                    timeout=self._patience,
                    server_settings={"search_path": SCHEMA, "application_name": "freehold"},
                )
                try:
                    db.add_termination_listener(lambda *_, bell=bell: bell.set())
                    await db.add_listener(f"{SCHEMA}_generation", lambda *_, bell=bell: bell.set())
                    pause = 0.1
                    while not db.is_closed():
                        bell.clear()
                        now = await db.fetchval("SELECT value FROM meta WHERE name = 'generation'")
                        if seen is None or now == seen or await tries.call(now):
                            seen = now
                            await bell.wait()
                        else:
                            with suppress(TimeoutError):
                                await asyncio.wait_for(bell.wait(), tries.pause)
                finally:
                    db.terminate()
            except (*UNREACHABLE, asyncpg.PostgresError):
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def shred(self, table: str, *steps: Step) -> int:
        if table not in TABLES:
            raise StoreError(f"There is no table {table}.", code="store_error", retryable=False, hint="report this")
        changed = await self.write(*steps, patience=max(self._patience, 60.0))
        async with self._connection(max(self._patience, 300.0)) as db:
            await db.execute(f"VACUUM {SCHEMA}.{table}")
        return changed

    async def close(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._pool.close()
        except (*UNREACHABLE, asyncpg.PostgresError):
            self._pool.terminate()

    # -- connections ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connection(self, patience: float | None) -> AsyncIterator[Any]:
        """Lend a connection for at most `patience` seconds. One that is in doubt afterwards is dropped, not reused."""
        db = None
        clean = False
        try:
            async with asyncio.timeout(patience):
                db = await self._pool.acquire(timeout=self._patience)
                yield db
                clean = True
        except StoreError:
            raise
        except asyncpg.PostgresError as e:
            clean = not isinstance(e, asyncpg.PostgresConnectionError | asyncpg.QueryCanceledError)
            raise explain(e) from e
        except (*UNREACHABLE, ValueError, OverflowError) as e:
            raise explain(e) from e
        finally:
            if db is not None:
                with suppress(*UNREACHABLE, asyncpg.PostgresError):
                    if not clean:
                        db.terminate()  # raises when the pool has taken back a connection that broke
                    await self._pool.release(db, timeout=self._patience)

    @asynccontextmanager
    async def _transaction(self, patience: float, durable: bool, first: str = "") -> AsyncIterator[Any]:
        async with self._connection(patience) as db:
            level = f"; SET LOCAL synchronous_commit = {_on(durable)}" if durable != self._durable else ""
            await db.execute(f"BEGIN{level}{first}")
            try:
                yield db
            except asyncpg.PostgresError:
                await db.execute("ROLLBACK")
                raise
            await db.execute("COMMIT")

    async def _migrate(self) -> None:
        lock = f"; SELECT pg_advisory_xact_lock({_signed(LOCK)}, {MIGRATE})"
        async with self._transaction(60.0, True, lock) as db:
            await db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            await db.execute(
                "CREATE TABLE IF NOT EXISTS migration"
                "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
            )
            applied = [tuple(row) for row in await db.fetch("SELECT number, name FROM migration ORDER BY number")]
            for migration in pending(applied):
                for statement in migration.sql("postgres"):
                    await db.execute(statement)
                await db.execute(
                    "INSERT INTO migration VALUES ($1, $2, $3)", migration.number, migration.name, now_ns()
                )


async def _run(db: Any, steps: Sequence[Step]) -> int:
    """Run steps; return how many rows the last one changed."""
    changed = 0
    for sql, many in steps:
        if len(many) == 1:
            status = await db.execute(numbered(sql), *many[0])
            changed = int(status.rpartition(" ")[2])
        else:
            await db.executemany(numbered(sql), many)
            changed = len(many)
    return changed


def _on(durable: bool) -> str:
    return "on" if durable else "off"


def _signed(value: int) -> int:
    """Return a 32-bit value as PostgreSQL's integer."""
    return value - (1 << 32) if value >= 1 << 31 else value
