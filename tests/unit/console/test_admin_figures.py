"""The overview, deployments and the ledger on the console, on both stores: what they say is what the calls were."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.system import deployment
from tests.unit.console.desk import Desk, open_desk
from tests.vendor import Vendor

from freehold import access
from freehold.core.clock import now_ns
from freehold.ledger import Entry, traffic
from freehold.ledger.entry import pack
from freehold.ledger.seal import seal

BODIES = '[ledger]\nbodies = "full"\n'


def house(vendor: Vendor, url: str) -> str:
    return (
        f'[server]\nlisten = "127.0.0.1:1"\n[store]\nurl = "{url}"\n{BODIES}'
        + deployment("good", vendor.url, "ok;in=20;out=10", price=("100", "100"))
        + deployment("bad", vendor.url, "status;code=500", more="retries = 0")
        + deployment("slow", vendor.url, "hang", price=("100", "100"))
        + '[routes.both]\ndeployments = [{ name = "bad", weight = 100 }, { name = "good", weight = 0 }]\n'
        + 'fallback = ["good"]\n'
    )


@pytest.fixture(params=["sqlite", "postgres"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, vendor: Vendor) -> AsyncIterator[Desk]:
    url = "sqlite:///freehold.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    async with open_desk(tmp_path, house(vendor, url)) as opened:
        yield opened


async def some_calls(desk: Desk) -> None:
    for _ in range(3):
        assert await desk.chat("good")
    assert not await desk.chat("bad")
    assert await desk.chat("both")


@pytest.mark.parametrize("span", ["1h", "24h", "7d", "30d", "90d"])
async def test_the_overview_adds_up_what_was_called(desk: Desk, span: str) -> None:
    await some_calls(desk)
    seen = await desk("GET", f"overview?span={span}")
    totals = seen["totals"]
    assert (totals["calls"], totals["failed_calls"]) == (5, 1)
    assert (totals["attempts"], totals["failed_attempts"]) == (6, 2)
    assert (totals["input"], totals["output"]) == (80, 40)
    assert totals["cost"] == [{"currency": "USD", "amount": "0.012"}]
    assert (totals["keys"], totals["members"]) == (1, 1)
    assert totals["latency"]["of"] == 4
    assert totals["latency"]["p95"] >= totals["latency"]["p50"] > 0
    series = seen["series"]
    assert len(series) * seen["step"] == seen["until"] - seen["since"]
    assert [bucket["at"] for bucket in series] == list(range(seen["since"], seen["until"], seen["step"]))
    assert sum(bucket["calls"] for bucket in series) == 5
    assert sum(bucket["failed_calls"] for bucket in series) == 1
    groups = {group["id"]: group for group in seen["by"]["deployment"]}
    assert groups["good"]["attempts"] == 4
    assert groups["good"]["share_cost"] == 1.0
    assert groups["bad"]["failed_attempts"] == 2
    assert groups["bad"]["failed_calls"] is None
    assert {group["id"]: group["failed_calls"] for group in seen["by"]["model"]} == {"good": 0, "bad": 1, "both": 0}
    assert [group["name"] for group in seen["by"]["key"]] == ["Olga"]
    assert [(e["code"], e["attempts"], e["deployments"]) for e in seen["errors"]] == [("upstream_fault", 2, ["bad"])]
    assert seen["ledger"]["entries"] == 12
    assert seen["ledger"]["head"].startswith("12:")
    assert seen["catching_up"] is None


async def stop_one(desk: Desk, vendor: Vendor) -> None:
    """Ask, and leave once the vendor has the question."""
    arrived = asyncio.Event()
    vendor.on_arrival = lambda seen: arrived.set()
    asked = asyncio.create_task(desk.chat("slow"))
    await arrived.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await desk.house.door.pipeline.drain()


async def test_whoever_leaves_has_not_been_failed(desk: Desk, vendor: Vendor) -> None:
    """It is a call and costs what it cost, and in no figure of failures; the ledger keeps what it was."""
    await some_calls(desk)
    for _ in range(2):
        await stop_one(desk, vendor)
    seen = await desk("GET", "overview")
    totals = seen["totals"]
    assert (totals["calls"], totals["failed_calls"]) == (7, 1)
    assert (totals["attempts"], totals["failed_attempts"]) == (8, 2)
    assert (totals["unpriced"], totals["latency"]["of"]) == (0, 4)
    assert sum(bucket["failed_calls"] for bucket in seen["series"]) == 1
    assert sum(bucket["failed_attempts"] for bucket in seen["series"]) == 2
    assert [error["code"] for error in seen["errors"]] == ["upstream_fault"]
    groups = {group["id"]: group for group in seen["by"]["model"]}
    assert (groups["slow"]["calls"], groups["slow"]["failed_calls"]) == (2, 0)
    assert float(groups["slow"]["cost"][0]["amount"]) > 0
    slow = await desk("GET", "deployments/slow")
    assert (slow["hour"]["attempts"], slow["hour"]["failed_attempts"], slow["last_error"]) == (2, 0, None)
    rows = (await desk("GET", "ledger/totals?by=error"))["totals"]
    assert {row["group"][0]: (row["attempts"], row["failed_attempts"], row["failed_calls"]) for row in rows} == {
        "": (4, 0, 0),
        "client_gone": (2, 0, 0),
        "upstream_fault": (2, 2, 1),
    }
    stopped = (await desk("GET", "ledger?failed=true&deployment=slow"))["entries"]
    assert [(row["status"], row["error"]) for row in stopped] == [(499, "client_gone")] * 2


async def test_what_came_since_is_added_once(desk: Desk) -> None:
    await some_calls(desk)
    for more in (5, 6):
        for _ in range(2):
            assert (await desk("GET", "overview"))["totals"]["calls"] == more
        await desk.chat("good")
    await desk.store.write(("DELETE FROM traffic", [()]), ("UPDATE meta SET value = 0 WHERE name = 'traffic'", [()]))
    assert (await desk("GET", "overview"))["totals"]["calls"] == 7


async def test_long_ledgers_are_sampled_and_older_spans_compared(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries over fifty days: each span finds its own, and latencies come of a part of them."""
    monkeypatch.setattr(traffic, "STRIDE", 700)
    now, hour = now_ns(), traffic.HOUR
    rows = []
    for i in range(1200):
        at = now - (1199 - i) * hour
        entry = Entry("outcome", f"call_{i:05}", 0, "serve", at, key="k", deployment="good", asked="good", total_ms=i)
        rows.append(pack(entry))
    await desk.store.append("entry", seal(rows))
    seen = await desk("GET", "overview?span=30d")
    assert sum(bucket["calls"] for bucket in seen["series"]) == seen["totals"]["calls"]
    assert 29 * 24 < seen["totals"]["calls"] <= 30 * 24
    assert 19 * 24 < seen["before"]["calls"] < 21 * 24
    assert all(bucket["calls"] == 24 for bucket in seen["series"][:-1])
    drawn, exact = await traffic.sample(desk.store, now - 30 * 24 * hour, now + 1, most=50)
    assert (len(drawn), exact) == (50, False)
    assert len({entry.call for entry in drawn}) == 50
    middle = sorted(entry.total_ms for entry in drawn)[25]
    assert 480 + 360 - 40 < middle < 480 + 360 + 40
    everything, exact = await traffic.sample(desk.store, now - 10 * hour - 1, now + 1)
    assert (len(everything), exact) == (11, True)


