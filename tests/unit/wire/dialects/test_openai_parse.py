from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.dialects.published import valid

from freehold.core.errors import BadRequest, FreeholdError, TooLarge
from freehold.wire.dialects import openai, openai_request

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def chat(**members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": HELLO, **members}


def refused(body: bytes, kind: Any = "chat", **options: Any) -> FreeholdError:
    with pytest.raises(FreeholdError) as caught:
        openai.parse(kind, body, **options)
    assert caught.value.status == 400 and caught.value.hint
    return caught.value


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("plain", {}),
    ("nulls", {"temperature": None, "stop": None, "tools": None, "metadata": None, "logit_bias": None, "n": None}),
    ("bounds", {"temperature": 2, "top_p": 0, "n": 128, "presence_penalty": -2, "frequency_penalty": 2.0}),
    ("tokens", {"max_tokens": 1}),
    ("completion tokens", {"max_completion_tokens": 1}),
    ("stop", {"stop": ["a", "b", "c", "d"]}),
    ("logprobs", {"logprobs": True, "top_logprobs": 20}),
    ("bias", {"logit_bias": {"50256": -100, "1": 100}}),
    ("seed", {"seed": -(2**63)}),
    ("metadata", {"metadata": {f"k{i}": "v" for i in range(16)}}),
    ("tools", {"tools": [TOOL] * 128, "tool_choice": "required", "parallel_tool_calls": False}),
    ("named tool", {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look_up"}}}),
    (
        "schema",
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": True}}},
    ),
    ("json", {"response_format": {"type": "json_object"}}),
    ("stream", {"stream": True, "stream_options": {"include_usage": True}}),
    ("rest", {"service_tier": "flex", "store": True, "reasoning_effort": "low", "modalities": ["text"], "user": "u"}),
]
MESSAGES: list[list[dict[str, Any]]] = [
    [{"role": "developer", "content": "x"}, *HELLO],
    [{"role": "user", "content": [{"type": "text", "text": "what"}, {"type": "image_url", "image_url": {"url": "u"}}]}],
    [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}],
    [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}],
    [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
    [{"role": "assistant", "content": None, "refusal": "no"}],
    [
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ],
    [{"role": "function", "name": "f", "content": None}],
]


@pytest.mark.parametrize("members", [m for _, m in GOOD], ids=[n for n, _ in GOOD])
def test_good_requests_pass_and_are_good_by_the_published_description_too(members: dict[str, Any]) -> None:
    body = chat(**members)
    call = openai.parse("chat", compact(body))
    assert {key: json.loads(bytes(value)) for key, value in call.fields.items()} == body
    if not any(value is None for value in members.values()):
        valid(body, "CreateChatCompletionRequest")


@pytest.mark.parametrize("messages", MESSAGES)
def test_good_messages_pass_long_or_short(messages: list[dict[str, Any]]) -> None:
    valid({"model": "m", "messages": messages}, "CreateChatCompletionRequest")
    for filler in ([], [{"role": "user", "content": "word " * 4000}]):
        body = compact({"model": "m", "messages": [*filler, *messages], "n": 2})
        call = openai.parse("chat", body)
        assert call.choices == 2 and json.loads(bytes(call.fields["messages"])) == [*filler, *messages]


BAD: list[tuple[str, Any, str, str]] = [  # what is wrong, the request, the param, the code
    ("no model", {"messages": HELLO}, "model", "missing_required_parameter"),
    ("empty model", chat(model=""), "model", "missing_required_parameter"),
    ("model a number", chat(model=4), "model", "invalid_type"),
    ("no messages", {"model": "m"}, "messages", "missing_required_parameter"),
    ("empty messages", chat(messages=[]), "messages", "invalid_value"),
    ("messages a string", chat(messages="hi"), "messages", "invalid_type"),
    ("wizard", chat(messages=[*HELLO, {"role": "wizard", "content": "x"}]), "messages[1].role", "invalid_value"),
    ("no role", chat(messages=[{"content": "x"}]), "messages[0].role", "missing_required_parameter"),
    ("no content", chat(messages=[{"role": "user"}]), "messages[0].content", "missing_required_parameter"),
    ("null", chat(messages=[{"role": "system", "content": None}]), "messages[0].content", "missing_required_parameter"),
    ("silent", chat(messages=[{"role": "assistant"}]), "messages[0].content", "missing_required_parameter"),
    ("content 5", chat(messages=[{"role": "user", "content": 5}]), "messages[0].content", "invalid_type"),
    ("no parts", chat(messages=[{"role": "user", "content": []}]), "messages[0].content", "invalid_value"),
    (
        "odd part",
        chat(messages=[{"role": "user", "content": [{"type": "scent", "scent": "rose"}]}]),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    (
        "image without url",
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        "messages[0].content[0].image_url.url",
        "missing_required_parameter",
    ),
    (
        "tool without id",
        chat(messages=[{"role": "tool", "content": "x"}]),
        "messages[0].tool_call_id",
        "missing_required_parameter",
    ),
    (
        "call without function",
        chat(messages=[{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]}]),
        "messages[0].tool_calls[0].function",
        "missing_required_parameter",
    ),
    ("hot", chat(temperature=2.1), "temperature", "invalid_value"),
    ("temperature text", chat(temperature="1"), "temperature", "invalid_type"),
    ("top_p", chat(top_p=1.01), "top_p", "invalid_value"),
    ("n 0", chat(n=0), "n", "invalid_value"),
    ("n 129", chat(n=129), "n", "invalid_value"),
    ("n 1.5", chat(n=1.5), "n", "invalid_type"),
    ("penalty", chat(presence_penalty=-2.5), "presence_penalty", "invalid_value"),
    ("penalty high", chat(frequency_penalty=3), "frequency_penalty", "invalid_value"),
    ("max_tokens 0", chat(max_tokens=0), "max_tokens", "invalid_value"),
    ("max_completion_tokens", chat(max_completion_tokens=0), "max_completion_tokens", "invalid_value"),
    ("both bounds", chat(max_tokens=1, max_completion_tokens=1), "max_tokens", "invalid_value"),
    ("five stops", chat(stop=["a"] * 5), "stop", "invalid_value"),
    ("stop 5", chat(stop=5), "stop", "invalid_type"),
    ("logprobs 1", chat(logprobs=1), "logprobs", "invalid_type"),
    ("top_logprobs 21", chat(logprobs=True, top_logprobs=21), "top_logprobs", "invalid_value"),
    ("top_logprobs alone", chat(top_logprobs=2), "top_logprobs", "invalid_value"),
    ("bias", chat(logit_bias={"1": 101}), "logit_bias[...]", "invalid_value"),
    ("seed", chat(seed="x"), "seed", "invalid_type"),
    ("seed too big", chat(seed=2**63), "seed", "invalid_value"),
    ("user", chat(user=1), "user", "invalid_type"),
    ("metadata", chat(metadata={f"k{i}": "v" for i in range(17)}), "metadata", "invalid_value"),
    ("129 tools", chat(tools=[TOOL] * 129), "tools", "invalid_value"),
    ("tool type", chat(tools=[{"type": "spoon"}]), "tools[0].type", "invalid_value"),
    ("tool empty", chat(tools=[{"type": "function"}]), "tools[0].function", "missing_required_parameter"),
    (
        "tool name",
        chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
        "tools[0].function.name",
        "invalid_value",
    ),
    (
        "tool parameters",
        chat(tools=[{"type": "function", "function": {"name": "a", "parameters": []}}]),
        "tools[0].function.parameters",
        "invalid_type",
    ),
    ("choice without tools", chat(tool_choice="auto"), "tool_choice", "invalid_value"),
    ("choice odd", chat(tools=[TOOL], tool_choice="maybe"), "tool_choice", "invalid_value"),
    (
        "choice unknown",
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "other"}}),
        "tool_choice.function.name",
        "invalid_value",
    ),
    ("parallel alone", chat(parallel_tool_calls=True), "parallel_tool_calls", "invalid_value"),
    ("format", chat(response_format={"type": "xml"}), "response_format.type", "invalid_value"),
    (
        "schema missing",
        chat(response_format={"type": "json_schema"}),
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    ("stream text", chat(stream="yes"), "stream", "invalid_type"),
    ("options alone", chat(stream_options={"include_usage": True}), "stream_options", "invalid_value"),
]


