"""A load generator that checks every reply: raw connections, a token in each request that must come back.

Knows the wire format; refuses to know who answers. Run as a process of its own, so that its CPU is nobody else's:
`python bench/load.py '{"port": 8080, ...}'` prints one JSON object. Each request that is begun is finished and counted.
"""

from __future__ import annotations

import asyncio
import gc
import re
import secrets
import sys
import time
from typing import Any

import httptools
import msgspec
import uvloop

WORD = re.compile(rb"(tok-[0-9a-f]{16}) word(\d+)")
FILLER = "the quick brown fox jumps over the lazy dog and runs far away from here "


class Plan(msgspec.Struct):
    """One measurement: `requests` in all over `connections`; `extra` bytes are added to each prompt; `chunks` is set
    for streams; `timeout` bounds the whole run in seconds."""

    port: int
    model: str
    requests: int
    connections: int = 16
    key: str = "sk-none"
    path: str = "/v1/chat/completions"
    extra: int = 0
    chunks: int = 0
    timeout: float = 300.0


class Result(msgspec.Struct):
    """`ok` replies were whole and their own; `bad` were another's, cut or no success; `failed` broke. Times in ms."""

    ok: int = 0
    bad: int = 0
    failed: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    first_p50: float = 0.0
    first_p99: float = 0.0
    why: str = ""


class Run:
    """The shared state of one measurement."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.result = plan, Result()
        self.left = plan.requests
        self.open = 0
        self.times: list[float] = []
        self.firsts: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ask: dict[str, Any] = {
            "model": plan.model,
            "messages": [
                {"role": "user", "content": "tok-" + "0" * 16 + " " + (FILLER * (plan.extra // 72 + 1))[: plan.extra]}
            ],
            "max_tokens": 64,
        }
        if plan.chunks:
            ask |= {"stream": True, "stream_options": {"include_usage": True}}
        body = msgspec.json.encode(ask)
        head = (
            f"POST {plan.path} HTTP/1.1\r\nhost: 127.0.0.1:{plan.port}\r\nauthorization: Bearer {plan.key}\r\n"
            f"content-type: application/json\r\naccept: application/json\r\nuser-agent: load\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode()
        self.before, _, self.after = (head + body).partition(b"tok-" + b"0" * 16)

    def lost(self, count: int, why: str) -> None:
        self.result.failed += count
        self.result.why = self.result.why or why
        if count:
            self.left = 0

    def closed(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.ended.done():
            self.ended.set_result(None)


class Connection(asyncio.Protocol):
    """One connection: a request, its whole reply, the next request."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.transport: asyncio.Transport
        self.parser: Any
        self.token = b""
        self.parts: list[bytes] = []
        self.began = self.first = 0.0
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.run.open += 1
        self.next()

    def next(self) -> None:
        run = self.run
        if run.left <= 0:
            self.transport.close()
            return
        run.left -= 1
        self.token = b"tok-" + secrets.token_hex(8).encode()
        self.parts, self.first = [], 0.0
        self.parser = httptools.HttpResponseParser(self)
        self.waiting = True
        self.began = time.perf_counter()
        self.transport.write(run.before + self.token + run.after)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as e:
            self.run.lost(1, repr(e))
            self.waiting = False
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        if not self.first:
            self.first = time.perf_counter()
        self.parts.append(body)

    def on_message_complete(self) -> None:
        run, result = self.run, self.run.result
        now = time.perf_counter()
        self.waiting = False
        body = b"".join(self.parts)
        status = self.parser.get_status_code()
        if status == 200 and self._whole(body):
            result.ok += 1
        else:
            result.bad += 1
            result.why = result.why or f"{status}: {body[-300:]!r}"
        run.times.append(now - self.began)
        run.firsts.append(self.first - self.began)
        if self.parser.should_keep_alive():
            self.next()
        else:
            self.transport.close()

    def _whole(self, body: bytes) -> bool:
        chunks = self.run.plan.chunks
        if not chunks:
            return self.token in body and body.rstrip().endswith(b"}")
        words = WORD.findall(body)
        return (
            all(token == self.token for token, _ in words)
            and [int(number) for _, number in words] == list(range(chunks))
            and body.rstrip().endswith(b"data: [DONE]")
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting:
            self.run.lost(1, f"the connection broke: {exc!r}")
        self.run.closed()


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of `values` lie, in milliseconds."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def measure(plan: Plan) -> Result:
    """Carry out `plan`."""
    run = Run(plan)
    loop = asyncio.get_running_loop()
    gc.freeze()
    gc.disable()
    began = time.perf_counter()
    count = min(plan.connections, plan.requests)
    run.open = 1  # held until all are under way, so that the run cannot end before
    made = [await loop.create_connection(lambda: Connection(run), "127.0.0.1", plan.port) for _ in range(count)]
    run.closed()
    try:
        await asyncio.wait_for(run.ended, plan.timeout)
    except TimeoutError:
        run.lost(sum(protocol.waiting for _, protocol in made), f"not finished within {plan.timeout} s")
    result = run.result
    result.seconds = time.perf_counter() - began
    result.p50, result.p99 = quantile(run.times, 0.5), quantile(run.times, 0.99)
    result.first_p50, result.first_p99 = quantile(run.firsts, 0.5), quantile(run.firsts, 0.99)
    return result


if __name__ == "__main__":
    print(msgspec.json.encode(uvloop.run(measure(msgspec.json.decode(sys.argv[1], type=Plan)))).decode())
