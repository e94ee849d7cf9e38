"""What one hop through `freehold.wire` costs beside nginx: CPU microseconds a request and a paced event.

Starts a mock server, nginx as plain reverse proxy and a hop of HttpServer + EventTap + Client, each its own process
on 127.0.0.1, drives both with `wrk` (requests) and a loader of its own (streams), and reads user + system time from
/proc. Loopback TCP is in the figures of both; compare the ratio, not the microseconds, on a machine that is not quiet.

    python bench/wire_hop.py [--seconds 3] [--runs 3] [--streams 64]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from freehold.wire.client import Client, Origin, Source
from freehold.wire.server import Exchange, listen
from freehold.wire.sse import EventTap

EVENTS, PACE = 100, 0.02
ANSWER = json.dumps({"id": "x", "model": "m", "choices": [{"message": {"content": "word " * 80}}]}).encode()
PROMPT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "tell me " * 18}]}).encode()
EVENT = json.dumps({"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": "word %d"}}]})


class Mock(asyncio.Protocol):
    """Answers each POST; a path ending in /stream by paced events."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.buffer = body[length:]
        path = head.split(b" ", 2)[1]
        if path == b"/stream":
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            self.event(0)
        else:
            answer = body[:length] if path == b"/echo" else ANSWER
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )

    def event(self, number: int) -> None:
        if self.transport.is_closing():
            return
        if number == EVENTS:
            self.transport.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            return
        data = b"data: %b\n\n" % (EVENT % number).encode()
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        asyncio.get_running_loop().call_later(PACE, self.event, number + 1)


