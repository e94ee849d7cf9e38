"""The client keeps connections, times replies, says what broke, and never mixes two replies up."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wire_kit import Play, Script, Scripted, Serve, read_request

from freehold.core.errors import BadRequest, ConfigError, ConnectFailed, UpstreamBroken, UpstreamTimeout
from freehold.wire.client import Client, Origin, Source, Timeouts, was_sent
from freehold.wire.server import Exchange

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def replies(*parts: bytes, then: str = "keep", pause: float = 0.0) -> Script:
    """A script that answers each request with `parts`, then keeps the connection, closes it, or stays silent."""

    async def script(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(server, reader)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if then == "close":
                return
            if then == "hang":
                await reader.read()
                server.gone.set()
                return

    return script


class Keep:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.status = 0
        self.pieces: list[bytes] = []
        self.source: Source | None = None

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.status, self.headers, self.source = status, headers, source

    def data(self, data: bytes) -> None:
        self.pieces.append(data)


async def test_request_as_framed(client: Client, play: Play) -> None:
    server = await play(replies(OK))
    answer = await client.fetch(server.origin, b"POST", b"/v1?x", b"a: b\r\n", b"body")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == {b"content-length": b"2"}
    await client.fetch(server.origin, b"GET", b"/")
    await client.fetch(server.origin, b"POST", b"/", b"", b"x" * 100_000)
    host = b"host: 127.0.0.1:%d\r\n" % server.origin.port
    fixed = host + b"accept-encoding: identity\r\n"
    assert server.requests[0] == b"POST /v1?x HTTP/1.1\r\n" + fixed + b"a: b\r\ncontent-length: 4\r\n\r\nbody"
    assert server.requests[1] == b"GET / HTTP/1.1\r\n" + fixed + b"\r\n"
    assert server.requests[2].endswith(b"content-length: 100000\r\n\r\n" + b"x" * 100_000)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("target", "headers"),
    [(b"/a b", b""), (b"/\r\nx: y", b""), (b"/\n", b""), (b"/", b"a: b"), (b"/", b"a: b\r\n\r\nGET / HTTP/1.1\r\n")],
)
async def test_a_request_stays_one_request(client: Client, target: bytes, headers: bytes) -> None:
    with pytest.raises(BadRequest):
        await client.fetch(Origin("http", "127.0.0.1", 1), b"GET", target, headers)


@pytest.mark.parametrize(
    ("reply", "body", "kept"),
    [
        (OK, b"ok", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\nx: y\r\n\r\n", b"ok!", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK, b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", b"ok", False),
        (OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"ok", False),
        (OK + b"garbage", b"ok", False),
        (OK + b"\r\n", b"ok", True),
    ],
)
@pytest.mark.parametrize("size", [3, 1000])
async def test_only_clean_connections_are_used_again(
    client: Client, play: Play, reply: bytes, body: bytes, kept: bool, size: int
) -> None:
    server = await play(replies(*[reply[at : at + size] for at in range(0, len(reply), size)]))
    for _ in range(3):
        assert (await client.fetch(server.origin, b"GET", b"/")).body == body
        await asyncio.sleep(0.01)
    assert server.connections == (1 if kept else 3)


async def test_body_up_to_the_end_of_the_connection(client: Client, play: Play) -> None:
    server = await play(replies(b"HTTP/1.1 200 OK\r\n\r\nab", b"c", then="close"))
    for _ in range(2):
        assert (await client.fetch(server.origin, b"GET", b"/")).body == b"abc"
    assert client.open_connections == 0


async def test_head_has_no_body(client: Client, play: Play) -> None:
    server = await play(replies(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"))
    answer = await client.fetch(server.origin, b"HEAD", b"/")
    assert (answer.body, answer.headers[b"content-length"]) == (b"", b"9")


@pytest.mark.parametrize(
    ("parts", "began"),
    [
        ([], False),
        ([b"HTTP/1.1 200"], True),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"], True),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"], True),
        ([b"garbage\r\n\r\n"], True),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"], True),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"], True),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"], True),
        ([b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"], True),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000], True),
    ],
)
async def test_broken_replies(client: Client, play: Play, parts: list[bytes], began: bool) -> None:
    server = await play(replies(*parts, then="close"))
    with pytest.raises(UpstreamBroken) as caught:
        await client.fetch(server.origin, b"POST", b"/", b"", b"x")
    assert vars(caught.value)["began"] is began
    assert caught.value.hint
    assert client.open_connections == 0
    assert server.connections == 1


async def test_a_stale_connection_is_tried_once_more(client: Client, play: Play) -> None:
    async def script(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        writer.write(OK)
        await read_request(server, reader)  # and closes without a reply

    server = await play(script)
    for _ in range(2):
        assert (await client.fetch(server.origin, b"POST", b"/", b"", b"x")).body == b"ok"
    assert server.connections == 2
    assert len(server.requests) == 3


async def test_a_stale_connection_is_not_tried_again_once_a_reply_began(client: Client, play: Play) -> None:
    async def script(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        writer.write(OK)
        await read_request(server, reader)
        writer.write(b"HTTP")

    server = await play(script)
    await client.fetch(server.origin, b"GET", b"/")
    with pytest.raises(UpstreamBroken) as caught:
        await client.fetch(server.origin, b"GET", b"/")
    assert vars(caught.value)["began"] is True
    assert server.connections == 1


async def test_a_connection_that_the_server_closed_is_not_used(client: Client, play: Play) -> None:
    server = await play(replies(OK, then="close"))
    for _ in range(3):
        await client.fetch(server.origin, b"GET", b"/")
        await asyncio.sleep(0.01)
    assert server.connections == 3
    assert len(server.requests) == 3


async def test_reply_before_the_request_was_read(client: Client, play: Play) -> None:
    async def script(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(0.05)

    server = await play(script)
    for _ in range(2):
        answer = await client.fetch(server.origin, b"POST", b"/", b"", b"x" * 20_000_000)
        assert (answer.status, answer.body) == (413, b"no")
        assert client.open_connections == 0  # half a request is still in it
    assert server.connections == 2


@pytest.mark.parametrize(
    ("parts", "timeouts", "word"),
    [
        ([], Timeouts(first_byte=0.1), "first_byte"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"], Timeouts(first_byte=0.1), "first_byte"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"], Timeouts(idle=0.1), "idle"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", *[b"x"] * 50], Timeouts(idle=0.3, total=0.4), "total"),
    ],
)
async def test_timeouts(client: Client, play: Play, parts: list[bytes], timeouts: Timeouts, word: str) -> None:
    server = await play(replies(*parts, then="hang", pause=0.02))
    began = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamTimeout, match=word) as caught:
        await client.fetch(server.origin, b"GET", b"/", timeouts=timeouts)
    assert asyncio.get_running_loop().time() - began < 0.8
    assert vars(caught.value)["began"] is bool(parts)
    assert was_sent(caught.value)
    assert client.open_connections == 0


async def test_slow_drip_within_the_limits_is_fine(client: Client, play: Play) -> None:
    parts = [b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n", *[b"x"] * 20]
    server = await play(replies(*parts, pause=0.02))
    answer = await client.fetch(server.origin, b"GET", b"/", timeouts=Timeouts(first_byte=0.3, idle=0.25))
    assert answer.body == b"x" * 20


async def test_connect_failures(client: Client, tmp_path: Path) -> None:
    for origin in (
        Origin("http", "127.0.0.1", 1),
        Origin("http", "engine", 80, unix=str(tmp_path / "none")),
    ):
        with pytest.raises((ConnectFailed, UpstreamTimeout)) as caught:
            await client.fetch(origin, b"GET", b"/")
        assert not was_sent(caught.value)
    for bad in (Origin("http", "a b", 80), Origin("http", "h", 80, proxy="socks5://x:1")):
        with pytest.raises(ConfigError):
            await client.fetch(bad, b"GET", b"/")


async def test_cancelling_closes_the_connection_at_once(client: Client, play: Play) -> None:
    server = await play(replies(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", then="hang"))
    task = asyncio.create_task(client.fetch(server.origin, b"GET", b"/"))
    await asyncio.sleep(0.03)
    assert client.open_connections == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert was_sent(caught.value)
    await asyncio.wait_for(server.gone.wait(), 0.2)
    assert client.open_connections == 0


@pytest.mark.parametrize("where", ["head", "data"])
async def test_a_failing_sink_ends_the_request(client: Client, play: Play, where: str) -> None:
    class Fails(Keep):
        def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
            if where == "head":
                raise LookupError(where)

        def data(self, data: bytes) -> None:
            raise LookupError(where)

    server = await play(replies(OK))
    with pytest.raises(LookupError, match=where):
        await client.send(server.origin, b"GET", b"/", b"", b"", Fails())
    assert client.open_connections == 0


async def test_a_longer_reply_than_wanted_is_refused(client: Client, play: Play) -> None:
    server = await play(replies(OK))
    with pytest.raises(UpstreamBroken):
        await client.fetch(server.origin, b"GET", b"/", cap=1)


async def test_a_late_pause_does_not_reach_the_next_reply(client: Client, play: Play) -> None:
    server = await play(replies(OK))
    sink = Keep()
    await client.send(server.origin, b"GET", b"/", b"", b"", sink)
    assert sink.source is not None
    sink.source.pause()
    assert (await client.fetch(server.origin, b"GET", b"/")).body == b"ok"
    assert server.connections == 1


async def test_pausing_holds_the_server_back_and_does_not_count_as_idle(client: Client, play: Play) -> None:
    size = 30_000_000
    sent: list[str] = []

    async def script(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        await writer.drain()
        sent.append("all")
        await reader.read()

    class Slow(Keep):
        def data(self, data: bytes) -> None:
            if not self.pieces:
                assert self.source is not None
                self.source.pause()
                asyncio.get_running_loop().call_later(0.4, resume)
            super().data(data)

    sink = Slow()

    def resume() -> None:
        assert not sent
        assert sink.source is not None
        sink.source.resume()

    server = await play(script)
    await client.send(server.origin, b"GET", b"/", b"", b"", sink, Timeouts(idle=0.15))
    assert sum(map(len, sink.pieces)) == size


async def test_idle_connections_are_dropped_after_a_while(play: Play) -> None:
    client = Client(keep_seconds=0.03)
    server = await play(replies(OK))
    for _ in range(2):
        await client.fetch(server.origin, b"GET", b"/")
        await asyncio.sleep(0.05)
    assert server.connections == 2
    await client.close()
    assert client.open_connections == 0


async def test_connections_are_limited_and_waiting_has_an_end(play: Play) -> None:
    client = Client(max_connections=2)
    server = await play(replies(OK, pause=0.02))
    answers = await asyncio.gather(*[client.fetch(server.origin, b"GET", b"/") for _ in range(7)])
    assert [answer.body for answer in answers] == [b"ok"] * 7
    assert server.connections == 2
    silent = await play(replies(then="hang"))
    tasks = [asyncio.create_task(client.fetch(silent.origin, b"GET", b"/")) for _ in range(2)]
    await asyncio.sleep(0.02)
    with pytest.raises(UpstreamTimeout):
        await client.fetch(silent.origin, b"GET", b"/", timeouts=Timeouts(connect=0.05))
    waiting = asyncio.create_task(client.fetch(silent.origin, b"GET", b"/", timeouts=Timeouts(connect=0.5)))
    await asyncio.sleep(0)
    tasks.pop().cancel()
    await asyncio.sleep(0.03)
    assert silent.connections == 3  # the place that came free was taken
    for task in (*tasks, waiting):
        task.cancel()
    await asyncio.gather(*tasks, waiting, return_exceptions=True)
    await client.close()


async def test_closing_fails_what_is_under_way(play: Play) -> None:
    client = Client()
    server = await play(replies(then="hang"))
    task = asyncio.create_task(client.fetch(server.origin, b"GET", b"/"))
    await asyncio.sleep(0.02)
    await client.close()
    with pytest.raises(UpstreamBroken):
        await task


async def test_unix_socket(client: Client, serve: Serve, tmp_path: Path) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, [], exchange.headers[b"host"])

    path = str(tmp_path / "s")
    await serve(handle, path=path)
    answer = await client.fetch(Origin("http", "engine", 80, unix=path), b"GET", b"/")
    assert answer.body == b"engine"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return paths of a certificate for `localhost`, which signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes a certificate with the openssl command, which is not installed here")
    at = tmp_path_factory.mktemp("tls")
    crt, key = str(at / "crt"), str(at / "key")
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([openssl, *new, "-keyout", key, "-out", crt, *name], check=True, capture_output=True)
    return crt, key


def server_tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def hello(exchange: Exchange) -> None:
    exchange.reply(200, [], b"%b %b" % (exchange.path.encode(), exchange.headers[b"host"]))


async def test_tls(client: Client, serve: Serve, certificate: tuple[str, str]) -> None:
    server = await serve(hello, ssl=server_tls(certificate))
    good: dict[str, Any] = {"scheme": "https", "host": "localhost", "port": server.port}
    for origin in (Origin(**good, ca=certificate[0]), Origin(**good, verify=False)):
        for _ in range(2):
            assert (await client.fetch(origin, b"GET", b"/")).body == b"/ localhost:%d" % server.port
    assert server.open_connections == 2
    wrong_name = Origin("https", "127.0.0.1", server.port, ca=certificate[0])
    for untrusted in (Origin(**good), wrong_name):
        with pytest.raises(ConnectFailed, match="certificate"):
            await client.fetch(untrusted, b"GET", b"/")
    with pytest.raises(ConfigError):
        await client.fetch(Origin(**good, ca="/none.pem"), b"GET", b"/")


def proxy_script(allow: bool, target: int) -> Script:
    """A forward proxy's CONNECT: joins the client to `target` when it has the right to."""

    async def script(server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        if not allow:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            return
        there, back = await asyncio.open_connection("127.0.0.1", target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    return script


async def test_proxies(client: Client, serve: Serve, play: Play, certificate: tuple[str, str]) -> None:
    server = await serve(hello, ssl=server_tls(certificate))
    tunnel = await play(proxy_script(True, server.port))
    via = f"http://us%65r:p@127.0.0.1:{tunnel.origin.port}"
    origin = Origin("https", "localhost", server.port, ca=certificate[0], proxy=via)
    for _ in range(2):
        assert (await client.fetch(origin, b"GET", b"/x")).body == b"/x localhost:%d" % server.port
    assert len(tunnel.requests) == 1
    assert tunnel.requests[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)
    assert b"proxy-authorization: Basic dXNlcjpw\r\n" in tunnel.requests[0]

    closed = await play(proxy_script(False, 0))
    refused = Origin("https", "localhost", server.port, proxy=f"http://127.0.0.1:{closed.origin.port}")
    with pytest.raises(ConnectFailed, match="407"):
        await client.fetch(refused, b"GET", b"/x")

    plain = await play(replies(OK))
    origin = Origin("http", "vendor.example", 80, proxy=f"http://a:b@127.0.0.1:{plain.origin.port}")
    await client.fetch(origin, b"GET", b"/x?y")
    assert plain.requests[0].startswith(b"GET http://vendor.example:80/x?y HTTP/1.1\r\nhost: vendor.example\r\n")
    assert b"proxy-authorization: Basic YTpi\r\n" in plain.requests[0]
    await client.close()
