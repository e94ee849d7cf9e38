"""HTTP as a hostile world sends it, through the whole door. Nothing of it reaches a vendor or ends the server."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest

from tests.e2e.conftest import Opener
from tests.system import System, config, deployment
from tests.vendor import Vendor

LIMITS = """
[server.limits]
body_bytes = 100000
header_bytes = 16384
header_seconds = 1
body_seconds = 1
keepalive_seconds = 2
"""
GOOD = b'{"model":"fine","messages":[{"role":"user","content":"hello"}]}'


@pytest.fixture(scope="module")
def house(shared_vendor: Vendor, opened: Opener) -> System:
    return opened(config(LIMITS, deployment("fine", shared_vendor.url, "ok")))


def exchange(house: System, data: bytes, *, wait: float = 5.0, close: bool = False) -> bytes:
    """Send bytes and return all that comes back until the server closes, or is silent for a moment after an answer."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=wait) as raw:
        raw.sendall(data)
        if close:
            raw.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while piece := raw.recv(65536):
                got += piece
                raw.settimeout(0.3)
        except TimeoutError:
            pass
        except ConnectionResetError:
            pass
        return got


def post(
    house: System, body: bytes, *headers: str, path: str = "/v1/chat/completions", length: str | None = None
) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: door",
        f"authorization: Bearer {house.key}",
        *(headers or ("content-type: application/json",)),
        f"content-length: {len(body) if length is None else length}",
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status(got: bytes) -> int:
    assert got.startswith(b"HTTP/1.1 "), got[:200]
    return int(got[9:12])


def error(got: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(got.partition(b"\r\n\r\n")[2])["error"]
    return found


BODIES = {
    "no JSON": b"hello",
    "half JSON": GOOD[:-5],
    "two values": GOOD + GOOD,
    "an array": b"[1,2,3]",
    "invalid UTF-8": GOOD.replace(b"hello", b"\xff\xfe\xfd"),
    "half a surrogate": GOOD.replace(b"hello", b"\\ud800"),
    "duplicate keys": b'{"model":"fine","model":"other","messages":[{"role":"user","content":"x"}]}',
    "deeply nested": b'{"model":"fine","messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deeply nested beside": GOOD[:-1] + b',"metadata":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}",
    "a number too long": GOOD[:-1] + b',"seed":' + b"9" * 5000 + b"}",
    "not a number": GOOD[:-1] + b',"temperature":NaN}',
    "no model": b'{"messages":[{"role":"user","content":"x"}]}',
    "a model of another type": b'{"model":["fine"],"messages":[{"role":"user","content":"x"}]}',
    "empty": b"",
    "NUL": b"\0" * 100,
}


@pytest.mark.parametrize("what", list(BODIES))
def test_bodies(house: System, behind: Vendor, what: str) -> None:
    got = exchange(house, post(house, BODIES[what]))
    assert status(got) == 400
    assert error(got)["message"]
    assert behind.seen == []
    assert house.ready()


