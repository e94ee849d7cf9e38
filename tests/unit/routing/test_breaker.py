"""The circuit breaker as a state machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freehold.routing import Breaker, BreakerSettings

SETTINGS = BreakerSettings(failures=3, cooldown=10.0, longest=40.0)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        breaker.failed(breaker.began(at), at)
    return breaker


def test_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(5):
        breaker.failed(breaker.began(0.0), 0.0)
        breaker.failed(breaker.began(0.0), 0.0)
        breaker.succeeded(breaker.began(0.0))
    assert breaker.allows(0.0)
    for _ in range(3):
        breaker.failed(breaker.began(1.0), 1.0)
    assert not breaker.allows(1.0)
    assert breaker.state(1.0) == "open"


def test_lets_one_trial_pass_and_doubles_the_pause() -> None:
    breaker = opened()
    assert not breaker.allows(9.9)
    assert breaker.allows(10.0)
    trial = breaker.began(10.0)
    assert not breaker.allows(10.0), "a second call waits for the trial"
    breaker.failed(trial, 10.0)
    assert not breaker.allows(29.9)
    assert breaker.allows(30.0)
    breaker.succeeded(breaker.began(30.0))
    assert breaker.state(30.0) == "closed"


def test_many_calls_that_fail_together_open_it_once() -> None:
    breaker = Breaker(SETTINGS)
    attempts = [breaker.began(0.0) for _ in range(40)]
    for attempt in attempts:
        breaker.failed(attempt, 1.0)
    assert breaker.until == 11.0


def test_calls_from_before_neither_end_a_trial_nor_close_the_circuit() -> None:
    breaker = Breaker(SETTINGS)
    old = [breaker.began(0.0) for _ in range(6)]
    for attempt in old[:3]:
        breaker.failed(attempt, 0.0)
    breaker.succeeded(old[3])
    assert breaker.state(1.0) == "open"
    breaker.began(10.0)
    breaker.abandoned(old[4])
    breaker.failed(old[5], 10.0)
    assert not breaker.allows(10.0), "the trial is still under way"


def test_an_abandoned_trial_can_be_made_anew() -> None:
    breaker = opened()
    breaker.abandoned(breaker.began(10.0))
    assert breaker.allows(10.0)


def test_retry_after_opens_at_once_for_no_longer_than_allowed_and_is_never_shortened() -> None:
    breaker = Breaker(SETTINGS)
    breaker.failed(breaker.began(0.0), 0.0, retry_after=30.0)
    breaker.failed(breaker.began(0.0), 0.1, retry_after=1.0)
    assert not breaker.allows(29.9)
    assert breaker.allows(30.0)
    breaker = Breaker(SETTINGS)
    breaker.failed(breaker.began(0.0), 0.0, retry_after=3600.0)
    assert breaker.allows(40.0)


@given(st.lists(st.sampled_from(["fail", "succeed", "abandon"]), max_size=60), st.integers(1, 5))
def test_it_never_stays_open_for_longer_than_the_longest_pause(events: list[str], together: int) -> None:
    breaker, now, under_way = Breaker(SETTINGS), 0.0, list[int]()
    for event in events:
        now += 1.0
        if breaker.allows(now):
            under_way.append(breaker.began(now))
        if len(under_way) < together:
            continue
        attempt = under_way.pop(0)
        match event:
            case "fail":
                breaker.failed(attempt, now)
            case "succeed":
                breaker.succeeded(attempt)
            case "abandon":
                breaker.abandoned(attempt)
        assert breaker.until <= now + SETTINGS.longest


def test_an_open_circuit_refuses_but_a_vendors_patience_does_not() -> None:
    breaker = opened()
    assert breaker.wait(4.0) == 6.0
    assert breaker.wait(10.0) == 0.0
    breaker.began(10.0)
    assert breaker.wait(10.0) > 0, "the trial is under way"
    patient = Breaker(SETTINGS)
    patient.failed(0, 0.0, retry_after=30.0)
    assert not patient.allows(1.0) and patient.wait(1.0) == 0.0
