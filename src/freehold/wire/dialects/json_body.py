"""What a JSON body must be before anybody reads it: syntax, depth, single keys. Refuses to know any dialect."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import NoReturn

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, TooLarge

_ENCODE = msgspec.json.Encoder().encode
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_STRING = msgspec.json.Decoder(str)
_KEY = re.compile(rb'[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_NEXT = re.compile(rb"[ \t\r\n]*([,}])")
_NOT_BRACKETS = bytes(c for c in range(256) if c not in b"[]{}")
_STEPS = bytes(1 if c in b"[{" else 255 if c in b"]}" else 0 for c in range(256))
_SEND_JSON = "Send one JSON object encoded as UTF-8."
_ONCE = "Send each member once: readers differ on which of two they believe."


def members(body: bytes) -> dict[str, Raw]:
    """Return the top-level members of a JSON object, each as received; BadRequest says where the syntax breaks.

    A member that occurs twice is refused. Values are checked as JSON text; that their strings are UTF-8 is left to
    `require_utf8`, because whoever reads them as text learns it for nothing.
    """
    try:
        fields = _OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        refuse_syntax(body, e)
    # A compact object without repeated keys is exactly as long as its parts written again; anything else is walked.
    if len(_ENCODE(fields)) != len(body):
        _refuse_repeated(body, fields)
    return fields


def require_utf8(body: bytes) -> None:
    """Raise BadRequest with the position of the first byte that is not UTF-8."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as e:
            refuse_syntax(body, e)


def require_depth(text: bytes, limit: int, inside: int = 0) -> None:
    """Raise TooLarge (status 400) when valid JSON `text` nests deeper than `limit`. Linear in its length.

    `inside` says how deep `text` itself stands in the body.
    """
    limit -= inside
    if _few(text, b"{", limit, b"["):
        return
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(text.split(b'"')[::2]).translate(None, _NOT_BRACKETS)
    if len(outside) > 2 * limit and max(accumulate(memoryview(outside.translate(_STEPS)).cast("b"))) > limit:
        _refuse_depth(limit + inside)


def refuse_syntax(body: bytes, cause: Exception) -> NoReturn:
    """Raise the BadRequest that says why `body` is no JSON object and at which byte."""
    if isinstance(cause, RecursionError):
        _refuse_depth(None)
    why = _why(body, cause)
    raise BadRequest(
        f"We could not parse the JSON body of your request: {why}.", code="invalid_json", hint=_SEND_JSON
    ) from None


def _why(body: bytes, cause: Exception) -> str:
    if not body.strip():
        return "it is empty"
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "it begins with a byte order mark (byte 0)"
    try:
        body.decode()
    except UnicodeDecodeError as e:
        return f"it is not valid UTF-8 (byte {e.start})"
    text = str(cause)
    if "Expected `object`" in text:
        return "it is not an object"
    if "malformed" in text:
        return text.removeprefix("JSON is malformed: ")
    # The fast decoder doesn't say where it stopped; ask the exact one.
    try:
        json.loads(body, parse_constant=_no_constant)
    except json.JSONDecodeError as e:
        return f"{e.msg[:1].lower()}{e.msg[1:]} (byte {len(body.decode()[: e.pos].encode())})"
    except (ValueError, RecursionError):
        return "it holds a number that is out of range"
    surrogate = re.search(rb"\\u[dD][89a-fA-F]", body)
    return f"lone surrogate in a string (byte {surrogate.start()})" if surrogate else "it is malformed"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _few(text: bytes, first: bytes, limit: int, second: bytes) -> bool:
    """Return whether `text` has at most `limit` opening brackets, strings included. Stops at the first one too many."""
    seen = 0
    for bracket in (first, second):
        at = text.find(bracket)
        while at >= 0:
            seen += 1
            if seen > limit:
                return False
            at = text.find(bracket, at + 1)
    return True


def _refuse_depth(limit: int | None) -> NoReturn:
    bound = f" than {limit} levels" if limit else " than we can read"
    raise TooLarge(
        f"The JSON body nests deeper{bound}.",
        code="json_too_deep",
        status=400,
        hint="Flatten the body; schemas with references nest less.",
    )


def _refuse_repeated(body: bytes, fields: dict[str, Raw]) -> None:
    """Walk the top level of valid JSON. `fields` holds the last value of each key: a key met twice, or whose value is
    not the one held, is repeated."""
    seen: set[str] = set()
    at = body.index(b"{") + 1
    while True:
        match = _KEY.match(body, at)
        if match is None:
            return  # an empty object
        key = _STRING.decode(match[1])
        value = bytes(fields[key])
        end = match.end() + len(value)
        after = _NEXT.match(body, end)
        if key in seen or after is None or not body.startswith(value, match.end()):
            raise BadRequest(f"Duplicate key in the JSON body: '{key}'.", code="duplicate_key", param=key, hint=_ONCE)
        if after[1] == b"}":
            return
        seen.add(key)
        at = after.end()
