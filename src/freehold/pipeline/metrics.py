"""Counts of this worker in Prometheus terms; OpenTelemetry's GenAI names where they exist.

Source of the names: OpenTelemetry semantic conventions for generative AI client metrics, 1.3x (development status).
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from freehold.core.call import Usage
from freehold.routing import Deployment

DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds in seconds: those that the convention advises."""
TOKENS = tuple(float(4**n) for n in range(14))
"""Upper bounds in tokens: those that the convention advises."""
OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
NAMES = {
    "gen_ai_client_operation_duration_seconds": "Time from a call's arrival to the end of an attempt of it.",
    "gen_ai_server_time_to_first_token_seconds": "Time from the attempt's sending to the first token of a stream.",
    "gen_ai_client_token_usage": "Tokens of an attempt, as the vendor states them, or by estimate.",
    "freehold_overhead_seconds": "The house's own time before an attempt is sent.",
    "freehold_calls_total": "Calls that ended, by status and error code; 499 where the client left.",
    "freehold_attempts_total": "Attempts that ended, by deployment and error code.",
    "freehold_cost_nano_total": "Cost of attempts, in nano-units of the currency.",
    "freehold_inflight": "Calls under way.",
    "freehold_connections": "Open client connections.",
    "freehold_breaker_open": "1 while a deployment's circuit is open.",
    "freehold_ledger_ok": "1 while the ledger takes entries.",
}

Labels = tuple[tuple[str, str], ...]


class Histogram(msgspec.Struct):
    """Counts per bucket (the last one is +Inf) and the sum of what was observed."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Cell(msgspec.Struct):
    """One counter."""

    value: float = 0


_Series = tuple[Histogram, Histogram, Histogram, Histogram, Cell, Cell]
"""Of one kind of attempt: duration, first token, tokens in and out, attempts, cost."""


class Sample(msgspec.Struct):
    """All of one worker's counts, as they are handed to the worker that is being scraped."""

    counters: list[tuple[str, Labels, float]]
    histograms: list[tuple[str, Labels, Histogram]]


class Metrics:
    """Counters and histograms, keyed by name and labels."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], Cell] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._served: dict[tuple[str, ...], _Series] = {}
        self.inflight = 0
        self._overheads = self.histogram("freehold_overhead_seconds", (), OVERHEAD)
        self.good = self.cell("freehold_calls_total", (("status", "200"), ("error", "")))

    def cell(self, name: str, labels: Labels) -> Cell:
        """Return the counter of that name and labels, for whoever adds to it often."""
        key = (name, labels)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Cell()
        return found

    def count(self, name: str, labels: Labels, by: float = 1) -> None:
        self.cell(name, labels).value += by

    def histogram(self, name: str, labels: Labels, bounds: tuple[float, ...]) -> Histogram:
        key = (name, labels)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = Histogram(bounds, [0] * (len(bounds) + 1))
        return found

    def served(
        self,
        kind: str,
        deployment: Deployment,
        asked: str,
        error: str,
        seconds: float,
        usage: Usage,
        first: float,
        overhead: float,
        cost: int,
        currency: str,
    ) -> None:
        """An attempt ended: one look-up, then plain additions (this is the hot path). `first` (seconds) is 0 for what
        was no stream, `overhead` below 0 for what was not sent, `currency` empty for what has no price."""
        key = (kind, deployment.name, asked, error, currency)
        found = self._served.get(key)
        if found is None:
            found = self._served[key] = self._series(kind, deployment, asked, error, currency)
        durations, firsts, read, written, attempts, spent = found
        durations.counts[bisect_left(DURATION, seconds)] += 1
        durations.total += seconds
        tokens = usage.input
        if tokens:
            read.counts[bisect_left(TOKENS, tokens)] += 1
            read.total += tokens
        tokens = usage.output
        if tokens:
            written.counts[bisect_left(TOKENS, tokens)] += 1
            written.total += tokens
        attempts.value += 1
        spent.value += cost
        if first:
            firsts.observe(first)
        if overhead >= 0:
            overheads = self._overheads
            overheads.counts[bisect_left(OVERHEAD, overhead)] += 1
            overheads.total += overhead

    def _series(self, kind: str, deployment: Deployment, asked: str, error: str, currency: str) -> _Series:
        base: Labels = (
            ("gen_ai_operation_name", kind),
            ("gen_ai_provider_name", deployment.seller),
            ("gen_ai_request_model", asked),
            ("freehold_deployment", deployment.name),
        )
        timed = (*base, ("error_type", error)) if error else base
        spent: Labels = (("deployment", deployment.name), ("currency", currency))
        return (
            self.histogram("gen_ai_client_operation_duration_seconds", timed, DURATION),
            self.histogram("gen_ai_server_time_to_first_token_seconds", base, FIRST),
            self.histogram("gen_ai_client_token_usage", (*base, ("gen_ai_token_type", "input")), TOKENS),
            self.histogram("gen_ai_client_token_usage", (*base, ("gen_ai_token_type", "output")), TOKENS),
            self.cell("freehold_attempts_total", (("deployment", deployment.name), ("error", error))),
            self.cell("freehold_cost_nano_total", spent) if currency else Cell(),
        )

    def sample(self) -> Sample:
        return Sample(
            [(n, labels, c.value) for (n, labels), c in self._counters.items()],
            [(n, labels, h) for (n, labels), h in self._histograms.items() if any(h.counts)],
        )


def render(samples: list[Sample]) -> bytes:
    """Return the Prometheus text exposition (format 0.0.4) of the sum of several workers' samples."""
    total = Metrics()
    for sample in samples:
        for name, labels, value in sample.counters:
            total.count(name, tuple(map(tuple, labels)), value)  # type: ignore[arg-type]
        for name, labels, part in sample.histograms:
            mine = total.histogram(name, tuple(map(tuple, labels)), tuple(part.bounds))  # type: ignore[arg-type]
            mine.counts = [a + b for a, b in zip(mine.counts, part.counts, strict=True)]
            mine.total += part.total
    lines: list[str] = []
    whole = total.sample()
    for name, text in NAMES.items():
        counters = [(labels, v) for n, labels, v in whole.counters if n == name]
        histograms = [(labels, h) for n, labels, h in whole.histograms if n == name]
        if not counters and not histograms:
            continue
        kind = "histogram" if histograms else "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in counters]
        for labels, h in histograms:
            lines += _buckets(name, labels, h)
    return ("\n".join(lines) + "\n").encode()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _buckets(name: str, labels: Labels, h: Histogram) -> list[str]:
    lines, running = [], 0
    for bound, count in zip((*map(repr, h.bounds), "+Inf"), h.counts, strict=True):
        running += count
        lines.append(f"{name}_bucket{_labels((*labels, ('le', bound)))} {running}")
    return [*lines, f"{name}_sum{_labels(labels)} {_number(h.total)}", f"{name}_count{_labels(labels)} {running}"]


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = (f'{k}="{v.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"' for k, v in labels)
    return "{" + ",".join(escaped).replace("\n", "\\n") + "}"
