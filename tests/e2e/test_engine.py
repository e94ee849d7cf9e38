"""One's own model behind the door when things go wrong: its process dies, its callers leave, it is asked too much."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import Opener
from tests.models import chat_model, find_or_pull
from tests.system import System, config, until

__all__ = ["chat_model"]

CHAT = "/v1/chat/completions"
CODE_MODEL = "qwen2.5-coder-0.5b-instruct"
ENDLESS = {"2": -100, "0": -100}  # the tokens that would end an answer


def own(name: str, file: Path, more: str = "") -> str:
    return f'[deployments."{name}"]\nkind = "llamacpp"\nmodel = "{file}"\n{more}\n'


@pytest.fixture(scope="module")
def house(chat_model: Path, opened: Opener) -> System:
    return opened(config(own("own", chat_model), "[engines]\nmax_context = 2048\n"))


@pytest.fixture
async def warm(house: System) -> System:
    """The house with its engine up and at rest."""
    async with house.client(timeout=120) as client:
        assert (await client.post(CHAT, json=ask("hi", max_tokens=1))).status_code == 200
    return house


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "own", "messages": [{"role": "user", "content": text}], **more}


def engine_pid(house: System) -> int:
    """The process of the one engine child; 0 when there is none."""
    for file in (house.home / ".freehold" / "run").glob("engine-*.pid"):
        return int(file.read_text() or 0)
    return 0


def engine(house: System) -> dict[str, Any]:
    """What `freehold status` says of the engine."""
    return next(e for e in house.json("status")["engines"] if e["name"])


async def stream(client: httpx2.AsyncClient, began: asyncio.Event, **more: Any) -> list[str]:
    """The data of each event of a stream; `began` is set by the first text."""
    found: list[str] = []
    asked = ask("Tell a long story", stream=True, max_tokens=1500, logit_bias=ENDLESS, **more)
    async with client.stream("POST", CHAT, json=asked) as reply:
        assert reply.status_code == 200, await reply.aread()
        async for line in reply.aiter_lines():
            if line.startswith("data: "):
                found.append(line.removeprefix("data: "))
                if not began.is_set() and '"content":' in line and '"content":""' not in line:
                    began.set()
    return found


async def test_an_engine_that_is_killed_fails_nobody_who_has_no_byte_yet(warm: System) -> None:
    """kill -9 while two streams run and whole calls are under way or in line: streams end with a typed error, the
    others are tried again on the engine that is started anew."""
    first = engine_pid(warm)
    async with warm.client(timeout=180) as client:
        began = [asyncio.Event() for _ in range(2)]
        streams = [asyncio.create_task(stream(client, event)) for event in began]
        async with asyncio.timeout(60):
            await asyncio.gather(*(event.wait() for event in began))
        wholes = [
            asyncio.create_task(client.post(CHAT, json=ask(f"Number {i}", max_tokens=64, logit_bias=ENDLESS)))
            for i in range(4)
        ]
        await asyncio.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        for events in await asyncio.gather(*streams):
            assert events[-1] != "[DONE]"
            error = json.loads(events[-1])["error"]
            assert error["code"] == "upstream_broken" and error["message"] and error["type"]
        for reply in await asyncio.gather(*wholes):
            assert reply.status_code == 200, reply.text
            assert reply.json()["usage"]["completion_tokens"] == 64
    assert engine_pid(warm) not in (0, first)
    outcomes = warm.outcomes()
    assert {row["error"] for row in outcomes if row["error"]} == {"upstream_broken"}
    assert warm.cli("ledger", "verify").returncode == 0
    log = warm.tail(20_000)
    assert "crashed: ended by signal 9" in log and "started again in 0.5 s" in log and log.count(": ready in ") == 2


async def test_a_caller_who_leaves_a_stream_frees_the_slot(warm: System) -> None:
    async with warm.client(timeout=60) as client:
        for _ in range(2):  # more than one slot's worth of callers, one after the other
            began = [asyncio.Event() for _ in range(6)]
            streams = [asyncio.create_task(stream(client, event)) for event in began]
            async with asyncio.timeout(60):
                await began[0].wait()
            for task in streams:
                task.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
            reply = await client.post(CHAT, json=ask("hi", max_tokens=2))
            assert reply.status_code == 200
    until(lambda: engine(warm)["busy"] == 0, 20, 0.3, "the engine to be at rest")


async def test_a_large_schema_is_refused_at_once_and_a_fair_one_held(warm: System) -> None:
    def form(count: int) -> dict[str, Any]:
        schema = {"enum": [f"v{i:05}" for i in range(count)]}
        return {"type": "json_schema", "json_schema": {"name": "v", "schema": schema}}

    async with warm.client(timeout=120) as client:
        refused = await client.post(CHAT, json=ask("hi", response_format=form(20_000)))
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert (error["code"], error["param"]) == ("invalid_json_schema", "response_format.json_schema.schema")
        held = await client.post(CHAT, json=ask("hi", response_format=form(1000), max_tokens=20))
        assert json.loads(held.json()["choices"][0]["message"]["content"]).startswith("v0")


async def test_a_model_that_does_not_see_refuses_images(warm: System) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {"model": "own", "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}]}
    async with warm.client() as client:
        reply = await client.post(CHAT, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unsupported_parameter")
    assert "image" in reply.json()["error"]["message"].lower()


def code_model() -> Path | None:
    """The small code model, when it is on this machine: 491 MB are not fetched for one test."""
    named = (os.environ.get(name) for name in ("FREEHOLD_TEST_MODELS", "FREEHOLD_HOME"))
    here = any(list(Path(home).glob(f"**/{CODE_MODEL}-q4_k_m.gguf")) for home in named if home)
    return find_or_pull(CODE_MODEL) if here else None


async def test_code_is_filled_in_between_prompt_and_suffix(opened: Opener) -> None:
    file = code_model()
    if file is None:
        pytest.skip(f"{CODE_MODEL} is not here; it runs where FREEHOLD_HOME holds it (`freehold models pull`)")
    house = opened(config(own("code", file), "[engines]\nmax_context = 512\n"))
    body = {
        "model": "code",
        "prompt": "def add(a, b):\n    return ",
        "suffix": "\n\n\nprint(add(1, 2))\n",
        "max_tokens": 12,
        "temperature": 0,
    }
    async with house.client(timeout=180) as client:
        reply = await client.post("/v1/completions", json=body)
        assert reply.status_code == 200, reply.text
        filled = reply.json()["choices"][0]["text"]
        assert filled.strip().startswith("a + b"), filled
        lines = (await client.post("/v1/completions", json={**body, "stream": True})).text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert "".join(e["choices"][0]["text"] for e in events if e["choices"]) == filled
