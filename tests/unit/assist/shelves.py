"""What the tests of the library share: members, conversations, and a client per member of a real server."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from tests.papers import PNG, assembled, pdf

from freehold.access.members import Member, Role
from freehold.assist import library
from freehold.assist.files import LibrarySettings
from freehold.assist.search import INDEX, row, text_of
from freehold.core.errors import FreeholdError, Unauthenticated
from freehold.core.ids import new_id
from freehold.store import Store
from freehold.wire.api import Access, Api
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers
from freehold.wire.server import Limits, listen

__all__ = ["DAY", "PNG", "Desk", "assembled", "conversation", "member", "pdf", "say"]

DAY = 86_400 * 10**9
JSON: Headers = ((b"content-type", b"application/json"),)


def member(name: str, role: Role = "member") -> Member:
    return Member(f"mem_{name}", name, name.title(), role, None, f"key_{name}", {}, 1)


async def conversation(store: Store, who: str, title: str, **more: Any) -> str:
    """Keep an empty conversation; return its id."""
    id = more.pop("id", None) or new_id("conv")
    values = {"id": id, "member": f"mem_{who}", "title": title, "created_at": DAY, "updated_at": DAY, **more}
    sql = f"INSERT INTO conversation({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
    await store.write((sql, [tuple(values.values())]))
    return id


async def say(store: Store, who: str, place: str, text: str, parent: str | None = None, **more: Any) -> str:
    """Keep a message and its words as the chat does; return its id."""
    id = new_id("msg")
    parts = more.pop("parts", None) or [{"type": "text", "text": text}]
    packed = msgspec.json.encode(parts).decode()
    values = {
        "id": id, "conversation": place, "parent": parent, "role": "user", "parts": packed, "state": "done",
        "created_at": DAY, "updated_at": DAY, **more,
    }  # fmt: skip
    if isinstance(values.get("facts"), dict):
        values["facts"] = msgspec.json.encode(values["facts"]).decode()
    sql = f"INSERT INTO message({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
    await store.write(
        (sql, [tuple(values.values())]),
        (INDEX, [row(f"mem_{who}", place, id, text_of(packed))]),
        ("UPDATE conversation SET leaf = ? WHERE id = ?", [(id, place)]),
    )
    return id


class Desk:
    """The library's endpoints on a server; `desk.ann`, `desk.ben` and `desk.ada` (an admin) are clients of it,
    `desk.nobody` one that has not signed in."""

    @classmethod
    async def open(cls, store: Store, folder: Path, settings: LibrarySettings | None = None) -> Desk:
        desk = cls()
        desk.store = store
        desk.gone: list[str] = []
        desk.people = {each.name: each for each in (member("ann"), member("ben"), member("ada", "admin"))}
        sql = """INSERT INTO member(id, name, display, role, key, created_at) VALUES (?, ?, ?, ?, ?, ?)"""
        rows = [(m.id, m.name, m.display, m.role, m.key, 1) for m in desk.people.values()]
        await store.write((sql, rows))
        desk.api = Api(library.endpoints(store, settings, desk._let_go), desk._identify)
        # A socket's path is short, and the test's own folder may be deep
        desk._folder = tempfile.TemporaryDirectory(prefix="fh-")
        path = f"{desk._folder.name}/door"
        desk._server = await listen(desk._answer, path=path, limits=Limits(), on_error=desk._refuse)
        desk.ann, desk.ben, desk.ada, desk.nobody = (desk._client(path, n) for n in ("ann", "ben", "ada", ""))
        return desk

    async def _let_go(self, conversations: Sequence[str]) -> None:
        self.gone += conversations

    def _client(self, path: str, name: str) -> httpx2.AsyncClient:
        transport = httpx2.AsyncHTTPTransport(uds=path)
        return httpx2.AsyncClient(transport=transport, base_url="http://x", headers={"x-who": name}, timeout=120)

    async def _identify(self, exchange: Exchange, access: Access) -> Member | None:
        name = exchange.headers.get(b"x-who", b"").decode()
        if access == "public":
            return None
        if name not in self.people:
            raise Unauthenticated("sign in first")
        return self.people[name]

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self.api(exchange)
        except FreeholdError as e:
            self._refuse(exchange, e)

    def _refuse(self, exchange: Exchange, error: FreeholdError) -> None:
        said = {"error": {"message": error.message, "code": error.code, "param": error.param, "hint": error.hint}}
        exchange.reply(error.status, JSON, msgspec.json.encode(said))

    async def close(self) -> None:
        for client in (self.ann, self.ben, self.ada, self.nobody):
            await client.aclose()
        await self._server.close_gracefully(1.0)
        self._folder.cleanup()
