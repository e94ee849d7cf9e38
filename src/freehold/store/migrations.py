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


def _words(engine: Engine) -> Sequence[str]:
    """The index of texts that people search. `words` is what assist/search.py makes of a text: normal words, each
    after a blank, so that both engines find the same. `message_search` is written alike on both; on SQLite triggers
    carry it over to the index proper, which also holds the member, lest everybody's hits are ranked for one."""
    columns = "message TEXT NOT NULL UNIQUE, conversation TEXT NOT NULL, member TEXT NOT NULL, words TEXT NOT NULL"
    conversation = "CREATE INDEX message_search_conversation ON message_search(conversation)"
    if engine == "postgres":
        return (
            f"""CREATE TABLE message_search({columns},
                found TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED)""",
            "CREATE INDEX message_search_found ON message_search USING gin(found)",
            "CREATE INDEX message_search_member ON message_search(member)",
            conversation,
        )
    into = "INSERT INTO message_words"
    gone = f"{into}(message_words, rowid, member, words) VALUES ('delete', old.id, old.member, old.words)"
    come = f"{into}(rowid, member, words) VALUES (new.id, new.member, new.words)"
    return (
        f"CREATE TABLE message_search(id INTEGER PRIMARY KEY, {columns})",
        conversation,
        """CREATE VIRTUAL TABLE message_words USING fts5(
            member, words, content = 'message_search', content_rowid = 'id', tokenize = 'unicode61', prefix = '2 3')""",
        f"CREATE TRIGGER message_search_insert AFTER INSERT ON message_search BEGIN {come}; END",
        f"CREATE TRIGGER message_search_delete AFTER DELETE ON message_search BEGIN {gone}; END",
        f"CREATE TRIGGER message_search_update AFTER UPDATE ON message_search BEGIN {gone}; {come}; END",
    )


