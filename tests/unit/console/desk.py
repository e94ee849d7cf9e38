"""The console's endpoints over real sockets, on a real house: its store, pipeline, engines and vendor, all in this
process.

Only the workers' processes are missing; tests/e2e/test_console_api.py has those too.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from freehold import access, store
from freehold.access import members
from freehold.app.environment import Environment
from freehold.app.first_run import folders
from freehold.app.house import House
from freehold.app.load import load
from freehold.app.supervisor import Supervisor
from freehold.app.upkeep import Upkeep
from freehold.console import admin
from freehold.core.clock import tick
from freehold.core.errors import FreeholdError
from freehold.store import Store
from freehold.wire.api import Access, Api
from freehold.wire.client import Client, Origin
from freehold.wire.dialects import openai
from freehold.wire.server import Exchange, listen

JSON = "content-type: application/json\r\n"


class Around:
    """What a worker's channel would carry, without the channel."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def state(self) -> dict[str, Any]:
        return await self._supervisor.state()

    async def samples(self) -> bytes:
        return b""

    async def order(self, name: str, /, **about: Any) -> Any:
        return await self._supervisor.orders.give(name, about)

    async def ready(self, model: str) -> Origin:
        return await self._supervisor.upkeep.engine(model)


class Desk:
    """Asks the API as `who`, the owner."""

    def __init__(self, house: House, kept: Store, supervisor: Supervisor, file: Path) -> None:
        self.house, self.store, self.supervisor, self.file = house, kept, supervisor, file
        self.client = Client()
        self.origin = Origin("http", "127.0.0.1", 1)
        self.who: access.Member

    async def raw(self, method: str, path: str, body: Any = None) -> tuple[int, dict[bytes, bytes], bytes]:
        data = msgspec.json.encode(body) if body is not None else b""
        answer = await self.client.fetch(self.origin, method.encode(), path.encode(), JSON.encode(), data)
        return answer.status, answer.headers, answer.body

    async def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Return the JSON of an answer that has to have `status`."""
        got, _, data = await self.raw(method, "/api/admin/" + path, body)
        assert got == status, (got, data)
        return json.loads(data) if data else None

    async def fails(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Return the status and code of an answer that is an error."""
        got, _, data = await self.raw(method, "/api/admin/" + path, body)
        error = json.loads(data)["error"]
        assert error["message"].endswith((".", "!", "?")), error
        return got, error["code"]

    async def chat(self, model: str, text: str = "hi", *, key: str = "") -> bool:
        """Make a call as anybody would; return whether it was answered."""
        pipeline = self.house.door.pipeline
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8}
        call = openai.parse("chat", msgspec.json.encode(body))
        try:
            await pipeline.run(call, pipeline.snapshot.keys.by_id(key or self.who.key), None, tick())
        except FreeholdError:
            return False
        return True

    async def acts(self) -> list[str]:
        """What administrators did, oldest first."""
        return [entry["act"] for entry in (await self("GET", "audit"))["entries"]][::-1]


@asynccontextmanager
async def open_desk(folder: Path, text: str) -> AsyncIterator[Desk]:
    """Run a house on the configuration `text` in `folder`."""
    file = folder / "freehold.toml"
    file.write_text(text, "utf-8")
    environment = Environment({"VENDOR_KEY": "sk-vendor-secret-0123456789", "FREEHOLD_HOME": str(folder / "models")})

    def again() -> Any:
        return load(str(file), environment, folder)

    config = again()
    folders(config)
    kept = await store.open(config.store_url)
    owner = await members.create_first(kept, "olga", display="Olga", password=None)
    upkeep = await Upkeep.open(config, environment)
    spare = socket.socket()
    supervisor = Supervisor(config, environment, spare, upkeep, again)
    house = await House.open(config, 0, upkeep.meter_fd, Around(supervisor))
    desk = Desk(house, kept, supervisor, file)
    desk.who = owner

    async def identify(exchange: Exchange, access: Access) -> Any:
        return desk.who

    api = Api(
        admin.endpoints(
            admin.Office(house.door.pipeline, kept, Around(supervisor), lambda: supervisor.config.access.default_limits)
        ),
        identify,
    )

    async def answer(exchange: Exchange) -> None:
        try:
            await api(exchange)
        except FreeholdError as e:
            status, headers, body = openai.error(e, "req_1")
            exchange.reply(status, headers, body)

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = await listen(answer, sock=listening)
    desk.origin = Origin("http", "127.0.0.1", server.port)
    try:
        yield desk
    finally:
        await desk.client.close()
        await server.close_gracefully(0.0)
        await supervisor.orders.jobs.close()
        await house.close()
        await upkeep.close()
        spare.close()
        await kept.close()