@pytest.mark.parametrize(("body", "param", "code"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_requests_name_the_member_long_or_short(body: dict[str, Any], param: str, code: str) -> None:
    short = refused(compact(body))
    assert isinstance(short, BadRequest) and (short.param, short.code) == (param, code), short.message
    assert param.split("[")[0].split(".")[-1] in short.message
    if isinstance(body.get("messages"), list) and body["messages"]:
        long = refused(compact({**body, "messages": [*body["messages"], {"role": "user", "content": "x " * 5000}]}))
        assert (long.param, long.code) == (param, code)


BROKEN: list[tuple[str, bytes, str]] = [
    ("empty", b"", "empty"),
    ("blank", b" \n", "empty"),
    ("array", b"[]", "not an object"),
    ("text", b"hello", "byte 0"),
    ("cut", b'{"model":"m","messages":[', "byte 25"),
    ("trailing", compact(chat()) + b"x", "trailing characters (byte 61)"),
    ("nan", b'{"model":"m","temperature":NaN}', "byte 27"),
    ("infinity", b'{"model":"m","temperature":-Infinity}', "byte 28"),
    ("bom", b"\xef\xbb\xbf" + compact(chat()), "byte order mark (byte 0)"),
    ("utf-16", compact(chat()).decode().encode("utf-16"), "byte order mark (byte 0)"),
    ("latin-1", compact(chat(user="é")).decode().encode("latin-1"), "not valid UTF-8 (byte 68)"),
    ("surrogate", b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}', "surrogate"),
    ("control character", b'{"model":"m\x01"}', "byte 11"),
    ("comma", b'{"model":"m",}', "byte 13"),
    ("escape", b'{"model":"\\q"}', "byte"),
]


@pytest.mark.parametrize(("body", "says"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_is_no_json_is_refused_with_its_place(body: bytes, says: str) -> None:
    error = refused(body)
    assert error.code == "invalid_json" and says in error.message, error.message


def test_bad_utf8_in_a_member_that_nobody_reads_is_found() -> None:
    for filler in ("x", "x" * 9000):
        body = compact(chat(unknown="é", messages=[{"role": "user", "content": filler}]))
        assert "UTF-8" in refused(body.replace("é".encode(), b"\xe9")).message


def test_huge_numbers_are_refused_not_believed() -> None:
    assert (
        refused(b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":1' + b"0" * 5000 + b"}").param
        == "seed"
    )
    assert (
        refused(b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1e999}').param == "temperature"
    )


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("filler", ["x", "x [{" * 3000], ids=["short", "long"])
@pytest.mark.parametrize("place", ["unknown", "message", "metadata", "parameters", "content"])
def test_depth_is_counted_everywhere(place: str, filler: str) -> None:
    def body(depth: int) -> bytes:
        text = json.dumps(filler)
        extra = {
            "unknown": f'{{"model":"m","messages":[{{"role":"user","content":{text}}}],"x":{nested(depth - 1)}}}',
            "message": f'{{"model":"m","messages":[{{"role":"user","content":{text},"x":{nested(depth - 3)}}}]}}',
            "metadata": f'{{"metadata":{nested(depth - 1)},"messages":[{{"role":"user","content":{text}}}]}}',
            "parameters": f'{{"model":"m","messages":[{{"role":"user","content":{text}}}],"tools":[{{"type":"function",'
            f'"function":{{"name":"f","parameters":{{"x":{nested(depth - 5)}}}}}}}]}}',
            "content": f'{{"model":"m","messages":[{{"role":"user","content":{text}}},'
            f'{{"role":"user","content":{nested(depth - 3)}}}]}}',
        }
        return extra[place].encode()

    error = refused(body(65))
    assert isinstance(error, TooLarge) and error.code == "json_too_deep" and "64" in error.message
    if place in ("unknown", "message", "parameters"):
        openai.parse("chat", body(64))
    assert refused(body(40), max_depth=20).code == "json_too_deep"


@pytest.mark.parametrize("depth", [900, 5000, 200_000])
def test_depth_beyond_all_measure_is_refused(depth: int) -> None:
    assert refused(f'{{"model":"m","messages":{nested(depth)}}}'.encode()).code == "json_too_deep"
    assert refused(b'{"a":' * depth).code in ("json_too_deep", "invalid_json")


def test_brackets_in_texts_are_not_depth() -> None:
    for text in ("[" * 500, '\\"[' * 200, "{[" * 9000, 'a"[' * 3000 + "\\"):
        openai.parse("chat", compact(chat(messages=[{"role": "user", "content": text}])))


def pretty(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


@pytest.mark.parametrize("write", [compact, pretty], ids=["compact", "pretty"])
@pytest.mark.parametrize("size", [1, 20000])
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ('"model":"a"', '"model":"b"'),
        ('"model":"a"', '"model":"a"'),
        ('"model":"a"', '"mod\\u0065l":"b"'),
        ('"x":1', '"x":12'),
        ('"x":12', '"x":1'),
        ('"x":[1]', '"x":[1]'),
        ('"messages":[{"role":"user","content":"a"}]', '"y":1'),
    ],
)
def test_a_key_that_comes_twice_is_refused(write: Any, size: int, first: str, then: str) -> None:
    rest = write(chat(messages=[{"role": "user", "content": "x" * size}]))[1:]
    one, two = first.encode(), then.encode()
    for body in (b"{" + one + b"," + two + b"," + rest, b"{" + one + b"," + rest[:-1] + b"," + two + b"}"):
        error = refused(body)
        assert error.code == "duplicate_key" and error.param in ("model", "x", "messages")
        assert error.param and error.param in error.message


@pytest.mark.parametrize("write", [compact, pretty, lambda v: json.dumps(v).encode()])
def test_keys_that_come_once_pass_however_they_are_written(write: Any) -> None:
    body = {"ключ": 1, 'a"b\\': {"model": 1, "messages": 2}, **chat(x="}", y=',"model":"z"')}
    call = openai.parse("chat", write(body))
    assert {key: json.loads(bytes(value)) for key, value in call.fields.items()} == body


text = st.text(st.characters(codec="utf-8"), max_size=20)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
message = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "tool", "sage"]),
        "content": text | st.none() | json_value,
    },
    optional={"name": text, "tool_call_id": text, "x": json_value, "refusal": text | st.none()},
)
request = st.fixed_dictionaries(
    {"messages": st.lists(message, max_size=3)},
    optional={
        "model": text,
        "tools": st.just([TOOL]),
        "x": json_value,
        "stop": st.lists(text),
        "n": st.integers(-1, 3),
    },
).flatmap(lambda members: st.permutations(list(members.items())).map(dict))


