"""The official `openai` client for Python, unchanged, with a vendor behind the door."""

from __future__ import annotations

import struct
import time
from base64 import b64decode
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.contract.doors import Door
from tests.vendor.answers import pieces_of, vector

HELLO = [{"role": "user", "content": "hello from the test of the house"}]
SAID = "You said: hello from the test of the house"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[OpenAI]:
    with OpenAI(base_url=door.v1, api_key=door.key, max_retries=0, timeout=20) as made:
        yield made


def test_whole(client: OpenAI, door: Door) -> None:
    reply = client.chat.completions.create(model=door.model, messages=HELLO)
    assert reply.object == "chat.completion"
    assert reply.choices[0].message.content == SAID
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == len(pieces_of(SAID))
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_streamed_equals_whole(client: OpenAI, door: Door) -> None:
    whole = client.chat.completions.create(model=door.model, messages=HELLO)
    chunks = list(
        client.chat.completions.create(
            model=door.model, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) == len(pieces_of(SAID))
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_a_stream_without_include_usage_shows_none(client: OpenAI, door: Door) -> None:
    chunks = list(client.chat.completions.create(model=door.model, messages=HELLO, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == SAID
    assert all(c.usage is None for c in chunks)
    assert all(c.choices for c in chunks)


async def test_async(door: Door) -> None:
    async with AsyncOpenAI(base_url=door.v1, api_key=door.key, max_retries=0, timeout=20) as client:
        reply = await client.chat.completions.create(model=door.model, messages=HELLO)
        assert reply.choices[0].message.content == SAID
        stream = await client.chat.completions.create(model=door.model, messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert text == SAID


def test_stream_helper(client: OpenAI, door: Door) -> None:
    kinds = []
    with client.chat.completions.stream(model=door.model, messages=HELLO) as stream:
        for event in stream:
            kinds.append(event.type)
        final = stream.get_final_completion()
    assert final.choices[0].message.content == SAID
    assert kinds.count("content.delta") >= len(pieces_of(SAID))
    assert "content.done" in kinds


async def test_async_stream_helper_with_tools(door: Door) -> None:
    ask = [{"role": "user", "content": "call get_weather"}]
    async with (
        AsyncOpenAI(base_url=door.v1, api_key=door.key, max_retries=0, timeout=20) as client,
        client.chat.completions.stream(model=door.model, messages=ask, tools=[WEATHER]) as stream,
    ):
        kinds = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    assert "tool_calls.function.arguments.done" in kinds
    calls = final.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.parsed_arguments == {"city": "call get_weather", "days": 7}
    assert final.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: OpenAI, door: Door, stream: bool) -> None:
    ask = {
        "model": door.model,
        "messages": [{"role": "user", "content": "what of Köln? use get_weather"}],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    }
    arguments, name, ids = "", "", []
    if stream:
        for chunk in client.chat.completions.create(stream=True, **ask):
            for call in chunk.choices[0].delta.tool_calls or []:
                arguments += call.function.arguments or ""
                name += call.function.name or ""
                ids += [call.id] if call.id else []
    else:
        call = client.chat.completions.create(**ask).choices[0].message.tool_calls[0]
        arguments, name, ids = call.function.arguments, call.function.name, [call.id]
    assert name == "get_weather"
    assert len(ids) == 1 and ids[0].startswith("call_")
    assert arguments == '{"city":"what of Köln? use get_weather","days":7}'


def test_tool_results_go_back(client: OpenAI, door: Door) -> None:
    first = client.chat.completions.create(
        model=door.model,
        messages=[{"role": "user", "content": "get_weather"}],
        tools=[WEATHER],
        tool_choice="required",
    )
    message = first.choices[0].message
    second = client.chat.completions.create(
        model=door.model,
        messages=[
            {"role": "user", "content": "get_weather"},
            message,
            {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"},
            {"role": "user", "content": "thanks"},
        ],
        tools=[WEATHER],
    )
    assert second.choices[0].message.content == "You said: thanks"
    if door.vendor is not None:
        sent = door.vendor.seen[-1].json()["messages"]
        assert sent[1]["tool_calls"][0]["function"]["name"] == "get_weather"
        assert sent[2] == {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}


class Place(BaseModel):
    city: str
    population: int
    tags: list[str]


def test_parse_into_a_model(client: OpenAI, door: Door) -> None:
    reply = client.chat.completions.parse(model=door.model, messages=HELLO, response_format=Place)
    parsed = reply.choices[0].message.parsed
    assert parsed == Place(city=HELLO[0]["content"], population=7, tags=[HELLO[0]["content"]])


def test_parse_while_streaming(client: OpenAI, door: Door) -> None:
    with client.chat.completions.stream(model=door.model, messages=HELLO, response_format=Place) as stream:
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Place)


def test_json_object(client: OpenAI, door: Door) -> None:
    reply = client.chat.completions.create(
        model=door.model,
        messages=[{"role": "user", "content": "as JSON"}],
        response_format={"type": "json_object"},
    )
    assert reply.choices[0].message.content == '{"echo":"as JSON"}'


def test_logprobs_n_stop_and_bounds(client: OpenAI, door: Door) -> None:
    reply = client.chat.completions.create(
        model=door.model, messages=HELLO, n=3, logprobs=True, top_logprobs=2, stop=["of"], seed=7
    )
    assert len(reply.choices) == 3
    assert all(c.message.content == "You said: hello from the test " for c in reply.choices)
    tokens = reply.choices[0].logprobs.content
    assert "".join(t.token for t in tokens) == "You said: hello from the test "
    assert all(len(t.top_logprobs) == 2 for t in tokens)
    short = client.chat.completions.create(model=door.model, messages=HELLO, max_completion_tokens=2)
    assert short.choices[0].message.content == "You said: "
    assert short.choices[0].finish_reason == "length"
    old = client.chat.completions.create(model=door.model, messages=HELLO, max_tokens=3)
    assert old.choices[0].message.content == "You said: hello "


def test_every_published_field_reaches_the_vendor(client: OpenAI, door: Door) -> None:
    sent = {
        "temperature": 0.3,
        "top_p": 0.9,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "logit_bias": {"50256": -100},
        "user": "somebody",
        "metadata": {"purpose": "test"},
        "parallel_tool_calls": False,
        "tools": [WEATHER],
        "seed": 11,
        "store": False,
    }
    reply = client.chat.completions.create(model=door.model, messages=HELLO, **sent)
    assert reply.choices[0].message.content == SAID
    assert door.vendor is not None
    arrived = door.vendor.seen[-1].json()
    assert {name: arrived[name] for name in sent} == sent
    assert arrived["messages"] == HELLO


def test_image_parts(client: OpenAI, door: Door) -> None:
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    content = [{"type": "text", "text": "see this"}, {"type": "image_url", "image_url": {"url": pixel}}]
    reply = client.chat.completions.create(model=door.model, messages=[{"role": "user", "content": content}])
    assert reply.choices[0].message.content == "You said: see this"
    assert door.vendor is not None
    assert door.vendor.seen[-1].json()["messages"][0]["content"] == content


def test_unknown_fields_are_never_dropped_in_silence(client: OpenAI, door: Door) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=door.model, messages=HELLO, extra_body={"not_a_parameter": 1})
    assert "not_a_parameter" in caught.value.message


@pytest.mark.parametrize(
    ("route", "error", "status"),
    [
        ("invalid", openai.BadRequestError, 400),
        # The route exists: a vendor that lacks its model or is in conflict with itself is no mistake of the caller.
        ("missing", openai.InternalServerError, 502),
        ("conflict", openai.InternalServerError, 502),
        ("unprocessable", openai.UnprocessableEntityError, 422),
        ("limited", openai.RateLimitError, 429),
        ("broken", openai.InternalServerError, 500),
        ("busy", openai.InternalServerError, 503),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_by_class(
    client: OpenAI, route: str, error: type[openai.APIStatusError], status: int, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=route, messages=HELLO, stream=stream)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]
    assert set(caught.value.body) >= {"message", "type", "param", "code"}
    assert caught.value.request_id
    assert status // 100 == caught.value.status_code // 100


def test_a_vendors_secret_never_shows(client: OpenAI) -> None:
    """The vendor's 401 is about our key, not the caller's: no AuthenticationError, and no part of the secret."""
    for route in ("unauthorised", "forbidden"):
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=route, messages=HELLO)
        assert "sk-vendor" not in str(caught.value.body)


def test_unknown_key(door: Door) -> None:
    for key in ("sk-nobody", door.key + "x", "fh-" + "a" * 43):
        with OpenAI(base_url=door.v1, api_key=key, max_retries=0, timeout=20) as stranger:
            with pytest.raises(openai.AuthenticationError) as caught:
                stranger.chat.completions.create(model=door.model, messages=HELLO)
            assert caught.value.code == "invalid_api_key"


def test_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=HELLO)
    assert caught.value.code == "model_not_found"


def test_context_length(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="too-long", messages=HELLO)
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.param == "messages"


def test_content_filter(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="filtered", messages=HELLO)
    assert caught.value.code == "content_filter"


def test_an_html_error_page_becomes_an_error_object(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="unreadable", messages=HELLO)
    assert isinstance(caught.value.body, dict)
    assert "<html" not in str(caught.value.body["message"])


@pytest.mark.parametrize("route", ["midway", "cut"])
def test_an_error_in_mid_stream_raises(client: OpenAI, route: str) -> None:
    got = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model=route, messages=HELLO, stream=True):
            got.append(chunk.choices[0].delta.content or "")
    assert "".join(got) and SAID.startswith("".join(got))
    assert not isinstance(caught.value, openai.APIStatusError)


