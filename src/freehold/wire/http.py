"""Words of HTTP/1.1 that server and client share: status lines, header blocks, fields that may stand once only.

Refuses to know sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

Headers = Sequence[tuple[bytes, bytes]]
"""Fields in order, names in lower case."""

STATUS_LINES: dict[int, bytes] = {s.value: b"HTTP/1.1 %d %b\r\n" % (s.value, s.phrase.encode()) for s in HTTPStatus}

SINGLE: frozenset[bytes] = frozenset(
    {
        b"api-key",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"origin",
        b"proxy-authorization",
        b"transfer-encoding",
        b"x-api-key",
    }
)
"""Request fields that are refused when they come twice: joined or picked, two readers could differ."""


_pair = b": ".join


def status_line(status: int) -> bytes:
    """Return the status line of `status`, CRLF included."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d Unnamed\r\n" % status


def encode_headers(headers: Headers | bytes) -> bytes:
    """Return `headers` as lines; ValueError when a name or value has CR, LF or NUL in it. Lines that somebody has
    already made and `checked` pass as they are."""
    if isinstance(headers, bytes):
        return headers
    if not headers:
        return b""
    block = b"\r\n".join(map(_pair, headers)) + b"\r\n"
    return checked(block, len(headers))


def checked(block: bytes, lines: int) -> bytes:
    """Return `block`, header lines that end with CRLF; ValueError when it has more breaks than `lines` lines make."""
    # Three scans of the finished block for all fields; a check of each value would cost as much as encoding.
    if block.count(b"\n") != lines or block.count(b"\r") != lines or b"\0" in block:
        raise ValueError("a header name or value has a line break or a zero byte in it")
    return block


def date_line() -> bytes:
    """Return the `date` field for now, CRLF included."""
    return b"date: %b\r\n" % formatdate(usegmt=True).encode()


def origin_form(target: str) -> str:
    """Take path and query out of `scheme://host/path?query` (RFC 9112, section 3.2.2)."""
    rest = target.partition("://")[2]
    if not rest:  # `*`
        return target
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    rest = rest[cut:]
    return rest if rest.startswith("/") else "/" + rest
