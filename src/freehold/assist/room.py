"""The room put together: one of it in each worker. Knows its parts; refuses to know configuration and who signs in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.assist import assistants, library, models, projects
from freehold.assist.answering import Kit
from freehold.assist.chat import Chat
from freehold.assist.conversations import Conversations
from freehold.assist.events import Hub
from freehold.assist.files import LibrarySettings
from freehold.assist.following import Following
from freehold.assist.imports.uploads import Imports
from freehold.assist.runs import Runs
from freehold.assist.toolbox import Toolbox
from freehold.assist.tools import ServerSettings, Tools
from freehold.assist.turns import Turns
from freehold.core.errors import FreeholdError, StoreError
from freehold.ledger import Ledger
from freehold.pipeline import Pipeline
from freehold.store import Store
from freehold.wire.api import Endpoint
from freehold.wire.client import Client

if TYPE_CHECKING:
    from freehold.access.members import Member

log = logging.getLogger("freehold.assist")


class AssistSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the room is told by the configuration. `alone`: no other process uses the store, so nothing has to be looked
    for that others do. Imports need the store's URL and a folder of their own; without them there are none."""

    tools: tuple[ServerSettings, ...] = ()
    library: LibrarySettings = LibrarySettings()
    alone: bool = False
    store_url: str = ""
    imports: Path | None = None


class Assist:
    """See the module. `holder` names this process among all that use the store."""

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        ledger: Ledger,
        client: Client,
        settings: AssistSettings,
        holder: str,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._settings = settings
        self._tools = Tools(store, ledger, client, settings.tools)
        self._toolbox = Toolbox(store, self._tools)
        self._conversations = Conversations(store)
        kit = Kit(store, pipeline, self._toolbox)
        self._hub = Hub(self._summary)
        self._runs = Runs(kit, self._hub, self._conversations, holder)
        self._turns = Turns(kit, self._hub, self._conversations, self._runs)
        self._chat = Chat(kit, self._conversations, self._turns, self._runs, self._hub)
        self._imports: Imports | None = None
        if settings.imports is not None:
            self._imports = Imports(store, settings.store_url, settings.imports, settings.library)
        self._tasks: list[asyncio.Task[None]] = []

    def endpoints(self) -> list[Endpoint]:
        """Return all of the room's endpoints."""
        return [
            *self._chat.endpoints(),
            *library.endpoints(self._store, self._settings.library, self._chat.gone),
            *self._toolbox.endpoints(),
            *(self._imports.endpoints() if self._imports is not None else ()),
        ]

    async def home(self, member: Member) -> dict[str, Any]:
        """Return what the page shows first. Raises StoreError."""
        try:
            key = await models.key_of(self._pipeline, member)
            usable = models.visible(self._pipeline.snapshot, key)
        except FreeholdError:  # the page opens all the same, and says why when something is asked
            usable = []
        conversations, _ = await self._conversations.page(member.id)
        return {
            "models": usable,
            "conversations": conversations,
            "projects": await projects.all_of(self._store, member.id),
            "assistants": await assistants.all_of(self._store, member),
            "tools": await self._toolbox.servers(member),
        }

    async def start(self) -> None:
        """Begin to keep and to follow; what waits since the last end is sent. Never waits for a model."""
        self._runs.start()
        self._tasks = [asyncio.create_task(self._resume())]
        if not self._settings.alone:
            following = Following(self._store, self._hub, self._runs, self._turns.queue)
            self._tasks.append(asyncio.create_task(following.run()))

    def reconfigure(self, servers: Sequence[ServerSettings]) -> None:
        """Take over another configuration of tools."""
        self._tools.reconfigure(servers)

    async def close(self) -> None:
        """End answers as interrupted with what they have, end every stream of events, let go of tools. Before the
        server of HTTP closes: its streams would keep it waiting."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runs.close()
        self._hub.close()
        await self._tools.close()
        if self._imports is not None:
            await self._imports.close()

    async def _resume(self) -> None:
        """Runs of the dead are ended first: what is queued behind them goes then, by itself."""
        with suppress(StoreError):
            await self._runs.recover()
            await self._turns.resume_all()

    async def _summary(self, conversation: str, since: int) -> Any:
        return await self._chat.summary(conversation, since)
