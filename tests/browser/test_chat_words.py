"""What a model writes, in the chat: Markdown, code, tables, math, diagrams, artifacts; and attacks that do nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.attacks import ATTACKS
from tests.browser.conftest import Watch
from tests.browser.people import Chat, Person
from tests.system import until as wait

RICH = """Look:

# A heading

Words with **bold**, `code` and [a link](https://example.org/).

| Name | Value |
|:-----|------:|
| a | 1 |
| b | 2 |

```python title="hello.py"
def hello(name: str) -> str:
    return f"hello {name}"  # comment
```

$$
\\int_0^1 x^2 dx = \\frac{1}{3}
$$

- one
- two
"""
PAGE = """Here:

```html
<!doctype html><title>Clock</title><h1>Tick</h1><script>document.querySelector("h1").textContent = "Tock"</script>
```
"""
DIAGRAM = """Here:

```mermaid
graph TD; Bees-->Honey
```
"""


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 390)])
def test_a_rich_answer_excludes_nobody(ann: Person, axe: Callable[[Page], list[str]], scheme: str, width: int) -> None:
    chat = ann.page(color_scheme=scheme, viewport={"width": width, "height": 844})
    answer = chat.ask(RICH)
    words = answer.locator("fh-markdown")
    expect(words.get_by_role("heading", name="A heading")).to_be_visible()
    expect(words.get_by_role("table").get_by_role("row")).to_have_count(3)
    expect(words.get_by_role("link", name="a link")).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(words.locator(".katex").first).to_be_visible()
    expect(words.locator("pre code span").first).to_be_visible()
    answer.locator(".facts-line").click()
    expect(answer.locator(".facts")).to_be_visible()
    assert axe(chat.page) == []
    assert chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_code_is_copied(ann: Person) -> None:
    chat = ann.page()
    answer = chat.ask(RICH)
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer.locator(".code-tools").get_by_role("button", name="Copy").click()
    code = 'def hello(name: str) -> str:\n    return f"hello {name}"  # comment'
    wait(lambda: chat.page.evaluate("navigator.clipboard.readText()").strip() == code, what="the code to be copied")


def test_a_page_runs_beside_the_talk_in_versions(ann: Person, axe: Callable[[Page], list[str]]) -> None:
    chat = ann.page()
    answer = chat.ask(PAGE)
    answer.get_by_role("button", name="Open", exact=True).click()
    panel = chat.page.locator("fh-artifact")
    frame = panel.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Tock")).to_be_visible()
    expect(panel.locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    assert axe(chat.page) == []
    chat.ask(PAGE.replace('"Tock"', '"Clack"'))
    chat.answers.nth(1).get_by_role("button", name="Open", exact=True).click()
    expect(frame.get_by_role("heading", name="Clack")).to_be_visible()
    panel.get_by_label("Version", exact=True).select_option("Version 1 of 2")
    expect(frame.get_by_role("heading", name="Tock")).to_be_visible()
    panel.get_by_role("button", name="Source").click()
    expect(panel.locator("pre")).to_contain_text('"Tock"')
    with chat.page.expect_download() as download:
        panel.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "Clock.html"
    chat.page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(chat.answers.nth(1).get_by_role("button", name="Open", exact=True)).to_be_focused()


def test_on_a_phone_it_lies_over_the_talk(ann: Person, axe: Callable[[Page], list[str]]) -> None:
    chat = ann.page(viewport={"width": 390, "height": 844})
    answer = chat.ask(PAGE)
    answer.get_by_role("button", name="Open", exact=True).click()
    panel = chat.page.locator("fh-artifact")
    expect(panel.frame_locator("iframe").get_by_role("heading", name="Tock")).to_be_visible()
    assert axe(chat.page) == []
    assert panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
    answer.get_by_role("button", name="Open", exact=True).click()
    expect(panel).to_be_visible()
    chat.page.go_back()
    expect(panel).to_have_count(0)


def test_a_diagram_is_drawn(ann: Person) -> None:
    chat = ann.page()
    answer = chat.ask(DIAGRAM)
    expect(answer.locator("fh-markdown img").first).to_be_visible(timeout=20_000)


def test_attacks_in_an_answer_do_nothing(ann: Person, watch: Watch) -> None:
    watch.allow("Applying inline style|Executing inline event handler|Setting the document's base URI|@import rules")
    half = len(ATTACKS) // 2
    chat = ann.page()
    for part in (ATTACKS[:half], ATTACKS[half:]):
        text = "\n\n".join(each.replace("{stranger}", "http://127.0.0.1:1") for each in part)
        answer = chat.ask("attack\n\n" + text)
        expect(answer.locator("fh-markdown")).not_to_be_empty()
    chat.page.reload()
    expect(chat.answers).to_have_count(2)
    harmless(chat)


def harmless(chat: Chat) -> None:
    """Scroll over everything and look for what may not be there."""
    for answer in chat.answers.all():
        answer.scroll_into_view_if_needed()
    assert chat.page.evaluate("typeof stolen === 'undefined'")
    banned = "script, iframe, object, embed, form, base, meta, link, style, svg a, [onerror], [onload], [onclick]"
    found = chat.page.evaluate(
        "(banned) => [...document.querySelectorAll('fh-markdown')].flatMap((each) => "
        "[...each.querySelectorAll(banned)].map((node) => node.outerHTML))",
        banned,
    )
    assert found == []
