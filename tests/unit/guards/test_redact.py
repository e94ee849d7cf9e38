from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.ids import new_secret
from freehold.guards import redact_json, redact_text
from freehold.guards.numbers import iban_end, is_card

FOUND = [
    ("mail bob.o'neil+x@mail.example.co.uk, now", "EMAIL", ", now"),
    ("grüße an jürgen@müller.de!", "EMAIL", "!"),
    ("call +44 20 7946 0958.", "PHONE", "."),
    ("call +1 (415) 555-2671 today", "PHONE", " today"),
    ("call 0049 30 901820 today", "PHONE", " today"),
    ("call (415) 555-2671 today", "PHONE", " today"),
    ("card 4111111111111111.", "CARD", "."),
    ("card 5555-5555-5555-4444 ok", "CARD", " ok"),
    ("card 4111 1111 1111 1111 123 ok", "CARD", " ok"),
    ("card 3782 822463 10005 ok", "CARD", " ok"),
    ("no.4111111111111111 ok", "CARD", " ok"),
    ("pay DE89 3704 0044 0532 0130 00 today", "IBAN", " today"),
    ("pay GB29NWBK60161331926819, now", "IBAN", ", now"),
    ("pay GB29 NWBK 6016 1331 9268 19 AND more", "IBAN", " AND more"),
    ("from 192.168.10.254.", "IP", "."),
    ("from fe80::1: yes", "IP", ": yes"),
    ("from 2001:db8:85a3::8a2e:370:7334, yes", "IP", ", yes"),
    ("from ::ffff:10.1.2.3 yes", "IP", " yes"),
    ("key sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12 x", "SECRET", " x"),
    ("key AKIAIOSFODNN7EXAMPLE x", "SECRET", " x"),
    ("key ghp_0123456789abcdefghijABCDEFGHIJ012345 x", "SECRET", " x"),
    ("key AIzaSyA1234567890abcdefghijklmnopqrstuv x", "SECRET", " x"),
    ("key eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig-nature x", "SECRET", " x"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x", "SECRET", " x"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE and no end", "SECRET", ""),
    ("db postgres://ann:s3cret@db.example/x", "SECRET", "db.example/x"),
]


@pytest.mark.parametrize(("text", "kind", "rest"), FOUND)
def test_finds_and_leaves_what_follows(text: str, kind: str, rest: str) -> None:
    clean, counts = redact_text(text)
    assert counts == {kind: 1}
    assert clean.endswith(f"[{kind}]{rest}")


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111112 of 2026-11-21 12:30:45",
        "pi is 3.14159265358979323846",
        "version 1.2.3 and 10.20.30",
        "std::vector<a::b> x; C::D",
        "GB29 NWBK 6016 1331 9268 18",
        "task-force-with-a-very-long-hyphened-name and sk-learn-and-its-many-friends",
        "999.1.2.3 or 1.2.3.4.5",
        "user @ example . com, a@b",
        "123-45-6789 and 2026/11/21",
        "x = 12345678 + 1",
    ],
)
def test_leaves_what_only_looks_like_it(text: str) -> None:
    assert redact_text(text) == (text, {})


def test_our_own_keys_are_always_taken_out() -> None:
    for _ in range(300):
        assert redact_text(f"Bearer {new_secret('fh')}")[0] == "Bearer [SECRET]"


def test_data_urls_keep_their_size() -> None:
    text, counts = redact_text("see data:image/png;base64,aGVsbG8gd29ybGQ= here")
    assert (text, counts) == ("see [IMAGE 11 bytes] here", {"IMAGE": 1})


def test_json_keeps_every_other_byte() -> None:
    body = (
        b'{ "a" : [1.50, 1e400, 12345678901234567890123],\n"bob@example.com": "x \\u0062ob@example.com\\n",'
        b' "n": 4111111111111111, "a": "\\u00e9" }'
    )
    want = body.replace(b'"bob@example.com"', b'"[EMAIL]"').replace(b'"x \\u0062ob@example.com\\n"', b'"x [EMAIL]\\n"')
    assert redact_json(body) == want


def test_json_of_pictures_and_sound() -> None:
    sound = "A" * 4000
    body = json.dumps({"image_url": {"url": "data:image/jpeg;base64," + "B" * 400}, "data": sound}).encode()
    assert json.loads(redact_json(body)) == {"image_url": {"url": "[IMAGE 300 bytes]"}, "data": "[DATA 3000 bytes]"}


@pytest.mark.parametrize(
    "body", [b'{"a": "bob@example.com', b'data: {"x":"bob@example.com"}\n\n', b"\xff bob@example.com"]
)
def test_what_is_no_json_is_redacted_as_text(body: bytes) -> None:
    assert b"[EMAIL]" in redact_json(body)
    assert b"bob@" not in redact_json(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


@given(JSON, st.booleans())
@settings(max_examples=40, deadline=None)
def test_json_stays_json_of_the_same_shape(value: object, escape: bool) -> None:
    body = json.dumps(value, ensure_ascii=escape).encode("utf-8", "replace")
    try:
        before = json.loads(body)
    except ValueError:
        return
    after = json.loads(redact_json(body))
    assert type(after) is type(before)
    if isinstance(before, list):
        assert len(after) == len(before)


@given(st.text(alphabet="ab1450 .:@-+()/DE\n", max_size=200))
@settings(max_examples=150, deadline=None)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once, _ = redact_text(text)
    twice, _ = redact_text(once)
    assert twice == once or len(twice) <= len(once)


@given(st.from_regex(r"\A(?:[0-9]{12}|[0-9]{15}|[0-9]{18})\Z"))
def test_luhn_takes_one_check_digit_in_ten(stem: str) -> None:
    assert sum(is_card("4" + stem[1:] + str(d)) for d in range(10)) == 1


@given(st.integers(0, 10**18 - 1), st.data())
def test_iban_check_digits_catch_a_changed_digit(account: int, data: st.DataObject) -> None:
    number = f"{account:018d}"
    iban = f"DE{98 - int(f'{number}131400') % 97:02d}{number}"
    assert iban_end(iban, 0) == len(iban)
    at = data.draw(st.integers(4, 21))
    other = data.draw(st.sampled_from([c for c in "0123456789" if c != iban[at]]))
    assert iban_end(iban[:at] + other + iban[at + 1 :], 0) is None


SIZE = 1 << 17
HOSTILE = [
    "a", "1", "1 ", "1-", "@", "a@", "a@a.", "a.", "+1", "+1 ", "::", "1:", "a:", "1.", "DE89 ", "DE89", "sk-", "eyJ",
    "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ",
    "data:", "data:a/a;", "://a:", "4111 ", "00", "(415) ",
    "xox", "\\", " ",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.process_time()
        redact_text(text)
        return time.process_time() - began

    small = max(seconds(SIZE // 16), 0.0005)
    assert seconds(SIZE) < 60 * small  # sixteen times the text; a square would be 256 times the time


def test_a_megabyte_of_all_that_is_hostile() -> None:
    text = "".join(unit * ((1 << 20) // len(HOSTILE) // len(unit)) for unit in HOSTILE)
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 5
