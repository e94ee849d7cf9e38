"""Takes personal data and secrets out of text before it is stored. Knows their marks; refuses to know where text is
from and how they are recognised.

A name or a postal address has no form and is not recognised: redaction lowers what a store can leak, it does not make
it anonymous.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from freehold.guards.find import find

Counts: TypeAlias = dict[str, int]
"""How many of each kind were taken out, e.g. {"EMAIL": 2}."""

_DATA_URL = re.compile(
    r"data:([a-z]{1,20})/[A-Za-z0-9.+-]{1,80}(?:;[A-Za-z0-9=._-]{1,80}){0,4};base64,([A-Za-z0-9+/_=-]*+)"
)
_BLOB = re.compile(r"[A-Za-z0-9+/]{512,}+={0,2}")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def redact_text(text: str) -> tuple[str, Counts]:
    """Return `text` with each finding replaced by its kind in brackets, e.g. [EMAIL], and how many there were of each.

    Kinds: those of find(); and [IMAGE 5120 bytes] (AUDIO, VIDEO, FILE) for a data: URL.
    """
    counts: Counts = {}
    if "data:" in text:
        text = _DATA_URL.sub(lambda match: _media(match, counts), text)
    found = find(text)
    if not found:
        return text, counts
    parts, at = [], 0
    for each in found:
        parts += [text[at : each.start], f"[{each.kind}]"]
        counts[each.kind] = counts.get(each.kind, 0) + 1
        at = each.end
    return "".join([*parts, text[at:]]), counts


def redact_json(body: bytes) -> bytes:
    """Return `body` with its strings redacted, names of members included; every other byte stays as it was.

    The result is JSON when `body` is. A string that is nothing but base64 of 384 bytes or more becomes [DATA n bytes].
    What is not JSON (a stream of events, a body cut short) is redacted as text.
    """
    text = body.decode("utf-8", "replace")
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return redact_text(text)[0].encode()
    return _STRING.sub(_string, text).encode()


def _string(match: re.Match[str]) -> str:
    """One string of JSON, quotes included; returned as it is unless something was found in it."""
    quoted = match[0]
    if "\\" in quoted:
        try:
            plain = msgspec.json.decode(quoted, type=str)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            plain = quoted[1:-1]
    else:
        plain = quoted[1:-1]
    if len(plain) >= 512 and _BLOB.fullmatch(plain):
        return f'"[DATA {_decoded(plain)} bytes]"'
    clean, counts = redact_text(plain)
    return msgspec.json.encode(clean).decode() if counts else quoted


def _media(match: re.Match[str], counts: Counts) -> str:
    kind = match[1].upper()
    kind = kind if kind in ("IMAGE", "AUDIO", "VIDEO") else "FILE"
    counts[kind] = counts.get(kind, 0) + 1
    return f"[{kind} {_decoded(match[2])} bytes]"


def _decoded(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4
