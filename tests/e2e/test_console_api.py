"""The administrators' API on a running server with several workers: who may, what all workers know, and that the
command line says the same."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from tests.conftest import Starter
from tests.models import chat_model
from tests.system import ROOT, System, config, deployment, until
from tests.vendor import Vendor

__all__ = ["chat_model"]

PASSWORD = "a long word of passage"
CHAT = "/v1/chat/completions"


def ask(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]}


class Signed:
    """Somebody who is signed in, as a browser would be."""

    def __init__(self, system: System) -> None:
        self.client = httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=60)
        self.csrf = ""

    async def enter(self, path: str, **body: Any) -> Signed:
        reply = await self.client.post(path, json=body)
        assert reply.status_code == 200, reply.text
        self.csrf = reply.json()["csrf"]
        return self

    async def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        reply = await self.client.request(
            method, f"/api/admin/{path}", json=body, headers={"x-freehold-csrf": self.csrf}
        )
        assert reply.status_code == status, (reply.status_code, reply.text)
        return reply.json() if reply.content else None


@pytest.fixture
async def house(system: Starter, vendor: Vendor, store: str) -> System:
    text = config(
        deployment("good", vendor.url, "ok;in=20;out=10", price=("100", "100")),
        deployment("bad", vendor.url, "status;code=500", more="retries = 0"),
        server="breaker = { failures = 2, cooldown = 60 }",
        workers=2,
        store=store,
    )
    return system(text)


async def owner(house: System) -> Signed:
    return await Signed(house).enter("/api/setup", name="olga", password=PASSWORD)


async def test_figures_of_all_workers_and_who_may_see_them(house: System) -> None:
    async with house.client() as client:
        good = await asyncio.gather(*(client.post(CHAT, json=ask("good")) for _ in range(20)))
        boss = await owner(house)
        for _ in range(20):  # on both workers the circuit opens; the kernel says which one takes a connection
            for _ in range(24):
                await client.post(CHAT, json=ask("bad"), headers={"connection": "close"})
            circuits = (await boss("GET", "deployments/bad"))["workers"]
            if [each["circuit"] for each in circuits] == ["open", "open"]:
                break
    assert {reply.status_code for reply in good} == {200}
    seen = await boss("GET", "overview?span=1h")
    assert seen["totals"]["calls"] - seen["totals"]["failed_calls"] == 20
    assert seen["totals"]["cost"] == [{"currency": "USD", "amount": "0.06"}]
    assert (seen["now"]["workers_ready"], seen["now"]["ready"]) == (2, True)
    assert seen["now"]["open_circuits"] == ["bad"]
    assert seen["ledger"]["state"] == "ok"
    bad = await boss("GET", "deployments/bad")
    assert (bad["health"], bad["last_error"]["code"]) == ("open", "upstream_fault")
    assert {worker["index"] for worker in bad["workers"]} == {0, 1}
    assert (await boss("POST", "deployments/good/try", {}))["ok"]
    assert [row["key"]["name"] for row in (await boss("GET", "ledger?limit=1"))["entries"]] == ["olga"]

    await boss("POST", "members", {"name": "ada", "role": "auditor", "password": PASSWORD}, status=201)
    await boss("POST", "members", {"name": "ben", "role": "member", "password": PASSWORD}, status=201)
    ada = await Signed(house).enter("/api/session", name="ada", password=PASSWORD)
    ben = await Signed(house).enter("/api/session", name="ben", password=PASSWORD)
    described = (await ada.client.get("/api/openapi.json")).json()["paths"]
    page = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    for path, methods in described.items():
        assert all(f"`{method.upper()} {path}`" in page for method in methods), path
        if path.startswith("/api/admin/"):
            filled = path.removeprefix("/api/admin/").replace("{", "").replace("}", "")
            for method, operation in methods.items():
                assert operation["x-role"] in ("auditor", "admin", "owner")
                await ben(method.upper(), filled, {}, status=403)
                if operation["x-role"] != "auditor":
                    await ada(method.upper(), filled, {}, status=403)
    assert (await ada("GET", "overview"))["totals"]["calls"] > 20
    for one in (boss, ada, ben):
        await one.client.aclose()


async def test_long_work_is_seen_from_every_worker(house: System) -> None:
    boss = await owner(house)
    job = await boss("POST", "ledger/verify", {})
    heads = set()
    for _ in range(12):  # each on a connection of its own, so that both workers are asked
        reply = await boss.client.get(f"/api/admin/jobs/{job['id']}", headers={"connection": "close"})
        assert reply.status_code == 200
        if reply.json()["state"] == "done":
            heads.add(reply.json()["result"]["head"])
    assert len(heads) == 1
    await boss.client.aclose()


async def test_a_key_that_is_ended_on_the_console_is_ended_everywhere(house: System) -> None:
    boss = await owner(house)
    made = await boss("POST", "keys", {"name": "robot", "limits": ["requests=50/day"]}, status=201)
    show = {"authorization": f"Bearer {made['secret']}", "connection": "close"}

    async def status() -> int:
        return (await boss.client.post(CHAT, json=ask("good"), headers=show)).status_code

    async def becomes(wanted: int) -> None:
        for _ in range(200):
            if {await status() for _ in range(6)} == {wanted}:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never {wanted}")

    await becomes(200)
    key = next(key for key in (await boss("GET", "keys"))["keys"] if key["id"] == made["id"])
    assert int(key["limits"][0]["used"]) == len(house.outcomes("key = ? AND attempt = 0", made["id"]))
    await boss("DELETE", f"keys/{made['id']}")
    await becomes(401)
    await boss.client.aclose()


async def test_the_command_line_says_the_same(house: System) -> None:
    async with house.client() as client:
        for _ in range(3):
            assert (await client.post(CHAT, json=ask("good"))).status_code == 200
    boss = await owner(house)
    seen = await boss("GET", "overview")
    told = house.json("overview")
    assert told["totals"]["calls"] == seen["totals"]["calls"] == 3
    assert "3 calls, 0 failed, 0.009 USD" in house.cli("overview", "--by", "seller").stdout
    names = [row["name"] for row in (await boss("GET", "deployments"))["deployments"]]
    assert [row["name"] for row in house.json("deployments", "list")] == names == ["bad", "good"]
    assert "good" in house.cli("deployments", "list").stdout
    assert "good 100%" in house.cli("deployments", "routes").stdout
    assert house.json("deployments", "show", "good")["price"]["input"] == "100.00"
    tried = house.json("deployments", "try", "good", "--key", "tester")
    assert (tried["ok"], tried["cost"]["amount"]) == (True, "0.003")
    failed = house.cli("deployments", "try", "bad", "--key", "tester", check=False)
    assert failed.returncode == 1
    assert "upstream_fault" in failed.stdout
    assert house.cli("deployments", "show", "none", check=False).returncode == 1
    job = await boss("POST", "ledger/verify", {})
    until(lambda: house.json("jobs", "show", job["id"])["state"] == "done", what="the proof to end")
    assert [each["id"] for each in house.json("jobs", "list")] == [job["id"]]
    assert "ledger" in house.cli("jobs", "list").stdout
    assert house.json("jobs", "cancel", job["id"])["state"] == "done"
    acts = [(row["act"], row["by"]) for row in house.json("audit", "--act", "key.")]
    assert acts == [("key.create", "command line")]
    assert "key.create" in house.cli("audit").stdout
    await boss.client.aclose()


async def test_models_are_started_and_stopped_by_either(system: Starter, chat_model: Any) -> None:
    own = f'[deployments.own]\nkind = "llamacpp"\nmodel = "{chat_model}"\n'
    house = system(config(own, '[engines]\nmax_context = 1024\nstart = "first_use"\n', workers=2))
    name = next(row["name"] for row in house.json("models", "fit")["models"])
    started = house.json("models", "start", name)
    assert started["engine"]["state"] in ("ready", "busy")
    boss = await owner(house)
    model = await boss("GET", f"models/{name}")
    assert (model["engine"]["state"], model["deployments"]) == ("ready", ["own"])
    assert (await boss("POST", f"models/{name}/stop"))["engine"] is None
    assert "stopped" in house.cli("models", "stop", name).stdout
    acts = [(row["act"], row["by"]) for row in house.json("audit", "--act", "engine.")]
    assert acts == [("engine.stop", "command line"), ("engine.stop", "olga"), ("engine.start", "command line")]
    await boss.client.aclose()


async def test_a_reload_from_the_console_reaches_all_workers(house: System) -> None:
    boss = await owner(house)
    text = house.file.read_text()
    house.file.write_text(text.replace('\n[deployments."bad"]', '\n[deployments."other"]'))
    done = await boss("POST", "settings/reload")
    assert done["ok"], done
    for _ in range(10):
        reply = await boss.client.get("/api/admin/deployments", headers={"connection": "close"})
        assert [row["name"] for row in reply.json()["deployments"]] == ["good", "other"]
    house.file.write_text("[server]\nlisten = 5\n")
    refused = await boss("POST", "settings/reload")
    assert not refused["ok"]
    assert json.dumps(refused["problems"]).count("server.listen") == 1
    assert (await boss("GET", "deployments/good"))["name"] == "good"
    await boss.client.aclose()
