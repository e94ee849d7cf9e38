"""A head met again is served without the parser, and only then."""

from __future__ import annotations

import pytest

from freehold.wire.known import Known, learn

HEAD = b"POST /v1/x HTTP/1.1\r\nhost: h\r\nContent-Length: %d\r\nx-a: content-length: 9\r\n\r\n"
BODY = b'{"a":1}'
FIELDS = {b"host": b"h", b"content-length": b"7", b"x-a": b"content-length: 9"}


def known() -> Known:
    found = learn(HEAD % len(BODY) + BODY, "POST", "/v1/x", FIELDS)
    assert found is not None
    return found


@pytest.mark.parametrize("size", [1, 7, 10, 4096])
def test_another_length_fits(size: int) -> None:
    fit = known().fit(HEAD % size + b"x" * size, 8192)
    assert fit == ({**FIELDS, b"content-length": b"%d" % size}, b"x" * size)


@pytest.mark.parametrize(
    "data",
    [
        HEAD % 7 + b"x" * 6,  # not all of it yet
        HEAD % 7 + b"x" * 8,  # the next request's beginning
        HEAD % 9000 + b"x" * 9000,  # more than allowed
        HEAD % 0,
        (HEAD % 7).replace(b": 7", b": 07") + BODY,
        (HEAD % 7).replace(b": 7", b": +7") + BODY,
        (HEAD % 7).replace(b": 7", b": 7 ") + BODY,
        (HEAD % 7).replace(b": 7", b": 7\r\ncontent-length: 7") + BODY,
        (HEAD % 7).replace(b"x-a: ", b"x-b: ") + BODY,
        (HEAD % 7)[:-2] + b"transfer-encoding: chunked\r\n\r\n" + BODY,
        (HEAD % 7).replace(b"\r\n\r\n", b"\n\n") + BODY,
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert known().fit(data, 8192) is None


@pytest.mark.parametrize("name", [b"expect", b"upgrade", b"transfer-encoding"])
def test_a_head_with_a_say_in_framing_is_not_learned(name: bytes) -> None:
    assert learn(HEAD % len(BODY) + BODY, "POST", "/v1/x", {**FIELDS, name: b"y"}) is None


def test_what_a_handler_does_to_headers_reaches_no_other_request() -> None:
    one = known()
    first = one.fit(HEAD % len(BODY) + BODY, 100)
    assert first is not None
    first[0].clear()
    again = one.fit(HEAD % len(BODY) + BODY, 100)
    assert again is not None and again[0] == FIELDS
