"""Contracts on the console, in a real browser: what they ask, their terms, versions and clauses; nobody is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Hall, Person, opened

Axe = Callable[[Page], list[str]]
DAY = timedelta(days=1)
VIEWS = ("", "?view=terms", "?view=versions", "?view=clauses")


def files() -> dict[str, str]:
    """A frame contract in its second version, of which a part is promised, and one that nobody looks after."""
    today = datetime.now(UTC).date()
    head = 'schema = "freehold.contract/1"\nkind = "model-api"\n'
    first = (
        head + 'id = "frame-2025"\nowner = "purchasing"\n[party]\nsupplier = "vendor-openai"\n[term]\n'
        f"start = {today - 500 * DAY}\nend = {today + 200 * DAY}\n[[price]]\ninput = 5\noutput = 20\n"
    )
    second = (
        head + 'id = "frame-2026"\ntitle = "Frame contract"\nowner = "purchasing"\nsupersedes = "frame-2025"\n'
        f'[party]\nsupplier = "vendor-openai"\n[term]\nstart = {today - 100 * DAY}\nend = {today + 130 * DAY}\n'
        "renewal = { auto = true }\nnotice_days = { customer = 60 }\n"
        f'[[commitment]]\nid = "year"\ntype = "spend"\nstart = {today - 100 * DAY}\nend = {today + 264 * DAY}\n'
        'amount = "1000"\n[[price]]\ninput = "2.50"\noutput = 10\n[data]\nregions = ["eu"]\n'
        '[dora]\ncooperation = "yes"\nincident_help = "no"\n'
        f'[[source]]\nat = "term.end"\nsource = "the paper that was signed"\ndate = {today - 100 * DAY}\n'
    )
    spare = head + f'id = "spare"\n[party]\nsupplier = "other"\n[term]\nstart = {today}\nend = {today + 300 * DAY}\n'
    return {"frame-2025": first, "frame-2026": second, "spare": spare + "renewal = { auto = true }\n"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    home = tmp_path_factory.mktemp("contracts")
    (home / "contracts").mkdir()
    for name, text in files().items():
        (home / "contracts" / f"{name}.toml").write_text(text)
    tables = (
        '[contracts]\ninclude = ["contracts/*.toml"]\n[functions.claims]\ncriticality = "critical"\nroutes = ["gpt"]\n'
    )
    with opened(home, tables) as hall:
        yield hall


@pytest.fixture
def auditor(person: Any, house: Hall) -> Person:
    made: Person = person("auditor", where=house)
    made.talked("What is owed?")
    return made


def there(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.locator(".waiting")).to_have_count(0)


def test_the_contract_that_wants_something_first_comes_first(auditor: Person) -> None:
    page = auditor.page("/console/contracts").page
    there(page, "Contracts")
    rows = page.get_by_role("table", name="Contracts").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("Frame contract")
    expect(rows.nth(1)).to_contain_text("in 70 days")
    meter = rows.nth(1).get_by_role("meter", name="Commitment year")
    expect(meter).to_have_attribute("aria-valuetext", re.compile(r"of \$1,000$"))
    expect(rows.nth(2)).to_contain_text("nobody")
    expect(page.get_by_role("table", name="No longer in force")).to_contain_text("frame-2025")
    found = page.locator(".findings")
    expect(found).to_contain_text("nobody answers for it")
    expect(found).to_contain_text("What to do: name an owner")
    expect(page.get_by_role("table", name="What is due when")).to_contain_text("Notice by us")
    with page.expect_download() as download:
        page.get_by_role("link", name="Calendar file").click()
    assert download.value.suggested_filename == "contracts.ics"
    assert Path(download.value.path()).read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")
    found.get_by_role("link", name="frame-2026").first.click()
    there(page, "Frame contract")


def test_one_contract_from_what_it_asks_to_where_its_values_are_from(auditor: Person) -> None:
    page = auditor.page("/console/contracts/frame-2026").page
    there(page, "Frame contract")
    expect(page.locator(".facts").first).to_contain_text("renews itself")
    pace = page.get_by_role("region", name="Commitment year")
    expect(pace).to_contain_text("Lacking then")
    expect(pace.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile("Straight line"))
    page.get_by_role("radio", name="Terms").check(force=True)
    expect(page).to_have_url(re.compile("view=terms"))
    end = page.locator(".terms > div").filter(has=page.get_by_text("end", exact=True))
    end.get_by_role("link", name="Source 1").click()
    expect(page.locator("#source-1")).to_contain_text("the paper that was signed")
    page.get_by_role("radio", name="Versions").check(force=True)
    changes = page.get_by_role("table", name="From frame-2025 to frame-2026")
    expect(changes.get_by_role("row").filter(has_text="term.renewal.auto")).to_contain_text("goes on by itself")
    page.get_by_role("table", name="Versions").get_by_role("link", name="frame-2025").click()
    there(page, "frame-2025")
    page.get_by_role("radio", name="Clauses").check(force=True)
    expect(page.get_by_text("It is no longer in force")).to_be_visible()


def test_clauses_are_findings_and_say_so(auditor: Person) -> None:
    page = auditor.page("/console/contracts/frame-2026?view=clauses").page
    there(page, "Frame contract")
    expect(page.get_by_text("A finding, not a statement of compliance.")).to_be_visible()
    every = page.get_by_role("table", name="DORA, every contract")
    row = every.get_by_role("row").filter(has_text="Article 30(2)(g)")
    expect(row).to_contain_text("Stated")
    expect(row).to_contain_text("dora.cooperation")
    expect(every.get_by_role("row").filter(has_text="Article 30(2)(f)")).to_contain_text("Missing")
    expect(page.get_by_text("it supports claims")).to_be_visible()
    expect(page.get_by_role("table", name="Data Act, switching")).to_contain_text("60 days")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_contracts_exclude_nobody(auditor: Person, axe: Axe, scheme: str, width: int) -> None:
    page = auditor.page("/console/contracts", color_scheme=scheme, viewport={"width": width, "height": 844}).page
    for path in ("", *(f"/frame-2026{view}" for view in VIEWS)):
        page.goto(f"/console/contracts{path}")
        there(page, "Frame contract" if path else "Contracts")
        assert axe(page) == [], path
        wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], path


def test_what_is_said_where_there_is_no_contract(person: Any, watch: Any) -> None:
    watch.allow("404")
    page = person("auditor").page("/console/contracts").page
    expect(page.get_by_role("heading", name="No contract yet")).to_be_visible()
    page.goto("/console/contracts/none")
    expect(page.get_by_role("alert")).to_contain_text("There is no contract")
