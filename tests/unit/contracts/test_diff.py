"""How two contracts differ, and what that means."""

from __future__ import annotations

import typing
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.drafts import contract

from freehold.contracts.diff import Change, changes
from freehold.contracts.fields import exists, sources, stated
from freehold.contracts.meanings import RULES
from freehold.contracts.reading import unwrap
from freehold.contracts.terms import Contract
from freehold.contracts.wording import money, number, plain


def differ(old: str, new: str, **both: str) -> list[Change]:
    return changes(contract(old, **both).contract, contract(new, **both).contract)


def test_the_same_terms_do_not_differ_whatever_they_are_called() -> None:
    one, other = contract(id="a", head='version = "1"'), contract(id="b", head='version = "2"\nnote = "x"')
    assert changes(one.contract, other.contract) == []


KEPT = "[data]\nretention_days = {}"
SHARE = '[[revenue_share]]\nid = "s"\npayer = "customer"\nbasis = "net_revenue"\npct = 20\n'
SPEND = '[[commitment]]\nid = "c"\ntype = "spend"\nstart = 2026-01-01\nend = 2026-12-31\namount = "{}"\n'
PRICE = '[[price]]\nmodel = "m"\ninput = "{}"\noutput = "10"\n'


@pytest.mark.parametrize(
    ("old", "new", "field", "means", "for_us"),
    [
        (SPEND.format(100), SPEND.format(125), "commitment[c].amount", "we must buy 25 % more", "worse"),
        (SPEND.format(100), "", "commitment[c]", "we owe this no longer", "better"),
        (PRICE.format(2), PRICE.format("1.5"), "price[* m].input", "cheaper by 25 %", "better"),
        ("", SHARE, "revenue_share[s]", "we owe a share now", "worse"),
        (SHARE, SHARE + "cap_total = 5", "revenue_share[s].cap_total", "capped now", ""),
        (KEPT.format(30), KEPT.format(0), "data.retention_days", "words go 30 days sooner", "better"),
        ("", '[data]\ntrains_on_inputs = "no"', "data.trains_on_inputs", "no model learns from our words", "better"),
        (
            "", '[data]\nclasses_allowed = ["public", "internal", "personal"]', "data.classes_allowed",
            "personal data may go there; confidential data may go there no longer", "",
        ),
        (
            '[exclusivity]\ngranted_to_supplier = ["compute"]', "", "exclusivity.granted_to_supplier",
            "we may use others for compute", "better",
        ),
        (
            "", '[exclusivity]\nfirst_refusal = [{ holder = "supplier", scope = "compute" }]',
            "exclusivity.first_refusal[supplier compute]", "the supplier must be asked first for compute", "worse",
        ),
        ('[use]\noutput_may_train = "any"', '[use]\noutput_may_train = "none"', "use.output_may_train", "", "worse"),
        ("[sla]\nuptime = 99.9", "", "sla.uptime", "no uptime is promised", ""),
    ],
)  # fmt: skip
def test_a_change_says_what_it_means(old: str, new: str, field: str, means: str, for_us: str) -> None:
    (change,) = differ(old, new)
    assert (change.field, change.means, change.for_us) == (field, means, for_us)


def test_a_longer_notice_and_a_later_end_are_told_in_days() -> None:
    one = contract(term="end = 2026-12-31\nnotice_days = { customer = 60, supplier = 60 }")
    two = contract(term="end = 2027-12-31\nnotice_days = { customer = 90, supplier = 30 }")
    found = changes(one.contract, two.contract)
    assert [(each.field, each.was, each.now, each.means, each.for_us) for each in found] == [
        ("term.end", "2026-12-31", "2027-12-31", "ends 1 year later", ""),
        ("term.notice_days.customer", "60", "90", "we must decide 30 days earlier", "worse"),
        ("term.notice_days.supplier", "60", "30", "we hear of its end 30 days later", "worse"),
    ]  # fmt: skip


def test_a_commitment_in_other_days_is_told_by_the_day() -> None:
    three = SPEND.format(1_500_000).replace("start = 2026", "start = 2024")
    found = {change.field: change for change in differ(three, SPEND.format(900_000))}
    assert found["commitment[c].amount"].means == "by the day, we must buy 80.2 % more"
    assert [found[f"commitment[c].{each}"].for_us for each in ("start", "amount")] == ["", "worse"]
    same = {change.field: change for change in differ(three, SPEND.format(1_500_000))}
    assert same["commitment[c].start"].means == "by the day, we must buy 200.3 % more"
    moved = differ(SPEND.format(5), SPEND.format(5).replace("2026-", "2027-"))
    assert [(change.field, change.means) for change in moved] == [
        ("commitment[c].start", ""), ("commitment[c].end", "as much by the day"),
    ]  # fmt: skip


