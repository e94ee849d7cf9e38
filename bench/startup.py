"""What starting costs: the command line, the door's import, the first answer, an idle worker.

`python bench/startup.py` prints a table; the least of several runs counts.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import pss, tree
from peers import PYTHON, ROOT, Peer, freehold, mock

RUNS = 7


def environment() -> dict[str, str]:
    path = os.pathsep.join(p for p in (str(ROOT / "src"), os.environ.get("PYTHONPATH", "")) if p)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": "/nonexistent"}


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(words: Sequence[str]) -> float:
    """Least CPU seconds of a command, warm bytecode."""
    best = 1e9
    for _ in range(RUNS):
        before = children_cpu()
        subprocess.run([PYTHON, *words], env=environment(), check=True, capture_output=True, cwd="/")
        best = min(best, children_cpu() - before)
    return best


def main() -> None:
    bare = cpu_of(["-c", "pass"])
    rows = [
        ("python alone, CPU ms", bare * 1000, None),
        ("freehold --version, CPU ms", cpu_of(["-m", "freehold", "--version"]) * 1000, 100.0),
        ("import freehold.gateway, CPU ms", cpu_of(["-c", "import freehold.gateway"]) * 1000, 300.0),
    ]
    upstream, port = mock()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            colds, cpus, peer = [], [], None
            for run in range(3):
                if peer is not None:
                    peer.end()
                peer = Peer("freehold", Path(folder) / str(run), port)
                freehold("strict")(peer)
                colds.append(peer.cold)
                cpus.append(peer.cold_cpu)
            assert peer is not None
            time.sleep(2)
            rows.append(("first answer without a model, s", min(colds), 1.0))
            rows.append(("CPU until then, s", min(cpus), None))
            weights = [(pid, _own(pid)) for pid in tree(peer.pid)]
            rows.append(("whole tree when idle (PSS), MB", pss(peer.pid), None))
            rows.append(("an idle worker (PSS), MB", max(weight for _, weight in weights[1:]), 60.0))
            peer.end()
    finally:
        upstream.terminate()
        upstream.wait(10)
    print("| what | measured | goal |\n|---|--:|--:|")
    for title, value, goal in rows:
        print(f"| {title} | {value:.2f} | {'' if goal is None else f'{goal:g}'} |")


def _own(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    return 0.0


if __name__ == "__main__":
    main()
