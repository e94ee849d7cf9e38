"""The tables, step by step. Knows the DDL of every room; refuses to go back, and to open a store newer than itself.

A migration that has been released is never edited: the next one changes what it made. Times are nanoseconds since the
epoch (UTC), money is nano-units; both fit 64 bits. `{seq}` and `{blob}` stand for what the engines call differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from freehold.core.errors import StoreError
from freehold.store.base import Lane

Engine = Literal["sqlite", "postgres"]

WORDS: dict[Engine, dict[str, str]] = {
    "sqlite": {"seq": "INTEGER PRIMARY KEY", "blob": "BLOB"},
    "postgres": {"seq": "BIGINT PRIMARY KEY", "blob": "BYTEA"},
}

LANES = {
    "entry": Lane(
        "entry",
        (
            "seq", "hash", "data", "kind", "call", "attempt", "at", "key", "team", "asked", "sent", "answered",
            "deployment", "maker", "seller", "host", "status", "error", "input", "output", "cached", "cost", "currency",
        ),
    )
}  # fmt: skip


class Migration(msgspec.Struct, frozen=True):
    """One step: a number, a name, and the statements for an engine (or a function that returns them)."""

    number: int
    name: str
    statements: tuple[str, ...] | Callable[[Engine], Sequence[str]]

    def sql(self, engine: Engine) -> list[str]:
        """Return the statements in that engine's words."""
        statements = self.statements(engine) if callable(self.statements) else self.statements
        return [statement.format_map(WORDS[engine]) for statement in statements]


def _ledger(engine: Engine) -> Sequence[str]:
    """Each index costs CPU on every call, so there are two: one that finds a call and refuses its double (ids are
    made in order of time, so it grows at its end), one for spans of time, which every report has. On PostgreSQL the
    latter is a BRIN index, which costs next to nothing because rows arrive nearly in that order."""
    return (
        """CREATE TABLE entry(
            seq {seq}, hash {blob} NOT NULL,
            call TEXT NOT NULL, attempt BIGINT NOT NULL, kind INTEGER NOT NULL, at BIGINT NOT NULL,
            key TEXT NOT NULL, team TEXT NOT NULL, asked TEXT NOT NULL, sent TEXT NOT NULL, answered TEXT NOT NULL,
            deployment TEXT NOT NULL, maker TEXT NOT NULL, seller TEXT NOT NULL, host TEXT NOT NULL,
            status BIGINT NOT NULL, error TEXT NOT NULL,
            input BIGINT NOT NULL, output BIGINT NOT NULL, cached BIGINT NOT NULL,
            cost BIGINT NOT NULL, currency TEXT NOT NULL, data {blob} NOT NULL)""",
        "CREATE UNIQUE INDEX entry_once ON entry(call, attempt, kind)",
        f"CREATE INDEX entry_at ON entry {'USING brin' if engine == 'postgres' else ''}(at)",
        # Sums by key and UTC day up to the entry that meta `spent` names: derived from `entry`, may be emptied.
        """CREATE TABLE spent(
            key TEXT NOT NULL, team TEXT NOT NULL, day BIGINT NOT NULL, currency TEXT NOT NULL,
            requests BIGINT NOT NULL, tokens BIGINT NOT NULL, cost BIGINT NOT NULL,
            PRIMARY KEY (key, team, day, currency))""",
        """CREATE TABLE body(
            call TEXT NOT NULL, attempt BIGINT NOT NULL, part TEXT NOT NULL, at BIGINT NOT NULL, media TEXT NOT NULL,
            data {blob}, erased_at BIGINT, erased_why TEXT,
            PRIMARY KEY (call, attempt, part))""",
        "CREATE INDEX body_at ON body(at)",
    )


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "meta",
        (
            "CREATE TABLE meta(name TEXT PRIMARY KEY, value BIGINT NOT NULL DEFAULT 0)",
            "INSERT INTO meta(name, value) VALUES ('generation', 0), ('closed', 0), ('spent', 0), ('probe', 0)",
        ),
    ),
    Migration(
        2,
        "access",
        (
            """CREATE TABLE team(
                id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, limits TEXT NOT NULL DEFAULT '[]',
                created_at BIGINT NOT NULL, disabled_at BIGINT)""",
            """CREATE TABLE key(
                id TEXT PRIMARY KEY, name TEXT NOT NULL, prefix TEXT NOT NULL, hash {blob} NOT NULL UNIQUE, team TEXT,
                routes TEXT, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT,
                limits TEXT NOT NULL DEFAULT '[]', note TEXT NOT NULL DEFAULT '')""",
        ),
    ),
    Migration(3, "ledger", _ledger),
    Migration(
        4,
        "limits",
        (
            "CREATE UNIQUE INDEX key_active ON key(name) WHERE revoked_at IS NULL",
            # What several hosts have used of a limit in the window `mark`, and set aside. `granted` is what a
            # reservation claims: false breaks the rule, and with it the whole transaction.
            """CREATE TABLE counter(
                id TEXT PRIMARY KEY, mark BIGINT NOT NULL DEFAULT 0, used BIGINT NOT NULL DEFAULT 0,
                reserved BIGINT NOT NULL DEFAULT 0, granted INTEGER NOT NULL DEFAULT 1,
                CONSTRAINT counter_room CHECK (granted = 1))""",
            """CREATE TABLE counter_second(
                id TEXT NOT NULL, second BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (id, second))""",
            """CREATE TABLE counter_lease(
                id TEXT NOT NULL, lease TEXT NOT NULL, amount BIGINT NOT NULL, expires_at BIGINT NOT NULL,
                PRIMARY KEY (id, lease))""",
            "CREATE INDEX counter_lease_expires ON counter_lease(expires_at)",
        ),
    ),
)


def pending(applied: Sequence[tuple[int, str]], known: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
    """Return the migrations still to run. Raises StoreError when the store was made by a newer or a different code."""
    names = {migration.number: migration.name for migration in known}
    for number, name in applied:
        if number not in names:
            raise StoreError(
                f"The store is at schema {number} ({name}); this Freehold knows up to {max(names)}.",
                code="store_newer",
                retryable=False,
                hint="run the Freehold that wrote this store, or a later one; or name another store in [store] url",
            )
        if names[number] != name:
            raise StoreError(
                f"Schema step {number} of the store is `{name}`, here it is `{names[number]}`.",
                code="store_foreign",
                retryable=False,
                hint="this store was made by another program or branch; name another one in [store] url",
            )
    done = {number for number, _ in applied}
    return [migration for migration in known if migration.number not in done]
