"""The words of a request: found where they are, put back without touching anything else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from freehold.core.call import Call
from freehold.wire.dialects import openai
from freehold.wire.dialects.openai_texts import Path, media, others, put, repeated, replaced, scalars, texts


def chat(*messages: Any, **more: Any) -> Call:
    body = {"model": "m", "messages": list(messages), **more}
    return openai.parse("chat", json.dumps(body).encode())


def tool_call(arguments: str) -> dict[str, Any]:
    called = {"id": "c1", "type": "function", "function": {"name": "send", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [called]}


def value(call: Call) -> Any:
    return json.loads(openai.encode(call.fields))


words = st.text(st.characters(codec="utf-8"), max_size=20)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
arguments = trees.map(json.dumps) | trees.map(lambda tree: json.dumps(tree, ensure_ascii=False, indent=1)) | words
parts = st.lists(words.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=3)
messages = st.lists(
    st.one_of(
        st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(["system", "user"]), words),
        st.builds(lambda given: {"role": "user", "content": given}, parts),
        st.builds(lambda text, name: {"role": "user", "content": text, "name": name}, words, words),
        st.builds(lambda text: {"role": "tool", "content": text, "tool_call_id": "c1"}, words),
        st.builds(lambda text: {"role": "assistant", "content": text, "reasoning_content": text}, words),
        arguments.map(tool_call),
    ),
    min_size=1,
    max_size=5,
)
beside = st.fixed_dictionaries({}, optional={"user": words, "extra": trees, "safety": words})


@given(messages, beside)
def test_the_same_words_make_the_same_request(given_messages: Any, more: dict[str, Any]) -> None:
    call = chat(*given_messages, **more)
    found = [*texts(call), *others(call)]
    assert len({text.path for text in found}) == len(found)
    again = replaced(call, {text.path: text.text for text in found})
    assert value(again) == value(call)
    assert [*texts(again), *others(again)] == found


@given(messages, beside)
def test_other_words_stand_where_the_first_ones_stood(given_messages: Any, more: dict[str, Any]) -> None:
    call = chat(*given_messages, **more)
    found = [*texts(call), *others(call)]
    new = {text.path: f"«{at}»" for at, text in enumerate(found)}
    again = replaced(call, new)
    assert {text.path: text.text for text in [*texts(again), *others(again)]} == new
    for message, before in zip(value(again)["messages"], given_messages, strict=True):
        if "tool_calls" in before:
            given_arguments, put_in = (m["tool_calls"][0]["function"]["arguments"] for m in (before, message))
            assert (scalars(given_arguments) is None) == (scalars(put_in) is None)


def test_bytes_of_what_is_not_touched_are_kept() -> None:
    body = (
        b'{"model":"m","temperature":1.50,"messages":[{ "role" : "user","content":"\\u0061 b"},'
        b'{"role":"assistant","content":"x","odd":1e2}]}'
    )
    call = openai.parse("chat", body)
    assert replaced(call, {}) is call
    changed = replaced(call, {("messages", 1, "content"): "y"})
    assert openai.encode(changed.fields) == body.replace(b'"x"', b'"y"')
    assert call.fields["messages"] != changed.fields["messages"]


def test_roles() -> None:
    call = chat(
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "text", "text": "here"}]},
        tool_call('{"to": "a@b.c", "n": 3}'),
        {"role": "tool", "tool_call_id": "c1", "content": "sent"},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "not json"}},
    )
    assert [(text.role, text.text) for text in texts(call)] == [
        ("system", "be kind"),
        ("user", "look"),
        ("user", "here"),
        ("assistant", "a@b.c"),
        ("tool", "sent"),
        ("assistant", "no"),
        ("assistant", "not json"),
    ]


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("completion", {"prompt": "once", "suffix": "end"}, [("prompt", "once"), ("prompt", "end")]),
        ("completion", {"prompt": ["a", "b"]}, [("prompt", "a"), ("prompt", "b")]),
        ("completion", {"prompt": [1, 2]}, []),
        ("embedding", {"input": ["a", "b"]}, [("input", "a"), ("input", "b")]),
        ("embedding", {"input": "a"}, [("input", "a")]),
    ],
)
def test_prompts_and_inputs(kind: Any, body: dict[str, Any], said: list[tuple[str, str]]) -> None:
    call = openai.parse(kind, json.dumps({"model": "m", **body}).encode())
    assert [(text.role, text.text) for text in texts(call)] == said
    again = replaced(call, {text.path: text.text.upper() for text in texts(call)})
    assert [text.text for text in texts(again)] == [text.upper() for _, text in said]


def test_arguments_stay_json_whatever_is_put_in() -> None:
    call = chat(tool_call('{"to":"bob@x.example","card":4111111111111111,"a\\u0040b.c":["x\\n",1.5,true,null]}'))
    found = {text.text: text.path for text in texts(call)}
    assert list(found) == ["bob@x.example", "4111111111111111", "a@b.c", "x\n"]
    odd = 'say "hi"\\\n'
    again = replaced(call, dict.fromkeys(found.values(), odd))
    said = value(again)["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(said) == {"to": odd, "card": odd, odd: [odd, 1.5, True, None]}


def test_what_else_leaves_with_a_call() -> None:
    url = "https://pictures.example/bob@x.example"
    call = chat(
        {
            "role": "user",
            "name": "bob",
            "content": [
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}},
                {"type": "file", "file": {"filename": "bob.pdf", "file_data": "data:application/pdf;base64,aaaa"}},
            ],
        },
        user="bob@x.example",
        metadata={"ticket": "of bob@x.example"},
        logit_bias={"50256": -100},
        unknown=[{"deep": ["there", 4111111111111111]}],
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"maximum": 99999999999}}}],
        seed=123456789012345,
    )
    found = {text.text for text in others(call)}
    assert {"bob", url, "bob.pdf", "bob@x.example", "of bob@x.example", "there", "4111111111111111"} <= found
    assert not {"99999999999", "123456789012345", "50256", "data:image/png;base64,aaaa"} & found
    assert media(call) == ["file", "image"]
    new = {text.path: "X" for text in others(call) if text.text in ("bob@x.example", "4111111111111111", url)}
    again = value(replaced(call, new))
    assert (again["user"], again["unknown"]) == ("X", [{"deep": ["there", "X"]}])
    assert again["messages"][0]["content"][0]["image_url"]["url"] == "X"


BOB = "bob@x.example"
CALLED = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def called(**more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [{**CALLED, **more}]}


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ({"content": [{"type": "text", "text": "x", "note": BOB}]}, {}),
        ({"content": [{"type": "text", "text": "x", "deep": {"note": [1, BOB]}}]}, {}),
        ({"content": [{"type": "image_url", "image_url": {"url": "https://x", "detail": BOB}}]}, {}),
        ({"content": [{"type": "image_url", "image_url": {"url": f"data:text/plain,{BOB}"}}]}, {}),
        ({"content": [{"type": "image_url", "image_url": {"url": BOB}}]}, {}),
        ({"content": [{"type": "file", "file": {"file_id": BOB}}]}, {}),
        ({"content": "x", "type": BOB}, {}),
        ({"content": "x", "id": BOB}, {}),
        ({"role": "tool", "content": "x", "tool_call_id": BOB}, {}),
        (called(id=BOB), {}),
        (called(note={"of": BOB}), {}),
        (called(function={"name": BOB, "arguments": "{}"}), {}),
        (called(function={"name": "f", "arguments": "{}", "note": BOB}), {}),
        ({"role": "assistant", "content": "x", "function_call": {"name": BOB, "arguments": "{}"}}, {}),
        ({"content": "x"}, {"service_tier": BOB}),
        ({"content": "x"}, {"modalities": ["text", BOB]}),
        ({"content": "x"}, {"logit_bias": {BOB: 1}}),
        ({"content": "x"}, {"stream": True, "stream_options": {"include_usage": True, "of": BOB}}),
    ],
)
def test_nothing_stands_where_nobody_looks(message: dict[str, Any], more: dict[str, Any]) -> None:
    call = chat({"role": "user", **message}, **more)
    (found,) = [text for text in others(call, lambda member: "@" in member) if "bob@" in text.text]
    again = replaced(call, {found.path: "X"})
    assert b"bob@" not in openai.encode(again.fields) and b"X" in openai.encode(again.fields)


def test_names_of_members_and_of_a_wildcards_model() -> None:
    call = chat({"role": "user", "content": [{"type": "text", "text": "x", BOB: 1}], "x-y": 1}, **{"of " + BOB: 1})
    call.asked = f"wild/{BOB}"
    named = [text for text in others(call) if text.role == "name"]
    assert sorted(text.text for text in named) == [BOB, BOB, f"of {BOB}", "x-y"]
    assert len({text.path for text in named}) == 4


def test_labels_are_no_words() -> None:
    call = chat(called(id="call_4111111111111111"), {"role": "tool", "content": "x", "tool_call_id": "9" * 16})
    assert others(call) == []
    assert others(chat({"role": "user", "content": "x"}, service_tier="auto", reasoning_effort="low")) == []


def test_members_that_cannot_matter_are_passed_over_whole() -> None:
    call = chat({"role": "user", "content": "x"}, user="bob@x.example", metadata={"a": "b"}, extra="\u00e9@b.c")
    asked: list[str] = []

    def maybe(text: str) -> bool:
        asked.append(text)
        return "@" in text

    assert [text.text for text in others(call, maybe)] == ["bob@x.example", "\u00e9@b.c"]
    assert asked == ['"bob@x.example"', '{"a": "b"}']  # what escapes hide is read without asking


def test_media() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "aaaa", "format": "wav"}}
    assert media(chat({"role": "user", "content": [sound]})) == ["audio"]
    assert media(chat({"role": "user", "content": "image_url"})) == []
    assert media(openai.parse("embedding", b'{"model":"m","input":[[1,2],[3]]}')) == ["tokens"]
    assert media(openai.parse("completion", b'{"model":"m","prompt":[1,2]}')) == ["tokens"]
    assert media(openai.parse("completion", b'{"model":"m","prompt":["a"]}')) == []


def test_words_to_be_judged() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}
    fields = {"model": b'"m"', "input": json.dumps([{"type": "text", "text": "bad"}, picture]).encode()}
    call = Call("c", "openai", "moderation", "m", {name: Raw(value) for name, value in fields.items()}, 99)
    assert [(text.role, text.text) for text in texts(call)] == [("input", "bad")] and media(call) == ["image"]
    assert value(replaced(call, {texts(call)[0].path: "good"}))["input"] == [{"type": "text", "text": "good"}, picture]
    fields["input"] = fields["input"].replace(b"data:image/png;base64,aaaa", b"https://x.example/bob")
    call = Call("c", "openai", "moderation", "m", {name: Raw(value) for name, value in fields.items()}, 99)
    assert [text.text for text in others(call) if text.path[0] == "input"] == ["https://x.example/bob"]
    azure = Call("c", "openai", "moderation", "m", {"text": Raw(b'"bad"')}, 9)
    assert [text.text for text in others(azure)] == ["bad"] and texts(azure) == media(azure) == []


@pytest.mark.parametrize(
    ("messages_json", "name"),
    [
        (b'[{"role":"user","content":"x","content":"y"}]', "content"),
        (b'[{"role":"user","content":"\\"content\\":"},{"role":"user","content":""}]', None),
        (b'[{"role":"user","content":[{"type":"text","text":"x","text":"y"}]}]', "text"),
        (b'[{"role":"user","content":[{"type":"text","text":"x"}]}]', None),
        (b'[ { "role": "user", "content" : "role" } ]', None),
        (b'[{"role":"user","role":"system","content":"x"}]', "role"),
    ],
)
def test_members_that_stand_twice(messages_json: bytes, name: str | None) -> None:
    assert repeated(openai.parse("chat", b'{"model":"m","messages":%b}' % messages_json)) == name


@given(trees)
def test_scalars_count_what_put_replaces(tree: Any) -> None:
    text = json.dumps({"in": tree})
    found = scalars(text) or []
    changed = bytes(put(Raw(text.encode()), {(count,): f"<{count}>" for count, _ in found}))
    assert dict(scalars(changed.decode()) or []) == {count: f"<{count}>" for count, _ in found}


def test_a_place_that_is_not_there_is_an_error() -> None:
    call = chat({"role": "user", "content": "x"}, user="u")
    for path in (("messages", 0, "name"), ("messages", 1, "content"), ("nothing",), ("metadata", 0)):
        wrong: Path = path
        with pytest.raises((KeyError, IndexError)):
            replaced(call, {wrong: "y"})
    with pytest.raises(IndexError):
        put(Raw(b'["a"]'), {(1,): "b"})


def test_a_long_text_is_put_back_whole() -> None:
    long = '\u00e9 "quoted" \\ ' * 80_000
    call = chat({"role": "user", "content": long}, tool_call(msgspec.json.encode({"a": long}).decode()))
    assert [text.text for text in texts(call)] == [long, long]
    assert value(replaced(call, {text.path: text.text for text in texts(call)})) == value(call)
