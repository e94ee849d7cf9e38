"""The engine child with a real model: OpenAI's shapes, its own guards against llama.cpp's behaviour, cancelling."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engines.child_process import ChildProcess, Connection

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HI = [{"role": "user", "content": "Say hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Rome", "Oslo"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture(scope="module")
def child(chat_model: Path) -> Iterator[ChildProcess]:
    with ChildProcess(chat_model) as running:
        assert running.said.get("ready"), running.log.read_text()
        yield running


def assembled(events: list[Any]) -> tuple[str, dict[int, list[str]], str | None]:
    """Text, calls by index as [name, arguments], finish reason of a stream's choice 0."""
    text, calls, finish = "", {}, None
    for event in events:
        for choice in event["choices"] if event != "[DONE]" else ():
            if choice["index"] != 0:
                continue
            finish = choice["finish_reason"] or finish
            text += choice.get("text") or choice.get("delta", {}).get("content") or ""
            for call in choice.get("delta", {}).get("tool_calls", ()):
                at = calls.setdefault(call["index"], ["", ""])
                at[0] += call["function"].get("name", "")
                at[1] += call["function"].get("arguments", "")
    return text, calls, finish


def test_a_whole_reply_has_exactly_openais_members(child: ChildProcess) -> None:
    status, reply = child.post(CHAT, messages=HI, max_tokens=4)
    assert status == 200
    assert set(reply) == {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert reply["id"].startswith("chatcmpl-") and reply["object"] == "chat.completion" and reply["model"] == "tiny"
    (choice,) = reply["choices"]
    assert set(choice) == {"index", "message", "logprobs", "finish_reason"} and choice["logprobs"] is None
    assert choice["message"]["role"] == "assistant" and choice["message"]["refusal"] is None
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] <= 4 and usage["prompt_tokens_details"]["cached_tokens"] >= 0


def test_a_stream_says_what_the_whole_reply_says(child: ChildProcess) -> None:
    asked = {"messages": HI, "max_tokens": 8, "seed": 7, "temperature": 1}
    _, whole = child.post(CHAT, **asked)
    events = child.stream(CHAT, **asked, stream_options={"include_usage": True})
    assert events[-1] == "[DONE]" and events[-2]["choices"] == []
    assert events[-2]["usage"] == whole["usage"]
    assert all(e["usage"] is None for e in events[:-2])
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    text, _, finish = assembled(events)
    assert text == whole["choices"][0]["message"]["content"]
    assert finish == whole["choices"][0]["finish_reason"]
    assert len({e["id"] for e in events[:-1]}) == 1


def test_without_include_usage_no_event_speaks_of_it(child: ChildProcess) -> None:
    events = child.stream(CHAT, messages=HI, max_tokens=2)
    assert all("usage" not in e for e in events[:-1])


def test_equal_seeds_give_equal_answers_whatever_the_cache_holds(child: ChildProcess) -> None:
    asked = {"messages": [{"role": "user", "content": "Tell me of the sea"}], "max_tokens": 12, "temperature": 1.2}
    first = child.post(CHAT, **asked, seed=3)[1]["choices"][0]["message"]["content"]
    child.post(CHAT, **asked)  # leaves the prompt in the cache
    _, reply = child.post(CHAT, **asked, seed=3)
    assert reply["choices"][0]["message"]["content"] == first
    assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


def test_a_repeated_prompt_is_read_from_the_cache(child: ChildProcess) -> None:
    asked = {"messages": [{"role": "user", "content": "Count from one to nine, please"}], "max_tokens": 1}
    child.post(CHAT, **asked)
    assert child.post(CHAT, **asked)[1]["usage"]["prompt_tokens_details"]["cached_tokens"] > 0