class Pass:
    """A sink that hands a reply on: whole ones at the end, events as they come."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.pieces: list[bytes] = []
        self.tap: EventTap | None = None

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None:
        self.status = status
        self.kind = headers.get(b"content-type", b"")
        if self.kind.startswith(b"text/event-stream"):
            self.tap = EventTap()
            self.exchange.on_pressure(source.pause, source.resume)
            self.exchange.start(status, [(b"content-type", self.kind)])

    def data(self, data: bytes) -> None:
        if self.tap is None:
            self.pieces.append(data)
        else:
            self.exchange.write(self.tap.feed(data))


async def hop(port: int, upstream: int) -> None:
    client = Client()
    origin = Origin("http", "127.0.0.1", upstream)

    async def handle(exchange: Exchange) -> None:
        sink = Pass(exchange)
        headers = b"content-type: application/json\r\n"
        await client.send(origin, b"POST", exchange.path.encode(), headers, exchange.body, sink)
        if sink.tap is not None:
            exchange.end(sink.tap.finish())
        else:
            exchange.reply(sink.status, [(b"content-type", sink.kind)], b"".join(sink.pieces))

    await listen(handle, sock=bound(port))
    await asyncio.Event().wait()


async def mock(port: int) -> None:
    await asyncio.get_running_loop().create_server(Mock, sock=bound(port), backlog=1024)
    await asyncio.Event().wait()


def bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


NGINX = """
daemon off; worker_processes 1; pid %(at)s/pid; error_log %(at)s/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; client_max_body_size 32m; client_body_buffer_size 1m;
  client_body_temp_path %(at)s/body; proxy_temp_path %(at)s/proxy; fastcgi_temp_path %(at)s/f;
  uwsgi_temp_path %(at)s/u; scgi_temp_path %(at)s/s;
  upstream mock { server 127.0.0.1:%(upstream)d; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:%(port)d;
    location / {
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; tcp_nodelay on;
      proxy_buffer_size 16k; proxy_buffers 32 16k;
    }
    location /stream {
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }
  }
}
"""


def cpu(pid: int) -> float:
    """Seconds of user and system time of `pid` and its children that live."""
    total = 0.0
    pending = [pid]
    while pending:
        one = pending.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        pending += [int(p) for p in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    return total


def requests(port: int, pid: int, at: str, connections: int, seconds: int, path: str, body: bytes) -> float:
    """Return CPU microseconds a request, by wrk."""
    script = Path(at, "post.lua")
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
        f'local f = io.open("{at}/request-body", "rb")\nwrk.body = f:read("*a")\nf:close()\n'
        "done = function(s, l, r) print(string.format('COUNT %d %d', s.requests, s.errors.status + s.errors.read + "
        "s.errors.write + s.errors.timeout + s.errors.connect)) end\n"
    )
    Path(at, "request-body").write_bytes(body)
    before = cpu(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script), f"http://127.0.0.1:{port}{path}"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    spent = cpu(pid) - before
    count, errors = next(line for line in out.splitlines() if line.startswith("COUNT")).split()[1:]
    if int(errors):
        raise SystemExit(f"wrk saw {errors} errors:\n{out}")
    return spent / int(count) * 1e6


async def stream(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /stream HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n%b" % (len(PROMPT), PROMPT))
    got = b""
    while not got.endswith(b"0\r\n\r\n"):
        piece = await reader.read(65536)
        if not piece:
            raise SystemExit("a stream broke off")
        got += piece
    words = [f"word {n}".encode() in got for n in range(EVENTS)]
    if not all(words) or b"[DONE]" not in got:
        raise SystemExit("a stream is not intact")
    writer.close()


def streams(port: int, pid: int, count: int) -> float:
    """Return CPU microseconds a paced event."""

    async def run() -> None:
        await asyncio.gather(*(stream(port) for _ in range(count)))

    before = cpu(pid)
    uvloop.run(run())
    return (cpu(pid) - before) / (count * EVENTS) * 1e6


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def compare(args: argparse.Namespace, at: str, ports: dict[str, int], pids: dict[str, int]) -> None:
    cases: dict[str, Any] = {
        "request, c=16": lambda p, i: requests(p, i, at, 16, args.seconds, "/", PROMPT),
        "request, c=64": lambda p, i: requests(p, i, at, 64, args.seconds, "/", PROMPT),
        "100 KB both ways, c=16": lambda p, i: requests(p, i, at, 16, args.seconds, "/echo", b"x" * 100_000),
        f"paced event, c={args.streams}": lambda p, i: streams(p, i, args.streams),
    }
    print(f"{'CPU us, least of ' + str(args.runs):28} {'nginx':>8} {'wire':>8} {'ratio':>7}")
    for name, case in cases.items():
        least: dict[str, float] = {}
        for _ in range(args.runs):
            for peer in ports:
                figure = case(ports[peer], pids[peer])
                least[peer] = min(figure, least.get(peer, figure))
        ratio = least["wire"] / least["nginx"]
        print(f"{name:28} {least['nginx']:8.1f} {least['wire']:8.1f} {ratio:7.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--role", choices=["mock", "hop"], help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=int, nargs=2, default=(0, 0), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role == "mock":
        uvloop.run(mock(args.ports[0]))
    elif args.role == "hop":
        uvloop.run(hop(*args.ports))
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed; this benchmark compares with nginx and is driven by wrk")
    upstream, wire, nginx = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as at:
        Path(at, "nginx.conf").write_text(NGINX % {"at": at, "upstream": upstream, "port": nginx})
        me = [sys.executable, __file__]
        children = [
            subprocess.Popen([*me, "--role", "mock", "--ports", str(upstream), "0"]),
            subprocess.Popen([*me, "--role", "hop", "--ports", str(wire), str(upstream)]),
            subprocess.Popen(["nginx", "-c", f"{at}/nginx.conf", "-p", at], stderr=subprocess.DEVNULL),
        ]
        try:
            for port in (upstream, wire, nginx):
                wait_for(port)
            compare(args, at, {"nginx": nginx, "wire": wire}, {"nginx": children[2].pid, "wire": children[1].pid})
        finally:
            for child in children:
                child.send_signal(signal.SIGTERM)
            for child in children:
                child.wait(10)


if __name__ == "__main__":
    main()