HEADS = {
    "no HTTP": b"hello door\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "unknown version": b"GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n",
    "a space in a name": b"GET /healthz HTTP/1.1\r\nhost : x\r\n\r\n",
    "a folded header": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n  2\r\n\r\n",
    "a bare CR": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: 1\rx-b: 2\r\n\r\n",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: \0\r\n\r\n",
    "too many header bytes": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 40000 + b"\r\n\r\n",
    "too many headers": b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
    + b"".join(b"x-%d: b\r\n" % n for n in range(500))
    + b"\r\n",
    "a long target": b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "two lengths": b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabc",
    "a negative length": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "a length that is no number": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0x10\r\n\r\n",
    "a length and chunks": (
        b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG"
    ),
    "chunks twice": b"POST /v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an encoding that nobody has": b"POST /v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("what", list(HEADS))
def test_heads(house: System, behind: Vendor, what: str) -> None:
    got = exchange(house, HEADS[what] + b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")
    assert got == b"" or status(got) >= 400, got
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", got)) <= 1, "something was answered after a broken request"
    assert behind.seen == []
    assert house.ready()


def test_a_huge_body_is_refused_before_it_is_read(house: System, behind: Vendor) -> None:
    got = exchange(house, post(house, b"{", length="5000000000"))
    assert status(got) == 413
    chunked = post(house, b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    got = exchange(house, chunked + b"4000\r\n" + b"a" * 0x4000 + b"\r\n" + (b"4000\r\n" + b"a" * 0x4000 + b"\r\n") * 8)
    assert status(got) == 413
    assert behind.seen == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_wrong_content_type(house: System, behind: Vendor, kind: str) -> None:
    """What a web page can send without asking (a simple request) must not be taken for a call."""
    got = exchange(house, post(house, GOOD, f"content-type: {kind}"))
    assert status(got) in (400, 415)
    assert behind.seen == []


def test_slow_ones_are_cut(house: System, behind: Vendor) -> None:
    for begun in (b"POST /v1/chat/comp", post(house, GOOD)[:-10]):
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", house.port), timeout=10) as raw:
            raw.sendall(begun)
            got = raw.recv(65536)
            assert got == b"" or status(got) == 408
            while got:
                got = raw.recv(65536)
        assert 0.5 < time.perf_counter() - began < 6
    assert behind.seen == []


def test_drip_fed_headers_are_cut(house: System) -> None:
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as raw:
        try:
            for byte in b"GET /healthz HTTP/1.1\r\nhost: " + b"x" * 1000:
                raw.sendall(bytes([byte]))
                time.sleep(0.05)
                if time.perf_counter() - began > 8:
                    raise AssertionError("a byte now and then keeps the connection for ever")
        except OSError:
            pass
    assert time.perf_counter() - began < 8


def test_pipelined_requests_are_answered_in_order(house: System, behind: Vendor) -> None:
    names = [f"number {n}" for n in range(5)]
    data = b"".join(post(house, GOOD.replace(b"hello", name.encode())) for name in names)
    got = exchange(house, data, wait=10)
    assert got.count(b"HTTP/1.1 200") == 5
    places = [got.index(f"You said: {name}".encode()) for name in names]
    assert places == sorted(places)


def test_odd_but_lawful(house: System, behind: Vendor) -> None:
    body = (
        b"5\r\n"
        + GOOD[:5]
        + b"\r\n"
        + b"%x;name=value\r\n" % len(GOOD[5:])
        + GOOD[5:]
        + b"\r\n0\r\nx-trailer: 1\r\n\r\n"
    )
    chunked = post(house, b"").replace(b"content-length: 0", b"Transfer-Encoding: chunked")
    assert status(exchange(house, chunked + body)) == 200
    waiting = post(house, GOOD, "content-type: application/json; charset=utf-8", "expect: 100-continue")
    got = exchange(house, waiting)
    assert b"200 OK" in got
    assert status(exchange(house, b"\r\n\r\n" + post(house, GOOD))) == 200
    old = b"GET /healthz HTTP/1.0\r\n\r\n"
    assert status(exchange(house, old)) == 200


def test_members_are_passed_on_byte_for_byte(house: System, behind: Vendor) -> None:
    """Number forms, escapes and spaces stay as the client wrote them; only the model's name is another."""
    messages = b'[ {"role":"user","content":"caf\\u00e9 \xc3\xa9","name":"x"} ]'
    sent = b'{"model":"fine", "messages": ' + messages + b', "temperature": 1.0e-1, "seed":12345678901234567}'
    assert status(exchange(house, post(house, sent))) == 200
    arrived = behind.seen[0].body
    assert messages in arrived
    assert b"1.0e-1" in arrived and b"12345678901234567" in arrived
    assert behind.seen[0].json()["model"] == "ok"


def test_methods(house: System, behind: Vendor) -> None:
    got = exchange(house, b"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert status(got) == 200 and got.endswith(b"\r\n\r\n")
    got = exchange(house, b"OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: x\r\norigin: https://evil.example\r\n\r\n")
    assert b"access-control-allow-origin" not in got.lower()
    for method in (b"GET", b"DELETE", b"TRACE", b"PUT"):
        got = exchange(house, method + b" /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n")
        assert status(got) == 405
    assert status(exchange(house, b"BREW /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n")) in (400, 405, 501)
    assert behind.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2ffreehold.db",
        "/v1/nothing",
        "//evil.example/",
        "/v1/models/../../x",
    ],
)
def test_paths(house: System, path: str) -> None:
    got = exchange(house, f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.key}\r\n\r\n".encode())
    assert status(got) in (400, 404), got[:300]
    assert b"root:" not in got and b"SQLite" not in got


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic eDp5", "Bearer \xff\xfe", "Bearer a b c", "Bearer " + "x" * 9000]
)
def test_credentials(house: System, behind: Vendor, value: str) -> None:
    data = post(house, GOOD).replace(f"Bearer {house.key}".encode(), value.encode("latin-1"))
    got = exchange(house, data)
    assert status(got) == 401
    assert behind.seen == []


def test_a_client_that_says_no_more_still_gets_its_answer(house: System, behind: Vendor) -> None:
    """A half-closed connection is how some simple clients say that the request is complete."""
    got = exchange(house, post(house, GOOD), close=True)
    assert got == b"" or status(got) == 200
    assert house.ready()
