"""Temporary chats, search, links to share, taking everything along and moving in from elsewhere."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Watch
from tests.browser.people import Chat, Person
from tests.system import until

Axe = Callable[[Page], list[str]]


def told(ann: Person) -> list[Any]:
    """The messages of the last call, as the model got them."""
    messages: list[Any] = ann.hall.vendor.seen[-1].json()["messages"]
    return messages


def row(leaf: Locator, name: str) -> Locator:
    return leaf.get_by_role("listitem").filter(has_text=name)


def test_a_temporary_chat_shows_the_one_model_that_it_asks(ann: Person) -> None:
    ann.settings(models=["mini", "gpt"])
    chat = ann.page()
    model = chat.page.locator("button.model")
    expect(model).to_have_text("2 models")
    chat.button("Temporary chat").click()
    expect(model).to_have_text("mini")
    model.click()
    expect(chat.dialog.get_by_role("searchbox")).to_be_focused()
    expect(chat.dialog.get_by_role("switch")).to_have_count(0)
    chat.page.keyboard.press("Escape")
    expect(chat.ask("one of you").locator(".facts-line")).to_contain_text("mini")
    chat.page.get_by_role("navigation").get_by_role("link", name="New chat").click()
    expect(model).to_have_text("2 models")


def test_a_temporary_chat_leaves_no_trace(ann: Person) -> None:
    ann.ask("POST", "/api/memories", {"text": "I play the glockenspiel."})
    chat = ann.page()
    chat.button("Temporary chat").click()
    expect(chat.page.get_by_role("note")).to_contain_text("nothing of this chat is stored")
    chat.drop("t.txt", "sesquipedalian file")
    expect(chat.page.locator(".composer .file-chip")).to_have_count(1)
    expect(chat.page.locator(".composer progress")).to_have_count(0)
    answer = chat.ask("a sesquipedalian question")
    expect(answer).to_contain_text("You said")
    assert "glockenspiel" not in str(told(ann)) and "sesquipedalian file" in str(told(ann))
    chat.ask("and another")
    assert [m["role"] for m in told(ann)] == ["user", "assistant", "user"]
    chat.button("Answer again", chat.answers.nth(1)).click()
    expect(chat.answers.nth(1)).to_contain_text("2/2")
    expect(chat.page).to_have_url(re.compile(r"/\?temporary$"))
    system = ann.hall.system
    for sql in ("SELECT COUNT(*) AS n FROM conversation WHERE member = ?",):
        assert system.sql(sql, ann.id) == [{"n": 0}]
    words = "SELECT COUNT(*) AS n FROM message WHERE parts LIKE '%sesquipedalian question%'"
    assert system.sql(words) == [{"n": 0}]
    chat.box.fill("a draft")
    assert chat.page.evaluate("JSON.stringify(localStorage)").find("a draft") < 0
    chat.page.get_by_role("navigation").get_by_role("link", name="New chat").click()
    expect(chat.answers).to_have_count(0)
    chat.page.go_back()
    expect(chat.page.get_by_role("note")).to_be_visible()
    expect(chat.answers).to_have_count(0)
    assert ann.ask("GET", "/api/search?q=sesquipedalian")["items"] == []


def test_search_finds_words_and_goes_there(ann: Person, axe: Axe) -> None:
    id = ann.talked("the zyzzyva is a weevil", *(f"filler {n}" for n in range(3)))
    archived = ann.talked("an old zyzzyva")
    ann.ask("PATCH", f"/api/conversations/{archived}", {"archived": True})
    chat = ann.page()
    dialog = chat.search("zyzz")
    hits = dialog.get_by_role("link")
    expect(hits.first).to_be_visible()
    expect(dialog.locator("mark").first).to_have_text(re.compile("zyzzyva", re.IGNORECASE))
    assert axe(chat.page) == []
    mine = hits.filter(has_text="is a weevil").last
    mine.click()
    expect(chat.page).to_have_url(re.compile(f"/c/{id}#"))
    expect(chat.page.locator(".turn.found")).to_be_in_viewport()
    dialog = chat.search("no such words at all")
    expect(dialog.get_by_text("Nothing of yours has these words.")).to_be_visible()
    dialog.get_by_role("searchbox").fill("")
    chat.button("Archive", dialog).click()
    expect(hits).to_have_count(1)
    dialog.get_by_role("searchbox").press("Enter")
    expect(chat.page).to_have_url(re.compile(archived))
    expect(chat.answers.first).to_contain_text("an old zyzzyva")


def test_search_names_a_conversation_once_and_closes_at_once(ann: Person) -> None:
    ids = [ann.talked(f"a quokka {n}", f"the quokka again {n}") for n in range(2)]
    chat = ann.page()
    dialog = chat.search("quokka")
    hits = dialog.get_by_role("link")
    expect(hits.nth(3)).to_be_visible()
    addresses = [str(each.get_attribute("href")).split("#")[0] for each in hits.all()]
    assert len(addresses) == 6 and [addresses.index(each) for each in addresses] == [0, 0, 0, 3, 3, 3]
    assert set(addresses) == {f"/c/{id}" for id in ids}
    expect(hits.locator(".truncate")).to_have_count(2)
    chat.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_what_is_typed_before_the_search_is_there_goes_into_it(ann: Person) -> None:
    chat = ann.page()
    held: list[Route] = []
    chat.page.route("**/search.js", lambda route: held.append(route))
    chat.box.focus()
    chat.page.keyboard.press("Control+k")
    chat.page.keyboard.type("heron!")
    chat.page.keyboard.press("Backspace")
    until(lambda: chat.page.wait_for_timeout(10) or held, what="the search to be asked for")
    held[0].continue_()
    expect(chat.dialog.get_by_role("searchbox")).to_have_value("heron")
    chat.page.keyboard.type("s")
    expect(chat.dialog.get_by_role("searchbox")).to_have_value("herons")
    expect(chat.box).to_have_value("")


def test_a_link_shows_a_branch_until_it_is_taken_back(ann: Person, axe: Axe, watch: Watch) -> None:
    watch.allow("404")
    id = ann.begin()
    ann.say(id, "in public\n\n<img src=x onerror=stolen=1>\n\n**bold**")
    chat = ann.page(f"/c/{id}")
    chat.menu("This conversation", "Share")
    panel = chat.dialog
    chat.button("Make a link", panel).click()
    link = panel.get_by_label(re.compile("^Link to"))
    expect(link).to_be_visible()
    assert axe(chat.page) == []
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat.button("Copy", panel).click()
    expect(chat.button("Copied", panel)).to_be_visible()
    url = link.input_value()
    assert chat.page.evaluate("navigator.clipboard.readText()") == url
    assert url.startswith(ann.hall.url + "/share/")
    ann.say(id, "afterwards, in private")

    guest = ann.context(signed_in=False).new_page()
    guest.goto(url)
    expect(guest.locator("fh-markdown strong")).to_have_text("bold")
    expect(guest.get_by_text("in private")).to_have_count(0)
    expect(guest.locator(".facts-line")).to_contain_text("gpt")
    expect(guest.locator("#message, .acts button")).to_have_count(0)
    assert guest.evaluate("window.stolen") is None
    assert axe(guest) == []
    dark = ann.context(signed_in=False, color_scheme="dark", viewport={"width": 390, "height": 844}).new_page()
    dark.goto(url)
    expect(dark.locator("fh-markdown strong")).to_be_visible()
    assert axe(dark) == []
    assert dark.evaluate("document.documentElement.scrollWidth <= innerWidth")

    chat.page.keyboard.press("Escape")
    leaf = chat.panel("Shared links")
    assert axe(chat.page) == []
    chat.button("End link", leaf).click()
    chat.button("End link", leaf.get_by_role("group", name="End this link?")).click()
    expect(leaf.get_by_text("Nothing is shared.")).to_be_visible()
    guest.reload()
    expect(guest.get_by_role("heading", name="Nothing is shared here")).to_be_visible()
    assert axe(guest) == []


def test_everything_is_taken_along_and_brought_back(ann: Person, person: Any) -> None:
    file = ann.give("notes.txt", b"the notes", "text/plain")
    id = ann.begin()
    first = ann.say(id, "first words", files=[file["id"]])
    question = next(m for m in ann.open(id)["messages"] if m["role"] == "user")
    ann.ask("POST", f"/api/messages/{question['id']}/answers", {"models": ["mini"]})
    chat = ann.page(f"/c/{id}")
    texts = {}
    for form in ("Markdown", "JSON", "ZIP"):
        chat.menu("This conversation", "Export")
        with chat.page.expect_download() as download:
            chat.dialog.get_by_role("link", name=form).click()
        texts[form] = Path(download.value.path()).read_bytes()
        expect(chat.dialog).to_have_count(0)
    assert b"first words" in texts["Markdown"] and first["facts"]["maker"].encode() in texts["Markdown"]
    assert json.loads(texts["JSON"])
    with zipfile.ZipFile(io.BytesIO(texts["ZIP"])) as archive:
        assert any(archive.read(name) == b"the notes" for name in archive.namelist())
    leaf = chat.panel("Export")
    with chat.page.expect_download() as download:
        row(leaf, "Everything, as a ZIP").get_by_role("link").click()
    whole = Path(download.value.path())

    bob = person()
    his: Chat = bob.page()
    leaf = his.panel("Import")
    leaf.get_by_label("Choose a file").set_input_files(
        {"name": "freehold.zip", "mimeType": "application/zip", "buffer": whole.read_bytes()}
    )
    expect(leaf.get_by_text("done", exact=True)).to_be_visible(timeout=30_000)
    expect(leaf.get_by_text("1 new")).to_be_visible()
    his.page.keyboard.press("Escape")
    his.page.get_by_role("link", name="first words").click()
    expect(his.answers.first).to_contain_text("2/2")
    expect(his.questions.first).to_contain_text("notes.txt")


NAUGHTY = "<img src=x onerror=stolen=1>"


def chatgpt() -> dict[str, Any]:
    """A conversation as ChatGPT exports it: a question with two answers, and what would like to run."""

    def node(id: str, parent: str | None, role: str, text: str, **more: Any) -> dict[str, Any]:
        content = {"content_type": "text", "parts": [text]}
        message = {"id": id, "author": {"role": role, "name": None, "metadata": {}}, "create_time": 1_760_000_000.0,
                   "content": content, "status": "finished_successfully", "weight": 1.0, "metadata": more,
                   "recipient": "all"}  # fmt: skip
        return {"id": id, "message": message, "parent": parent, "children": []}

    nodes = [
        {"id": "root", "message": None, "parent": None, "children": []},
        node("q", "root", "user", f"How far is the moon? {NAUGHTY}"),
        node("a", "q", "assistant", f"Far. {NAUGHTY} [x](javascript:stolen=1)", model_slug="gpt-5"),
        node("b", "q", "assistant", "Very far, **384,400 km**.", model_slug="gpt-5"),
    ]
    return {"title": f"Moon {NAUGHTY}", "create_time": 1_760_000_000.0, "update_time": 1_760_000_100.0,
            "mapping": {each["id"]: each for each in nodes}, "current_node": "b", "conversation_id": "c1", "id": "c1",
            "is_archived": False}  # fmt: skip


def test_moving_in_from_chatgpt_twice(ann: Person, axe: Axe) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("conversations-000.json", json.dumps([chatgpt()]))
    chat = ann.page()
    leaf = chat.panel("Import")
    file: Any = {"name": f"export {NAUGHTY}.zip", "mimeType": "application/zip", "buffer": made.getvalue()}
    leaf.get_by_label("Choose a file").set_input_files(file)
    expect(leaf.get_by_text("1 new")).to_be_visible(timeout=30_000)
    report = leaf.get_by_role("region", name="Report").get_by_role("row").nth(1)
    expect(report).to_contain_text("Moon")
    expect(report.get_by_role("cell").nth(3)).to_have_text("2")
    assert axe(chat.page) == []
    leaf.get_by_label("Choose a file").set_input_files(file)
    expect(leaf.get_by_text("1 as it was")).to_be_visible(timeout=30_000)
    chat.page.keyboard.press("Escape")
    chat.page.get_by_role("navigation").get_by_role("link", name="Moon").click()
    expect(chat.answers.first.locator("strong")).to_have_text("384,400 km")
    expect(chat.answers.first.locator(".foot")).to_contain_text("from ChatGPT")
    expect(chat.answers.first).to_contain_text("2/2")
    chat.button("The version before", chat.answers.first).click()
    expect(chat.answers.first).to_contain_text("Far.")
    expect(chat.page.locator("main img, nav img, main a[href^=javascript]")).to_have_count(0)
    assert chat.page.evaluate("window.stolen") is None
    chat.button("The next version", chat.answers.first).click()
    chat.ask("And the sun?")
    assert [m["role"] for m in told(ann)] == ["user", "assistant", "user"]
    assert "384,400" in told(ann)[1]["content"]


def test_a_file_that_is_no_export_is_refused_in_words(ann: Person, watch: Watch) -> None:
    watch.allow("40[0-9]|415|422")
    chat = ann.page()
    leaf = chat.panel("Import")
    leaf.get_by_label("Choose a file").set_input_files(
        {"name": "holiday.zip", "mimeType": "application/zip", "buffer": b"this is no archive"}
    )
    problem = leaf.locator(".error")
    expect(problem).to_be_visible(timeout=30_000)
    assert len(problem.inner_text()) > 20
    chat.button("Remove from this list", leaf).click()
    chat.button("Remove from this list", leaf.locator(".sure")).click()
    expect(row(leaf, "holiday.zip")).to_have_count(0)
