from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.wire.dialects.published import valid

from freehold.core import errors
from freehold.core.errors import FreeholdError
from freehold.wire.dialects import azure

REPLY: dict[str, Any] = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": i,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "hi", "refusal": None},
        }
        for i in range(2)
    ],
}


@pytest.mark.parametrize("version", [azure.NEWEST_GA, "2023-05-15", "2024-06-01", "2025-04-01-preview"])
def test_known_versions_pass(version: str) -> None:
    azure.check_version(version)


@pytest.mark.parametrize("version", [None, "", "v1", "preview", "latest"])
def test_v1_paths_need_none(version: str | None) -> None:
    azure.check_version(version, v1=True)


@pytest.mark.parametrize(
    ("version", "status", "said"),
    [
        (None, 404, {"code": "404", "message": "Resource not found"}),
        ("", 404, {"code": "404", "message": "Resource not found"}),
        ("2031-01-01", 400, {"code": "BadRequest", "message": "API version not supported"}),
        ("v1", 400, {"code": "BadRequest", "message": "API version not supported"}),
    ],
)
def test_other_versions_are_refused_as_azure_does(version: str | None, status: int, said: dict[str, str]) -> None:
    with pytest.raises(FreeholdError) as caught:
        azure.check_version(version)
    got, _, body = azure.error(caught.value, "r")
    assert got == status and valid(body, "errorResponse", azure=True) == {"error": said}


def test_a_dated_version_is_unknown_to_v1_paths() -> None:
    with pytest.raises(FreeholdError) as caught:
        azure.check_version("2024-10-21", v1=True)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Unauthenticated("No key."), 401, "401"),
        (errors.NotFound("No such model.", code="model_not_found"), 404, "DeploymentNotFound"),
        (azure.deployment_not_found("x"), 404, "DeploymentNotFound"),
        (errors.OverLimit("Slow."), 429, "429"),
        (errors.OverBudget("Spent."), 429, "insufficient_quota"),
        (errors.Forbidden("No."), 403, "403"),
        (errors.BadRequest("Bad.", code="invalid_value", param="n"), 400, "invalid_value"),
        (errors.UpstreamFault("Down."), 502, "upstream_fault"),
    ],
)
def test_errors(error: FreeholdError, status: int, code: str) -> None:
    got, headers, body = azure.error(error, "r1")
    said = valid(body, "errorResponse", azure=True)["error"]
    assert (got, said["code"]) == (status, code) and dict(headers)[b"apim-request-id"] == b"r1"
    assert b"www-authenticate" not in dict(headers)
    assert (said["message"].startswith("Access denied due to invalid subscription key")) == (status == 401)


def test_a_filtered_request() -> None:
    error = errors.UpstreamRejected("Filtered.", code="content_filter")
    said = json.loads(azure.error_object(error))["error"]
    assert said["code"] == "content_filter" and said["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    error.body = b'{"error":{"code":"content_filter","message":"own words","innererror":{"a":1}}}'
    assert azure.error_object(error) == error.body


def test_a_reply_claims_nothing_about_filters_that_did_not_run() -> None:
    said = valid(azure.annotate_reply(json.dumps(REPLY).encode()), "createChatCompletionResponse", azure=True)
    assert said.pop("prompt_filter_results") == [{"prompt_index": 0, "content_filter_results": {}}]
    assert [choice.pop("content_filter_results") for choice in said["choices"]] == [{}, {}]
    assert said == REPLY


def test_what_a_filter_did_say_is_kept() -> None:
    verdict = {"hate": {"filtered": True, "severity": "high"}}
    choices = [{**REPLY["choices"][0], "content_filter_results": verdict}, REPLY["choices"][1]]
    body = {**REPLY, "choices": choices, "prompt_filter_results": []}
    said = json.loads(azure.annotate_reply(json.dumps(body).encode()))
    assert said["prompt_filter_results"] == []
    assert [choice["content_filter_results"] for choice in said["choices"]] == [verdict, {}]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":[]}', b'{"choices":3}', b'{"error":{}}', b"\xff"])
def test_other_bodies_come_back_unchanged(body: bytes) -> None:
    assert azure.annotate_reply(body) == body and azure.annotate_event(body) == body


def test_events() -> None:
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"content": "a\\n\\nb"}, "finish_reason": None, "logprobs": None}
    event = b"data: " + json.dumps({**chunk, "choices": [choice]}).encode() + b"\n\n"
    usage = b"data: " + json.dumps({**chunk, "choices": [], "usage": {"prompt_tokens": 1}}).encode() + b"\n\n"
    comment, done = b": wait\n\n", b"data: [DONE]\n\n"
    out = azure.annotate_events(event + comment + event + usage + done)
    first, second, third, fourth, fifth, rest = out.split(b"\n\n")
    assert first == third and second + b"\n\n" == comment and fourth + b"\n\n" == usage and fifth + b"\n\n" == done
    said = valid(first[6:], "createChatCompletionStreamResponse", azure=True)
    assert said["choices"] == [{**choice, "content_filter_results": {}}] and rest == b""


def test_a_stream_opens_with_the_prompts_results() -> None:
    event = azure.opening_event("call_1", "gpt")
    said = valid(event[6:], "createChatCompletionStreamResponse", azure=True)
    assert event.endswith(b"\n\n") and said["choices"] == [] and said["model"] == "gpt"
    assert said["prompt_filter_results"] == [{"prompt_index": 0, "content_filter_results": {}}]


FOUND: dict[str, object] = {
    "hate": {"filtered": True, "severity": "high"},
    "violence": {"filtered": False, "severity": "safe"},
    "profanity": {"filtered": False, "detected": True},
}


def test_what_our_own_filter_found_is_said_and_a_vendors_own_words_stand() -> None:
    theirs = {"sexual": {"filtered": False, "severity": "low"}}
    choices = [
        {**REPLY["choices"][0], "finish_reason": "content_filter"},
        REPLY["choices"][1],
        {**REPLY["choices"][1], "index": 2, "content_filter_results": theirs},
    ]
    body = json.dumps({**REPLY, "choices": choices}).encode()
    said = valid(azure.annotate_reply(body, FOUND, FOUND), "createChatCompletionResponse", azure=True)
    assert said["prompt_filter_results"] == [{"prompt_index": 0, "content_filter_results": FOUND}]
    results = [choice["content_filter_results"] for choice in said["choices"]]
    assert results[0] == FOUND and results[2] == theirs
    assert results[1]["hate"] == {"filtered": False, "severity": "high"}  # another choice was stopped for it
    event = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}\n\n'
    (choice,) = json.loads(azure.annotate_events(event, FOUND)[6:])["choices"]
    assert choice["content_filter_results"]["profanity"] == {"filtered": False, "detected": True}
    opening = json.loads(azure.opening_event("call_1", "gpt", FOUND)[6:])
    assert opening["prompt_filter_results"][0]["content_filter_results"] == FOUND


def test_a_stopped_request_says_what_was_found() -> None:
    e = errors.Blocked("Stopped.", param="messages")
    e.filter = FOUND
    status, _, body = azure.error(e, "r1")
    said = json.loads(body)["error"]
    assert (status, said["code"], said["param"]) == (400, "content_filter", "messages")
    assert said["innererror"] == {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FOUND}