@settings(max_examples=80, deadline=None)
@given(
    request,
    st.sampled_from(
        [compact, pretty, lambda v: json.dumps(v).encode(), lambda v: json.dumps(v, separators=(",", ":")).encode()]
    ),
)
def test_the_way_of_long_bodies_agrees_with_the_plain_way(body: dict[str, Any], write: Any) -> None:
    data = write(body)
    found = openai_request._read_long("chat", data, 64)
    if found is None:
        return
    fields, typed = openai_request._read("chat", data, 64)  # raises nothing: what the one lets pass, so does the other
    assert {k: bytes(v) for k, v in found[0].items()} == {k: bytes(v) for k, v in fields.items()}
    assert openai_request._chat_needs(found[1]) == openai_request._chat_needs(typed)
    assert (found[1].model, found[1].n, found[1].stop) == (typed.model, typed.n, typed.stop)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60)
    | request.map(compact).flatmap(lambda b: st.integers(0, len(b)).map(lambda at: b[:at] + b[at + 1 :]))
)
def test_nothing_but_our_errors_comes_out(data: bytes) -> None:
    for kind in ("chat", "completion", "embedding"):
        try:
            call = openai.parse(kind, data)  # type: ignore[arg-type]
        except FreeholdError as e:
            assert e.status == 400
        else:
            json.loads(openai.encode(call.fields))


