"""Talking: an answer comes in pieces, is stopped, goes on, fails and is tried again; its facts are shown."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.people import Person


def test_a_question_becomes_a_conversation(ann: Person) -> None:
    chat = ann.page()
    expect(chat.page.get_by_role("heading", level=1)).to_contain_text(ann.name.title())
    answer = chat.ask("How far is the moon?")
    expect(answer).to_contain_text("You said: How far is the moon?")
    id = chat.conversation()
    expect(chat.page).to_have_title("How far is the moon? · Freehold")
    expect(chat.page.get_by_role("navigation").get_by_role("link", name="How far is the moon?")).to_have_attribute(
        "aria-current", "page"
    )
    expect(chat.box).to_have_value("")
    expect(chat.box).to_be_focused()
    chat.ask("And the sun?")
    chat.page.reload()
    expect(chat.answers).to_have_count(2)
    expect(chat.questions.nth(1)).to_contain_text("And the sun?")
    assert [m["role"] for m in ann.open(id)["messages"]] == ["user", "assistant", "user", "assistant"]
    sent = ann.hall.vendor.seen[-1].json()["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "user"]
