"""Calls for the tests of the whole system, and what came of them."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import httpx2
import msgspec

_numbers = itertools.count(1)


class Got(msgspec.Struct):
    """What a client saw of one call. `text` is the answer's text, `done` whether it arrived whole."""

    status: int
    text: str
    done: bool
    call: str
    headers: dict[str, str]
    error: dict[str, Any] | None = None
    user: str = ""


def body(model: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    """A chat request with a `user` that no other request of this process has."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "user": f"user-{next(_numbers)}",
        **more,
    }


async def whole(client: httpx2.AsyncClient, model: str, text: str = "hello", **more: Any) -> Got:
    """One call that is not streamed."""
    ask = body(model, text, **more)
    reply = await client.post("/v1/chat/completions", json=ask)
    said = reply.json()
    text = said["choices"][0]["message"]["content"] if reply.status_code == 200 else ""
    call = reply.headers.get("x-request-id", "")
    return Got(
        reply.status_code, text, reply.status_code == 200, call, dict(reply.headers), said.get("error"), ask["user"]
    )


async def streamed(client: httpx2.AsyncClient, model: str, text: str = "hello", **more: Any) -> Got:
    """One streamed call, read to its end, whatever that end is."""
    ask = body(model, text, stream=True, **more)
    got = Got(0, "", False, "", {}, user=ask["user"])
    async with client.stream("POST", "/v1/chat/completions", json=ask) as reply:
        got.status, got.headers = reply.status_code, dict(reply.headers)
        got.call = reply.headers.get("x-request-id", "")
        if reply.status_code != 200:
            got.error = msgspec.json.decode(await reply.aread()).get("error")
            return got
        async for line in reply.aiter_lines():
            data = line.removeprefix("data:").lstrip() if line.startswith("data:") else ""
            if data == "[DONE]":
                got.done = True
            elif data:
                event = msgspec.json.decode(data)
                if "error" in event:
                    got.error = event["error"]
                for choice in event.get("choices", ()):
                    got.text += choice["delta"].get("content") or ""
    return got


class Wire:
    """One connection without a client library: light, for loads. A broken connection is an OSError."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, ask: dict[str, Any]) -> Got:
        """Send one chat request and read its whole reply."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = msgspec.json.encode(ask)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
        self._writer.write(
            f"{head}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data
        )
        try:
            return await self._answer(bool(ask.get("stream")))
        except (asyncio.IncompleteReadError, OSError) as e:
            self.close()
            raise OSError("the connection broke") from e

    async def _answer(self, stream: bool) -> Got:
        assert self._reader is not None
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
        status = int(lines[0].split()[1])
        body = await self._body(headers)
        done = status == 200 and (b"data: [DONE]" in body if stream else True)
        if headers.get("connection") == "close":
            self.close()
        return Got(status, body.decode(), done, headers.get("x-request-id", ""), headers)

    async def _body(self, headers: dict[str, str]) -> bytes:
        assert self._reader is not None
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        parts = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return b"".join(parts)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


async def many(client: httpx2.AsyncClient, model: str, count: int, at_once: int = 64, **more: Any) -> list[Got]:
    """`count` calls, `at_once` of them under way together."""
    room = asyncio.Semaphore(at_once)

    async def one() -> Got:
        async with room:
            return await whole(client, model, **more)

    return await asyncio.gather(*(one() for _ in range(count)))
