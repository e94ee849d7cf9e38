"""When notice is due next, by who the contract is with. Pure; refuses to say what a contract means beyond its dates."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from freehold.contracts.register import Register
from freehold.contracts.shown import dates
from freehold.exits.concentration import Lens


class Notice(msgspec.Struct, frozen=True):
    """The last day on which we can still end a contract, and the last day that it holds then. `by` is None where it
    ends by itself, because it does not renew or notice was given. `missed`: the day for the term that runs now is
    over, so these are of a later one."""

    contract: str
    by: date | None
    ends: date
    missed: bool = False


def notices(register: Register, lens: Lens, today: date) -> dict[str, Notice]:
    """Return the next of each party or group, of the contracts that are in force. Open-ended ones have none."""
    found: dict[str, Notice] = {}
    for version in register.versions:
        if register.state(version, today) not in ("active", "in_notice"):
            continue
        said, id = dates(register, version, today), version.contract.id
        if said.notice_by is not None and said.free_from is not None:
            ends = said.free_from - timedelta(days=1)
            notice = Notice(id, said.notice_by, ends, missed=said.last is not None and ends > said.last)
        elif said.last is not None and said.last < date.max:
            notice = Notice(id, None, said.last)
        else:
            continue
        party = lens.party(version.contract.party.supplier)
        if party not in found or _due(notice) < _due(found[party]):
            found[party] = notice
    return found


def _due(notice: Notice) -> date:
    return notice.by or notice.ends
