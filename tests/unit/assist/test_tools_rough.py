"""Servers of tools that hang, flood, die or talk nonsense: each fails alone, in words, and leaves no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.system import ROOT
from workshop import ROUGH, gone, rough

from freehold.assist.tools import Result, ServerSettings, connection
from freehold.assist.tools.connection import Connection
from freehold.assist.tools.http import Http, address
from freehold.assist.tools.protocol import STATELESS
from freehold.assist.tools.session import Session
from freehold.assist.tools.stdio import Stdio
from freehold.core.errors import ConfigError, FreeholdError, UpstreamBroken, UpstreamRejected, UpstreamTimeout
from freehold.wire.client import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


async def used(client: Client, manner: str, **more: Any) -> Result:
    one = Connection(rough(manner, **more), client)
    try:
        return await one.use("one", {})
    finally:
        await one.close()


async def failure(client: Client, manner: str, **more: Any) -> FreeholdError:
    with pytest.raises(FreeholdError) as caught:
        await used(client, manner, **more)
    return caught.value


async def test_a_silent_server_fails_at_its_time() -> None:
    carrier = await Stdio.start(rough("silent"))
    pid = carrier._process.pid
    with pytest.raises(UpstreamTimeout, match="did not answer initialize"):
        await Session.open(carrier, 0.3)
    await carrier.close()
    await gone(pid)


async def test_a_server_that_reads_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from freehold.assist.tools import stdio

    monkeypatch.setattr(stdio, "_WRITE_SECONDS", 0.3)
    carrier = await Stdio.start(rough("deaf"))
    with pytest.raises(UpstreamTimeout, match="reads nothing"):
        await carrier.tell(b"x" * 5_000_000)
    assert not carrier.alive
    await carrier.close()


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        ("dies", "no licence found"),
        ("garbage", "no message of the protocol"),
        ("endless line", "a line of more than 8 MiB"),
        ("floods", "messages without end"),
        ("future", "2999-01-01"),
        ("odd", "not of the protocol's form"),
    ],
)
async def test_bad_manners_end_in_words(client: Client, manner: str, words: str) -> None:
    error = await failure(client, manner)
    assert words in error.message
    assert error.hint


async def test_what_is_not_offered_is_declined(client: Client) -> None:
    answers = json.loads((await used(client, "asks")).text)
    assert answers[0] == {"jsonrpc": "2.0", "id": "s0", "result": {}}
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32601] * 3


async def test_chatter_is_passed_over(client: Client) -> None:
    assert await used(client, "chatty") == Result(
        "ab\n\n[Content of the kind 'hologram', which is not known here.]", False
    )


async def test_pages_without_end_are_read_up_to_a_bound(client: Client) -> None:
    one = Connection(rough("pages"), client)
    try:
        assert [tool.name for tool in await one.listed()] == [f"t{n}" for n in range(50)]
    finally:
        await one.close()


async def test_the_server_is_told_that_nobody_waits(client: Client) -> None:
    one = Connection(rough("cancelled", timeout=0.5), client)
    try:
        with pytest.raises(UpstreamTimeout):
            await one.use("one", {})
        heard = json.loads((await one.use("one", {})).text)
        assert heard["method"] == "notifications/cancelled"
        assert heard["params"]["requestId"] == 3
    finally:
        await one.close()


async def test_a_stubborn_server_and_its_children_are_ended(client: Client) -> None:
    one = Connection(rough("stubborn"), client)
    pids = json.loads((await one.use("one", {})).text)
    await one.close()
    for pid in pids:
        await gone(pid)


async def test_a_child_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, sys
from freehold.assist.tools.offers import ServerSettings
from freehold.assist.tools.stdio import Stdio
async def main():
    settings = ServerSettings(name="s", kind="stdio", command=({sys.executable!r}, {ROUGH!r}, "silent"))
    print((await Stdio.start(settings))._process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    pid = int(await asyncio.to_thread(process.stdout.readline))
    os.kill(pid, 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    await gone(pid)


async def test_a_server_that_fails_is_left_alone_for_a_while(client: Client) -> None:
    one = Connection(rough("dies"), client)
    try:
        with pytest.raises(UpstreamBroken, match="no licence"):
            await one.listed()
        assert one.state == "failed" and "no licence" in one.error
        with pytest.raises(UpstreamBroken) as second:
            await one.listed()
        assert "tried again in" in second.value.hint
        one.begin()
        assert one._connecting is None
    finally:
        await one.close()


async def test_a_program_that_is_not_there(client: Client) -> None:
    missing = ServerSettings(name="x", kind="stdio", command=("no-such-program",), env={"PATH": "/nowhere"})
    one = Connection(missing, client)
    with pytest.raises(UpstreamBroken, match="cannot run no-such-program"):
        await one.listed()
    await one.close()
    nowhere = Connection(ServerSettings(name="x", kind="stdio", command=("x",), cwd="/nowhere/at/all"), client)
    with pytest.raises(UpstreamBroken, match="cannot be started"):
        await nowhere.listed()
    await nowhere.close()


async def test_an_idle_child_is_ended_and_its_tools_stay(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.05)
    one = Connection(rough("asks"), client)
    await one.use("one", {})
    assert one._session is not None
    pid = one._session._carrier._process.pid  # type: ignore[attr-defined]
    await gone(pid)
    assert [tool.name for tool in await one.listed()] == ["one"]
    assert one._session is None
    assert not (await one.use("one", {})).failed
    await one.close()


class Rough:
    """A server over HTTP that gives the replies it was told to, one for each request; the last one again and again."""

    def __init__(self, *replies: bytes) -> None:
        self.requests: list[bytes] = []
        self._replies = list(replies)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Rough:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *why: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = re.search(rb"content-length: (\d+)", head.lower())
                body = await reader.readexactly(int(size[1]) if size else 0)
                self.requests.append(head + body)
                reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
                writer.write(reply.removesuffix(OPEN))
                await writer.drain()
                if reply.endswith(OPEN):
                    await asyncio.sleep(600)
                if b"connection: close" in reply or reply.endswith(b"content-le"):
                    break
        writer.close()

    def carrier(self, client: Client) -> Http:
        return Http(ServerSettings(name="h", kind="http", url=f"http://127.0.0.1:{self.port}/mcp"), client)


OPEN = b"<and stays open>"


def whole(body: bytes, media: bytes = b"application/json", status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n"
    return head % (status, media, more, len(body)) + body


def stream(*events: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + b"".join(events)


GREETING = b'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{}}}'
ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"


async def test_a_stream_that_stays_open_after_the_answer_is_left(client: Client) -> None:
    async with Rough(stream(b"event: message\ndata: " + GREETING + b"\n\n") + OPEN, ACCEPTED) as server:
        carrier = server.carrier(client)
        await Session.open(carrier)
        assert carrier.revision == "2025-06-18"
        await carrier.close()


async def test_events_in_pieces_and_requests_in_between(client: Client) -> None:
    ping = b'data: {"jsonrpc":"2.0","id":"p","method":"ping"}\r\n\r\n'
    changed = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    events = stream(b"id: 1\ndata:\n\n", b": hello\n\n", ping, changed, b"data: " + GREETING + b"\r\n\r\n")
    async with Rough(events, ACCEPTED) as server:
        carrier = server.carrier(client)
        session = await Session.open(carrier)
        assert session.stale
        await until(lambda: len(server.requests) >= 3)
        sent = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests[1:]]
        assert {"jsonrpc": "2.0", "id": "p", "result": {}} in sent
        assert {"jsonrpc": "2.0", "method": "notifications/initialized"} in sent
        await session.close()


async def until(check: Callable[[], bool]) -> None:
    for _ in range(1000):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not in time")


async def test_session_and_revision_go_along_and_the_end_is_told(client: Client) -> None:
    greeting = whole(GREETING, more=b"mcp-session-id: abc\r\n")
    async with Rough(greeting, ACCEPTED, whole(b'{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}'), ACCEPTED) as server:
        session = await Session.open(server.carrier(client))
        await session.tools()
        await session.close()
        first, *rest = [request.partition(b"\r\n\r\n")[0].lower() for request in server.requests]
        assert b"mcp-session-id" not in first and b"mcp-protocol-version" not in first
        assert all(b"mcp-session-id: abc" in each for each in rest)
        assert all(b"mcp-protocol-version: 2025-06-18" in each for each in rest)
        assert rest[-1].startswith(b"delete /mcp ")


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (whole(b"no", status=b"401 Unauthorized"), UpstreamRejected, "status 401"),
        (whole(b"", status=b"302 Found", more=b"location: /x\r\n"), UpstreamRejected, "redirects are not followed"),
        (whole(b"<html>", b"text/html"), UpstreamBroken, "no message of the protocol"),
        (whole(b""), UpstreamBroken, "without an answer"),
        (stream(b"data: {}\n\n" * 1000), UpstreamBroken, "messages without end"),
        (stream(b"data: " + b"x" * (17 << 20)), UpstreamBroken, "longer than 16 MiB"),
        (stream(b"data: {\n\n"), UpstreamBroken, "no message of the protocol"),
        (ACCEPTED, UpstreamRejected, "status 202"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", UpstreamBroken, "reply"),
        (
            whole(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"bad\\u0000"}}'),
            UpstreamRejected,
            "refused",
        ),
    ],
)
async def test_replies_that_are_none(client: Client, reply: bytes, error: type[FreeholdError], words: str) -> None:
    async with Rough(reply) as server:
        with pytest.raises(error, match=words) as caught:
            await Session.open(server.carrier(client), 5)
        assert caught.value.hint


async def test_a_server_that_does_not_answer_over_http(client: Client) -> None:
    async with Rough(b"") as server:
        with pytest.raises(UpstreamTimeout):
            await Session.open(server.carrier(client), 0.3)


async def test_an_older_revision_that_the_server_names_is_offered_next(client: Client) -> None:
    refusal = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no","data":{"supported":["2025-03-26"]}}}'
    greeting = GREETING.replace(b'"id":1', b'"id":2').replace(b"2025-06-18", b"2025-03-26")
    async with Rough(whole(refusal, status=b"400 Bad Request"), whole(greeting), ACCEPTED) as server:
        carrier = server.carrier(client)
        await Session.open(carrier)
        assert carrier.revision == "2025-03-26"


async def test_a_server_without_a_handshake_is_discovered(client: Client) -> None:
    refusal = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}'
    discovery = b'{"jsonrpc":"2.0","id":2,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}'
    listing = b'{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"\xc3\xa4","inputSchema":{}}]}}'
    answer = b'{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}'
    async with Rough(whole(refusal, status=b"400 Bad Request"), *map(whole, (discovery, listing, answer))) as server:
        carrier = server.carrier(client)
        session = await Session.open(carrier)
        assert carrier.revision == STATELESS
        assert [tool.name for tool in await session.tools()] == ["ä"]
        await session.use("ä", {}, 5, 100)
        head, _, body = server.requests[-1].partition(b"\r\n\r\n")
        assert b"mcp-method: tools/call\r\nmcp-name: =?base64?w6Q=?=" in head
        meta = json.loads(body)["params"]["_meta"]
        assert meta["io.modelcontextprotocol/protocolVersion"] == STATELESS


@pytest.mark.parametrize("url", ["", "ftp://h/", "http:///x", "http://h:99999/", "http://h/ä", "http://h/a b"])
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError):
        address(ServerSettings(name="x", kind="http", url=url))


def test_headers_that_cannot_be_sent() -> None:
    with pytest.raises(ConfigError, match="cannot be sent"):
        Http(ServerSettings(name="x", kind="http", url="http://h/", headers={"a": "b\r\nc: d"}), Client())
