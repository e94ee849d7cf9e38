"""All servers of tools of one worker. Knows who may use what, and puts each use on the ledger before it is sent;
refuses to know how a server is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freehold.assist.tools.offers import Allow, Offered, Result, ServerSettings, ToolServer, Who
from freehold.ledger import Ledger
from freehold.store import Store
from freehold.wire.api import Endpoint
from freehold.wire.client import Client


class Tools:
    """Made once in each worker; nothing is connected or started before it is asked for."""

    def __init__(self, store: Store, ledger: Ledger, client: Client, settings: Sequence[ServerSettings] = ()) -> None:
        self._store = store
        self._ledger = ledger
        self._client = client
        self._settings = {each.name: each for each in settings}

    async def offered(self, member: Who, servers: Sequence[str]) -> list[Offered]:
        """Return the tools of the servers named that `member` may use: rule "ask" or "always". A server that is not
        known, not open to the member or not to be reached within its time adds none. Raises StoreError."""
        raise NotImplementedError

    async def use(
        self, member: Who, offered: Offered, arguments: dict[str, Any], *, conversation: str, message: str
    ) -> Result:
        """Use a tool and return what it answered. The ledger has it, durably, before anything is sent. What goes wrong
        (refused, unreachable, too slow, garbage) is a failed Result that says so; nothing is raised but cancellation,
        which tells the server. Whether the member was asked is the caller's affair: see `Offered.allow`."""
        raise NotImplementedError

    async def allow(self, member: Who, server: str, tool: str, allow: Allow) -> None:
        """Keep the member's own rule for a tool. Raises NotFound, Forbidden ("never" by configuration), StoreError."""
        raise NotImplementedError

    async def servers(self, member: Who) -> list[ToolServer]:
        """Return the servers open to `member`, as far as they are known by now; those that are not connected begin to
        be. Returns at once. Raises StoreError."""
        raise NotImplementedError

    def endpoints(self) -> list[Endpoint]:
        """`GET /api/tools` and `PUT /api/tools/{server}/{tool}`."""
        raise NotImplementedError

    def reconfigure(self, settings: Sequence[ServerSettings]) -> None:
        """Take over another configuration: servers that are gone or changed are let go of."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of every server; child processes are gone when this returns."""
        raise NotImplementedError
