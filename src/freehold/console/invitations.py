"""What is kept for somebody who comes back with a token: an invitation, a sign-in under way. Knows rows; refuses to
know HTTP. The table holds the hash of a token, so who reads it can use nothing of it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from freehold.access import Member
from freehold.core.clock import now_ns
from freehold.core.ids import new_secret
from freehold.store import Store

SPAN = 7 * 86400 * 1_000_000_000
"""How long an invitation is good, nanoseconds."""


async def invite(store: Store, member: Member) -> tuple[str, int]:
    """Return the token of a new invitation for `member`, with which a password is chosen, and when it ends (ns). Those
    before it are good no longer."""
    token, ends = new_secret("fi"), now_ns() + SPAN
    data = msgspec.json.encode({"member": member.id}).decode()
    await store.write(
        ("DELETE FROM signin_state WHERE data = ?", [(data,)]),
        ("INSERT INTO signin_state(state, data, expires_at) VALUES (?, ?, ?)", [(_kept("invite", token), data, ends)]),
    )
    return token, ends


async def keep(store: Store, kind: str, token: str, data: dict[str, Any], span: int) -> None:
    """Keep `data` for whoever comes back with `token` within `span` nanoseconds."""
    row = (_kept(kind, token), msgspec.json.encode(data).decode(), now_ns() + span)
    await store.write(("INSERT INTO signin_state(state, data, expires_at) VALUES (?, ?, ?)", [row]))


async def look(store: Store, kind: str, token: str) -> tuple[dict[str, Any], int] | None:
    """Return what was kept for `token`, and until when (ns); None when there is nothing in force."""
    sql = "SELECT data, expires_at FROM signin_state WHERE state = ? AND expires_at > ?"
    rows = await store.fetch(sql, _kept(kind, token), now_ns())
    return (msgspec.json.decode(rows[0][0]), rows[0][1]) if rows else None


async def take(store: Store, kind: str, token: str) -> bool:
    """Use up what was kept for `token`; return whether nobody was quicker."""
    return bool(await store.write(("DELETE FROM signin_state WHERE state = ?", [(_kept(kind, token),)])))


async def revoke(store: Store, member: Member) -> None:
    """Make the invitations of a member good no longer."""
    data = msgspec.json.encode({"member": member.id}).decode()
    await store.write(("DELETE FROM signin_state WHERE data = ?", [(data,)]))


async def sweep(store: Store) -> None:
    """Drop what nobody came back for."""
    await store.write(("DELETE FROM signin_state WHERE expires_at < ?", [(now_ns(),)]), durable=False)


def _kept(kind: str, token: str) -> str:
    return f"{kind}:{sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()}"
