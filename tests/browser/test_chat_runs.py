"""Answers live on the server: a closed tab, a second one, a lost network, a signed-out person lose nothing. And whose
things are whose."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Watch
from tests.browser.people import Chat, Person


@pytest.fixture
def busy(ann: Person) -> Chat:
    """A page where an answer is being written."""
    ann.settings(models=["held"])
    chat = ann.page().write("the question")
    expect(chat.answers.first).to_contain_text("You said")
    return chat


def whole(chat: Chat) -> None:
    expect(chat.answers.first).to_contain_text("You said: the question and so on and so on and so on")
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()


def test_a_closed_tab_loses_nothing(ann: Person, busy: Chat) -> None:
    id = busy.conversation()
    busy.page.close()
    ann.hall.vendor.release()
    answer = next(m for m in ann.open(id)["messages"] if m["role"] == "assistant")
    ann.ended(id, answer["id"])
    whole(ann.page(f"/c/{id}"))


def test_a_tab_that_comes_in_the_middle_sees_the_rest(ann: Person, busy: Chat) -> None:
    other = ann.page()
    row = other.page.get_by_role("link", name="the question")
    expect(row.get_by_role("img", name="being answered")).to_be_visible()
    row.click()
    expect(other.answers.first).to_contain_text("You said")
    ann.hall.vendor.release()
    whole(other)
    whole(busy)
    expect(row.get_by_role("img", name="being answered")).to_have_count(0)


def test_two_tabs_of_one_conversation_are_one(ann: Person, busy: Chat) -> None:
    other = ann.page(f"/c/{busy.conversation()}")
    expect(other.answers.first).to_contain_text("You said")
    other.button("Stop").click()
    expect(busy.answers.first).to_contain_text("You stopped it here.")
    ann.settings(models=["gpt"])
    other.menu(re.compile("^More about"), "Rename")
    other.page.get_by_label("Title", exact=True).fill("Another name")
    other.page.get_by_label("Title", exact=True).press("Enter")
    expect(busy.page.get_by_role("heading", level=1)).to_have_text("Another name")
    busy.write("a second one")
    expect(other.answers.nth(1)).to_contain_text("You said")
    ann.hall.vendor.release()
    expect(other.answers.nth(1)).to_contain_text("a second one and so on and so on and so on")
    expect(busy.answers.nth(1)).to_contain_text("a second one and so on and so on and so on")


def test_a_lost_network_loses_nothing(ann: Person, busy: Chat, watch: Watch) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED|ERR_NETWORK")
    asked: list[Any] = []
    busy.page.on("request", lambda request: "/events" in request.url and asked.append(request))
    busy.page.context.set_offline(True)
    expect(busy.page.get_by_text("Offline. What you write is kept here.")).to_be_visible()
    ann.hall.vendor.release()
    id = busy.conversation()
    answer = next(m for m in ann.open(id)["messages"] if m["role"] == "assistant")
    ann.ended(id, answer["id"])
    busy.page.context.set_offline(False)
    whole(busy)
    expect(busy.page.get_by_text("Offline.")).to_have_count(0)
    assert all(request.headers.get("last-event-id") for request in asked), "the stream goes on where it was"


def test_a_session_that_ends_in_the_middle_loses_nothing(ann: Person, busy: Chat, watch: Watch) -> None:
    watch.allow("401")
    ended = ann.hall.owner.delete(f"/api/admin/members/{ann.id}/sessions")
    assert ended.is_success, ended.text
    busy.box.fill("written meanwhile")
    busy.box.press("Enter")
    dialog = busy.page.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_contain_text("Your session has ended. What you wrote is kept.")
    busy.page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Password").fill("not the right one")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    expect(busy.page.locator(".turn.queued")).to_contain_text("written meanwhile")
    ann.hall.vendor.release()
    whole(busy)
    expect(busy.answers.nth(1)).to_contain_text("You said")
    ann.hall.vendor.release()
    expect(busy.answers.nth(1)).to_contain_text("You said: written meanwhile")


def test_signing_in_and_out(ann: Person, watch: Watch, axe: Callable[[Page], list[str]]) -> None:
    watch.allow("401")
    page = ann.page(signed_in=False).page
    expect(page.get_by_role("heading", name="Sign in to Freehold")).to_be_visible()
    assert axe(page) == []
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(ann.name)
    page.keyboard.press("Tab")
    page.keyboard.type("not the right one at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    assert axe(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    chat = Chat(page)
    chat.ask("I am in")
    chat.menu(re.compile("^Ann"), "Sign out", page.locator(".side-self"))
    expect(page.get_by_role("heading", name="Sign in to Freehold")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.includes('draft'))") == []
    page.go_back()
    expect(page.get_by_text("I am in")).to_have_count(0)


def test_whose_things_are_whose(ann: Person, person: Any, watch: Watch) -> None:
    watch.allow("404")
    bob = person()
    file = ann.give("secret.txt", b"the xylophone is under the stairs", "text/plain")
    id = ann.begin()
    answer = ann.say(id, "where is the xylophone", files=[file["id"]])
    ann.ask("POST", "/api/projects", {"name": "Ann's project", "kind": "project"})
    ann.ask("POST", "/api/memories", {"text": "Ann plays the xylophone."})
    ann.ask("POST", "/api/prompts", {"name": "Ann's prompt", "text": "Play"})
    ann.ask("POST", f"/api/conversations/{id}/shares")

    chat = bob.page()
    page = chat.page
    expect(page.get_by_text("Your conversations will stand here.")).to_be_visible()
    expect(page.get_by_text("Ann's")).to_have_count(0)
    page.goto(f"/c/{id}")
    expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    expect(chat.search("xylophone").get_by_text("Nothing of yours has these words.")).to_be_visible()
    for method, path in (
        ("GET", f"/api/files/{file['id']}"),
        ("GET", f"/api/files/{file['id']}/text"),
        ("GET", f"/api/conversations/{id}/events"),
        ("GET", f"/api/conversations/{id}/export?format=zip"),
        ("POST", f"/api/messages/{answer['id']}/stop"),
        ("POST", f"/api/conversations/{id}/shares"),
        ("DELETE", f"/api/conversations/{id}"),
    ):
        bob.ask(method, path, status=404)
    for path in ("memories", "prompts", "projects", "shares", "imports", "search?q=xylophone", "conversations"):
        found = bob.ask("GET", f"/api/{path}")
        assert (found if isinstance(found, list) else found["items"]) == [], path
    assert ann.open(id)["messages"]
