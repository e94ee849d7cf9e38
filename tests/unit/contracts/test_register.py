"""Which contract holds on which day, until when, and what counts towards what it commits to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.chains import chains, days
from tests.unit.contracts.drafts import contract

from freehold.contracts.binding import bind
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register, Version, fingerprint, later, rolled
from freehold.contracts.terms import Commitment
from freehold.routing import Deployment

DAY = timedelta(days=1)
RENEWS = "end = 2026-12-31\nrenewal = { auto = true, months = 12 }\nnotice_days = { customer = 90, supplier = 180 }"


def follower(start: str, head: str = "", id: str = "next", of: str = "deal") -> Version:
    return contract(id=id, head=f'supersedes = "{of}"\n{head}', term=f"start = {start}\n")


def test_an_empty_register_holds_nothing() -> None:
    register = Register()
    assert register.versions == () and len(register) == 0
    assert register.get("a") is None and register.chain("a") == () and register.at("a", date(2026, 1, 1)) is None


@pytest.mark.parametrize(
    ("term", "day", "state", "last"),
    [
        ("", "2025-12-31", "future", None),
        ("", "2026-01-01", "active", None),
        ("end = 2026-12-31", "2026-12-31", "active", "2026-12-31"),
        ("end = 2026-12-31", "2027-01-01", "ended", "2026-12-31"),
        (RENEWS, "2026-12-31", "active", "2026-12-31"),
        (RENEWS, "2027-01-01", "active", "2027-12-31"),
        (RENEWS, "2031-05-05", "active", "2031-12-31"),
        # Notice by whom is not known: the shorter period counts.
        (f"{RENEWS}\nnotice_given = 2026-10-02", "2026-10-02", "in_notice", "2026-12-31"),
        (f"{RENEWS}\nnotice_given = 2026-10-02", "2027-01-01", "ended", "2026-12-31"),
        (f"{RENEWS}\nnotice_given = 2026-10-03", "2027-01-01", "in_notice", "2027-12-31"),
        (f"{RENEWS}\nnotice_given = 2026-10-03", "2026-10-02", "active", "2026-12-31"),
        ("notice_given = 2026-03-01\nnotice_days = { customer = 30 }", "2026-03-15", "in_notice", "2026-03-31"),
        ("notice_given = 2026-03-01\nnotice_days = { customer = 30 }", "2026-04-01", "ended", "2026-03-31"),
    ],
)
def test_a_contract_stands_by_its_dates(term: str, day: str, state: str, last: str | None) -> None:
    version = contract(term=term)
    register, on = Register((version,)), date.fromisoformat(day)
    assert register.state(version, on) == state
    assert register.last_day(version, on) == (date.fromisoformat(last) if last else None)
    assert (register.at("deal", on) == version) == (state in ("active", "in_notice"))


@pytest.mark.parametrize(
    ("status", "state"), [("draft", "draft"), ("expired", "ended"), ("terminated", "ended"), ("active", "active")]
)
def test_a_contract_stands_by_its_status(status: str, state: str) -> None:
    version = contract(head=f'status = "{status}"')
    register = Register((version,))
    assert register.state(version, date(2026, 6, 1)) == state
    assert (register.at("deal", date(2026, 6, 1)) is not None) == (status == "active")


def test_a_successor_takes_the_place_from_its_first_day_and_a_draft_takes_none() -> None:
    old, new = contract(term=RENEWS), follower("2027-03-01")
    register = Register((new, old))
    assert register.chain("deal") == register.chain("next") == (old, new)
    assert register.at("next", date(2027, 2, 28)) == old
    assert register.at("deal", date(2027, 3, 1)) == new
    assert register.state(old, date(2027, 3, 1)) == "superseded"
    assert register.last_day(old, date(2026, 6, 1)) == date(2026, 12, 31)
    assert register.last_day(old, date(2027, 1, 1)) == date(2027, 2, 28)
    assert register.renews(old, date(2026, 6, 1)) and not register.renews(old, date(2027, 1, 1))
    assert register.until(old, date(2026, 6, 1)) == date(2027, 2, 28)
    draft = Register((old, follower("2027-03-01", 'status = "draft"')))
    assert draft.at("deal", date(2027, 3, 1)) == old
    assert draft.until(old, date(2026, 6, 1)) is None


def test_a_successor_that_starts_with_the_end_of_a_term_leaves_nothing_to_renew() -> None:
    old, new = contract(term=RENEWS), follower("2027-01-01")
    register = Register((old, new))
    assert not register.renews(old, date(2026, 6, 1))
    assert register.until(old, date(2026, 6, 1)) == date(2026, 12, 31)


@given(chains(), days)
def test_at_most_one_version_holds_and_it_is_within_its_days(register: Register, day: date) -> None:
    chain = register.chain("v0")
    assert set(chain) == {version for version in register.versions if version.contract.id != "other"}
    assert [version.contract.id for version in chain] == sorted(version.contract.id for version in chain)
    held = [version for version in chain if register.state(version, day) in ("active", "in_notice")]
    at = register.at("v0", day)
    assert at == (held[-1] if held else None)
    assert all(register.at(version.contract.id, day) == at for version in chain)
    assert register.get("other") == register.at("other", day)
    for version in held:
        last = register.last_day(version, day)
        assert version.contract.term.start <= day and (last is None or day <= last)
        assert version.contract.status in ("active", "in_notice")
    # Of two in force by their own words, the later one's start ends the earlier one, unless a draft stands between.
    assert len({version.contract.supersedes for version in held} & {version.contract.id for version in held}) == 0


@given(chains(), days)
def test_a_last_day_is_the_last_on_which_it_holds(register: Register, day: date) -> None:
    for version in register.versions:
        given, last = version.contract.term.notice_given, register.last_day(version, day)
        if register.state(version, day) not in ("active", "in_notice") or last is None:
            continue
        if given is None or given <= day:
            assert register.last_day(version, last) == last, "nothing was decided since"
            after = register.state(version, last + DAY)
            assert after in ("ended", "superseded") or register.renews(version, day)


@given(chains(), days, st.integers(0, 4000))
def test_what_holds_until_when_is_what_a_deployment_is_bound_by(register: Register, today: date, ahead: int) -> None:
    """The table of terms on the path of a call says the same as the register, for every day to come."""
    deployment = Deployment(name="d", kind="openai", model="m", contract="v0", host="openai")
    if any(version.contract.term.notice_given for version in register.chain("v0")):
        return  # what is known changes on the day of the notice
    bonds = bind([deployment], register, Organisation(), today)
    day = today + timedelta(days=ahead)
    bond = bonds.at("d", int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 1_000_000_000)
    held = register.at("v0", day)
    assert (None if bond is None else bond.terms) == (None if held is None else held.hash)


@given(days, st.integers(1, 36), st.integers(0, 60))
def test_a_renewal_is_as_long_as_its_months_and_ends_where_months_end(end: date, months: int, times: int) -> None:
    last = later(end, months * times)
    after, first = last + DAY, end + DAY
    assert (after.year - first.year) * 12 + after.month - first.month == months * times
    assert after.day == first.day or (after.day < first.day and (after + DAY).day == 1)
    if first.day == 1:
        assert after.day == 1, "what ends with a month goes on ending with one"


@given(days, st.integers(1, 36), days)
def test_rolling_on_stops_at_the_first_end_that_is_late_enough(end: date, months: int, until: date) -> None:
    found = rolled(end, months, until)
    ends = (later(end, months * times) for times in range(2000))
    assert found == next(each for each in ends if each >= until)


@pytest.mark.parametrize(("end", "until"), [("9999-12-31", "9999-12-31"), ("9999-06-30", "9999-12-31")])
def test_the_end_of_the_calendar_is_no_trap(end: str, until: str) -> None:
    assert rolled(date.fromisoformat(end), 12, date.fromisoformat(until)) == date.max
    version = contract(term=f"end = {end}\nrenewal = {{ auto = true }}")
    register = Register((version,))
    assert register.last_day(version, date.max) == date.max
    assert register.renews(version, date.max) is False


def test_what_counts_is_what_globs_name_and_by_default_all_of_the_contract() -> None:
    old, new = contract(), follower("2027-01-01")
    register = Register((old, new, contract(id="grok", supplier="xai")))
    deployments = {"azure-gpt": "deal", "azure-new": "next", "foundry-grok": "grok", "own": ""}
    window = {"start": date(2026, 1, 1), "end": date(2026, 12, 31), "amount": Decimal(1)}
    of_all = Commitment(id="a", type="spend", **window)
    named = Commitment(id="b", type="spend", counts=("azure-gpt", "foundry-*"), **window)
    assert register.counts(new, of_all, deployments) == ("azure-gpt", "azure-new")
    assert register.counts(old, named, deployments) == ("azure-gpt", "foundry-grok")
    both = msgspec.structs.replace(named, counts=("*", "own"))
    assert register.counts(old, both, deployments) == ("azure-gpt", "azure-new", "own")


def test_a_fingerprint_is_of_the_terms_and_not_of_their_spelling() -> None:
    price = '[[price]]\nmodel = "m"\ninput = {input}\noutput = "10"\n{more}'
    one = contract(price.format(input='"1.50"', more=""))
    same = contract(price.format(input="1.5", more="per = 1_000_000\nceiling = false"))
    other = contract(price.format(input="1.51", more=""))
    assert one.hash == same.hash != other.hash
    assert len(one.hash) == 12 and int(one.hash, 16) >= 0
    assert fingerprint(msgspec.structs.replace(one.contract, note="x")) != one.hash
    # Written down once: a change here would part what is in the ledger from the files.
    assert contract().hash == "9c2295f3136b"
