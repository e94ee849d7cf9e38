"""What a model writes does nothing in the reader's browser: whole or in pieces, as a block, in a list, in words."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.attacks import ATTACKS
from tests.browser.conftest import Watch
from tests.browser.site import Site

SHAPES = {
    "alone": "%s",
    "within words": "word %s word",
    "in a list": "- a\n- %s\n",
    "after a block": "Text.\n\n%s\n\nMore.",
    "quoted": "> %s",
}
HARMLESS = """() => {
    const found = [];
    for (const node of document.querySelectorAll("#place fh-markdown *")) {
        const name = node.localName;
        const drawn = node.closest(".katex");
        if (BANNED.has(name) && !drawn) found.push(`<${name}>`);
        if (name === "button" && !node.closest(".code-tools")) found.push("<button>");
        for (const { name: attribute, value } of node.attributes) {
            if (drawn && !attribute.startsWith("on") && !["href", "src", "id", "name"].includes(attribute)) continue;
            if (!ALLOWED.has(attribute) && !/^(?:aria-[a-z]+|data-(?:level|whole|begun|state))$/.test(attribute))
                found.push(`${name}[${attribute}]`);
            if (attribute === "href" && !/^(?:https?:|mailto:)/.test(node.href)) found.push(`href=${value}`);
            const own = /^(?:data:image|blob:|\\/api\\/files\\/[\\w-]+$)/;
            if (attribute === "src" && !own.test(value)) found.push(`src=${value}`);
        }
    }
    if (window.stolen !== 0) found.push("it ran");
    if (document.querySelectorAll("#place").length !== 1) found.push("id");
    return found;
}"""
ALLOWED = [
    "href",
    "rel",
    "target",
    "title",
    "dir",
    "lang",
    "class",
    "alt",
    "src",
    "width",
    "height",
    "colspan",
    "rowspan",
    "start",
    "open",
    "loading",
    "decoding",
    "tabindex",
    "role",
    "scope",
    "type",
]

BANNED = [
    "script",
    "style",
    "link",
    "meta",
    "base",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "select",
    "textarea",
    "template",
    "svg",
    "math",
    "video",
    "audio",
    "source",
    "picture",
    "portal",
    "dialog",
    "slot",
    "fh-markdown",
    "frame",
    "frameset",
    "noscript",
    "marquee",
]
CLICK = """for (const link of document.querySelectorAll("#place a")) {
    link.target = "_self";
    link.addEventListener("click", (event) => event.preventDefault());
    link.click();
}"""


def test_the_corpus_is_large_and_each_attack_once() -> None:
    assert len(set(ATTACKS)) == len(ATTACKS) >= 120


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_model_writes_does_nothing(page: Page, site: Site, watch: Watch, shape: str) -> None:
    page.evaluate("([a, b]) => { window.ALLOWED = new Set(a); window.BANNED = new Set(b); }", [ALLOWED, BANNED])
    # DOMPurify reads HTML into a document that is never shown; the policy says there what it would not have allowed.
    watch.allow("Applying inline style|Executing inline event handler|Setting the document's base URI")
    watch.allow("@import rules are not allowed here")  # the diagram frame's own refusal
    for attack in ATTACKS:
        text = SHAPES[shape] % attack.replace("{stranger}", site.stranger).replace("{{", "{").replace("}}", "}")
        page.evaluate("show", text)
        assert page.evaluate(HARMLESS) == [], text
        page.evaluate("([t]) => grow([...t], 0)", [text])
        assert page.evaluate(HARMLESS) == [], text
        # Whatever can be clicked is clicked: nothing runs, nothing of ours is left.
        page.evaluate(CLICK)
    page.wait_for_timeout(300)
    assert page.evaluate(HARMLESS) == []
    assert site.seen == []
    assert page.url.endswith("/test/bench.html")


def test_images_of_ours_are_shown_and_others_are_links(page: Page, site: Site, watch: Watch) -> None:
    page.evaluate("show", f"![mine](/api/files/file_1) and ![other]({site.stranger}/x.png)")
    assert page.locator("img").get_attribute("src") == "/api/files/file_1"
    link = page.get_by_role("link")
    assert link.get_attribute("href") == f"{site.stranger}/x.png"
    assert "other" in (link.text_content() or "")
    page.locator("img").scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert [each for each in site.seen if "stranger" in each] == []
