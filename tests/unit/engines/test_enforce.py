"""Tool calls and schemas: read, refused, rebuilt."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, EngineError, FreeholdError, Unsupported
from freehold.engines import enforce, schema
from freehold.engines.enforce_shape import ForcedCall, Formed, MaybeCalls, Text, read_calls, shaper


def tool(name: str = "weather", parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters or city, **more}}


def gather(pieces: list[tuple[dict[str, Any], Any]]) -> tuple[str, dict[int, dict[str, str]]]:
    """Text and calls that deltas add up to."""
    text, calls = "", {}
    for delta, _ in pieces:
        text += delta.get("content", "")
        for call in delta.get("tool_calls", ()):
            at = calls.setdefault(call["index"], {"name": "", "arguments": "", "id": ""})
            at["name"] += call["function"].get("name", "")
            at["arguments"] += call["function"].get("arguments", "")
            at["id"] += call.get("id", "")
    return text, calls


def test_choices_become_plans() -> None:
    tools = [tool("a"), tool("b")]
    assert enforce.plan({"tools": tools}).choice == "auto"
    assert enforce.plan({"tools": tools, "tool_choice": "none"}).choice == "none"
    assert [t.name for t in enforce.plan({"tools": tools, "tool_choice": "required"}).tools] == ["a", "b"]
    named = enforce.plan({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "b"}}})
    assert named.enforced and [t.name for t in named.tools] == ["b"]
    allowed = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "a"}}]},
    }
    assert [t.name for t in enforce.plan({"tools": tools, "tool_choice": allowed}).tools] == ["a"]


@pytest.mark.parametrize(
    "request_",
    [
        {"tool_choice": "required"},
        {"tools": [tool()], "tool_choice": "maybe"},
        {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"tools": [tool(), tool()]},
        {"tools": [tool("bad name")]},
        {"tools": [{"type": "web_search"}]},
        {"tools": [tool(parameters={"type": "array"})]},
        {"tools": [tool()], "parallel_tool_calls": "yes"},
        {"response_format": {"type": "yaml"}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
    ],
)
def test_wrong_requests_are_refused(request_: dict[str, Any]) -> None:
    with pytest.raises((BadRequest, Unsupported)) as caught:
        enforce.plan(request_)
    assert caught.value.param and caught.value.hint


def test_the_grammar_names_every_allowed_tool_and_moves_references() -> None:
    parameters = {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/Place"}},
        "$defs": {"Place": {"type": "string"}},
    }
    wanted = enforce.plan({"tools": [tool("go", parameters), tool("stay")], "tool_choice": "required"})
    grammar = enforce.grammar_schema(wanted)
    assert grammar is not None
    names = [o["properties"]["name"]["const"] for o in grammar["anyOf"]]
    assert names == ["go", "stay"]
    moved = grammar["$defs"]["tool0"]["properties"]["at"]["$ref"]
    assert schema.resolve(grammar, moved) == {"type": "string"}


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"type": "string", "pattern": "(?=a)b"}, "#/properties/x/pattern"),
        ({"type": "string", "pattern": "^(?=a)b$"}, "#/properties/x/pattern"),
        ({"type": "string", "pattern": r"^\bx$"}, "#/properties/x/pattern"),
        ({"$ref": "#/nope"}, "#/properties/x/$ref"),
        ({"$ref": "https://example.com/schema"}, "#/properties/x/$ref"),
        ({"type": "text"}, "#/properties/x/type"),
        ({"type": "array", "items": {"$ref": "#/$defs/none"}}, "#/properties/x/items/$ref"),
    ],
)
def test_what_the_grammar_would_silently_ignore_is_refused_with_its_path(part: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest, match="Invalid schema") as caught:
        schema.prepare({"type": "object", "properties": {"x": part}}, "response_format", strict=False)
    assert f"at {path}:" in caught.value.message


@pytest.mark.parametrize("name", ["multipleOf", "not", "uniqueItems", "patternProperties", "minProperties", "if"])
def test_a_strict_schema_may_only_ask_for_what_can_be_enforced(name: str) -> None:
    given = {"type": "object", "properties": {"x": {name: 2}}}
    schema.prepare(given, "p", strict=False)
    with pytest.raises(BadRequest, match=f"#/properties/x/{name}"):
        schema.prepare(given, "p", strict=True)


def test_ranges_are_enforceable_for_integers_only() -> None:
    schema.prepare({"type": "integer", "minimum": 1}, "p", strict=True)
    with pytest.raises(BadRequest, match="minimum"):
        schema.prepare({"type": "number", "minimum": 1}, "p", strict=True)


@pytest.mark.parametrize(
    ("pattern", "becomes"),
    [
        (r"^\d{3}-[\w.]+$", "^[0-9]{3}-[A-Za-z0-9_.]+$"),
        (r"^a\.b\/c$", r"^a\.b/c$"),
        (r"^(?:ab|c)*$", r"^(?:ab|c)*$"),
    ],
)
def test_patterns_are_put_in_words_that_the_grammar_knows(pattern: str, becomes: str) -> None:
    assert schema.prepare({"type": "string", "pattern": pattern}, "p", strict=True)["pattern"] == becomes


@given(st.text(max_size=12))
def test_no_pattern_breaks_the_translation(text: str) -> None:
    translated, why = schema.translate(f"^{text}$")
    assert bool(translated) != bool(why)


CALL = '{ "name": "weather",\n "arguments": {"city": "a \\"}{ b", "n": [1, {"x": 2}]} }'


@given(st.lists(st.integers(0, len(CALL)), max_size=20))
def test_a_forced_call_is_the_same_however_it_arrives(cuts: list[int]) -> None:
    marks = sorted({0, len(CALL), *cuts})
    one = ForcedCall()
    pieces = [p for a, b in itertools.pairwise(marks) for p in one.push(CALL[a:b], None, None, None)]
    end, reason = one.finish("stop")
    text, calls = gather(pieces + end)
    assert text == "" and reason == "tool_calls"
    assert calls[0]["name"] == "weather" and calls[0]["id"].startswith("call_")
    assert json.loads(calls[0]["arguments"]) == {"city": 'a "}{ b', "n": [1, {"x": 2}]}


def test_a_forced_call_cut_by_the_token_limit_says_so() -> None:
    one = ForcedCall()
    one.push('{"name": "weather", "arguments": {"ci', None, None, None)
    assert one.finish("length") == ([], "length")


WANTED = enforce.plan({"tools": [tool("weather"), tool("time", {"type": "object", "properties": {}})]})


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "weather", "arguments": {"city": "Rome"}}',
        '```json\n{"name": "weather", "arguments": {"city": "Rome"}}\n```',
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
        '[{"name": "weather", "parameters": {"city": "Rome"}}]',
        '  {"function": {"name": "weather", "arguments": "{\\"city\\": \\"Rome\\"}"}}',
    ],
)
def test_a_lone_block_of_json_is_a_call(text: str) -> None:
    one = MaybeCalls(WANTED)
    pieces = [p for sign in text for p in one.push(sign, None, None, None)]
    assert not pieces  # nothing was shown too early
    end, reason = one.finish("stop")
    shown, calls = gather(end)
    assert (shown, reason) == ("", "tool_calls")
    assert calls[0]["name"] == "weather" and json.loads(calls[0]["arguments"]) == {"city": "Rome"}


@pytest.mark.parametrize(
    "text",
    [
        "It is sunny in Rome.",
        '{"name": "unknown", "arguments": {}}',
        '{"name": "weather", "arguments": {"town": "Rome"}}',
        'Sure: {"name": "weather", "arguments": {"city": "Rome"}}',
        "```python\nprint(1)\n```",
        "[1, 2]",
        "`x` is a variable",
        '{"name": "weather", "arguments": {"city": "Ro',
        "   ",
    ],
)
def test_everything_else_stays_text_to_the_letter(text: str) -> None:
    one = MaybeCalls(WANTED)
    pieces = [p for sign in text for p in one.push(sign, None, None, None)]
    end, reason = one.finish("stop")
    shown, calls = gather(pieces + end)
    assert (shown, calls, reason) == (text, {}, "stop")


def test_one_call_at_a_time_when_parallel_calls_are_off() -> None:
    wanted = enforce.plan({"tools": [tool()], "parallel_tool_calls": False})
    block = '{"name": "weather", "arguments": {"city": "A"}}'
    held = MaybeCalls(wanted)
    held.push(f"[{block}, {block}]", None, None, None)
    assert list(gather(held.finish("stop")[0])[1]) == [0]
    native = MaybeCalls(wanted)
    calls = [{"index": i, "id": f"c{i}", "function": {"name": "weather", "arguments": "{}"}} for i in (0, 1)]
    pieces = native.push(None, calls, None, None)
    assert list(gather(pieces)[1]) == [0]
    assert native.finish("stop")[1] == "tool_calls"


def test_parsed_calls_of_the_template_pass_through_with_text_before_them() -> None:
    one = MaybeCalls(WANTED)
    pieces = one.push("Let me see. ", None, None, None)
    pieces += one.push(None, [{"index": 0, "function": {"name": "time", "arguments": "{"}}], None, None)
    pieces += one.push(None, [{"index": 0, "function": {"arguments": "}"}}], None, None)
    text, calls = gather(pieces)
    assert text == "Let me see. " and calls[0]["name"] == "time" and calls[0]["arguments"] == "{}"


def test_a_conversation_is_retold_for_templates_without_tools() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    told = enforce.retell(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Rome?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "sunny"}]},
        ],
        enforce.explain(WANTED),
    )
    assert told[0]["content"].startswith("Be brief.") and '"weather"' in told[0]["content"]
    assert told[2] == {"role": "assistant", "content": '{"name": "weather", "arguments": {"city":"Rome"}}'}
    assert told[3] == {"role": "user", "content": "Result of weather: sunny"}


def test_each_plan_has_its_shaper() -> None:
    assert type(shaper(enforce.Plan())) is Text
    assert type(shaper(WANTED)) is MaybeCalls
    assert type(shaper(enforce.plan({"tools": [tool()], "tool_choice": "required"}))) is ForcedCall


def test_calls_are_read_only_when_all_of_them_are_good() -> None:
    tools = {t.name: t for t in WANTED.tools}
    good, bad = '{"name":"time","arguments":{}}', '{"name":"nope","arguments":{}}'
    assert [n for n, _ in read_calls(f"<tool_call>{good}</tool_call><tool_call>{good}</tool_call>", tools)] == [
        "time"
    ] * 2
    assert read_calls(f"<tool_call>{good}</tool_call><tool_call>{bad}</tool_call>", tools) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x),
        max_leaves=8,
    )
)
def test_any_schema_is_prepared_or_refused(value: Any) -> None:
    try:
        schema.prepare(value, "p", strict=True)
    except FreeholdError as e:
        assert e.hint


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"in": inner}, "required": ["in"], "additionalProperties": False}
    return inner


def arrays(count: int, most: int) -> dict[str, Any]:
    return {"properties": {f"p{i}": {"type": "array", "maxItems": most} for i in range(count)}}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"enum": list(range(1001))}, "1,001 enum values; at most 1,000"),
        ({"anyOf": [{"enum": list(range(600))}, {"enum": list(range(600, 1200))}]}, "1,200 enum values"),
        ({"enum": [f"{i:061}" for i in range(251)]}, "at #/enum: its 251 values hold 15,311 characters"),
        ({"enum": []}, "at #/enum: it is empty"),
        ({"properties": {f"p{i}": {} for i in range(2001)}}, "2,001 properties"),
        ({"properties": {f"p{i}": {} for i in range(401)}}, "at #/properties: 401 of them are not required"),
        ({"properties": {"x" * 120_001: {}}}, "120,001 characters"),
        ({"anyOf": [{"type": "null"}] * 1001}, "1,001 alternatives"),
        ({"type": "string", "minLength": 1_000_000}, "at #/minLength: 1,000,000 is more than a reply can hold"),
        ({"items": {"type": "array", "minItems": 100_000}}, "at #/items/minItems: 100,000"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "at #/minItems: 3 is more than maxItems, 2"),
        ({"type": "array", "maxItems": -1}, "at #/maxItems: it must be a whole number"),
        (arrays(3, 4000), "12,000 items"),
        ({"$ref": "#"}, "at #/$ref: the reference leads back to itself"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"$ref": "#/$defs/b"}}}, "leads back to itself"),
    ],
)
def test_more_than_a_grammar_can_hold_is_refused_in_words(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        schema.prepare(given_, "response_format.json_schema.schema", strict=False)
    error = caught.value
    assert words in error.message and error.hint
    assert (error.code, error.param) == ("invalid_json_schema", "response_format.json_schema.schema")


def test_what_openai_documents_is_taken() -> None:
    schema.prepare({"enum": [f"{i:015}" for i in range(1000)]}, "p", strict=True)
    schema.prepare(nested(10), "p", strict=True)
    schema.prepare(nested(20), "p", strict=False)
    with pytest.raises(BadRequest, match="nested more than 10 deep"):
        schema.prepare(nested(11), "p", strict=True)
    tree = {"$defs": {"n": {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    assert schema.prepare(tree, "p", strict=False) == tree


def test_a_bound_that_no_reply_can_reach_is_left_out() -> None:
    given_ = {"type": "array", "items": {"type": "string", "maxLength": 2**31 - 1}, "maxItems": 10**9, "minItems": 1}
    assert schema.prepare(given_, "p", strict=True) == {"type": "array", "items": {"type": "string"}, "minItems": 1}


def test_all_tools_together_have_a_bound() -> None:
    many = [tool(f"t{i}", {"type": "object", "properties": {"x": {"enum": list(range(900))}}}) for i in range(4)]
    assert not enforce.plan({"tools": many[:3]}).calm
    with pytest.raises(BadRequest, match="3,600 enum values; at most 3,000") as caught:
        enforce.plan({"tools": many})
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "tools")


@pytest.mark.parametrize(
    ("parameters", "calm"),
    [
        ({"properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer"}}}, True),
        ({"properties": {"city": {"enum": list(range(65))}}}, False),
        ({"properties": {f"p{i}": {} for i in range(65)}}, False),
        ({"properties": {f"p{i}": {} for i in range(65)}, "required": [f"p{i}" for i in range(65)]}, True),
        ({"properties": {"x": {"type": "string", "pattern": "^a+$"}}}, False),
        ({"properties": {"x": {"anyOf": [{"type": "null"}] * 65}}}, False),
        ({"properties": {"x": {"type": "string", "maxLength": 2000}}}, False),
        ({"$defs": {"n": {"type": "null"}}, "properties": {"x": {"$ref": "#/$defs/n"}}}, False),
    ],
)
def test_only_calm_schemas_reach_the_simple_grammar(parameters: dict[str, Any], calm: bool) -> None:
    assert enforce.plan({"tools": [tool("t", {"type": "object", **parameters})]}).calm is calm


def test_a_reply_off_its_schema_is_an_error_and_not_an_answer() -> None:
    wanted = enforce.Plan(schema={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
    for text, reason, good in (
        ('{"a": 1}', "stop", True),
        ('{"a": "\\ud83d"}', "stop", False),
        ("Sure, here you are:", "stop", False),
        ('{"a": ', "length", True),
    ):
        one = shaper(wanted)
        assert type(one) is Formed
        assert one.push(text, None, None, None) == [({"content": text}, None)]
        if good:
            assert one.finish(reason) == ([], reason)
            continue
        with pytest.raises(EngineError) as caught:
            one.finish(reason)
        assert caught.value.code == "reply_off_schema"
    assert type(shaper(wanted, whole=False)) is Text, "the caller's own stop may cut it"
    forced = ForcedCall()
    forced.push("I would rather talk.", None, None, None)
    with pytest.raises(EngineError):
        forced.finish("stop")
    assert ForcedCall(whole=False).finish("stop") == ([], "stop")
