"""A request head that was read and judged before, met again. Refuses to know parsers: what is not the same byte for
byte, but for the digits of its length, is for them."""

from __future__ import annotations

import re
from typing import NamedTuple

HEADS_LEARNED = 8
"""Heads that one connection learns: a client whose heads always differ gains nothing from more."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([1-9][0-9]{0,8})[ \t]*\r\n", re.IGNORECASE)
_ZERO = ord("0")
_NOT_PLAIN = (b"expect", b"upgrade", b"transfer-encoding")


class Known(NamedTuple):
    """A head: what stands before and behind the digits of its length, and what it says."""

    before: bytes
    after: bytes
    method: str
    target: str
    headers: dict[bytes, bytes]

    def fit(self, data: bytes, most: int) -> tuple[dict[bytes, bytes], bytes] | None:
        """Return headers and body when `data`, which starts with `before`, is one whole request with this head and a
        body of at most `most` bytes."""
        start = len(self.before)
        stop = data.find(b"\r", start, start + 10)
        digits = data[start:stop]
        if stop < 0 or not digits.isdigit() or digits[0] == _ZERO or not data.startswith(self.after, stop):
            return None
        body = data[stop + len(self.after) :]
        size = int(digits)
        if size != len(body) or size > most:
            return None
        headers = self.headers.copy()
        headers[b"content-length"] = digits
        return headers, body


def learn(data: bytes, method: str, target: str, headers: dict[bytes, bytes]) -> Known | None:
    """Return the head of the good request that `data` is; None when it is not of the plain kind, whose framing is its
    length alone. `headers` are its fields, of which none stands twice that must not."""
    if any(name in headers for name in _NOT_PLAIN):
        return None
    end = data.find(b"\r\n\r\n") + 4
    length = _LENGTH.search(data, 0, end)
    if length is None or end + int(length[1]) != len(data):
        return None
    return Known(data[: length.start(1)], data[length.end(1) : end], method, target, headers.copy())
