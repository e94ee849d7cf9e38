"""Members: people who sign in, with a role and a key of their own to call with. Knows their rows; refuses to know HTTP
and who is asking.

A member's key is a key like any other, so limits, teams and routes hold for people too; only nobody has its secret.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from freehold.access import keys
from freehold.access.limits import parse_all
from freehold.access.teams import usable_team
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, Forbidden, FreeholdError, NotFound, StoreError, TooLarge
from freehold.core.ids import new_id
from freehold.store import CONFLICT, Store
from freehold.store.base import Step

Role = Literal["owner", "admin", "auditor", "member"]

RANKS: dict[str, int] = {"public": 0, "member": 1, "auditor": 2, "admin": 3, "owner": 4}
"""Roles by what they may do; each may do all that a lower one may."""

KEY_PREFIX = "chat-"
DISPLAY = 120
"""Longest name to be shown, characters."""
SETTINGS = 16_384
"""Longest settings of a member, bytes of JSON."""
_RACES = 5

_COLUMNS = "id, name, display, role, team, key, password, subject, settings, created_at, disabled_at, last_seen_at"
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,58}")
_LOCK: Step = ("UPDATE meta SET value = value WHERE name = 'generation'", [()])
"""Makes what follows in a transaction wait for another that begins so too: what it then reads stays true."""
_OTHER_OWNER = "EXISTS (SELECT 1 FROM member m WHERE m.role = 'owner' AND m.disabled_at IS NULL AND m.id <> member.id)"


class Member(msgspec.Struct, frozen=True):
    """A person. Times are in nanoseconds since the epoch (UTC); `team` and `key` are ids; `subject` is `issuer|sub` of
    an identity provider; `settings` are the page's own."""

    id: str
    name: str
    display: str
    role: Role
    team: str | None
    key: str
    settings: dict[str, Any]
    created_at: int
    disabled_at: int | None = None
    last_seen_at: int | None = None
    has_password: bool = False
    subject: str | None = None


def normal(name: str) -> str:
    """Return the one form of a login name. What looks the same is the same: NFKC, then lower case."""
    return unicodedata.normalize("NFKC", name[:256]).strip().lower()


def check_name(name: str) -> str:
    """Return the normal form of `name`. BadRequest unless it can be a login name."""
    plain = normal(name)
    if not _NAME.fullmatch(plain):
        raise BadRequest(
            f"{name[:64]!r} cannot be a name to sign in with.",
            param="name",
            hint="an e-mail address, or 1 to 59 letters a to z, digits, dots, hyphens, underscores, @ or +, beginning "
            "with a letter or a digit",
        )
    return plain


def check_display(text: str) -> str:
    """Return a name to be shown, in one line. BadRequest when it is too long or cannot be shown."""
    plain = " ".join(unicodedata.normalize("NFC", text[: 4 * DISPLAY]).split())
    odd = any(unicodedata.category(sign) in ("Cc", "Cs", "Co", "Cn") or sign in _TURNING for sign in plain)
    if len(plain) > DISPLAY or odd:
        raise BadRequest(
            "This name cannot be shown.", param="display", hint=f"write at most {DISPLAY} letters, digits and signs"
        )
    return plain


_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\ufeff")
"""Signs that turn the direction of what follows: in a name they serve only to look like another one."""


def parse_role(text: str) -> Role:
    """Return `text` as a role. BadRequest when it is none."""
    if text not in RANKS or text == "public":
        raise BadRequest(f"There is no role {text[:32]!r}.", param="role", hint="owner, admin, auditor or member")
    return text  # type: ignore[return-value]


