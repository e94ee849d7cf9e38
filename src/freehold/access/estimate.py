"""How much a call may take at most, before it is sent: what a reservation is made of. Refuses to know any tokenizer.

A bound, not a promise. Input is taken from the size of the body: a tokenizer makes hardly ever more than one token of
two bytes of JSON. Output is the caller's own bound, or a configured one where the caller states none. A call that takes
more than was reserved (a model that thinks past its bound, a picture dearer than assumed) is settled in full; the next
one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from freehold.contracts import Price, ceiling
from freehold.core.call import VISION, Call

BYTES_PER_TOKEN = 2
"""English makes about four, source code three, digits and token arrays two."""

IMAGE_TOKENS = 2_000
"""Assumed of each picture; widely used models charge between 85 and about 1,700."""

PROMPT_TOKENS = 16
"""What a chat template adds to the shortest request."""

_BASE64 = re.compile(rb";base64,[A-Za-z0-9+/=\\]*")
_IMAGE = re.compile(rb'"image_url"\s*:')


def bound(call: Call, prices: Iterable[Price | None], default_output: int) -> tuple[int, int]:
    """Return (tokens, nano-units) that `call` may take at most at the dearest of `prices`.

    `default_output` is assumed, in tokens per choice, of a caller that states no bound on the output. A price of None
    is not known and adds nothing: the pipeline marks such a cost as unknown.
    """
    if call.kind == "chat" and VISION not in call.needs:  # as below, for most calls
        given = call.size // BYTES_PER_TOKEN + PROMPT_TOKENS
        taken = call.max_output if call.max_output is not None else default_output
        if call.choices != 1 or taken < 0:
            taken = output_bound(call, default_output)
    else:
        given, taken = input_bound(call), output_bound(call, default_output)
    money, last = 0, None
    for price in prices:
        if price is not None and price is not last:
            money, last = max(money, ceiling(given, taken, price)), price
    return given + taken, money


def input_bound(call: Call) -> int:
    """Return the most tokens that the call's input is likely to make."""
    size, images = call.size, 0
    if VISION in call.needs and (messages := call.fields.get("messages")) is not None:
        raw = bytes(messages)
        size -= sum(match.end() - match.start() for match in _BASE64.finditer(raw))
        images = sum(1 for _ in _IMAGE.finditer(raw))
    return size // BYTES_PER_TOKEN + PROMPT_TOKENS + images * IMAGE_TOKENS


def output_bound(call: Call, default_output: int) -> int:
    """Return the most tokens that the call's answers are likely to make, all choices and prompts together."""
    if call.kind in ("embedding", "moderation"):
        return 0
    each = call.max_output if call.max_output is not None else default_output
    choices = call.choices
    if call.kind == "completion":
        best_of, prompt = call.fields.get("best_of"), call.fields.get("prompt")
        if best_of is not None:
            choices = max(choices, _integer(bytes(best_of)))
        if prompt is not None:
            choices *= _prompts(bytes(prompt))
    return max(each, 0) * max(choices, 1)


def _integer(raw: bytes) -> int:
    try:
        return msgspec.json.decode(raw, type=int)
    except msgspec.MsgspecError:
        return 1


def _prompts(raw: bytes) -> int:
    """How many prompts a completion's `prompt` holds: a list of texts or of token arrays is several, all else is
    one."""
    if not raw.lstrip().startswith(b"["):
        return 1
    try:
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        return 1
    return len(items) if items and bytes(items[0]).lstrip()[:1] in (b'"', b"[") else 1
