from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from freehold.access import LimitsMemory, SharedMeter, bound, opened, parse, parse_all
from freehold.access.estimate import input_bound, output_bound
from freehold.access.limits import closes, make
from freehold.contracts import Price
from freehold.core.call import Call
from freehold.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "measure", "window", "amount"),
    [
        ("requests=60/minute", "requests", "minute", 60),
        (" tokens = 100k / min ", "tokens", "minute", 100_000),
        ("tokens=1.5M/day", "tokens", "day", 1_500_000),
        ("tokens=100_000/d", "tokens", "day", 100_000),
        ("budget=5.00 USD/day", "money", "day", 5_000_000_000),
        ("budget=0.000000001/total", "money", "total", 1),
        ("budget=1,000 usd/month", "money", "month", 10**12),
    ],
)
def test_written_forms(text: str, measure: str, window: str, amount: int) -> None:
    limit = parse(text, "key:k")
    assert (limit.measure, limit.window, limit.amount) == (measure, window, amount)
    assert parse(limit.describe(), "key:k") == limit


@pytest.mark.parametrize(
    "text",
    [
        "", "requests", "requests=60", "requests=/minute", "requests=-1/minute", "requests=1.5/minute",
        "requests=60/hour", "calls per minute=6/minute", "tokens=9q/minute", "budget=5 EUR/day",
        "budget=0.0000000001/day", "budget=99999999999999/day", "tokens=١/day",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ConfigError) as e:
        parse(text, "key:k")
    assert e.value.hint


def test_two_of_one_kind_are_refused() -> None:
    with pytest.raises(ConfigError):
        parse_all(["tokens=1/day", "tokens=2/day"], "key:k")


@given(
    st.sampled_from(["requests", "tokens", "money"]),
    st.sampled_from(["minute", "day", "month", "total"]),
    st.integers(0, 10**18),
)
def test_describe_is_read_back(measure: str, window: str, amount: int) -> None:
    limit = make("key:k", measure, window, amount)  # type: ignore[arg-type]
    assert parse(limit.describe(), "key:k") == limit


@given(st.integers(0, 4 * 10**18), st.sampled_from(["day", "month"]))
def test_windows_meet_without_a_gap(at: int, window: str) -> None:
    begun, ends = opened(window, at), closes(window, at)  # type: ignore[arg-type]
    assert begun is not None and begun <= at < ends
    assert opened(window, ends) == ends  # type: ignore[arg-type]
    assert opened(window, ends - 1) == begun  # type: ignore[arg-type]


def test_a_full_memory_says_so() -> None:
    memory = LimitsMemory(2)
    meter = SharedMeter(memory)
    for n in range(2):
        meter.usage(make(f"key:{n}", "requests", "day", 1))
    with pytest.raises(ConfigError, match="no room"):
        meter.usage(make("key:2", "requests", "day", 1))
    meter.usage(make("key:1", "requests", "day", 1))


def test_meters_are_made_for_what_they_do() -> None:
    with pytest.raises(ConfigError):
        SharedMeter(LimitsMemory(2, 2), 0)
    with pytest.raises(ConfigError):
        SharedMeter(LimitsMemory(2, 2), 2, "x")


def call(size: int, **given: object) -> Call:
    fields = {name: Raw(value) for name, value in given.pop("fields", {}).items()}  # type: ignore[attr-defined]
    kind = given.pop("kind", "chat")
    return Call("c", "openai", kind, "m", fields, size, **given)  # type: ignore[arg-type]


def test_bounds_of_a_chat() -> None:
    assert input_bound(call(1000)) == 516
    assert output_bound(call(1000, max_output=50, choices=3), 4096) == 150
    assert output_bound(call(1000), 4096) == 4096
    price = Price(2_000_000, 10_000_000)
    assert bound(call(1000, max_output=50), [price, None, Price(1, 1)], 4096) == (566, 516 * 2 + 500)
    assert bound(call(1000, max_output=50), [None], 4096) == (566, 0)


def test_embeddings_have_no_output_and_completions_count_their_prompts() -> None:
    assert output_bound(call(10, kind="embedding"), 4096) == 0
    for prompt, times in ((b'"x"', 1), (b'["a","b"]', 2), (b"[1,2,3]", 1), (b"[[1],[2],[3]]", 3), (b"[]", 1)):
        made = call(10, kind="completion", fields={"prompt": prompt, "best_of": b"2"}, max_output=5)
        assert output_bound(made, 16) == 10 * times


def test_pictures_count_by_number_not_by_bytes() -> None:
    messages = (
        b'[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"A" * 90_000 + b'"}}]}]'
    )
    made = call(len(messages), fields={"messages": messages}, needs=frozenset({"vision"}))
    assert 2000 < input_bound(made) < 2100


async def test_a_full_table_refuses_only_new_limits(caplog: pytest.LogCaptureFixture) -> None:
    memory = LimitsMemory(16)
    meter = SharedMeter(memory)
    known = [parse_all(["requests=2/day"], f"key:{n}") for n in range(14)]
    for limits in known:
        meter.restore(limits[0], 1)
    (late,) = new = parse_all(["requests=2/day"], "key:late")
    meter.restore(late, 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    with pytest.raises(ConfigError, match="no room") as caught:
        await meter.reserve(new, 1, 0, 0)
    assert "restart" in caught.value.hint
    for limits in known:
        meter.settle(await meter.reserve(limits, 1, 0, 0), 0, 0)
        assert meter.usage(limits[0]).used == 2
    meter.release_worker(0, spent=True)
    assert len(memory.bases()) == 14
    meter.close()
    memory.close()


def test_slots_that_are_not_used_take_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "limits").open("w+b") as file:
        memory = LimitsMemory(workers=4, fd=file.fileno())
        assert memory.slots >= 65_536
        for n in range(10):
            assert memory.base(f"limit-{n}") is not None
        assert len(memory.bases()) == 10
        assert os.fstat(file.fileno()).st_blocks * 512 < 1 << 20 < os.fstat(file.fileno()).st_size
        memory.close()