async def test_deployments_say_how_they_are(desk: Desk) -> None:
    await some_calls(desk)
    seen = await desk("GET", "deployments")
    good, bad = (next(d for d in seen["deployments"] if d["name"] == name) for name in ("good", "bad"))
    assert good["endpoint"] == "127.0.0.1"
    price = {"input": "100.00", "output": "100.00", "cached": None, "currency": "USD", "per": 1_000_000, "own": True}
    assert good["price"] == price
    assert (good["hour"]["calls"], good["hour"]["attempts"], good["hour"]["failed_attempts"]) == (3, 4, 0)
    assert good["last_error"] is None
    assert good["routes"] == ["both", "good"]
    assert bad["last_error"]["code"] == "upstream_fault"
    assert "sk-vendor" not in json.dumps(seen)
    both = next(route for route in seen["routes"] if route["name"] == "both")
    assert [(t["deployment"], t["share"]) for t in both["targets"]] == [("bad", 1.0), ("good", 0.0)]
    assert both["fallback"] == ["good"]
    assert next(route for route in seen["routes"] if route["name"] == "good")["own_name"]
    assert (await desk("GET", "deployments/good"))["name"] == "good"
    assert await desk.fails("GET", "deployments/none") == (404, "not_found")


async def test_trying_a_deployment_is_a_call_like_any(desk: Desk) -> None:
    tried = await desk("POST", "deployments/good/try", {"prompt": "are you there?"})
    assert tried["ok"]
    assert "are you there?" in tried["text"]
    assert tried["cost"] == {"currency": "USD", "amount": "0.003"}
    assert (tried["input"], tried["output"]) == (20, 10)
    call = await desk("GET", f"ledger/calls/{tried['call']}")
    assert [(row["kind"], row["key"]["name"]) for row in call["entries"]] == [("intent", "Olga"), ("outcome", "Olga")]
    failed = await desk("POST", "deployments/bad/try", {})
    assert (failed["ok"], failed["error"]["code"]) == (False, "upstream_fault")
    assert await desk.fails("POST", "deployments/none/try", {}) == (404, "not_found")


