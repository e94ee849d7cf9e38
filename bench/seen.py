"""How long "who saw what" takes over a long ledger: `python bench/seen.py [--entries N] [--keep DIR]`.

The ledger is the one of bench/dependency.py, with users, classes of data and regions that vendors name. Then it asks
what the console asks: of a key, which is in the sums; of a user, which is in none, so that all entries are read; what
left the EU; what must be erased. The first of three answers and the least of them; CPU is of all threads.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import dependency
import msgspec

from freehold import store as stores
from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.core.clock import now_ns
from freehold.exits.seen import Ground, find
from freehold.exits.seen_held import outstanding
from freehold.exits.seen_left import left
from freehold.exits.seen_person import report
from freehold.ledger import Entry, sight

USERS, CLASSES = 20_000, ("internal", "internal", "confidential", "personal")
_plain = dependency.made


def made(*given: Any) -> Entry:
    """Return an entry as bench/dependency.py makes it, that says more of the words."""
    entry, chance = _plain(*given), given[-1]
    assert isinstance(chance, random.Random)
    return msgspec.structs.replace(
        entry,
        user=f"customer-{chance.randrange(USERS)}",
        data_class=chance.choice(CLASSES) if entry.data_class else "",
        echoed=(entry.region if chance.random() < 0.95 else "us") if entry.kind == "outcome" else "",
        redactions=(("EMAIL", chance.randrange(1, 4)),) if chance.random() < 0.2 else (),
    )


async def timed(what: str, work: Callable[[], Awaitable[Any]]) -> None:
    walls, cpus = [], []
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        await work()
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    print(f"{what:<28} {walls[0]:7.0f} ms, least {min(walls):6.0f} ms, {min(cpus):6.0f} ms CPU")


async def ask(folder: Path) -> None:
    config = load(str(folder / "freehold.toml"), Environment({"VENDOR_KEY": "sk-x"}), folder)
    ground, opened = Ground(config.register, config.organisation), await stores.open(config.store_url, durable=False)
    began = time.perf_counter()
    done, _ = await sight.roll(opened, 3600)
    print(f"{'summing what is new':<28} {(time.perf_counter() - began) * 1000:7.0f} ms; {done} entries")
    key = await find(opened, keys=[f"key_{3:020d}"])
    user = await find(opened, users=["customer-77"])
    await timed("a person by key", lambda: report(opened, ground, key, now_ns()))
    await timed("a person by user", lambda: report(opened, ground, user, now_ns()))
    await timed("what left the EU", lambda: left(opened, ground, "eu"))
    await timed("what must be erased", lambda: outstanding(opened, ground, now_ns()))
    rows = await opened.fetch("SELECT (SELECT COUNT(*) FROM sight), (SELECT COUNT(*) FROM sight_way)")
    print(f"{rows[0][0]} sums, {rows[0][1]} ways")
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder to make it in, or to ask again what is there")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="fh-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    dependency.made = made
    if not (folder / "bench.db").exists():
        dependency.furnish(folder)
        asyncio.run(dependency.fill(f"sqlite:///{folder}/bench.db", args.entries, 90, 60))
    asyncio.run(ask(folder))


if __name__ == "__main__":
    main()
