"""The door over real sockets, with a vendor in this process: paths, methods, keys, CORS, errors in each dialect."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from freehold import access, contracts, store
from freehold.access import LimitsMemory, SharedMeter
from freehold.gateway import Door, DoorSettings
from freehold.gateway.pages import Pages
from freehold.ledger import Ledger
from freehold.pipeline import Pipeline, Snapshot
from freehold.pipeline.flow import Policy
from freehold.pipeline.health import Health
from freehold.providers import Settings, build
from freehold.routing import BreakerSettings, Deployment, Route, Table, Target
from freehold.wire.client import Answer, Client, Origin
from freehold.wire.server import Exchange, HttpServer, listen

CHAT = json.dumps({"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}).encode()
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-x-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }
).encode()


class Control:
    """The processes around the door."""

    async def state(self) -> dict[str, Any]:
        return {"ready": True, "loading": []}

    async def samples(self) -> bytes:
        return b"freehold_inflight 0\n"


class House:
    """A door, its vendor, and a client to knock with."""

    def __init__(self, server: HttpServer, client: Client, key: str, door: Door, vendor: str) -> None:
        self.origin = Origin("http", "127.0.0.1", server.port)
        self.client, self.key, self.door, self.vendor = client, key, door, vendor

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        given = {"authorization": f"Bearer {self.key}", "content_type": "application/json", **headers}
        block = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in given.items() if v)
        return await self.client.fetch(self.origin, method.encode(), path.encode(), block.encode(), body)


async def vendor(exchange: Exchange) -> None:
    if b"be silent" in exchange.body:
        await asyncio.Event().wait()
    exchange.reply(200, [(b"content-type", b"application/json")], REPLY)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    behind = await listen(vendor, sock=bound())
    opened = await store.open(f"sqlite:///{tmp_path}/door.db")
    _, key = await access.create(opened, "tester", routes=["gpt"])
    settings = Settings(
        name="gpt", kind="openai", model="gpt-x", endpoint=f"http://127.0.0.1:{behind.port}/v1", key="s"
    )
    deployments = {n: Deployment(name=n, kind="openai", model="gpt-x", maker="m", seller="s") for n in ("gpt", "other")}
    snapshot = Snapshot(
        Table(deployments, {n: Route(n, (Target(n),)) for n in deployments}),
        {n: build(settings) for n in deployments},
        await access.load(opened),
        contracts.shipped(),
        {"gpt": contracts.read_price({"input": "1", "output": "2"})},
        "snapshot",
    )
    ledger, client = Ledger(opened), Client()
    meter = SharedMeter(LimitsMemory(), 0)

    async def ready(model: str) -> Origin:
        raise AssertionError(model)

    pipeline = Pipeline(snapshot, client, ledger, meter, ready, Health(BreakerSettings(), 9), Policy())
    (tmp_path / "index.html").write_text("<p>page</p>")
    door = Door(pipeline, Control(), Pages(tmp_path), DoorSettings(cors_origins=("https://good.example",)))
    server = await listen(door, sock=bound(), on_error=door.refuse)
    yield House(server, client, key, door, str(settings.endpoint))
    await server.close_gracefully(0.0)
    await behind.close_gracefully(0.0)
    await client.close()
    await ledger.close()
    await opened.close()


def bound() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


async def test_a_call_and_what_is_said_beside_it(house: House) -> None:
    answer = await house.ask("POST", "/v1/chat/completions", CHAT)
    assert answer.status == 200 and answer.body == REPLY
    assert answer.headers[b"x-freehold-deployment"] == b"gpt"
    assert answer.headers[b"x-freehold-cost"] == b"0.000007000 USD"
    assert answer.headers[b"x-request-id"].startswith(b"call_")
    assert float(answer.headers[b"x-freehold-overhead-ms"]) >= 0


@pytest.mark.parametrize("header", ["api_key", "x_api_key"])
async def test_the_key_in_other_headers(house: House, header: str) -> None:
    answer = await house.ask("POST", "/v1/chat/completions", CHAT, authorization="", **{header: house.key})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/nothing", 404, "not_found"),
        ("/openai/nothing", 404, "not_found"),
        ("/v1/models/nothing", 404, "model_not_found"),
        ("/openai/models", 404, "404"),
        ("/openai/models?api-version=1", 400, "BadRequest"),
    ],
)
async def test_what_is_not_there(house: House, path: str, status: int, code: str) -> None:
    answer = await house.ask("GET", path)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)


async def test_no_key_and_a_wrong_one(house: House) -> None:
    for key in ("", "Bearer nonsense", "Basic nonsense"):
        answer = await house.ask("POST", "/v1/chat/completions", CHAT, authorization=key)
        assert answer.status == 401
    azure = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    answer = await house.ask("POST", azure, CHAT, authorization="")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (401, "401")


async def test_a_key_sees_and_uses_its_routes_alone(house: House) -> None:
    listed = json.loads((await house.ask("GET", "/v1/models")).body)["data"]
    assert [m["id"] for m in listed] == ["gpt"]
    answer = await house.ask("POST", "/v1/chat/completions", CHAT.replace(b'"gpt"', b'"other"'))
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (403, "route_not_allowed")


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_does_not_say_it_is_json(house: House, media: str) -> None:
    answer = await house.ask("POST", "/v1/chat/completions", CHAT, content_type=media)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (415, "unsupported_media_type")


async def test_azure_names_the_deployment_in_the_path_and_gains_its_filter_fields(house: House) -> None:
    path = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    answer = await house.ask("POST", path, b'{"messages": [{"role": "user", "content": "hi"}]}')
    reply = json.loads(answer.body)
    assert reply["choices"][0]["content_filter_results"] == {}
    assert reply["prompt_filter_results"][0]["prompt_index"] == 0


async def test_methods(house: House) -> None:
    wrong = await house.ask("GET", "/v1/chat/completions")
    assert wrong.status == 405 and b"Allowed: POST" in wrong.body
    head = await house.ask("HEAD", "/healthz")
    assert (head.status, head.body) == (200, b"")
    options = await house.ask("OPTIONS", "/v1/models")
    assert options.status == 204 and options.headers[b"allow"] == b"GET, HEAD, OPTIONS"
    assert b"access-control-allow-origin" not in options.headers


async def test_cors_for_the_origins_that_are_named(house: House) -> None:
    good = await house.ask("OPTIONS", "/v1/models", origin="https://good.example")
    assert good.headers[b"access-control-allow-origin"] == b"https://good.example"
    bad = await house.ask("OPTIONS", "/v1/models", origin="https://bad.example")
    assert b"access-control-allow-origin" not in bad.headers
    answer = await house.ask("POST", "/v1/chat/completions", CHAT, origin="https://good.example")
    assert answer.headers[b"access-control-allow-origin"] == b"https://good.example"
    refused = await house.ask("POST", "/v1/chat/completions", b"{", origin="https://good.example")
    assert refused.status == 400 and b"access-control-allow-origin" in refused.headers


async def test_pages_probes_and_metrics(house: House) -> None:
    page = await house.ask("GET", "/", authorization="")
    assert page.body == b"<p>page</p>" and b"script-src 'self'" in page.headers[b"content-security-policy"]
    again = await house.ask("GET", "/", if_none_match=page.headers[b"etag"].decode())
    assert again.status == 304
    assert (await house.ask("GET", "/../etc/passwd")).status == 404
    assert json.loads((await house.ask("GET", "/readyz")).body)["ready"] is True
    assert (await house.ask("GET", "/metrics")).body == b"freehold_inflight 0\n"


async def test_an_error_of_our_own_is_a_500_with_a_trace_in_the_log_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(token: bytes) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(house.door, "authenticate", broken)
    answer = await house.ask("POST", "/v1/chat/completions", CHAT)
    assert answer.status == 500
    assert b"secret detail" not in answer.body and b"req_" in answer.body
    assert "secret detail" in caplog.text


async def test_the_names_of_members_that_were_dropped_cannot_break_the_head(house: House) -> None:
    snapshot = house.door.pipeline.snapshot
    settings = Settings(
        name="gpt", kind="openai", model="gpt-x", endpoint=house.vendor, key="s", on_loss="warn",
        unsupported=frozenset({"x\r\ny: 1", "top_k", "\u00e4,\u4e16"}),
    )  # fmt: skip
    providers = {**snapshot.providers, "gpt": build(settings)}
    house.door.pipeline.snapshot = msgspec.structs.replace(snapshot, providers=providers)
    asked = {**json.loads(CHAT), "x\r\ny: 1": 1, "top_k": 1, "\u00e4,\u4e16": 1}
    answer = await house.ask("POST", "/v1/chat/completions", json.dumps(asked).encode())
    assert answer.status == 200 and b"y" not in answer.headers
    assert answer.headers[b"x-freehold-dropped"] == b"x%0D%0Ay%3A%201, top_k, %C3%A4%2C%E4%B8%96"


async def test_a_browser_may_send_what_its_sdk_sends(house: House) -> None:
    asked = "Authorization, x-stainless-lang,x-freehold-comments, b@d, , " + "x" * 65
    path, field = "/v1/chat/completions", "access_control_request_headers"
    good = await house.ask("OPTIONS", path, origin="https://good.example", **{field: asked})
    granted = good.headers[b"access-control-allow-headers"].split(b", ")
    assert granted == [
        b"authorization",
        b"api-key",
        b"x-api-key",
        b"content-type",
        b"x-stainless-lang",
        b"x-freehold-comments",
    ]
    bad = await house.ask("OPTIONS", path, origin="https://bad.example", **{field: asked})
    assert b"access-control-allow-headers" not in bad.headers


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gpt", "/healthz", "/readyz", "/metrics", "/", "/none"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_every_reply_has_a_name(house: House, method: str, path: str) -> None:
    ids = {(await house.ask(method, path)).headers[b"x-request-id"] for _ in range(2)}
    assert len(ids) == 2 and all(name.startswith(b"req_") for name in ids)


async def test_each_call_is_counted_as_it_ended_and_nothing_else_is(house: House) -> None:
    chat = "/v1/chat/completions"
    await house.ask("POST", chat, CHAT)
    await house.ask("POST", chat, b"{")
    await house.ask("POST", chat, CHAT, authorization="")
    for path in ("/none", "/v1/models", "/v1/models/none", chat):
        await house.ask("GET", path)
    left = asyncio.create_task(house.ask("POST", chat, CHAT.replace(b"hi", b"be silent")))
    await asyncio.sleep(0.1)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await asyncio.sleep(0.1)
    counters = house.door.pipeline.metrics.sample().counters
    ended = {tuple(v for _, v in labels): n for name, labels, n in counters if name == "freehold_calls_total"}
    assert ended == {
        ("200", ""): 1,
        ("400", "invalid_json"): 1,
        ("401", "missing_api_key"): 1,
        ("499", "client_gone"): 1,
    }