async def create(
    store: Store,
    name: str,
    *,
    role: Role = "member",
    display: str = "",
    team: str | None = None,
    password: str | None = None,
    subject: str | None = None,
    limits: Sequence[str] = (),
) -> Member:
    """Make a member and its key. `team` is an id or a name, `password` what passwords.seal returned, `limits` those of
    the key. BadRequest when the name is taken or there is no owner yet, NotFound for the team."""
    made = await _new(store, name, role, display, team, limits, subject)
    if role != "owner" and not await any_member(store):
        raise BadRequest("The first member is the owner.", param="role", hint="make the owner first: role `owner`")
    if not await _insert(store, made, password, "1 = 1"):
        raise StoreError("The member was not written.", code="store_error", retryable=False, hint="report this")
    await store.bump()
    return made[0]


async def create_first(
    store: Store, name: str, *, display: str = "", password: str | None, limits: Sequence[str] = ()
) -> Member | None:
    """Make the owner where there is no member at all; None when somebody was quicker."""
    made = await _new(store, name, "owner", display, None, limits, None)
    if not await _insert(store, made, password, "NOT EXISTS (SELECT 1 FROM member)"):
        return None
    await store.bump()
    return made[0]


async def _new(
    store: Store, name: str, role: Role, display: str, team: str | None, limits: Sequence[str], subject: str | None
) -> tuple[Member, keys.Key]:
    plain, now = check_name(name), now_ns()
    found = await usable_team(store, team) if team is not None else None
    id = new_id("key")
    key = keys.Key(
        id, KEY_PREFIX + plain, "", found.id if found else None, None, None, parse_all(limits, f"key:{id}"), now, None,
        f"for the member {plain}; nobody has its secret",
    )  # fmt: skip
    shown = check_display(display) or plain
    return Member(
        new_id("mem"), plain, shown, role, key.team, id, {}, now, None, None, False, subject
    ), key  # fmt: skip


async def _insert(store: Store, made: tuple[Member, keys.Key], password: str | None, only_if: str) -> bool:
    member, key = made
    values = (
        member.id, member.name, member.display, member.role, member.team, member.key, password, member.subject, "{}",
        member.created_at, None, None,
    )  # fmt: skip
    own = keys.row(key, sha256(os.urandom(32)).digest())
    try:
        return bool(
            await store.write(
                _LOCK,
                (f"INSERT INTO key({keys.COLUMNS}) SELECT {_marks(own)} WHERE {only_if}", [own]),
                (f"INSERT INTO member({_COLUMNS}) SELECT {_marks(values)} WHERE {only_if}", [values]),
            )
        )
    except StoreError as e:
        if e.code != CONFLICT:
            raise
        raise BadRequest(
            f"A member or a key for one is called {member.name!r} already.",
            code="name_taken",
            param="name",
            hint=f"choose another name; `freehold members list` and `freehold keys list` show who has it "
            f"({KEY_PREFIX}{member.name})",
        ) from e


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


async def any_member(store: Store) -> bool:
    """Return whether there is a member at all; the first one is the owner."""
    return bool(await store.fetch("SELECT 1 FROM member LIMIT 1"))


async def list_members(store: Store) -> list[Member]:
    """Return all members, disabled ones too, oldest first."""
    return [read(row) for row in await store.fetch(f"SELECT {_COLUMNS} FROM member ORDER BY id")]


async def find(store: Store, which: str) -> Member:
    """Return the member of that id or name. NotFound when there is none."""
    plain = normal(which)
    sql = f"SELECT {_COLUMNS} FROM member WHERE id = ? OR name = ?"
    rows = await store.fetch(sql, plain, plain) if _NAME.fullmatch(plain) else ()
    if not rows:
        raise NotFound(f"There is no member {which[:64]!r}.", hint="`freehold members list` shows those that exist")
    return read(rows[0])


async def with_password(store: Store, name: str) -> tuple[Member, str | None] | None:
    """Return the member of a login name, as somebody typed it, and what is kept of the password."""
    plain = normal(name)
    sql = f"SELECT {_COLUMNS} FROM member WHERE name = ?"
    rows = await store.fetch(sql, plain) if _NAME.fullmatch(plain) else ()
    return (read(rows[0]), rows[0][6]) if rows else None


