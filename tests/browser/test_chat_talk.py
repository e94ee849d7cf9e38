"""Talking: an answer comes in pieces, is stopped, goes on, fails and is tried again; its facts are shown."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.browser.conftest import Watch
from tests.browser.people import Chat, Person
from tests.system import until


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


def test_an_answer_comes_in_pieces_and_is_stopped_and_goes_on(ann: Person) -> None:
    chat = ann.page()
    ann.settings(models=["held"])
    chat.page.reload()
    chat.write("tell me")
    answer = chat.answers.first
    expect(answer).to_contain_text("You said")
    expect(answer.locator(".answer")).to_have_attribute("aria-busy", "true")
    assert "tell me" not in answer.inner_text(), "it is not there whole"
    expect(chat.page.locator("#status")).to_have_text("The answer is being written")
    chat.button("Stop").click()
    expect(answer).to_contain_text("You stopped it here.")
    expect(chat.button("Stop")).to_have_count(0)
    before = ann.hall.vendor.holds
    chat.button("Continue", answer).click()
    expect(answer.locator(".answer")).to_have_attribute("aria-busy", "true")
    until(lambda: ann.hall.vendor.holds > before, what="the second part to be under way")
    ann.hall.vendor.release()
    expect(answer.locator(".facts-line")).to_be_visible()
    expect(answer).to_contain_text("You said: Your last message was cut off.")
    expect(answer).not_to_contain_text("You stopped it here.")
    expect(chat.answers).to_have_count(1)
    expect(chat.page.locator("#status")).to_have_text("Answer ready")
    (message,) = [m for m in ann.open(chat.conversation())["messages"] if m["role"] == "assistant"]
    assert message["state"] == "done" and message["facts"]["calls"] == 2


def test_what_stopped_before_its_first_word_is_answered_again(ann: Person, watch: Watch) -> None:
    watch.allow("ERR_")
    chat = ann.page("/?temporary")
    held: list[Route] = []
    chat.page.route("**/api/temporary", lambda route: held.append(route))
    chat.write("what now")
    until(lambda: chat.page.wait_for_timeout(10) or held, what="the question to be asked")
    chat.button("Stop").click()
    answer = chat.answers.first
    ending = answer.locator(".ending")
    expect(ending).to_contain_text("You stopped it here.")
    expect(ending.get_by_role("button")).to_have_text(["Answer again"])
    chat.page.unroute("**/api/temporary")
    chat.button("Answer again", ending).click()
    expect(answer.locator(".facts-line")).to_be_visible()
    expect(answer).to_contain_text("You said: what now")


def test_a_note_lies_above_the_message_box(ann: Person) -> None:
    chat = ann.page()
    answer = chat.ask("hello")
    chat.button("Copy", answer).click()
    note = chat.page.locator(".toast")
    expect(note).to_be_visible()
    above, box = note.bounding_box(), chat.page.locator(".composer").bounding_box()
    assert above and box and above["y"] + above["height"] <= box["y"]


def test_escape_stops_an_answer(ann: Person) -> None:
    ann.settings(models=["held"])
    chat = ann.page().write("tell me")
    expect(chat.answers.first).to_contain_text("You said")
    chat.page.keyboard.press("Escape")
    expect(chat.answers.first).to_contain_text("You stopped it here.")


def test_thoughts_are_folded(ann: Person) -> None:
    ann.settings(models=["thinker"])
    chat = ann.page()
    answer = chat.ask("what now")
    fold = answer.locator("details.reasoning")
    expect(fold.locator("p")).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.locator("p")).to_have_text("Let me see, step by step.")
    expect(answer.locator("fh-markdown")).to_have_text("You said: what now")


def test_facts_say_who_made_sold_and_hosted_it_and_what_it_cost(ann: Person) -> None:
    chat = ann.page()
    answer = chat.ask("hello")
    line = answer.locator(".facts-line")
    expect(line).to_contain_text(re.compile(r"gpt · openai · \$0\.000\d+ · "))
    expect(line).to_have_attribute("aria-expanded", "false")
    line.click()
    facts = dict(
        zip(answer.locator(".facts dt").all_inner_texts(), answer.locator(".facts dd").all_inner_texts(), strict=True)
    )
    expected = {
        "Made by": "openai",
        "Sold by": "vendor-openai",
        "Hosted by": "vendor-openai",
        "Region": "eu-west",
        "Contract": "frame-2026",
        "Model asked": "gpt",
        "Model sent": "gpt-4o",
        "Model answered": "gpt-4o-2026-01-01",
    }
    assert facts.items() >= expected.items(), facts
    assert re.fullmatch(r"\d+ in, \d+ out", facts["Tokens"]), facts
    assert re.fullmatch(r"\$0\.000\d+", facts["Cost"]) and facts["First token"] and facts["In all"], facts
    (entry,) = ann.hall.system.outcomes("call = ?", facts["Call"])
    assert entry["call"] == facts["Call"]
    line.click()
    expect(answer.locator(".facts")).to_have_count(0)


def test_what_fails_says_so_and_is_tried_again(ann: Person) -> None:
    ann.settings(models=["broken"])
    chat = ann.page().write("hello")
    problem = chat.answers.first.get_by_role("alert")
    expect(problem).to_be_visible()
    assert "sk-vendor" not in problem.inner_text()
    ann.hall.vendor.script("status;code=500", "ok")
    chat.button("Try again").click()
    expect(chat.answers.first).to_contain_text("You said: hello")
    expect(chat.answers.first.get_by_role("alert")).to_have_count(0)
    expect(chat.answers.first).to_contain_text("2/2")
    ann.settings(models=["torn"])
    torn = ann.page().write("a longer text to be torn")
    expect(torn.answers.first).to_contain_text("You said: a ")
    expect(torn.answers.first.get_by_role("alert").or_(torn.button("Continue"))).to_be_visible()


def test_what_cannot_be_sent_is_not_lost(ann: Person, watch: Watch) -> None:
    watch.allow("ERR_FAILED")
    ann.settings(models=["mini"])
    chat = ann.page()
    chat.write("word " * 40_000)
    expect(chat.page.get_by_text("takes").first).to_be_visible()
    lost = ann.page()
    lost.page.context.route("**/api/conversations", lambda route: route.abort())
    lost.write("keep this")
    expect(lost.page.get_by_role("alert")).to_contain_text("The server does not answer.")
    expect(lost.box).to_have_value("keep this")
    lost.page.reload()
    expect(lost.box).to_have_value("keep this")


def test_an_answer_is_copied_as_it_was_written(ann: Person) -> None:
    chat = ann.page()
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = chat.ask("the\n\n**bold** one")
    expect(answer.locator("strong")).to_have_text("bold")
    chat.button("Copy", answer).click()
    expect(chat.page.get_by_text("Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "You said: the\n\n**bold** one"


def test_a_draft_stays_with_its_conversation(ann: Person) -> None:
    first, second = ann.talked("one"), ann.talked("two")
    chat = ann.page(f"/c/{first}")
    chat.box.fill("half a thought")
    chat.page.get_by_role("link", name="two").click()
    expect(chat.page).to_have_url(re.compile(second))
    expect(chat.box).to_have_value("")
    chat.page.go_back()
    expect(chat.box).to_have_value("half a thought")


def test_conversations_are_renamed_pinned_archived_and_deleted(ann: Person) -> None:
    first, second = ann.talked("the first"), ann.talked("the second")
    chat = ann.page(f"/c/{first}")
    more = re.compile("^More about the first")
    chat.menu(more, "Rename")
    name = chat.page.get_by_label("Title", exact=True)
    name.fill("Moon")
    name.press("Enter")
    expect(chat.page.get_by_role("heading", level=1)).to_have_text("Moon")
    more = re.compile("^More about Moon")
    chat.menu(more, "Pin")
    expect(chat.page.get_by_role("region", name="Pinned").get_by_role("link", name="Moon")).to_be_visible()
    chat.menu(more, "Move to the archive")
    expect(chat.page.get_by_role("link", name="Moon")).to_have_count(0)
    expect(chat.page).to_have_url(re.compile("/$"))
    chat.button("Undo").click()
    expect(chat.page.get_by_role("link", name="Moon")).to_be_visible()
    chat.menu(re.compile("^More about the second"), "Delete")
    expect(chat.page.get_by_role("link", name="the second")).to_have_count(0)
    chat.button("Undo").click()
    expect(chat.page.get_by_role("link", name="the second")).to_be_visible()
    assert ann.open(second)["conversation"]["title"] == "the second"
    chat.menu(re.compile("^More about the second"), "Delete")
    chat.page.goto("about:blank")  # who leaves means it
    ann.gone(second)


def test_who_writes_before_the_conversation_is_there_goes_on_with_it(ann: Person) -> None:
    id = ann.talked("before", models=["gpt"])
    for n in range(45):  # so that it is none of those that the page knows from the start
        ann.begin(title=f"later {n}")
    context = ann.context()
    context.route(f"**/api/conversations/{id}", lambda route: held.append(route))
    held: list[Route] = []
    chat = Chat(context.new_page()).to(f"/c/{id}")
    chat.write("too early")
    until(lambda: chat.page.wait_for_timeout(10) or held, what="the reading")
    for route in held:
        route.continue_()
    context.unroute(f"**/api/conversations/{id}")
    expect(chat.answers.nth(1)).to_contain_text("You said: too early")
    assert [m["role"] for m in ann.hall.vendor.seen[-1].json()["messages"]] == ["user", "assistant", "user"]
    assert chat.conversation() == id