MIGRATIONS += (
    Migration(
        5,
        "members",
        (
            """CREATE TABLE member(
                id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, display TEXT NOT NULL, role TEXT NOT NULL, team TEXT,
                key TEXT NOT NULL, password TEXT, subject TEXT UNIQUE, settings TEXT NOT NULL DEFAULT '{{}}',
                created_at BIGINT NOT NULL, disabled_at BIGINT, last_seen_at BIGINT)""",
            """CREATE TABLE session(
                id TEXT PRIMARY KEY, hash {blob} NOT NULL UNIQUE, member TEXT NOT NULL, kind TEXT NOT NULL,
                csrf TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', peer TEXT NOT NULL DEFAULT '',
                created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT)""",
            "CREATE INDEX session_member ON session(member)",
            # How often signing in failed of late, by name and by address: it is the same for all processes.
            """CREATE TABLE signin_failure(
                subject TEXT PRIMARY KEY, failures BIGINT NOT NULL, last_at BIGINT NOT NULL)""",
            # What a sign-in at a provider of identities has to come back with.
            "CREATE TABLE signin_state(state TEXT PRIMARY KEY, data TEXT NOT NULL, expires_at BIGINT NOT NULL)",
        ),
    ),
    Migration(
        6,
        "conversations",
        (
            """CREATE TABLE conversation(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, title TEXT NOT NULL, project TEXT, assistant TEXT, leaf TEXT,
                models TEXT NOT NULL DEFAULT '[]', tools TEXT NOT NULL DEFAULT '[]', pinned INTEGER NOT NULL DEFAULT 0,
                archived INTEGER NOT NULL DEFAULT 0, source TEXT NOT NULL DEFAULT '', source_id TEXT,
                created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX conversation_member ON conversation(member, updated_at)",
            "CREATE UNIQUE INDEX conversation_source ON conversation(member, source, source_id)",
            # `bunch`: answers that were asked side by side; `source_id`: what an import calls the message.
            """CREATE TABLE message(
                id TEXT PRIMARY KEY, conversation TEXT NOT NULL, parent TEXT, role TEXT NOT NULL, parts TEXT NOT NULL,
                state TEXT NOT NULL, model TEXT NOT NULL DEFAULT '', bunch TEXT, facts TEXT, error TEXT,
                n BIGINT NOT NULL DEFAULT 0, cut INTEGER NOT NULL DEFAULT 0, origin TEXT NOT NULL DEFAULT '',
                source_id TEXT, wanted TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX message_conversation ON message(conversation, created_at)",
            "CREATE INDEX message_queued ON message(conversation, created_at) WHERE state = 'queued'",
            # An answer that is being made: by which process, whether that still lives, and what it was told.
            """CREATE TABLE run(
                message TEXT PRIMARY KEY, conversation TEXT NOT NULL, member TEXT NOT NULL, holder TEXT NOT NULL,
                beat_at BIGINT NOT NULL, orders TEXT NOT NULL DEFAULT '[]')""",
            "CREATE INDEX run_conversation ON run(conversation)",
        ),
    ),
    Migration(7, "words", _words),
    Migration(
        8,
        "library",
        (
            """CREATE TABLE file(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, name TEXT NOT NULL, media TEXT NOT NULL,
                bytes BIGINT NOT NULL, sha256 TEXT NOT NULL, tokens BIGINT NOT NULL DEFAULT 0, pages BIGINT,
                note TEXT NOT NULL DEFAULT '', text TEXT, data {blob} NOT NULL, created_at BIGINT NOT NULL)""",
            "CREATE INDEX file_member ON file(member, created_at)",
            """CREATE TABLE project(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, parent TEXT, name TEXT NOT NULL, kind TEXT NOT NULL,
                instructions TEXT NOT NULL DEFAULT '', files TEXT NOT NULL DEFAULT '[]',
                created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX project_member ON project(member)",
            """CREATE TABLE prompt(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
                shared INTEGER NOT NULL DEFAULT 0, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX prompt_member ON prompt(member)",
            "CREATE INDEX prompt_shared ON prompt(shared) WHERE shared = 1",
            """CREATE TABLE assistant(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
                instructions TEXT NOT NULL DEFAULT '', files TEXT NOT NULL DEFAULT '[]',
                tools TEXT NOT NULL DEFAULT '[]', models TEXT NOT NULL DEFAULT '[]',
                starters TEXT NOT NULL DEFAULT '[]', shared INTEGER NOT NULL DEFAULT 0,
                created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX assistant_member ON assistant(member)",
            "CREATE INDEX assistant_shared ON assistant(shared) WHERE shared = 1",
            """CREATE TABLE memory(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, text TEXT NOT NULL, state TEXT NOT NULL, conversation TEXT,
                message TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX memory_member ON memory(member)",
            "CREATE INDEX memory_conversation ON memory(conversation)",
            # A shared branch is kept as it was when it was shared.
            """CREATE TABLE share(
                id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, member TEXT NOT NULL, conversation TEXT NOT NULL,
                title TEXT NOT NULL, content TEXT NOT NULL, created_at BIGINT NOT NULL, revoked_at BIGINT)""",
            "CREATE INDEX share_member ON share(member)",
            "CREATE INDEX share_conversation ON share(conversation)",
            """CREATE TABLE tool_rule(
                member TEXT NOT NULL, server TEXT NOT NULL, tool TEXT NOT NULL, allow TEXT NOT NULL,
                PRIMARY KEY (member, server, tool))""",
            """CREATE TABLE import(
                id TEXT PRIMARY KEY, member TEXT NOT NULL, name TEXT NOT NULL, bytes BIGINT NOT NULL,
                received BIGINT NOT NULL DEFAULT 0, state TEXT NOT NULL, source TEXT NOT NULL DEFAULT '',
                done BIGINT NOT NULL DEFAULT 0, total BIGINT, sums TEXT, report TEXT, error TEXT NOT NULL DEFAULT '',
                holder TEXT NOT NULL DEFAULT '', beat_at BIGINT NOT NULL DEFAULT 0,
                created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)""",
            "CREATE INDEX import_member ON import(member, created_at)",
        ),
    ),
    Migration(
        9,
        "traffic",
        (
            # Sums of outcomes by `step` (ns): day, hour and, of the last two hours, minute; up to the entry that meta
            # `traffic` names: derived from `entry` when somebody looks, may be emptied.
            """CREATE TABLE traffic(
                step BIGINT NOT NULL, at BIGINT NOT NULL, key TEXT NOT NULL, team TEXT NOT NULL, asked TEXT NOT NULL,
                deployment TEXT NOT NULL, maker TEXT NOT NULL, seller TEXT NOT NULL, host TEXT NOT NULL,
                error TEXT NOT NULL, currency TEXT NOT NULL, calls BIGINT NOT NULL, attempts BIGINT NOT NULL,
                input BIGINT NOT NULL, output BIGINT NOT NULL, cached BIGINT NOT NULL, cost BIGINT NOT NULL,
                last_at BIGINT NOT NULL,
                PRIMARY KEY (step, at, key, team, asked, deployment, maker, seller, host, error, currency))""",
            "INSERT INTO meta(name, value) VALUES ('traffic', 0)",
            # Acts of administration are few among many calls, and no call pays for this.
            "CREATE INDEX entry_admin ON entry(kind) WHERE kind = 2",
        ),
    ),
    Migration(
        10,
        "reliance",
        (
            # Sums of outcomes by UTC day (`at`) and way: all that tells them apart, a JSON array kept once in
            # `reliance_way`; up to the entry that meta `reliance` names: derived from `entry`, may be emptied.
            # `whose` is alike where ways differ in who called and how alone.
            "CREATE TABLE reliance_way(id {seq}, way TEXT NOT NULL)",
            """CREATE TABLE reliance(
                at BIGINT NOT NULL, way BIGINT NOT NULL, whose BIGINT NOT NULL, calls BIGINT NOT NULL,
                attempts BIGINT NOT NULL, input BIGINT NOT NULL, output BIGINT NOT NULL, cached BIGINT NOT NULL,
                cost BIGINT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, PRIMARY KEY (at, way))""",
            "INSERT INTO meta(name, value) VALUES ('reliance', 0)",
        ),
    ),
    Migration(
        11,
        "vault",
        (
            # A conversation's own key, wrapped with the house's: who deletes the row has made its pseudonyms
            # unreadable. `conversation` is a keyed hash of its name.
            """CREATE TABLE vault_key(
                id TEXT PRIMARY KEY, conversation TEXT NOT NULL UNIQUE, nonce {blob} NOT NULL, wrapped {blob} NOT NULL,
                created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)""",
            "CREATE INDEX vault_key_expires ON vault_key(expires_at)",
            """CREATE TABLE vault(
                key TEXT NOT NULL, token TEXT NOT NULL, kind TEXT NOT NULL, nonce {blob} NOT NULL,
                ciphertext {blob} NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (key, token))""",
        ),
    ),
    Migration(
        12,
        "probe",
        (
            # What a deployment was found to do, or not, when it was asked; the latest of each counts.
            """CREATE TABLE probe(
                id TEXT PRIMARY KEY, deployment TEXT NOT NULL, model TEXT NOT NULL, capability TEXT NOT NULL,
                found TEXT NOT NULL, at BIGINT NOT NULL, call TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '')""",
            "CREATE INDEX probe_deployment ON probe(deployment, at)",
        ),
    ),
    Migration(
        13,
        "sight",
        (
            # Sums of who saw words by key, UTC day (`at`: its begin) and way: all that tells them apart, as a JSON
            # array kept once in `sight_way`; up to the entry that meta `sight` names: derived from `entry`, may be
            # emptied.
            "CREATE TABLE sight_way(id BIGINT PRIMARY KEY, way TEXT NOT NULL)",
            """CREATE TABLE sight(
                key TEXT NOT NULL, at BIGINT NOT NULL, way BIGINT NOT NULL,
                calls BIGINT NOT NULL, attempts BIGINT NOT NULL, input BIGINT NOT NULL, output BIGINT NOT NULL,
                first_at BIGINT NOT NULL, first_seq BIGINT NOT NULL, last_at BIGINT NOT NULL, last_seq BIGINT NOT NULL,
                PRIMARY KEY (key, at, way))""",
            "INSERT INTO meta(name, value) VALUES ('sight', 0)",
        ),
    ),
    Migration(
        14,
        "decided",
        (
            # Sums of verdicts by hour (`at`: its begin) and way: all that tells them apart, as a JSON array; and which
            # entries something was stopped in; up to the entry that meta `decided` names: derived from `entry`, may be
            # emptied.
            """CREATE TABLE decided(
                at BIGINT NOT NULL, way TEXT NOT NULL, times BIGINT NOT NULL, last_at BIGINT NOT NULL,
                last_seq BIGINT NOT NULL, PRIMARY KEY (at, way))""",
            "CREATE TABLE stopped(seq BIGINT PRIMARY KEY, at BIGINT NOT NULL)",
            "INSERT INTO meta(name, value) VALUES ('decided', 0)",
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
