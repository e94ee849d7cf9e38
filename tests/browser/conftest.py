"""A real browser for tests: Debian's chromium, driven over its own protocol. Whatever it complains of fails the test.

The browser lives as long as this folder's tests: its driver owns the thread's event loop while it runs.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)

from tests.browser.people import PASSWORD, Opener, ann, hall, person, whole_hall
from tests.browser.site import Site
from tests.browser.waiting import until
from tests.system import ROOT, System, config, deployment
from tests.vendor import Vendor

SECONDS = 30
"""How long is waited for what a page is to show: several browsers may share two cores."""
expect.set_options(timeout=SECONDS * 1000)

MISSING = "These tests drive a real browser; install it: apt-get install chromium (or set CHROMIUM)."
__all__ = ["PASSWORD", "ann", "hall", "person", "whole_hall"]
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium() -> str:
    """The path of the browser; the test fails when there is none."""
    named = os.environ.get("CHROMIUM")
    for name in [named] if named else ["chromium", "chromium-browser", "google-chrome"]:
        found = shutil.which(name)
        if found:
            return found
    pytest.fail(MISSING, pytrace=False)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # A container's root has no user namespaces of its own, which the browser's sandbox is made of.
        started = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


class Watch:
    """What pages complained of and whom they asked. `allow` names complaints that a test provokes."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.hosts: set[str] = set()
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        self._allowed.append(re.compile(pattern))

    def follow(self, context: BrowserContext) -> None:
        """Listen to every page that the context has and will have."""
        context.on("console", self._said)
        context.on("weberror", self._failed)
        context.on("request", self._asked)

    def leave(self, context: BrowserContext) -> None:
        """Stop listening."""
        context.remove_listener("console", self._said)
        context.remove_listener("weberror", self._failed)
        context.remove_listener("request", self._asked)

    def _failed(self, error: WebError) -> None:
        self.complaints.append(f"error: {error.error}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc not in self.hosts:
            self.complaints.append(f"request to another host: {request.url[:200]}")

    def check(self) -> None:
        """Raises AssertionError for each complaint that was not allowed."""
        left = [each for each in self.complaints if not any(p.search(each) for p in self._allowed)]
        assert left == [], "\n".join(left)


@pytest.fixture
def watch() -> Iterator[Watch]:
    one = Watch()
    yield one
    one.check()


@pytest.fixture
def context_of(browser: Browser, watch: Watch) -> Iterator[Opener]:
    """`context_of(url, **options)` makes a profile whose only host is that of `url`; all are closed after the test."""
    made: list[BrowserContext] = []

    def make(url: str, **options: Any) -> BrowserContext:
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=url, **options)
        context.set_default_timeout(SECONDS * 1000)
        watch.hosts.add(urlsplit(url).netloc)
        watch.follow(context)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture(scope="package")
def whole_site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture
def site(whole_site: Site) -> Site:
    """The product's static files and the tests' own, as the door serves them; what was recorded is forgotten."""
    whole_site.seen.clear()
    return whole_site


@pytest.fixture(scope="package")
def _bench(browser: Browser, whole_site: Site) -> Iterator[Page]:
    context = browser.new_context(base_url=whole_site.url, locale="en-GB", reduced_motion="reduce")
    context.set_default_timeout(SECONDS * 1000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(site: Site, _bench: Page, watch: Watch) -> Iterator[Page]:
    """A page of the static site, at the bench of the Markdown element, fresh but for its cache."""
    watch.hosts.add(urlsplit(site.url).netloc)
    watch.follow(_bench.context)
    _bench.goto("/test/bench.html")
    until(_bench, "window.ready === true")
    yield _bench
    _bench.goto("about:blank")
    watch.leave(_bench.context)


@pytest.fixture(scope="session")
def _axe() -> str:
    if not AXE.is_file():
        pytest.fail("axe-core is not installed: run scripts/test-needs.sh", pytrace=False)
    return AXE.read_text("utf-8")


@pytest.fixture
def axe(_axe: str) -> Callable[[Page], list[str]]:
    """`axe(page)` returns the violations of WCAG 2.2 A and AA and of good practice, a line each."""

    def run(page: Page, within: str = "") -> list[str]:
        if not page.evaluate("'axe' in window"):
            page.evaluate(_axe)
        options = {"runOnly": {"type": "tag", "values": AXE_RULES}, "resultTypes": ["violations"]}
        found = page.evaluate("([where, o]) => axe.run(where || document, o)", [within, options])
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    return run


class House:
    """A running Freehold with its vendor behind it and its owner signed in."""

    def __init__(self, system: System, vendor: Vendor, context_of: Opener) -> None:
        self.system, self.vendor, self._context_of = system, vendor, context_of
        self.url = system.url
        self._state: Any = None

    def context(self, *, signed_in: bool = True, **options: Any) -> BrowserContext:
        """A browser profile; the owner is made, and signed in, the first time that somebody is to be."""
        if not signed_in:
            return self._context_of(self.url, **options)
        if self._state is None:
            self._state = self._sign_in()
        return self._context_of(self.url, storage_state=self._state, **options)

    def page(self, path: str = "/", **options: Any) -> Page:
        opened = self.context(**options).new_page()
        opened.goto(path)
        return opened

    def _sign_in(self) -> Any:
        context = self._context_of(self.url)
        about = context.request.get("/api/session").json()
        asked = {"name": "ada", "display": "Ada Lovelace", "password": PASSWORD}
        if about["setup"] and about["code"]:
            found = re.search(r"code[^\n]*?\b([A-Z0-9]{4}-?[A-Z0-9]{4})\b", self.system.tail())
            assert found, self.system.tail()
            asked["code"] = found[1]
        answer = context.request.post("/api/setup" if about["setup"] else "/api/session", data=asked)
        assert answer.ok, answer.text()
        return context.storage_state()


@pytest.fixture
def house(tmp_path: Path, vendor: Vendor, context_of: Opener) -> Iterator[Callable[..., House]]:
    """`house(*tables)` starts a Freehold with the deployment "gpt" behind the fake vendor, and what `tables` add."""
    made: list[System] = []

    def make(*tables: str, **more: Any) -> House:
        home = tmp_path / f"house{len(made)}"
        home.mkdir()
        parts = (deployment("gpt", vendor.url, "gpt-4o", price=("2.50", "10")), *tables)
        one = System(home, config(*parts, **more))
        made.append(one)
        one.start()
        return House(one, vendor, context_of)

    yield make
    for one in made:
        one.stop()
