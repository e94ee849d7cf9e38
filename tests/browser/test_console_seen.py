"""Who saw what, in a real browser: three questions, whose figures open the entries behind them; what is held here is
erased; and nobody is excluded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House, Watch
from tests.system import deployment, until

Axe = Callable[[Page], list[str]]
CHAT = "/v1/chat/completions"
CONTRACT = """schema = "freehold.contract/1"
id = "frame-2026"
title = "Frame agreement"
kind = "model-api"
party = { supplier = "microsoft", entity = "Microsoft Ireland Operations Ltd", country = "IE" }
chain = { subprocessors = ["openai"] }
term = { start = 2026-01-01, exit = { erasure = "yes", erasure_days = 30 } }
[data]
retention_days = 30
trains_on_inputs = "no"
classes_allowed = ["public", "internal", "confidential", "personal"]
"""


@pytest.fixture
def world(house: Callable[..., House], vendor: Any, tmp_path: Path) -> House:
    """A contract under which a call was answered from elsewhere, and a deployment of which nothing is said."""
    (tmp_path / "frame.toml").write_text(CONTRACT, "utf-8")
    under = 'contract = "frame-2026"\nregion = "swedencentral"'
    opened = house(
        '[contracts]\ninclude = ["../frame.toml"]\n',
        '[parties]\nopenai = { name = "OpenAI OpCo LLC", country = "US" }\n'
        'vendor-openai = { name = "The Host plc", country = "IE" }\n',
        deployment("home", vendor.url, "ok;region=Sweden Central", price=("2.50", "10"), more=under),
        deployment("astray", vendor.url, "ok;region=East US", price=("2.50", "10"), more=under),
        ledger='durability = "strict"\nbodies = "full"',
    )  # fmt: skip
    key = opened.system.new_key("robot")["key"]
    context = opened.context()

    def ask(model: str) -> int:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "user": "customer, 7"}
        return context.request.post(CHAT, data=body, headers={"authorization": f"Bearer {key}"}).status

    until(lambda: ask("home") == 200, what="the key to be known")
    assert [ask(model) for model in ("home", "astray", "gpt")] == [200, 200, 200]
    context.close()
    return opened


def settled(page: Page) -> None:
    expect(page.locator(".waiting")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def behind(page: Page, link: Any, count: int) -> None:
    """Follow a number to its entries and come back."""
    expect(link).to_have_text(str(count))
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    expect(page.get_by_role("table", name="Entries").locator("tbody tr")).to_have_count(count)
    page.go_back()
    settled(page)


def test_who_saw_the_words_of_a_person(world: House) -> None:
    page = world.page("/console/seen")
    expect(page.get_by_role("heading", name="Whose words?")).to_be_visible()
    page.get_by_label("Key").select_option(label="robot")
    settled(page)
    parties = page.get_by_role("table", name="Who saw the words")
    one = parties.get_by_role("row").filter(has_text="OpenAI OpCo LLC")
    expect(one).to_contain_text("subprocessor")
    behind(page, one.get_by_role("link"), 3)
    terms = page.get_by_role("table", name="Under which terms")
    astray = terms.get_by_role("row").filter(has_text="elsewhere").filter(has_text="OpenAI")
    expect(astray).to_contain_text("swedencentral asked for, eastus answered")
    expect(astray).to_contain_text("Frame agreement")
    behind(page, astray.get_by_role("link", name="1", exact=True), 1)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Report to hand over (HTML)").click()
    assert "OpenAI OpCo LLC" in Path(saved.value.path()).read_text("utf-8")

    # The same by what programs named, a name with a comma in it.
    page.get_by_label("Key").select_option(label="nobody")
    page.get_by_label("User that programs name").fill("customer, 7")
    page.get_by_label("User that programs name").press("Enter")
    settled(page)
    behind(page, parties.get_by_role("row").filter(has_text="OpenAI OpCo LLC").get_by_role("link"), 3)

    held = page.get_by_role("table", name="What is held here")
    expect(held.get_by_role("row").filter(has_text="Texts of calls")).to_contain_text("8")
    page.get_by_role("button", name="Erase what is held here").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("8 texts of calls")
    dialog.get_by_label("Why").fill("they asked")
    dialog.get_by_role("button", name="Erase for good").click()
    expect(dialog).to_have_count(0)
    expect(held.get_by_role("row").filter(has_text="Texts of calls").get_by_role("cell").first).to_have_text("0")
    page.goto("/console/audit")
    expect(page.get_by_text("person.erase").first).to_be_visible()


def test_what_left_a_region_and_what_must_be_erased(world: House, watch: Watch) -> None:
    watch.allow("status of 404")  # of an area that nobody knows
    page = world.page("/console/seen/left")
    settled(page)
    left = page.get_by_role("table", name="What left", exact=True)
    astray = left.get_by_role("row").filter(has_text="eastus")
    expect(astray).to_contain_text("region that answered")
    behind(page, astray.get_by_role("link", name="1", exact=True), 1)
    expect(page.get_by_role("table", name="Nobody says where it was served").locator("tbody tr")).to_have_count(1)
    page.get_by_label("Region, area or country").fill("us")
    page.get_by_label("Region, area or country").press("Enter")
    expect(page).to_have_url(re.compile("area=us"))
    expect(left.get_by_role("row").filter(has_text="swedencentral").first).to_contain_text("The Host plc")
    page.get_by_label("Region, area or country").fill("atlantis")
    page.get_by_label("Region, area or country").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Nobody knows the area")

    page.get_by_role("radio", name="What must be erased?").check(force=True)
    settled(page)
    duties = page.get_by_role("table", name="Who may hold what")
    expect(duties.get_by_role("row").filter(has_text="OpenAI OpCo LLC")).to_contain_text("Goes by itself")
    expect(duties.get_by_role("row").filter(has_text="To be asked for")).to_contain_text("no contract on file")
    letters = page.get_by_role("table", name="What to ask of whom")
    microsoft = letters.get_by_role("row").filter(has_text="Microsoft Ireland Operations Ltd")
    with page.expect_download() as saved:
        microsoft.get_by_role("link", name="Letter").click()
    assert "Microsoft Ireland Operations Ltd" in Path(saved.value.path()).read_text("utf-8")
    with page.expect_download() as saved:
        microsoft.get_by_role("link", name="List of calls").click()
    assert len(Path(saved.value.path()).read_text("utf-8").splitlines()) == 4


def test_nobody_is_excluded(world: House, axe: Axe) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        page = world.page("/console/seen", color_scheme=scheme, viewport={"width": width, "height": 844})
        for path in ("", "/person?user=customer%5C%2C+7", "/left", "/erase"):
            page.goto(f"/console/seen{path}")
            settled(page)
            expect(page.get_by_role("heading", level=1)).to_have_text("Who saw what")
            assert axe(page) == [], path
            wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide[0] <= wide[1], path