async def test_pages_of_the_ledger(desk: Desk) -> None:
    await some_calls(desk)
    newest = await desk("GET", "ledger?limit=4")
    assert len(newest["entries"]) == 4
    rest = await desk("GET", f"ledger?limit=4&before={newest['next']}")
    seqs = [row["seq"] for row in newest["entries"] + rest["entries"]]
    assert seqs == sorted(seqs, reverse=True)
    assert len(seqs) == 6
    assert rest["next"] is None
    oldest = await desk("GET", "ledger?limit=5&order=oldest")
    assert [row["seq"] for row in oldest["entries"]] == sorted(seqs)[:5]
    assert len((await desk("GET", f"ledger?order=oldest&after={oldest['next']}"))["entries"]) == 1
    dear = await desk("GET", "ledger?order=dearest&limit=3")
    assert [row["cost"]["amount"] for row in dear["entries"]] == ["0.003"] * 3
    assert len((await desk("GET", f"ledger?order=dearest&limit=9&offset={dear['next']}"))["entries"]) == 3
    assert len((await desk("GET", "ledger?kinds=intent,outcome&limit=500"))["entries"]) == 12
    assert {row["deployment"] for row in (await desk("GET", "ledger?failed=true"))["entries"]} == {"bad"}
    assert len((await desk("GET", "ledger?deployment=good,bad&model=both"))["entries"]) == 2
    assert len((await desk("GET", "ledger?status=500,502&key=chat-olga"))["entries"]) == 2
    assert (await desk("GET", "ledger?until=1"))["entries"] == []
    assert len((await desk("GET", "ledger?min_cost=0.003"))["entries"]) == 4


WRONG = {
    "ledger?limit=0": (400, "invalid_request"),
    "ledger?kinds=rumour": (400, "invalid_request"),
    "ledger?status=ok": (400, "invalid_request"),
    "ledger?min_cost=cheap": (400, "invalid_request"),
    "ledger?team=none": (404, "not_found"),
    "ledger?since=99999999999999999999": (400, "invalid_request"),
    "ledger?colour=red": (400, "invalid_request"),
    "ledger/totals?by=colour": (400, "invalid_request"),
    "ledger/totals": (400, "invalid_request"),
    "ledger/calls/call_none": (404, "not_found"),
    "overview?span=1y": (400, "invalid_request"),
    "jobs/job_none": (404, "not_found"),
}


