"""Official clients with one's own real models behind the door: structure is asserted, not wording."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from base64 import b64decode
from collections.abc import Iterator

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel, Field

from tests.contract.doors import API_VERSION, Door
from tests.contract.test_sdk_openai import WEATHER
from tests.system import command_line, tree, until

ASK = [{"role": "user", "content": "Say hello to the house."}]


@pytest.fixture(scope="module")
def client(own: Door) -> Iterator[OpenAI]:
    with OpenAI(base_url=own.v1, api_key=own.key, max_retries=0, timeout=120) as made:
        yield made


def test_whole(client: OpenAI, own: Door) -> None:
    reply = client.chat.completions.create(model=own.model, messages=ASK, max_tokens=24)
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content
    assert reply.usage is not None
    assert 0 < reply.usage.completion_tokens <= 24
    assert reply.usage.prompt_tokens > 5
    assert reply.choices[0].finish_reason in ("stop", "length")


def test_streamed(client: OpenAI, own: Door) -> None:
    chunks = list(
        client.chat.completions.create(
            model=own.model, messages=ASK, max_tokens=24, stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(pieces) > 3
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens <= 24
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] in ("stop", "length")


def test_bounds_stops_and_several_answers(client: OpenAI, own: Door) -> None:
    short = client.chat.completions.create(model=own.model, messages=ASK, max_completion_tokens=3, n=2)
    assert len(short.choices) == 2
    assert {c.finish_reason for c in short.choices} <= {"length", "stop"}
    assert short.usage is not None and short.usage.completion_tokens <= 6
    count = [{"role": "user", "content": "Count: 1, 2, 3, 4, 5, 6"}]
    stopped = client.chat.completions.create(model=own.model, messages=count, max_tokens=60, stop=[","])
    assert "," not in (stopped.choices[0].message.content or "")


def test_logprobs(client: OpenAI, own: Door) -> None:
    reply = client.chat.completions.create(
        model=own.model, messages=ASK, max_tokens=5, logprobs=True, top_logprobs=3, temperature=0
    )
    tokens = reply.choices[0].logprobs.content
    assert 0 < len(tokens) <= 5
    assert all(t.logprob <= 0 and len(t.top_logprobs) == 3 for t in tokens)


class House(BaseModel):
    rooms: int = Field(ge=0, le=100)
    colour: str
    garden: bool


def test_a_schema_is_enforced(client: OpenAI, own: Door) -> None:
    ask = [{"role": "user", "content": "Describe a small red house with a garden."}]
    reply = client.chat.completions.parse(
        model=own.model, messages=ask, response_format=House, max_tokens=200, temperature=0
    )
    assert isinstance(reply.choices[0].message.parsed, House)
    with client.chat.completions.stream(
        model=own.model, messages=ask, response_format=House, max_tokens=200, temperature=0
    ) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, House)


def test_json_object(client: OpenAI, own: Door) -> None:
    ask = [{"role": "user", "content": "Answer in JSON with one key."}]
    reply = client.chat.completions.create(
        model=own.model, messages=ask, response_format={"type": "json_object"}, max_tokens=100
    )
    if reply.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(reply.choices[0].message.content), dict)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
@pytest.mark.parametrize("stream", [False, True])
def test_tool_choice_is_enforced(client: OpenAI, own: Door, choice: object, stream: bool) -> None:
    ask = {
        "model": own.model,
        "messages": [{"role": "user", "content": "How is the weather in Rome?"}],
        "tools": [WEATHER],
        "tool_choice": choice,
        "max_tokens": 200,
        "temperature": 0,
    }
    if stream:
        with client.chat.completions.stream(**ask) as events:
            reply = events.get_final_completion()
    else:
        reply = client.chat.completions.create(**ask)
    call = reply.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert call.id
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str) and isinstance(arguments["days"], int)
    assert reply.choices[0].finish_reason in ("tool_calls", "stop")


def test_too_long_a_prompt_is_refused_not_cut(client: OpenAI, own: Door) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=own.model, messages=[{"role": "user", "content": "house " * 40_000}], max_tokens=5
        )
    assert caught.value.code == "context_length_exceeded"


def test_completions(client: OpenAI, own: Door) -> None:
    whole = client.completions.create(model=own.model, prompt="The house is", max_tokens=8)
    assert whole.choices[0].text
    chunks = list(client.completions.create(model=own.model, prompt="The house is", max_tokens=8, stream=True))
    assert "".join(c.choices[0].text for c in chunks if c.choices)


def test_embeddings(client: OpenAI, own: Door) -> None:
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "The central bank raised its rate."]
    made = client.embeddings.create(model=own.embedder, input=texts, encoding_format="float")
    one, two, three = (d.embedding for d in made.data)
    assert len(one) == 384
    assert sum(x * x for x in one) == pytest.approx(1, abs=1e-2)

    def like(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert like(one, two) > like(one, three) + 0.2
    packed = client.embeddings.create(model=own.embedder, input=texts[0], encoding_format="base64")
    raw = b64decode(packed.data[0].embedding)
    assert list(struct.unpack(f"<{len(raw) // 4}f", raw)) == pytest.approx(one, abs=2e-2)
    assert made.usage.prompt_tokens > 10


def test_a_chat_model_is_no_embedder(client: OpenAI, own: Door) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=own.model, input="x")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=own.embedder, messages=ASK)


def test_azure(own: Door) -> None:
    with AzureOpenAI(
        azure_endpoint=own.url, azure_deployment=own.model, api_key=own.key, api_version=API_VERSION, timeout=60
    ) as client:
        reply = client.chat.completions.create(model="ignored", messages=ASK, max_tokens=8)
    assert reply.choices[0].message.content


def test_langchain(own: Door) -> None:
    chat = ChatOpenAI(base_url=own.v1, api_key=own.key, model=own.model, max_tokens=200, temperature=0, timeout=60)
    assert chat.invoke("Say hello.").content
    assert isinstance(chat.with_structured_output(House).invoke("A small red house with a garden."), House)
    embedder = OpenAIEmbeddings(base_url=own.v1, api_key=own.key, model=own.embedder, check_embedding_ctx_length=False)
    assert len(embedder.embed_query("a house")) == 384


async def test_several_at_once(own: Door) -> None:
    import asyncio

    async with AsyncOpenAI(base_url=own.v1, api_key=own.key, max_retries=0, timeout=120) as client:
        replies = await asyncio.gather(
            *(client.chat.completions.create(model=own.model, messages=ASK, max_tokens=12) for _ in range(8))
        )
    assert all(reply.choices[0].message.content for reply in replies)
    assert len({reply.id for reply in replies}) == 8


def engines(own: Door) -> list[int]:
    assert own.house is not None
    return [pid for pid in tree(own.house.pid) if "freehold.engines" in command_line(pid)]


def test_a_killed_engine_comes_back(client: OpenAI, own: Door) -> None:
    client.chat.completions.create(model=own.model, messages=ASK, max_tokens=2)
    before = engines(own)
    assert before
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not set(before) & set(engines(own)), 5)
    reply = client.chat.completions.create(model=own.model, messages=ASK, max_tokens=4)
    assert reply.choices[0].message.content


def test_an_engine_killed_in_mid_stream_ends_with_a_typed_error(client: OpenAI, own: Door) -> None:
    stream = client.chat.completions.create(model=own.model, messages=ASK, max_tokens=400, stream=True)
    got = 0
    with pytest.raises(openai.APIError):
        for _ in stream:
            got += 1
            if got == 5:
                for pid in engines(own):
                    os.kill(pid, signal.SIGKILL)
    assert got >= 5
    reply = client.chat.completions.create(model=own.model, messages=ASK, max_tokens=4)
    assert reply.choices[0].message.content


def test_a_client_that_leaves_stops_the_engine(client: OpenAI, own: Door) -> None:
    long = [{"role": "user", "content": "Tell a very long story about a house. " * 40}]
    stream = client.chat.completions.create(model=own.model, messages=long, max_tokens=2000, stream=True)
    for _, _ in zip(range(3), stream, strict=False):
        pass
    stream.close()
    time.sleep(0.5)

    def burnt() -> int:
        ticks = 0
        for pid in engines(own):
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks

    before = burnt()
    time.sleep(1.0)
    assert burnt() - before < 20, "the engine goes on computing for nobody"
