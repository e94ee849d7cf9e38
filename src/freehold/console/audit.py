"""Puts on record what somebody did by way of the page. Knows the form of such a note; refuses to know what was done."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.access import Member
from freehold.core.clock import now_ns
from freehold.core.ids import new_id
from freehold.ledger import Entry, Ledger


async def note(ledger: Ledger, act: str, by: Member | None, **about: Any) -> None:
    """Put `act`, e.g. "key.create", in the ledger; returns when it is durable. Raises StoreError.

    `by` is who did it, None for somebody who is not signed in. The note holds their id as `member` and their name as
    `by`, so `about` has other words: what was done to a member says `of` (its id) and `name`.
    """
    who = {"by": by.name, "member": by.id} if by is not None else {"by": "nobody", "member": None}
    text = msgspec.json.encode({"act": act, **who, **about}).decode()
    entry = Entry("admin", new_id("act"), 0, "serve", now_ns(), note=text)
    if by is not None:
        entry = msgspec.structs.replace(entry, key=by.key, team=by.team or "", user=by.name)
    await ledger.note_admin(entry)
