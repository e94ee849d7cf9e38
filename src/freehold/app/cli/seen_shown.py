"""How reports on who saw what are shown on a terminal: lines of text, and tables as (rows, columns). Refuses to ask the
ledger anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.console.seen_shapes import DutyRow, HeldReport, LeftReport, LeftRow, PersonReport, SightRow
    from freehold.exits.seen import Party

Shown = str | tuple[list[dict[str, Any]], tuple[str, ...]]
_ASK = {"overdue": "was to be erased", "ask": "ask", "due": "erasure is owed", "by_itself": "goes by itself"}
_WHY = {"region": "region asked for", "echoed": "region that answered", "party": "seat of a recipient"}


def person(found: PersonReport) -> list[Shown]:
    """Return a report on a person."""
    return list(_person(found))


def _person(found: PersonReport) -> Iterator[Shown]:
    title = found.person.title
    yield f"{title}: {found.calls} calls, {found.attempts} attempts, {found.outside} of them seen by others"
    if found.astray:
        yield f"{found.astray} attempts were answered from another region than was asked for (!)"
    rows = [_sight(row) for row in found.rows]
    if rows:
        yield "\nWho saw the words"
        yield rows, ("who", "as", "contract", "class", "purpose", "region", "attempts", "first", "last", "kept until",
                     "trained with", "read", "taken out")  # fmt: skip
    if found.tools:
        yield "\nTools that were sent something"
        tools = [
            {"server": t.server, "uses": t.uses, "bytes": t.bytes, "first": _day(t.first_at), "last": _day(t.last_at)}
            for t in found.tools
        ]
        yield tools, ("server", "uses", "bytes", "first", "last")
    yield "\nHeld here"
    house = [
        {"what": each.kind, "count": each.count, "bytes": each.bytes, "hand out": each.export or None,
         "erase": each.erase or None}
        for each in found.house if each.count != 0
    ]  # fmt: skip
    yield house, ("what", "count", "bytes", "hand out", "erase")
    yield from _notes(any(row.assumed for row in found.rows))


def _sight(row: SightRow) -> dict[str, Any]:
    mark = "*" if row.assumed else ""
    return {
        "who": _named(row.party) + mark,
        "as": row.roles,
        "contract": f"{row.contract}{f' {row.version or row.terms}' if row.terms else ''}" or None,
        "class": row.data_class or None,
        "purpose": row.purpose,
        "region": _region(row),
        "attempts": row.attempts,
        "first": _day(row.first_at),
        "last": _day(row.last_at),
        "kept until": _until(row),
        "trained with": row.trains or "not stated",
        "read": row.review or "not stated",
        "taken out": [f"{kind} in {count}" for kind, count in row.redactions.items()],
    }


def _until(row: SightRow) -> str | None:
    if row.party.id == "own":
        return None
    if row.retention is None:
        return "not stated"
    return "not kept" if row.retention == 0 else f"{row.until}{'' if row.held else ' (over)'}"


def _region(row: SightRow | LeftRow) -> str:
    if not row.region and not row.echoed:
        return "not stated"
    if not row.echoed or row.echoed == row.region:
        return row.region or row.echoed
    astray = " (!)" if getattr(row, "astray", False) else ""
    return f"{row.region or 'any'}, answered {row.echoed}{astray}"


def left(found: LeftReport) -> list[Shown]:
    """Return what left an area."""
    return list(_left(found))


def _left(found: LeftReport) -> Iterator[Shown]:
    counts = found.attempts
    yield (
        f"{found.area}: {counts['outside']} attempts left it, of {counts['unstated']} nobody says where they were "
        f"served, {counts['inside']} stayed, {counts['own']} never left the house"
    )
    for state, title in (("outside", "What left"), ("unstated", "Nobody says where it was served")):
        rows = [_crossing(row) for row in found.rows if row.state == state]
        if rows:
            yield f"\n{title}"
            why = ("why",) if state == "outside" else ("promised",)
            yield rows, (*why, "seller", "host", "region", "class", "function", "purpose", "seated outside", "attempts",
                         "first", "last")  # fmt: skip
    for axis, parts in found.by.items():
        if len(parts) > 1:
            told = ", ".join(f"{part.name or 'none'} {part.attempts}" for part in parts)
            yield f"\nWhat left by {axis.replace('_', ' ')}: {told}"
    if found.unseated:
        yield f"\nOf those that stayed {found.unseated} were seen by a party of which nobody says where it is seated."
    if found.unlisted:
        names = ", ".join(found.unlisted)
        yield f"\nIn no known area, so outside of each: {names}. [data] areas in freehold.toml says where they are."
    yield from _notes(any(row.assumed for row in found.rows))


def _crossing(row: LeftRow) -> dict[str, Any]:
    return {
        "why": [_WHY[each] for each in row.why],
        "promised": row.promised,
        "seller": _named(row.seller) + ("*" if row.assumed else ""),
        "host": _named(row.host),
        "region": _region(row),
        "class": row.data_class or None,
        "function": row.function or None,
        "purpose": row.purpose,
        "seated outside": [f"{_named(party)} ({party.country})" for party in row.outside],
        "attempts": row.attempts,
        "first": _day(row.first_at),
        "last": _day(row.last_at),
    }


def outstanding(found: HeldReport) -> list[Shown]:
    """Return what must be erased."""
    return list(_outstanding(found))


def _outstanding(found: HeldReport) -> Iterator[Shown]:
    whose = f"{found.person.title}: " if found.person is not None else ""
    yield (
        f"{whose}the words of {found.kept} attempts may still be held by others on {found.today}; the time of "
        f"{found.gone} is over, of {found.never} nothing was to be kept"
    )
    rows = [_duty(duty) for duty in found.duties]
    if rows:
        yield rows, ("what to do", "by", "who", "as", "turn to", "contract", "ends", "attempts", "without end",
                     "gone by", "class")  # fmt: skip


def _duty(duty: DutyRow) -> dict[str, Any]:
    renews = duty.exit.state in ("active", "future") and duty.exit.ends is None
    return {
        "what to do": _ASK[duty.ask],
        "by": duty.exit.due if duty.ask in ("overdue", "due") else None,
        "who": _named(duty.party),
        "as": duty.roles,
        "turn to": _named(duty.addressee),
        "contract": duty.contract or None,
        "ends": "open" if renews else duty.exit.ends,
        "attempts": duty.attempts,
        "without end": duty.unstated or None,
        "gone by": duty.until,
        "class": duty.classes,
    }


def _notes(assumed: bool) -> Iterator[str]:
    if assumed:
        yield "\n*: entries too old to say who saw the words; whoever hosts and sells was taken."


def _named(party: Party) -> str:
    return "ourselves" if party.id == "own" else party.name


def _day(ms: int) -> str:
    from freehold.core.clock import iso

    return iso(ms * 1_000_000)[:10]
