"""The page as an application: without a network its shell stands, and nothing of the API is kept."""

from __future__ import annotations

import json
import struct

from playwright.sync_api import Page

from tests.browser.conftest import Opener, Watch
from tests.browser.site import STATIC, Site
from tests.browser.waiting import until


def open_installed(site: Site, context_of: Opener) -> Page:
    page = context_of(site.url, service_workers="allow").new_page()
    page.goto("/test/bench.html")
    until(page, "window.ready === true")
    page.evaluate("import('/install.js').then(({ install }) => install((take) => (window.take = take)))")
    until(page, "navigator.serviceWorker.controller !== null")
    return page


def test_the_shell_stands_without_a_network_and_no_answer_is_kept(site: Site, context_of: Opener, watch: Watch) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED|Failed to fetch|Failed to load resource|404")
    page = open_installed(site, context_of)
    assert page.evaluate("fetch('/api/session').then((r) => r.status)") == 200
    page.evaluate("fetch('/app.js').then((r) => r.status)")
    names = page.evaluate(
        "async () => (await Promise.all((await caches.keys()).map(async (n) => (await (await caches.open(n)).keys())"
        ".map((r) => new URL(r.url).pathname)))).flat()"
    )
    assert {"/", "/app.js", "/base.css", "/vendor/preact.mjs"} <= set(names)
    assert [name for name in names if name.startswith(("/api", "/v1", "/frame", "/vendor/mermaid"))] == []
    page.context.set_offline(True)
    until(page, "navigator.onLine === false")
    assert page.evaluate("fetch('/api/session').catch(() => 'no network')") == "no network"
    shown = page.goto("/c/some-conversation")
    assert shown is not None and shown.status == 200
    assert page.locator("#app").count() == 1
    page.context.set_offline(False)


def test_a_worker_is_named_by_what_the_page_is_made_of(site: Site, context_of: Opener) -> None:
    page = open_installed(site, context_of)
    version = page.evaluate("fetch('/version.js').then((r) => r.text())")
    (name,) = page.evaluate("caches.keys()")
    assert name.removeprefix("freehold-") in version


def test_a_new_version_is_offered_and_not_forced(site: Site, context_of: Opener) -> None:
    page = open_installed(site, context_of)
    before = page.evaluate("caches.keys()")
    site.version = "self.FREEHOLD_VERSION = 'newer';"
    try:
        page.evaluate("navigator.serviceWorker.getRegistration().then((r) => r.update()).then(() => true)")
        until(page, "window.take !== undefined")
        page.evaluate("window.same = true")
        assert page.evaluate("caches.keys()") == [*before, "freehold-newer"]
        with page.expect_event("load"):
            page.evaluate("void setTimeout(window.take)")
        until(page, "window.same === undefined && window.ready === true")
        assert page.evaluate("caches.keys()") == ["freehold-newer"]
    finally:
        site.version = ""


def test_the_manifest_names_icons_that_are_what_it_says() -> None:
    manifest = json.loads((STATIC / "manifest.webmanifest").read_text("utf-8"))
    assert {"any", "maskable"} <= {icon.get("purpose", "any") for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        data = (STATIC / icon["src"].lstrip("/")).read_bytes()
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", data[16:24])
            assert icon["sizes"] == f"{width}x{height}"
