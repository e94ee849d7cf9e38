"""The child's guards that need no model: the three ways llama.cpp fails, and the line for its slots."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import xllamacpp

from freehold.core.errors import BadRequest, ContextTooLong, EngineError, FreeholdError, Unsupported
from freehold.engines.enforce_shape import Text
from freehold.engines.llama.generate import Generation
from freehold.engines.llama.guide import Guide, grammar
from freehold.engines.llama.native import Native, Run, as_error
from freehold.engines.llama.reply import Tally
from freehold.engines.llama.settings import ChildSettings
from freehold.engines.llama.slots import Reading, Slots


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (
            b'{"error":{"code":400,"message":"m","type":"exceed_context_size_error","n_prompt_tokens":5031,"n_ctx":2048}}',
            ContextTooLong,
            "2048",
        ),
        (
            b'{"error":{"code":500,"message":"input (602 tokens) is too large to process. increase the physical batch '
            b'size (current batch size: 512)","type":"server_error"}}',
            ContextTooLong,
            "602",
        ),
        (b'{"error":{"code":400,"message":"no","type":"invalid_request_error"}}', BadRequest, "no"),
        (b'{"error":{"code":501,"message":"not offered","type":"not_supported_error"}}', Unsupported, "not offered"),
        (b'{"error":{"code":500,"message":"Compute error.","type":"server_error"}}', EngineError, "Compute"),
        (b"\xff not JSON", EngineError, "not JSON"),
        (ValueError("Unable to generate parser"), BadRequest, "parser"),
        (RuntimeError("image input is not supported - hint: mmproj"), Unsupported, "images"),
        (RuntimeError("Unsupported param: suffix"), Unsupported, "suffix"),
        (MemoryError("no"), EngineError, "no"),
    ],
)
def test_every_way_to_fail_becomes_one_of_our_errors(failure: object, kind: type[FreeholdError], words: str) -> None:
    error = as_error(failure)
    assert type(error) is kind and words in error.message and error.hint
    assert as_error(error) is error


SETTINGS = ChildSettings(name="m", path="", socket="", native_socket="", key="k")


async def test_an_error_in_the_callback_is_not_swallowed() -> None:
    """llama.cpp drops what a callback raises: ours never raises, and the call ends with the error all the same."""

    def feed(batch: list[bytes]) -> None:
        raise EngineError("could not be read")

    run = Run(asyncio.get_running_loop(), Native(SETTINGS), feed)
    assert await asyncio.to_thread(run.receive, b"{}") is False
    await asyncio.sleep(0.01)
    assert await asyncio.to_thread(run.receive, b"{}") is True, "the engine is told to stop"
    run.end(None)
    assert isinstance(run.error, EngineError) and run.finished.done()


class Kept:
    """Keeps what goes out."""

    def __init__(self) -> None:
        self.out: list[object] = []

    def text(self, index: int, content: str) -> None:
        self.out.append((index, content))

    def delta(self, index: int, delta: dict[str, object], logprobs: object = None, finish: str | None = None) -> None:
        self.out.append((index, finish))

    def flush(self) -> None: ...


def test_a_bare_null_is_nothing_and_a_cut_prompt_an_error() -> None:
    kept, tally = Kept(), Tally()
    one = Generation(kept, [Text()], 0, tally, False)
    one.feed([b"null", b'{"prompt_progress":{"total":9},"choices":[{"index":0,"delta":{"role":"assistant"}}]}'])
    one.feed([b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'])
    one.feed([b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'])
    assert kept.out == [(0, "a"), (0, "stop")]
    one.feed([b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}'])
    assert (tally.prompt, tally.completion) == (9, 1)
    with pytest.raises(EngineError, match="7 of the prompt's 9") as caught:
        one.feed([b'{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1}}'])
    assert caught.value.code == "prompt_truncated"


async def test_slots_go_in_order_of_arrival_and_never_beyond_their_number() -> None:
    slots, order = Slots(2), list[int]()

    async def one(number: int, count: int) -> None:
        await slots.take(count)
        order.append(number)
        assert 0 <= slots.free <= 2
        await asyncio.sleep(0.001)
        slots.give(count)

    counts = [1, 2, 1, 1, 2, 1]
    await asyncio.gather(*(one(n, c) for n, c in enumerate(counts)))
    assert order == list(range(6)) and slots.free == 2 and slots.waiting == 0


async def test_who_leaves_the_line_takes_nothing_along() -> None:
    slots = Slots(1)
    await slots.take(1)
    line = [asyncio.create_task(slots.take(1)) for _ in range(3)]
    await asyncio.sleep(0)
    line[0].cancel()
    await asyncio.sleep(0)
    assert slots.waiting == 2
    slots.give(1)  # the second's turn comes ...
    line[1].cancel()  # ... in the moment it leaves
    await asyncio.gather(*line[:2], return_exceptions=True)
    await asyncio.wait_for(line[2], 1)
    slots.give(1)
    assert slots.free == 1 and slots.waiting == 0


async def test_a_line_that_is_too_long_takes_nobody_in() -> None:
    slots = Slots(1)
    await slots.take(1)
    line = [asyncio.create_task(slots.take(1)) for _ in range(256)]
    await asyncio.sleep(0)
    with pytest.raises(EngineError) as caught:
        await slots.take(1)
    error = caught.value
    assert (error.code, error.status, error.retry_after) == ("engine_busy", 503, 5.0) and error.hint
    for task in line:
        task.cancel()
    await asyncio.gather(*line, return_exceptions=True)
    assert slots.waiting == 0
    slots.give(1)
    await asyncio.wait_for(slots.take(1), 1)


async def test_one_long_prompt_is_read_at_a_time_and_short_ones_beside_it() -> None:
    reading = Reading(32)  # short: up to 96 characters
    await reading.begin(5000)
    others = [asyncio.create_task(reading.begin(5000)) for _ in range(3)]
    await asyncio.sleep(0)
    assert reading.waiting == 3
    await asyncio.wait_for(reading.begin(50), 1)
    third = asyncio.create_task(reading.begin(50))  # beside the other it would take a second step
    await asyncio.sleep(0)
    assert reading.waiting == 4
    others[0].cancel()
    others[1].cancel()
    await asyncio.gather(*others[:2], return_exceptions=True)
    assert reading.waiting == 2
    reading.end(5000)
    reading.end(50)
    await asyncio.wait_for(asyncio.gather(others[2], third), 1)


async def test_a_prompt_counts_as_read_once_and_when_something_else_comes() -> None:
    read: list[int] = []
    run = Run(asyncio.get_running_loop(), Native(SETTINGS), lambda batch: None)
    run.on_read = lambda: read.append(1)
    for data in (b"null", b'{"choices":[],"prompt_progress":{"total":9,"processed":3}}'):
        await asyncio.to_thread(run.receive, data)
        await asyncio.sleep(0.01)
    assert not read
    await asyncio.to_thread(run.receive, b'{"choices":[{"delta":{"content":"a \\"prompt_progress\\" b"}}]}')
    await asyncio.sleep(0.01)
    run.read()
    assert read == [1]


@pytest.fixture(scope="module")
def guide() -> Guide:
    (library,) = Path(xllamacpp.__file__).parent.glob("xllamacpp*.so")
    return Guide(library)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": [f"v{i}" for i in range(1000)]}, ""),
        ({"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(500)}}, ""),
        ({"type": "string", "pattern": "^((((a?){1,50}){1,50}){1,50}){1,50}$"}, ""),
        ({"oneOf": [{"type": "string"}, {"not": {}}]}, ""),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "minimum (5) is greater than maximum (1)"),
        ({"allOf": [{"anyOf": [{"properties": {f"a{i}{j}": {}}} for j in range(6)]} for i in range(8)]}, "too large"),
        ({"type": "string", "pattern": "^(?=a)b$"}, "regex"),
    ],
)
def test_the_engine_says_beforehand_what_it_cannot_hold(guide: Guide, schema: dict[str, object], words: str) -> None:
    why = guide.refusal(grammar(schema))
    assert words in why and bool(why) is bool(words)


def test_a_library_without_grammars_is_told_from_one_with(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="llguidance"):
        Guide(Path(_libc()))
    with pytest.raises(OSError):
        Guide(tmp_path / "none.so")


def _libc() -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "/libc.so" in line or "/libc-" in line or "/ld-musl" in line:
            return line.split()[-1]
    raise AssertionError("no C library in this process")


def test_objects_that_name_members_are_closed_unless_they_are_put_together() -> None:
    one = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {}}}, "enum": {"enum": [{}]}}}
    text = grammar(one)
    assert text.startswith("%llguidance {}") and text.count('"additionalProperties": false') == 2
    assert "additionalProperties" not in grammar({"allOf": [one, {"properties": {"c": {}}}]})
    assert grammar({**one, "additionalProperties": True}).count('"additionalProperties": true') == 1
