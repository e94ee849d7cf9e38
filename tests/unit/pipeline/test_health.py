"""Bulkheads and circuits of one worker."""

from __future__ import annotations

import pytest

from freehold.core.clock import tick
from freehold.core.errors import Unroutable
from freehold.pipeline.health import Health
from freehold.routing import BreakerSettings, Deployment


def deployment(name: str, seller: str, most: int = 0) -> Deployment:
    return Deployment(name=name, kind="openai", model="m", seller=seller, max_inflight=most)


def test_a_full_deployment_refuses_and_takes_again() -> None:
    health = Health(BreakerSettings(), vendor_inflight=100)
    one = deployment("one", "acme", most=2)
    health.enter(one)
    health.enter(one)
    with pytest.raises(Unroutable) as e:
        health.enter(one)
    assert e.value.code == "bulkhead_full" and e.value.retryable and e.value.retry_after
    health.leave(one)
    health.enter(one)


def test_one_vendor_cannot_take_another_ones_places() -> None:
    health = Health(BreakerSettings(), vendor_inflight=1)
    health.enter(deployment("a", "acme"))
    with pytest.raises(Unroutable):
        health.enter(deployment("b", "acme"))
    health.enter(deployment("c", "zeta"))


def test_deployments_without_a_seller_share_nothing() -> None:
    health = Health(BreakerSettings(), vendor_inflight=1)
    one = deployment("a", "")
    health.enter(one)
    health.enter(deployment("b", ""))
    with pytest.raises(Unroutable):
        health.enter(one)
    health.leave(one)
    health.enter(one)


def test_circuits_survive_a_reload_unless_the_deployment_is_gone() -> None:
    health = Health(BreakerSettings(failures=1, cooldown=60), vendor_inflight=9)
    for name in ("kept", "gone"):
        breaker, number = health.enter(deployment(name, "acme"))
        breaker.failed(number, 0.0)
        breaker.until = float("inf")
    health.keep(["kept"])
    assert not health.allows("kept")
    assert health.allows("gone")
    assert [row[:2] for row in health.report()] == [("kept", "open")]


def test_an_open_circuit_turns_calls_away_at_once() -> None:
    health = Health(BreakerSettings(failures=1, cooldown=60), vendor_inflight=9)
    one = deployment("one", "acme")
    breaker, number = health.enter(one)
    breaker.failed(number, tick())
    health.leave(one)
    with pytest.raises(Unroutable) as e:
        health.enter(one)
    assert e.value.code == "circuit_open" and 50 < (e.value.retry_after or 0) <= 60
