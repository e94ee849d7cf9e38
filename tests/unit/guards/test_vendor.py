"""What a vendor's own filter decided, as its replies say it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.guards import vendor
from freehold.ledger import Verdict

SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def reply(**choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "hi", "refusal": None}
    return {"id": "x", "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}]}


def told(body: Any) -> tuple[Verdict, ...]:
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    found = vendor.verdicts(raw)
    assert bool(found) <= vendor.tells(raw)  # whatever is found is looked for
    return found


def test_an_answer_like_any_other_tells_nothing() -> None:
    plain = json.dumps(reply(), separators=(",", ":")).encode()
    assert not vendor.tells(plain) and told(plain) == ()
    safe = {**reply(content_filter_results=SAFE), "prompt_filter_results": [{"content_filter_results": SAFE}]}
    assert told(safe) == ()
    assert not vendor.tells(json.dumps(safe, separators=(",", ":")).encode())


def test_azures_filter_notes_and_stops() -> None:
    prompt = {
        **SAFE,
        "jailbreak": {"filtered": False, "detected": True},
        "violence": {"filtered": False, "severity": "low"},
    }
    answer = {**SAFE, "hate": {"filtered": True, "severity": "high"}}
    body = {
        **reply(content_filter_results=answer, finish_reason="content_filter"),
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": prompt}],
    }
    assert told(body) == (
        Verdict("vendor", "input", "violence", 2, "note", detail="violence"),
        Verdict("vendor", "input", "jailbreak", 4, "note", detail="jailbreak"),
        Verdict("vendor", "output", "hate", 6, "block", detail="hate"),
    )


@pytest.mark.parametrize("member", ["content_filter_result", "content_filter_results"])
def test_azure_refuses_a_prompt(member: str) -> None:
    inner = {
        "code": "ResponsibleAIPolicyViolation",
        member: {**SAFE, "sexual": {"filtered": True, "severity": "medium"}},
    }
    body = {"error": {"code": "content_filter", "message": "no", "status": 400, "innererror": inner}}
    assert told(body) == (Verdict("vendor", "input", "sexual", 4, "block", detail="sexual"),)


def test_a_refused_prompt_without_a_reason() -> None:
    body = {
        "error": {"code": "content_filter", "message": "no", "innererror": {"code": "x", "content_filter_result": {}}}
    }
    for said in (body, {"error": {"code": "content_filter", "message": "no"}}):
        assert told(said) == (Verdict("vendor", "input", "unnamed", 4, "block", detail="error"),)
    assert told({"error": {"code": "rate_limit_exceeded", "message": "slow"}}) == ()


@pytest.mark.parametrize("reason", ["content_filter", "refusal", "SAFETY"])
def test_finish_reasons(reason: str) -> None:
    assert told(reply(finish_reason=reason)) == (
        Verdict("vendor", "output", "unnamed", 4, "block", detail=f"finish_reason {reason.lower()}"),
    )


def test_a_refusal_in_words() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I can't help with that."}
    assert told(reply(message=message)) == (Verdict("vendor", "output", "unnamed", 0, "refuse", detail="refusal"),)


def test_a_stream_says_each_decision_once() -> None:
    low = {**SAFE, "violence": {"filtered": False, "severity": "low"}}
    chunks = [
        {"choices": [], "prompt_filter_results": [{"content_filter_results": low}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None, "content_filter_results": low}]},
        {"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": None, "content_filter_results": low}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter", "content_filter_results": {}}]},
    ]
    events = [b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n" for chunk in chunks]
    assert all(map(vendor.tells, events))
    found = vendor.verdicts(events)
    assert [(v.side, v.category, v.action) for v in found] == [
        ("input", "violence", "note"), ("output", "violence", "note"), ("output", "unnamed", "block"),
    ]  # fmt: skip
    assert found == vendor.verdicts([b"".join(events)])


names = st.sampled_from(
    ["choices", "error", "innererror", "content_filter_results", "prompt_filter_results", "finish_reason", "message",
     "refusal", "hate", "filtered", "severity"]
)  # fmt: skip
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(bodies)
def test_whatever_a_vendor_sends_is_read(body: Any) -> None:
    for verdict in vendor.verdicts(json.dumps(body).encode()):
        assert verdict.by == "vendor"


@given(st.binary(max_size=80))
def test_what_is_no_json_tells_nothing(body: bytes) -> None:
    vendor.verdicts(body)
    vendor.tells(body)
