"""For everybody: no screen excludes anybody, the keyboard suffices, a phone, right to left, a small first load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, House
from tests.browser.people import Chat, Person
from tests.system import until

Axe = Callable[[Page], list[str]]

LEAVES = ("General", "Memory", "Saved prompts", "Assistants", "Tools", "Import", "Export", "Shared links",
          "Sign-ins and tokens")  # fmt: skip
LOOKS = [("light", 1280), ("dark", 390)]


def fits(page: Page) -> bool:
    """Whether nothing reaches beyond the screen's edge."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_screen_excludes_nobody(ann: Person, axe: Axe, scheme: str, width: int) -> None:
    ann.settings(models=["gpt", "mini"])
    ann.ask("POST", "/api/projects", {"name": "Bees", "kind": "project"})
    ann.ask("POST", "/api/memories", {"text": "I count in metres."})
    ann.ask("POST", "/api/prompts", {"name": "Letter", "text": "Write to {{who}}"})
    ann.ask("POST", "/api/assistants", {"name": "Minutes", "starters": ["Begin"], "instructions": "Write minutes."})
    id = ann.begin(models=["gpt", "mini"])
    ann.say(id, "compare", "gpt", "mini")
    ann.ask("POST", f"/api/conversations/{id}/shares")
    chat = ann.page(color_scheme=scheme, viewport={"width": width, "height": 844})
    page = chat.page
    assert axe(page) == [] and fits(page), "a new chat"
    if width < 600:
        chat.button("Show the conversations").click()
        assert axe(page) == [], "the list"
    leaf = chat.panel("Settings")
    for name in LEAVES:
        page.get_by_role("tab", name=name, exact=True).click()
        expect(leaf.locator(".spinner")).to_have_count(0)
        expect(leaf.locator("*").first).to_be_visible()
        assert axe(page) == [] and fits(page), name
    page.keyboard.press("Escape")
    chat.to(f"/c/{id}")
    expect(page.locator(".column .facts-line")).to_have_count(2)
    assert axe(page) == [] and fits(page), "side by side"
    page.locator("button.model").click()
    expect(chat.dialog.locator(".option").first).to_be_visible()
    assert axe(page) == [] and fits(page), "the picker"
    page.keyboard.press("Escape")
    dialog = chat.search("compare")
    expect(dialog.get_by_role("link").first).to_be_visible()
    assert axe(page) == [] and fits(page), "search"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+/")
    expect(chat.dialog).to_be_visible()
    assert axe(page) == [] and fits(page), "the map of keys"
    page.keyboard.press("Escape")
    chat.menu("This conversation", "Export")
    assert axe(page) == [] and fits(page), "export"
    page.keyboard.press("Escape")
    chat.button("This conversation").click()
    assert axe(page) == [], "a menu"


def test_the_first_visit_makes_the_owner(house: Callable[..., House], axe: Axe) -> None:
    page = house().page(signed_in=False)
    expect(page.get_by_role("heading", name="Welcome to Freehold")).to_be_visible()
    assert axe(page) == []
    code = page.get_by_label("Code")
    world = page.context.request.get("/api/session").json()
    assert world["setup"]
    if world["code"]:
        code.fill("0000-0000")
    page.get_by_label("Your name").fill("Olga Owner")
    page.get_by_label("Name to sign in with").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make this house mine").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Olga Owner")
    page.reload()
    expect(page.locator("#message")).to_be_focused()


