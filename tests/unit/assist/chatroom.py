"""A room of assistants on a real server, with a real vendor behind it: what the tests of conversations share."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from freehold import access, contracts
from freehold import store as stores
from freehold.access import SharedMeter
from freehold.access.members import Member
from freehold.assist import Assist, AssistSettings
from freehold.assist.tools import ServerSettings
from freehold.core.errors import FreeholdError, Unauthenticated
from freehold.ledger import Ledger
from freehold.pipeline import Pipeline, Snapshot
from freehold.pipeline.flow import Policy
from freehold.pipeline.health import Health
from freehold.providers import Settings, build
from freehold.routing import BreakerSettings, Deployment, Route, Table, Target
from freehold.store import Store
from freehold.wire.api import Access, Api
from freehold.wire.client import Client, Origin
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers
from freehold.wire.server import HttpServer, Limits, listen

JSON: Headers = ((b"content-type", b"application/json"),)
MODELS = {
    "plain": "ok",
    "other": "ok;more=2",
    "slow": "ok;every=15;more=70",
    "tooled": "ok;tools=once",
    "busy": "ok",
    "broken": "cut;after=6",
    "refusing": "status;code=400",
    "small": "ok",
    "long": "ok;more=600",
}
"""Routes and how the vendor behaves behind each."""
_PRICE = {"input": "1", "output": "2"}


def _deployment(name: str) -> Deployment:
    known: dict[str, Any] = {"context": 600} if name == "small" else {}
    own = name in ("long",)
    host = "own" if own else "vendor"
    return Deployment(
        name, "openai", MODELS[name], "maker", "seller", host, "chip", "north", "deal", retries=0, **known
    )


class Worker:
    """One process' part of the room, in this process: its own connections to the store, its own hub."""

    assist: Assist
    server: HttpServer

    @classmethod
    async def open(
        cls,
        room: Room,
        number: int,
        tools: Sequence[ServerSettings] = (),
        bodies: str = "full",
        alone: bool = False,
    ) -> Worker:
        one = cls()
        one.room = room
        one.store = await stores.open(room.url, durable=False)
        one.ledger, one.client = Ledger(one.store), Client()
        snapshot = await _snapshot(room, one.store)
        meter = SharedMeter(access.LimitsMemory(), 0)

        async def ready(model: str) -> Origin:
            raise AssertionError(model)

        one.pipeline = Pipeline(
            snapshot, one.client, one.ledger, meter, ready, Health(BreakerSettings(), 64), Policy(bodies=bodies)
        )
        settings = AssistSettings(tools=tuple(tools), alone=alone)
        one.assist = Assist(one.store, one.pipeline, one.ledger, one.client, settings, f"worker-{number}")
        one.api = Api(one.assist.endpoints(), room.identify)
        one.path = str(Path(room.folder.name) / f"{number}.sock")
        one.server = await listen(one.handle, path=one.path, limits=Limits())
        await one.assist.start()
        return one

    async def handle(self, exchange: Exchange) -> None:
        try:
            await self.api(exchange)
        except FreeholdError as e:
            if exchange.answered:
                exchange.abort()
                return
            body = {"error": {"message": e.message, "code": e.code, "param": e.param}}
            exchange.reply(e.status, JSON, msgspec.json.encode(body))

    def client_of(self, name: str) -> httpx2.AsyncClient:
        transport = httpx2.AsyncHTTPTransport(uds=self.path)
        return httpx2.AsyncClient(
            transport=transport, base_url="http://room", headers={"x-who": name}, timeout=30, trust_env=False
        )

    async def close(self) -> None:
        await self.assist.close()
        await self.server.close_gracefully(2.0)
        await self.pipeline.drain()
        await self.client.close()
        await self.ledger.close()
        await self.store.close()

    async def die(self) -> None:
        """As after kill -9: nothing more is written, nobody is told."""
        runs = self.assist._runs
        for task in (*runs._tasks, *self.assist._tasks):
            task.cancel()
        for each in list(runs._running.values()):
            each.lost = True
            each.closing = True
            each.task.cancel()
        await asyncio.gather(*(r.task for r in runs._running.values()), return_exceptions=True)
        self.assist._hub.close()
        await self.server.close_gracefully(0.0)


async def _snapshot(room: Room, store: Store) -> Snapshot:
    deployments = {name: _deployment(name) for name in MODELS}
    providers = {
        name: build(Settings(name=name, kind="openai", model=act, endpoint=f"{room.vendor}/v1", key="s"))
        for name, act in MODELS.items()
    }
    table = Table(deployments, {name: Route(name, (Target(name),)) for name in MODELS})
    prices = {name: contracts.read_price(dict(_PRICE)) for name in MODELS if name != "other"}
    return Snapshot(table, providers, await access.load(store), contracts.shipped(), prices, "snapshot")


