"""What contracts want on which day: notice, ends, renewals, windows of commitments and prices, milestones, expiry.
Knows terms; refuses to read a clock and to know the form of a calendar file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import date, timedelta
from typing import Literal

import msgspec

from freehold.contracts.register import Register, Version, ahead
from freehold.contracts.terms import Commitment, Contract
from freehold.contracts.wording import LACKING, many, number

Kind = Literal[
    "notice", "supplier_notice", "start", "end", "renewal", "replaced", "transition_end", "retrieval_end", "erasure",
    "charges_end", "commitment_start", "commitment_end", "price_start", "price_end", "milestone", "audit_report",
    "exclusivity_end", "refusal_end", "share_start", "share_end",
]  # fmt: skip
"""What happens on a day. `notice` is the last day on which we can end a term that renews itself, `supplier_notice` the
last on which the supplier can."""

_DAY = timedelta(days=1)
_FURTHEST = date.max - timedelta(days=1)


class Event(msgspec.Struct, frozen=True):
    """One day of one contract. `place` is the dotted field that it was read from; `act`: whoever answers for the
    contract has to decide or do something by then. `again` counts the renewals of the term that it belongs to."""

    day: date
    kind: Kind
    contract: str
    place: str
    what: str
    act: bool = False
    again: int = 0


def events(register: Register, since: date, until: date) -> tuple[Event, ...]:
    """Return what falls on `since` or later, up to and with `until`, oldest first. What is known is what is known on
    `since`: later notices and versions change it."""
    found = [
        event
        for version in register.versions
        for event in _events(register, version, since, until)
        if since <= event.day <= until
    ]
    return tuple(sorted(found, key=lambda event: (event.day, event.contract, event.place)))


def notice_day(register: Register, version: Version, day: date) -> date | None:
    """Return the next last day, `day` or later, on which notice by us keeps a term from renewing itself; None where a
    contract ends by itself, is open-ended, or does not say."""
    ours = version.contract.term.notice_days.customer
    if ours is None or not register.renews(version, day):
        return None
    for end in ends(register, version, day, _FURTHEST):
        following = register.last_day(version, end + _DAY)
        if following is None or following <= end:
            return None  # another version takes its place
        if (last := _before(end, ours)) >= day:
            return last
    return None


def ends(register: Register, version: Version, day: date, until: date) -> Iterator[date]:
    """Yield the last days of the term that runs on `day` and of those that follow it by renewal, while each is at most
    `until`."""
    last = register.last_day(version, day)
    while last is not None and last <= until:
        yield last
        following = register.last_day(version, last + _DAY) if last < _FURTHEST else None
        last = following if following is not None and following > last else None


def _before(end: date, count: int) -> date:
    return date.min if count > (end - date.min).days else end - count * _DAY


def _events(register: Register, version: Version, since: date, until: date) -> Iterator[Event]:
    state = register.state(version, since)
    if state == "draft":
        return
    contract = version.contract
    if state in ("ended", "superseded"):
        last = register.last_day(version, since)
        if state == "ended" and last is not None:
            yield from _exit(contract, last)
        return
    yield Event(contract.term.start, "start", contract.id, "term.start", f"{_title(contract)} begins")
    last = yield from _term(register, version, since, until)
    for event in (*_commitments(contract), *_prices(contract), *_rights(contract), *_watched(contract)):
        if last is None or event.day <= last:
            yield event


def _term(register: Register, version: Version, since: date, until: date) -> Generator[Event, None, date | None]:
    """Yield what the term's ends bring; return the last day, None while it renews itself or is open-ended."""
    contract = version.contract
    id, notice, title = contract.id, contract.term.notice_days, _title(contract)
    last = register.last_day(version, since)
    if not register.renews(version, since):
        if last is not None:
            yield from _ending(register, version, last)
        return last
    renewal = contract.term.renewal
    reach = min(_FURTHEST, ahead(until, max(notice.customer or 0, notice.supplier or 0)))
    for end in ends(register, version, since, reach):
        again = _times(contract, end)
        going_on = register.last_day(version, end + _DAY)
        if going_on is None or going_on <= end:
            yield from _ending(register, version, end)
            return end
        if notice.customer is not None:
            what = f"last day to end {title} on {end} instead of having it renew"
            yield Event(_before(end, notice.customer), "notice", id, "term.notice_days.customer", what, True, again)
        if notice.supplier is not None:
            what = f"last day on which {contract.party.supplier} can end {title} on {end}"
            yield Event(
                _before(end, notice.supplier), "supplier_notice", id, "term.notice_days.supplier", what, False, again
            )
        what = f"{title} renews itself for {many(renewal.months, 'month')}"
        yield Event(end + _DAY, "renewal", id, "term.renewal", what, False, again)
    return None