async def test_what_is_asked_wrongly_is_refused(desk: Desk) -> None:
    assert {path: await desk.fails("GET", path) for path in WRONG} == WRONG


async def test_sums_by_what_one_likes(desk: Desk) -> None:
    await some_calls(desk)
    seen = await desk("GET", "ledger/totals?by=deployment,day")
    assert seen["by"] == ["deployment", "day"]
    rows = {row["group"][0]: row for row in seen["totals"]}
    assert (rows["good"]["attempts"], rows["good"]["cost"]["amount"]) == (4, "0.012")
    assert (rows["bad"]["failed_attempts"], rows["bad"]["cost"]) == (2, None)
    assert {row["names"][0] for row in (await desk("GET", "ledger/totals?by=key"))["totals"]} == {"Olga"}
    choices = await desk("GET", "ledger/choices")
    assert choices["deployments"] == ["bad", "good", "slow"]
    assert choices["errors"] == ["upstream_fault"]
    assert "both" in choices["models"]
    assert [key["name"] for key in choices["keys"]] == ["Olga"]


async def test_texts_are_read_on_record(desk: Desk) -> None:
    assert await desk.chat("good", "a secret thought")
    row = (await desk("GET", "ledger"))["entries"][0]
    call = await desk("GET", f"ledger/calls/{row['call']}")
    assert [kept["part"] for kept in call["bodies_kept"]] == ["request", "reply"]
    assert "secret thought" not in json.dumps(call)
    texts = await desk("GET", f"ledger/calls/{row['call']}/bodies")
    assert "a secret thought" in texts["bodies"][0]["text"]
    audit = (await desk("GET", "audit"))["entries"][0]
    assert (audit["act"], audit["by"], audit["member"]) == ("bodies.read", "olga", desk.who.id)
    assert audit["about"] == {"call": row["call"], "texts": 2}


async def test_the_ledger_leaves_as_a_file(desk: Desk) -> None:
    await some_calls(desk)
    status, headers, data = await desk.raw("GET", "/api/admin/ledger/export?format=csv&deployment=good")
    assert status == 200
    assert headers[b"content-disposition"].startswith(b'attachment; filename="ledger-')
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert [row["deployment"] for row in rows] == ["good"] * 4
    _, _, lines = await desk.raw("GET", "/api/admin/ledger/export?format=jsonl&kinds=intent,outcome")
    told: list[dict[str, Any]] = [json.loads(line) for line in lines.splitlines()]
    assert len(told) == 12
    assert {row["key_name"] for row in told} == {"Olga"}
    assert await desk.acts() == ["ledger.export", "ledger.export"]


async def test_proof_of_the_ledger(desk: Desk) -> None:
    await some_calls(desk)
    job = await desk("POST", "ledger/verify", {})
    while job["state"] == "running":
        job = await desk("GET", f"jobs/{job['id']}")
    assert (job["state"], job["result"]["ok"], job["result"]["entries"]) == ("done", True, 12)
    head = job["result"]["head"]
    assert head == (await desk("GET", "overview"))["ledger"]["head"]
    other = await desk("POST", "ledger/verify", {"expect": [head.replace(":", ":0")[:-1]]})
    while other["state"] == "running":
        other = await desk("GET", f"jobs/{other['id']}")
    assert not other["result"]["ok"]
    assert await desk.fails("POST", "ledger/verify", {"expect": ["12"]}) == (400, "invalid_request")


async def test_who_calls_is_named_though_the_key_has_gone(desk: Desk) -> None:
    key, _ = await access.create(desk.store, "robot")
    await desk.house._keys_changed(1)
    assert await desk.chat("good", key=key.id)
    await access.revoke(desk.store, key.id)
    assert [group["name"] for group in (await desk("GET", "overview"))["by"]["key"]] == ["robot"]
