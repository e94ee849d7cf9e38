"""The server answers, keeps alive, keeps order, streams, notices who leaves, and closes gracefully."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from wire_kit import Serve, raw

from freehold.core.errors import Forbidden
from freehold.wire.server import Exchange, HttpServer, Limits

GET = b"GET /a%2Fb?c=d HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def echo(exchange: Exchange) -> None:
    seen = f"{exchange.method} {exchange.path} {exchange.query} {exchange.body.decode()}"
    exchange.reply(200, [(b"content-type", b"text/plain")], seen.encode())


async def test_reply_has_length_date_and_body(serve: Serve) -> None:
    server = await serve(echo)
    answer = await raw(server.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert b"\r\ncontent-type: text/plain\r\n" in head
    assert b"\r\nconnection: close" in head
    assert body == b"GET /a%2Fb c=d "
    assert b"\r\ncontent-length: %d" % len(body) in head


async def test_requests_on_one_connection_are_answered_in_order(serve: Serve) -> None:
    running = 0

    async def handle(exchange: Exchange) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0.02 if exchange.path == "/slow" else 0)
        running -= 1
        exchange.reply(200, [], exchange.path.encode())

    server = await serve(handle)
    slow, post = (GET.replace(b"/a%2Fb?c=d", path) for path in (b"/slow", b"/post"))
    post = post.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc")
    stream = slow + post + post + slow + CLOSE
    for size in (len(stream), 7):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        answer = await raw(server.port, *pieces)
        bodies = [part.partition(b"HTTP/1.1")[0] for part in answer.split(b"\r\n\r\n")[1:]]
        assert bodies == [b"/slow", b"/post", b"/post", b"/slow", b"/"]


async def test_pipeline_beyond_the_limit_is_held_in_the_kernel_and_not_lost(serve: Serve) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await gate.wait()
        exchange.reply(200, [], b"")

    server = await serve(handle, limits=Limits(pipeline_bytes=1000))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    await asyncio.sleep(0.02)
    for _ in range(8):
        writer.write(GET * 10)
        await asyncio.sleep(0.002)
    (protocol,) = server.connections
    assert protocol.held_bytes > 1000
    assert not protocol.transport.is_reading()
    gate.set()
    writer.write(CLOSE)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.count(b"HTTP/1.1 200 OK") == 82
    writer.close()


async def test_head_and_no_content_have_no_body(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        if exchange.path == "/none":
            exchange.reply(204, [], b"")
        elif exchange.path == "/stream":
            exchange.start(200, [])
            exchange.write(b"abc")
            exchange.end()
        else:
            exchange.reply(200, [], b"abc")

    server = await serve(handle)
    head = CLOSE.replace(b"GET", b"HEAD")
    answer = await raw(server.port, head)
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 3" in answer
    assert b"abc" not in answer
    assert b"abc" not in await raw(server.port, head.replace(b"/ ", b"/stream "))
    answer = await raw(server.port, CLOSE.replace(b"/ ", b"/none "))
    assert b"content-length" not in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_http_1_0(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        if exchange.path == "/stream":
            exchange.start(200, [])
            exchange.write(b"abc")
            await asyncio.sleep(0)
            exchange.end(b"def")
        else:
            exchange.reply(200, [], b"abc")

    server = await serve(handle)
    answer = await raw(server.port, b"GET / HTTP/1.0\r\n\r\n")
    assert b"connection: close" in answer
    answer = await raw(
        server.port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET /stream HTTP/1.0\r\n\r\n"
    )
    first, _, second = answer.partition(b"abc")
    assert b"connection: keep-alive" in first
    assert b"chunked" not in second
    assert second.endswith(b"\r\n\r\nabcdef")


async def test_expect_continue(serve: Serve) -> None:
    server = await serve(echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    writer.write(head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hi")
    assert (await reader.read()).endswith(b"POST /  hi")
    writer.close()
    # Behind another request the interim reply waits for that one's answer.
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET + head)
    first = await reader.readuntil(b"c=d ")
    assert first.startswith(b"HTTP/1.1 200")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hi")
    assert (await reader.read()).endswith(b"POST /  hi")
    writer.close()


async def test_stream_with_trailers_is_chunked(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.start(200, [(b"content-type", b"text/event-stream")])
        assert exchange.answered
        exchange.write(b"abc")
        exchange.write(b"")
        await asyncio.sleep(0.01)
        exchange.end(b"0123456789abcdef", [(b"x-cost", b"1")])
        exchange.write(b"too late")

    server = await serve(handle)
    answer = await raw(server.port, CLOSE)
    body = answer.partition(b"\r\n\r\n")[2]
    assert b"transfer-encoding: chunked" in answer
    assert body == b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nx-cost: 1\r\n\r\n"


async def test_upgrade_is_declined_and_the_body_kept(serve: Serve) -> None:
    server = await serve(echo)
    ask = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n"
    post = b"POST /p HTTP/1.1\r\nHost: h\r\n" + ask
    whole = post + b"Content-Length: 3\r\n\r\nabc" + GET.replace(b"Host", ask + b"Host") + CLOSE
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n" + CLOSE
    for stream in (whole, chunked):
        for size in (len(stream), 5):
            answer = await raw(server.port, *[stream[at : at + size] for at in range(0, len(stream), size)])
            assert b"POST /p  abc" in answer
            assert answer.endswith(b"GET /  ")


async def test_absolute_and_asterisk_targets(serve: Serve) -> None:
    server = await serve(echo)
    for target, seen in ((b"http://h/x?y", b"/x y"), (b"http://h?y", b"/ y"), (b"http://h", b"/ "), (b"*", b"* ")):
        method = b"OPTIONS" if target == b"*" else b"GET"
        answer = await raw(server.port, CLOSE.replace(b"GET /", method + b" " + target))
        assert answer.endswith(method + b" " + seen + b" "), answer


@pytest.mark.parametrize("behind", [b"", GET])
async def test_a_client_that_leaves_cancels_the_work_at_once(serve: Serve, behind: bytes) -> None:
    events: list[str] = []
    over = asyncio.Event()
    begun = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.on_gone(lambda: events.append("gone"))
        begun.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            events.append("cancelled")
            exchange.on_gone(lambda: events.append("told later"))
            exchange.reply(200, [], b"nobody reads this")
            raise
        finally:
            over.set()

    server = await serve(handle)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET + behind)
    await begun.wait()
    assert len(server.tasks) == 1
    writer.close()
    await asyncio.wait_for(over.wait(), 0.1)
    await asyncio.sleep(0.01)
    assert events == ["gone", "cancelled", "told later"]
    assert len(server.tasks) == 0
    assert server.open_connections == 0


async def test_work_after_the_answer_is_not_cancelled(serve: Serve) -> None:
    done = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, [], b"")
        await asyncio.sleep(0.05)
        done.set()

    server = await serve(handle)
    await raw(server.port, CLOSE)
    await asyncio.wait_for(done.wait(), 1)


@pytest.mark.parametrize("failure", [ValueError("x"), Forbidden("no", hint="ask"), None])
async def test_a_failing_handler_is_answered_and_the_server_lives(
    serve: Serve, failure: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(exchange: Exchange) -> None:
        if exchange.path == "/fail" and failure is not None:
            raise failure
        if exchange.path != "/fail":
            exchange.reply(200, [], b"fine")

    server = await serve(handle)
    answer = await raw(server.port, GET.replace(b"/a%2Fb?c=d", b"/fail") + CLOSE)
    assert answer.startswith(b"HTTP/1.1 403" if isinstance(failure, Forbidden) else b"HTTP/1.1 500")
    assert answer.endswith(b"fine")
    assert bool(caplog.records) == (not isinstance(failure, Forbidden))


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("how", ["raise", "return", "abort"])
async def test_a_broken_stream_never_ends_cleanly(serve: Serve, version: bytes, how: str) -> None:
    outlived = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.write(b"abc")
        await asyncio.sleep(0.02)
        if how == "raise":
            raise ValueError
        if how == "abort":
            exchange.abort()
            await asyncio.sleep(0.02)
            outlived.set()

    server = await serve(handle)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/%b\r\nHost: h\r\n\r\n" % version)
    try:
        answer = await asyncio.wait_for(reader.read(), 2)
    except ConnectionResetError:
        assert version == b"1.0"
    else:
        assert version == b"1.1"
        assert answer.endswith(b"3\r\nabc\r\n")
    writer.close()
    if how == "abort":  # the handler goes on: it has an outcome to record
        await asyncio.wait_for(outlived.wait(), 1)


async def test_headers_cannot_be_split(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        for bad in (b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"a\0b"):
            for pair in ((b"x", bad), (bad, b"x")):
                with pytest.raises(ValueError, match="line break"):
                    exchange.reply(200, [pair], b"")
                with pytest.raises(ValueError, match="line break"):
                    exchange.start(200, [(b"ok", b"ok"), pair])
        exchange.reply(200, [], b"unharmed")
        with pytest.raises(RuntimeError):
            exchange.reply(200, [], b"twice")

    server = await serve(handle)
    assert (await raw(server.port, CLOSE)).endswith(b"unharmed")


async def test_pressure_pauses_and_resumes(serve: Serve) -> None:
    told: list[str] = []
    relieved = asyncio.Event()

    def resume() -> None:
        told.append("resume")
        relieved.set()

    async def handle(exchange: Exchange) -> None:
        exchange.on_pressure(lambda: told.append("pause"), resume)
        exchange.start(200, [])
        exchange.write(b"x" * 16_000_000)
        assert told == ["pause"]
        await relieved.wait()
        exchange.end()

    server = await serve(handle)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(CLOSE)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.endswith(b"0\r\n\r\n")
    assert told == ["pause", "resume"]
    writer.close()


async def test_unix_socket_and_peer(serve: Serve, tmp_path: Path) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, [], exchange.peer.encode())

    path = tmp_path / "s"
    server = await serve(handle, path=str(path))
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(CLOSE)
    assert (await reader.read()).endswith(b"unix")
    writer.close()
    await server.close_gracefully(0)
    assert not path.exists()
    server = await serve(handle)
    assert (await raw(server.port, CLOSE)).endswith(b"127.0.0.1")


async def test_nagle_is_off(serve: Serve) -> None:
    server = await serve(echo)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await asyncio.sleep(0.01)
    (protocol,) = server.connections
    sock = protocol.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()


async def closing(server: HttpServer, port: int, seconds: float) -> tuple[bytes, bytes, bytes]:
    """Open an idle, a streaming and a waiting connection, close the server, return what each read to its end."""
    idle, running, later = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    running[1].write(GET.replace(b"/a%2Fb", b"/stream"))
    await running[0].readuntil(b"one")
    later[1].write(GET.replace(b"/a%2Fb", b"/later"))
    await asyncio.sleep(0.01)
    await asyncio.wait_for(server.close_gracefully(seconds), 3)
    ends = [await asyncio.wait_for(reader.read(), 1) for reader, _ in (idle, running, later)]
    for _, writer in (idle, running, later):
        writer.close()
    return ends[0], ends[1], ends[2]


async def patient(exchange: Exchange) -> None:
    if exchange.path == "/stream":
        exchange.start(200, [])
        exchange.write(b"one")
        await asyncio.sleep(0.1)
        exchange.end(b"two")
    else:
        await asyncio.sleep(0.1)
        exchange.reply(200, [], b"later")


async def test_graceful_close_lets_requests_finish(serve: Serve) -> None:
    server = await serve(patient)
    port = server.port
    idle, running, later = await closing(server, port, 2)
    assert idle == b""
    assert running.endswith(b"3\r\ntwo\r\n0\r\n\r\n")
    assert b"connection: close" in later
    assert later.endswith(b"later")
    with pytest.raises(OSError):
        await raw(port, CLOSE)


async def test_graceful_close_cancels_what_takes_too_long(serve: Serve) -> None:
    server = await serve(patient)
    idle, running, later = await closing(server, server.port, 0.02)
    assert idle == b""
    assert not running.endswith(b"0\r\n\r\n")
    assert later.startswith(b"HTTP/1.1 503")
    assert json.loads(later.partition(b"\r\n\r\n")[2])["error"]["code"] == "shutting_down"
    assert len(server.tasks) == 0
