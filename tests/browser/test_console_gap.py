"""What would be lost, on the console, in a real browser: choose two, see shares and causes, ask the other one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Person

Axe = Callable[[Page], list[str]]


@pytest.fixture
def admin(person: Any) -> Person:
    made: Person = person("admin")
    made.talked("What is owed?")
    return made


def test_two_are_chosen_and_the_other_one_is_asked(admin: Person, axe: Axe) -> None:
    page = admin.page("/console/gap").page
    expect(page.get_by_role("heading", level=1)).to_have_text("What would be lost")
    expect(page.get_by_text("Choose two")).to_be_visible()
    assert axe(page) == []
    page.get_by_label("Does the work now").select_option("gpt")
    page.get_by_label("Would take over").select_option("large")
    becomes = page.get_by_role("table", name="What becomes of them")
    expect(becomes).to_be_visible()
    expect(becomes.get_by_role("row", name="not known")).to_contain_text("100%")
    features = page.get_by_role("table", name="Features in use")
    expect(features.get_by_role("row", name="stream not known")).to_contain_text("nobody says")
    page.get_by_role("button", name="Ask it now").click()
    probes = page.get_by_role("table", name="Probes")
    expect(probes.get_by_role("row", name="chat answers a question")).to_contain_text("yes")
    expect(features).to_contain_text("stream")
    assert axe(page) == []
    probes.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Call")


def test_it_fits_a_phone(admin: Person, axe: Axe) -> None:
    page = admin.page("/console/gap?a=gpt&b=large").page
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.get_by_role("table", name="Features in use")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert axe(page) == []
