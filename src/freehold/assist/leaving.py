"""A member's things deleted whole: what they made at the page, of every kind. Refuses to know why, and to touch what is
on the ledger."""

from __future__ import annotations

from freehold.assist import search
from freehold.assist.conversations import gone
from freehold.store import Store

OWN = ("memory", "file", "project", "prompt", "assistant", "share", "import", "tool_rule")
"""Tables of what is a member's, beside conversations and what hangs on them."""
AT_ONCE = 200
"""Conversations that one transaction deletes."""


async def forget(store: Store, member: str) -> dict[str, int]:
    """Delete everything that the member `member` (an id) made, what they share with others too; return how many there
    were of each kind. Their account stays. Raises StoreError."""
    found = {"conversation": 0}
    while True:
        sql = f"SELECT id FROM conversation WHERE member = ? LIMIT {AT_ONCE}"
        ids = [id for (id,) in await store.fetch(sql, member)]
        if not ids:
            break
        await search.erase(store, "message", *gone(ids))
        found["conversation"] += len(ids)
    # Others may have been told to talk with what is gone now.
    loose = "UPDATE conversation SET assistant = NULL WHERE assistant IN (SELECT id FROM assistant WHERE member = ?)"
    await store.write((loose, [(member,)]))
    for table in OWN:
        ((count,),) = await store.fetch(f"SELECT COUNT(*) FROM {table} WHERE member = ?", member)
        found[table] = int(count)
        step = (f"DELETE FROM {table} WHERE member = ?", [(member,)])
        if count and table != "tool_rule":
            await search.erase(store, table, step)
        elif count:
            await store.write(step)
    if found["conversation"]:
        await search.scrub(store)
    return {kind: count for kind, count in found.items() if kind != "tool_rule"}
