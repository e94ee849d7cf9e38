"""When notice is due next, by who the contract is with. Pure; refuses to say what a contract means beyond its dates."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from freehold.contracts.register import Register, Version, later
from freehold.exits.concentration import Lens


class Notice(msgspec.Struct, frozen=True):
    """The last day on which we can end a contract with its term, and the last day of that term. `by` is None where no
    notice is needed or it has been given: it ends by itself then. `missed`: the day for the term that runs now is over,
    so these are of the one after."""

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
        notice = _of(register, version, today)
        party = lens.party(version.contract.party.supplier)
        if notice is not None and (party not in found or _due(notice) < _due(found[party])):
            found[party] = notice
    return found


def _due(notice: Notice) -> date:
    return notice.by or notice.ends


def _of(register: Register, version: Version, today: date) -> Notice | None:
    contract, last = version.contract, register.last_day(version, today)
    if last is None:
        return None
    term = contract.term
    days = term.notice_days.customer
    renews = term.renewal.auto and register.state(version, today) == "active" and term.end is not None
    if not renews or term.end is None or last < term.end:  # it ends with its term, or before: another one follows it
        return Notice(contract.id, None, last)
    missed = False
    while (by := last - timedelta(days=days or 0)) < today:
        missed, last = True, later(last, max(1, term.renewal.months))
    return Notice(contract.id, by, last, missed)
