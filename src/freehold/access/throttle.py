"""How often somebody may try a secret: by name and by address, with waits that grow, the same in all processes.

Knows counts; refuses to know what was tried. A try is counted before it is made and taken back when it was good, so
that many at once win nothing.
"""

from __future__ import annotations

import ipaddress
from hashlib import sha256

from freehold.core.clock import now_ns
from freehold.core.errors import OverLimit, StoreError
from freehold.store import CONFLICT, Store

SECOND = 1_000_000_000
FORGET = 3600 * SECOND
"""After so long without a failure, nanoseconds, all is forgotten."""

FREE = {"name": 5, "peer": 20}
"""Failures that cost no wait."""
LONGEST = {"name": 900, "peer": 60}
"""The longest wait, seconds. It begins at 2 and doubles with each failure. An address may be a proxy's and stand for
everybody, so it is the name that has to be safe."""

_RACES = 5
_COUNT = "UPDATE signin_failure SET failures = ?, last_at = ? WHERE subject = ? AND failures = ? AND last_at = ?"


def by_name(name: str) -> str:
    """Return the subject for a name that somebody signs in with; whatever it holds, the subject is short and plain."""
    return "name:" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


async def by_name_from(store: Store, name: str, peer: str) -> str:
    """Return the subject for a name that somebody at `peer` signs in with. Where the member has signed in before there
    is a count apart, so that nobody elsewhere can lock the member out by guessing."""
    sql = "SELECT 1 FROM session s JOIN member m ON m.id = s.member WHERE m.name = ? AND s.peer = ? LIMIT 1"
    known = await store.fetch(sql, name.replace("\0", ""), peer.replace("\0", ""))
    return by_name(f"{name}\0{peer}" if known else name)


def by_peer(peer: str) -> str:
    """Return the subject for an address; a whole IPv6 subnet (/64) is one, for its addresses cost nothing."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return "peer:" + peer[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return f"peer:{address.ipv4_mapped}"
        return f"peer:{ipaddress.ip_network((address, 64), strict=False)}"
    return f"peer:{address}"


async def attempt(store: Store, *subjects: str) -> None:
    """Count a try for all `subjects`; to be followed by `passed` when it was good. OverLimit, with the seconds to wait,
    when one of them has to wait: nothing more is counted then."""
    for index, subject in enumerate(subjects):
        try:
            await _count(store, subject)
        except OverLimit:
            await undo(store, *subjects[:index])
            raise


async def passed(store: Store, name: str, *peers: str) -> None:
    """A try was good: the name's failures are forgotten, the others' get this one back."""
    await store.write(("DELETE FROM signin_failure WHERE subject = ?", [(name,)]))
    await undo(store, *peers)


async def undo(store: Store, *subjects: str) -> None:
    """Take one try back from each of `subjects`."""
    if subjects:
        await store.write(
            (
                "UPDATE signin_failure SET failures = failures - 1 WHERE subject = ? AND failures > 0",
                [(subject,) for subject in subjects],
            )
        )


async def sweep(store: Store) -> None:
    """Drop what is forgotten anyway."""
    await store.write(("DELETE FROM signin_failure WHERE last_at < ?", [(now_ns() - FORGET,)]), durable=False)


def wait(subject: str, failures: int, last_at: int, now: int) -> float:
    """Return the seconds until `subject` may try again."""
    kind = subject.partition(":")[0]
    beyond = failures - FREE[kind]
    if beyond < 0 or now - last_at > FORGET:
        return 0.0
    pause = min(2.0 ** min(beyond + 1, 20), LONGEST[kind])
    return max(0.0, (last_at - now) / SECOND + pause)


async def _count(store: Store, subject: str) -> None:
    """Count one try, whoever else counts at this moment."""
    for _ in range(_RACES):
        now = now_ns()
        rows = await store.fetch("SELECT failures, last_at FROM signin_failure WHERE subject = ?", subject)
        if not rows:
            try:
                await store.write(
                    ("INSERT INTO signin_failure(subject, failures, last_at) VALUES (?, 1, ?)", [(subject, now)])
                )
                return
            except StoreError as e:
                if e.code != CONFLICT:
                    raise
                continue
        failures, last_at = rows[0]
        left = wait(subject, failures, last_at, now)
        if left > 0:
            raise _later(left)
        counted = 1 if now - last_at > FORGET else failures + 1
        if await store.write((_COUNT, [(counted, now, subject, failures, last_at)])):
            return
    raise _later(1.0)


def _later(seconds: float) -> OverLimit:
    return OverLimit(
        "There were too many failed sign-ins.",
        code="signin_throttled",
        hint=f"wait {max(1, round(seconds))} seconds, then try again",
        retry_after=max(1.0, seconds),
    )