def test_more_choices_than_slots(child: ChildProcess) -> None:
    _, reply = child.post(CHAT, messages=HI, max_tokens=2, n=6)
    assert [c["index"] for c in reply["choices"]] == list(range(6))
    assert reply["usage"]["completion_tokens"] <= 12
    one = child.post(CHAT, messages=HI, max_tokens=2)[1]
    assert reply["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
    seeded = child.post(CHAT, messages=HI, max_tokens=6, n=2, seed=1, temperature=2)[1]["choices"]
    assert seeded[0]["message"] != seeded[1]["message"]


def test_stop_logprobs_and_bias(child: ChildProcess) -> None:
    count = [{"role": "user", "content": "Repeat: a b c d"}]
    _, reply = child.post(CHAT, messages=count, max_tokens=12, temperature=0)
    text = reply["choices"][0]["message"]["content"]
    stop = text[3:5]
    _, cut = child.post(CHAT, messages=count, max_tokens=12, temperature=0, stop=[stop])
    assert cut["choices"][0]["message"]["content"] == text[: text.index(stop)]
    assert cut["choices"][0]["finish_reason"] == "stop"
    _, reply = child.post(CHAT, messages=count, max_tokens=3, temperature=0, logprobs=True, top_logprobs=2)
    entries = reply["choices"][0]["logprobs"]["content"]
    assert "".join(e["token"] for e in entries) == reply["choices"][0]["message"]["content"]
    assert all(set(e) == {"token", "logprob", "bytes", "top_logprobs"} and len(e["top_logprobs"]) == 2 for e in entries)
    assert bytes(entries[0]["bytes"]).decode() == entries[0]["token"]
    _, none = child.post(CHAT, messages=count, max_tokens=1, logprobs=True)
    assert none["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []
    _, biased = child.post(TEXT, prompt="One", max_tokens=3, logit_bias={"34": 100}, temperature=0, logprobs=1)
    assert len(set(biased["choices"][0]["logprobs"]["tokens"])) == 1


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"lora": [{"id": 9, "scale": 1}]}, "unsupported_parameter", "lora"),
        ({"grammar": "root ::= x"}, "unsupported_parameter", "grammar"),
        ({"id_slot": 0}, "unsupported_parameter", "id_slot"),
        ({"functions": []}, "unsupported_parameter", "functions"),
        ({"messages": []}, "invalid_request", "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "invalid_request", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "invalid_request", "messages[0].content"),
        ({"temperature": 3}, "invalid_request", "temperature"),
        ({"max_tokens": 0}, "invalid_request", "max_tokens"),
        ({"logit_bias": {"99999999": 1}}, "invalid_request", "logit_bias"),
        ({"logit_bias": {"hello": 1}}, "invalid_request", "logit_bias"),
        ({"top_logprobs": 2}, "invalid_request", "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "invalid_request", "stream_options"),
        ({"n": 0}, "invalid_request", "n"),
        ({"store": True}, "unsupported_parameter", "store"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    child: ChildProcess, body: dict[str, Any], code: str, param: str
) -> None:
    status, reply = child.post(CHAT, **{"messages": HI, **body})
    assert (status, reply["error"]["code"], reply["error"]["param"]) == (400, code, param)
    assert set(reply["error"]) == {"message", "type", "param", "code"}


def test_images_are_refused_by_a_model_that_does_not_see(child: ChildProcess) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    status, reply = child.post(CHAT, messages=[{"role": "user", "content": [image]}])
    assert (status, reply["error"]["code"]) == (400, "unsupported_parameter")


def test_bad_json_is_a_400(child: ChildProcess) -> None:
    for body in (b"{", b"[]", b'{"messages": "\xff"}'):
        assert child.ask("POST", CHAT, body)[0] == 400


@pytest.mark.parametrize("stream", [False, True])
def test_too_long_a_prompt_is_refused_and_never_cut(child: ChildProcess, stream: bool) -> None:
    words = "word " * 2000
    status, reply = child.post(CHAT, messages=[{"role": "user", "content": words}], stream=stream)
    assert (status, reply["error"]["code"]) == (400, "context_length_exceeded")
    assert "512" in reply["error"]["message"] and "20" in reply["error"]["message"]


def test_one_call_may_use_the_whole_context(child: ChildProcess) -> None:
    status, reply = child.post(TEXT, prompt="word " * 480, max_tokens=100)
    assert status == 200 and reply["usage"]["prompt_tokens"] >= 480
    assert reply["choices"][0]["finish_reason"] in ("length", "stop")
    assert reply["usage"]["total_tokens"] <= 512


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_demanded_tool_is_called(child: ChildProcess, choice: Any) -> None:
    asked = {"messages": HI, "tools": [WEATHER], "tool_choice": choice, "max_tokens": 60, "seed": 1}
    _, whole = child.post(CHAT, **asked)
    message = whole["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert set(call) == {"id", "type", "function"} and call["type"] == "function" and call["id"].startswith("call_")
    assert json.loads(call["function"]["arguments"])["city"] in ("Rome", "Oslo")
    assert message["content"] is None and whole["choices"][0]["finish_reason"] == "tool_calls"
    _, calls, finish = assembled(child.stream(CHAT, **asked))
    assert calls == {0: ["get_weather", call["function"]["arguments"]]} and finish == "tool_calls"


def test_tool_results_reach_a_model_whose_template_knows_no_tools(child: ChildProcess) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
    turns = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
    turns.append({"role": "tool", "tool_call_id": "c", "content": "sunny, 31 degrees"})
    _, told = child.post(CHAT, messages=turns, tools=[WEATHER], max_tokens=1)
    _, bare = child.post(CHAT, messages=HI, max_tokens=1)
    assert told["usage"]["prompt_tokens"] > bare["usage"]["prompt_tokens"] + 40


def test_json_replies_parse_and_keep_to_their_schema(child: ChildProcess) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "code": {"type": "string", "pattern": r"^\d{3}$"}},
        "required": ["ok", "code"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    _, reply = child.post(CHAT, messages=HI, response_format=form, max_tokens=60)
    value = json.loads(reply["choices"][0]["message"]["content"])
    assert set(value) == {"ok", "code"} and len(value["code"]) == 3 and value["code"].isdigit()
    _, reply = child.post(CHAT, messages=HI, response_format={"type": "json_object"}, max_tokens=80, seed=2)
    if reply["choices"][0]["finish_reason"] == "stop":
        assert isinstance(json.loads(reply["choices"][0]["message"]["content"]), dict)
    bad = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "string", "pattern": "^(?=a)b$"}}}
    status, reply = child.post(CHAT, messages=HI, response_format=bad)
    assert (status, reply["error"]["code"]) == (400, "invalid_json_schema") and "#/pattern" in reply["error"]["message"]


