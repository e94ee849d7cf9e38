"""One agreed conversation with a server of tools: the handshake, the list, a use. Refuses to know how bytes travel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from freehold.assist.tools import protocol
from freehold.assist.tools.offers import Result
from freehold.assist.tools.protocol import REVISIONS, STATELESS, Message, Tool
from freehold.core.errors import UpstreamBroken, UpstreamError, UpstreamRejected, UpstreamTimeout

log = logging.getLogger("freehold.tools")

HANDSHAKE_SECONDS = 20.0
"""For a server to start, to agree and to list its tools, each; the first start of a program may fetch what it needs."""


class Carrier(Protocol):
    """What moves messages: a child process or HTTP. `revision` goes into headers; `heard` is called with the method of
    each notification. Both methods raise UpstreamError; `ask` may be cancelled."""

    revision: str
    heard: Callable[[str], None]
    alive: bool

    async def ask(self, data: bytes, number: int, method: str, name: str) -> Message: ...
    async def tell(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


class Session:
    """Made by `open`. `stale` is set when the server said that its tools have changed."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._numbers = 0
        self._asides: set[asyncio.Task[None]] = set()
        self.stale = False
        carrier.heard = self._heard

    @classmethod
    async def open(cls, carrier: Carrier, seconds: float = HANDSHAKE_SECONDS) -> Session:
        """Agree with the server on a revision. Raises UpstreamError; the carrier is the caller's to close."""
        self = cls(carrier)
        found = await self._initialize(REVISIONS[0], seconds)
        if found.error is None:
            version = protocol.convert(found.result, protocol.Greeting, "initialize").protocol_version
            if version not in REVISIONS:
                raise UpstreamBroken(
                    f"the server speaks revision {version[:40]!r} of the protocol",
                    hint=f"Use a version of it that speaks one of {', '.join(REVISIONS)}.",
                )
            carrier.revision = version
            await carrier.tell(protocol.notice("notifications/initialized"))
        return self

    async def _initialize(self, version: str, seconds: float) -> Message:
        """Offer `version`, then what the server says it speaks. An answer with an error means: no handshake needed."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": protocol.CLIENT}
        found = await self._ask("initialize", params, seconds)
        if found.error is None:
            return found
        supported = _supported(found)
        older = [each for each in REVISIONS if each in supported and each != version]
        if older and version == REVISIONS[0]:
            return await self._initialize(older[0], seconds)
        self._carrier.revision = STATELESS
        known = await self._ask("server/discover", {}, seconds)
        if known.error is None:
            spoken = protocol.convert(known.result, protocol.Discovery, "server/discover").supported_versions
            if STATELESS in spoken:
                return found
        self._carrier.revision = ""
        raise _refused("initialize", found)

    @property
    def alive(self) -> bool:
        return self._carrier.alive

    async def tools(self, seconds: float = HANDSHAKE_SECONDS) -> list[Tool]:
        """Return all tools of the server, of each name one. Raises UpstreamError."""
        self.stale = False
        tools: dict[str, Tool] = {}
        seen: set[str] = set()
        cursor: str | None = None
        for _ in range(protocol.PAGES):
            found = await self._ask("tools/list", {"cursor": cursor} if cursor is not None else {}, seconds)
            if found.error is not None and found.error.code == protocol.METHOD_NOT_FOUND:
                return []
            if found.error is not None:
                raise _refused("tools/list", found)
            page, cursor, bad = protocol.page(found.result)
            if bad:
                log.warning("tools left out: their descriptions are no good", extra={"tools": bad})
            for tool in page:
                tools.setdefault(tool.name, tool)
            if cursor is None or cursor in seen or len(tools) >= protocol.TOOLS:
                break
            seen.add(cursor)
        return list(tools.values())[: protocol.TOOLS]

    async def use(self, tool: str, arguments: dict[str, Any], seconds: float, bound: int) -> Result:
        """Use a tool; `bound` in bytes of the result. Raises UpstreamError."""
        found = await self._ask("tools/call", {"name": tool, "arguments": arguments}, seconds, name=tool)
        if found.error is not None:
            return Result(protocol.cut(f"The tool refused: {protocol.clean(found.error.message)}", bound), True)
        return protocol.words(found.result, bound)

    async def close(self) -> None:
        for task in self._asides:
            task.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)
        await self._carrier.close()

    async def _ask(self, method: str, params: dict[str, Any], seconds: float, *, name: str = "") -> Message:
        self._numbers += 1
        number = self._numbers
        stateless = self._carrier.revision == STATELESS
        data = protocol.request(number, method, protocol.enveloped(params) if stateless else params)
        try:
            async with asyncio.timeout(seconds):
                return await self._carrier.ask(data, number, method, name)
        except TimeoutError as e:
            self._take_back(number, method)
            raise UpstreamTimeout(
                f"the server did not answer {method} within {seconds:g} s",
                hint="Raise `timeout` of the server in [tools] if it needs longer.",
            ) from e
        except asyncio.CancelledError:
            self._take_back(number, method)
            raise

    def _take_back(self, number: int, method: str) -> None:
        """Tell the server, aside, that nobody waits any more. `initialize` cannot be taken back."""
        if method == "initialize" or self._carrier.revision == STATELESS or not self._carrier.alive:
            return
        task = asyncio.create_task(self._tell_aside(number))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _tell_aside(self, number: int) -> None:
        params = {"requestId": number, "reason": "nobody waits for it any more"}
        with contextlib.suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(5):
                await self._carrier.tell(protocol.notice("notifications/cancelled", params))

    def _heard(self, method: str) -> None:
        if method == "notifications/tools/list_changed":
            self.stale = True


def _supported(message: Message) -> list[str]:
    assert message.error is not None
    try:
        return msgspec.json.decode(message.error.data, type=protocol.Supported).supported
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _refused(method: str, message: Message) -> UpstreamRejected:
    assert message.error is not None
    said = protocol.clean(message.error.message)[:300]
    return UpstreamRejected(f"the server refused {method}: {said}", hint="See that the address is an MCP server's.")
