"""`python -m tests.vendor [--port N] [--record]`: the vendor as a process; prints its address, ends on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal

import uvloop

from tests.vendor.server import Vendor


async def run(port: int, record: bool) -> None:
    vendor = Vendor(record=record, port=port)
    await vendor.listen()
    print(vendor.url, flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    gc.freeze()
    await ended.wait()
    await vendor.unlisten()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    chosen = parser.parse_args()
    uvloop.run(run(chosen.port, chosen.record))
