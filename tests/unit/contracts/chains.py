"""Chains of contracts for property tests: each version with its own term, renewal and notice. Knows no test."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from freehold.contracts.register import Register, Version
from freehold.contracts.terms import Contract, Notice, Party, Renewal, Term

FIRST, LAST = date(2020, 1, 1), date(2035, 12, 31)
days = st.dates(FIRST, LAST)


@st.composite
def terms(draw: st.DrawFn, start: date) -> Term:
    """A term that starts on `start`: open, fixed or one that renews itself; notice given or not."""
    end = draw(st.none() | st.integers(0, 1500).map(lambda length: start + timedelta(days=length)))
    auto = end is not None and draw(st.booleans())
    periods = st.none() | st.integers(0, 400)
    return Term(
        start=start,
        end=end,
        renewal=Renewal(auto=auto, months=draw(st.integers(1, 36))),
        notice_days=Notice(customer=draw(periods), supplier=draw(periods)),
        notice_given=draw(st.none() | st.integers(0, 3000).map(lambda length: start + timedelta(days=length))),
    )


@st.composite
def chains(draw: st.DrawFn) -> Register:
    """A register with one chain of one to four versions, and a contract that has nothing to do with it."""
    starts = sorted(draw(st.sets(st.dates(FIRST, date(2030, 1, 1)), min_size=1, max_size=4)))
    versions = []
    for index, start in enumerate(starts):
        term = draw(terms(start))
        status = draw(st.sampled_from(("active", "active", "active", "draft", "terminated")))
        if status == "active" and term.notice_given is not None and draw(st.booleans()):
            status = "in_notice"
        contract = Contract(
            schema="freehold.contract/1", id=f"v{index}", kind="model-api", status=status,
            supersedes=f"v{index - 1}" if index else "", party=Party(supplier="openai"), term=term,
        )  # fmt: skip
        versions.append(Version.of(contract))
    other = Contract(
        schema="freehold.contract/1", id="other", kind="model-api", party=Party(supplier="xai"), term=Term(start=FIRST)
    )
    return Register(draw(st.permutations([*versions, Version.of(other)])))
