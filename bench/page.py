"""The page in a real browser: what its first load costs, what a streamed answer and a long talk cost the main thread.

Prints a table, and JSON with --json. Needs chromium and playwright (`make test` installs both). The first load is that
of a signed-in member on a new chat, cold cache, over 1.6 Mbit/s with 150 ms latency and the CPU slowed four times.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import APIRequestContext, Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import PASSWORD, chromium  # noqa: E402
from tests.browser.site import Site  # noqa: E402
from tests.browser.waiting import until  # noqa: E402
from tests.system import System, config, deployment  # noqa: E402
from tests.vendor import Vendor  # noqa: E402

SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 200_000}
SLOWED = 4  # times
DELTAS, RATE = 8_000, 400
WORDS = ["the", "model", "answers", "with", "words", "that", "are", "long", "or", "short", "and", "sometimes", "odd"]
MESSAGES = 500
LONG = 50  # milliseconds of a task, from which on it is called long
STREAM = """([pieces, rate]) => new Promise((done) => {
    const node = make();
    const began = performance.now();
    let at = 0;
    const timer = setInterval(() => {
        const due = Math.min(pieces.length, Math.floor((performance.now() - began) * rate / 1000));
        while (at < due) node.append(pieces[at++]);
        if (at >= pieces.length) {
            clearInterval(timer);
            const ended = performance.now();
            const tell = () => done({ took: ended - began, after: performance.now() - ended });
            node.finish().then(() => setTimeout(tell, 1000));
        }
    }, 4);
})"""


def mixed(deltas: int) -> list[str]:
    """About four characters a delta: paragraphs, lists, code, tables, formulas."""
    chance = random.Random(7)

    def words(n: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(n))

    made: list[str] = []
    size = 0
    while size < deltas * 3.9:
        kind = chance.choice(["p", "p", "p", "list", "code", "table", "math", "head"])
        text = {
            "p": lambda: f"{words(30)} **{words(2)}** and `{words(1)}` {words(40)}.",
            "list": lambda: "\n".join(f"- {words(9)} *{words(1)}*" for _ in range(8)),
            "code": lambda: (
                "```python\n" + "\n".join(f"    x{i} = f({i}, '{words(4)}')  # {words(1)}" for i in range(25)) + "\n```"
            ),
            "table": lambda: (
                "| a | b | c |\n|---|---|---|\n" + "\n".join(f"| {i} | {words(3)} | {words(1)} |" for i in range(12))
            ),
            "math": lambda: "$$\n\\sum_{i=1}^{n} x_i^2 = \\frac{a}{b}\n$$\n\nwith $x_i$ and $y^2$",
            "head": lambda: f"## {words(4)}",
        }[kind]()
        made.append(text + "\n\n")
        size += len(text) + 2
    text = "".join(made)
    step = len(text) / deltas
    return [text[int(i * step) : int((i + 1) * step)] for i in range(deltas)]


@contextmanager
def watched(browser: Browser, page: Page) -> Iterator[dict[str, float]]:
    """Fill in, at the end, the long tasks of the page's main thread: by the clock, and by its own CPU time, which other
    work on the machine does not lengthen."""
    found: dict[str, float] = {}
    browser.start_tracing(page=page, categories=["toplevel"])
    yield found
    events = json.loads(browser.stop_tracing())["traceEvents"]
    thread = {
        (e["pid"], e["tid"]) for e in events if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        e for e in events if e.get("ph") == "X" and e["name"].endswith("RunTask") and (e["pid"], e["tid"]) in thread
    ]
    for name, key in (("blocked", "dur"), ("cpu", "tdur")):
        times = [e.get(key, 0) / 1000 for e in tasks]
        long = [each for each in times if each > LONG]
        found |= {f"{name}_ms": sum(long), f"{name}_tasks": len(long), f"{name}_longest": max(times, default=0)}


def slowed(page: Page, times: int) -> Any:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": times})
    return session


def streaming(browser: Browser, site: Site, times: int) -> dict[str, float]:
    """Milliseconds that streaming a long answer blocks the main thread."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{site.url}/test/bench.html")
    until(page, "window.ready === true")
    slowed(page, times)
    pieces = mixed(DELTAS)
    page.set_default_timeout(120_000)
    with watched(browser, page) as found:
        took = page.evaluate(STREAM, [pieces, RATE])
    page.close()
    size = sum(map(len, pieces))
    return {"characters": size, "took_ms": took["took"], "after_ms": took["after"] - 1000, **found}


def owner(browser: Browser, system: System) -> Any:
    """Make the owner; return what a browser keeps of being signed in."""
    context = browser.new_context(base_url=system.url)
    answer = context.request.post("/api/setup", data={"name": "ada", "password": PASSWORD})
    assert answer.ok, answer.text()
    state = context.storage_state()
    context.close()
    return state


