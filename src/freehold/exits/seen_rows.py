"""What was found, as rows for spreadsheets. Pure; refuses to know what writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freehold.core.clock import iso
from freehold.exits.seen_held import Duty, Held
from freehold.exits.seen_left import Left
from freehold.exits.seen_left import Row as Crossing
from freehold.exits.seen_person import Report, Row
from freehold.ledger import Entry

CALLS = (
    "call", "attempt", "sent_at", "endpoint", "model", "deployment", "region_asked", "region_answered", "kept_days",
)  # fmt: skip
"""Columns of the list of calls that goes with a letter: no key, no name, no cost."""


def call(entry: Entry) -> dict[str, Any]:
    """Return a row of that list."""
    days = entry.retention if entry.retention >= 0 else None
    values = (entry.call, entry.attempt, iso(entry.at), entry.endpoint, entry.sent, entry.deployment, entry.region,
              entry.echoed, days)  # fmt: skip
    return dict(zip(CALLS, values, strict=True))


def rows(found: Report | Left | Held) -> tuple[Sequence[str], list[Mapping[str, Any]]]:
    """Return the columns and rows of a report for spreadsheets."""
    if isinstance(found, Report):
        return PERSON, [_person_row(row) for row in found.rows]
    if isinstance(found, Left):
        return LEFT, [_left_row(row) for row in found.rows]
    return HELD, [_held_row(duty) for duty in found.duties]


PERSON = (
    "party", "name", "country", "as", "contract", "version", "terms", "class", "purpose", "region_asked",
    "region_answered", "another_region", "attempts", "may_still_be_kept", "first", "last", "retention_days",
    "kept_until", "trained_with", "read_by_people", "taken_out",
)  # fmt: skip
LEFT = (
    "state", "why", "seller", "host", "region_asked", "region_answered", "class", "function", "purpose", "contract",
    "seated_outside", "seat_not_stated", "promised_regions", "attempts", "first", "last",
)  # fmt: skip
HELD = (
    "ask", "party", "name", "as", "addressee", "contract", "version", "contract_ends", "erasure_owed", "erase_by",
    "attempts", "without_end", "gone_by", "retention_days", "class", "first", "last",
)  # fmt: skip


def _person_row(row: Row) -> dict[str, Any]:
    values = (
        row.party.id, row.party.name, row.party.country, " ".join(row.roles), row.contract, row.version, row.terms,
        row.data_class, row.purpose, row.region, row.echoed, row.astray, row.attempts, row.held, iso(row.first_at),
        iso(row.last_at), row.retention if row.retention >= 0 else None, row.until, row.trains, row.review,
        " ".join(f"{kind}={n}" for kind, n in sorted(row.redactions.items())),
    )  # fmt: skip
    return dict(zip(PERSON, values, strict=True))


def _left_row(row: Crossing) -> dict[str, Any]:
    values = (
        row.state, " ".join(row.why), row.seller.id, row.host.id, row.region, row.echoed, row.data_class, row.function,
        row.purpose, row.contract, " ".join(party.id for party in row.outside),
        " ".join(party.id for party in row.unseated), " ".join(row.promised), row.attempts, iso(row.first_at),
        iso(row.last_at),
    )  # fmt: skip
    return dict(zip(LEFT, values, strict=True))


def _held_row(duty: Duty) -> dict[str, Any]:
    values = (
        duty.ask, duty.party.id, duty.party.name, " ".join(duty.roles), duty.addressee.id, duty.contract,
        duty.exit.version, duty.exit.ends, duty.exit.erasure, duty.exit.due, duty.attempts, duty.unstated, duty.until,
        " ".join(map(str, duty.retentions)), " ".join(duty.classes), iso(duty.first_at), iso(duty.last_at),
    )  # fmt: skip
    return dict(zip(HELD, values, strict=True))
