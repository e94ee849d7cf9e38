"""The official `AzureOpenAI` client, unchanged: its paths, its api-version, its filter blocks, its errors."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI

from tests.contract.doors import API_VERSION, Door
from tests.contract.test_sdk_openai import HELLO, SAID, WEATHER
from tests.vendor.answers import vector


def azure(door: Door, model: str, **more: object) -> AzureOpenAI:
    settings = {"api_key": door.key, "api_version": API_VERSION, "max_retries": 0, "timeout": 20, **more}
    return AzureOpenAI(azure_endpoint=door.url, azure_deployment=model, **settings)  # type: ignore[arg-type]


BEHIND = ["openai behind", "azure behind"]
SAFE = {"filtered": False, "severity": "safe"}


@pytest.fixture(scope="module", params=BEHIND)
def client(request: pytest.FixtureRequest, door: Door) -> Iterator[AzureOpenAI]:
    """The Azure client, once on a route that ends at an OpenAI vendor and once on one that ends at Azure."""
    model = door.model if request.param == BEHIND[0] else door.azure_model
    with azure(door, model) as made:
        yield made


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> dict[str, object] | None:
    """The filter's verdict on hatred: Azure's where Azure answered, none where no filter ran."""
    return SAFE if request.node.callspec.params["client"] == BEHIND[1] else None


def test_whole(client: AzureOpenAI, verdict: dict[str, object] | None) -> None:
    reply = client.chat.completions.create(model="ignored", messages=HELLO)
    assert reply.choices[0].message.content == SAID
    assert reply.choices[0].content_filter_results.get("hate") == verdict
    assert reply.prompt_filter_results[0]["prompt_index"] == 0
    assert reply.prompt_filter_results[0]["content_filter_results"].get("hate") == verdict
    assert reply.usage is not None and reply.usage.total_tokens > 0


def test_streamed(client: AzureOpenAI, verdict: dict[str, object] | None) -> None:
    chunks = list(
        client.chat.completions.create(
            model="ignored", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices == []
    assert chunks[0].prompt_filter_results[0]["content_filter_results"].get("hate") == verdict
    said = [c for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(c.choices[0].delta.content for c in said) == SAID
    assert chunks[-1].usage.total_tokens > 0


def test_tools(client: AzureOpenAI) -> None:
    reply = client.chat.completions.create(
        model="ignored", messages=[{"role": "user", "content": "get_weather"}], tools=[WEATHER], tool_choice="required"
    )
    assert reply.choices[0].message.tool_calls[0].function.name == "get_weather"


def test_embeddings(client: AzureOpenAI) -> None:
    made = client.embeddings.create(model="ignored", input=["one house"], dimensions=16)
    assert made.data[0].embedding == pytest.approx(vector("one house", 16), abs=1e-6)


def test_completions(client: AzureOpenAI) -> None:
    made = client.completions.create(model="ignored", prompt="once")
    assert made.choices[0].text == " You said: once"


async def test_async_with_a_bearer_token(door: Door) -> None:
    async with AsyncAzureOpenAI(
        azure_endpoint=door.url, azure_ad_token=door.key, api_version=API_VERSION, max_retries=0, timeout=20
    ) as client:
        reply = await client.chat.completions.create(model=door.model, messages=HELLO)
    assert reply.choices[0].message.content == SAID


def test_the_v1_path(door: Door) -> None:
    with OpenAI(base_url=door.url + "/openai/v1/", api_key=door.key, max_retries=0, timeout=20) as client:
        reply = client.chat.completions.create(model=door.model, messages=HELLO)
    assert reply.choices[0].message.content == SAID


@pytest.mark.parametrize("version", ["1999-01-01", "latest"])
def test_an_unknown_api_version_is_refused(door: Door, version: str) -> None:
    with azure(door, door.model, api_version=version) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="ignored", messages=HELLO)
    assert caught.value.body == {"code": "BadRequest", "message": "API version not supported"}


def test_a_missing_api_version_is_refused(door: Door) -> None:
    for query in ("", "?api-version="):
        path = f"/openai/deployments/{door.model}/chat/completions{query}"
        reply = httpx2.post(door.url + path, json={"messages": HELLO}, headers={"api-key": door.key}, trust_env=False)
        assert reply.status_code == 404
        assert reply.json() == {"error": {"code": "404", "message": "Resource not found"}}


def test_a_wrong_key(door: Door) -> None:
    with azure(door, door.model, api_key="nobody") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="ignored", messages=HELLO)
    assert caught.value.body["code"] == "401"


def test_an_unknown_deployment(door: Door) -> None:
    with azure(door, "no-such-deployment") as client, pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="ignored", messages=HELLO)
    assert caught.value.body["code"] == "DeploymentNotFound"


def test_rate_limited(door: Door) -> None:
    with azure(door, "limited") as client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="ignored", messages=HELLO)
    assert caught.value.body["code"]
    assert float(caught.value.response.headers["retry-after"]) > 0


def test_content_filter(door: Door) -> None:
    with azure(door, "azure-filtered") as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="ignored", messages=HELLO)
    assert caught.value.body["code"] == "content_filter"
    assert caught.value.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"


def test_what_leaves_for_azure(door: Door) -> None:
    """The house speaks Azure to Azure: its path, its version, its header, and no key of the caller."""
    with OpenAI(base_url=door.v1, api_key=door.key, max_retries=0, timeout=20) as client:
        client.chat.completions.create(model=door.azure_model, messages=HELLO)
    assert door.vendor is not None
    seen = door.vendor.seen[-1]
    assert seen.path == "/openai/deployments/assistant/chat/completions"
    assert seen.query["api-version"]
    assert seen.header("api-key")
    assert seen.header("authorization") is None
    assert all(door.key not in value for _, value in seen.headers)
