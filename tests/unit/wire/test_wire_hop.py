"""Server, tap and client together, as a gateway uses them: nothing is lost, mixed up or left behind. On both loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from wire_kit import bound

from freehold.core.errors import UpstreamBroken
from freehold.wire import sse
from freehold.wire.client import Client, Origin, Source
from freehold.wire.server import Exchange, HttpServer, listen


class Pass:
    """Hands a reply on as it comes."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.tap = sse.EventTap()

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.exchange.on_pressure(source.pause, source.resume)
        self.exchange.start(status, [(b"content-type", headers.get(b"content-type", b"text/plain"))])

    def data(self, data: bytes) -> None:
        self.exchange.write(self.tap.feed(data))


class House:
    """A vendor that answers with events naming the caller, and a hop in front of it."""

    def __init__(self) -> None:
        self.client = Client()
        self.left = 0
        self.outcomes: list[str] = []

    async def open(self) -> None:
        self.vendor = await listen(self.answer, sock=bound())
        self.hop = await listen(self.pass_on, sock=bound())
        self.origin = Origin("http", "127.0.0.1", self.hop.port)

    async def answer(self, exchange: Exchange) -> None:
        exchange.on_gone(self.note)
        exchange.start(200, [(b"content-type", b"text/event-stream")])
        name = exchange.body
        for number in range(20):
            exchange.write(sse.encode(b'{"n":"%b-%d"}' % (name, number)))
            if number % 5 == 0:
                await asyncio.sleep(0.002)
            if name == b"dies" and number == 10:
                exchange.abort()
                return
            if name == b"waits" and number == 10:
                await asyncio.sleep(30)
            if name == b"big":
                exchange.write(sse.encode(b"x" * 1_000_000))
        exchange.end(sse.encode(b"[DONE]"))

    def note(self) -> None:
        self.left += 1

    async def pass_on(self, exchange: Exchange) -> None:
        sink = Pass(exchange)
        origin = Origin("http", "127.0.0.1", self.vendor.port)
        try:
            await self.client.send(origin, b"POST", b"/", b"", exchange.body, sink)
        except UpstreamBroken:
            self.outcomes.append("broken")
            exchange.abort()
        except asyncio.CancelledError:
            self.outcomes.append("cancelled")
            raise
        else:
            exchange.end(sink.tap.finish())
            assert sink.tap.done

    async def close(self) -> None:
        await self.hop.close_gracefully(1)
        await self.client.close()
        await self.vendor.close_gracefully(1)


def on(loop: str, work: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        house = House()
        await house.open()
        try:
            await work(house)
        finally:
            await house.close()
        for server in (house.vendor, house.hop):
            check_nothing_is_left(server)
        assert house.client.open_connections == 0

    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def check_nothing_is_left(server: HttpServer) -> None:
    assert len(server.tasks) == 0
    assert server.open_connections == 0


loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@loops
def test_many_streams_at_once_are_each_intact(loop: str) -> None:
    async def work(house: House) -> None:
        caller = Client()

        async def one(name: bytes) -> None:
            answer = await caller.fetch(house.origin, b"POST", b"/", b"", name)
            found = [event.data for event in sse.events(answer.body)]
            assert found == [b'{"n":"%b-%d"}' % (name, number) for number in range(20)] + [b"[DONE]"]

        for _ in range(3):
            await asyncio.gather(*[one(b"caller%d" % number) for number in range(20)])
        assert house.vendor.open_connections == house.hop.open_connections == 20
        await caller.close()

    on(loop, work)


@loops
def test_a_vendor_that_dies_leaves_a_broken_stream(loop: str) -> None:
    async def work(house: House) -> None:
        caller = Client()
        with pytest.raises(UpstreamBroken) as caught:
            await caller.fetch(house.origin, b"POST", b"/", b"", b"dies")
        assert vars(caught.value)["began"]
        assert house.outcomes == ["broken"]
        await caller.close()

    on(loop, work)


@loops
def test_a_caller_that_leaves_stops_the_vendor_within_100_ms(loop: str) -> None:
    async def work(house: House) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.hop.port)
        writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nwaits")
        await reader.readuntil(b"waits-10")
        writer.close()
        await asyncio.sleep(0.1)
        assert house.outcomes == ["cancelled"]
        assert house.left == 1

    on(loop, work)


@loops
def test_a_caller_that_reads_slowly_holds_the_vendor_back(loop: str) -> None:
    async def work(house: House) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.hop.port, limit=4096)
        writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nbig")
        async with asyncio.timeout(5):
            while not any(protocol.choked for protocol in house.hop.connections):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        (protocol,) = house.hop.connections
        assert protocol.choked
        assert protocol.transport.get_write_buffer_size() < 2_000_000  # of 20
        size = 0
        while not (piece := await reader.read(1_000_000)).endswith(b"0\r\n\r\n"):
            assert piece
            size += len(piece)
        assert size + len(piece) > 20_000_000
        writer.close()

    on(loop, work)


@loops
def test_nagle_is_off_on_both_sides(loop: str) -> None:
    async def work(house: House) -> None:
        caller = Client()
        await caller.fetch(house.origin, b"POST", b"/", b"", b"x")
        (accepted,) = house.hop.connections
        ((made,),) = [pool.links for pool in house.client._pools.values()]
        for transport in (accepted.transport, made.transport):
            assert transport.get_extra_info("socket").getsockopt(6, 1)  # IPPROTO_TCP, TCP_NODELAY
        await caller.close()

    on(loop, work)
