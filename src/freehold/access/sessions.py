"""Sessions: who is signed in, from where, until when. Knows tokens by their hash alone; refuses to know cookies.

A `browser` session travels in a cookie and lives as long as it is used; a `token` is for programs and ends on a day.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec

from freehold.access import members
from freehold.access.members import Member
from freehold.core.clock import now_ns, tick
from freehold.core.errors import NotFound, StoreError
from freehold.core.ids import new_id, new_secret
from freehold.store import Store

Kind = Literal["browser", "token"]

SECOND = 1_000_000_000
CACHE_SECONDS = 2.0
"""How long a worker goes on with what it knows of a session: the longest that a revocation may take."""
TOUCH = 60 * SECOND
"""How often it is written down that a session is used, nanoseconds."""
KEPT = 30 * 86400 * SECOND
"""How long a session that ended stays in the table, nanoseconds."""

_COLUMNS = "id, member, kind, csrf, name, peer, created_at, seen_at, expires_at, revoked_at"
_CACHED = 4096
_TOKEN_BYTES = 128


class Session(msgspec.Struct, frozen=True):
    """A session without its token. Times are in nanoseconds since the epoch (UTC). `csrf` is what a page has to show
    with each change; `name` is the browser's, or what a token is for."""

    id: str
    member: str
    kind: Kind
    csrf: str
    name: str
    peer: str
    created_at: int
    seen_at: int
    expires_at: int
    revoked_at: int | None = None


class Sessions:
    """The sessions of a store, as one worker sees them. `span` is how long a browser's session lives unused, ns."""

    def __init__(self, store: Store, span: int) -> None:
        self._store = store
        self.span = span
        self._cache: dict[bytes, tuple[float, Session, Member]] = {}

    async def find(self, token: bytes, kind: Kind) -> tuple[Session, Member] | None:
        """Return the session of `token` and its member; None when there is none in force."""
        if not token or len(token) > _TOKEN_BYTES:
            return None
        hash, now = sha256(token).digest(), now_ns()
        known = self._cache.get(hash)
        if known is None or known[0] < tick():
            known = await self._look(hash, now)
            if known is None:
                self._cache.pop(hash, None)
                return None
        _, session, member = known
        if session.kind != kind or session.expires_at <= now:
            return None
        return session, member

    async def _look(self, hash: bytes, now: int) -> tuple[float, Session, Member] | None:
        until = tick() + CACHE_SECONDS  # from before the query, so that nothing older is believed longer
        rows = await self._store.fetch(
            f"SELECT {_prefixed('s', _COLUMNS)}, {_prefixed('m', members.COLUMNS)} FROM session s "
            "JOIN member m ON m.id = s.member "
            "WHERE s.hash = ? AND s.revoked_at IS NULL AND s.expires_at > ? AND m.disabled_at IS NULL",
            hash,
            now,
        )
        if not rows:
            return None
        width = len(Session.__struct_fields__)
        session, member = Session(*rows[0][:width]), members.read(rows[0][width:])
        if now - session.seen_at > TOUCH:
            session = await self._touch(session, now)
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        known = self._cache[hash] = (until, session, member)
        return known

    async def _touch(self, session: Session, now: int) -> Session:
        ends = now + self.span if session.kind == "browser" else session.expires_at
        sql = "UPDATE session SET seen_at = ?, expires_at = ? WHERE id = ? AND revoked_at IS NULL"
        try:
            await self._store.write(
                ("UPDATE member SET last_seen_at = ? WHERE id = ?", [(now, session.member)]),
                (sql, [(now, ends, session.id)]),
                durable=False,
            )
        except StoreError:
            return session  # who only looks is not stopped by a store that takes no writes
        return msgspec.structs.replace(session, seen_at=now, expires_at=ends)

    async def begin(
        self, member: Member, *, kind: Kind = "browser", name: str = "", peer: str = "", span: int | None = None
    ) -> tuple[Session, str]:
        """Make a session and return it with its token, which can never be had again. `span`: how long it lives, ns."""
        now = now_ns()
        token = new_secret("fs" if kind == "token" else "fb")
        session = Session(
            new_id("ses"), member.id, kind, new_secret("csrf"), _clean(name), _clean(peer)[:64], now, now,
            now + (span if span is not None else self.span),
        )  # fmt: skip
        values = (*msgspec.structs.astuple(session), sha256(token.encode()).digest())
        marks = ", ".join("?" * len(values))
        await self._store.write(
            ("UPDATE member SET last_seen_at = ? WHERE id = ?", [(now, member.id)]),
            (f"INSERT INTO session({_COLUMNS}, hash) VALUES ({marks})", [values]),
        )
        return session, token

    async def list(self, member: str | None = None) -> list[Session]:
        """Return the sessions in force, of `member` (an id) or of all, newest first."""
        sql = f"SELECT {_COLUMNS} FROM session WHERE revoked_at IS NULL AND expires_at > ?"
        if member is None:
            rows = await self._store.fetch(f"{sql} ORDER BY seen_at DESC, id LIMIT 1000", now_ns())
        else:
            rows = await self._store.fetch(f"{sql} AND member = ? ORDER BY seen_at DESC, id", now_ns(), member)
        return [Session(*row) for row in rows]

    async def one(self, id: str) -> Session:
        """Return the session of that id. NotFound when none in force has it."""
        sql = f"SELECT {_COLUMNS} FROM session WHERE id = ? AND revoked_at IS NULL AND expires_at > ?"
        rows = await self._store.fetch(sql, id, now_ns())
        if not rows:
            raise _unknown()
        return Session(*rows[0])

    async def revoke(self, id: str, *, member: str) -> Session:
        """End a session of `member` (an id). NotFound when none in force of that member has that id."""
        found = await self.one(id)
        if found.member != member:
            raise _unknown()
        await self.revoke_one(id)
        return found

    async def revoke_one(self, id: str) -> None:
        """End a session that is known to be there."""
        await self._store.write(("UPDATE session SET revoked_at = ? WHERE id = ?", [(now_ns(), id)]))
        self.forget()

    async def revoke_all(self, member: str, *, but: str | None = None) -> int:
        """End all sessions of a member (an id), except the one of the id `but`; return how many ended."""
        ended = await self._store.write(
            (
                "UPDATE session SET revoked_at = ? WHERE member = ? AND revoked_at IS NULL AND id <> ?",
                [(now_ns(), member, but or "")],
            )
        )
        self.forget()
        return ended

    def forget(self) -> None:
        """Ask the store again for every session."""
        self._cache.clear()

    async def sweep(self) -> None:
        """Drop what ended long ago."""
        before = now_ns() - KEPT
        await self._store.write(
            ("DELETE FROM session WHERE expires_at < ? OR revoked_at < ?", [(before, before)]), durable=False
        )


def _unknown() -> NotFound:
    return NotFound("There is no such session.", hint="it may have ended already")


def _prefixed(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


def _clean(text: str) -> str:
    """Return what a client says of itself as text that can be kept and shown."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:200])
