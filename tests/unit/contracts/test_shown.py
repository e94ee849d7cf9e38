"""What people read of a contract: by when to decide, each term in words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.contracts.chains import chains, days
from tests.unit.contracts.drafts import contract

from freehold.contracts import shown
from freehold.contracts.register import Register, Version
from freehold.contracts.terms import Contract, Notice, Party, Renewal, Term
from freehold.contracts.wording import number, sentence

DAY = timedelta(days=1)


@given(days, st.none() | st.integers(1, 1500), st.integers(1, 24), st.integers(0, 400), st.integers(0, 3000))
def test_notice_on_the_day_named_ends_it_when_it_is_said(
    start: date, length: int | None, months: int, notice: int, ahead: int
) -> None:
    """Giving notice on the last day told frees us on the day told; a day later it does not, unless it is open-ended."""
    end = None if length is None else start + timedelta(days=length)
    term = Term(
        start=start, end=end, renewal=Renewal(auto=end is not None, months=months), notice_days=Notice(customer=notice)
    )
    version = Version.of(
        Contract(schema="freehold.contract/1", id="a", kind="compute", party=Party(supplier="s"), term=term)
    )
    day = start + timedelta(days=ahead)
    told = shown.dates(Register([version]), version, day)
    given_on = told.notice_by or day
    assert given_on >= day and told.free_from is not None

    def last(given_on: date) -> date | None:
        noticed = msgspec.structs.replace(term, notice_given=given_on)
        ended = Version.of(msgspec.structs.replace(version.contract, term=noticed))
        return Register([ended]).last_day(ended, given_on)

    assert last(given_on) == told.free_from - DAY
    if end is not None:
        assert told.renews and told.notice_by is not None
        later = last(told.notice_by + DAY)
        assert later is not None and later >= told.free_from
        assert last(day) == told.free_from - DAY, "earlier notice is not sooner: the term runs to its end"


@given(chains(), days)
def test_dates_fit_the_state(register: Register, day: date) -> None:
    for row in shown.rows(register, day):
        version = register.get(row.id)
        assert version is not None
        told = shown.dates(register, version, day)
        assert (row.last, row.renews, row.notice_by) == (told.last, told.renews, told.notice_by)
        if row.state in ("draft", "ended", "superseded"):
            assert (told.renews, told.notice_by, told.free_from) == (False, None, None)
        if told.notice_by is not None:
            assert told.renews and told.notice_by >= day
        if row.state == "in_notice":
            assume(told.last is not None)
            assert told.free_from == told.last + DAY and not told.renews
    assert len(shown.rows(register, day)) == len(register)


def test_what_is_not_stated_is_named_and_what_is_stands_in_words() -> None:
    version = contract(
        "[[limit]]\ntpm = 5000\n[data]\nretention_days = 30\n"
        '[exclusivity]\nfirst_refusal = [{ holder = "us", scope = "compute", days = 30 }]',
        term="milestone = [{ on = 'ipo', effect = 'new terms', by = 2027-01-01 }]",
    )
    page = shown.page(Register([version]), version, date(2026, 6, 1))
    lines = {line.field: line for section in page.sections for line in section.lines}
    assert lines["limit.0"].value == "every model: 5,000 tokens a minute"
    assert lines["exclusivity.first_refusal.0"].value == "we are asked first for compute, 30 days to answer"
    assert lines["term.milestone.0"].value == "ipo (expected by 2027-01-01): new terms"
    assert lines["data.classes_allowed"].value == "public, internal, confidential", "told though nobody stated it"
    unstated = {name for section in page.sections for name in section.unstated}
    assert {"human review", "exit erasure", "notice days customer", "uptime"} <= unstated
    assert not unstated & {"retention days", "first refusal", "milestone"}


def test_sentences_say_what_is_written_and_no_more() -> None:
    share = '[[revenue_share]]\nid = "s"\npayer = "supplier"\nbasis = "cost"\npct = "12.50"\n'
    tiers = 'tiers = [{ over = 1000000, pct = 10 }]\nscope = { products = ["chat"], served_by = ["own-*"] }\n'
    found = contract(share + tiers + 'cap_total = 5\nsettle = "month"').contract.revenue_share[0]
    assert sentence(found) == (
        "the supplier pays 12.5 % of the cost of what is used of chat and served by own-*, 10 % above 1,000,000, "
        "at most 5 USD in all, settled each month"
    )
    plain = contract(share).contract.revenue_share[0]
    assert sentence(plain) == "the supplier pays 12.5 % of the cost of what is used"
    assert [number(Decimal(text)) for text in ("1E+3", "-1234.50", "0.10", "-0", "-0.5")] == [
        "1,000", "-1,234.5", "0.1", "0", "-0.5",
    ]  # fmt: skip
