"""A member at a page, as a browser would be, and what its screen makes of the events: for the tests of chats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2

from tests.system import System

PASSWORD = "a long word of passage"


class Page:
    """Signed in as the owner. Requests that a dying worker leaves unanswered are for the test to send again."""

    def __init__(self, system: System) -> None:
        self.client = httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=120)

    async def enter(self, path: str = "/api/setup", **more: Any) -> Page:
        reply = await self.client.post(path, json={"name": "olga", "password": PASSWORD, **more})
        assert reply.status_code == 200, reply.text
        self.client.headers["x-freehold-csrf"] = reply.json()["csrf"]
        return self

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        reply = await self.client.request(method, f"/api{path}", json=body)
        assert reply.status_code == status, (reply.status_code, reply.text)
        return reply.json() if reply.content else None

    async def begin(self, **more: Any) -> str:
        return str((await self.ask("POST", "/conversations", more))["id"])

    async def turn(self, conversation: str, text: str, *models: str, **more: Any) -> Any:
        body = {"text": text, "models": list(models), **more}
        return await self.ask("POST", f"/conversations/{conversation}/turns", body)

    async def open(self, conversation: str) -> Any:
        return await self.ask("GET", f"/conversations/{conversation}")

    async def until(self, conversation: str, check: Callable[[Any], Any], seconds: float = 60.0) -> Any:
        """Open the conversation until `check` of it is true; return what it returned."""
        async with asyncio.timeout(seconds):
            while True:
                with suppress(httpx2.TransportError):
                    if found := check(await self.open(conversation)):
                        return found
                await asyncio.sleep(0.05)

    async def ended(self, conversation: str, id: str, seconds: float = 60.0) -> Any:
        """The answer once it is no longer made."""
        over = ("done", "stopped", "failed", "interrupted", "waiting")
        return await self.until(conversation, lambda o: one(o, id, *over), seconds)

    @asynccontextmanager
    async def follow(self, conversation: str) -> AsyncIterator[Screen]:
        """Follow as a page does: whatever breaks, it comes back with the last id that it saw."""
        screen = Screen()
        task = asyncio.create_task(self._read(conversation, screen))
        try:
            yield screen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _read(self, conversation: str, screen: Screen) -> None:
        path = f"/api/conversations/{conversation}/events"
        while True:
            with suppress(httpx2.TransportError):
                headers = {"last-event-id": screen.last} if screen.last else {}
                async with self.client.stream("GET", path, headers=headers) as reply:
                    if reply.status_code == 200:
                        screen.connects += 1
                        await screen.read(reply)
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self.client.aclose()


class Screen:
    """What a page makes of events. `gaps` counts deltas whose forerunner was missed: none may be."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.deltas = 0
        self.gaps = 0
        self.connects = 0
        self.last = ""

    async def read(self, reply: Any) -> None:
        event: dict[str, str] = {}
        async for line in reply.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
            elif "data" in event:
                self.take(event.get("event", ""), json.loads(event["data"]), event.get("id", ""))
                event = {}

    def take(self, name: str, data: Any, id: str) -> None:
        self.last = id or self.last
        if name == "message":
            self.messages[data["message"]["id"]] = data["message"]
        elif name == "delta":
            self.deltas += 1
            message = self.messages.get(data["message"])
            if message is None or data["n"] > message["n"] + 1:
                self.gaps += 1
            elif data["n"] == message["n"] + 1:
                message["n"] = data["n"]
                parts = [p for p in message["parts"] if p["type"] == data["kind"]]
                if not parts:
                    parts = [{"type": data["kind"], "text": ""}]
                    message["parts"] += parts
                parts[-1]["text"] += data["text"]

    async def until(self, check: Callable[[Screen], Any], seconds: float = 60.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := check(self)):
                await asyncio.sleep(0.02)
            return found


def one(opened: Any, id: str, *states: str) -> Any:
    """The message of that id if it is in one of these states."""
    return next((m for m in opened["messages"] if m["id"] == id and (not states or m["state"] in states)), None)


def text(message: Any) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")
