"""ID tokens: what a forger, a mix-up or a wrong clock brings, against keys made here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.console import idtoken
from freehold.console.idtoken import Jwk
from freehold.core.errors import Unauthenticated

NOW = 1_800_000_000
RSA = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def rsa_jwk(key: rsa.RSAPrivateKey, kid: str) -> Jwk:
    numbers = key.public_key().public_numbers()
    return Jwk("RSA", kid, "sig", "RS256", None, number(numbers.n), number(numbers.e))


POINT = EC.public_key().public_numbers()
KEYS = [
    rsa_jwk(RSA, "r"),
    Jwk("EC", "e", "sig", "ES256", "P-256", x=number(POINT.x, 32), y=number(POINT.y, 32)),
    Jwk("OKP", "d", None, None, "Ed25519", x=b64(ED.public_key().public_bytes_raw())),
]


def es256(data: bytes) -> bytes:
    r, s = utils.decode_dss_signature(EC.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def rs256(data: bytes, key: rsa.RSAPrivateKey = RSA) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


SIGNERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "RS256": ("r", rs256), "ES256": ("e", es256), "EdDSA": ("d", ED.sign), "Ed25519": ("d", ED.sign),
}  # fmt: skip


def claims(**more: Any) -> dict[str, Any]:
    base = {"iss": "https://id", "sub": "ann", "aud": "us", "exp": NOW + 300, "iat": NOW, "nonce": "no", "email": "a@b"}
    return {name: value for name, value in {**base, **more}.items() if value is not None}


def token(alg: str = "RS256", head: dict[str, Any] | None = None, body: Any = None, mark: bytes | None = None) -> str:
    kid, sign = SIGNERS[alg]
    whole = {"alg": alg, "kid": kid, **(head or {})}
    signed = f"{b64(json.dumps(whole).encode())}.{b64(json.dumps(body if body is not None else claims()).encode())}"
    return f"{signed}.{b64(sign(signed.encode()) if mark is None else mark)}"


def verify(text: str, keys: list[Jwk] | None = None) -> dict[str, Any]:
    return idtoken.verify(text, KEYS if keys is None else keys, issuer="https://id", client="us", nonce="no", now=NOW)[
        1
    ]


@pytest.mark.parametrize("alg", SIGNERS)
def test_a_good_token_says_who_it_is(alg: str) -> None:
    assert verify(token(alg))["email"] == "a@b"
    assert verify(token(alg, {"kid": None}))["sub"] == "ann", "without a name of a key, any of its kind is tried"


@pytest.mark.parametrize(
    "body",
    [
        claims(iss="https://id/"), claims(iss=None), claims(aud="them"), claims(aud=["us", "them"]), claims(aud=[]),
        claims(aud=["us", "them"], azp="them"), claims(azp="them"), claims(exp=NOW - 61), claims(exp=None),
        claims(exp="never"), claims(iat=NOW + 61), claims(iat=NOW - 3601), claims(iat=None), claims(nbf=NOW + 61),
        claims(nonce=None), claims(nonce="other"), claims(sub=""), claims(sub=None), claims(sub="x" * 256),
        claims(sub="a\nb"), claims(sub=7), [], "x", 1, None,
    ],
)  # fmt: skip
def test_a_token_that_says_anything_else_is_refused(body: Any) -> None:
    with pytest.raises(Unauthenticated):
        verify(token(body=body if body is not None else {}))


def test_a_token_for_several_is_good_when_we_asked() -> None:
    assert verify(token(body=claims(aud=["us", "them"], azp="us")))["sub"] == "ann"


def test_the_name_of_an_algorithm_decides_nothing() -> None:
    parts = token().split(".")
    none = f"{b64(json.dumps({'alg': 'none'}).encode())}.{parts[1]}."
    forged = []
    public = RSA.public_key()
    for alg in ("HS256", "none", "NONE", "RS512", "PS256", "ES384", "", "RS256 "):
        signed = f"{b64(json.dumps({'alg': alg, 'kid': 'r'}).encode())}.{parts[1]}"
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        forged.append(f"{signed}.{b64(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}")
    for text in (none, *forged):
        with pytest.raises(Unauthenticated, match="not believed"):
            verify(text)


def test_a_signature_is_of_its_own_key_and_kind() -> None:
    signed = token()
    head, body, mark = signed.split(".")
    other = rsa.generate_private_key(65537, 2048)
    cases = [
        f"{head}.{b64(json.dumps(claims(sub='eve')).encode())}.{mark}",
        token(mark=b""),
        token(mark=b"\0" * 256),
        token(mark=rs256(f"{head}.{body}".encode(), other)),
        token("ES256", mark=b"\0" * 64),
        token("ES256", mark=EC.sign(b"x", ec.ECDSA(hashes.SHA256()))),
        token("EdDSA", {"kid": "r"}),
        token("RS256", {"kid": "unknown"}),
        token("RS256", {"crit": ["exp"]}),
    ]
    for text in cases:
        with pytest.raises(Unauthenticated):
            verify(text)
    with pytest.raises(Unauthenticated):
        verify(token(), [])
    short = rsa_jwk(WEAK, "w")
    text = f"{b64(json.dumps({'alg': 'RS256', 'kid': 'w'}).encode())}.{body}"
    with pytest.raises(Unauthenticated):
        verify(f"{text}.{b64(rs256(text.encode(), WEAK))}", [short])
    for key in (replace(KEYS[0], use="enc"), replace(KEYS[0], alg="RS512"), replace(KEYS[0], crv="P-256", kty="EC")):
        with pytest.raises(Unauthenticated):
            verify(signed, [key])


@settings(deadline=None)
@given(st.text(max_size=200) | st.builds("{}.{}.{}".format, *[st.text('abcXYZ019-_=.{}"', max_size=40)] * 3))
def test_noise_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        verify(text)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_goes_unseen(at: int, change: int) -> None:
    good = GOOD.encode()
    place = at % len(good)
    bad = good[:place] + bytes([good[place] ^ change]) + good[place + 1 :]
    try:
        text = bad.decode("ascii")
    except UnicodeDecodeError:
        return
    if _bits(text) == _bits(GOOD):
        return  # the last sign of a part holds bits that mean nothing
    with pytest.raises(Unauthenticated):
        verify(text)


def _bits(text: str) -> list[bytes] | None:
    try:
        return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".")]
    except ValueError:
        return None


GOOD = token("EdDSA")
