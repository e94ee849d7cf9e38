"""Branches shared by a link: frozen when they are shared, gone for everybody when taken back. Knows what strangers may
see of a conversation; refuses to know how it goes on.

A stranger sees what was said, which models said it and who made, sold and hosted them. No costs, contracts, names of
deployments or keys, nothing of tools but their names, no reasoning, and of the member the name to be shown alone.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.assist import files
from freehold.assist.export import conversation_document
from freehold.assist.export_markdown import shown
from freehold.assist.search import erase
from freehold.assist.shapes import Facts, FilePart, Message, Text, ToolPart
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, NotFound
from freehold.core.ids import new_id, new_secret
from freehold.store import Store
from freehold.wire.api import Endpoint, Raw, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

_COLUMNS = "id, token, conversation, title, created_at, revoked_at"
_PICTURE, _PICTURES = 300_000, 2_000_000
"""Bytes of one picture that a shared branch carries, and of all in it."""
_MOST = 1_000
_PUBLIC = (
    (b"cache-control", b"no-store"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Share(msgspec.Struct, frozen=True):
    """A link. Times are in milliseconds."""

    id: str
    token: str
    url: str
    conversation: str
    title: str
    created_at: int
    revoked_at: int | None


class SharedFile(msgspec.Struct, tag_field="type", tag="file"):
    """A file as strangers see it: what it was called; a small picture whole."""

    file: str
    name: str
    media: str
    bytes: int
    data_url: str | None = None


class SharedMessage(msgspec.Struct, frozen=True):
    """A message as strangers see it: its id is a number within the branch."""

    id: str
    parent: str | None
    role: str
    parts: list[Any]
    state: str
    model: str
    facts: Facts | None
    created_at: int
    origin: str
    cut: bool


class Shared(msgspec.Struct, frozen=True):
    """What a link leads to."""

    title: str
    by: str
    messages: list[SharedMessage]
    created_at: int


def _share(row: Any) -> Share:
    id, token, conversation, title, at, revoked = row
    ended = revoked // 1_000_000 if revoked is not None else None
    return Share(id, token, f"/share/{token}", conversation, title, at // 1_000_000, ended)


async def freeze(store: Store, who: Member, conversation: str) -> Shared:
    """Return the branch that is shown as strangers are to see it. Raises NotFound, and BadRequest when it is empty."""
    found, messages, _ = await conversation_document(store, who.id, conversation)
    branch = [message for message in shown(found, messages) if message.role != "system"]
    if not branch:
        raise BadRequest("There is nothing in this conversation yet.", code="share_empty", hint="ask something first")
    parts = (part for message in branch for part in message.parts)
    named = list(dict.fromkeys(part.file for part in parts if isinstance(part, FilePart)))
    pictures = await _pictures(store, who, named)
    made = [_message(message, number, named, pictures) for number, message in enumerate(branch)]
    return Shared(found.title, who.display, made, now_ns() // 1_000_000)


def _message(message: Message, number: int, named: list[str], pictures: dict[str, str]) -> SharedMessage:
    parts: list[Any] = []
    for part in message.parts:
        if isinstance(part, Text):
            parts.append(part)
        elif isinstance(part, FilePart):
            name = f"file-{named.index(part.file) + 1}"
            parts.append(SharedFile(name, part.name, part.media, part.bytes, pictures.get(part.file)))
        elif isinstance(part, ToolPart):
            parts.append(ToolPart(str(len(parts)), part.server, part.name, "", part.state))
    before = str(number - 1) if number else None
    state = "interrupted" if message.state in ("running", "waiting", "queued") else message.state
    return SharedMessage(
        str(number), before, message.role, parts, state, message.model, _facts(message.facts), message.created_at,
        message.origin, message.cut,
    )  # fmt: skip


def _facts(facts: Facts | None) -> Facts | None:
    if facts is None:
        return None
    named = {name: getattr(facts, name) for name in ("asked", "sent", "answered", "maker", "seller", "host", "region")}
    counted = {name: getattr(facts, name) for name in ("input", "output", "cached", "reasoning", "estimated")}
    return Facts(**named, **counted, calls=facts.calls)


async def _pictures(store: Store, who: Member, ids: list[str]) -> dict[str, str]:
    room = _PICTURES
    found: dict[str, str] = {}
    for id in ids:
        rows = await files.readable(store, who.id, [id], "media, bytes")
        media, size = rows.get(id, ("", 0))
        if media.startswith("image/") and size <= min(_PICTURE, room):
            ((data,),) = await store.fetch("SELECT data FROM file WHERE id = ?", id)
            found[id] = f"data:{media};base64,{base64.b64encode(data).decode()}"
            room -= size
    return found


class Shares:
    """The endpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def endpoints(self) -> list[Endpoint]:
        tag = "shares"
        return [
            Endpoint(method="POST", path="/api/conversations/{id}/shares", run=self._add, answer=Share, status=201,
                     summary="Share the branch that is shown, as it is now, by a link", tag=tag),
            Endpoint(method="GET", path="/api/shares", run=self._all, answer=list[Share], tag=tag,
                     summary="Your links, newest first"),
            Endpoint(method="DELETE", path="/api/shares/{id}", run=self._revoke, status=204, tag=tag,
                     summary="Take a link back: it leads nowhere from now on"),
            Endpoint(method="GET", path="/api/shared/{token}", run=self._open, answer=Shared, access="public", tag=tag,
                     summary="What a link leads to"),
        ]  # fmt: skip

    async def _add(self, request: Request[Member]) -> Share:
        who, conversation = request.who, request.params["id"]
        sql = "SELECT COUNT(*) FROM share WHERE member = ? AND revoked_at IS NULL"
        ((count,),) = await self._store.fetch(sql, who.id)
        if count >= _MOST:
            raise BadRequest(f"There are {count:,} links.", code="too_many", hint="take some back first")
        frozen = await freeze(self._store, who, conversation)
        row = (new_id("share"), new_secret("s"), conversation, frozen.title, now_ns(), None)
        sql = f"INSERT INTO share({_COLUMNS}, member, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        await self._store.write((sql, [(*row, who.id, msgspec.json.encode(frozen).decode())]))
        return _share(row)

    async def _all(self, request: Request[Member]) -> list[Share]:
        sql = f"SELECT {_COLUMNS} FROM share WHERE member = ? ORDER BY created_at DESC, id DESC LIMIT 2000"
        return [_share(row) for row in await self._store.fetch(sql, request.who.id)]

    async def _revoke(self, request: Request[Member]) -> None:
        """What was frozen goes with it; the row stays, so that the member sees when that was."""
        sql = """UPDATE share SET revoked_at = COALESCE(revoked_at, ?), content = '{}' WHERE id = ? AND member = ?"""
        id = request.params["id"]
        if not await erase(self._store, "share", (sql, [(now_ns(), id, request.who.id)])):
            raise NotFound(f"There is no link {id[:64]!r}.", hint="GET /api/shares lists yours")

    async def _open(self, request: Request[None]) -> Raw:
        sql = """SELECT s.content FROM share s JOIN member m ON m.id = s.member
            WHERE s.token = ? AND s.revoked_at IS NULL AND m.disabled_at IS NULL"""
        rows = await self._store.fetch(sql, request.params["token"])
        if not rows:
            raise NotFound("This link leads nowhere.", hint="it was taken back, or was never given: ask for a new one")
        return Raw(rows[0][0].encode(), "application/json", _PUBLIC)
