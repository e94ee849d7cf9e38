"""A server with the console's endpoints and nothing else: real store, real ledger, real HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from freehold import store as stores
from freehold.access import Member
from freehold.console import Console, Settings
from freehold.core.errors import FreeholdError
from freehold.ledger import Ledger, Query, entries
from freehold.store import Store
from freehold.wire.api import Api, Endpoint, Request
from freehold.wire.client import Client
from freehold.wire.dialects import openai
from freehold.wire.exchange import Exchange
from freehold.wire.server import listen

GOOD = "correct horse battery"


class House:
    """One worker's console, and how to talk to it."""

    def __init__(self, store: Store, ledger: Ledger, console: Console, port: int) -> None:
        self.store = store
        self.ledger = ledger
        self.console = console
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._clients: list[Browser] = []

    def browser(self, **headers: str) -> Browser:
        """A browser with an empty jar of cookies."""
        made = Browser(self.url, headers)
        self._clients.append(made)
        return made

    async def owner(self) -> Browser:
        """A browser in which the first visit has been made."""
        made = self.browser()
        assert (await made.post("/api/setup", {"name": "olga", "password": GOOD})).status_code == 200
        return made

    async def member(self, by: Browser, name: str, role: str = "member") -> Browser:
        """A browser in which a member, whom `by` has made, is signed in."""
        made = await by.post("/api/admin/members", {"name": name, "password": GOOD, "role": role})
        assert made.status_code == 201, made.text
        browser = self.browser()
        assert (await browser.sign_in(name)).status_code == 200
        return browser

    async def acts(self) -> list[dict[str, Any]]:
        """What is on record, oldest first."""
        await self.ledger.flush()
        kept = [each async for each in entries(self.store, Query(kinds=("admin",), order="oldest", limit=500))]
        return [json.loads(each.entry.note) for each in kept]

    async def close(self) -> None:
        for browser in self._clients:
            await browser.client.aclose()


class Browser:
    """Keeps cookies and sends what the page would."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.client = httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30)
        self.csrf = ""

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.client.get(path, **more)

    async def post(self, path: str, body: Any, **more: Any) -> httpx2.Response:
        return await self.send("POST", path, body, **more)

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        headers = {"x-freehold-csrf": self.csrf, **more.pop("headers", {})}
        answer = await self.client.request(method, path, json=body, headers=headers, **more)
        if path in ("/api/session", "/api/setup", "/api/invitations/accept") and answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
        return answer

    async def sign_in(self, name: str, password: str = GOOD) -> httpx2.Response:
        return await self.post("/api/session", {"name": name, "password": password})

    async def who(self) -> Any:
        """The name of who is signed in; None when nobody is."""
        answer = (await self.get("/api/session")).json()
        self.csrf = answer["csrf"]
        return answer["member"] and answer["member"]["name"]


async def _open(request: Request[Any]) -> dict[str, str]:
    return {"who": request.who.name}


PROBES = [
    Endpoint(method=method, path=f"/api/for-{role}", run=_open, summary=role, access=role)  # type: ignore[arg-type]
    for role in ("member", "auditor", "admin", "owner")
    for method in ("GET", "POST")
]


@asynccontextmanager
async def open_house(
    url: str, more: Callable[[Member], Any] | None = None, *, port: int = 0, **settings: Any
) -> AsyncIterator[House]:
    """Serve on `port`, or a free one, until the block ends."""
    store = await stores.open(url, durable=True)
    ledger = Ledger(store)
    client = Client()
    console = Console(store, ledger, client, Settings(**{"version": "9.9.9", **settings}), more)
    await console.start()
    api = Api([*console.endpoints(), *PROBES], console.identify)

    async def handle(exchange: Exchange) -> None:
        try:
            await api(exchange)
        except FreeholdError as e:
            refuse(exchange, e)

    def refuse(exchange: Exchange, e: FreeholdError) -> None:
        status, headers, body = openai.error(e, "req_test")
        exchange.reply(status, headers, body)

    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(64)
    sock.setblocking(False)
    server = await listen(handle, sock=sock, on_error=refuse)
    house = House(store, ledger, console, sock.getsockname()[1])
    try:
        yield house
    finally:
        await house.close()
        await server.close_gracefully(1.0)
        await console.close()
        await client.close()
        await ledger.close()
        await store.close()


async def raw(port: int, text: str) -> bytes:
    """Send a request as written, and return the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text.replace("\n", "\r\n").encode("latin-1"))
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def code(answer: httpx2.Response) -> str:
    """The code of a refusal."""
    return str(answer.json()["error"]["code"])


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/freehold.db"


__all__ = ["GOOD", "Browser", "House", "code", "open_house", "raw", "sqlite"]