def test_keys_suffice(ann: Person) -> None:
    chat = ann.page()
    page, press = chat.page, chat.page.keyboard.press
    expect(chat.box).to_be_focused()
    page.keyboard.type("first line")
    press("Shift+Enter")
    page.keyboard.type("second line")
    press("Enter")
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    expect(chat.questions.first.locator(".said")).to_have_text("first line\nsecond line")
    first = chat.conversation()
    press("Control+Shift+O")
    expect(page).to_have_url(re.compile("/$"))
    expect(chat.questions).to_have_count(0)
    expect(chat.box).to_be_focused()
    page.keyboard.type("other words")
    press("Enter")
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    second = chat.conversation()
    press("Alt+ArrowDown")
    expect(page).to_have_url(re.compile(first))
    expect(chat.answers.first).to_contain_text("first line")
    press("Alt+ArrowUp")
    expect(page).to_have_url(re.compile(second))
    expect(chat.answers.first).to_contain_text("other words")
    press("Control+b")
    expect(page.get_by_role("navigation")).to_be_hidden()
    press("Control+b")
    expect(page.get_by_role("navigation")).to_be_visible()
    press("Shift+Escape")
    expect(chat.box).to_be_focused()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press("Control+Shift+Semicolon")
    until(lambda: page.evaluate("navigator.clipboard.readText()") == "You said: other words", what="the answer copied")
    press("Control+k")
    expect(chat.dialog.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("first line")
    expect(chat.dialog.locator("mark").first).to_be_visible()
    press("ArrowDown")
    press("Enter")
    expect(page).to_have_url(re.compile(first))
    expect(chat.answers.first).to_contain_text("first line")
    expect(chat.dialog).to_have_count(0)

    # A menu: opened, walked and left by keys; focus comes back.
    menu = chat.button("This conversation")
    menu.focus()
    press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Pin")).to_be_focused()
    press("d")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(menu).to_be_focused()

    # A dialog holds the focus and gives it back.
    self = page.locator(".side-self button")
    self.focus()
    press("Enter")
    expect(page.get_by_role("menuitem", name="Settings")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("tab", name="General")).to_be_focused()
    press("ArrowDown")
    expect(page.get_by_role("tab", name="Memory")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Memory")).to_be_visible()
    press("Escape")
    expect(chat.dialog).to_have_count(0)
    expect(self).to_be_focused()


def test_keys_that_follow_at_once_find_the_focus_where_they_put_it(ann: Person) -> None:
    """On a machine that is slow to draw, too."""
    chat = ann.page()
    page, press = chat.page, chat.page.keyboard.press
    page.evaluate("() => { window.requestAnimationFrame = (run) => setTimeout(run, 400); }")
    press("Control+b")
    expect(page.get_by_role("navigation")).to_be_hidden()
    press("Control+b")
    expect(page.get_by_role("navigation")).to_be_visible()
    press("Shift+Escape")
    expect(chat.box).to_be_focused()
    page.wait_for_timeout(900)
    expect(chat.box).to_be_focused()
    press("Control+b")
    expect(chat.button("Show the conversations")).to_be_focused()


@pytest.mark.parametrize("name", ["a panel", "a dialog"])
def test_who_has_gone_on_when_a_dialog_is_done_keeps_the_focus(ann: Person, name: str) -> None:
    ann.ask("POST", "/api/prompts", {"name": "Letter", "text": "Simply this"})
    chat = ann.page()
    if name == "a panel":
        chat.panel("Saved prompts")
    else:
        chat.button("Search").focus()
        chat.page.keyboard.press("Control+/")
    expect(chat.dialog).to_be_visible()
    closed = "() => { document.querySelector('dialog').close(); document.getElementById('message').focus(); }"
    chat.page.evaluate(closed)
    expect(chat.dialog).to_have_count(0)
    expect(chat.box).to_be_focused()
    chat.page.keyboard.type("/")
    expect(chat.page.get_by_role("listbox", name="Saved prompts").get_by_role("option")).to_have_count(1)


def test_the_way_through_the_page_is_short_and_seen(ann: Person) -> None:
    chat = ann.page()
    script = "document.body.prepend(Object.assign(document.createElement('a'), { href: '#', id: 'start' }))"
    chat.page.evaluate(script)
    chat.page.locator("#start").focus()
    chat.page.evaluate("document.getElementById('start').remove()")
    chat.page.keyboard.press("Tab")
    skip = chat.page.get_by_role("link", name="To the message box")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    chat.page.keyboard.press("Enter")
    expect(chat.box).to_be_focused()
    for _ in range(4):
        chat.page.keyboard.press("Tab")
        seen = "(() => { const s = getComputedStyle(document.activeElement); "
        seen += "return [s.outlineStyle, parseFloat(s.outlineWidth), document.activeElement.localName]; })()"
        style, outline, name = chat.page.evaluate(seen)
        assert name == "body" or (style != "none" and outline >= 1), name


def test_single_keys_can_be_turned_off_and_the_way_of_sending_chosen(ann: Person) -> None:
    chat = ann.page()
    chat.page.keyboard.press("Control+/")
    chat.dialog.get_by_role("switch").click()
    chat.page.keyboard.press("Escape")
    until(lambda: ann.ask("GET", "/api/me")["settings"].get("single_keys") is False, what="the setting")
    chat.page.get_by_role("button", name="Search").focus()
    chat.page.keyboard.press("?")
    expect(chat.dialog).to_have_count(0)
    leaf = chat.panel("Settings")
    leaf.get_by_label("A message is sent by").select_option("ctrl-enter")
    until(lambda: ann.ask("GET", "/api/me")["settings"].get("send") == "ctrl-enter", what="the setting")
    chat.page.keyboard.press("Escape")
    chat.box.fill("one")
    chat.box.press("Enter")
    expect(chat.box).to_have_value("one\n")
    chat.box.press("Control+Enter")
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()


def test_on_a_phone(ann: Person) -> None:
    first = ann.talked("the first")
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    chat = ann.page(**phone)
    nav = chat.page.get_by_role("navigation")
    expect(nav).to_be_hidden()
    chat.box.fill("written by thumb")
    chat.box.press("Enter")
    expect(chat.box).to_have_value("written by thumb\n")
    chat.button("Send").tap()
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    assert fits(chat.page)
    chat.button("Show the conversations").tap()
    expect(nav).to_be_visible()
    small = chat.page.evaluate("""() => [...document.querySelectorAll("button, a:not(.skip)")].filter((each) => {
        const box = each.getBoundingClientRect();
        return box.width && box.height && (box.height < 44 || box.width < 44) && !each.closest("fh-markdown");
    }).map((each) => each.outerHTML.slice(0, 120))""")
    assert small == [], "what a finger cannot hit"
    nav.get_by_role("link", name="the first").tap()
    expect(chat.page).to_have_url(re.compile(first))
    expect(nav).to_be_hidden()
    expect(chat.answers.first).to_contain_text("the first")


def test_right_to_left(ann: Person, axe: Axe) -> None:
    ann.settings(models=["gpt"], locale="ar")
    chat = ann.page()
    page = chat.page
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    nav, box = page.locator("nav.side").bounding_box(), chat.box.bounding_box()
    assert nav and box and nav["x"] > box["x"], "the list stands on the right"
    assert re.search("[\u0600-\u06ff]", page.get_by_role("heading", level=1).inner_text())
    chat.ask("مرحبا، كيف الحال؟")
    bubble = chat.questions.first.locator(".bubble").bounding_box()
    words = chat.answers.first.locator("fh-markdown").bounding_box()
    assert bubble and words and bubble["x"] + bubble["width"] / 2 < words["x"] + words["width"] / 2
    assert axe(page) == [] and fits(page)
    page.locator(".side-self button").click()
    menu = page.get_by_role("menu").bounding_box()
    assert menu and menu["x"] >= 0 and menu["x"] + menu["width"] <= 1280
    page.keyboard.press("Escape")
    ann.settings(locale=None)
    page.reload()
    expect(page.locator("html")).to_have_attribute("dir", "ltr")


def test_the_language_and_the_colours_are_chosen(ann: Person) -> None:
    chat = ann.page()
    leaf = chat.panel("Settings")
    leaf.get_by_label("Colours").select_option("dark")
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")
    leaf.get_by_label("Language").select_option("de")
    expect(chat.page.locator("html")).to_have_attribute("lang", "de")
    expect(chat.page.get_by_role("link", name="Neuer Chat")).to_be_visible()
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.fixture
def counted(ann: Person) -> Iterator[tuple[Chat, dict[str, int]]]:
    """A page, and the compressed bytes of each of its requests."""
    page = ann.context().new_page()
    session: Any = page.context.new_cdp_session(page)
    session.send("Network.enable")
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    session.on("Network.requestWillBeSent", lambda e: names.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.loadingFinished", lambda e: sizes.update({names[e["requestId"]]: int(e["encodedDataLength"])}))
    yield Chat(page), sizes
    session.detach()


def test_the_first_load_is_small(ann: Person, counted: tuple[Chat, dict[str, int]]) -> None:
    ann.talked("before")
    chat, sizes = counted
    chat.to("/")
    expect(chat.page.get_by_role("link", name="before")).to_be_visible()
    chat.page.wait_for_load_state("networkidle")
    asked = [url for url in sizes if not url.startswith("data:")]
    total = sum(sizes[url] for url in asked)
    assert all(url.startswith(ann.hall.url + "/") for url in asked), asked
    assert len(asked) <= 12 and total <= 80_000, (len(asked), total, sizes)