async def by_subject(store: Store, subject: str) -> Member | None:
    """Return the member that an identity provider knows as `subject` (`issuer|sub`)."""
    rows = await store.fetch(f"SELECT {_COLUMNS} FROM member WHERE subject = ?", subject)
    return read(rows[0]) if rows else None


async def set_role(store: Store, which: str, role: Role) -> Member:
    """Give a member another role. See `change`."""
    return await change(store, await find(store, which), role=role)


async def set_team(store: Store, which: str, team: str | None) -> Member:
    """Put a member into a team (id or name), or into none. See `change`."""
    return await change(store, await find(store, which), team=team)


async def disable(store: Store, which: str) -> Member:
    """Stop a member: no sign-in, all sessions end, the key is revoked. See `change`."""
    return await change(store, await find(store, which), disabled=True)


async def enable(store: Store, which: str) -> Member:
    """Let a member in again, with the same key. See `change`."""
    return await change(store, await find(store, which), disabled=False)


async def change(
    store: Store,
    seen: Member,
    *,
    role: Role | None = None,
    team: str | UnsetType | None = UNSET,
    display: str | None = None,
    disabled: bool | None = None,
) -> Member:
    """Change what is given of the member that was `seen`, all of it or nothing; the key goes along. `team` is an id or
    a name, or None for none, `display` what `check_display` returned. NotFound for the team; BadRequest when that is
    disabled, when the member's role is not the one seen any more, or when somebody who is let in again has lost the
    key's name; Forbidden for what would leave no owner."""
    new = msgspec.structs.replace(seen, role=role or seen.role, display=display or seen.display)
    if team is not UNSET:
        new = msgspec.structs.replace(new, team=(await usable_team(store, team)).id if team is not None else None)
    if disabled is not None and disabled != (seen.disabled_at is not None):
        new = msgspec.structs.replace(new, disabled_at=now_ns() if disabled else None)
    names = [name for name in ("role", "team", "display", "disabled_at") if getattr(new, name) != getattr(seen, name)]
    if not names:
        return seen
    try:
        changed = await store.write(_LOCK, *_changes(seen, new, names))
    except StoreError as e:
        if e.code != CONFLICT:
            raise
        raise _no_name(seen) from e
    if not changed:
        raise _changed(seen, await find(store, seen.id))
    if "team" in names or "disabled_at" in names:
        await store.bump()
    return new


def _changes(seen: Member, new: Member, names: Sequence[str]) -> list[Step]:
    """Return the steps that make `seen` be `new` in what is named, the member's own row last. All ask the same, so
    under the lock all are done or none is."""
    guard = "member.id = ? AND member.role = ?"
    if seen.role == "owner" and (new.role != "owner" or ("disabled_at" in names and new.disabled_at is not None)):
        guard += f" AND {_OTHER_OWNER}"
    held = (seen.id, seen.role)
    if_held = f"EXISTS (SELECT 1 FROM member WHERE {guard})"
    steps: list[Step] = []
    if "team" in names:
        steps.append((f"UPDATE key SET team = ? WHERE id = ? AND {if_held}", [(new.team, seen.key, *held)]))
    if "disabled_at" in names:
        kept = " AND revoked_at IS NULL" if new.disabled_at is not None else ""
        values = (new.disabled_at, seen.key, *held)
        steps.append((f"UPDATE key SET revoked_at = ? WHERE id = ?{kept} AND {if_held}", [values]))
    if "disabled_at" in names and new.disabled_at is not None:
        sql = f"UPDATE session SET revoked_at = ? WHERE member = ? AND revoked_at IS NULL AND {if_held}"
        steps.append((sql, [(new.disabled_at, seen.id, *held)]))
    sets = ", ".join(f"{name} = ?" for name in names)
    steps.append((f"UPDATE member SET {sets} WHERE {guard}", [(*(getattr(new, name) for name in names), *held)]))
    return steps


