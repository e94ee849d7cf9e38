"""Replies for load: precomputed bytes around the request's own token. Knows one request form; refuses everything else.

A model named `bench-<bytes>` answers whole with about that many bytes, `bench-sse-<chunks>-<ms>` streams paced chunks.
The request carries `tok-` and 16 hexadecimal digits; every reply and every chunk repeats it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TOKEN = re.compile(rb"tok-[0-9a-f]{16}")
_BLANK = b"tok-" + b"0" * 16
MARK = b'"bench-'


class Whole(NamedTuple):
    """A reply in two parts; the token stands between them."""

    before: bytes
    after: bytes


class Paced(NamedTuple):
    """A stream: its head, then (before, after) of each chunk; `every` is seconds between chunks."""

    head: bytes
    chunks: tuple[tuple[bytes, bytes], ...]
    end: bytes
    every: float


_plans: dict[bytes, Whole | Paced] = {}

USAGE = (
    b'{"prompt_tokens":21,"completion_tokens":34,"total_tokens":55,"prompt_tokens_details":{"cached_tokens":0,'
    b'"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)


def _whole(size: int) -> Whole:
    start = (
        b'{"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"bench-2026-01-01",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"'
    )
    close = b'","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":' + USAGE + b"}"
    filler = b" lorem ipsum" * max(0, (size - len(start) - len(close) - len(_BLANK)) // 12)
    length = len(start) + len(_BLANK) + len(filler) + len(close)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: %d\r\n\r\n"
    return Whole(head % length + start, filler + close)


def _frame(payload: bytes) -> tuple[bytes, bytes]:
    event = b"data: " + payload + b"\n\n"
    before, _, after = (b"%x\r\n" % len(event) + event + b"\r\n").partition(_BLANK)
    return before, after


def _paced(count: int, milliseconds: int) -> Paced:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    form = (
        b'{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"bench-2026-01-01",'
        b'"system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{"content":" %s word%d"},"logprobs":null,'
        b'"finish_reason":null}]}'
    )
    last = (
        b'{"id":"chatcmpl-%s","object":"chat.completion.chunk","created":1767225600,"model":"bench-2026-01-01",'
        b'"system_fingerprint":"fp_bench","choices":[],"usage":' % _BLANK
    ) + USAGE
    frames = [_frame(form % (_BLANK, n)) for n in range(count)]
    frames.append(_frame(last + b"}"))
    return Paced(head, tuple(frames), b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", milliseconds / 1000)


def plan_of(body: bytes) -> tuple[Whole | Paced, bytes] | None:
    """The plan and the token of a load request, or None for any other."""
    at = body.find(MARK)
    if at < 0:
        return None
    name = body[at + 1 : body.index(b'"', at + 1)]
    plan = _plans.get(name)
    if plan is None:
        parts = name.split(b"-")
        plan = _paced(int(parts[2]), int(parts[3])) if parts[1] == b"sse" else _whole(int(parts[1]))
        _plans[name] = plan
    found = TOKEN.search(body)
    return plan, found.group() if found else _BLANK