def test_items_are_known_again_by_their_names_and_not_by_their_places() -> None:
    first, second = SPEND.format(1), SPEND.format(2).replace('"c"', '"d"')
    assert differ(first + second, second + first) == []
    two_of_a_name = PRICE.format(1) + "valid_to = 2026-06-30\n" + PRICE.format(2) + "valid_from = 2026-07-01\n"
    assert [change.field for change in differ(two_of_a_name, two_of_a_name.replace('"2"', '"3"'))] == [
        "price[* m 2].input"
    ]


def test_every_meaning_is_of_a_field_that_there_is() -> None:
    """A pattern without a wildcard leads to a field of the contract's tables."""
    for pattern, _ in RULES:
        assert "*" in pattern or leads(Contract, pattern), pattern


def leads(shape: Any, dotted: str) -> bool:
    for part in dotted.split("."):
        shape = typing.get_args(unwrap(shape))[0] if typing.get_origin(unwrap(shape)) is tuple else unwrap(shape)
        if not hasattr(shape, "__struct_fields__") or part not in shape.__struct_fields__:
            return False
        shape = typing.get_type_hints(shape, include_extras=True)[part]
    return True


def tables(shape: Any) -> st.SearchStrategy[Any]:
    """Return values of an annotation; numbers small, words few."""
    bare = unwrap(shape)
    none = st.none() if bare is not shape and type(None) in typing.get_args(shape) else st.nothing()
    if hasattr(bare, "__struct_fields__"):
        hints = typing.get_type_hints(bare, include_extras=True)
        return none | st.deferred(lambda: st.builds(bare, **{name: tables(hint) for name, hint in hints.items()}))
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is tuple:
        return st.lists(tables(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(st.sampled_from("ab"), tables(arguments[1]), max_size=2)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        str: st.sampled_from(("", "a", "b")), int: st.integers(0, 9), bool: st.booleans(),
        Decimal: st.decimals(0, 9, places=2), date: st.dates(date(2025, 1, 1), date(2027, 1, 1)),
    }  # fmt: skip
    return none | kinds[bare]


BASE = contract().contract
HINTS = typing.get_type_hints(Contract, include_extras=True)
VARIED = {name: tables(HINTS[name]) for name in Contract.__struct_fields__ if name not in ("schema", "id", "version")}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Contract, Contract]:
    """Two contracts that differ in one table at most."""
    name = draw(st.sampled_from(tuple(VARIED)))
    one, other = (msgspec.structs.replace(BASE, **{name: draw(VARIED[name])}) for _ in "ab")
    return one, other


@given(pairs())
def test_any_two_contracts_can_be_compared_either_way(pair: tuple[Contract, Contract]) -> None:
    one, other = pair
    assert changes(one, one) == []
    there, back = ({change.field: change for change in found} for found in (changes(one, other), changes(other, one)))
    assert there.keys() == back.keys()
    opposite = {"better": "worse", "worse": "better", "": ""}
    for field, change in there.items():
        assert (back[field].was, back[field].now) == (change.now, change.was)
        assert "" in (change.for_us, back[field].for_us) or back[field].for_us == opposite[change.for_us], field


@given(pairs())
def test_what_is_stated_is_there_and_is_said(pair: tuple[Contract, Contract]) -> None:
    found = dict(stated(pair[0]))
    assert {"id", "kind", "party.supplier", "term.start"} <= found.keys()
    assert all(exists(pair[0], where) and plain(value) for where, value in found.items())


@given(st.decimals(-(10**15), 10**15, places=9))
def test_numbers_for_people_lose_nothing(value: Decimal) -> None:
    assert Decimal(number(value).replace(",", "")) == value
    assert money(value, "USD").endswith(" USD")


def test_sources_are_those_of_the_field_and_of_what_is_around_it() -> None:
    written = '[[source]]\nat = "{}"\nsource = "x"\ndate = 2026-01-01\n'
    found = contract(SHARE + written.format("revenue_share.0") + written.format("term.start")).contract
    assert sources(found, "revenue_share.0.pct") == (0,)
    assert sources(found, "term") == (1,)
    assert sources(found, "revenue_share.1.pct") == sources(found, "term.started") == ()
    assert msgspec.structs.replace(found, source=()).source == ()