class Room:
    """Members ann and ben, workers, and clients of theirs."""

    def __init__(self, url: str, vendor: str) -> None:
        self.url, self.vendor = url, vendor
        self.people: dict[str, Member] = {}
        self.workers: list[Worker] = []
        self.clients: list[httpx2.AsyncClient] = []
        self.folder = tempfile.TemporaryDirectory(prefix="fh-")

    async def identify(self, exchange: Exchange, needed: Access) -> Member:
        name = exchange.headers.get(b"x-who", b"").decode()
        if name not in self.people:
            raise Unauthenticated("nobody", hint="sign in")
        return self.people[name]

    async def people_in(self) -> None:
        opened = await stores.open(self.url, durable=False)
        for name in ("ann", "ben"):
            routes = [each for each in MODELS if each != "busy"] if name == "ben" else None
            key, _ = await access.create(opened, f"chat-{name}", routes=routes)
            self.people[name] = Member(f"mem_{name}", name, name.title(), "member", None, key.id, {}, 1)
            sql = "INSERT INTO member(id, name, display, role, key, created_at) VALUES (?, ?, ?, ?, ?, ?)"
            await opened.write((sql, [(f"mem_{name}", name, name.title(), "member", key.id, 1)]))
        await opened.close()

    async def worker(self, **more: Any) -> Worker:
        one = await Worker.open(self, len(self.workers), **more)
        self.workers.append(one)
        return one

    def talk(self, worker: Worker, name: str = "ann") -> Talk:
        client = worker.client_of(name)
        self.clients.append(client)
        return Talk(client)

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()
        for worker in self.workers:
            with suppress(Exception):
                await worker.close()
        self.folder.cleanup()


class Talk:
    """A member at a client."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        headers = {"content-type": "application/json"}
        content = None if body is None else json.dumps(body)
        reply = await self.client.request(method, f"/api{path}", content=content, headers=headers)
        assert reply.status_code == status, (reply.status_code, reply.text)
        return reply.json() if reply.content else None

    async def begin(self, **more: Any) -> str:
        made = await self.ask("POST", "/conversations", more)
        return str(made["id"])

    async def turn(self, conversation: str, text: str, *models: str, status: int = 200, **more: Any) -> Any:
        body = {"text": text, "models": list(models) or ["plain"], **more}
        return await self.ask("POST", f"/conversations/{conversation}/turns", body, status)

    async def open(self, conversation: str) -> Any:
        return await self.ask("GET", f"/conversations/{conversation}")

    async def message(self, conversation: str, id: str) -> Any:
        opened = await self.open(conversation)
        return next(m for m in (*opened["messages"], *opened["queue"]) if m["id"] == id)

    async def until(self, conversation: str, check: Callable[[Any], Any], seconds: float = 20.0) -> Any:
        """Open the conversation until `check` of it is true; return what it returned."""
        opened: Any = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    opened = await self.open(conversation)
                    if found := check(opened):
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s; at last: {opened}") from None

    async def ended(self, conversation: str, id: str, seconds: float = 20.0) -> Any:
        """The answer once it is no longer made."""

        def check(opened: Any) -> Any:
            found = next(m for m in opened["messages"] if m["id"] == id)
            return found if found["state"] != "running" else None

        return await self.until(conversation, check, seconds)

    async def said(self, conversation: str, id: str, words: str) -> Any:
        """The answer once it holds `words`."""
        return await self.until(
            conversation, lambda o: next((m for m in o["messages"] if m["id"] == id and words in text(m)), None)
        )

    @asynccontextmanager
    async def follow(self, conversation: str, after: str | None = None) -> AsyncIterator[Screen]:
        """Follow as a page does."""
        headers = {"last-event-id": after} if after else {}
        path = f"/api/conversations/{conversation}/events"
        async with self.client.stream("GET", path, headers=headers) as reply:
            assert reply.status_code == 200
            screen = Screen()
            task = asyncio.create_task(screen.read(reply))
            try:
                yield screen
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


class Screen:
    """What a page makes of events. `gaps` counts deltas that were missed: none may be."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.queue: Any = None
        self.conversation: Any = None
        self.removed: list[str] = []
        self.events: list[tuple[str, Any]] = []
        self.last = ""
        self.gaps = 0
        self.over = False
        self._changed = asyncio.Event()

    async def read(self, reply: Any) -> None:
        name, data, id = "", "", ""
        async for line in reply.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = value
            elif field == "id":
                id = value
            elif not line and data:
                self.take(name, json.loads(data), id)
                name, data, id = "", "", ""
        self.over = True
        self._changed.set()

    def take(self, name: str, data: Any, id: str = "") -> None:
        self.events.append((name, data))
        self.last = id or self.last
        if name == "message":
            self.messages[data["message"]["id"]] = data["message"]
        elif name == "delta":
            message = self.messages.get(data["message"])
            if message is None or data["n"] > message["n"] + 1:
                self.gaps += 1
            elif data["n"] == message["n"] + 1:
                message["n"] = data["n"]
                part = next((p for p in reversed(message["parts"]) if p["type"] == data["kind"]), None)
                if part is None:
                    part = {"type": data["kind"], "text": ""}
                    message["parts"].append(part)
                part["text"] += data["text"]
        elif name == "queue":
            self.queue = data
        elif name == "conversation":
            self.conversation = data["conversation"]
        elif name == "removed":
            self.removed.append(data["id"])
        self._changed.set()

    async def until(self, check: Callable[[Screen], Any], seconds: float = 20.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := check(self)):
                self._changed.clear()
                await self._changed.wait()
            return found


def text(message: Any) -> str:
    """What a message says."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")
