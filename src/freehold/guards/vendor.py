"""What a vendor's own filter decided about the words of a call, read of its reply: kept apart from what we decide.
Pure; refuses to act on it.

Azure OpenAI states its filter with every answer (`prompt_filter_results`, `content_filter_results`) and with a refusal
(`innererror.content_filter_result`); OpenAI and those who speak its dialect end an answer with the finish reason
`content_filter`, or refuse in words (`refusal`); some pass their models' own stop reasons on as finish reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from freehold.guards import taxonomy
from freehold.guards.taxonomy import Side
from freehold.ledger import Verdict
from freehold.wire import sse

BY = "vendor"
_SIGNS = (b'":true', b'": true', b'"low"', b'"medium"', b'"high"', b'"content_filter"')
_ENDS = frozenset({"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "recitation", "sensitive"})
"""Finish reasons with which vendors say that a filter, or the model itself, stopped an answer."""
_END = re.compile(rb'"finish_reason"\s*:\s*"(?:%b)' % b"|".join(sorted(end.encode() for end in _ENDS)), re.IGNORECASE)
_GRADES = {name: severity for severity, name in taxonomy.SEVERITIES.items()}
_MOST = 32
"""Verdicts of one attempt that are read of a reply."""


def tells(events: bytes) -> bool:
    """Whether a reply, or events of one, may hold a decision; far quicker than reading it, and asked of all."""
    if b"_filter" in events:
        return any(sign in events for sign in _SIGNS)
    if b'"refusal":"' in events or b'"refusal": "' in events:
        return True
    if b'"finish_reason"' not in events or b'"finish_reason":null' in events:
        return False
    return _END.search(events) is not None


def verdicts(reply: bytes | Iterable[bytes]) -> tuple[Verdict, ...]:
    """Return the decisions in a whole reply, an error or events of a stream; the same one once."""
    found: dict[Verdict, None] = {}
    for part in (reply,) if isinstance(reply, bytes) else reply:
        for payload in _payloads(part):
            for verdict in _read(payload):
                found[verdict] = None
            if len(found) >= _MOST:
                return tuple(found)[:_MOST]
    return tuple(found)


def _payloads(part: bytes) -> Iterator[Any]:
    bodies = [event.data for event in sse.events(part)] if part[:1] not in (b"{", b"[") else [part]
    for body in bodies:
        try:
            yield msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue


def _read(payload: Any) -> Iterator[Verdict]:
    if not isinstance(payload, dict):
        return
    for result in _list(payload.get("prompt_filter_results") or payload.get("prompt_annotations")):
        yield from _filtered(result.get("content_filter_results"), "input")
    error = payload.get("error")
    inner = error.get("innererror") or error.get("inner_error") if isinstance(error, dict) else None
    if isinstance(inner, dict):
        stated = inner.get("content_filter_result") or inner.get("content_filter_results")
        told = tuple(_filtered(stated, "input"))
        yield from told
        if not any(verdict.action == "block" for verdict in told):
            yield Verdict(BY, "input", "unnamed", taxonomy.MEDIUM, "block", detail="error")
    elif isinstance(error, dict) and error.get("code") in ("content_filter", "content_policy_violation"):
        yield Verdict(BY, "input", "unnamed", taxonomy.MEDIUM, "block", detail="error")
    for choice in _list(payload.get("choices")):
        told = tuple(_filtered(choice.get("content_filter_results"), "output"))
        yield from told
        end = choice.get("finish_reason")
        if isinstance(end, str) and end.lower() in _ENDS and not any(verdict.action == "block" for verdict in told):
            yield Verdict(BY, "output", "unnamed", taxonomy.MEDIUM, "block", detail=f"finish_reason {end.lower()}")
        words = choice.get("message") or choice.get("delta")
        if isinstance(words, dict) and isinstance(words.get("refusal"), str) and words["refusal"]:
            yield Verdict(BY, "output", "unnamed", taxonomy.SAFE, "refuse", detail="refusal")


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _filtered(results: Any, side: Side) -> Iterator[Verdict]:
    """What Azure's filter found, or stopped."""
    if not isinstance(results, dict):
        return
    for name, result in results.items():
        if not isinstance(result, dict):
            continue
        severity = _GRADES.get(result.get("severity", ""), taxonomy.SAFE)
        stopped, seen = result.get("filtered") is True, result.get("detected") is True
        if severity or stopped or seen:
            category = taxonomy.from_azure(name)
            grade = severity or (taxonomy.MEDIUM if stopped or seen else taxonomy.SAFE)
            yield Verdict(BY, side, category, grade, "block" if stopped else "note", detail=name)
