"""A contract, and how two differ, on a page of text. Knows what `contracts.shown` and `contracts.diff` found; refuses
to look for more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from freehold.contracts.diff import Change
from freehold.contracts.register import Version
from freehold.contracts.shown import Dates, Page, Section

_WIDTH, _LABEL = 112, 30


def page(it: Page, day: date) -> str:
    """Return a contract as a page."""
    title = it.row.title or it.row.id
    lines = [f"{title} ({it.row.id}, version {it.row.version}, {it.row.hash})", *_wrapped(standing(it, day), "")]
    if it.row.owner:
        lines.append(f"owner: {it.row.owner}")
    if len(it.chain) > 1:
        lines += ["", "Versions"]
        for row in it.chain:
            mark = "*" if row.id == it.row.id else " "
            lines.append(f"{mark} {row.id:<{_LABEL - 2}}{row.first} to {row.last or 'open'}, {_words(row.state)}")
    empty = [section.title for section in it.sections if not section.lines]
    for section in it.sections:
        if section.lines:
            lines += ["", section.title, *_section(section)]
    if empty:
        lines += ["", *_wrapped(f"Nothing is stated of: {', '.join(empty).lower()}", "")]
    if it.note:
        lines += ["", "Note", *_wrapped(it.note, "  ")]
    if it.sources:
        lines += ["", "Sources"]
        lines += [line for number, said in enumerate(it.sources, 1) for line in _labelled(f"[{number}]", said, 6)]
    return "\n".join(lines)


def standing(it: Page, day: date) -> str:
    """Return how a contract stands on `day`, and what can still be done about it, in a sentence or two."""
    dates, row = it.dates, it.row
    until = f"until {dates.last}" if dates.last else "open-ended"
    known = {
        "draft": "a draft, in force for nobody",
        "future": f"starts on {dates.first}, {until}",
        "ended": f"ended on {dates.last}" if dates.last else "ended",
        "superseded": f"superseded; its last day was {dates.last}",
    }
    said = known.get(row.state, f"{_words(row.state)}, {until}")
    if row.state in ("active", "future", "in_notice"):
        said += "".join(f"; {each}" for each in _outlook(dates, day))
    return said


def _outlook(dates: Dates, day: date) -> Iterator[str]:
    if dates.renews:
        yield "it then goes on by itself"
    if dates.notice_by is not None:
        yield f"notice is in time until {dates.notice_by} ({_ahead(dates.notice_by, day)})"
    elif dates.renews:
        yield "how long before its end notice is due is not stated"
    if dates.free_from is not None and (dates.renews or dates.last is None):
        yield f"with notice given now we are free from {dates.free_from}"


def _ahead(then: date, day: date) -> str:
    days = (then - day).days
    return "today" if days == 0 else "tomorrow" if days == 1 else f"in {days:,} days"


def _section(section: Section) -> Iterator[str]:
    for line in section.lines:
        marks = "".join(f" [{number + 1}]" for number in line.sources)
        yield from _labelled(line.label, line.value + marks, _LABEL)
    if section.unstated:
        yield from _labelled("not stated", ", ".join(section.unstated), _LABEL)


def compared(old: Version, new: Version, changes: Sequence[Change]) -> str:
    """Return how two contracts differ."""
    lines = [f"--- {_name(old)}", f"+++ {_name(new)}"]
    if not changes:
        return "\n".join([*lines, "", "no term differs"])
    for change in changes:
        lines += ["", change.field]
        lines += _labelled("  -", change.was, 4) if change.was is not None else []
        lines += _labelled("  +", change.now, 4) if change.now is not None else []
        meaning = "; ".join(part for part in (change.means, change.for_us and f"{change.for_us} for us") if part)
        lines += _labelled("   ", f"= {meaning}", 4) if meaning else []
    counted = [f"{sum(change.for_us == which for change in changes)} {which}" for which in ("better", "worse")]
    return "\n".join([*lines, "", f"{_count(len(changes))}; for us {', '.join(counted)}"])


def _name(version: Version) -> str:
    contract = version.contract
    return f"{contract.id}, version {contract.version}, from {contract.term.start} ({version.hash})"


def _count(number: int) -> str:
    return "1 term differs" if number == 1 else f"{number} terms differ"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _labelled(label: str, text: str, width: int) -> Iterable[str]:
    first, rest = f"  {label}".ljust(width) if width == _LABEL else label.ljust(width), " " * width
    first = first if first.endswith(" ") else first + " "
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