def formed(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def test_a_large_enum_costs_its_neighbours_nothing(child: ChildProcess) -> None:
    """With llama.cpp's own grammar a thousand values held every call up for as long as a hundred and more tokens."""
    values = [f"value {i * 7919:07} of many" for i in range(500)] + list(range(500))
    form = formed({"enum": values})
    asked: dict[str, Any] = {"messages": HI, "max_tokens": 24, "seed": 1}
    child.post(CHAT, **asked, response_format=form)  # the first one of all readies the vocabulary
    before = cpu(child)
    child.post(CHAT, **asked)
    between = cpu(child)
    status, reply = child.post(CHAT, **asked, response_format=form)
    after = cpu(child)
    assert status == 200 and json.loads(reply["choices"][0]["message"]["content"]) in values
    assert after - between < between - before + 1.0, "seconds of processor time"


def cpu(child: ChildProcess) -> float:
    """Processor time that the child has taken, seconds."""
    fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_tool_with_a_large_enum_is_called_in_either_way(child: ChildProcess) -> None:
    values = [f"c{i}" for i in range(66)]
    parameters = {"type": "object", "properties": {"x": {"enum": values}}, "required": ["x"]}
    tools = [{"type": "function", "function": {"name": "go", "parameters": parameters}}]
    asked = {"messages": HI, "tools": tools, "seed": 1}
    _, reply = child.post(CHAT, **asked, tool_choice="required", max_tokens=30)
    (call,) = reply["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"])["x"] in values
    status, reply = child.post(CHAT, **asked, max_tokens=4)
    assert status == 200 and reply["usage"]["completion_tokens"] <= 4


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": [f"v{i}" for i in range(20_000)]}, "#/enum: its 20,000 values"),
        ({"$ref": "#"}, "#/$ref"),
        ({"type": "string", "minLength": 1_000_000}, "#/minLength"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 100_000}, "#/minItems"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "minimum (5)"),
    ],
)
def test_a_schema_that_cannot_be_held_is_refused_in_plain_words(
    child: ChildProcess, schema: dict[str, Any], words: str
) -> None:
    status, reply = child.post(CHAT, messages=HI, response_format=formed(schema), max_tokens=2)
    error = reply["error"]
    assert (status, error["code"], error["param"]) == (
        400,
        "invalid_json_schema",
        "response_format.json_schema.schema",
    )
    assert words in error["message"]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"$defs": {"n": {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}, dict),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 10**9}, list),
        ({"oneOf": [{"const": 1}, {"enum": [2, 'a"b\\c\n']}]}, (int, str)),
        ({"type": "integer", "minimum": 10, "maximum": 99}, int),
    ],
)
def test_what_the_engine_can_hold_is_held(child: ChildProcess, schema: dict[str, Any], kind: Any) -> None:
    _, reply = child.post(CHAT, messages=HI, response_format=formed(schema), max_tokens=60, seed=3)
    choice = reply["choices"][0]
    if choice["finish_reason"] == "stop":
        assert isinstance(json.loads(choice["message"]["content"]), kind)
    else:
        assert choice["message"]["content"][0] in "{["


