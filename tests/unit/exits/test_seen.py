"""Who saw what, of a small ledger whose figures can be reckoned by hand: of a person, what left an area, what must be
erased, and the papers that are made of it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.exits.calls import call, contract, written

from freehold import store as stores
from freehold.contracts import Register
from freehold.contracts.organisation import Entity, Organisation
from freehold.core.clock import DAY, begin, day_of
from freehold.core.errors import BadRequest, NotFound
from freehold.exits import seen_rows
from freehold.exits.seen import Ground, Person, find
from freehold.exits.seen_document import letter, page
from freehold.exits.seen_held import Held, calls, leaving, outstanding
from freehold.exits.seen_left import Left, left
from freehold.exits.seen_person import Report, report
from freehold.exits.sheets import comma_separated
from freehold.ledger import Entry
from freehold.store import Store

TODAY = date(2026, 6, 15)
NOW = begin(TODAY) + DAY // 2
MS = contract(
    "ms",
    '[data]\nretention_days = 30\nregions = ["eu"]\n',
    top='title = "Cloud <agreement>"',
    party='entity = "Microsoft Ireland Operations Ltd"\ncountry = "IE"',
    term='end = 2026-12-31\nexit = { erasure = "yes", erasure_days = 20, retrieval_days = 10 }',
)
UNDER: dict[str, Any] = {
    "compute": "microsoft", "region": "swedencentral", "echoed": "swedencentral", "terms": MS.hash, "retention": 30,
    "recipients": ("microsoft", "openai"), "data_class": "personal", "trains": "no", "review": "yes",
}  # fmt: skip
BARE: dict[str, Any] = {
    "contract": "",
    "seller": "xai",
    "host": "xai",
    "data_class": "internal",
    "recipients": ("xai",),
}
OWN: dict[str, Any] = {"contract": "", "seller": "own", "host": "own", "data_class": "secret", "retention": 0}
CALLS = [
    call("2026-05-10", **UNDER),  # gone on 9 June
    call("2026-05-16", **UNDER | {"redactions": (("EMAIL", 3), ("PHONE", 1))}),  # gone with today
    call("2026-06-10", **UNDER | {"echoed": "eastus"}),
    call(
        "2026-06-11", purpose="moderate", **UNDER | {"recipients": ("guard",), "retention": 0, "data_class": "secret"}
    ),
    call("2026-06-12", user="customer-7", **BARE),
    call("2026-06-12", **OWN),
    call("2026-06-13", error="upstream_connect_failed", **UNDER),  # nothing left
    call("2026-06-13", error="upstream_timeout", **UNDER),
    call("2026-04-01", seller="azure", host="azure", contract="old"),  # says nothing of who saw it
    call("2026-06-14", key="k2", user="customer-7", **BARE),
]
HOUSE = Organisation(
    parties={"openai": Entity(name="OpenAI OpCo LLC", country="us"), "guard": Entity(country="DE")},
    areas={"Home": ("eu", "CH")},
)
GROUND = Ground(Register([MS]), HOUSE)
ANN = Person(title="Ann <b>", keys={"k1": "ann's"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await stores.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    await written(opened, CALLS)
    yield opened
    await opened.close()


async def of(store: Store, person: Person = ANN, **more: Any) -> Report:
    return await report(store, GROUND, person, NOW, **more)


async def test_each_party_with_its_terms_and_until_when(store: Store) -> None:
    found = await of(store)
    assert (found.calls, found.attempts, found.outside, found.astray) == (8, 8, 7, 1)
    sums = {each.party.id: each for each in found.sums}
    assert [each.party.id for each in found.sums][-1] == "own"
    assert sums["microsoft"].party.name == "Microsoft Ireland Operations Ltd"
    assert (sums["openai"].party.name, sums["openai"].party.country, sums["openai"].roles) == (
        "OpenAI OpCo LLC", "US", ("subprocessor",),
    )  # fmt: skip
    assert sums["microsoft"].roles == ("compute", "host", "seller")
    # Of five tries one has not left, and the time of one is over; the last day counts.
    assert (sums["microsoft"].attempts, sums["microsoft"].held, sums["microsoft"].until) == (4, 3, date(2026, 7, 13))
    assert (sums["xai"].held, sums["xai"].unstated, sums["xai"].until, sums["xai"].trains) == (1, 1, None, "")
    assert (sums["guard"].held, sums["guard"].classes) == (0, ("secret",))
    assert (sums["own"].held, sums["own"].until, sums["own"].roles) == (0, None, ())
    assert found.held == 5  # with the old one, of which nobody says how long
    rows = {(row.party.id, row.echoed, row.purpose): row for row in found.rows}
    first = rows["openai", "swedencentral", "serve"]
    assert (first.version, first.title, first.redactions) == ("1", "Cloud <agreement>", {"EMAIL": 1, "PHONE": 1})
    assert (first.astray, rows["openai", "eastus", "serve"].astray) == (False, True)
    assert rows["guard", "swedencentral", "moderate"].until == date(2026, 6, 11)
    (old,) = [row for row in found.rows if row.party.id == "azure"]
    assert (old.assumed, old.retention, old.version) == (True, -1, "")


async def test_whose_calls_are_meant(store: Store) -> None:
    user = Person(title="customer-7", users=("customer-7",))
    assert (await of(store, user)).attempts == 2
    assert (await of(store, Person(title="both", keys={"k1": ""}, users=("customer-7",)))).attempts == 9
    assert (await of(store, since=begin(date(2026, 6, 12)))).attempts == 3
    assert (await of(store, user, until=begin(date(2026, 6, 13)))).attempts == 1
    with pytest.raises(BadRequest):
        await of(store, since=NOW, until=NOW - 5 * DAY)
    with pytest.raises(BadRequest, match="Nobody is named"):
        await find(store, users=[""])
    with pytest.raises(NotFound):
        await find(store, keys=["k9"])
    assert (await find(store, keys=["k2"], users=["x"])).title == "k2, x"  # a key that has been on the ledger


async def test_uses_of_tools_are_told_too(store: Store) -> None:
    note = '{"act": "tool", "server": "search", "tool": "web", "bytes": 120}'
    uses = [Entry("admin", f"act{i}", 0, "serve", NOW + i, key="k1", note=note) for i in range(2)]
    await written(store, [*uses, Entry("admin", "other", 0, "serve", NOW, key="k1", note='{"act": "key.create"}')])
    (tool,) = (await of(store)).tools
    assert (tool.server, tool.uses, tool.bytes, tool.last_at) == ("search", 2, 240, NOW + 1)


async def area(store: Store, name: str, ground: Ground = GROUND, **more: Any) -> Left:
    return await left(store, ground, name, **more)


async def test_what_left_and_what_nobody_says_the_place_of(store: Store) -> None:
    found = await area(store, "EU")
    # The US subprocessor saw four; nobody says where xAI and the old one ran; the guard is at home.
    assert found.attempts == {"outside": 4, "unstated": 3, "inside": 1, "own": 1}
    why = {(row.echoed, row.why) for row in found.rows if row.state == "outside"}
    assert why == {("swedencentral", ("party",)), ("eastus", ("echoed", "party"))}
    assert [part.id for part in found.by["recipient"]] == ["openai"]
    assert {part.id: part.attempts for part in found.by["region"]} == {"swedencentral": 3, "eastus": 1}
    (outside, *_) = [row for row in found.rows if row.why == ("party",)]
    assert ([party.id for party in outside.outside], outside.promised) == (["openai"], ("eu",))
    assert found.areas[0] == "Home" and found.unlisted == []
    assert (await area(store, "home")).attempts == found.attempts
    assert (await area(store, "us")).attempts["outside"] == 5
    assert (await area(store, "swedencentral")).attempts["outside"] == 5  # nobody is seated in a region
    ireland = await area(store, "ie", since=begin(date(2026, 6, 1)))
    assert ireland.attempts["outside"] == 3
    with pytest.raises(NotFound, match="Nobody knows the area 'mars'"):
        await area(store, "mars")


async def test_a_region_that_nobody_has_listed_is_outside_and_named(store: Store) -> None:
    await written(
        store, [call("2026-06-01", **BARE | {"region": "memphis"}), call("2026-06-01", **OWN | {"region": "x"})]
    )
    found = await area(store, "us")
    assert found.unlisted == ["memphis"]
    assert ("memphis", ("region",)) in {(row.region, row.why) for row in found.rows}
    listed = Ground(GROUND.register, msgspec.structs.replace(HOUSE, areas={"us": ("memphis",)}))
    found = await area(store, "us", listed)
    assert found.unlisted == [] and found.unseated == 1  # nobody says where xAI is seated


async def must(store: Store, person: Person | None = None, now: int = NOW, ground: Ground = GROUND) -> Held:
    return await outstanding(store, ground, now, person)


async def test_what_must_be_erased_where_by_when(store: Store) -> None:
    found = await must(store)
    assert (found.kept, found.gone, found.never) == (6, 1, 1)
    duties = {(duty.party.id, duty.contract): duty for duty in found.duties}
    assert [duty.ask for duty in found.duties] == ["ask", "ask", "by_itself", "by_itself"]
    openai = duties["openai", "ms"]
    assert (openai.addressee.id, openai.attempts, openai.unstated, openai.until) == (
        "microsoft",
        3,
        0,
        date(2026, 7, 13),
    )
    assert (openai.exit.ends, openai.exit.over, openai.exit.due) == (date(2026, 12, 31), False, date(2027, 1, 30))
    assert (duties["xai", ""].attempts, duties["xai", ""].exit.state) == (2, None)
    assert duties["azure", "old"].addressee.id == "azure"  # its contract is on no file
    ann = await must(store, ANN)
    assert (ann.kept, {duty.party.id for duty in ann.duties}) == (5, {"microsoft", "openai", "xai", "azure"})
    later = await must(store, now=begin(date(2026, 8, 1)))
    assert {duty.party.id for duty in later.duties} == {"xai", "azure"}


@pytest.mark.parametrize(
    ("term", "ends", "over", "due"),
    [
        ('end = 2026-06-14\nexit = { erasure = "yes", erasure_days = 3 }', date(2026, 6, 14), True, date(2026, 6, 17)),
        ('end = 2026-06-15\nexit = { erasure = "yes", erasure_days = 3 }', date(2026, 6, 15), False, date(2026, 6, 18)),
        ('end = 2026-06-14\nexit = { erasure = "yes" }', date(2026, 6, 14), True, None),
        ('end = 2026-06-14\nexit = { erasure = "no", erasure_days = 3 }', date(2026, 6, 14), True, None),
        ('exit = { erasure = "yes", erasure_days = 3 }', None, False, None),
        ('end = 2026-06-14\nrenewal.auto = true\nexit = { erasure = "yes", erasure_days = 3 }', None, False, None),
    ],
)
def test_when_erasure_is_owed_after_a_contract(term: str, ends: date | None, over: bool, due: date | None) -> None:
    version = contract("ms", term=term)
    found = leaving(Register([version]), version, TODAY)
    assert (found.ends, found.over, found.due) == (ends, over, due)


async def test_an_end_that_has_passed_makes_erasure_due_and_then_overdue(store: Store) -> None:
    term = 'end = 2026-06-01\nexit = { erasure = "yes", erasure_days = 20 }'
    over = Ground(Register([contract("ms", term=term)]), HOUSE)
    asks = {day: {duty.ask for duty in (await must(store, now=begin(day), ground=over)).duties if duty.contract == "ms"}
            for day in (date(2026, 6, 21), date(2026, 6, 22))}  # fmt: skip
    assert asks == {date(2026, 6, 21): {"due"}, date(2026, 6, 22): {"overdue"}}
    # Another version goes on in its place, so nothing has ended.
    following = contract("ms-2", top='supersedes = "ms"', start="2026-06-02", term='exit = { erasure = "yes" }')
    on = Ground(Register([contract("ms", term=term), following]), HOUSE)
    assert {
        (duty.ask, duty.contract) for duty in (await must(store, ground=on)).duties if duty.party.id == "openai"
    } == {("by_itself", "ms-2")}


async def test_the_list_for_a_letter_holds_what_is_held_and_each_try_once(store: Store) -> None:
    person = Person(title="Ann", keys={"k1": ""}, users=("customer-7",))
    found = await must(store, person)

    async def listed(party: str) -> list[Entry]:
        duties = [duty for duty in found.duties if duty.addressee.id == party]
        return [entry async for entry in calls(store, GROUND, NOW, duties, person)]

    assert [day_of(entry.at) for entry in await listed("microsoft")] == [
        date(2026, 5, 16), date(2026, 6, 10), date(2026, 6, 13),
    ]  # fmt: skip
    xai = await listed("xai")
    assert sorted(entry.key for entry in xai) == ["k1", "k2"]
    table = comma_separated(seen_rows.CALLS, [seen_rows.call(entry) for entry in xai]).decode()
    assert len(table.splitlines()) == 3 and "k1" not in table


async def test_papers_say_what_was_found_and_a_letter_names_nobody(store: Store) -> None:
    found = await of(store)
    text = page(found)
    HTMLParser().feed(text)
    assert "Ann &lt;b&gt;" in text and "Cloud &lt;agreement&gt;" in text and "<b>" not in text
    for said in (
        "OpenAI OpCo LLC",
        "to check the words against our rules",
        "swedencentral was asked for, eastus",
        "2026-07-13",
    ):
        assert said in text, said
    draft = letter(await must(store, ANN), (await must(store)).duties[-1].addressee, "calls.csv")
    assert "Microsoft Ireland Operations Ltd" in draft and "calls.csv" in draft and "OpenAI OpCo LLC" in draft
    assert "Ann" not in draft and "k1" not in draft
    for report_, lines in ((found, len(found.rows)), (await area(store, "eu"), 4), (await must(store), 4)):
        columns, rows = seen_rows.rows(report_)
        assert len(rows) == lines and all(set(row) == set(columns) for row in rows)


async def test_what_is_held_is_what_the_entries_say_on_any_day(tmp_path: Path) -> None:
    """Figures of sums against each entry by itself, over days on which things run out."""
    chance = random.Random(7)
    many = []
    for _ in range(300):
        terms = {"retention": chance.choice((-1, 0, 1, 7, 30)), "recipients": chance.choice(((), ("microsoft",)))}
        day = str(TODAY - timedelta(days=chance.randrange(60)))
        many.append(call(day, key=f"k{chance.randrange(3)}", **UNDER | terms))
    store = await stores.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    await written(store, many)
    for day in (TODAY - timedelta(days=3), TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=29)):
        outside = [each for each in many if each.recipients]
        live = [each for each in outside if each.retention and (
            each.retention < 0 or day_of(each.at) + timedelta(days=each.retention) >= day)]  # fmt: skip
        found = await must(store, now=begin(day))
        assert found.kept == len(live) == sum(duty.attempts for duty in found.duties)
        assert found.never == sum(each.retention == 0 for each in outside)
        assert found.kept + found.never + found.gone == len(outside)
        ends = [day_of(each.at) + timedelta(days=each.retention) for each in live if each.retention > 0]
        assert found.duties[0].until == max(ends, default=None)
        one = await must(store, Person(title="", keys={"k1": ""}), now=begin(day))
        assert one.kept == sum(each.key == "k1" for each in live)
    await store.close()
