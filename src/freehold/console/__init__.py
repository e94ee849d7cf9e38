"""Signing in, and what an administrator does with the people of the house. Refuses to know chat and the pipeline."""

from __future__ import annotations

import asyncio
import logging

from freehold.access import Member, throttle
from freehold.console import invitations
from freehold.console.audit import note
from freehold.console.identify import Identity, Settings
from freehold.console.me import MeDesk
from freehold.console.members_api import MembersDesk
from freehold.console.oidc import OidcDesk
from freehold.console.providers import Provider
from freehold.console.signin import More, SignInDesk
from freehold.core.errors import StoreError
from freehold.ledger import Ledger
from freehold.store import Store
from freehold.wire.api import Access, Endpoint
from freehold.wire.client import Client
from freehold.wire.exchange import Exchange

__all__ = ["Console", "Provider", "Settings", "note"]

log = logging.getLogger("freehold.console")

SWEEP_SECONDS = 600.0


class Console:
    """People, in one worker: who they are, and the endpoints around that. `more` fills `home` of GET /api/session."""

    def __init__(
        self, store: Store, ledger: Ledger, client: Client, settings: Settings, more: More | None = None
    ) -> None:
        self._identity = Identity(store, ledger, settings)
        signin = SignInDesk(self._identity, more)
        self._desks = (signin, OidcDesk(self._identity, client, signin), MeDesk(self._identity),
                       MembersDesk(self._identity))  # fmt: skip
        self._sweeping: asyncio.Task[None] | None = None

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of sessions, one's own account, members."""
        return [endpoint for desk in self._desks for endpoint in desk.endpoints()]

    async def identify(self, exchange: Exchange, access: Access) -> Member | None:
        """Return who is asking; None where `access` is public. Raises Unauthenticated or Forbidden."""
        return await self._identity.identify(exchange, access)

    def configure(self, settings: Settings) -> None:
        """Put other settings in force."""
        self._identity.configure(settings)

    async def start(self) -> None:
        """Begin to drop, now and then, what has ended."""
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Let go of everything."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        self._identity.passwords.close()

    async def _sweep(self) -> None:
        store = self._identity.store
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._identity.sessions.sweep()
                await throttle.sweep(store)
                await invitations.sweep(store)
            except StoreError as e:
                log.warning("what has ended is not dropped now", extra={"why": e.message, "hint": e.hint})
