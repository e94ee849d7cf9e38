"""One's own settings, sign-ins, tokens and password; and what a panel does when the server refuses."""

from __future__ import annotations

import re

import httpx2
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Watch
from tests.browser.people import Person
from tests.system import until


def test_ones_name_is_changed(ann: Person) -> None:
    chat = ann.page()
    leaf = chat.panel("Settings")
    name = leaf.get_by_label("Your name, as it is shown")
    name.fill("Annabel <b>Lee</b>")
    name.press("Tab")
    until(lambda: ann.ask("GET", "/api/me")["display"] == "Annabel <b>Lee</b>", what="the name")
    chat.page.keyboard.press("Escape")
    chat.page.reload()
    expect(chat.page.locator(".side-self")).to_contain_text("Annabel <b>Lee</b>")
    expect(chat.page.get_by_role("heading", level=1)).to_contain_text("Annabel <b>Lee</b>")


def test_sign_ins_elsewhere_are_seen_and_ended(ann: Person) -> None:
    session = {"name": ann.name, "password": PASSWORD}
    cookies = httpx2.post(f"{ann.hall.url}/api/session", json=session, trust_env=False).cookies

    def elsewhere() -> int:
        return httpx2.get(f"{ann.hall.url}/api/me", cookies=cookies, trust_env=False).status_code

    assert elsewhere() == 200
    chat = ann.page()
    leaf = chat.panel("Sign-ins and tokens")
    rows = leaf.locator(".lines").first.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="this one")).to_have_count(1)
    expect(rows.filter(has_text="this one").get_by_role("button")).to_have_count(0)
    chat.button("End", rows).click()
    sure = leaf.get_by_role("group", name="End this sign-in?")
    chat.button("Cancel", sure).click()
    chat.button("End", rows).click()
    chat.button("End", sure).click()
    expect(rows).to_have_count(1)
    until(lambda: elsewhere() == 401, what="the other sign-in to end")


def test_a_token_is_shown_once_and_does_what_one_may(ann: Person) -> None:
    chat = ann.page()
    leaf = chat.panel("Sign-ins and tokens")
    leaf.get_by_label("What the token is for").fill("my script")
    chat.button("Make a token", leaf).click()
    token = leaf.locator(".secret").inner_text()
    row = leaf.get_by_role("listitem").filter(has_text="my script")
    expect(row).to_contain_text("token")
    headers = {"authorization": f"Bearer {token}"}
    assert httpx2.get(f"{ann.hall.url}/api/me", headers=headers, trust_env=False).json()["name"] == ann.name
    chat.page.keyboard.press("Escape")
    leaf = chat.panel("Sign-ins and tokens")
    expect(row).to_be_visible()
    assert token not in chat.page.content()
    chat.button("End", row).click()
    chat.button("End", leaf.locator(".sure")).click()
    expect(row).to_have_count(0)
    until(lambda: httpx2.get(f"{ann.hall.url}/api/me", headers=headers, trust_env=False).status_code == 401, what="end")


def test_the_password_is_changed(ann: Person, watch: Watch) -> None:
    watch.allow("40[0-9]")
    chat = ann.page()
    leaf = chat.panel("Sign-ins and tokens")
    fresh = "a heron stands in the shallows"
    leaf.get_by_label("The one you have").fill("it was not this one")
    leaf.get_by_label("The new one").fill(fresh)
    chat.button("Change the password", leaf).click()
    expect(leaf.get_by_role("alert")).to_be_visible()
    leaf.get_by_label("The one you have").fill(PASSWORD)
    chat.button("Change the password", leaf).click()
    expect(leaf.get_by_text("Changed. Your other sign-ins have ended.")).to_be_visible()
    answer = httpx2.post(f"{ann.hall.url}/api/session", json={"name": ann.name, "password": fresh}, trust_env=False)
    assert answer.status_code == 200, answer.text
    chat.page.keyboard.press("Escape")
    chat.ask("still here")


def test_a_refusal_is_said_and_nothing_is_lost(ann: Person, watch: Watch) -> None:
    watch.allow("ERR_FAILED")
    chat = ann.page()
    leaf = chat.panel("Memory")
    expect(leaf.get_by_text("Nothing yet.")).to_be_visible()
    chat.page.context.route("**/api/memories", lambda route: route.abort())
    text = leaf.get_by_label("Something to remember")
    text.fill("I count in metres.")
    chat.button("Remember", leaf).click()
    expect(leaf.get_by_role("alert")).to_contain_text("The server does not answer.")
    expect(text).to_have_value("I count in metres.")
    chat.page.context.unroute("**/api/memories")
    chat.button("Remember", leaf).click()
    expect(leaf.get_by_role("listitem")).to_contain_text("I count in metres.")
    expect(leaf.get_by_role("alert")).to_have_count(0)


def test_a_press_beside_the_dialog_closes_it_a_selection_does_not(ann: Person) -> None:
    chat = ann.page()
    leaf = chat.panel("Memory")
    box = leaf.get_by_label("Something to remember").bounding_box()
    assert box
    mouse = chat.page.mouse
    mouse.move(box["x"] + 20, box["y"] + 10)
    mouse.down()
    mouse.move(5, 5)
    mouse.up()
    expect(chat.dialog).to_be_visible()
    mouse.click(5, 5)
    expect(chat.dialog).to_have_count(0)
    expect(chat.page.get_by_role("button", name=re.compile("^Ann"))).to_be_focused()
