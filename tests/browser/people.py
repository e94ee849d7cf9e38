"""Members at the page: a house with a fake vendor for many tests, and for each test people of its own in it.

Knows how somebody signs in and what the chat's parts are called; refuses to know what a test is about. A house lasts
as long as this folder's tests, so a test counts nothing but its own people's things.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.system import System, config, deployment, until
from tests.vendor import Vendor

Opener = Callable[..., BrowserContext]
PASSWORD = "correct horse battery staple"
FACTS = 'region = "eu-west"\ncontract = "frame-2026"\ncontext = 8192'
DEPLOYMENTS = (
    ("gpt", "gpt-4o", f'capabilities = ["chat", "stream", "tools", "vision"]\n{FACTS}'),
    ("mini", "mini", 'capabilities = ["chat", "stream"]\ncontext = 8192'),
    ("large", "large", ""),
    ("thinker", "ok;thinks=Let me see, step by step.", ""),
    ("held", "held;after=3;more=3", ""),
    ("broken", "status;code=500", "retries = 0"),
    ("torn", "cut;after=4;more=4", "retries = 0"),
    ("handy", "ok;tools=once", ""),
)
ENDED = ("done", "stopped", "failed", "interrupted", "waiting")
_number = count(1)


class Hall:
    """A running Freehold with its vendor behind it and an owner."""

    def __init__(self, home: Path, vendor: Vendor, *tables: str) -> None:
        plain = [deployment(name, vendor.url, model, price=("2.50", "10"), more=m) for name, model, m in DEPLOYMENTS]
        self.system, self.vendor = System(home, config(*plain, *tables)), vendor
        self.system.start()
        self.url = self.system.url
        self.owner = self._set_up()

    def _set_up(self) -> httpx2.Client:
        client = httpx2.Client(base_url=self.url, trust_env=False, timeout=60)
        asked = {"name": "olga", "display": "Olga Owner", "password": PASSWORD}
        if client.get("/api/session").json()["code"]:
            found = re.search(r"code[^\n]*?\b([A-Z0-9]{4}-?[A-Z0-9]{4})\b", self.system.tail())
            assert found, self.system.tail()
            asked["code"] = found[1]
        answer = client.post("/api/setup", json=asked)
        assert answer.status_code == 200, answer.text
        client.headers["x-freehold-csrf"] = answer.json()["csrf"]
        return client

    def member(self, role: str = "member") -> httpx2.Client:
        """Make a member of this house and sign it in."""
        client = httpx2.Client(base_url=self.url, trust_env=False, timeout=60)
        name = f"ann{next(_number)}"
        made = {"name": name, "display": name.title(), "role": role, "password": PASSWORD}
        answer = self.owner.post("/api/admin/members", json=made)
        assert answer.status_code == 201, answer.text
        answer = client.post("/api/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["x-freehold-csrf"] = answer.json()["csrf"]
        client.headers.update({"x-name": name, "x-id": answer.json()["member"]["id"]})
        return client

    def close(self) -> None:
        self.owner.close()
        self.system.stop()


@contextmanager
def opened(home: Path, *tables: str) -> Iterator[Hall]:
    """A house of its own, with what `tables` add."""
    with Vendor() as vendor:
        hall = Hall(home, vendor, *tables)
        try:
            yield hall
        finally:
            hall.close()


@pytest.fixture(scope="package")
def whole_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with opened(tmp_path_factory.mktemp("hall")) as hall:
        yield hall


@pytest.fixture
def hall(whole_hall: Hall) -> Hall:
    """The house that tests share; what its vendor saw before is forgotten."""
    whole_hall.vendor.seen.clear()
    return whole_hall


class Person:
    """A member: what a program of theirs asks (`ask`), and their pages."""

    def __init__(self, hall: Hall, context_of: Opener, role: str = "member") -> None:
        self.hall, self._context_of = hall, context_of
        self.client = hall.member(role)
        self.name, self.id = str(self.client.headers["x-name"]), str(self.client.headers["x-id"])
        self._context: BrowserContext | None = None
        self.settings(models=["gpt"])

    def settings(self, **values: Any) -> None:
        self.ask("PATCH", "/api/me", {"settings": values})

    def ask(self, method: str, path: str, body: Any = None, status: int = 0) -> Any:
        """Call the API; AssertionError unless the status is `status` (0: any success)."""
        answer = self.client.request(method, path, json=body)
        assert answer.status_code == status or (not status and answer.is_success), (answer.status_code, answer.text)
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else None

    def context(self, *, signed_in: bool = True, **options: Any) -> BrowserContext:
        """A browser's profile in which this member is signed in, or nobody."""
        if not signed_in:
            return self._context_of(self.hall.url, **options)
        cookies = [
            {"name": name, "value": value, "domain": "127.0.0.1", "path": "/", "httpOnly": True, "sameSite": "Lax",
             "expires": -1, "secure": False}
            for name, value in self.client.cookies.items()
        ]  # fmt: skip
        return self._context_of(self.hall.url, storage_state={"cookies": cookies, "origins": []}, **options)

    def page(self, path: str = "/", **options: Any) -> Chat:
        """A page in a profile of its own."""
        return Chat(self.context(**options).new_page()).to(path)

    # -- conversations by the API, for tests that are about something else

    def begin(self, **more: Any) -> str:
        return str(self.ask("POST", "/api/conversations", {"models": ["gpt"], **more})["id"])

    def open(self, id: str) -> Any:
        return self.ask("GET", f"/api/conversations/{id}")

    def say(self, id: str, text: str, *models: str, **more: Any) -> Any:
        """Ask in a conversation; return the first answer once it has ended."""
        leaf = self.open(id)["conversation"]["leaf"]
        body = {"parent": leaf, "text": text, "models": list(models) or ["gpt"], **more}
        posted = self.ask("POST", f"/api/conversations/{id}/turns", body)
        return self.ended(id, posted["answers"][0]["id"])

    def ended(self, id: str, message: str, seconds: float = 30) -> Any:
        def look() -> Any:
            return next((m for m in self.open(id)["messages"] if m["id"] == message and m["state"] in ENDED), None)

        return until(look, seconds, what=f"the answer to end: {message}")

    def gone(self, id: str) -> None:
        """Return once the conversation is deleted."""
        until(lambda: self.client.get(f"/api/conversations/{id}").status_code == 404, what="it to be gone")

    def talked(self, *texts: str, **more: Any) -> str:
        """A conversation in which this was asked, and answered."""
        id = self.begin(**more)
        for text in texts:
            self.say(id, text)
        return id

    def give(self, name: str, data: bytes, media: str) -> Any:
        """Send a file; return it as the server has it."""
        answer = self.client.post(f"/api/files?name={name}", content=data, headers={"content-type": media})
        assert answer.is_success, answer.text
        return answer.json()