def test_text_completions(child: ChildProcess) -> None:
    _, reply = child.post(TEXT, prompt=["Once upon", "The sun"], n=2, max_tokens=3, echo=True)
    assert reply["object"] == "text_completion" and reply["id"].startswith("cmpl-")
    texts = [c["text"] for c in reply["choices"]]
    assert [t.startswith(s) for t, s in zip(texts, ["Once upon"] * 2 + ["The sun"] * 2, strict=True)] == [True] * 4
    _, reply = child.post(TEXT, prompt=[504, 338], logprobs=2, max_tokens=3)
    logprobs = reply["choices"][0]["logprobs"]
    assert {k: len(v) for k, v in logprobs.items()} == dict.fromkeys(
        ("tokens", "token_logprobs", "top_logprobs", "text_offset"), 3
    )
    assert len(child.post(TEXT, prompt="Once")[1]["choices"]) == 1
    assert child.post(TEXT, prompt="Once")[1]["usage"]["completion_tokens"] <= 16
    asked = {"prompt": "The sun is", "seed": 4, "max_tokens": 6}
    text, _, _ = assembled(child.stream(TEXT, **asked))
    assert text == child.post(TEXT, **asked)[1]["choices"][0]["text"]
    assert child.post(TEXT, prompt=[99999999])[0] == 400
    assert child.post(TEXT, prompt="x", best_of=3)[0] == 400


def test_every_path_wants_the_key_and_only_offers_what_there_is(child: ChildProcess) -> None:
    for key in ("", "wrong"):
        connection = child.connect(key)
        assert connection.ask("GET", "/health").status == 401
        connection.close()
    assert child.ask("POST", "/v1/rerank", {})[0] == 404
    assert child.ask("POST", "/lora-adapters", [])[0] == 404
    assert child.ask("GET", CHAT)[0] == 405
    assert child.post("/v1/embeddings", input="x")[0] == 400
    assert child.ask("POST", "/probe", {}) == (200, {"status": "ok"})
    for name in ("e.sock", "n.sock"):
        assert stat.S_IMODE(os.stat(child.folder / name).st_mode) == 0o600


def leave_after(connection: Connection, body: dict[str, Any], seconds: float, read: bool) -> None:
    data = json.dumps(body)
    connection.request("POST", CHAT, data, {"authorization": "Bearer key-of-this-test"})
    answer = connection.getresponse() if read else None
    if answer is not None:
        answer.read(10)
    time.sleep(seconds)
    if answer is not None:
        answer.close()  # it holds the socket as well
    connection.close()


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_leaves_frees_the_slot_while_tokens_come(child: ChildProcess, stream: bool) -> None:
    child.until(20, busy=0)
    connection = child.connect()
    body = {"model": "tiny", "messages": HI, "stream": stream, "max_tokens": 450, "logit_bias": {"2": -100, "0": -100}}
    leave_after(connection, body, 1.0, stream)
    taken = child.until(10, busy=0)
    beats = child.health()["beats"]
    time.sleep(0.3)
    assert child.health()["beats"] == beats, "tokens went on coming"
    assert taken < 5


