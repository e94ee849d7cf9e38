"""One server of tools as this worker knows it: connected when it is first asked for, connected anew when it was lost.
Refuses to know who uses it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from freehold.assist.tools.http import SESSION_LOST, Http
from freehold.assist.tools.offers import Result, ServerSettings
from freehold.assist.tools.protocol import Tool
from freehold.assist.tools.session import Carrier, Session
from freehold.assist.tools.stdio import Stdio
from freehold.core.clock import tick
from freehold.core.errors import ConfigError, FreeholdError, UpstreamBroken
from freehold.wire.client import Client

log = logging.getLogger("freehold.tools")

FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds before a server that failed is tried again; they double."""
FRESH_SECONDS = 300.0
"""How long a list of tools is believed. A child says when it changes; over HTTP nothing may come to say so."""
IDLE_SECONDS = 900.0
"""A child process that nobody used for so long is ended; the next use starts it again."""
AT_ONCE = 16
"""Uses of one server at the same time; more wait."""

State = Literal["ready", "connecting", "failed"]


class Connection:
    """`tools` is what the server offered last, `error` why it failed last."""

    def __init__(self, settings: ServerSettings, client: Client) -> None:
        self.settings = settings
        self.tools: list[Tool] = []
        self.error = ""
        self._client = client
        self._session: Session | None = None
        self._connecting: asyncio.Task[Session] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._pause = FIRST_PAUSE
        self._again_at = 0.0
        self._listed_at = 0.0
        self._users = 0
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def state(self) -> State:
        if self._session is not None and self._session.alive:
            return "ready"
        return "failed" if self.error and self._connecting is None else "connecting"

    def begin(self) -> None:
        """Begin to connect, unless that is done, under way, or failed a moment ago."""
        if not self._known() and self._connecting is None and tick() >= self._again_at and not self._closed:
            self._connect()

    def _known(self) -> bool:
        """Whether the tools are known: a child that was idle and ended has them still."""
        return (self._session is not None and self._session.alive) or (bool(self.tools) and not self.error)

    async def listed(self) -> list[Tool]:
        """Return the server's tools. Raises FreeholdError when they cannot be had."""
        session = self._session
        stale = session is not None and session.stale
        if self._known() and not stale and tick() - self._listed_at < FRESH_SECONDS:
            return self.tools
        before = session
        session = await self.session()
        if session is before:  # else connecting has listed them
            self._keep(await session.tools())
        return self.tools

    async def use(self, tool: str, arguments: dict[str, Any]) -> Result:
        """Use a tool. Raises FreeholdError."""
        settings = self.settings
        self._users += 1
        try:
            async with asyncio.timeout(settings.timeout * 2), self._turns:
                session = await self.session()
                try:
                    return await session.use(tool, arguments, settings.timeout, settings.result_bytes)
                except UpstreamBroken as e:
                    if e.code != SESSION_LOST:
                        raise
                session = await self.session()  # the server did nothing yet: it did not know us
                return await session.use(tool, arguments, settings.timeout, settings.result_bytes)
        except TimeoutError as e:
            raise UpstreamBroken("the server has too much to do", hint="Try again later.") from e
        finally:
            self._users -= 1
            self._rest()

    async def session(self) -> Session:
        """Return the session, a new one where there is none. Raises FreeholdError."""
        if self._closed:
            raise UpstreamBroken("the server is no longer configured", hint="Choose other tools.")
        if self._session is not None:
            if self._session.alive:
                return self._session
            self._let_go()
        if self._connecting is None:
            wait = self._again_at - tick()
            if wait > 0:
                raise UpstreamBroken(
                    self.error or "the server cannot be reached", hint=f"It is tried again in {wait:.0f} s."
                )
            self._connect()
        assert self._connecting is not None
        # One caller that leaves must not take the connection from the others.
        return await asyncio.shield(self._connecting)

    async def close(self) -> None:
        """Let go of the server; a child process is gone when this returns."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        self._let_go()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _connect(self) -> None:
        self._connecting = asyncio.create_task(self._open())
        self._connecting.add_done_callback(_seen)

    async def _open(self) -> Session:
        settings = self.settings
        carrier: Carrier | None = None
        try:
            carrier = Http(settings, self._client) if settings.kind == "http" else await Stdio.start(settings)
            session = await Session.open(carrier)
            self._keep(await session.tools())
        except BaseException as e:
            if carrier is not None:
                await carrier.close()
            if isinstance(e, FreeholdError):
                self.error = e.sentences()
                self._again_at = tick() + self._pause
                self._pause = LAST_PAUSE if isinstance(e, ConfigError) else min(self._pause * 2, LAST_PAUSE)
                log.warning("a server of tools failed", extra={"server": settings.name, "why": self.error})
            raise
        finally:
            self._connecting = None
        self._session = session
        self.error, self._pause, self._again_at = "", FIRST_PAUSE, 0.0
        log.info("a server of tools is ready", extra={"server": settings.name, "tools": len(self.tools)})
        self._rest()
        return session

    def _keep(self, tools: list[Tool]) -> None:
        self.tools, self._listed_at = tools, tick()

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            task = asyncio.create_task(session.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _rest(self) -> None:
        """End the child once nobody used it for a while."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self.settings.kind == "stdio" and self._session is not None and not self._closed:
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)

    def _end_idle(self) -> None:
        self._idle = None
        if self._users == 0:
            self._let_go()


def _seen(task: asyncio.Task[Session]) -> None:
    """Take note of a failure that nobody waited for."""
    if not task.cancelled():
        task.exception()
