"""What Azure OpenAI adds to OpenAI's dialect: api-versions, error shapes, content-filter members.

Sources, read 2026-11: Microsoft's "API version lifecycle" and changelog pages for the versions; for the refusals the
service's answers as users report them: no api-version, 404 `{"error":{"code":"404","message":"Resource not found"}}`
(MicrosoftDocs/azure-docs#114602, ThinkInAIXYZ/deepchat#262); an unknown one, 400 `{"error":{"code":"BadRequest",
"message":"API version not supported"}}` (hotovo/aider-desk#460); an unknown deployment, 404 `DeploymentNotFound`
(egoist/chatwise-releases#992). `/openai/v1/` needs none and takes `v1`, `preview`, `latest`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from freehold.core import errors
from freehold.core.errors import BadRequest, FreeholdError, NotFound
from freehold.wire.dialects import openai_reply
from freehold.wire.dialects.openai_reply import Headers

GA = ("2022-12-01", "2023-05-15", "2024-02-01", "2024-06-01", "2024-10-21")
"""Versions of the data plane's inference API that Azure calls stable."""

PREVIEW = (
    "2023-03-15-preview",
    "2023-06-01-preview",
    "2023-07-01-preview",
    "2023-08-01-preview",
    "2023-09-01-preview",
    "2023-10-01-preview",
    "2023-12-01-preview",
    "2024-02-15-preview",
    "2024-03-01-preview",
    "2024-04-01-preview",
    "2024-05-01-preview",
    "2024-07-01-preview",
    "2024-08-01-preview",
    "2024-09-01-preview",
    "2024-10-01-preview",
    "2024-12-01-preview",
    "2025-01-01-preview",
    "2025-02-01-preview",
    "2025-03-01-preview",
    "2025-04-01-preview",
)
"""Preview versions ever served. Azure has retired the early ones; we still honour them, because a client that cannot be
changed is a reason to come here."""

NEWEST_GA = GA[-1]
VERSIONS = frozenset(GA + PREVIEW)
V1_VERSIONS = frozenset(("", "v1", "preview", "latest"))

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[dict[str, Raw]])
_EMPTY = Raw(b"{}")
_NONE = Raw(b"[]")
_STOPPED = Raw(b'"content_filter"')
_PROMPT = Raw(b'[{"prompt_index":0,"content_filter_results":{}}]')


class _Error(Struct, omit_defaults=True):
    code: str
    message: str
    param: str | None = None
    type: str | None = None
    innererror: dict[str, object] | None = None


def check_version(version: str | None, *, v1: bool = False) -> None:
    """Refuse an api-version as Azure does: NotFound when it is missing, BadRequest when nobody knows it."""
    if v1:
        if (version or "") in V1_VERSIONS:
            return
    elif version in VERSIONS:
        return
    elif not version:
        raise NotFound(
            "Resource not found", code="404", hint=f"Add the query parameter api-version, for example {NEWEST_GA}."
        )
    raise BadRequest("API version not supported", code="BadRequest", hint=f"Use api-version={NEWEST_GA}.")


def deployment_not_found(name: str) -> NotFound:
    """Return the error for a path that names no deployment of ours."""
    return NotFound(
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
        code="DeploymentNotFound",
        hint=f"No route is called {name!r}."
        if name
        else "GET /openai/v1/models lists the names that your key may use.",
    )


def error(e: FreeholdError, request_id: str) -> tuple[int, Headers, bytes]:
    """Return status, headers and body that tell `e` to an Azure client."""
    status, headers, _ = openai_reply.error(e, request_id)
    headers = [header for header in headers if header[0] != b"www-authenticate"]
    headers.append((b"apim-request-id", request_id.encode("latin-1", "replace")))
    return status, headers, error_object(e)