def test_the_way_of_long_bodies_is_taken() -> None:
    content = "word " * 3000
    bodies = [
        ("chat", chat(messages=[{"role": "user", "content": content}], tools=[TOOL], stream=True)),
        ("chat", {"messages": [*MESSAGES[1], *MESSAGES[6], {"role": "user", "content": content}], "model": "m"}),
        ("completion", {"model": "m", "prompt": content, "max_tokens": 5}),
        ("embedding", {"input": content, "model": "m"}),
    ]
    for kind, body in bodies:
        assert openai_request._read_long(kind, compact(body), 64) is not None  # type: ignore[arg-type]


def test_facts_of_a_call() -> None:
    body = chat(
        stream=True,
        stream_options={"include_usage": True},
        n=3,
        max_completion_tokens=7,
        user="ann",
        metadata={"session_id": "s1"},
        tools=[TOOL],
        logprobs=True,
        response_format={"type": "json_schema", "json_schema": {"name": "a"}},
        messages=MESSAGES[1],
        best_kept="as it is",
    )
    call = openai.parse("chat", compact(body), id="call_1", dialect="azure", model="from-path")
    assert (call.id, call.dialect, call.asked) == ("call_1", "azure", "from-path")
    assert call.stream and call.include_usage and call.choices == 3 and call.max_output == 7
    assert (call.user, call.session, call.size) == ("ann", "s1", len(compact(body)))
    assert call.needs == {"tools", "logprobs", "json_schema", "vision"}
    assert bytes(call.fields["best_kept"]) == b'"as it is"'