def first_load(browser: Browser, system: System, state: Any) -> dict[str, float]:
    """Bytes over the wire, requests, and milliseconds until one can write, on a slow network with a slow CPU."""
    context = browser.new_context(storage_state=state, viewport={"width": 390, "height": 844}, service_workers="block")
    page = context.new_page()
    session = slowed(page, SLOWED)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW)
    sizes: list[float] = []
    page.goto(system.url, wait_until="commit")
    page.get_by_role("textbox").first.wait_for(state="visible", timeout=60_000)
    page.get_by_role("textbox").first.click(timeout=60_000)
    page.keyboard.press("h")
    page.wait_for_timeout(0)
    usable = page.evaluate("performance.now()")
    written = page.get_by_role("textbox").first.input_value()
    assert written == "h", written
    context.close()
    context = browser.new_context(storage_state=state, service_workers="block")
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(system.url)
    page.wait_for_timeout(5_000)
    context.close()
    return {"kilobytes": sum(sizes) / 1000, "requests": len(sizes), "usable_ms": usable}


def long_talk(api: APIRequestContext, csrf: str) -> str:
    """Bring in a talk of many messages, as an export of ChatGPT's; return its id."""
    nodes: dict[str, Any] = {"n0": {"id": "n0", "parent": None, "children": ["n1"], "message": None}}
    text = "".join(mixed(400))
    for i in range(1, MESSAGES + 1):
        role = "user" if i % 2 else "assistant"
        said = text if role == "assistant" else "And what then?"
        message = {
            "id": f"n{i}", "author": {"role": role}, "create_time": 1.7e9 + i,
            "content": {"content_type": "text", "parts": [said]},
        }  # fmt: skip
        nodes[f"n{i}"] = {"id": f"n{i}", "parent": f"n{i - 1}", "children": [f"n{i + 1}"], "message": message}
    nodes[f"n{MESSAGES}"]["children"] = []
    talk = {"id": "long", "title": "Long", "create_time": 1.7e9, "mapping": nodes, "current_node": f"n{MESSAGES}"}
    data = json.dumps([talk]).encode()
    csrf_header = {"x-freehold-csrf": csrf}
    made = api.post("/api/imports", data={"name": "conversations.json", "bytes": len(data)}, headers=csrf_header).json()
    api.put(
        f"/api/imports/{made['id']}/data?offset=0", data=data, headers={**csrf_header, "content-type": "text/plain"}
    )
    api.post(f"/api/imports/{made['id']}/start", headers=csrf_header)
    for _ in range(600):
        state = api.get(f"/api/imports/{made['id']}").json()
        if state["state"] not in ("receiving", "running"):
            break
        time.sleep(0.1)
    (item,) = state["report"]["items"]
    return str(item["id"])


def scrolling(browser: Browser, system: System, state: Any) -> dict[str, float]:
    """What opening a talk of many messages and scrolling through it block."""
    context = browser.new_context(base_url=system.url, storage_state=state, viewport={"width": 1280, "height": 800})
    talk = long_talk(context.request, context.request.get("/api/session").json()["csrf"])
    page = context.new_page()
    with watched(browser, page) as opening:
        page.goto(f"/c/{talk}")
        page.locator("fh-markdown").last.wait_for()
        page.wait_for_timeout(3_000)
    page.mouse.move(640, 400)
    with watched(browser, page) as found:
        for direction in (-1, 1):
            for _ in range(300):
                page.mouse.wheel(0, direction * 900)
                page.wait_for_timeout(16)
        page.wait_for_timeout(1_000)
    context.close()
    return {"opening_blocked_ms": opening["blocked_ms"], "opening_cpu_ms": opening["cpu_ms"], **found}


def measure() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        with Site() as site:
            found["stream"] = streaming(browser, site, 1)
            found[f"stream, CPU / {SLOWED}"] = streaming(browser, site, SLOWED)
        with tempfile.TemporaryDirectory() as home, Vendor() as vendor:
            system = System(Path(home), config(deployment("gpt", vendor.url, "gpt-4o"))).start()
            try:
                state = owner(browser, system)
                found["first load"] = first_load(browser, system, state)
                found[f"talk of {MESSAGES}"] = scrolling(browser, system, state)
            finally:
                system.stop()
        browser.close()
    return found


def main() -> None:
    found = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps(found, indent=2))
        return
    for name, values in found.items():
        print(f"{name:20} " + "  ".join(f"{key.replace('_', ' ')} {value:,.0f}" for key, value in values.items()))


if __name__ == "__main__":
    main()
