"""HTTP as a hostile world sends it: each is answered as it should be, once, and the connection closes."""

from __future__ import annotations

import asyncio
import json

import pytest
from wire_kit import Serve, raw

from freehold.core.errors import FreeholdError
from freehold.wire import connection, server
from freehold.wire.server import Exchange, Limits

LIMITS = Limits(header_bytes=2000, headers=20, url_bytes=500, body_bytes=5000)
H = b"GET / HTTP/1.1\r\nHost: h\r\n"
P = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = P + b"Transfer-Encoding: chunked\r\n\r\n"

TABLE: dict[str, tuple[int, bytes]] = {
    "length and chunked": (400, P + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked and length": (400, P + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, P + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    "same length twice": (400, P + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "list of lengths": (400, P + b"Content-Length: 3, 3\r\n\r\nabc"),
    "signed length": (400, P + b"Content-Length: +3\r\n\r\nabc"),
    "negative length": (400, P + b"Content-Length: -3\r\n\r\nabc"),
    "hex length": (400, P + b"Content-Length: 0x3\r\n\r\nabc"),
    "empty length": (400, P + b"Content-Length:\r\n\r\nabc"),
    "endless length": (400, P + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    "coding unknown": (400, P + b"Transfer-Encoding: gzip\r\n\r\n"),
    "coding before chunked": (400, P + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "coding misspelt": (400, P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "coding with a tab": (400, P + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "coding twice": (400, P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    "space before colon": (400, P + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "chunked in 1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "folded header": (400, H + b"X: a\r\n b\r\n\r\n"),
    "bare LF": (400, b"GET / HTTP/1.1\nHost: h\n\n"),
    "bare LF in head": (400, b"GET / HTTP/1.1\r\nHost: h\nX: b\r\n\r\n"),
    "bare CR": (400, b"GET / HTTP/1.1\r\nHost: h\rX: b\r\n\r\n"),
    "zero byte in value": (400, H + b"X: a\0b\r\n\r\n"),
    "zero byte in name": (400, H + b"X\0: a\r\n\r\n"),
    "zero byte in target": (400, b"GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
    "control in value": (400, H + b"X: a\x01b\r\n\r\n"),
    "8 bit target": (400, b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n"),
    "space in target": (400, b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
    "relative target": (400, b"GET foo HTTP/1.1\r\nHost: h\r\n\r\n"),
    "unknown method": (400, b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n"),
    "small method": (400, b"get / HTTP/1.1\r\nHost: h\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, H + b"Host: other\r\n\r\n"),
    "two keys": (400, H + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
    "two Azure keys": (400, H + b"api-key: a\r\nApi-Key: a\r\n\r\n"),
    "version 2": (505, b"GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    "version 0.9": (505, b"GET /\r\n\r\n"),
    "version 1.2": (400, b"GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
    "preface of HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"),
    "CONNECT": (405, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    "expectation unknown": (417, P + b"Content-Length: 3\r\nExpect: 200-ok\r\n\r\nabc"),
    "long target": (414, b"GET /" + b"a" * 501 + b" HTTP/1.1\r\nHost: h\r\n\r\n"),
    "endless target": (414, b"GET /" + b"a" * 9000),
    "long header": (431, H + b"X: " + b"a" * 2000 + b"\r\n\r\n"),
    "endless header": (431, H + b"X: " + b"a" * 9000),
    "many headers": (431, H + b"".join(b"X%d: a\r\n" % n for n in range(20)) + b"\r\n"),
    "long header behind another request": (200, H + b"\r\n" + H + b"X: " + b"a" * 2000 + b"\r\n\r\n"),
    "length too big": (413, P + b"Content-Length: 5001\r\n\r\n"),
    "length too big, expecting": (413, P + b"Content-Length: 5001\r\nExpect: 100-continue\r\n\r\n"),
    "chunks too big": (413, CHUNKED + b"1388\r\n" + b"a" * 5000 + b"\r\n1\r\na\r\n"),
    "chunk size bad": (400, CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"),
    "chunk size endless": (400, CHUNKED + b"fffffffffffffffff\r\nabc"),
    "chunk too long": (400, CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    "chunk ended by LF": (400, CHUNKED + b"3\nabc\n0\n\n"),
    "LF in chunk extension": (400, CHUNKED + b"3;a\nabc\r\nabc\r\n0\r\n\r\n"),
    "chunk extension endless": (431, CHUNKED + b"3;" + b"a" * 9000),
    "trailer endless": (431, CHUNKED + b"3\r\nabc\r\n0\r\nX: " + b"a" * 9000),
}


async def echo(exchange: Exchange) -> None:
    exchange.reply(200, [], exchange.body)


@pytest.mark.parametrize("name", TABLE)
async def test_hostile_request(serve: Serve, name: str) -> None:
    status, request = TABLE[name]
    seen: list[int] = []

    def on_error(exchange: Exchange, error: FreeholdError) -> None:
        assert error.hint
        seen.append(error.status)
        server.plain_error(exchange, error)

    one = await serve(echo, limits=LIMITS, on_error=on_error)
    for size in (len(request), 300 if len(request) > 1000 else 3):
        pieces = [request[at : at + size] for at in range(0, len(request), size)]
        answer = await raw(one.port, *pieces)
        assert answer.startswith(b"HTTP/1.1 %d " % status), (size, answer[:200])
        last = answer[answer.rindex(b"\r\ndate: ") :]
        assert b"\r\nconnection: close\r\n" in last
        assert json.loads(last.partition(b"\r\n\r\n")[2])["error"]["message"]
    assert len(seen) == 2
    await asyncio.sleep(0)
    assert len(one.tasks) == 0


async def test_fields_that_may_repeat_are_joined_and_trailers_are_no_headers(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        names = b",".join(sorted(exchange.headers))
        exchange.reply(200, [], names + b"|" + exchange.headers[b"accept"] + b"|" + exchange.body)

    one = await serve(handle, limits=LIMITS)
    request = CHUNKED.replace(b"\r\n\r\n", b"\r\nAccept: a\r\nACCEPT: b\r\n\r\n")
    request += b"3;x=y\r\nabc\r\n0\r\nAuthorization: Bearer evil\r\n\r\n"
    request += H + b"Accept: c\r\nConnection: close\r\n\r\n"
    for size in (len(request), 10):
        answer = await raw(one.port, *[request[at : at + size] for at in range(0, len(request), size)])
        assert b"accept,host,transfer-encoding|a, b|abc" in answer
        assert answer.endswith(b"accept,connection,host|c|")


async def test_an_error_behind_a_good_request_waits_for_its_turn(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        exchange.reply(200, [], b"first")

    one = await serve(handle)
    answer = await raw(one.port, H + b"\r\nGET nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"\r\ndate: ") == 2
    assert b"firstHTTP/1.1 400" in answer


async def test_bytes_behind_a_closing_request_are_dropped(serve: Serve) -> None:
    one = await serve(echo)
    closing = H + b"Connection: close\r\n\r\n"
    for pieces in ((closing + H + b"\r\n",), (closing, b"garbage" * 1000)):
        answer = await raw(one.port, *pieces)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert answer.startswith(b"HTTP/1.1 200")


async def test_the_refusal_of_a_big_body_reaches_a_client_that_keeps_sending(serve: Serve) -> None:
    one = await serve(echo, limits=LIMITS)
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    writer.write(P + b"Content-Length: 4000000\r\n\r\n")
    for _ in range(20):
        writer.write(b"x" * 100_000)
        await asyncio.sleep(0.001)
    assert (await asyncio.wait_for(reader.read(), 3)).startswith(b"HTTP/1.1 413 ")
    writer.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [(b"", None), (H[:9], 408), (H, 408), (P + b"Content-Length: 3\r\n\r\nab", 408), (H + b"\r\n", 200)],
)
async def test_slow_clients_are_cut_off(
    serve: Serve, request_: bytes, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.05)
    limits = Limits(header_seconds=0.1, body_seconds=0.1, keepalive_seconds=0.3)
    one = await serve(echo, limits=limits)
    answer = await raw(one.port, request_)
    if status is None:
        assert answer == b""
    else:
        assert answer.startswith(b"HTTP/1.1 %d " % status)
    await asyncio.sleep(0.01)
    assert one.open_connections == 0


async def test_a_client_that_does_not_read_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.02)
    gone = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.on_gone(gone.set)
        exchange.start(200, [])
        for _ in range(200):
            exchange.write(b"x" * 65536)
        await asyncio.sleep(10)

    one = await serve(handle, limits=Limits(stall_seconds=0.1))
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1024)
    writer.write(H + b"\r\n")
    await asyncio.wait_for(gone.wait(), 2)
    await asyncio.sleep(0.02)
    assert one.open_connections == 0
    writer.transport.abort()
    del reader


async def test_too_many_connections(serve: Serve) -> None:
    one = await serve(echo, limits=Limits(connections=2))
    held = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(2)]
    await asyncio.sleep(0.01)
    answer = await raw(one.port)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in answer
    held.pop()[1].close()
    await asyncio.sleep(0.02)
    assert (await raw(one.port, H + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
    held.pop()[1].close()


async def test_a_renderer_that_fails_is_replaced(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def on_error(exchange: Exchange, error: FreeholdError) -> None:
        raise KeyError("bug")

    one = await serve(echo, on_error=on_error)
    assert (await raw(one.port, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert caplog.records
