"""How long "what rests on whom" takes over a long ledger: `python bench/dependency.py [--entries N] [--keep DIR]`.

It makes a SQLite ledger of that many entries in a fresh folder, sealed as in service, over `--days` days, of `--keys`
keys, eight deployments and eight functions, with failures, tests, and older entries. Then it asks for what the
page shows as the server would: the answer is made, encoded and thrown away. "cold" is the first answer of a process,
"warm" the least of the next five. CPU is of all threads of this process. The machine's file cache is as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from freehold import store as stores
from freehold.app import wiring
from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.console.dependency_shapes import shown
from freehold.core.clock import now_ns
from freehold.exits.dependency import Asked, Ground, look
from freehold.ledger import Entry, reliance
from freehold.ledger.entry import pack
from freehold.ledger.seal import seal
from freehold.ledger.traffic import DAY
from freehold.store import Store

AT_ONCE = 20_000
SEEN = {"gpt-azure": ("microsoft", "oracle"), "grok": ("microsoft",), "gpt": ("openai",), "claude": ("anthropic",)}
HOUSES = (
    # deployment, maker, seller, host, compute, chips, region, contract, weight at the begin and the end, retention
    ("gpt-azure", "openai", "microsoft", "microsoft", "microsoft", "nvidia", "swedencentral", "azure-2026", 60, 35, 30),
    ("gpt", "openai", "openai", "openai", "oracle", "nvidia", "us", "openai-2026", 20, 20, 30),
    ("grok", "xai", "microsoft", "microsoft", "", "nvidia", "westeurope", "azure-2026", 5, 15, 30),
    ("claude", "anthropic", "amazon", "amazon", "amazon", "trainium", "eu-central-1", "bedrock-2026", 8, 15, 0),
    ("mistral", "mistral", "mistral", "mistral", "mistral", "nvidia", "fr", "", 5, 5, -1),
    ("own-large", "alibaba", "own", "own", "own", "nvidia", "home", "", 2, 10, 0),
)
FUNCTIONS = ("support", "coding", "claims", "legal", "search", "hr", "")
CONTRACT = """schema = "freehold.contract/1"
id = "{id}"
kind = "hosted-model"
party = {{ supplier = "{supplier}" }}
term = {{ start = 2026-01-01, end = 2027-{month:02}-28, renewal.auto = true, notice_days.customer = 60 }}
data = {{ retention_days = {days}, classes_allowed = ["public", "internal", "confidential"] }}
"""
HOUSE = """[server]
listen = "127.0.0.1:8099"
[store]
url = "sqlite:///bench.db"
[contracts]
include = ["contracts/*.toml"]
[parties]
microsoft = { name = "Microsoft", group = "microsoft" }
github = { name = "GitHub", group = "microsoft" }
openai = { name = "OpenAI", equity = ["microsoft"] }
amazon = { name = "Amazon Web Services" }
[functions]
support = { title = "Customer support", criticality = "critical", rto = "1h", owner = "Head of Service" }
claims = { title = "Claims handling", criticality = "critical", rto = "4h" }
coding = { title = "Software development", criticality = "important", rto = "1d" }
legal = { title = "Contract review", criticality = "important" }
search = { title = "Search in documents" }
hr = { title = "Job adverts" }
[routes.assistant]
deployments = [{ name = "gpt-azure", weight = 3 }, { name = "grok", weight = 1 }]
fallback = ["claude"]
[routes.fast]
deployments = ["gpt-azure"]
fallback = ["gpt"]
[routes.code]
deployments = ["claude", "own-large"]
"""
DEPLOYMENT = """[deployments.{name}]
kind = "openai"
endpoint = "http://127.0.0.1:1/v1"
model = "{name}"
key = {{ env = "VENDOR_KEY" }}
maker = "{maker}"
seller = "{seller}"
host = "{host}"
region = "{region}"
chips = "{chips}"
contract = "{contract}"
"""


def furnish(folder: Path) -> None:
    """Write the configuration and the contracts."""
    (folder / "contracts").mkdir(exist_ok=True)
    text = HOUSE
    for name, maker, seller, host, _, chips, region, contract, _, _, days in HOUSES:
        about = {"name": name, "maker": maker, "seller": seller, "host": host, "region": region, "chips": chips}
        text += DEPLOYMENT.format(**about, contract=contract)
        if contract:
            said = CONTRACT.format(id=contract, supplier=seller, month=1 + len(contract) % 6, days=max(days, 0))
            (folder / "contracts" / f"{contract}.toml").write_text(said, "utf-8")
    (folder / "freehold.toml").write_text(text, "utf-8")


def made(i: int, entries: int, days: int, keys: int, now: int, chance: random.Random) -> Entry:
    """Return the entry number `i`; intents and outcomes take turns, traffic moves from one seller to others."""
    done = i / entries
    weights = [first + (last - first) * done for *_, first, last, _ in HOUSES]
    name, maker, seller, host, compute, chips, region, contract, _, _, kept = chance.choices(HOUSES, weights)[0]
    key = min(int(chance.expovariate(4) * keys), keys - 1)
    outcome, told = i % 2 == 1, done > 0.1  # the first tenth is of a release that knew less
    failed = outcome and chance.random() < 0.01
    entry = Entry(
        "outcome" if outcome else "intent", f"call_{i // 2:032x}", 0, "serve" if chance.random() < 0.97 else "shadow",
        now - int((1 - done) * days * DAY), key=f"key_{key:020d}", team=f"team_{key % 8}", dialect="openai",
        endpoint="chat", asked=("assistant", "fast", "code")[key % 3], sent=name, answered=name, deployment=name,
        maker=maker, seller=seller, host=host, region=region, contract=contract, snapshot="0123456789abcdef",
        status=0 if not outcome else 500 if failed else 200, error="upstream_fault" if failed else "",
        input=chance.randrange(6000) if outcome else 0, output=chance.randrange(900) if outcome and not failed else 0,
        cost=chance.randrange(10**8) if outcome and host != "own" else 0,
        currency="USD" if outcome and host not in ("own", "mistral") else "", first_ms=212.123, total_ms=2131.21,
        limits=("key:1", "team:2"), session=f"sess_{key}",
    )  # fmt: skip
    if not told:
        return entry
    return msgspec.structs.replace(
        entry, data_class="internal", terms="0123456789ab" if contract else "", compute=compute, chips=chips,
        recipients=() if host == "own" else SEEN.get(name, (host,)), retention=kept, trains="no", review="no",
        function=FUNCTIONS[key % len(FUNCTIONS)], features=("tools",) if key % 4 else (),
    )  # fmt: skip


async def fill(url: str, entries: int, days: int, keys: int) -> None:
    """Write the ledger."""
    opened, chance, now = await stores.open(url, durable=False), random.Random(1), now_ns()
    for start in range(0, entries, AT_ONCE):
        some = range(start, min(start + AT_ONCE, entries))
        rows = [pack(made(i, entries, days, keys, now, chance)) for i in some]
        await opened.append("entry", seal(rows))
    await opened.close()


async def timed(what: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    found = await work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<34} {wall * 1000:8.0f} ms wall {cpu * 1000:8.0f} ms CPU")
    return found


async def ask(folder: Path, days: int) -> None:
    """Measure in this process."""
    config = load(str(folder / "freehold.toml"), Environment({"VENDOR_KEY": "sk-x"}), folder)
    table, _, _ = wiring.tables(config)
    ground = Ground(table, wiring.bonds(config, table), config.register, config.organisation)
    opened: Store = await stores.open(config.store_url, durable=False)
    now = now_ns()
    until = now // DAY * DAY + DAY

    async def answer(since: int, **more: Any) -> int:
        asked = Asked(since=since, until=until, **more)
        return len(msgspec.json.encode(shown(await look(opened, ground, asked, now))))

    done = await timed("roll what is new", lambda: reliance.roll(opened, 600))
    print(f"{'':<34} {done[1]:8} entries")
    month, whole = until - 30 * DAY, until - days * DAY
    size = await timed("30 days, cold", lambda: answer(month))
    for _ in range(5):
        await timed("30 days, warm", lambda: answer(month))
    await timed(f"{days} days, first", lambda: answer(whole))
    for _ in range(5):
        await timed(f"{days} days, warm", lambda: answer(whole))
    await timed(f"{days} days by chips, requests", lambda: answer(whole, by="chips", measure="requests"))
    await timed(f"{days} days of one function", lambda: answer(whole, function="support"))
    rows = await opened.fetch("SELECT (SELECT COUNT(*) FROM reliance), (SELECT COUNT(*) FROM reliance_way)")
    print(f"{rows[0][0]} sums, {rows[0][1]} ways; the answer has {size} bytes")
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="a folder to make it in, or to ask again what is there")
    parser.add_argument("--ask", action="store_true", help="ask alone, in a process that has just begun")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="fh-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    if args.ask:
        asyncio.run(ask(folder, args.days))
        return
    if not (folder / "bench.db").exists():
        furnish(folder)
        asyncio.run(timed("made", lambda: fill(f"sqlite:///{folder}/bench.db", args.entries, args.days, args.keys)))
    again = (sys.executable, __file__, "--ask", "--keep", str(folder), "--days", str(args.days))
    for _ in range(2):
        subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
