"""What people use of one worker: sign-in, console and assistants, put together below /api. Knows both rooms and the
configuration; refuses to know HTTP and calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freehold import __version__
from freehold.access import Member
from freehold.app import people, shelving, tooling
from freehold.app.settings import Config
from freehold.assist import Assist, AssistSettings
from freehold.console import Console, admin
from freehold.guards.vault import Vault
from freehold.ledger import Ledger
from freehold.pipeline import Pipeline
from freehold.store import Store
from freehold.wire.api import Api, Endpoint, Raw, Request
from freehold.wire.client import Client


class Rooms:
    """Made by `open`, once in each worker. `api` answers whatever is below /api."""

    api: Api

    def __init__(self, config: Config, console: Console, assist: Assist) -> None:
        self._config = config
        self._console = console
        self._assist = assist
        self._described = b""

    @classmethod
    async def open(
        cls,
        config: Config,
        opened: Store,
        pipeline: Pipeline,
        ledger: Ledger,
        client: Client,
        holder: str,
        control: admin.Control,
        vault: Vault,
    ) -> Rooms:
        """Put the rooms together and let them begin. Raises StoreError."""
        alone = opened.engine == "sqlite" and config.server.workers == 1
        settings = AssistSettings(
            tools=tooling.servers(config), library=shelving.settings(config.library, config.data), alone=alone,
            store_url=config.store_url, imports=config.data / "imports",
        )  # fmt: skip
        assist = Assist(opened, pipeline, ledger, client, settings, holder)

        async def home(member: Member) -> dict[str, Any]:
            return await assist.home(member)

        console = Console(opened, ledger, client, people.settings(config), home)
        rooms = cls(config, console, assist)
        endpoints = [
            *console.endpoints(),
            *admin.endpoints(admin.Office(pipeline, opened, control, rooms._default_limits, vault)),
            *assist.endpoints(),
            Endpoint(method="GET", path="/api/openapi.json", run=rooms._describe, access="public", tag="about",
                     summary="All of this, described as OpenAPI 3.1"),
        ]  # fmt: skip
        rooms.api = Api(endpoints, console.identify)
        await console.start()
        await assist.start()
        return rooms

    def configure(self, config: Config) -> None:
        """Put another configuration in force."""
        self._config = config
        self._console.configure(people.settings(config))
        self._assist.reconfigure(tooling.servers(config))

    def _default_limits(self) -> Sequence[str]:
        return self._config.access.default_limits

    async def quiet(self) -> None:
        """End answers that are being made, with what they have, and all streams of events: before the server waits for
        its requests to end."""
        await self._assist.close()

    async def close(self) -> None:
        """Let go of everything."""
        await self._console.close()

    async def _describe(self, request: Request[Any]) -> Raw:
        if not self._described:  # anybody may ask for it, and it takes tens of milliseconds to make
            self._described = msgspec.json.encode(self.api.openapi("Freehold", __version__))
        return Raw(self._described, "application/json", ((b"cache-control", b"no-cache"),))
