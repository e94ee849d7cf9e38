"""What rests on whom, in a real browser: its figures are those of the calls, each opens its entries, and nobody is
excluded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.system import deployment, until

Axe = Callable[[Page], list[str]]
CHAT = "/v1/chat/completions"
CONTRACT = """schema = "freehold.contract/1"
id = "frame-2026"
kind = "model-api"
party = { supplier = "vendor-openai" }
term = { start = 2026-01-01, end = 2026-12-31, renewal = { auto = true, months = 12 }, notice_days = { customer = 30 } }
data = { retention_days = 30 }
"""


@pytest.fixture
def world(house: Callable[..., House], vendor: Any, tmp_path: Path) -> House:
    """Two vendors, a function that rests on one of them, three calls that one answers and one that the other does."""
    (tmp_path / "frame.toml").write_text(CONTRACT, "utf-8")
    opened = house(
        '[contracts]\ninclude = ["../frame.toml"]\n',
        '[parties]\nvendor-openai = { name = "Vendor One", group = "one" }\none = { name = "Group One" }\n',
        '[functions]\nhelp = { title = "Help desk", criticality = "critical", rto = "1h", routes = ["first"] }\n',
        deployment(
            "first", vendor.url, "gpt-4o", price=("2.50", "10"),
            more='contract = "frame-2026"\nregion = "eu"\nchips = "nvidia,amd"',
        ),
        deployment("second", vendor.url, "mini", kind="azure"),
    )  # fmt: skip
    key = opened.system.new_key("robot")["key"]
    context = opened.context()

    def ask(model: str) -> int:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        return context.request.post(CHAT, data=body, headers={"authorization": f"Bearer {key}"}).status

    until(lambda: ask("first") == 200, what="the key to be known")
    assert [ask(model) for model in ("first", "first", "second")] == [200, 200, 200]
    context.close()
    return opened


def settled(page: Page) -> None:
    expect(page.locator(".waiting")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_figures_are_those_of_the_calls_and_open_their_entries(world: House, axe: Axe) -> None:
    page = world.page("/console/dependency?measure=requests")
    settled(page)
    parties = page.get_by_role("table", name="Counterparties")
    one = parties.get_by_role("row").filter(has_text="Group One")
    expect(one).to_contain_text("75%")
    expect(one).to_contain_text("Help desk")
    expect(one).to_contain_text("frame-2026")
    expect(one).to_contain_text("kept for 30 days")
    functions = page.get_by_role("table", name="Business functions")
    expect(functions.get_by_role("row").nth(1)).to_contain_text(re.compile("Help desk.*critical.*Group One", re.DOTALL))
    expect(functions.get_by_role("row").nth(2)).to_contain_text("no function")
    seller = page.get_by_role("table", name="Seller", exact=True)
    expect(seller.get_by_role("row").nth(1)).to_contain_text("75%")
    expect(page.locator("section.card").filter(has=seller)).to_contain_text("6,250 of 10,000")

    def behind(link: Any, count: int) -> None:
        """Follow a number to its entries and come back."""
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
        expect(page.get_by_role("table", name="Entries").locator("tbody tr")).to_have_count(count)
        page.go_back()
        settled(page)

    behind(seller.get_by_role("link", name="Group One"), 3)
    behind(one.get_by_role("link", name="75%", exact=True), 3)
    behind(one.get_by_role("link", name=re.compile("requests")), 3)
    behind(page.get_by_role("table", name="Chips", exact=True).get_by_role("link", name="nvidia,amd"), 3)
    behind(page.get_by_role("table", name="Contract", exact=True).get_by_role("link", name="not named"), 1)
    behind(functions.get_by_role("row").nth(2).get_by_role("link", name="25%"), 1)

    page.get_by_role("switch", name="Groups as one").uncheck()
    expect(parties).to_contain_text("Vendor One")
    page.get_by_role("radio", name="Spend").check(force=True)
    expect(page).to_have_url(re.compile("measure=spend"))
    expect(page.get_by_text("1 request has no known price")).to_be_visible()
    page.get_by_label("Over time by").select_option("contract")
    expect(page.get_by_role("heading", name="Contract: shares over time")).to_be_visible()
    functions.get_by_role("link", name="Help desk").click()
    expect(page.get_by_role("button", name="All functions")).to_be_visible()
    expect(functions.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="All functions").click()
    expect(functions.locator("tbody tr")).to_have_count(2)
    page.goto("/console/ledger?view=totals&by=function,compute")
    settled(page)
    expect(page.get_by_role("table", name="Totals")).to_contain_text("vendor-azure")
    assert axe(page) == []


def test_nobody_is_excluded(world: House, axe: Axe) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        page = world.page("/console/dependency", color_scheme=scheme, viewport={"width": width, "height": 844})
        settled(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Dependency")
        assert axe(page) == []
        wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1]
