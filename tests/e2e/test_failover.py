"""Promise 4: failover only before the first byte; afterwards a typed error event. And what clients do that go away."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Starter
from tests.e2e.conftest import Opener
from tests.e2e.traffic import body, streamed, whole
from tests.system import System, config, deployment, free_port, until
from tests.vendor import Vendor

PATIENCE = "retries = 0\ntimeout = { connect = 1, first_byte = 0.6, idle = 0.6, total = 5 }"


BEFORE = [
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
    "html;code=200",
]
BEFORE_FIRST_EVENT = ["error_event;after=0", "cut;after=0", "cut;after=0;how=rst", "idle;after=0", "truncated;after=0"]
AFTER_FIRST_EVENT = [
    ("cut;after=3", "upstream_broken"),
    ("cut;after=3;how=rst", "upstream_broken"),
    ("truncated;after=3", "upstream_broken"),
    ("garbage_stream;after=3", "upstream_broken"),
    ("idle;after=3", "upstream_timeout"),
    ("no_done", "upstream_broken"),
    ("error_event;after=3", "upstream_fault"),
]
BROKEN_WHOLE = ["cut", "short", "truncated", "idle", "drip;every=300", "not_json", "error_body"]
ROUGH_ENDS = ["no_end", "bare_done"]
ODD = ["odd", "odd;step=1", "odd;step=3"]
STALE = "stale;after=3"
ACTS = [*BEFORE, *BEFORE_FIRST_EVENT, *(act for act, _ in AFTER_FIRST_EVENT), *BROKEN_WHOLE, *ROUGH_ENDS, *ODD, STALE]


def route(act: str) -> str:
    """The name of the route whose first deployment behaves like `act`."""
    return "to-" + "".join(c if c.isalnum() else "-" for c in act)


@pytest.fixture(scope="module")
def house(shared_vendor: Vendor, opened: Opener) -> System:
    """A route for each way of failing, and for each a fallback that is well."""
    parts = [
        deployment("nobody", f"http://127.0.0.1:{free_port()}", "ok", more=PATIENCE),
        '[routes.to-nobody]\ndeployments = ["nobody"]\nfallback = ["second"]\n',
        deployment("second", shared_vendor.url, "ok;in=5;out=5", more=PATIENCE),
    ]
    for act in ACTS:
        first = route(act).replace("to-", "first-")
        parts.append(deployment(first, shared_vendor.url, act, more=PATIENCE))
        parts.append(f'[routes.{route(act)}]\ndeployments = ["{first}"]\nfallback = ["second"]\n')
    return opened(config(*parts))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failing", BEFORE)
async def test_before_the_first_byte(house: System, behind: Vendor, failing: str, stream: bool) -> None:
    async with house.client() as client:
        got = await (streamed if stream else whole)(client, route(failing))
    assert (got.status, got.text, got.done) == (200, "You said: hello", True)
    assert got.headers["x-freehold-deployment"] == "second"
    tries = house.outcomes("call = ?", got.call)
    assert [row["deployment"] == "second" for row in tries] == [False, True]
    assert tries[0]["error"] and not tries[1]["error"]


async def test_nobody_listens_there(house: System, behind: Vendor) -> None:
    async with house.client() as client:
        got = await whole(client, "to-nobody")
    assert got.status == 200
    assert house.outcomes("call = ?", got.call)[0]["error"] == "upstream_connect_failed"


@pytest.mark.parametrize("failing", BEFORE_FIRST_EVENT)
async def test_a_stream_that_fails_before_its_first_event(house: System, behind: Vendor, failing: str) -> None:
    async with house.client() as client:
        got = await streamed(client, route(failing))
    assert (got.text, got.done, got.error) == ("You said: hello", True, None)
    assert got.headers["x-freehold-deployment"] == "second"


@pytest.mark.parametrize(("failing", "code"), AFTER_FIRST_EVENT)
async def test_after_the_first_event(house: System, behind: Vendor, failing: str, code: str) -> None:
    async with house.client() as client:
        got = await streamed(client, route(failing), "hello from the middle of a stream")
    assert got.status == 200 and not got.done
    assert got.error is not None and got.error["code"] == code
    assert got.text and "You said: hello from the middle of a stream".startswith(got.text)
    assert len(behind.seen) == 1, "another deployment was tried although bytes had gone out"
    row = house.outcomes("call = ?", got.call)[0]
    assert row["error"] == code
    assert row["output"] > 0, "what was consumed is on record"


@pytest.mark.parametrize("failing", BROKEN_WHOLE)
async def test_a_whole_reply_that_breaks_off_is_never_passed_on(house: System, behind: Vendor, failing: str) -> None:
    async with house.client() as client:
        got = await whole(client, route(failing))
    assert (got.status, got.text) == (200, "You said: hello")
    assert got.headers["x-freehold-deployment"] == "second"


@pytest.mark.parametrize("ending", ROUGH_ENDS)
async def test_a_stream_is_whole_once_its_end_was_announced(house: System, behind: Vendor, ending: str) -> None:
    async with house.client() as client:
        began = time.perf_counter()
        got = await streamed(client, route(ending), "a b c")
    assert (got.text, got.done, got.error) == ("You said: a b c", True, None)
    assert got.headers["x-freehold-deployment"] != "second"
    assert not house.outcomes("call = ?", got.call)[0]["error"]
    assert time.perf_counter() - began < 5, "it waited for more than the formal end"


async def test_an_error_in_a_stream_never_shows_the_vendors_key(house: System, behind: Vendor) -> None:
    async with house.client() as client:
        got = await streamed(client, route("error_event;after=3"), "hello from the middle of a stream")
    assert got.error is not None and "The server had an error" in got.error["message"]
    assert "sk-vendor-secret" not in str(got.error)


@pytest.mark.parametrize("behaviour", ODD)
async def test_streams_as_the_standard_allows_them(house: System, behind: Vendor, behaviour: str) -> None:
    async with house.client() as client:
        got = await streamed(client, route(behaviour), "a b c")
    assert (got.text, got.done, got.error) == ("You said: a b c", True, None)
    assert house.outcomes("call = ?", got.call)[0]["output"] == 5
    assert got.headers["x-freehold-deployment"] != "second"


async def test_stale_connections_are_not_felt(house: System, behind: Vendor) -> None:
    """A vendor that closes after each reply: the next call on that connection is sent again, once, unseen."""
    async with house.client() as client:
        for pause in (0, 0.002, 0.003, 0.004, 0.01) * 6:
            got = await whole(client, route(STALE))
            assert got.status == 200
            assert got.headers["x-freehold-deployment"] != "second"
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


def resident(pid: int) -> int:
    """Resident memory of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def test_a_client_that_reads_slowly_holds_back_its_own_stream_only(system: Starter, vendor: Vendor) -> None:
    """25 MB are on their way to a client that does not read: the house holds little of them, and others are served."""
    house = system(config(deployment("long", vendor.url, "ok;more=30000"), deployment("fine", vendor.url, "ok")))
    worker = house.workers()[0]
    async with house.client() as client:
        await whole(client, "fine")
        before = resident(worker)
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1024)
        writer.write(request_bytes(house, "long", True))
        await reader.read(100)
        await asyncio.sleep(1.0)
        assert (await whole(client, "fine")).status == 200
        assert resident(worker) - before < 8000, "the worker buffered what its client does not read"
    size, last = 0, b""
    while b"[DONE]" not in last:
        piece = await reader.read(1 << 20)
        assert piece
        size, last = size + len(piece), (last + piece)[-400:]
    assert size > 20_000_000
    writer.close()
