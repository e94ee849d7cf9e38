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


async def many(client: httpx2.AsyncClient, model: str, count: int, at_once: int = 64, **more: Any) -> list[Got]:
    """`count` calls, `at_once` of them under way together."""
    room = asyncio.Semaphore(at_once)

    async def one() -> Got:
        async with room:
            return await whole(client, model, **more)

    return await asyncio.gather(*(one() for _ in range(count)))
