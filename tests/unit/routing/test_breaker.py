"""The circuit breaker as a state machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freehold.routing import Breaker, BreakerSettings

SETTINGS = BreakerSettings(failures=3, cooldown=10.0, longest=40.0)


def test_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(5):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.allows(0.0)
    for _ in range(3):
        breaker.failed(1.0)
    assert not breaker.allows(1.0)
    assert breaker.state(1.0) == "open"


def test_lets_one_trial_pass_and_doubles_the_pause() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        breaker.failed(0.0)
    assert not breaker.allows(9.9)
    assert breaker.allows(10.0)
    breaker.began(10.0)
    assert not breaker.allows(10.0), "a second call waits for the trial"
    breaker.failed(10.0)
    assert not breaker.allows(29.9)
    assert breaker.allows(30.0)
    breaker.began(30.0)
    breaker.succeeded()
    assert breaker.state(30.0) == "closed"


def test_an_abandoned_trial_can_be_made_anew() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        breaker.failed(0.0)
    breaker.began(10.0)
    breaker.abandoned()
    assert breaker.allows(10.0)


def test_retry_after_opens_at_once_but_not_for_longer_than_allowed() -> None:
    breaker = Breaker(SETTINGS)
    breaker.failed(0.0, retry_after=5.0)
    assert not breaker.allows(4.9)
    assert breaker.allows(5.0)
    breaker.succeeded()
    breaker.failed(0.0, retry_after=3600.0)
    assert breaker.allows(40.0)


@given(st.lists(st.sampled_from(["fail", "succeed", "abandon"]), max_size=60))
def test_it_never_stays_open_for_longer_than_the_longest_pause(events: list[str]) -> None:
    breaker, now = Breaker(SETTINGS), 0.0
    for event in events:
        now += 1.0
        if breaker.allows(now):
            breaker.began(now)
        match event:
            case "fail":
                breaker.failed(now)
            case "succeed":
                breaker.succeeded()
            case "abandon":
                breaker.abandoned()
    assert breaker.until <= now + SETTINGS.longest
