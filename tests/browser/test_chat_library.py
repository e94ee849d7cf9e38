"""Projects, saved prompts, assistants and memory: made at the page, and what of them a model gets to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Person

Axe = Callable[[Page], list[str]]


def told(ann: Person) -> list[Any]:
    """The messages of the last call, as the model got them."""
    messages: list[Any] = ann.hall.vendor.seen[-1].json()["messages"]
    return messages


def row(leaf: Locator, name: str) -> Locator:
    return leaf.get_by_role("listitem").filter(has_text=name)


def test_projects_hold_instructions_files_and_conversations(ann: Person) -> None:
    chat = ann.page()
    chat.menu("Add a project or folder", "New folder")
    chat.dialog.get_by_label("Name").fill("Work")
    chat.button("Create", chat.dialog).click()
    chat.menu("More about Work", "Instructions and files")
    chat.dialog.get_by_label("Instructions").fill("Answer as a pirate.")
    chat.button("Save", chat.dialog).click()
    expect(chat.dialog).to_have_count(0)
    chat.menu("More about Work", "New project inside")
    chat.dialog.get_by_label("Name").fill("Bees")
    chat.button("Create", chat.dialog).click()
    chat.button("Work").click()
    chat.menu("More about Bees", "Instructions and files")
    chat.dialog.get_by_label("Files for every conversation in here").set_input_files(
        {"name": "bees.md", "mimeType": "text/markdown", "buffer": b"Bees have five eyes."}
    )
    chat.dialog.get_by_label("Instructions").fill("Be brief.")
    expect(chat.button("Take bees.md out", chat.dialog)).to_be_visible()
    chat.button("Save", chat.dialog).click()
    expect(chat.dialog).to_have_count(0)
    chat.menu("More about Bees", "New chat here")
    expect(chat.page.get_by_role("heading", level=1)).to_have_text("Bees")
    chat.ask("How many eyes?")
    system = told(ann)[0]
    assert system["role"] == "system"
    assert system["content"].index("Answer as a pirate.") < system["content"].index("Be brief.")
    assert "Bees have five eyes." in system["content"]
    id = chat.conversation()
    projects = {each["name"]: each["id"] for each in ann.ask("GET", "/api/projects")}
    assert ann.open(id)["conversation"]["project"] == projects["Bees"]

    chat.menu("This conversation", "Move to a project")
    chat.dialog.get_by_role("button", name="No project").click()
    expect(chat.page.get_by_role("region", name="Today").get_by_role("link", name="How many eyes?")).to_be_visible()
    chat.ask("And now?")
    assert [m["role"] for m in told(ann)] == ["user", "assistant", "user"]
    chat.menu("More about Work", "Delete")
    chat.button("Delete", chat.dialog).click()
    expect(chat.button("Work")).to_have_count(0)
    assert ann.open(id)["conversation"]["project"] is None


def test_names_of_projects_are_names(ann: Person) -> None:
    evil = "<img src=x onerror=stolen=1>"
    ann.ask("POST", "/api/projects", {"name": evil, "kind": "project", "instructions": evil})
    ann.ask("POST", "/api/prompts", {"name": evil, "text": evil + " {{" + evil + "}}"})
    ann.ask("POST", "/api/memories", {"text": evil})
    made = {"name": evil, "description": evil, "instructions": evil, "starters": [evil]}
    assistant = ann.ask("POST", "/api/assistants", made)
    chat = ann.page()
    expect(chat.button(evil)).to_be_visible()
    chat.page.get_by_role("navigation").get_by_role("link", name=evil).click()
    expect(chat.page.get_by_role("heading", level=1)).to_have_text(evil)
    for item in ("Assistants", "Saved prompts", "Memory"):
        leaf = chat.panel(item)
        expect(leaf.get_by_text(evil).first).to_be_visible()
        chat.page.keyboard.press("Escape")
    id = ann.talked(evil, assistant=assistant["id"])
    chat.to(f"/c/{id}")
    expect(chat.page.get_by_role("heading", level=1)).to_have_text(evil)
    expect(chat.page).to_have_title(f"{evil} · Freehold")
    assert chat.page.evaluate("window.stolen") is None
    expect(chat.page.locator("nav img, main img")).to_have_count(0)


def test_a_saved_prompt_is_made_filled_in_and_used(ann: Person, axe: Axe) -> None:
    chat = ann.page()
    leaf = chat.panel("Saved prompts")
    chat.button("New prompt", leaf).click()
    leaf.get_by_label("Name").fill("Letter")
    leaf.get_by_label("Text").fill("Write a {{tone:formal|friendly}} letter to {{who=Bob}} about {{what:long}}.")
    assert axe(chat.page) == []
    chat.button("Save", leaf).click()
    expect(row(leaf, "Letter")).to_be_visible()
    chat.page.keyboard.press("Escape")
    chat.box.press_sequentially("/let")
    options = chat.page.get_by_role("listbox", name="Saved prompts").get_by_role("option")
    expect(options).to_have_count(1)
    chat.box.press("Enter")
    form = chat.dialog
    form.get_by_label("tone").select_option("friendly")
    expect(form.get_by_label("who")).to_have_value("Bob")
    form.get_by_label("what").fill("the weather\nof today")
    assert axe(chat.page) == []
    chat.button("Put into the message", form).click()
    expect(chat.box).to_have_value("Write a friendly letter to Bob about the weather\nof today.")
    expect(chat.box).to_be_focused()
    chat.box.fill("")
    leaf = chat.panel("Saved prompts")
    chat.button("Edit Letter", leaf).click()
    leaf.get_by_label("Text").fill("Simply this")
    chat.button("Save", leaf).click()
    expect(row(leaf, "Simply this")).to_be_visible()
    chat.page.keyboard.press("Escape")
    chat.box.press_sequentially("/")
    options.first.click()
    expect(chat.box).to_have_value("Simply this")
    leaf = chat.panel("Saved prompts")
    chat.button("Delete", leaf).click()
    sure = leaf.get_by_role("group", name="Delete Letter?")
    chat.button("Delete", sure).click()
    expect(leaf.get_by_text("No saved prompts yet.")).to_be_visible()


def test_a_prompt_that_is_not_there_is_not_sent_to_a_model(ann: Person) -> None:
    chat = ann.page()
    chat.box.press_sequentially("/we")
    expect(chat.page.locator(".suggestions")).to_contain_text("No saved prompts yet.")
    chat.box.press("Enter")
    chat.button("Save one").click()
    chat.button("New prompt", chat.dialog).click()
    chat.dialog.get_by_label("Name").fill("Weather")
    chat.dialog.get_by_label("Text").fill("Rain?")
    chat.button("Save", chat.dialog).click()
    expect(row(chat.dialog, "Weather")).to_be_visible()
    chat.page.keyboard.press("Escape")
    option = chat.page.get_by_role("listbox", name="Saved prompts").get_by_role("option")
    expect(option).to_contain_text("Weather")
    chat.box.press_sequentially("x")
    expect(chat.page.locator(".suggestions")).to_contain_text("No saved prompt is called that.")
    chat.box.press("Enter")
    expect(chat.box).to_have_value("/wex")
    assert ann.ask("GET", "/api/conversations")["items"] == []
    chat.box.press("Escape")
    expect(chat.page.locator(".suggestions")).to_have_count(0)
    chat.box.press("Enter")
    expect(chat.answers.first).to_contain_text("/wex")


@pytest.mark.parametrize(("panel", "new", "field"), [
    ("Saved prompts", "New prompt", "Text"),
    ("Assistants", "New assistant", "First questions to offer, one a line"),
])  # fmt: skip
def test_what_is_half_written_is_not_left_unasked(ann: Person, panel: str, new: str, field: str) -> None:
    chat = ann.page()
    leaf = chat.panel(panel)
    settings = chat.page.get_by_role("dialog", name="Settings")
    question = chat.page.get_by_role("dialog", name="Leave what you wrote?")
    chat.button(new, leaf).click()
    text = leaf.get_by_label(field)
    text.fill("half of it")
    for leave in (
        lambda: chat.page.keyboard.press("Escape"),
        lambda: chat.page.mouse.click(3, 3),
        lambda: chat.button("Close", settings).click(),
        lambda: settings.get_by_role("tab", name="Memory").click(),
    ):
        leave()
        chat.button("Cancel", question).click()
        expect(text).to_have_value("half of it")
    settings.get_by_role("tab", name="Memory").click()
    chat.button("Leave it", question).click()
    expect(leaf.get_by_label("Something to remember")).to_be_visible()
    settings.get_by_role("tab", name=panel).click()
    chat.button(new, leaf).click()
    chat.page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)


def test_an_assistant_for_everybody(ann: Person, person: Any, axe: Axe) -> None:
    admin = person("admin")
    chat = admin.page()
    leaf = chat.panel("Assistants")
    chat.button("New assistant", leaf).click()
    leaf.get_by_label("Name").fill("Minutes")
    leaf.get_by_label("What it is for, in a line").fill("Turns notes into minutes")
    leaf.get_by_label("Instructions").fill("Write minutes.")
    leaf.get_by_label("Files it knows").set_input_files(
        {"name": "style.md", "mimeType": "text/markdown", "buffer": b"Use the passive voice."}
    )
    expect(chat.button("Take style.md out", leaf)).to_be_visible()
    leaf.get_by_label("mini", exact=True).check()
    leaf.get_by_label("First questions to offer").fill("Here are my notes:\n")
    leaf.get_by_label("For everybody here").check()
    assert axe(chat.page) == []
    chat.button("Save", leaf).click()
    expect(row(leaf, "Minutes")).to_contain_text("for everybody")
    assert axe(chat.page) == []

    theirs = ann.page()
    theirs.page.get_by_role("navigation").get_by_role("link", name="Minutes").click()
    expect(theirs.page.get_by_role("heading", level=1)).to_have_text("Minutes")
    theirs.button("Here are my notes:").click()
    expect(theirs.box).to_have_value("Here are my notes:")
    expect(theirs.button("Model: mini")).to_be_visible()
    theirs.page.locator("button.model").click()
    expect(theirs.dialog.locator(".option")).to_have_count(1)
    theirs.page.keyboard.press("Escape")
    theirs.ask("we met")
    system = told(ann)[0]["content"]
    assert "Write minutes." in system and "Use the passive voice." in system
    body = {"parent": None, "text": "with another model", "models": ["gpt"]}
    ann.ask("POST", f"/api/conversations/{theirs.conversation()}/turns", body, status=403)
    leaf = theirs.panel("Assistants")
    expect(row(leaf, "Minutes")).to_be_visible()
    expect(theirs.button("Edit Minutes", leaf)).to_have_count(0)
    (made,) = [each for each in ann.ask("GET", "/api/assistants") if each["name"] == "Minutes"]
    admin.ask("DELETE", f"/api/assistants/{made['id']}")


def test_memory_is_proposed_approved_changed_and_forgotten(ann: Person, axe: Axe) -> None:
    id = ann.begin(models=["handy"], tools=["memory"])
    chat = ann.page(f"/c/{id}")
    chat.ask("please remember that I count in metric units")
    expect(chat.answers.first).to_contain_text("the tool says Proposed.")
    assert told(ann)[0]["role"] == "user"
    leaf = chat.panel("Memory")
    expect(leaf.get_by_role("heading", name="Waiting for your word")).to_be_visible()
    assert axe(chat.page) == []
    chat.button("Approve", leaf).click()
    expect(leaf.get_by_role("heading", name="Waiting for your word")).to_have_count(0)
    leaf.get_by_label("Something to remember").fill("I am called Ann.")
    chat.button("Remember", leaf).click()
    expect(row(leaf, "I am called Ann.")).to_be_visible()
    expect(leaf.get_by_label("Something to remember")).to_have_value("")
    mine = row(leaf, "metric")
    chat.button("Edit", mine).click()
    leaf.get_by_role("listitem").get_by_label("Something to remember").fill("I count in metres.")
    chat.button("Save", leaf).click()
    expect(row(leaf, "I count in metres.")).to_be_visible()
    chat.page.keyboard.press("Escape")
    chat.to("/").ask("hello")
    assert told(ann)[0]["role"] == "system" and "I count in metres." in told(ann)[0]["content"]
    leaf = chat.panel("Memory")
    mine = row(leaf, "metres")
    chat.button("Forget", mine).click()
    chat.button("Forget", mine.get_by_role("group", name="Forget this?")).click()
    expect(row(leaf, "metres")).to_have_count(0)
    chat.page.keyboard.press("Escape")
    chat.ask("again")
    assert "metres" not in str(told(ann)) and "called Ann" in str(told(ann))
