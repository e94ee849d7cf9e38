"""CPU of the house's own code for one call, without sockets: `python bench/path.py [--profile]`.

The door, pipeline, limits and ledger run as they do in service, on a real SQLite store; the exchange and the vendor are
objects in this process that answer at once. What it leaves out: reading and writing HTTP, and the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from freehold import access, contracts, ledger, store
from freehold.access import LimitsMemory, SharedMeter
from freehold.gateway import Door, DoorSettings
from freehold.gateway.pages import Pages
from freehold.pipeline import Pipeline, Snapshot
from freehold.pipeline.flow import Policy
from freehold.pipeline.health import Health
from freehold.providers import Settings, build
from freehold.routing import BreakerSettings, Deployment, Route, Table, Target

REPLY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-x","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"' + b"word " * 60 + b'","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":60,"completion_tokens":60,"total_tokens":120,'
    b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}'
)
BODY = (
    b'{"model":"gpt","messages":[{"role":"system","content":"You are a helpful assistant. '
    + b"Be brief and kind. " * 8
    + b'"},{"role":"user","content":"Tell me a story about a fox and a hen."}],"temperature":0.7,"max_tokens":100}'
)


class Vendor:
    """Answers at once, as a client whose reply is there already would."""

    async def send(
        self, origin: Any, method: Any, target: Any, headers: Any, body: Any, sink: Any, timeouts: Any
    ) -> None:
        sink.head(200, {b"content-type": b"application/json"}, None)
        sink.data(REPLY)


class Request:
    """What the door needs of an exchange."""

    method, path, query, answered, gone, peer = "POST", "/v1/chat/completions", "", False, False, "127.0.0.1"

    def __init__(self, token: str) -> None:
        self.headers = {
            b"host": b"127.0.0.1:8080",
            b"authorization": b"Bearer " + token.encode(),
            b"content-type": b"application/json",
        }
        self.body = BODY
        self.began = time.perf_counter()

    def reply(self, status: int, headers: Any, body: bytes) -> None:
        assert status == 200, body


async def run(calls: int, profile: bool, limited: bool, durability: Any) -> None:
    folder = Path(tempfile.mkdtemp())
    opened = await store.open(f"sqlite:///{folder}/bench.db", durable=durability == "strict")
    limits = ("requests=1000000/minute", "tokens=1000000000/minute", "budget=100000 USD/month") if limited else ()
    _, token = await access.create(opened, "bench", limits=limits)
    deployment = Deployment(name="gpt", kind="openai", model="gpt-x", maker="openai", seller="openai", host="openai")
    settings = Settings(name="gpt", kind="openai", model="gpt-x", endpoint="http://127.0.0.1:1/v1", key="sk-x")
    price = contracts.read_price({"input": "2.50", "output": "10"})
    snapshot = Snapshot(
        Table({"gpt": deployment}, {"gpt": Route("gpt", (Target("gpt"),))}),
        {"gpt": build(settings)},
        await access.load(opened),
        contracts.shipped(),
        {"gpt": price},
        "0123456789abcdef",
    )
    book = ledger.Ledger(opened, durability=durability)
    meter = SharedMeter(LimitsMemory(), 0)
    pipeline = Pipeline(snapshot, Vendor(), book, meter, None, Health(BreakerSettings(), 1024), Policy())  # type: ignore[arg-type]
    door = Door(pipeline, None, Pages(None), DoorSettings())  # type: ignore[arg-type]

    async def some(count: int) -> None:
        for _ in range(count):
            await door(Request(token))  # type: ignore[arg-type]

    await some(500)
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    main, whole = [], []
    for _ in range(5):
        thread, process = time.thread_time(), time.process_time()
        await asyncio.gather(*(some(calls // 16) for _ in range(16)))
        main.append((time.thread_time() - thread) / calls * 1e6)
        await book.flush()
        whole.append((time.process_time() - process) / calls * 1e6)
    profiler.disable()
    print(
        f"{durability:8} limits={limited!s:5} loop {min(main):6.1f} us/call, with the writer {min(whole):6.1f} us/call"
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
    await book.close()
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    for durability in ("batched", "strict"):
        for limited in (False, True):
            uvloop.run(run(chosen.calls, chosen.profile and durability == "batched" and limited, limited, durability))


if __name__ == "__main__":
    main()
