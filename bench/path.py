"""CPU of the house's own code for one call, without sockets: `python bench/path.py [--profile] [--terms]`.

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
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from freehold import access, contracts, ledger, store
from freehold.access import LimitsMemory, SharedMeter
from freehold.contracts.binding import bind
from freehold.contracts.organisation import DataRule, Function, Organisation
from freehold.contracts.register import Register, Version, read
from freehold.gateway import Door, DoorSettings
from freehold.gateway.pages import Pages
from freehold.guards.moderation import ModerationShield
from freehold.guards.policy import Injection, Moderation, Policies, Policy, Privacy
from freehold.guards.privacy import PrivacyShield
from freehold.guards.vault import Vault
from freehold.pipeline import Pipeline, Snapshot
from freehold.pipeline.flow import Policy as CallPolicy
from freehold.pipeline.health import Health
from freehold.providers import Settings, build
from freehold.routing import BreakerSettings, Deployment, Route, Table, Target

STORY = (
    b"A fox came down to the farm one cold evening and found the hen awake on her perch. I only want to talk, he said. "
    b"She looked at his teeth and then at the moon. Then talk from there, she answered, and so they did, until the "
    b"farmer's lamp came swinging over the yard and each went home a little wiser."
)
REPLY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-x","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"' + STORY + b'","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":60,"completion_tokens":60,"total_tokens":120,'
    b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}'
)
BODY = (
    b'{"model":"gpt","messages":[{"role":"system","content":"You are a helpful assistant. '
    + b"Answer in plain words, name your sources, and say so when you do not know. "
    + b"Keep to the language of the question. Dates are written as 2026-11-24. "
    + b'"},{"role":"user","content":"Tell me a story about a fox and a hen."}],"temperature":0.7,"max_tokens":100}'
)


FOUND = BODY.replace(b"a fox and a hen", b"ann@example.com and +49 30 901820")
FOUND_REPLY = REPLY.replace(b"the farm", b"ann@example.com", 1)


class Vendor:
    """Answers at once, as a client whose reply is there already would."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply

    async def send(
        self, origin: Any, method: Any, target: Any, headers: Any, body: Any, sink: Any, timeouts: Any
    ) -> None:
        sink.head(200, {b"content-type": b"application/json"}, None)
        sink.data(self.reply)


class Request:
    """What the door needs of an exchange."""

    method, path, query, answered, gone, peer = "POST", "/v1/chat/completions", "", False, False, "127.0.0.1"

    def __init__(self, token: str, body: bytes) -> None:
        self.headers = {
            b"host": b"127.0.0.1:8080",
            b"authorization": b"Bearer " + token.encode(),
            b"content-type": b"application/json",
        }
        self.body = body
        self.began = time.perf_counter()

    def reply(self, status: int, headers: Any, body: bytes) -> None:
        assert status == 200, body


CONTRACT = """
schema = "freehold.contract/1"
id = "deal"
kind = "model-api"
[party]
supplier = "openai"
[term]
start = 2020-01-01
[data]
classes_allowed = ["public", "internal", "confidential", "personal"]
retention_days = 30
trains_on_inputs = "no"
human_review = "no"
regions = ["eu"]
[[price]]
input = "2.50"
output = "10"
"""
TERMS = ("plain", "contract", "guards", "pseudonyms")
"""No terms; a contract, a rule of data and a business function; those, with all inline guards on a call in which
nothing is found; and with two findings that are replaced and put back."""


def bound(snapshot: Snapshot, terms: str) -> Snapshot:
    """Return the snapshot with those terms in force."""
    if terms == "plain":
        return snapshot
    organisation = Organisation(
        functions={"chat": Function(routes=("gpt",))},
        rules={"internal": DataRule(contract=True, regions=("eu",), retention_days=30, training=False, review=False)},
    )
    register = Register([Version.of(read(CONTRACT, "deal.toml"))])
    policy = Policy(
        name="all", privacy=Privacy(outside="pseudonymise"), injection=Injection(action="block"),
        moderation=Moderation(block={"*": 4}),
    )  # fmt: skip
    return msgspec.structs.replace(
        snapshot,
        register=register,
        organisation=organisation,
        bonds=bind(snapshot.table.deployments.values(), register, organisation, date.today()),
        policies=Policies({} if terms == "contract" else {"all": policy}),
    )


async def run(calls: int, profile: bool, limited: bool, durability: Any, terms: str = "plain") -> None:
    folder = Path(tempfile.mkdtemp())
    opened = await store.open(f"sqlite:///{folder}/bench.db", durable=durability == "strict")
    limits = ("requests=1000000/minute", "tokens=1000000000/minute", "budget=100000 USD/month") if limited else ()
    _, token = await access.create(opened, "bench", limits=limits)
    deployment = Deployment(
        name="gpt", kind="openai", model="gpt-x", maker="openai", seller="openai", host="openai", region="westeurope",
        contract="deal",
    )  # fmt: skip
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
    shields = (ModerationShield(), PrivacyShield(Vault(opened, b"k" * 32)))
    vendor: Any = Vendor(FOUND_REPLY if terms == "pseudonyms" else REPLY)
    ready: Any = None
    pipeline = Pipeline(
        bound(snapshot, terms), vendor, book, meter, ready, Health(BreakerSettings(), 1024), CallPolicy(), shields
    )
    body = FOUND if terms == "pseudonyms" else BODY
    door = Door(pipeline, None, Pages(None), DoorSettings())  # type: ignore[arg-type]

    async def some(count: int) -> None:
        for _ in range(count):
            await door(Request(token, body))  # type: ignore[arg-type]

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
    what = f"{terms:10} {durability:8} limits={limited!s:5}"
    print(f"{what} loop {min(main):6.1f} us/call, with the writer {min(whole):6.1f} us/call")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
    await book.close()
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--terms", action="store_true", help="what terms and guards add, one after the other")
    chosen = parser.parse_args()
    if chosen.terms:
        for terms in TERMS:
            uvloop.run(run(chosen.calls, chosen.profile, True, "batched", terms))
        return
    for durability in ("batched", "strict"):
        for limited in (False, True):
            uvloop.run(run(chosen.calls, chosen.profile and durability == "batched" and limited, limited, durability))


if __name__ == "__main__":
    main()