async def set_password(store: Store, id: str, password: str | None) -> None:
    """Keep what passwords.seal returned for the member `id`; None takes the password away."""
    await store.write(("UPDATE member SET password = ? WHERE id = ?", [(password, id)]))


async def renew_password(store: Store, id: str, old: str, new: str) -> bool:
    """Replace what is kept of a password only if it is still `old`; return whether it was."""
    return bool(await store.write(("UPDATE member SET password = ? WHERE id = ? AND password = ?", [(new, id, old)])))


async def link(store: Store, id: str, subject: str) -> bool:
    """Tie a member to an identity, unless it has one; return whether that was done. BadRequest when another member has
    that identity."""
    try:
        return bool(
            await store.write(("UPDATE member SET subject = ? WHERE id = ? AND subject IS NULL", [(subject, id)]))
        )
    except StoreError as e:
        if e.code != CONFLICT:
            raise
        raise BadRequest("Another member has this identity.", code="oidc_taken", hint="sign in as that one") from e


async def unlink(store: Store, id: str) -> None:
    """Untie a member from its identity."""
    await store.write(("UPDATE member SET subject = NULL WHERE id = ?", [(id,)]))


async def set_display(store: Store, id: str, display: str) -> None:
    """Keep what `check_display` returned as the name that is shown of the member `id`."""
    await store.write(("UPDATE member SET display = ? WHERE id = ?", [(display, id)]))


async def change_settings(store: Store, id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Put `values` into a member's own settings, one by one (None takes one away), and return them all; what changes
    in another tab at this moment is kept. TooLarge beyond SETTINGS bytes of JSON."""
    for _ in range(_RACES):
        ((kept,),) = await store.fetch("SELECT settings FROM member WHERE id = ?", id)
        merged = {**msgspec.json.decode(kept), **values}
        settings = {name: value for name, value in merged.items() if value is not None}
        text = msgspec.json.encode(settings)
        if len(text) > SETTINGS:
            raise TooLarge("The settings are too long.", param="settings", hint=f"keep them below {SETTINGS} bytes")
        sql = "UPDATE member SET settings = ? WHERE id = ? AND settings = ?"
        if await store.write((sql, [(text.decode(), id, kept)])):
            return settings
    raise BadRequest("The settings are being changed elsewhere.", param="settings", hint="try again")


async def count_by_team(store: Store) -> dict[str, int]:
    """Return how many members who may sign in each team (an id) has; one that has none is left out."""
    sql = "SELECT team, COUNT(*) FROM member WHERE team IS NOT NULL AND disabled_at IS NULL GROUP BY team"
    return {team: int(count) for team, count in await store.fetch(sql)}


def read(row: Sequence[Any]) -> Member:
    """Return the member of a row of the table's columns."""
    id, name, display, role, team, key, password, subject, settings, created_at, disabled_at, last_seen_at = row
    return Member(
        id, name, display, role, team, key, msgspec.json.decode(settings), created_at, disabled_at, last_seen_at,
        password is not None, subject,
    )  # fmt: skip


COLUMNS = _COLUMNS
"""Of the table, in the order of `read`."""


def _changed(seen: Member, now: Member) -> FreeholdError:
    """Return why a change of the member that was `seen` is refused."""
    if now.role != seen.role:
        return BadRequest(
            f"{now.name} has become {now.role} meanwhile.",
            code="member_changed",
            hint="look at the member again, then decide",
        )
    return Forbidden(f"{now.name} is the last owner.", code="last_owner", hint="make somebody else an owner first")


def _no_name(member: Member) -> BadRequest:
    name = KEY_PREFIX + member.name
    return BadRequest(
        f"Another key is called {name!r} now.",
        code="name_taken",
        hint=f"revoke it first: `freehold keys revoke {name}`",
    )
