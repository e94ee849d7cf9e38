"""LangChain's OpenAI package, unchanged, on the door."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from tests.contract.doors import API_VERSION, Door
from tests.vendor.answers import vector

HELLO = "hello from a chain"
SAID = "You said: hello from a chain"


@tool
def get_weather(city: str, days: int) -> str:
    """The weather in a city."""
    return f"sunny in {city} for {days} days"


class Answer(BaseModel):
    """An answer."""

    text: str
    sure: bool


@pytest.fixture
def chat(door: Door) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=door.v1, api_key=door.key, model=door.model, max_retries=0, timeout=20, stream_usage=True
    )


def test_invoke(chat: ChatOpenAI) -> None:
    reply = chat.invoke(HELLO)
    assert reply.content == SAID
    assert reply.usage_metadata["total_tokens"] > 0
    assert reply.response_metadata["finish_reason"] == "stop"


def test_stream(chat: ChatOpenAI) -> None:
    parts = list(chat.stream(HELLO))
    assert "".join(part.content for part in parts) == SAID
    whole: Any = parts[0]
    for part in parts[1:]:
        whole = whole + part
    assert whole.usage_metadata["total_tokens"] > 0


async def test_async(chat: ChatOpenAI) -> None:
    assert (await chat.ainvoke(HELLO)).content == SAID
    assert "".join([part.content async for part in chat.astream(HELLO)]) == SAID


def test_tools_round_trip(chat: ChatOpenAI) -> None:
    able = chat.bind_tools([get_weather])
    first = able.invoke("get_weather")
    assert isinstance(first, AIMessage)
    assert first.tool_calls[0]["name"] == "get_weather"
    assert first.tool_calls[0]["args"] == {"city": "get_weather", "days": 7}
    result = get_weather.invoke(first.tool_calls[0])
    assert isinstance(result, ToolMessage)
    last = able.invoke([HumanMessage("get_weather"), first, result, HumanMessage("thanks")])
    assert last.content == "You said: thanks"


def test_streamed_tools(chat: ChatOpenAI) -> None:
    whole: Any = None
    for part in chat.bind_tools([get_weather], tool_choice="get_weather").stream("now"):
        whole = part if whole is None else whole + part
    assert whole.tool_calls[0]["args"] == {"city": "now", "days": 7}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(chat: ChatOpenAI, method: str) -> None:
    if method == "json_mode":

        class Echo(BaseModel):
            echo: str

        assert chat.with_structured_output(Echo, method=method).invoke("JSON please").echo == "JSON please"
        return
    got = chat.with_structured_output(Answer, method=method).invoke(HELLO)
    assert got == Answer(text=HELLO, sure=True)


def test_azure(door: Door) -> None:
    chat = AzureChatOpenAI(
        azure_endpoint=door.url,
        azure_deployment=door.azure_model,
        api_key=door.key,
        api_version=API_VERSION,
        max_retries=0,
        timeout=20,
    )
    assert chat.invoke(HELLO).content == SAID
    assert "".join(part.content for part in chat.stream(HELLO)) == SAID


def test_embeddings(door: Door) -> None:
    embedder = OpenAIEmbeddings(
        base_url=door.v1, api_key=door.key, model=door.embedder, check_embedding_ctx_length=False, max_retries=0
    )
    assert embedder.embed_query("one house") == pytest.approx(vector("one house", 32), abs=1e-6)
    assert len(embedder.embed_documents(["a", "b", "c"])) == 3
