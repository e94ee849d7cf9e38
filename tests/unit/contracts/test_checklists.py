"""Checklists: what a contract's file states of the clauses that two laws ask for, and no word of compliance."""

from __future__ import annotations

from datetime import date

import pytest
from tests.unit.contracts.drafts import contract

from freehold.contracts.checklists import DISCLAIMER, Answer, Checklist, checklists
from freehold.contracts.fields import exists
from freehold.contracts.organisation import Function, Organisation
from freehold.contracts.register import Version

HOUSE = Organisation(functions={"claims": Function(criticality="critical"), "memos": Function()})
ALL = """
notice_days = {{ customer = {notice}, supplier = 60 }}
change_of_control = "notify"
[term.exit]
transition_days = {transition}
retrieval_days = {retrieval}
erasure = "yes"
assistance = "yes"
charges = "no"
[chain]
subprocessors = ["someone"]
[data]
regions = ["eu"]
retention_days = 30
human_review = "no"
trains_on_inputs = "no"
[sla]
uptime = "99.9"
ttft_ms = 800
credits = [{{ below = "99.9", pct = "10" }}]
[audit]
right = "on_site"
[dora]
functions = ["claims"]
service_type = "S18"
incident_help = "yes"
cooperation = "yes"
training = "yes"
business_continuity = "yes"
testing = "yes"
monitoring = "yes"
data_processing_service = "yes"
"""


def full(notice: int = 59, transition: int = 30, retrieval: int = 30) -> Version:
    text = ALL.format(notice=notice, transition=transition, retrieval=retrieval)
    return contract(term=text, head='title = "Models"')


def lists(version: Version, *functions: str, day: date = date(2026, 6, 1)) -> dict[str, Checklist]:
    return {one.id: one for one in checklists(version.contract, HOUSE, functions, day)}


def answer(version: Version, article: str, place: str = "") -> Answer:
    items = [item for one in lists(version).values() for item in one.items if item.article == article]
    (item,) = [item for item in items if place in item.place]
    return item.answer


def test_a_file_that_states_all_lacks_nothing_but_what_no_field_says() -> None:
    told = {(item.article, item.answer) for one in lists(full()).values() for item in one.items if item.answer != "met"}
    assert told == {("30(2)(a)", "unclear")}, "under which conditions others may join"


def test_a_file_that_states_nothing_meets_nothing() -> None:
    for one in lists(contract()).values():
        assert [item.article for item in one.items if item.answer == "met"] == []
        assert all(item.note for item in one.items)


def test_each_item_names_its_article_and_fields_that_there_are() -> None:
    version = full()
    seen = lists(version)
    assert [len(one.items) for one in seen.values()] == [10, 8, 6]
    for one in seen.values():
        for item in one.items:
            assert item.clause and item.article
            assert all(exists(version.contract, place.strip()) for place in item.place.split(","))
            assert item.answer != "met" or item.read


def test_dora_holds_more_for_what_is_critical() -> None:
    assert lists(full())["dora_critical"].applies == "yes"
    assert lists(contract())["dora_critical"].applies == "unknown"
    assert lists(contract(), "memos")["dora_critical"].applies == "no"
    told = lists(contract(), "memos", "claims")["dora_critical"]
    assert (told.applies, told.because) == ("yes", "it supports claims")


@pytest.mark.parametrize("said", ["yes", "no", "unknown"])
def test_whether_the_data_act_holds_is_what_the_file_says(said: str) -> None:
    version = contract(f'[dora]\ndata_processing_service = "{said}"\n')
    assert lists(version)["data_act"].applies == said


@pytest.mark.parametrize(
    ("field", "days", "said"),
    [
        ("notice", 59, "met"),
        ("notice", 60, "unclear"),
        ("notice", 62, "unclear"),
        ("notice", 63, "missing"),
        ("transition", 30, "met"),
        ("transition", 31, "unclear"),
        ("transition", 215, "missing"),
        ("retrieval", 30, "met"),
        ("retrieval", 29, "missing"),
    ],
)
def test_the_data_act_s_numbers_of_days(field: str, days: int, said: Answer) -> None:
    article = {"notice": "25(2)(d)", "transition": "25(2)(a)", "retrieval": "25(2)(g)"}[field]
    assert answer(full(**{field: days}), article) == said


@pytest.mark.parametrize(
    ("charges", "term", "day", "said"),
    [
        ('charges = "no"', "", "2026-06-01", "met"),
        ('charges = "yes"', "", "2026-06-01", "missing"),
        ('charges = "yes"\ncharges_until = 2027-01-11', "", "2026-06-01", "met"),
        ('charges = "yes"\ncharges_until = 2027-01-12', "", "2026-06-01", "missing"),
        ('charges = "yes"', "end = 2026-12-31\n", "2026-06-01", "unclear"),
        ('charges = "yes"', "end = 2026-12-31\n", "2027-01-12", "missing"),
        ('charges = "yes"', "end = 2026-12-31\nrenewal = { auto = true }\n", "2026-06-01", "missing"),
        ("", "", "2026-06-01", "unclear"),
    ],
)
def test_no_charges_for_switching_from_a_day_on(charges: str, term: str, day: str, said: Answer) -> None:
    version = contract(f"[term.exit]\n{charges}\n", term=term)
    items = lists(version, day=date.fromisoformat(day))["data_act"].items
    assert next(item.answer for item in items if item.article == "29(1)") == said


@pytest.mark.parametrize(
    ("right", "said"), [("on_site", "met"), ("third_party_report", "unclear"), ("none", "missing")]
)
def test_reports_by_others_are_not_the_right_to_look(right: str, said: Answer) -> None:
    assert answer(contract(f'[audit]\nright = "{right}"\n'), "30(3)(e)(i)") == said


def test_it_says_what_it_is() -> None:
    assert DISCLAIMER == "A finding, not a statement of compliance."
    words = " ".join(
        f"{one.title} {one.because} {item.clause} {item.note}"
        for version in (full(), contract())
        for one in lists(version).values()
        for item in one.items
    )
    assert "complian" not in words.lower()
