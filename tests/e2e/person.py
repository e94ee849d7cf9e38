"""A member at the page, for the tests of the library and of moving in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2

from tests.system import System

PASSWORD = "correct horse battery staple"
PART = 4 * 1024 * 1024


class Person:
    """Somebody who signed in, with a browser's cookie and the page's token against forgery. Use it in an `async with`,
    or close its client."""

    async def __aenter__(self) -> Person:
        return self

    async def __aexit__(self, *why: object) -> None:
        await self.client.aclose()

    def __init__(self, system: System) -> None:
        self.client = httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=60)

    async def first(self) -> Person:
        answer = await self.client.post("/api/setup", json={"name": "olga", "password": PASSWORD, "display": "Olga"})
        assert answer.status_code < 300, answer.text
        self.client.headers["x-freehold-csrf"] = answer.json()["csrf"]
        return self

    async def call(self, method: str, path: str, **more: Any) -> Any:
        answer = await self.client.request(method, path, **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        if not answer.content:
            return None
        media = answer.headers.get("content-type", "")
        return answer.json() if media == "application/json" else answer.content

    async def ask(self, place: str, text: str, files: list[str]) -> dict[str, Any]:
        """Ask, wait until the answer is there, and return it."""
        turn = {"parent": None, "text": text, "files": files, "models": ["plain"]}
        posted = await self.call("POST", f"/api/conversations/{place}/turns", json=turn)
        id = posted["answers"][0]["id"]
        for _ in range(600):
            messages = (await self.call("GET", f"/api/conversations/{place}"))["messages"]
            found: dict[str, Any] = next(message for message in messages if message["id"] == id)
            if found["state"] not in ("running", "waiting"):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(found)

    async def send(self, path: Path) -> str:
        """Send an export in parts, have it imported, and return the import's id."""
        data = path.read_bytes()
        id = str((await self.call("POST", "/api/imports", json={"name": path.name, "bytes": len(data)}))["id"])
        for at in range(0, len(data), PART):
            await self.call("PUT", f"/api/imports/{id}/data?offset={at}", content=data[at : at + PART])
        await self.call("POST", f"/api/imports/{id}/start")
        return id

    async def ended(self, id: str) -> dict[str, Any]:
        """Return an import once it has ended."""
        for _ in range(3000):
            found: dict[str, Any] = await self.call("GET", f"/api/imports/{id}")
            if found["state"] != "running":
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(found)