def error_object(e: FreeholdError) -> bytes:
    """Return `{"error": {...}}` in Azure's shape: codes that its clients test for, no `type` where Azure sends none."""
    if isinstance(e, errors.UpstreamRejected) and e.body:
        return openai_reply.error_object(e)
    if isinstance(e, errors.Unauthenticated):
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for "
            "an active subscription and use a correct regional API endpoint for your resource."
        )
        return _wrap(_Error("401", f"{message} {e.sentences()}"))
    if isinstance(e, NotFound) and e.code == "model_not_found":
        e = deployment_not_found("")
    message = e.sentences()
    if e.code in ("404", "BadRequest", "DeploymentNotFound"):
        return _wrap(_Error(e.code, e.message if e.code != "DeploymentNotFound" else message))
    if isinstance(e, errors.OverLimit | errors.OverBudget):
        return _wrap(_Error("429" if isinstance(e, errors.OverLimit | errors.UpstreamOverloaded) else e.code, message))
    if isinstance(e, errors.Forbidden):
        return _wrap(_Error("403", message))
    if e.code == "content_filter":
        found = dict(e.filter) if isinstance(e, errors.Blocked) else {}
        inner: dict[str, object] = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": found}
        return _wrap(_Error(e.code, message, e.param or "prompt", None, inner))
    return _wrap(_Error(e.code, message, e.param, openai_reply.error_type(e)))


def error_event(e: FreeholdError) -> bytes:
    """Return the event that ends a stream which has begun."""
    body = error_object(e)
    if b"\n" in body or b"\r" in body:
        body = msgspec.json.format(body, indent=-1)
    return b"data: " + body + b"\n\n"


def _wrap(e: _Error) -> bytes:
    return _encode({"error": e})


Found = Mapping[str, object]
"""What a filter found, in Azure's form: {"hate": {"filtered": false, "severity": "safe"}, ...}."""


def annotate_reply(body: bytes, prompt: Found | None = None, answer: Found | None = None) -> bytes:
    """Return a whole reply with `prompt_filter_results` and each choice's `content_filter_results` added where absent.

    What is added is what a filter of our own found in the prompt and in the answer. Where it is None, nobody looked:
    then these are empty objects, which say nothing. A body that is no such reply, an embedding for one, comes back as
    it is.
    """
    fields = _annotate(body, answer)
    if fields is None:
        return body
    fields.setdefault("prompt_filter_results", _prompt(prompt))
    return _encode(fields)


def annotate_event(payload: bytes, answer: Found | None = None) -> bytes:
    """Return an event's payload with each choice's `content_filter_results` added where absent, as `annotate_reply`
    does.

    `[DONE]`, errors, and the events without choices (the opening and the usage event) come back unchanged.
    """
    fields = _annotate(payload, answer)
    return payload if fields is None or fields["choices"] == _NONE else _encode(fields)


def annotate_events(events: bytes, answer: Found | None = None) -> bytes:
    """Return whole server-sent events with their payloads annotated. Comments and named events pass as they are."""
    if b'"choices"' not in events:
        return events
    blocks = events.split(b"\n\n")
    for index, block in enumerate(blocks):
        if block.startswith(b"data: {") and b"\n" not in block:
            blocks[index] = b"data: " + annotate_event(block[6:], answer)
    return b"\n\n".join(blocks)


def opening_event(call: str, model: str, prompt: Found | None = None) -> bytes:
    """Return the event with which Azure's streams begin: no choices, and what a filter said of the prompt."""
    head = {"choices": [], "created": 0, "id": call, "model": model, "object": "chat.completion.chunk"}
    return b"data: " + _encode({**head, "prompt_filter_results": _prompt(prompt)}) + b"\n\n"


def _prompt(found: Found | None) -> Raw:
    return _PROMPT if found is None else Raw(_encode([{"prompt_index": 0, "content_filter_results": found}]))


def _annotate(body: bytes, found: Found | None) -> dict[str, Raw] | None:
    """Return the members of a reply or event with its choices annotated, or None when it has no choices."""
    try:
        fields = _members.decode(body)
        if "choices" not in fields:
            return None
        choices = _list.decode(fields["choices"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for choice in choices:
        if "content_filter_results" not in choice:
            choice["content_filter_results"] = _of_choice(choice, found)
    fields["choices"] = Raw(_encode(choices))
    return fields


def _of_choice(choice: dict[str, Raw], found: Found | None) -> Raw:
    """What was found in an answer; only the choice that was stopped for it says so."""
    if found is None:
        return _EMPTY
    if choice.get("finish_reason") != _STOPPED:
        found = {name: {**each, "filtered": False} for name, each in found.items() if isinstance(each, dict)}
    return Raw(_encode(found))
