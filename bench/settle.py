"""How long settling a quarter takes on a long ledger: `python bench/settle.py [--entries N] [--days D] [--keep DIR]`.

It makes the SQLite ledger of bench/dependency.py, with contracts that use every rule: commitments since the first day,
a share of revenue with tiers and a cap that goes back to it, another on the list value of use, credits for uptime. Then
it settles the quarter with the most entries, and makes the other files, as the command line would. "cold" is the first
in a process, "warm" the least of the next three. CPU is of all threads of this process. Summing new entries is told
apart: the server does it as they come.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from dependency import fill, furnish, timed

from freehold import store as stores
from freehold.app import wiring
from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.contracts import shipped
from freehold.core.clock import now_ns
from freehold.exits import dora, focus
from freehold.exits.chargeback import chargeback
from freehold.exits.periods import ONE_DAY, Period, cycle
from freehold.exits.revenue import read
from freehold.exits.settlement import Books, settle
from freehold.exits.sheets import comma_separated
from freehold.exits.statement_paper import paper
from freehold.exits.stretches import day_of
from freehold.ledger import reliance, traffic
from freehold.store import Store

CONTRACT = """schema = "freehold.contract/1"
id = "{id}"
kind = "hosted-model"
party = {{ supplier = "{supplier}" }}
term = {{ start = {start} }}
sla = {{ uptime = "99.9", credits = [{{ below = "99.9", pct = "10" }}] }}
[[commitment]]
id = "spend"
type = "spend"
amount = "1000000"
start = {start}
end = {end}
[[revenue_share]]
id = "resale"
payer = "customer"
basis = "net_revenue"
pct = "20"
tiers = [{{ over = "1000000", pct = "15" }}]
cap_total = "10000000"
scope = {{ products = ["*"], served_by = ["g*"] }}
[[revenue_share]]
id = "rebate"
payer = "supplier"
basis = "list_value"
pct = "2"
"""
PRODUCTS = ("support", "coding", "claims", "assistant", "fast")


def agree(folder: Path, days: int, today: date) -> None:
    """Write contracts that hold since the first day of the ledger."""
    start = today - timedelta(days=days)
    for path in (folder / "contracts").iterdir():
        supplier = next(line.split('"')[1] for line in path.read_text("utf-8").splitlines() if "supplier" in line)
        path.write_text(CONTRACT.format(id=path.stem, supplier=supplier, start=start, end=today + timedelta(days=30)))


def earned(days: int, today: date) -> str:
    """A row of revenue for each product and day."""
    first = today - timedelta(days=days)
    rows = [f"{first + timedelta(days=n)},{name},USD,12000,10000" for n in range(days) for name in PRODUCTS]
    return "period,product,currency,gross,net\n" + "\n".join(rows)


async def ask(folder: Path, days: int) -> None:
    """Measure in this process."""
    config = load(str(folder / "freehold.toml"), Environment({"VENDOR_KEY": "sk-x"}), folder)
    table, _, own = wiring.tables(config)
    bonds = wiring.bonds(config, table)
    deployments = {name: it.contract for name, it in config.deployments.items() if it.contract}
    today = day_of(now_ns())
    opened: Store = await stores.open(config.store_url, durable=False)
    books = Books(register=config.register, book=shipped(), deployments=deployments,
                  earned=read(earned(days, today), "revenue"))  # fmt: skip
    done = await timed("sum what is new", lambda: reliance.roll(opened, 3600))
    await timed("sum what is new, by error", lambda: traffic.roll(opened, 3600))
    quarter = cycle(today, "quarter")
    before = cycle(quarter.first - ONE_DAY, "quarter")
    ledger = Period(today - timedelta(days=days), today)
    asked = max((quarter, before), key=lambda it: both.days if (both := it.common(ledger)) else 0)
    ground = focus.Ground(books=books, table=table, bonds=bonds, own=own, organisation=config.organisation)
    other = dora.Ground(register=config.register, organisation=config.organisation, table=table, bonds=bonds)
    print(f"{'':<34} {done[1]:8} entries, {asked}")

    async def focused() -> int:
        rows = (await focus.focus(opened, ground, asked, today)).rows
        return len(comma_separated(tuple(focus.TYPES), rows))

    work: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "settle": lambda: settle(opened, books, asked, today),
        "chargeback by team": lambda: chargeback(opened, books, asked, today, "team", shortfalls=True),
        "FOCUS, CSV": focused,
        "DORA": lambda: dora.fill(opened, other, today),
    }
    for name, make in work.items():
        found = await timed(f"{name}, cold", make)
        for _ in range(3):
            await timed(f"{name}, warm", make)
        if name == "settle":
            whole = found
    size = len(paper(whole))
    rows = await opened.fetch("SELECT (SELECT COUNT(*) FROM reliance), (SELECT COUNT(*) FROM reliance_way)")
    lines = sum(len(it.lines) for it in whole.statements)
    print(f"{rows[0][0]} sums, {rows[0][1]} ways; {lines} lines, a PDF of {size} bytes")
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
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
        agree(folder, args.days, day_of(now_ns()))
        asyncio.run(timed("made", lambda: fill(f"sqlite:///{folder}/bench.db", args.entries, args.days, args.keys)))
    again = (sys.executable, __file__, "--ask", "--keep", str(folder), "--days", str(args.days))
    for _ in range(2):
        subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
