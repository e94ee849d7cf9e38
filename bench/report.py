"""Makes tables of what was measured, and says which goals hold. Pure; knows no processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Cells = list[dict[str, Any]]
MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")
GOALS = (
    # of, against, case, most times
    ("freehold-batched", "nginx", "request c=16", 3.0),
    ("freehold-batched", "nginx", "request c=64", 3.0),
    ("freehold-strict", "nginx", "request c=16", 6.0),
    ("freehold-strict", "nginx", "request c=64", 6.0),
    ("freehold-batched", "nginx", "100 KB request c=16", 3.0),
    ("freehold-batched", "nginx", "100 KB reply c=16", 3.0),
    ("freehold-batched", "nginx", "paced chunk c=64", 1.7),
    ("freehold-strict", "nginx", "paced chunk c=64", 1.7),
    ("freehold-batched", "litellm", "request c=16", 1 / 100),
    ("freehold-batched", "litellm", "paced chunk c=64", 1 / 20),
)


def line(cell: dict[str, Any]) -> str:
    """One measurement for the eye."""
    cost = f"{cell['cpu_us']:9.1f} us" if cell["cpu_us"] is not None else " " * 12
    odd = f"  BAD {cell['bad']} FAILED {cell['failed']} {cell['why']}" if cell["bad"] or cell["failed"] else ""
    rate = cell["requests"] / cell["seconds"]
    return (
        f"{cell['case']:>20} {cell['peer']:<18}{cost}  p50 {cell['p50']:8.2f} p99 {cell['p99']:8.2f} ms  "
        f"{rate:8.0f}/s  {cell['ok']} ok  busy {cell['machine_busy']:.2f}{odd}"
    )


def least(cells: Cells, peer: str, case: str, field: str) -> float | None:
    """The least value of all rounds."""
    values = [c[field] for c in cells if c["peer"] == peer and c["case"] == case and c[field] is not None]
    return min(values) if values else None


def _order(cells: Cells, field: str) -> list[str]:
    return list(dict.fromkeys(cell[field] for cell in cells))


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|---|{'--:|' * (len(head) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _show(value: float | None, form: str = "{:.1f}") -> str:
    return "" if value is None else form.format(value)


def _costs(cells: Cells, peers: list[str]) -> str:
    rows = []
    for case in _order(cells, "case"):
        if case in ("one at a time", "first token"):
            continue
        rows.append([case, *(_show(least(cells, peer, case, "cpu_us")) for peer in peers)])
    return _table(["CPU microseconds per", *peers], rows)


def _latency(cells: Cells, peers: list[str]) -> str:
    everyone = ["direct", *peers]
    rows = []
    for case, field, title in (
        ("one at a time", "p50", "one at a time, p50"),
        ("one at a time", "p99", "one at a time, p99"),
        ("request c=64", "p50", "64 at once, p50"),
        ("request c=64", "p99", "64 at once, p99"),
        ("first token", "first_p50", "first token, p50"),
        ("paced chunk c=64", "p50", "stream of 100 chunks, 64 at once, p50"),
    ):
        values = [least(cells, peer, case, field) for peer in everyone]
        if any(value is not None for value in values):
            rows.append([title, *(_show(value, "{:.2f}") for value in values)])
    return _table(["milliseconds", *everyone], rows)


def _weights(facts: dict[str, Any], peers: list[str]) -> str:
    names = {"cold_s": "first answer, s", "cold_cpu_s": "its CPU, s"}
    names |= {"pss_ready_mb": "memory when ready (PSS), MB", "pss_end_mb": "memory at the end (PSS), MB"}
    rows = [[title, *(_show(facts[p].get(name), "{:.2f}") for p in peers)] for name, title in names.items()]
    return _table(["", *peers], rows)


def _intact(cells: Cells, peers: list[str]) -> str:
    rows = []
    for title, field in (("intact", "ok"), ("not its own, cut or refused", "bad"), ("broken", "failed")):
        rows.append([title, *(str(sum(c[field] for c in cells if c["peer"] == p)) for p in peers)])
    return _table(["replies", *peers], rows)


def goals(cells: Cells) -> list[str]:
    """A line for each goal that could be looked at."""
    lines = []
    for of, against, case, most in GOALS:
        one, other = least(cells, of, case, "cpu_us"), least(cells, against, case, "cpu_us")
        if not one or not other:
            continue
        held = "holds" if one <= other * most else "MISSED"
        if most < 1:
            lines.append(
                f"- {held}: {case}: {against} takes {other / one:.0f}x the CPU of {of} (goal: {1 / most:.0f}x)"
            )
        else:
            lines.append(f"- {held}: {case}: {of} takes {one / other:.2f}x the CPU of {against} (goal: {most:.1f}x)")
    bare = least(cells, "direct", "first token", "first_p50")
    for of in ("freehold-batched", "freehold-strict"):
        first = least(cells, of, "first token", "first_p50")
        if first is not None and bare is not None:
            held = "holds" if first - bare <= 2.0 else "MISSED"
            lines.append(f"- {held}: {of}: first token {first - bare:.2f} ms after direct (goal: 2 ms)")
    return lines


def tables(cells: Cells, facts: dict[str, Any], machine: dict[str, Any]) -> str:
    """Everything as Markdown."""
    peers = [peer for peer in _order(cells, "peer") if peer != "direct"]
    noise = sorted(cell["machine_busy"] for cell in cells if cell["peer"] == "direct")
    about = (
        f"Measured {machine['when']} UTC on {machine['cores']} cores, Python {machine['python']}, kernel "
        f"{machine['kernel']}; least of {max(c['round'] for c in cells) + 1} rounds. Load generator and upstream alone "
        f"kept {noise[0]:.1f}-{noise[-1]:.1f} cores busy."
    )
    parts = [about, _costs(cells, peers), _latency(cells, peers), _weights(facts, peers), _intact(cells, peers)]
    return "\n\n".join([*parts, "\n".join(goals(cells))])


PAGE = f"""# Speed
What a call costs on its way through the door, beside a plain reverse proxy and beside LiteLLM's proxy.

Every figure is of one run of `make bench` over one upstream, which answers from precomputed bytes. CPU is user and
system time of the whole process tree, divided by the requests that were finished; it moves less than latency on a
machine that does other things too. Ratios to nginx in the same run are what is worth comparing. nginx knows no keys,
limits, prices or records; Freehold runs with a key that has three limits, with prices, metrics and the ledger. LiteLLM
runs as its production guide says, without a database. Each reply is checked: it must carry the token of its request.
`python bench/engine.py` compares one's own model through the door with the bare engine, `python bench/startup.py`
measures starting.

{MARKS[0]}
{MARKS[1]}
"""


def lay(page: Path, table: str) -> None:
    """Put the tables between the marks of a page, which is made when it is not there."""
    page.parent.mkdir(parents=True, exist_ok=True)
    text = page.read_text() if page.exists() else PAGE
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    page.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}")
