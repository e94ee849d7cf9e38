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
            metrics.served(
                "chat", Deployment("gpt", "openai", "m"), "assistant", "", 0.05, Usage(10, 7), 0.03, 0.0002, 9, "USD"
            )
        metrics.count("freehold_calls_total", (("status", "200"), ("error", "")), times)
    # Samples cross a process boundary on their way.
    text = render([pickle.loads(pickle.dumps(m.sample())) for m in (one, two)]).decode()
    assert 'freehold_calls_total{status="200",error=""} 5\n' in text
    tokens = [line for line in text.splitlines() if line.startswith("gen_ai_client_token_usage")]
    assert [t.rpartition("{")[0] for t in tokens if t.endswith(" 50")] == ["gen_ai_client_token_usage_sum"]
    assert sum('gen_ai_token_type="input",le="4.0"} 0' in t for t in tokens) == 1
    assert sum('gen_ai_token_type="input",le="16.0"} 5' in t for t in tokens) == 1
    assert sum('gen_ai_token_type="output"} 35' in t for t in tokens) == 1
    assert "# TYPE gen_ai_client_token_usage histogram\n" in text
    assert 'freehold_overhead_seconds_bucket{le="0.0001"} 0\nfreehold_overhead_seconds_bucket{le="0.00025"} 5\n' in text
    assert "gen_ai_server_time_to_first_token_seconds_count{" in text
    assert 'freehold_cost_nano_total{deployment="gpt",currency="USD"} 45\n' in text
    buckets = [line for line in text.splitlines() if "duration_seconds_bucket" in line]
    assert buckets[2].endswith('le="0.04"} 0') and buckets[3].endswith('le="0.08"} 5') and buckets[-1].endswith(" 5")
    assert 'freehold_deployment="gpt"} 5\n' in text


def test_errors_have_series_of_their_own_and_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.served("chat", Deployment('a"b\\c', "openai", "m"), "m", "upstream_timeout", 1.0, Usage(), 0.0, -1.0, 0, "")
    text = render([metrics.sample()]).decode()
    assert 'error_type="upstream_timeout"' in text
    assert 'freehold_deployment="a\\"b\\\\c"' in text
    for nothing in ("token", "overhead", "cost"):  # not sent, nothing used, no price: nothing that was observed
        assert nothing not in text


def test_large_counts_keep_every_digit() -> None:
    metrics = Metrics()
    deployment = Deployment("d", "openai", "m")
    for cost in (12_345_678_901_233, 1):
        metrics.served("chat", deployment, "m", "", 1.0, Usage(1, 1), 0.0, 0.0, cost, "EUR")
    assert (
        'freehold_cost_nano_total{deployment="d",currency="EUR"} 12345678901234\n'
        in render([metrics.sample()]).decode()
    )