def test_automatic_retry_honours_retry_after(door: Door) -> None:
    assert door.vendor is not None
    door.vendor.script("flaky", "status;code=429;retry_after=1", "ok")
    with OpenAI(base_url=door.v1, api_key=door.key, max_retries=2, timeout=20) as client:
        began = time.perf_counter()
        reply = client.chat.completions.create(model="flaky", messages=HELLO)
        waited = time.perf_counter() - began
    assert reply.choices[0].message.content == SAID
    assert 0.9 <= waited < 5
    assert len([s for s in door.vendor.seen if s.json().get("model") == "flaky"]) == 2


def test_retry_after_is_passed_on(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=HELLO)
    assert 0 < float(caught.value.response.headers["retry-after"]) <= 2


def test_client_timeout(door: Door) -> None:
    hasty = OpenAI(base_url=door.v1, api_key=door.key, max_retries=0, timeout=0.3)
    with hasty as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="slow", messages=HELLO)


def test_raw_response_headers(client: OpenAI, door: Door) -> None:
    raw = client.chat.completions.with_raw_response.create(model=door.model, messages=HELLO)
    assert raw.parse().choices[0].message.content == SAID
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.headers["x-request-id"]
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def test_streaming_response_is_not_buffered(client: OpenAI) -> None:
    began = time.perf_counter()
    with client.chat.completions.with_streaming_response.create(model="paced", messages=HELLO, stream=True) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")
        moments = [time.perf_counter() - began for line in raw.iter_lines() if line.startswith("data: {")]
    assert len(moments) > 40
    assert moments[0] < 1.0
    assert moments[-1] - moments[0] > 1.5, "the chunks came in one lump"


