"""ID tokens: whether one is sound (OpenID Connect Core 1.0, section 3.1.3.7; RFC 7515). Pure: refuses to know the
network. Signatures alone are believed that a public key makes: RS256, ES256, EdDSA with Ed25519."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.core.errors import Unauthenticated

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

TOKEN_BYTES = 65536
LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
OLDEST = 3600
"""Seconds: a token for a sign-in that began a few minutes ago was not made before that."""
_LEAST_RSA = 2048
_KINDS = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),  # the newer name for the same (RFC 9864)
}


class Jwk(msgspec.Struct):
    """A key of a provider's set (RFC 7517), as far as we can use one."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""


class Head(msgspec.Struct):
    """The header of a token."""

    alg: str
    kid: str | None = None
    crit: Any = None


class Claims(msgspec.Struct):
    """What every ID token says."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    iat: int | float
    nonce: str | None = None
    azp: str | None = None
    nbf: int | float | None = None


def head(token: str) -> Head:
    """Return the header of `token`, unverified: it says which key to verify with. Raises Unauthenticated."""
    if len(token) > TOKEN_BYTES or token.count(".") != 2:
        raise _bad("it is no signed token")
    found: Head = _decode(_bytes(token.partition(".")[0]), Head)
    if found.alg not in _KINDS:
        raise _bad(f"it is signed with {found.alg[:16]!r}, which is not believed")
    if found.crit is not None:
        raise _bad("its header asks for something unknown")
    return found


def usable(keys: Sequence[Jwk], wanted: Head) -> list[Jwk]:
    """Return the keys that a token with that header may be signed with: the one of its name, or all of its kind."""
    kind, curve = _KINDS[wanted.alg]
    return [
        key
        for key in keys
        if key.kty == kind
        and (curve is None or key.crv == curve)
        and key.use in (None, "sig")
        and (key.alg is None or (key.alg in _KINDS and _KINDS[key.alg] == (kind, curve)))
        and (wanted.kid is None or key.kid == wanted.kid)
    ]


def verify(
    token: str, keys: Sequence[Jwk], *, issuer: str, client: str, nonce: str, now: float
) -> tuple[Claims, dict[str, Any]]:
    """Return what `token` says, typed and whole, once its signature is by one of `keys` and all of it is meant for us.
    `now` is in seconds since the epoch. Raises Unauthenticated, which names what is wrong."""
    found = head(token)
    signed, _, signature = token.rpartition(".")
    mark = _bytes(signature)
    if not any(_signed(found.alg, key, signed.encode(), mark) for key in usable(keys, found)):
        raise _bad("its signature is by none of the provider's keys")
    body = _bytes(signed.partition(".")[2])
    claims, whole = _decode(body, Claims), _decode(body, dict[str, Any])
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    checks = (
        (claims.iss == issuer, "it is another issuer's"),
        (client in audience, "it is for somebody else"),
        (len(audience) == 1 or claims.azp is not None, "it is for several and does not say who asked"),
        (claims.azp is None or claims.azp == client, "somebody else asked for it"),
        (claims.exp > now - LEEWAY, "it has expired"),
        (now - OLDEST < claims.iat < now + LEEWAY, "it was made at another time"),
        (claims.nbf is None or claims.nbf < now + LEEWAY, "it is not good yet"),
        (claims.nonce == nonce, "it answers another sign-in"),
        (0 < len(claims.sub) <= 255 and claims.sub.isprintable(), "its subject cannot be kept"),
    )
    for good, why in checks:
        if not good:
            raise _bad(why)
    return claims, whole


def _signed(alg: str, key: Jwk, data: bytes, mark: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - most sign in otherwise

    try:
        _SIGNATURES[alg](key, data, mark)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _rsa(key: Jwk, data: bytes, mark: bytes) -> None:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    public: RSAPublicKey = rsa.RSAPublicNumbers(_number(key.e), _number(key.n)).public_key()
    if public.key_size < _LEAST_RSA:
        raise ValueError("the key is too short")
    public.verify(mark, data, padding.PKCS1v15(), hashes.SHA256())


def _ecdsa(key: Jwk, data: bytes, mark: bytes) -> None:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    if len(mark) != 64:
        raise ValueError("the signature is not two numbers of 32 bytes")
    numbers = ec.EllipticCurvePublicNumbers(_number(key.x), _number(key.y), ec.SECP256R1())
    public: EllipticCurvePublicKey = numbers.public_key()
    pair = utils.encode_dss_signature(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:], "big"))
    public.verify(pair, data, ec.ECDSA(hashes.SHA256()))


def _eddsa(key: Jwk, data: bytes, mark: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    public: Ed25519PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(_bytes(key.x))
    public.verify(mark, data)


_SIGNATURES = {"RS256": _rsa, "ES256": _ecdsa, "EdDSA": _eddsa, "Ed25519": _eddsa}


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as e:
        raise _bad("a part of it is not base64url") from e


def _decode(data: bytes, form: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _bad("a part of it is not what the standard says") from e


def _bad(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"The identity provider's token is not good: {why}.",
        code="oidc_failed",
        hint="try again; if it persists, check issuer and client_id of the provider under [signin.oidc]",
    )