class Chat:
    """The chat as somebody uses it. `page` is the browser's page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, path: str) -> Chat:
        """Go to an address and wait until the page is there."""
        self.page.goto(path)
        expect(self.page.locator("#message, main h1, .door h1").first).to_be_visible()
        return self

    @property
    def box(self) -> Locator:
        return self.page.locator("#message")

    @property
    def questions(self) -> Locator:
        return self.page.locator(".turn.user:not(.sending):not(.queued)")

    @property
    def answers(self) -> Locator:
        return self.page.locator(".turn.assistant")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def button(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def write(self, text: str) -> Chat:
        """Write it and press Enter."""
        self.box.fill(text)
        self.box.press("Enter")
        return self

    def ask(self, text: str) -> Locator:
        """Write it, send it, and wait for the whole answer; return that."""
        before = self.answers.count()
        self.write(text)
        answer = self.answers.nth(before)
        expect(answer.locator(".facts-line")).to_be_visible()
        return answer

    def menu(self, button: str | re.Pattern[str], item: str, within: Locator | None = None) -> None:
        """Choose an item of a menu."""
        exact = isinstance(button, str)
        (within or self.page).get_by_role("button", name=button, exact=exact).first.click()
        entry = self.page.get_by_role("menu").locator("[role^=menuitem]")
        entry.filter(has=self.page.get_by_text(item, exact=True)).click()

    def panel(self, item: str) -> Locator:
        """Open one of one's own dialogs from the menu below the list; return its leaf."""
        self.menu(re.compile("^Ann"), item, self.page.locator(".side-self"))
        return self.page.locator(".panel .panel-leaf")

    def search(self, words: str) -> Locator:
        """Look for words in all conversations; return the dialog."""
        self.page.keyboard.press("Control+k")
        dialog = self.page.get_by_role("dialog", name="Search your conversations")
        dialog.get_by_role("searchbox").fill(words)
        return dialog

    def drop(self, name: str, data: str | bytes, media: str = "text/plain", onto: str = "main") -> None:
        """Drop a file onto the page."""
        raw = base64.b64encode(data.encode() if isinstance(data, str) else data).decode()
        script = """([data, name, type, onto]) => {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, { type }));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
                document.querySelector(onto).dispatchEvent(event);
            }
        }"""
        self.page.evaluate(script, [raw, name, media, onto])

    def conversation(self) -> str:
        """The id of the conversation that is open."""
        expect(self.page).to_have_url(re.compile("/c/"))
        return self.page.url.split("/c/")[1].split("#")[0]


@pytest.fixture
def person(hall: Hall, context_of: Opener) -> Iterator[Any]:
    """`person(role)` makes somebody new in the house that is shared."""
    made: list[Person] = []

    def make(role: str = "member", where: Hall | None = None) -> Person:
        made.append(Person(where or hall, context_of, role))
        return made[-1]

    yield make
    for one in made:
        one.client.close()


@pytest.fixture
def ann(person: Any) -> Person:
    """Somebody who uses the chat."""
    made: Person = person()
    return made
