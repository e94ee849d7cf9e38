"""All servers of tools of one worker. Knows who may use what, and puts each use on the ledger before it is sent;
refuses to know how a server is reached.

Connecting and listing carry no words of anybody and are not on the ledger; each use is, before its first byte.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.access import Member
from freehold.assist.tools import rules
from freehold.assist.tools.connection import Connection
from freehold.assist.tools.offers import (
    Allow,
    Offered,
    Result,
    ServerSettings,
    ToolServer,
    ToolShown,
    function_name,
)
from freehold.core.clock import now_ns
from freehold.core.errors import Forbidden, FreeholdError, NotFound
from freehold.core.ids import new_id
from freehold.ledger import Entry, Ledger
from freehold.store import Store
from freehold.wire.api import Endpoint, Request
from freehold.wire.client import Client

log = logging.getLogger("freehold.tools")

OFFER_SECONDS = 25.0
"""How long `offered` waits for a server to connect and list; nobody is held up longer."""
ARGUMENT_BYTES = 1_000_000


class AllowBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `PUT /api/tools/{server}/{tool}`."""

    allow: Allow


class Tools:
    """Made once in each worker; nothing is connected or started before it is asked for."""

    def __init__(self, store: Store, ledger: Ledger, client: Client, settings: Sequence[ServerSettings] = ()) -> None:
        self._store = store
        self._ledger = ledger
        self._client = client
        self._connections = {each.name: Connection(each, client) for each in settings}
        self._closing: set[asyncio.Task[None]] = set()

    async def offered(self, member: Member, servers: Sequence[str]) -> list[Offered]:
        """Return the tools of the servers named that `member` may use: rule "ask" or "always". A server that is not
        known, not open to the member or not to be reached within its time adds none. Raises StoreError."""
        mine = await self._open_to(member)
        asked = [mine[name] for name in dict.fromkeys(servers) if name in mine]
        if not asked:
            return []
        own = await rules.load(self._store, member.id)
        await asyncio.gather(*[self._listed(connection) for connection in asked])
        offers: list[Offered] = []
        names: set[str] = set()
        for connection in asked:
            server = connection.settings.name
            for tool in connection.tools if not connection.error else ():
                allow = rules.effective(connection.settings, tool.name, own)
                if allow == "never":
                    continue
                name = function_name(server, tool.name, names)
                names.add(name)
                offers.append(Offered(name, server, tool.name, tool.title, tool.description, tool.schema, allow))
        return offers

    async def use(
        self, member: Member, offered: Offered, arguments: dict[str, Any], *, conversation: str, message: str
    ) -> Result:
        """Use a tool and return what it answered. The ledger has it, durably, before anything is sent. What goes wrong
        (refused, unreachable, too slow, garbage) is a failed Result that says so; nothing is raised but cancellation,
        which tells the server. Whether the member was asked is the caller's affair: see `Offered.allow`."""
        try:
            connection = (await self._open_to(member)).get(offered.server)
            if connection is None:
                return Result(f"There is no server of tools {offered.server!r} for this member.", True)
            own = await rules.load(self._store, member.id)
            if rules.effective(connection.settings, offered.tool, own) == "never":
                return Result(f"The tool {offered.tool!r} may not be used.", True)
            size = len(msgspec.json.encode(arguments))
            if size > ARGUMENT_BYTES:
                return Result(f"The arguments have {size} bytes; {ARGUMENT_BYTES} are sent at most.", True)
            if offered.tool not in {tool.name for tool in await connection.listed()}:
                return Result(f"The server {offered.server!r} has no tool {offered.tool!r} any more.", True)
            await self._record(member, offered, size, conversation, message)
            return await connection.use(offered.tool, arguments)
        except FreeholdError as e:
            return Result(e.sentences(), True)

    async def allow(self, member: Member, server: str, tool: str, allow: Allow) -> None:
        """Keep the member's own rule for a tool. Raises NotFound, Forbidden ("never" by configuration), StoreError."""
        connection = (await self._open_to(member)).get(server)
        if connection is None or (connection.tools and tool not in {each.name for each in connection.tools}):
            raise NotFound(f"There is no tool {tool!r} of {server!r}.", hint="GET /api/tools lists what there is")
        if connection.settings.configured(tool) == "never" and allow != "never":
            raise Forbidden(
                f"The configuration says that {tool!r} of {server!r} is never used.",
                code="tool_not_allowed",
                hint="ask an administrator: it stands in [tools] of freehold.toml",
            )
        await rules.keep(self._store, member.id, server, tool, allow)

    async def servers(self, member: Member) -> list[ToolServer]:
        """Return the servers open to `member`, as far as they are known by now; those that are not connected begin to
        be. Returns at once. Raises StoreError."""
        mine = list((await self._open_to(member)).values())
        if not mine:
            return []
        own = await rules.load(self._store, member.id)
        for connection in mine:
            connection.begin()
        return [_shown(connection, own) for connection in mine]

    def endpoints(self) -> list[Endpoint]:
        """`GET /api/tools` and `PUT /api/tools/{server}/{tool}`."""
        return [
            Endpoint(
                method="GET",
                path="/api/tools",
                run=self._get,
                summary="Servers of tools that the member may use",
                answer=list[ToolServer],
                tag="tools",
            ),
            Endpoint(
                method="PUT",
                path="/api/tools/{server}/{tool}",
                run=self._put,
                summary="Say whether to be asked before a tool is used",
                body=AllowBody,
                answer=list[ToolServer],
                tag="tools",
            ),
        ]

    def reconfigure(self, settings: Sequence[ServerSettings]) -> None:
        """Take over another configuration: servers that are gone or changed are let go of."""
        before, wanted = self._connections, {each.name: each for each in settings}
        self._connections = {
            name: before[name] if name in before and before[name].settings == each else Connection(each, self._client)
            for name, each in wanted.items()
        }
        for name, connection in before.items():
            if self._connections.get(name) is not connection:
                task = asyncio.create_task(connection.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Let go of every server; child processes are gone when this returns."""
        gone = [connection.close() for connection in self._connections.values()]
        await asyncio.gather(*gone, *self._closing, return_exceptions=True)

    async def _open_to(self, member: Member) -> dict[str, Connection]:
        """Return the servers that `member` may use, by name. Raises StoreError."""
        team = None
        if member.team is not None and any(each.settings.teams for each in self._connections.values()):
            rows = await self._store.fetch("SELECT name FROM team WHERE id = ?", member.team)
            team = rows[0][0] if rows else None
        return {name: each for name, each in self._connections.items() if each.settings.open_to(member, team)}

    async def _listed(self, connection: Connection) -> None:
        """Have the tools listed, as far as that is possible; what was known before stays."""
        try:
            async with asyncio.timeout(OFFER_SECONDS):
                await connection.listed()
        except (FreeholdError, TimeoutError) as e:
            log.debug("tools not listed", extra={"server": connection.settings.name, "why": str(e) or "too slow"})

    async def _record(self, member: Member, offered: Offered, size: int, conversation: str, message: str) -> None:
        note = {
            "act": "tool",
            "server": offered.server,
            "tool": offered.tool,
            "member": member.name,
            "conversation": conversation,
            "message": message,
            "bytes": size,
        }
        entry = Entry(
            "admin",
            new_id("act"),
            0,
            "serve",
            now_ns(),
            key=member.key,
            team=member.team or "",
            session=conversation,
            user=member.id,
            note=msgspec.json.encode(note).decode(),
        )
        await self._ledger.note_admin(entry)

    async def _get(self, request: Request[Member]) -> list[ToolServer]:
        return await self.servers(request.who)

    async def _put(self, request: Request[Member]) -> list[ToolServer]:
        await self.allow(request.who, request.params["server"], request.params["tool"], request.body.allow)
        return await self.servers(request.who)


def _shown(connection: Connection, own: dict[tuple[str, str], Allow]) -> ToolServer:
    settings = connection.settings
    tools = [
        ToolShown(
            tool.name,
            tool.title,
            tool.description,
            tool.schema,
            rules.effective(settings, tool.name, own),
            settings.configured(tool.name) == "never",
        )
        for tool in connection.tools
    ]
    return ToolServer(
        settings.name, settings.title or settings.name, settings.kind, connection.state, connection.error, tools
    )
