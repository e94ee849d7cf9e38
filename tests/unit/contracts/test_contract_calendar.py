"""The days of contracts, and the file that carries them into other calendars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.drafts import contract

from freehold.contracts.calendar import Event, ends, events
from freehold.contracts.icalendar import escaped, folded, uid, write
from freehold.contracts.register import Register, Version
from freehold.contracts.shown import dates
from freehold.core.clock import begin

DAY = timedelta(days=1)
NOW = begin(date(2026, 6, 1))
RENEWS = "end = 2026-12-31\nrenewal = { auto = true, months = 12 }\nnotice_days = { customer = 90, supplier = 60 }\n"


def told(*versions: Version, since: str = "2026-01-01", until: str = "2027-12-31") -> list[tuple[str, str]]:
    found = events(Register(versions), date.fromisoformat(since), date.fromisoformat(until))
    return [(event.day.isoformat(), event.kind) for event in found]


def test_a_term_that_renews_itself_has_days_of_notice_and_no_end() -> None:
    assert told(contract(term=RENEWS)) == [
        ("2026-01-01", "start"),
        ("2026-10-02", "notice"),
        ("2026-11-01", "supplier_notice"),
        ("2027-01-01", "renewal"),
        ("2027-10-02", "notice"),
        ("2027-11-01", "supplier_notice"),
    ]


def test_a_notice_near_is_told_though_its_end_is_far() -> None:
    assert told(contract(term=RENEWS), since="2026-09-01", until="2026-10-15") == [("2026-10-02", "notice")]


@pytest.mark.parametrize("head", ["", 'status = "in_notice"'])
def test_notice_given_ends_it_and_what_is_owed_follows(head: str) -> None:
    leaving = "exit = { transition_days = 30, retrieval_days = 60, erasure = 'yes', erasure_days = 15 }\n"
    version = contract(term=RENEWS + "notice_given = 2026-06-01\n" + leaving, head=head)
    assert told(version, since="2026-06-15") == [
        ("2026-12-31", "end"),
        ("2027-01-30", "transition_end"),
        ("2027-03-01", "retrieval_end"),
        ("2027-03-16", "erasure"),
    ]
    assert told(version, since="2027-02-01") == [("2027-03-01", "retrieval_end"), ("2027-03-16", "erasure")]


def test_another_version_takes_its_place() -> None:
    new = contract(id="deal-2", head='supersedes = "deal"', term="start = 2026-09-01\nend = 2027-08-31\n")
    assert told(contract(term=RENEWS), new, since="2026-06-01") == [
        ("2026-08-31", "replaced"),
        ("2026-09-01", "start"),
        ("2027-08-31", "end"),
    ]


def test_a_version_that_follows_in_the_second_term_stops_the_second_renewal() -> None:
    new = contract(id="deal-2", head='supersedes = "deal"', term="start = 2027-07-01\n")
    assert told(contract(term=RENEWS), new, since="2026-06-01") == [
        ("2026-10-02", "notice"),
        ("2026-11-01", "supplier_notice"),
        ("2027-01-01", "renewal"),
        ("2027-06-30", "replaced"),
        ("2027-07-01", "start"),
    ]


@pytest.mark.parametrize("head", ['status = "draft"', 'status = "expired"'])
def test_drafts_and_what_is_over_want_nothing(head: str) -> None:
    assert told(contract(term=RENEWS, head=head)) == []


def test_all_that_has_a_day_is_told_until_the_end() -> None:
    version = contract(
        """
        [[term.milestone]]
        on = "ipo"
        effect = "the share falls"
        by = 2026-05-01
        [[term.milestone]]
        on = "agi"
        effect = "the licence ends"
        by = 2026-05-02
        removed = 2026-01-15
        [term.exit]
        charges = "yes"
        charges_until = 2026-05-03
        [[commitment]]
        id = "c"
        type = "spend"
        amount = "12000.50"
        start = 2026-02-01
        end = 2026-05-04
        [[price]]
        model = "gpt-x"
        input = "1"
        valid_from = 2026-03-01
        valid_to = 2026-05-05
        [exclusivity]
        granted_to_supplier = ["compute"]
        until = 2026-05-06
        [[exclusivity.first_refusal]]
        holder = "supplier"
        scope = "chips"
        until = 2026-05-07
        [[revenue_share]]
        id = "s"
        payer = "customer"
        basis = "gross_revenue"
        pct = "20"
        start = 2026-04-01
        until = 2026-05-08
        [[audit.reports]]
        type = "SOC 2 Type II"
        valid_to = 2026-05-09
        [[audit.reports]]
        type = "ISO 27001"
        valid_to = 2028-01-01
        """,
        term="end = 2026-12-31\n",
    )
    assert told(version, since="2026-01-02", until="2029-01-01") == [
        ("2026-02-01", "commitment_start"),
        ("2026-03-01", "price_start"),
        ("2026-04-01", "share_start"),
        ("2026-05-01", "milestone"),
        ("2026-05-03", "charges_end"),
        ("2026-05-04", "commitment_end"),
        ("2026-05-05", "price_end"),
        ("2026-05-06", "exclusivity_end"),
        ("2026-05-07", "refusal_end"),
        ("2026-05-08", "share_end"),
        ("2026-05-09", "audit_report"),
        ("2026-12-31", "end"),
    ]


@given(
    end=st.dates(date(2026, 1, 1), date(2030, 12, 31)),
    months=st.integers(1, 36),
    notice=st.integers(0, 400),
    since=st.dates(date(2026, 1, 1), date(2034, 12, 31)),
    ahead=st.integers(0, 900),
)
def test_notice_is_told_once_for_each_term_and_in_time(
    end: date, months: int, notice: int, since: date, ahead: int
) -> None:
    version = contract(
        term=f"end = {end}\nrenewal = {{ auto = true, months = {months} }}\nnotice_days = {{ customer = {notice} }}\n"
    )
    register, until = Register([version]), since + ahead * DAY
    found = events(register, since, until)
    assert all(since <= event.day <= until for event in found)
    assert list(found) == sorted(found, key=lambda event: event.day)
    noticed = [event.day for event in found if event.kind == "notice"]
    assert len(set(noticed)) == len(noticed)
    lasts = list(ends(register, version, since, until + (notice + 1) * DAY))
    assert noticed == [last - notice * DAY for last in lasts if since <= last - notice * DAY <= until]
    first = dates(register, version, since).notice_by
    assert first is not None
    assert noticed[:1] == ([first] if first <= until else [])
    renewals = [event.day for event in found if event.kind == "renewal"]
    assert all(register.last_day(version, day) == register.last_day(version, day + DAY) for day in renewals)
    assert len({uid(event) for event in found}) == len(found)


# -- RFC 5545: what follows reads a calendar by the grammar of the RFC, and by nothing of ours

NAME = r"[A-Za-z0-9-]+"
SAFE = r"[^\x00-\x08\x0a-\x1f\x7f\";:,]*"
LINE = re.compile(rf'({NAME})((?:;{NAME}=(?:{SAFE}|"[^\x00-\x08\x0a-\x1f\x7f"]*"))*):([^\x00-\x08\x0a-\x1f\x7f]*)')
TEXT = re.compile(r"(?:[^\\;,\x00-\x08\x0a-\x1f\x7f]|\\[\\;,nN])*")


def unfolded(data: bytes) -> list[str]:
    """The content lines of a calendar (section 3.1)."""
    assert data.endswith(b"\r\n")
    raw = data[:-2].split(b"\r\n")
    assert all(len(line) <= 75 and b"\r" not in line and b"\n" not in line for line in raw)
    lines: list[bytes] = []
    for line in raw:
        line.decode()  # no character is torn apart
        if line[:1] in (b" ", b"\t"):
            lines[-1] += line[1:]
        else:
            lines.append(line)
    return [line.decode() for line in lines]


def components(lines: Iterator[str], name: str) -> dict[str, list[object]]:
    """The properties and parts of the component whose BEGIN was just read (section 3.6)."""
    inside: dict[str, list[object]] = {}
    for line in lines:
        found = LINE.fullmatch(line)
        assert found, line
        property_, parameters, value = found[1].upper(), found[2], found[3]
        if property_ == "END":
            assert value == name
            return inside
        if property_ == "BEGIN":
            inside.setdefault(value, []).append(components(lines, value))
        else:
            inside.setdefault(property_ + parameters.upper(), []).append(value)
    raise AssertionError(f"{name} does not end")


def parsed(data: bytes) -> dict[str, list[object]]:
    lines = iter(unfolded(data))
    assert next(lines) == "BEGIN:VCALENDAR"
    calendar = components(lines, "VCALENDAR")
    assert next(lines, None) is None
    assert calendar["VERSION"] == ["2.0"]
    assert len(calendar["PRODID"]) == 1
    return calendar


def said(text: str) -> str:
    """A TEXT value as it was before it was escaped (section 3.3.11)."""
    assert TEXT.fullmatch(text), text
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], text)


def check(one: dict[str, list[object]], event: Event) -> None:
    """One VEVENT is what the event says; each property that must be there once is there once (section 3.6.1)."""
    start, end = one["DTSTART;VALUE=DATE"], one["DTEND;VALUE=DATE"]
    assert start == [event.day.strftime("%Y%m%d")]
    assert end == [(event.day + DAY).strftime("%Y%m%d")]
    assert one["UID"] == [uid(event)]
    assert one["DTSTAMP"] == ["20260601T000000Z"]
    (summary,) = one["SUMMARY"]
    assert said(str(summary)) == re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", f"{event.contract}: {event.what}")
    alarms = one.get("VALARM", [])
    assert len(alarms) == (2 if event.act else 0)
    for alarm in alarms:
        assert isinstance(alarm, dict)
        assert alarm["ACTION"] == ["DISPLAY"]
        assert re.fullmatch(r"-P\d+D", alarm["TRIGGER"][0])
        assert said(alarm["DESCRIPTION"][0])


words = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=200)


@given(st.lists(st.tuples(st.dates(date(2020, 1, 1), date(2100, 1, 1)), words, st.booleans()), max_size=4))
def test_a_calendar_is_what_the_rfc_says(rows: list[tuple[date, str, bool]]) -> None:
    made = [Event(day, "milestone", f"deal-{n}", "term.end", what, act) for n, (day, what, act) in enumerate(rows)]
    calendar = parsed(write(made, NOW, "Contracts; of Acme, all"))
    assert [said(str(name)) for name in calendar["X-WR-CALNAME"]] == ["Contracts; of Acme, all"]
    found = calendar.get("VEVENT", [])
    assert len(found) == len(made)
    for one, event in zip(found, made, strict=True):
        assert isinstance(one, dict)
        check(one, event)


def test_the_last_day_of_all_has_no_day_after_it() -> None:
    calendar = parsed(write([Event(date.max, "end", "deal", "term.end", "the end")], NOW))
    (one,) = calendar["VEVENT"]
    assert isinstance(one, dict) and "DTEND;VALUE=DATE" not in one


def test_lines_are_folded_between_characters() -> None:
    assert list(folded("a" * 75)) == ["a" * 75]
    assert list(folded("a" * 76)) == ["a" * 75, " a"]
    assert list(folded("ä" * 38)) == ["ä" * 37, " ä"]
    assert escaped("a\\b;c,d\r\ne\x07") == "a\\\\b\\;c\\,d\\ne"


def test_a_day_that_is_moved_keeps_its_name_and_each_renewal_has_its_own() -> None:
    first = events(Register([contract(term=RENEWS)]), date(2026, 1, 1), date(2027, 12, 31))
    moved = events(
        Register([contract(term=RENEWS.replace("customer = 90", "customer = 80"))]),
        date(2026, 1, 1),
        date(2027, 12, 31),
    )
    assert {uid(event) for event in first} == {uid(event) for event in moved}
    assert len({uid(event) for event in first}) == len(first)
    later = events(Register([contract(term=RENEWS)]), date(2027, 1, 2), date(2027, 12, 31))
    assert {uid(event) for event in later} < {uid(event) for event in first}