@pytest.mark.parametrize(
    ("members", "session"),
    [({"user": "u"}, "u"), ({"user": "u", "metadata": {"session": "s"}}, "s"), ({"metadata": {"a": "b"}}, None)],
)
def test_session(members: dict[str, Any], session: str | None) -> None:
    assert openai.parse("chat", compact(chat(**members))).session == session


def test_ids_are_made_when_none_is_given() -> None:
    ids = {openai.parse("chat", compact(chat())).id for _ in range(3)}
    assert len(ids) == 3 and all(i.startswith("call_") for i in ids)


@pytest.mark.parametrize("prompt", ["", "once", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_completions(prompt: Any) -> None:
    body = {"model": "m", "prompt": prompt, "suffix": "end", "best_of": 4, "n": 2, "logprobs": 0, "max_tokens": 0}
    valid(body, "CreateCompletionRequest")
    call = openai.parse("completion", compact(body))
    assert call.choices == 4 and call.needs == {"suffix", "logprobs"} and call.max_output == 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "prompt"),
        ({"model": "m", "prompt": None}, "prompt"),
        ({"model": "m", "prompt": []}, "prompt"),
        ({"model": "m", "prompt": ["a", 1]}, "prompt"),
        ({"model": "m", "prompt": [[]]}, "prompt"),
        ({"model": "m", "prompt": [-1]}, "prompt"),
        ({"model": "m", "prompt": "x", "logprobs": 6}, "logprobs"),
        ({"model": "m", "prompt": "x", "n": 3, "best_of": 2}, "best_of"),
        ({"model": "m", "prompt": "x", "stream": True, "best_of": 2}, "best_of"),
        ({"model": "m", "prompt": "x", "stream_options": {}}, "stream_options"),
        ({"prompt": "x"}, "model"),
    ],
)
def test_bad_completions(body: dict[str, Any], param: str) -> None:
    assert refused(compact(body), "completion").param == param


@pytest.mark.parametrize("input_", ["text", ["a"] * 2048, [1, 2], [[1], [2]]])
def test_embeddings(input_: Any) -> None:
    body = {"model": "m", "input": input_, "dimensions": 1, "encoding_format": "base64", "user": "u"}
    valid(body, "CreateEmbeddingRequest")
    call = openai.parse("embedding", compact(body))
    assert call.needs == {"dimensions"} and call.user == "u" and not call.stream


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_bad_embeddings(members: dict[str, Any], param: str) -> None:
    assert refused(compact({"model": "m", **members}), "embedding").param == param


def test_encode_keeps_all_other_bytes() -> None:
    body = b'{"model":"m","messages":[ {"role":"user", "content":"\\u00e9"} ],"temperature":1.0,"x":1e2}'
    fields = openai.parse("chat", body).fields
    assert openai.encode(fields) == body
    assert openai.encode(fields, model="n") == body.replace(b'"m"', b'"n"', 1)
    assert openai.encode(fields, x=..., y=[1], temperature=None) == (
        b'{"model":"m","messages":[ {"role":"user", "content":"\\u00e9"} ],"temperature":null,"y":[1]}'
    )
    assert openai.encode({"a": msgspec.Raw(b"[1]")}, b="c") == b'{"a":[1],"b":"c"}'