def test_a_caller_who_leaves_stops_the_reading_of_the_prompt(child: ChildProcess) -> None:
    child.until(20, busy=0)
    words = " ".join(f"item{i}" for i in range(120))  # about 450 tokens: 14 steps of 32
    began = child.health()["beats"]
    body = {"model": "tiny", "messages": [{"role": "user", "content": words}], "max_tokens": 1, "seed": 1}
    leave_after(child.connect(), body, 0.5, read=False)
    child.until(20, busy=0)
    steps = child.health()["beats"] - began
    assert 1 <= steps < 12, "the whole prompt was read for nobody"


def test_callers_who_leave_together_are_dropped_together(child: ChildProcess) -> None:
    """Four long prompts, four slots: one is being read, and the others have not begun when all callers leave."""
    child.until(20, busy=0)
    words = " ".join(f"item{i}" for i in range(110))
    began = child.health()["beats"]
    leaving = []
    for number in range(4):
        body = {"model": "tiny", "messages": [{"role": "user", "content": f"{number} {words}"}], "stream": True}
        connection = child.connect()
        connection.request("POST", CHAT, json.dumps(body), {"authorization": "Bearer key-of-this-test"})
        leaving.append(connection)
    child.until(10, busy=1, waiting=3)
    for connection in leaving:
        connection.close()
    child.until(20, busy=0, waiting=0)
    assert child.health()["beats"] - began <= 12, "steps of 32 tokens; one prompt alone has 14"


def test_a_caller_in_line_leaves_the_line(child: ChildProcess) -> None:
    child.until(20, busy=0)
    body = {"model": "tiny", "messages": HI, "stream": True, "max_tokens": 450, "logit_bias": {"2": -100, "0": -100}}
    busy = [child.connect() for _ in range(4)]
    for connection in busy:
        connection.request("POST", CHAT, json.dumps(body), {"authorization": "Bearer key-of-this-test"})
    child.until(10, busy=4)
    waiting = child.connect()
    waiting.request("POST", CHAT, json.dumps(body), {"authorization": "Bearer key-of-this-test"})
    child.until(10, waiting=1)
    waiting.close()
    child.until(10, waiting=0, busy=4)
    for connection in busy:
        connection.close()
    child.until(20, busy=0)
    assert child.post(CHAT, messages=HI, max_tokens=1)[0] == 200


def test_many_at_once_all_answer(child: ChildProcess) -> None:
    results: list[int] = []

    def one(number: int) -> None:
        status, reply = child.post(CHAT, messages=[{"role": "user", "content": f"Number {number}"}], max_tokens=4)
        results.append(status if reply["usage"]["completion_tokens"] <= 4 else 0)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [200] * 10


def test_idle_weights_are_given_back_and_taken_up_again(chat_model: Path) -> None:
    with ChildProcess(chat_model, sleep_seconds=1, slots=2) as child:
        child.post(CHAT, messages=HI, max_tokens=2)
        awake = child.health()["rss"]
        child.until(15, asleep=True)
        time.sleep(0.2)
        asleep = child.health()["rss"]
        assert asleep < awake / 2 and asleep < 140 << 20
        status, _ = child.post(CHAT, messages=HI, max_tokens=2)
        assert status == 200 and not child.health()["asleep"]


def test_a_call_in_the_moment_of_falling_asleep_is_not_lost(chat_model: Path) -> None:
    with ChildProcess(chat_model, sleep_seconds=1, slots=1, context=256) as child:
        for pause in (0.97, 0.99, 1.0, 1.01):
            assert child.post(TEXT, prompt="a", max_tokens=1)[0] == 200
            time.sleep(pause)
        assert child.post(TEXT, prompt="a", max_tokens=1)[0] == 200


def test_a_file_that_is_no_model_is_told_in_words(chat_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(chat_model.read_bytes()[: 8 << 20])
    with ChildProcess(chat_model, path=str(broken)) as child:
        assert child.said["error"]["code"] == "engine_load_failed" and str(broken) in child.said["error"]["message"]
        assert child.process.wait(10) == 3


def test_the_child_dies_with_its_parent(chat_model: Path, tmp_path: Path) -> None:
    """A parent that is killed outright leaves no child behind."""
    code = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.unit.engines.child_process import ChildProcess
child = ChildProcess(Path({str(chat_model)!r}), context=256, slots=1).__enter__()
print(child.process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False).stdout
    pid = int(out)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            return
        time.sleep(0.05)
    raise AssertionError("the child outlived its parent")
