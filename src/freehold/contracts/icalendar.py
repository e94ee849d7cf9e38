"""Days of contracts as a calendar file that other programs read: iCalendar, RFC 5545. Knows the form; refuses to know
what a day means."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from freehold.contracts.calendar import Event
from freehold.core.money import NANO

MEDIA = "text/calendar; charset=utf-8"
LINE = 75
"""Octets of a line without its end, at most (RFC 5545, section 3.1)."""
ALARMS = (30, 7)
"""Days before a day on which something has to be decided, at which a calendar reminds of it."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def write(events: Iterable[Event], at_ns: int, name: str = "Contracts") -> bytes:
    """Return a calendar of whole days, made at `at_ns`. A day keeps its UID when it is moved, so a program that reads a
    later calendar moves it as well."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Freehold//Contracts//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{escaped(name)}",
    ]
    stamp = datetime.fromtimestamp(at_ns // NANO, UTC).strftime("%Y%m%dT%H%M%SZ")
    for event in events:
        lines += _event(event, stamp)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in folded(line)).encode()


def uid(event: Event) -> str:
    """Return what names an event for ever: by contract, field and renewal, not by its day."""
    told = f"{event.contract}\0{event.place}\0{event.kind}\0{event.again}"
    return f"{hashlib.sha256(told.encode()).hexdigest()[:32]}@contracts.freehold"


def escaped(text: str) -> str:
    """Return a value of type TEXT (section 3.3.11)."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def folded(line: str) -> Iterator[str]:
    """Yield a content line in pieces of at most 75 octets, no character torn apart; those that go on begin with a
    blank."""
    piece, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > LINE:
            yield piece
            piece, size = " ", 1
        piece, size = piece + character, size + width
    yield piece


def _event(event: Event, stamp: str) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{uid(event)}",
        f"DTSTAMP:{stamp}",
        f"DTSTART;VALUE=DATE:{event.day:%Y%m%d}",
        f"SUMMARY:{escaped(f'{event.contract}: {event.what}')}",
        f"DESCRIPTION:{escaped(f'Contract {event.contract}, field {event.place}')}",
        f"CATEGORIES:{escaped(event.kind.replace('_', ' '))}",
        "TRANSP:TRANSPARENT",
    ]
    if event.day < date.max:
        lines.insert(4, f"DTEND;VALUE=DATE:{event.day + timedelta(days=1):%Y%m%d}")  # the first day after it
    for days in ALARMS if event.act else ():
        lines += [
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"DESCRIPTION:{escaped(f'{event.contract}, in {days} days: {event.what}')}",
            f"TRIGGER:-P{days}D",
            "END:VALARM",
        ]
    return [*lines, "END:VEVENT"]
