"""Markdown in a real browser: what it becomes, that a growing text ends as a whole one does."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.samples import MIXED, SAMPLES
from tests.browser.waiting import until


def show(page: Page, text: str) -> str:
    made: str = page.evaluate("show", text)
    return made


@pytest.mark.parametrize(
    ("text", "selector", "expected"),
    [
        ("# One\n\n## Two", "h3", "One"),
        ("a *b* **c** ~~d~~ `e`", "strong", "c"),
        ("a&amp;b &lt;i&gt; &copy; &hellip; &nosuch;", "p", "a&b <i> © … &nosuch;"),
        ("`&amp;`", "code", "&amp;"),
        ("1. a\n2. b", "ol > li:nth-child(2)", "b"),
        ("7. a\n8. b", "ol[start='7'] > li", "a"),
        ("- [x] a\n- [ ] b", "li.task .box.checked", ""),
        ("> quoted\n> more", "blockquote p", "quoted\nmore"),
        ("| a | b |\n|:-:|--:|\n| 1 | 2 |", ".table-box td.right", "2"),
        ("```python\nx = 1\n```", "figure.code .code-language", "python"),
        ("```python\nx = 1\n\ny\n```", "figure.code code", "x = 1\n\ny"),
        ("~~~\na\n```\nb\n~~~", "figure.code code", "a\n```\nb"),
        ("H<sub>2</sub>O", "sub", "2"),
        ("<details><summary>More</summary>\n\ninside\n\n</details>\n\nafter", "details p", "inside"),
        ("[a][x]\n\ntext\n\n[x]: https://example.org", "a[href^='https://example.org']", "a"),
        ("https://example.org/a", "a[rel='noopener noreferrer nofollow'][target=_blank]", "https://example.org/a"),
        ("<b>bold *and*</b> not", "b em", "and"),
        ("<kbd>Ctrl</kbd>", "kbd", "Ctrl"),
        ("a  \nb", "p br", ""),
        ("    indented", "figure.code code", "indented"),
        ("Setext\n===", "h3[data-level='1']", "Setext"),
        ("![alt](data:image/png;base64,iVBORw0KGgo=)", "img[alt=alt]", ""),
    ],
)
def test_markdown_becomes(page: Page, text: str, selector: str, expected: str) -> None:
    show(page, text)
    found = page.locator(f"fh-markdown {selector}").first
    assert found.count() == 1, page.locator("fh-markdown").inner_html()
    assert (found.text_content() or "").strip() == expected


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("seed", [1, 4])
def test_a_growing_text_ends_as_the_whole_one(page: Page, name: str, seed: int) -> None:
    text = SAMPLES[name]
    expected = show(page, text)
    chance = random.Random(f"{name}{seed}")
    pieces = []
    rest = text
    while rest:
        cut = chance.choice([1, 1, 2, 3, 5, 8, 40])
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert page.evaluate("([p, every]) => grow(p, every)", [pieces, seed]) == expected


def test_finished_blocks_are_never_touched_again(page: Page) -> None:
    page.evaluate("""async () => {
        const node = make();
        node.append("First.\\n\\n```js\\nlet x\\n```\\n\\nThird.\\n\\nF");
        await new Promise((done) => setTimeout(done, 300));
        window.kept = [...node.children].slice(0, 3);
        window.changes = 0;
        const count = (seen) => (changes += seen.filter(({ target }) => kept.some((k) => k.contains(target))).length);
        new MutationObserver(count).observe(node, { childList: true, subtree: true, characterData: true });
        for (let at = 0; at < 200; at += 1) {
            node.append("word ");
            if (at % 10 === 0) await new Promise(requestAnimationFrame);
        }
        await node.finish();
    }""")
    assert page.evaluate("kept.map((k) => k.isConnected && k.parentNode.tagName)") == ["FH-MARKDOWN"] * 3
    assert page.evaluate("changes") == 0


def test_set_keeps_what_stands(page: Page) -> None:
    page.evaluate("""async () => {
        const node = make();
        node.set("One.\\n\\nTwo.\\n\\nThree");
        await new Promise((done) => setTimeout(done, 100));
        window.first = node.firstElementChild;
        node.set("One.\\n\\nTwo.\\n\\nThree and more");
        await node.finish();
    }""")
    assert page.evaluate("first.isConnected")
    assert page.locator("fh-markdown p").all_text_contents() == ["One.", "Two.", "Three and more"]
    page.evaluate("document.querySelector('fh-markdown').set('Another')")
    until(page, "document.querySelector('fh-markdown').textContent === 'Another'")


def test_code_is_coloured_and_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show(page, '```python title="a.py"\ndef f(x):\n    return "y"  # why\n```')
    page.wait_for_selector(".tk-keyword")
    assert page.locator(".tk-comment").text_content() == "# why"
    assert page.locator("figure code").text_content() == 'def f(x):\n    return "y"  # why'
    assert page.locator(".code-language").text_content() == "a.py"
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == 'def f(x):\n    return "y"  # why'
    wrap = page.get_by_role("button", name="Wrap")
    wrap.click()
    assert wrap.get_attribute("aria-pressed") == "true"
    page.evaluate("addEventListener('artifact', ({ detail }) => (window.opened = detail))")
    page.get_by_role("button", name="Open").click()
    assert page.evaluate("opened") == {
        "kind": "code", "language": "python", "title": "a.py", "text": 'def f(x):\n    return "y"  # why',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "formulas", "display"),
    [
        ("$x^2$ and \\(y\\)", 2, 0),
        ("$$\nx = \\frac{1}{2}\n$$", 1, 1),
        ("\\[\n\\sum_{i=1}^n i\n\\]", 1, 1),
        ("Text\n$$a$$\nmore", 1, 1),
        ("It costs $5 and $10.", 0, 0),
        ("From $5 to 10$ a month", 0, 0),
        ("US$5, A$7 and $3.50/month or $4", 0, 0),
        ("`$x$` and \\$y$", 0, 0),
        ("- a $a_1$ and $b_1$\n- $$c$$", 3, 1),
        ("$E=mc^2$, $\\alpha$; ($x$)", 3, 0),
        ("| a |\n|--|\n| $x$ |", 1, 0),
        ("**$x$**", 1, 0),
        ("$ x $ and 5 $", 0, 0),
        ("$5$ is five", 1, 0),
        ("$n$th", 1, 0),
    ],
)
def test_formulas_are_told_from_prices(page: Page, text: str, formulas: int, display: int) -> None:
    show(page, text)
    assert page.locator(".math").count() == formulas, page.locator("fh-markdown").inner_html()
    assert page.locator(".math.display").count() == display
    if formulas:
        until(
            page,
            "n => document.querySelectorAll('.math > span > .katex, .math > span > .katex-display').length === n",
            arg=formulas,
        )
    else:
        assert page.locator("fh-markdown").text_content() == text.replace("`", "").replace("\\$", "$")


def test_formulas_are_drawn_with_their_styles(page: Page) -> None:
    show(page, "$$\\frac{a}{b} + \\sqrt{x^2} \\color{red}{y}$$ and $\\nosuch{$ and $\\href{javascript:alert(1)}{x}$")
    page.wait_for_selector(".katex-html")
    heights = page.evaluate("[...document.querySelectorAll('.katex .vlist')].map((n) => n.style.height)")
    assert heights and all(height.endswith("em") for height in heights)
    page.wait_for_selector(".math.faulty")
    assert page.locator(".math a").count() == 0


def test_diagrams_come_as_pictures(page: Page) -> None:
    show(page, "```mermaid\ngraph TD; A[Start] --> B{Fine?}\n```\n\n```mermaid\ngraph TD; A -->\n```")
    page.wait_for_selector(".diagram[data-state=drawn] img", timeout=30_000)
    page.wait_for_selector(".diagram[data-state=failed]", timeout=30_000)
    width = page.evaluate(
        "async () => { const i = document.querySelector('.diagram img'); await i.decode(); return i.naturalWidth; }"
    )
    assert width > 50
    assert page.locator(".diagram[data-state=failed]").text_content() != ""
    assert page.locator("fh-markdown svg").count() == 0
    page.get_by_role("button", name="Source").first.click()
    assert page.locator("figure.code pre").first.is_visible()


def test_no_barrier_for_anybody(page: Page, axe: Callable[[Page], list[str]]) -> None:
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        show(page, MIXED)
        page.wait_for_selector(".tk-keyword")
        page.wait_for_selector(".katex")
        assert axe(page) == []


def test_every_block_finds_its_own_direction(page: Page) -> None:
    show(page, "مرحبا بالعالم\n\nHello\n\n- عنصر\n\n```js\nlet x\n```")
    found = page.evaluate(
        "[...document.querySelectorAll('#place :is(p, li, pre)')].map((n) => getComputedStyle(n).direction)"
    )
    assert found == ["rtl", "ltr", "rtl", "ltr"]
