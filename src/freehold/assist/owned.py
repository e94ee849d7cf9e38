"""Rows that a member owns and may share: who may change one, and the step that does. Refuses to know what they hold."""

from __future__ import annotations

from typing import Any

from freehold.access import Member
from freehold.core.clock import now_ns
from freehold.store import Step


def may_change(owner: str, shared: bool, who: Member) -> bool:
    """Return whether `who` may change what the member `owner` (an id) made: its owner may, and for shared things an
    admin."""
    return owner == who.id or (shared and who.role in ("owner", "admin"))


def change(table: str, new: dict[str, Any], id: str, owner: str | None) -> Step:
    """Return the step that sets columns of one row, and when it was changed: only if it is the member `owner`'s, or
    whosever it is (None)."""
    names = [*new, "updated_at"]
    sql = f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?"
    values = [*new.values(), now_ns(), id]
    return (sql, [values]) if owner is None else (sql + " AND member = ?", [[*values, owner]])
