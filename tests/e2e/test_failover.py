"""Promise 4: failover only before the first byte; afterwards a typed error event. And what clients do that go away."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from typing import Any

import msgspec
import pytest

from tests.conftest import Starter
from tests.e2e.traffic import Got, body, streamed, whole
from tests.system import System, config, deployment, free_port, until
from tests.vendor import Vendor

PATIENCE = "retries = 0\ntimeout = { connect = 1, first_byte = 0.6, idle = 0.6, total = 5 }"


def pair(vendor: Vendor, first: str, url: str = "") -> str:
    """A route whose first deployment behaves as said and whose fallback is well."""
    return config(
        deployment("first", url or vendor.url, first, more=PATIENCE),
        deployment("second", vendor.url, "ok;in=5;out=5", more=PATIENCE),
        '[routes.both]\ndeployments = ["first"]\nfallback = ["second"]\n',
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "failing",
    [
        "status;code=401",
        "status;code=429",
        "status;code=500",
        "status;code=503",
        "status;code=529",
        "hang",
        "slow_head",
        "garbage",
        "close",
        "close;how=rst",
        "html;code=502",
    ],
)
async def test_before_the_first_byte(system: Starter, vendor: Vendor, failing: str, stream: bool) -> None:
    house = system(pair(vendor, failing))
    async with house.client() as client:
        got = await (streamed if stream else whole)(client, "both")
    assert (got.status, got.text, got.done) == (200, "You said: hello", True)
    assert got.headers["x-freehold-deployment"] == "second"
    tries = house.outcomes("call = ?", got.call)
    assert [row["deployment"] for row in tries] == ["first", "second"]
    assert tries[0]["error"] and not tries[1]["error"]


async def test_nobody_listens_there(system: Starter, vendor: Vendor) -> None:
    house = system(pair(vendor, "ok", f"http://127.0.0.1:{free_port()}"))
    async with house.client() as client:
        got = await whole(client, "both")
    assert got.status == 200
    assert house.outcomes()[0]["error"] == "upstream_connect_failed"


@pytest.mark.parametrize("failing", ["cut;after=0", "cut;after=0;how=rst", "idle;after=0", "truncated;after=0"])
async def test_a_stream_that_fails_before_its_first_event(system: Starter, vendor: Vendor, failing: str) -> None:
    house = system(pair(vendor, failing))
    async with house.client() as client:
        got = await streamed(client, "both")
    assert (got.text, got.done, got.error) == ("You said: hello", True, None)
    assert got.headers["x-freehold-deployment"] == "second"


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        ("cut;after=3", "upstream_broken"),
        ("cut;after=3;how=rst", "upstream_broken"),
        ("truncated;after=3", "upstream_broken"),
        ("garbage_stream;after=3", "upstream_broken"),
        ("idle;after=3", "upstream_timeout"),
        ("no_done", "upstream_broken"),
    ],
)
async def test_after_the_first_event(system: Starter, vendor: Vendor, failing: str, code: str) -> None:
    house = system(pair(vendor, failing))
    async with house.client() as client:
        got = await streamed(client, "both", "hello from the middle of a stream")
    assert got.status == 200 and not got.done
    assert got.error is not None and got.error["code"] == code
    assert got.text and "You said: hello from the middle of a stream".startswith(got.text)
    assert len(vendor.seen) == 1, "another deployment was tried although bytes had gone out"
    row = house.outcomes("call = ?", got.call)[0]
    assert row["error"] == code
    assert row["output"] > 0, "what was consumed is on record"


@pytest.mark.parametrize("failing", ["cut", "short", "truncated", "idle", "drip;every=300", "not_json"])
async def test_a_whole_reply_that_breaks_off_is_never_passed_on(system: Starter, vendor: Vendor, failing: str) -> None:
    house = system(pair(vendor, failing))
    async with house.client() as client:
        got = await whole(client, "both")
    assert (got.status, got.text) == (200, "You said: hello")
    assert got.headers["x-freehold-deployment"] == "second"


@pytest.mark.parametrize("behaviour", ["odd", "odd;step=1", "odd;step=3"])
async def test_streams_as_the_standard_allows_them(system: Starter, vendor: Vendor, behaviour: str) -> None:
    house = system(config(deployment("odd", vendor.url, behaviour)))
    async with house.client() as client:
        got = await streamed(client, "odd", "a b c")
    assert (got.text, got.done, got.error) == ("You said: a b c", True, None)
    assert house.outcomes()[0]["output"] == 5


async def test_stale_connections_are_not_felt(system: Starter, vendor: Vendor) -> None:
    """A vendor that closes after each reply: the next call on that connection is sent again, once, unseen."""
    house = system(config(deployment("stale", vendor.url, "stale;after=3", more="retries = 0")))
    async with house.client() as client:
        for pause in (0, 0.002, 0.003, 0.004, 0.01) * 6:
            got = await whole(client, "stale")
            assert got.status == 200
            await asyncio.sleep(pause)


async def test_redirects_are_not_followed(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("away", vendor.url, f"redirect;to={vendor.url}/v1/elsewhere", more="retries = 0")))
    async with house.client() as client:
        got = await whole(client, "away")
    assert got.status >= 500
    assert len(vendor.seen) == 1


async def test_retry_after_is_honoured(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("limited", vendor.url, "limited", more="retries = 2")))
    for form in ("1", "date"):
        vendor.seen.clear()
        vendor.script("limited", f"status;code=429;retry_after={form}", "ok")
        async with house.client() as client:
            got = await whole(client, "limited")
        assert got.status == 200
        assert vendor.seen[1].at - vendor.seen[0].at > (0.9 if form == "1" else 0.0)


async def test_a_slow_vendor_slows_no_other(system: Starter, vendor: Vendor) -> None:
    house = system(
        config(
            deployment("slow", vendor.url, "ok;delay=1500", more="max_inflight = 8"),
            deployment("quick", vendor.url, "ok"),
        )
    )
    async with house.client() as client:
        slow = [asyncio.create_task(whole(client, "slow")) for _ in range(64)]
        await asyncio.sleep(0.3)
        times = []
        for _ in range(20):
            began = time.perf_counter()
            assert (await whole(client, "quick")).status == 200
            times.append(time.perf_counter() - began)
        ended = await asyncio.gather(*slow)
    assert statistics.median(times) < 0.1
    full = [g for g in ended if g.status != 200]
    assert len(full) == 56, "the bulkhead lets 8 in"
    assert all(g.error is not None and g.status == 503 for g in full)


def request_bytes(house: System, model: str, stream: bool) -> bytes:
    data = msgspec.json.encode(body(model, stream=stream))
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    ).encode() + data


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize(("model", "stream"), [("hangs", False), ("hangs", True), ("paced", True)])
def test_a_client_that_vanishes_cancels_the_call(
    system: Starter, vendor: Vendor, model: str, stream: bool, how: str
) -> None:
    house = system(
        config(deployment("hangs", vendor.url, "hang"), deployment("paced", vendor.url, "ok;every=20;more=200"))
    )
    lags: list[float] = []
    for n in range(5):
        with socket.create_connection(("127.0.0.1", house.port)) as client:
            client.sendall(request_bytes(house, model, stream))
            until(lambda n=n: len(vendor.seen) > n, what="the vendor to see the request")
            if model == "paced":
                client.recv(1000)
            time.sleep(0.05)
            if how == "rst":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            left = time.perf_counter()
        seen = vendor.seen[n]
        until(lambda seen=seen: seen.gone_at, 5, 0.002, "the vendor's connection to close")
        assert seen.gone_at is not None
        lags.append(seen.gone_at - left)
    assert statistics.median(lags) < 0.1, lags
    rows = until(lambda: len(house.outcomes()) == 5 and house.outcomes(), what="the outcomes")
    assert {row["error"] for row in rows} == {"client_gone"}


async def test_the_client_that_reads_slowly_holds_back_its_own_stream_only(system: Starter, vendor: Vendor) -> None:
    house = system(config(deployment("long", vendor.url, "ok;more=60000"), deployment("fine", vendor.url, "ok")))
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1024)
    writer.write(request_bytes(house, "long", True))
    await writer.drain()
    await reader.read(100)
    await asyncio.sleep(0.5)
    worker = house.workers()[0]
    async with house.client() as client:
        got: Got = await whole(client, "fine")
    assert got.status == 200
    with open(f"/proc/{worker}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert peak < 120_000, "the worker buffered what its client does not read"
    rest: Any = b""
    while b"[DONE]" not in rest[-200:]:
        piece = await reader.read(1 << 20)
        assert piece
        rest = (rest + piece)[-400:]
    writer.close()