def test_embeddings(client: OpenAI, door: Door) -> None:
    texts = ["one house", "another house"]
    floats = client.embeddings.create(model=door.embedder, input=texts, encoding_format="float", dimensions=64)
    assert [d.embedding for d in floats.data] == [vector(text, 64) for text in texts]
    assert [d.index for d in floats.data] == [0, 1]
    assert floats.usage.prompt_tokens == floats.usage.total_tokens == 4
    packed = client.embeddings.create(model=door.embedder, input=texts[0], encoding_format="base64")
    raw = b64decode(packed.data[0].embedding)
    assert list(struct.unpack(f"<{len(raw) // 4}f", raw)) == vector(texts[0], 32)
    default = client.embeddings.create(model=door.embedder, input=[1, 2, 3])  # the client asks for base64 by itself
    assert default.data[0].embedding == pytest.approx(vector("1 2 3", 32), abs=1e-6)
    many = client.embeddings.create(model=door.embedder, input=[[1, 2], [3]], encoding_format="float")
    assert [d.embedding for d in many.data] == [vector("1 2", 32), vector("3", 32)]


def test_models(client: OpenAI, door: Door) -> None:
    names = [model.id for model in client.models.list()]
    assert door.model in names
    one = client.models.retrieve(door.model)
    assert one.id == door.model
    assert one.object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_completions(client: OpenAI, door: Door) -> None:
    whole = client.completions.create(model=door.model, prompt="once upon", suffix="the end", max_tokens=100)
    assert whole.choices[0].text == " You said: once upon before: the end"
    assert whole.object == "text_completion"
    chunks = client.completions.create(model=door.model, prompt="once upon", stream=True, max_tokens=100)
    assert "".join(c.choices[0].text for c in chunks) == " You said: once upon"
    two = client.completions.create(model=door.model, prompt=["a", "b"], echo=True, logprobs=1)
    assert [c.text for c in two.choices] == ["a You said: a", "b You said: b"]
    assert two.choices[0].logprobs.tokens
    tokens = client.completions.create(model=door.model, prompt=[1, 2, 3])
    assert tokens.choices[0].text == " You said: 1 2 3"


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": HELLO, "temperature": 9},
        {"messages": HELLO, "n": 0},
        {"messages": HELLO, "stream_options": {"include_usage": True}},
        {"messages": HELLO, "max_tokens": "many"},
    ],
)
def test_a_wrong_request_is_refused_with_its_field(client: OpenAI, door: Door, wrong: dict[str, object]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"model": door.model, **wrong}, cast_to=object)
    assert caught.value.param
