"""Forks writers that are there to be killed (see test_kill.py). Imports once, so that a round costs a fork.

Reads lines `PATH DURABILITY ROUND` from stdin and answers each with the pid of a child that appends calls to the ledger
at PATH as fast as it can. After each `conclude` the child writes the call's id to PATH.acked: what it acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from freehold import store as stores
from freehold.ledger import Body, Entry, Ledger


async def load(path: str, durability: str, tag: str) -> None:
    store = await stores.open(f"sqlite:///{path}", durable=durability == "strict")
    ledger = Ledger(store, durability=durability, flush_ms=2)  # type: ignore[arg-type]
    acked = os.open(f"{path}.acked", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def caller(who: int) -> None:
        for i in range(1_000_000):
            call = f"call_{tag}_{who}_{i}"
            intent = Entry("intent", call, 0, "serve", i + 1, key="key_a", reserved=100)
            await ledger.intend(intent)
            outcome = msgspec.structs.replace(intent, kind="outcome", status=200, input=1, output=2, cost=3)
            await ledger.conclude(outcome, [Body("reply", "text/plain", b"x" * (i % 5000))])
            if durability == "strict":
                os.write(acked, f"{call}\n".encode())
            else:
                await ledger.flush()
                os.write(acked, f"{call}\n".encode())

    await asyncio.gather(*(caller(who) for who in range(8)))


def main() -> None:
    for line in sys.stdin:
        path, durability, tag = line.split()
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            try:
                asyncio.run(load(path, durability, tag))
            finally:
                os._exit(3)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
