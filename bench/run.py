"""Measures nginx, LiteLLM's proxy and Freehold over one mock upstream in one run: CPU, latency, memory, integrity.

`python bench/run.py [--peers nginx,freehold-batched,freehold-strict,litellm] [--quick] [--docs]` prints a table and
writes bench/out/<time>.json; --docs also lays the table into docs/explain/speed.md.
CPU is user + system time of the peer's whole process tree, divided by the requests or chunks; every request that was
begun is finished and counted. All peers are up at the same time and take turns within a round: noise meets them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import report
from measure import busy, cpu, pss
from peers import PEERS, ROOT, Peer, mock

STANDARD = ("direct", "nginx", "freehold-batched", "freehold-strict", "litellm")
CASES: dict[str, dict[str, Any]] = {
    "request c=16": {"model": "bench-500", "connections": 16},
    "request c=64": {"model": "bench-500", "connections": 64},
    "100 KB request c=16": {"model": "bench-500", "connections": 16, "extra": 100_000},
    "100 KB reply c=16": {"model": "bench-100000", "connections": 16},
    "paced chunk c=64": {"model": "bench-sse-100-20", "connections": 64, "chunks": 100},
    "one at a time": {"model": "bench-500", "connections": 1},
    "first token": {"model": "bench-sse-3-20", "connections": 1, "chunks": 3},
}
"""Name -> the plan for bench/load.py, without the number of requests."""


def load(peer: Peer, plan: dict[str, Any], requests: int) -> dict[str, Any]:
    """Run the load generator once."""
    words = json.dumps({**plan, "port": peer.port, "key": peer.key, "requests": requests})
    command = [sys.executable, str(ROOT / "bench" / "load.py"), words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise SystemExit(f"the load generator failed on {peer.name}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def settle(pid: int) -> None:
    """Wait until the tree is at rest, so that one load's leftovers are not charged to the next (10 s at most)."""
    before = cpu(pid)
    for _ in range(20):
        time.sleep(0.25)
        now = cpu(pid)
        if now - before <= 0.01:
            return
        before = now


def count_for(peer: Peer, case: str, plan: dict[str, Any], seconds: float) -> int:
    """How many requests fill about `seconds`."""
    if case == "paced chunk c=64":
        return 64 * max(1, round(seconds / 2))
    if case == "first token":
        return max(10, round(seconds / 0.07))
    trial = max(plan["connections"] * 2, 40)
    rate = trial / load(peer, plan, trial)["seconds"]
    if rate > 50:  # the first trial was warm-up for the quick ones
        rate = 600 / load(peer, plan, 600)["seconds"]
    return max(trial, round(rate * seconds))


def measure(peer: Peer, case: str, seconds: float) -> dict[str, Any]:
    """One cell of the table, once."""
    plan = CASES[case]
    requests = count_for(peer, case, plan, seconds)
    own = peer.process is not None
    if own:
        settle(peer.pid)
    machine, before = busy(), cpu(peer.pid) if own else 0.0
    result = load(peer, plan, requests)
    after = cpu(peer.pid) if own else 0.0
    units = requests * plan.get("chunks", 1) if case.startswith("paced") else requests
    return {
        **result,
        "peer": peer.name,
        "case": case,
        "requests": requests,
        "cpu_us": (after - before) / units * 1e6 if own else None,
        "machine_busy": (busy() - machine) / result["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(STANDARD), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--cases", default=",".join(CASES), help="which cells")
    parser.add_argument("--rounds", type=int, default=3, help="times that each cell is measured; the least counts")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/explain/speed.md")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 1, 1.0
    names = list(dict.fromkeys(["direct", *chosen.peers.split(",")]))
    cases = [case for case in chosen.cases.split(",") if case in CASES]
    upstream, port = mock()
    peers: list[Peer] = []
    cells: list[dict[str, Any]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for name in names:
                peer = Peer(name, Path(folder) / name, port)
                peers.append(peer)
                PEERS[name](peer)
                say(f"{name}: first answer after {peer.cold:.2f} s ({peer.cold_cpu:.2f} s CPU)")
            facts = {p.name: {"cold_s": p.cold, "cold_cpu_s": p.cold_cpu} for p in peers if p.process}
            for peer in peers:
                if peer.process:
                    facts[peer.name]["pss_ready_mb"] = pss(peer.pid)
            for turn in range(chosen.rounds):
                for case in cases:
                    for peer in peers:
                        cell = {**measure(peer, case, chosen.seconds), "round": turn}
                        cells.append(cell)
                        say(report.line(cell))
            for peer in peers:
                if peer.process:
                    facts[peer.name]["pss_end_mb"] = pss(peer.pid)
            finish(cells, facts, chosen.docs)
    finally:
        for peer in peers:
            peer.end()
        upstream.terminate()
        upstream.wait(10)


def finish(cells: list[dict[str, Any]], facts: dict[str, Any], docs: bool) -> None:
    """Write what was measured, print the table, say which goals hold."""
    moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    machine = {
        "when": moment,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    out = ROOT / "bench" / "out"
    out.mkdir(exist_ok=True)
    file = out / (time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + ".json")
    file.write_text(json.dumps({"machine": machine, "facts": facts, "cells": cells}, indent=1))
    table = report.tables(cells, facts, machine)
    print("\n" + table)
    print(f"\nwritten: {file.relative_to(ROOT)}")
    if docs:
        report.lay(ROOT / "docs" / "explain" / "speed.md", table)
    if any(cell["bad"] or cell["failed"] for cell in cells):
        raise SystemExit("not every reply was intact")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
