"""Counts, and their sum over workers in Prometheus' text form."""

from __future__ import annotations

import pickle

from freehold.core.call import Usage
from freehold.pipeline.metrics import Metrics, render
from freehold.routing import Deployment


def test_the_sum_of_two_workers() -> None:
    one, two = Metrics(), Metrics()
    for metrics, times in ((one, 2), (two, 3)):
        for _ in range(times):
            metrics.served("chat", Deployment("gpt", "openai", "m"), "assistant", "", 0.05, Usage(10, 7))
        metrics.count("freehold_calls_total", (("status", "200"), ("error", "")), times)
    # Samples cross a process boundary on their way.
    text = render([pickle.loads(pickle.dumps(m.sample())) for m in (one, two)]).decode()
    assert 'freehold_calls_total{status="200",error=""} 5\n' in text
    assert 'gen_ai_token_type="input"} 50\n' in text
    assert 'gen_ai_token_type="output"} 35\n' in text
    buckets = [line for line in text.splitlines() if "duration_seconds_bucket" in line]
    assert buckets[2].endswith('le="0.04"} 0') and buckets[3].endswith('le="0.08"} 5') and buckets[-1].endswith(" 5")
    assert 'freehold_deployment="gpt"} 5\n' in text


def test_errors_have_series_of_their_own_and_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.served("chat", Deployment('a"b\\c', "openai", "m"), "m", "upstream_timeout", 1.0, Usage())
    text = render([metrics.sample()]).decode()
    assert 'error_type="upstream_timeout"' in text
    assert 'freehold_deployment="a\\"b\\\\c"' in text


def test_large_counts_keep_every_digit() -> None:
    metrics = Metrics()
    metrics.count("freehold_cost_nano_total", (), 12_345_678_901_234)
    assert "freehold_cost_nano_total 12345678901234\n" in render([metrics.sample()]).decode()
