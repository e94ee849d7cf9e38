"""Branches of a conversation, several models side by side, and the queue."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Route, expect

from tests.browser.people import Chat, Person


def steps(turn: Locator) -> Locator:
    return turn.locator(".steps")


def test_a_question_is_edited_and_both_versions_stay(ann: Person) -> None:
    chat = ann.page()
    chat.ask("one apple")
    chat.ask("and then")
    id = chat.conversation()
    chat.button("Edit", chat.questions.first).click()
    form = chat.questions.first.get_by_role("textbox")
    expect(form).to_be_focused()
    expect(form).to_have_value("one apple")
    form.fill("two pears")
    form.press("Control+Enter")
    expect(chat.answers.first).to_contain_text("You said: two pears")
    expect(chat.questions).to_have_count(1)
    expect(steps(chat.questions.first)).to_contain_text("2/2")
    chat.button("The version before", chat.questions.first).click()
    expect(chat.answers).to_have_count(2)
    expect(chat.answers.nth(1)).to_contain_text("You said: and then")
    chat.page.reload()
    expect(chat.answers).to_have_count(2)
    expect(steps(chat.questions.first)).to_contain_text("1/2")
    chat.button("The next version", chat.questions.first).click()
    expect(chat.answers.first).to_contain_text("two pears")
    expect(chat.button("The next version", chat.questions.first)).to_be_disabled()
    assert len(ann.open(id)["messages"]) == 6

    chat.button("Edit", chat.questions.first).click()
    form.press("Escape")
    expect(form).to_have_count(0)
    expect(chat.questions.first).to_contain_text("two pears")


def test_an_answer_again_and_another_model_the_same(ann: Person) -> None:
    chat = ann.page()
    answer = chat.ask("say it")
    chat.button("Answer again", answer).click()
    expect(steps(answer)).to_contain_text("2/2")
    chat.menu("Ask another model the same", "mini", answer)
    expect(steps(answer)).to_contain_text("3/3")
    expect(answer.locator(".facts-line")).to_contain_text("mini")
    models = [seen.json()["model"] for seen in ann.hall.vendor.seen]
    assert models == ["gpt-4o", "gpt-4o", "mini"]
    said = [seen.json()["messages"] for seen in ann.hall.vendor.seen]
    assert said[0] == said[1] == said[2]
    chat.button("The version before", answer).click()
    expect(answer.locator(".facts-line")).to_contain_text("gpt")


def choose(chat: Chat, *names: str) -> None:
    """Choose models in the picker, several side by side."""
    chat.page.locator("button.model").click()
    chat.dialog.get_by_role("switch").set_checked(len(names) > 1)
    if len(names) > 1:
        for option in chat.dialog.locator(".option[aria-pressed=true]").all():
            option.click()
    for name in names:
        chat.dialog.locator(".option", has_text=re.compile(f"^{name}")).click()
    if len(names) > 1:
        chat.button(f"Ask {len(names)} models", chat.dialog).click()
    expect(chat.dialog).to_have_count(0)


def test_what_is_ticked_side_by_side_holds_however_one_leaves(ann: Person) -> None:
    chat = ann.page()
    model = chat.page.locator("button.model")
    for leave in (lambda: chat.page.keyboard.press("Escape"), lambda: chat.page.mouse.click(5, 5)):
        choose(chat, "gpt")
        model.click()
        chat.dialog.get_by_role("switch").check()
        chat.dialog.locator(".option", has_text=re.compile("^mini")).click()
        leave()
        expect(chat.dialog).to_have_count(0)
        expect(model).to_have_text("2 models")


def test_a_model_that_came_since_the_page_was_loaded_is_offered(ann: Person) -> None:
    def older(route: Route) -> None:
        answer = route.fetch()
        session = answer.json()
        session["home"]["models"] = [each for each in session["home"]["models"] if each["id"] != "large"]
        route.fulfill(response=answer, json=session)

    context = ann.context()
    context.route("**/api/session", older)
    chat = Chat(context.new_page()).to("/")
    chat.page.locator("button.model").click()
    chat.dialog.locator(".option", has_text=re.compile("^large")).click()
    expect(chat.page.locator("button.model")).to_have_text("large")


def test_a_model_is_found_and_chosen(ann: Person) -> None:
    chat = ann.page()
    chat.page.locator("button.model").click()
    gpt = chat.dialog.locator(".option", has_text="gpt")
    expect(gpt).to_contain_text("openai · vendor-openai · eu-west")
    expect(gpt).to_contain_text("sees images")
    search = chat.dialog.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.fill("nobody")
    expect(chat.dialog.get_by_text("No model here is called that.")).to_be_visible()
    search.fill("mini")
    search.press("Enter")
    expect(chat.dialog).to_have_count(0)
    expect(chat.button("Model: mini")).to_be_visible()
    chat.ask("hello")
    assert ann.hall.vendor.seen[-1].json()["model"] == "mini"
    chat.page.reload()
    expect(chat.button("Model: mini")).to_be_visible()


def test_models_answer_side_by_side_and_one_goes_on(ann: Person) -> None:
    chat = ann.page()
    choose(chat, "gpt", "mini", "large")
    expect(chat.button("3 models: gpt, mini, large")).to_be_visible()
    chat.write("compare")
    columns = chat.page.locator(".columns .column")
    expect(columns).to_have_count(3)
    for name in ("gpt", "mini", "large"):
        column = chat.page.get_by_role("region", name=name, exact=True)
        expect(column).to_contain_text("You said: compare")
        expect(column.locator(".facts-line")).to_contain_text(name)
    chat.page.get_by_role("region", name="mini", exact=True).get_by_role("button", name="Go on with this").click()
    expect(chat.page.locator(".column.chosen")).to_contain_text("mini")
    choose(chat, "gpt")
    chat.ask("next")
    sent = ann.hall.vendor.seen[-1].json()["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "user"]
    messages = {m["id"]: m for m in ann.open(chat.conversation())["messages"]}
    (question,) = [m for m in messages.values() if m["role"] == "user" and m["parent"]]
    assert messages[question["parent"]]["model"] == "mini"
    chat.page.reload()
    expect(columns).to_have_count(3)
    expect(chat.page.locator(".column.chosen")).to_contain_text("mini")


def test_one_of_several_fails_and_the_others_do_not_mind(ann: Person) -> None:
    ann.settings(models=["gpt", "broken"])
    chat = ann.page().write("hello")
    expect(chat.page.get_by_role("region", name="gpt", exact=True)).to_contain_text("You said: hello")
    expect(chat.page.get_by_role("region", name="broken", exact=True).get_by_role("alert")).to_be_visible()


def held(ann: Any) -> Chat:
    """A page where an answer is being written."""
    ann.settings(models=["held"])
    chat: Chat = ann.page().write("first")
    expect(chat.answers.first).to_contain_text("You said")
    return chat


def test_messages_wait_while_one_is_answered(ann: Person) -> None:
    chat = held(ann)
    expect(chat.box).to_have_attribute("placeholder", "Write what comes next")
    chat.box.fill("second")
    expect(chat.button("Send after this answer")).to_be_visible()
    chat.box.press("Enter")
    queued = chat.page.locator(".turn.queued")
    expect(queued).to_have_count(1)
    for n, text in enumerate(("third", "fourth")):
        chat.write(text)
        expect(queued).to_have_count(2 + n)
    chat.button("Edit", queued.nth(1)).click()
    form = queued.nth(1).get_by_role("textbox")
    form.fill("third, better")
    chat.button("Keep", queued.nth(1)).click()
    expect(queued.nth(1)).to_contain_text("third, better")
    chat.button("Take it out", queued.nth(2)).click()
    expect(queued).to_have_count(2)
    chat.page.reload()
    expect(queued).to_have_count(2)
    for n, text in enumerate(("first", "second", "third, better")):
        expect(chat.answers.nth(n)).to_contain_text("You said")
        ann.hall.vendor.release()
        expect(chat.answers.nth(n)).to_contain_text(f"You said: {text}")
        expect(chat.answers.nth(n).locator(".facts-line")).to_be_visible()
    expect(queued).to_have_count(0)
    expect(chat.questions.locator(".said")).to_have_text(["first", "second", "third, better"])


def test_a_stopped_answer_holds_the_queue_until_somebody_says_more(ann: Person) -> None:
    chat = held(ann)
    chat.write("second")
    queued = chat.page.locator(".turn.queued")
    expect(queued).to_have_count(1)
    chat.button("Stop").click()
    expect(chat.answers.first).to_contain_text("You stopped it here.")
    expect(queued).to_contain_text("Held back")
    chat.button("Send now", queued).click()
    expect(queued).to_have_count(0)
    expect(chat.answers.nth(1)).to_contain_text("You said")
    ann.hall.vendor.release()
    expect(chat.answers.nth(1)).to_contain_text("You said: second")