def _times(contract: Contract, end: date) -> int:
    """Return how often a term that ends on `end` has renewed itself."""
    first, months = contract.term.end or end, max(1, contract.term.renewal.months)
    return ((end.year - first.year) * 12 + end.month - first.month) // months


def _ending(register: Register, version: Version, last: date) -> Iterator[Event]:
    contract = version.contract
    following = register.at(contract.id, ahead(last, 1))
    if following is not None and following.contract.id != contract.id:
        what = f"last day of {_title(contract)}: {following.contract.id} takes its place"
        yield Event(last, "replaced", contract.id, "term.end", what)
        return
    yield Event(last, "end", contract.id, "term.end", f"last day of {_title(contract)}", True)
    yield from _exit(contract, last)


def _exit(contract: Contract, last: date) -> Iterator[Event]:
    """Yield what is owed after the end, each counted from the last day."""
    leaving, supplier, id = contract.term.exit, contract.party.supplier, contract.id
    if leaving.transition_days:
        what = f"last day on which {supplier} keeps the service of {_title(contract)} going"
        yield Event(ahead(last, leaving.transition_days), "transition_end", id, "term.exit.transition_days", what, True)
    if leaving.retrieval_days:
        what = f"last day to fetch data from {supplier}"
        yield Event(ahead(last, leaving.retrieval_days), "retrieval_end", id, "term.exit.retrieval_days", what, True)
    if leaving.erasure == "yes" and leaving.erasure_days is not None:
        done = ahead(last, (leaving.retrieval_days or 0) + leaving.erasure_days)
        yield Event(done, "erasure", id, "term.exit.erasure_days", f"{supplier} has erased what it holds by then", True)


def _commitments(contract: Contract) -> Iterator[Event]:
    for index, commitment in enumerate(contract.commitment):
        at, what = f"commitment.{index}", _promised(commitment)
        yield Event(commitment.start, "commitment_start", contract.id, f"{at}.start", f"use begins to count: {what}")
        after = "they are paid for in any case" if commitment.type == "units" else LACKING[commitment.shortfall]
        yield Event(commitment.end, "commitment_end", contract.id, f"{at}.end", f"last day for {what}; {after}", True)


def _promised(commitment: Commitment) -> str:
    if commitment.type == "spend":
        return f"{commitment.id}, {number(commitment.amount or 0)} {commitment.currency}"
    return f"{commitment.id}, {number(commitment.quantity or 0)} {commitment.unit or 'tokens'}"


def _prices(contract: Contract) -> Iterator[Event]:
    for index, price in enumerate(contract.price):
        whose = f"{price.model} at {price.deployment}" if price.deployment != "*" else price.model
        whose = "all models" if whose == "*" else whose
        at = f"price.{index}"
        if price.valid_from is not None and price.valid_from > contract.term.start:
            yield Event(price.valid_from, "price_start", contract.id, f"{at}.valid_from", f"a price begins: {whose}")
        if price.valid_to is not None:
            yield Event(
                price.valid_to, "price_end", contract.id, f"{at}.valid_to", f"last day of a price: {whose}", True
            )


def _rights(contract: Contract) -> Iterator[Event]:
    id, given = contract.id, contract.exclusivity
    scopes = ", ".join((*given.granted_to_supplier, *given.granted_to_us))
    if given.until is not None and scopes:
        yield Event(given.until, "exclusivity_end", id, "exclusivity.until", f"last day of exclusivity: {scopes}")
    for index, right in enumerate(given.first_refusal):
        if right.until is not None:
            holder = "our" if right.holder == "us" else f"{contract.party.supplier}'s"
            what = f"last day of {holder} right of first refusal: {right.scope}"
            yield Event(right.until, "refusal_end", id, f"exclusivity.first_refusal.{index}.until", what)
    for index, share in enumerate(contract.revenue_share):
        at = f"revenue_share.{index}"
        if share.start is not None and share.start > contract.term.start:
            yield Event(share.start, "share_start", id, f"{at}.start", f"a revenue share begins: {share.id}")
        if share.until is not None:
            yield Event(share.until, "share_end", id, f"{at}.until", f"last day of a revenue share: {share.id}")


def _watched(contract: Contract) -> Iterator[Event]:
    for index, milestone in enumerate(contract.term.milestone):
        if milestone.by is not None and milestone.removed is None:
            what = f"{milestone.on} is expected: {milestone.effect}"
            yield Event(milestone.by, "milestone", contract.id, f"term.milestone.{index}.by", what, True)
    for index, report in enumerate(contract.audit.reports):
        if report.valid_to is not None:
            what = f"last day of the report {report.type}"
            yield Event(report.valid_to, "audit_report", contract.id, f"audit.reports.{index}.valid_to", what, True)
    if contract.term.exit.charges_until is not None:
        what = "last day on which switching may be charged for"
        yield Event(contract.term.exit.charges_until, "charges_end", contract.id, "term.exit.charges_until", what)


def _title(contract: Contract) -> str:
    return contract.title or contract.id
