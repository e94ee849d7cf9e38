"""All tools that a conversation may use: those of servers, and the one of our own, which proposes memories. Refuses to
know how a server is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.access import Member
from freehold.assist import memories
from freehold.assist.tools import Allow, Offered, Result, Tools, ToolServer, ToolShown
from freehold.core.errors import BadRequest
from freehold.store import Store
from freehold.wire.api import Endpoint, Request

MEMORY = "memory"
"""The name of our own server of tools."""

_SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "One fact, in a sentence that stands alone."}},
    "required": ["text"],
}
_WHAT = (
    "Propose to remember one lasting fact about the user (a preference, a name, a circumstance) for later "
    "conversations. It is kept only if the user approves. Never for secrets."
)
_REMEMBER = Offered("remember", MEMORY, "remember", "Remember", _WHAT, _SCHEMA, "always")
"""Used without asking: it only proposes, and the member decides about that."""


class Toolbox:
    """What answers are given: see `answering.Toolbox`."""

    def __init__(self, store: Store, tools: Tools) -> None:
        self._store = store
        self._tools = tools

    async def offered(self, member: Member, servers: Sequence[str]) -> list[Offered]:
        """Return the tools of the servers named, ours first."""
        found = [_REMEMBER] if MEMORY in servers else []
        others = [name for name in servers if name != MEMORY]
        if others:
            found += [each for each in await self._tools.offered(member, others) if each.name != _REMEMBER.name]
        return found

    async def use(
        self, member: Member, offered: Offered, arguments: dict[str, Any], *, conversation: str, message: str
    ) -> Result:
        """Use a tool; see `tools.Tools.use`."""
        if offered.server != MEMORY:
            return await self._tools.use(member, offered, arguments, conversation=conversation, message=message)
        text = arguments.get("text")
        if not isinstance(text, str) or not text.strip():
            return Result("Nothing to remember: `text` has to be a sentence.", True)
        made = await memories.propose(self._store, member.id, text, conversation or None, message)
        if made is None:
            return Result("This is known already.", False)
        return Result("Proposed. The user will decide.", False)

    async def allow(self, member: Member, server: str, tool: str, allow: Allow) -> None:
        """Keep the member's rule for a tool."""
        if server == MEMORY:
            raise BadRequest("Memories are proposed, never kept without you.", hint="take the tool off instead")
        await self._tools.allow(member, server, tool, allow)

    async def servers(self, member: Member) -> list[ToolServer]:
        """Return all servers of tools, ours first."""
        shown = ToolShown("remember", "Remember", _WHAT, _SCHEMA, "always", fixed=True)
        ours = ToolServer(MEMORY, "Memory", "built-in", "ready", "", [shown])
        return [ours, *await self._tools.servers(member)]

    def endpoints(self) -> list[Endpoint]:
        """Return those of the servers' tools; ours is listed with them."""

        async def listed(request: Request[Member]) -> list[ToolServer]:
            return await self.servers(request.who)

        return [
            msgspec.structs.replace(each, run=listed) if (each.method, each.path) == ("GET", "/api/tools") else each
            for each in self._tools.endpoints()
        ]
