"""The chat with a real small model of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.people import Hall, Person, opened
from tests.models import chat_model

__all__ = ["chat_model"]


@pytest.fixture(scope="module")
def own_hall(tmp_path_factory: pytest.TempPathFactory, chat_model: Path) -> Iterator[Hall]:
    tables = (
        f'[deployments.own]\nkind = "llamacpp"\nmodel = "{chat_model}"\n',
        '[engines]\nmax_context = 1024\nstart = "first_use"\n',
    )
    with opened(tmp_path_factory.mktemp("own"), *tables) as hall:
        yield hall


@pytest.fixture
def hall(own_hall: Hall) -> Hall:
    return own_hall


@pytest.fixture
def ann(person: Any) -> Person:
    made: Person = person()
    made.settings(models=None)
    return made


def test_it_is_the_first_choice_and_costs_nothing(ann: Person) -> None:
    chat = ann.page()
    expect(chat.button("Model: own")).to_be_visible()
    chat.page.locator("button.model").click()
    group = chat.dialog.get_by_role("region", name="On your own machines")
    expect(group.locator(".option")).to_contain_text("this house")
    chat.page.keyboard.press("Escape")
    chat.write("Write a long story about a lighthouse, in many chapters.")
    answer = chat.answers.first
    words = answer.locator("fh-markdown")
    expect(words).not_to_be_empty(timeout=60_000)
    chat.button("Stop").click()
    expect(answer).to_contain_text("You stopped it here.", timeout=60_000)
    before = words.inner_text()
    assert before
    chat.page.reload()
    expect(words).to_have_text(before)
    chat.button("Continue", answer).click()
    expect(answer.locator(".ending")).to_have_count(0)
    expect(words).not_to_have_text(before, timeout=60_000)
    chat.page.keyboard.press("Escape")  # stops what it adds, unless it has ended by itself
    answer.locator(".facts-line").click(timeout=120_000)
    facts = answer.locator(".facts")
    expect(facts).to_contain_text("your own machines")
    expect(facts).to_contain_text("nothing")
    (row,) = [m for m in ann.open(chat.conversation())["messages"] if m["role"] == "assistant"]
    assert row["facts"]["host"] == "own" and row["facts"]["calls"] == 2 and row["facts"]["output"] > 0


def test_it_is_compared_with_a_vendors(ann: Person) -> None:
    ann.settings(models=["own", "gpt"])
    chat = ann.page().write("Say hello.")
    expect(chat.page.get_by_role("region", name="gpt", exact=True)).to_contain_text("You said: Say hello.")
    own = chat.page.get_by_role("region", name="own", exact=True)
    expect(own.locator("fh-markdown")).not_to_be_empty(timeout=60_000)
    if chat.button("Stop").is_visible():
        chat.page.keyboard.press("Escape")
    expect(own.locator(".facts-line")).to_contain_text("own", timeout=60_000)
