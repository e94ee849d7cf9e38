"""An identity provider over the network: its metadata, its keys, a code for a token. Refuses to know browsers."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from freehold.console import idtoken
from freehold.console.providers import Provider
from freehold.core.clock import tick
from freehold.core.errors import Unauthenticated, UpstreamError
from freehold.wire.client import Answer, Client, Origin
from freehold.wire.origin import Timeouts

KEPT = 3600.0
"""Seconds that metadata and keys are kept."""
_CAP = 1 << 20
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")
_TIMES = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=15.0)


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as we ask."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    userinfo_endpoint: str | None = None


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class Tokens(msgspec.Struct):
    """What a code is exchanged for."""

    id_token: str
    access_token: str = ""


class Directory:
    """What is known of providers at the moment. Raises Unauthenticated with a code that the page can show."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._metadata: dict[Provider, tuple[float, Metadata]] = {}
        self._keys: dict[str, tuple[float, list[idtoken.Jwk]]] = {}
        self._turns: dict[Provider, asyncio.Lock] = {}

    async def metadata(self, provider: Provider) -> Metadata:
        """Return what the provider says of itself."""
        known = self._metadata.get(provider)
        if known is not None and known[0] > tick():
            return known[1]
        async with self._turns.setdefault(provider, asyncio.Lock()):  # one that is slow holds up nobody else's
            known = self._metadata.get(provider)
            if known is None or known[0] <= tick():
                url = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = _read(await self._get(provider, url), Metadata, url)
                if found.issuer.rstrip("/") != provider.issuer.rstrip("/"):
                    raise _wrong(f"{url} is of the issuer {found.issuer[:200]!r}", "write `issuer` as that says it")
                for each in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                    place(each, provider)
                if found.userinfo_endpoint is not None:
                    place(found.userinfo_endpoint, provider)
                known = self._metadata[provider] = (tick() + KEPT, found)
        return known[1]

    async def redeem(self, provider: Provider, code: str, verifier: str, back: str) -> Tokens:
        """Return the tokens that `code` stands for."""
        metadata = await self.metadata(provider)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        lines = b"content-type: application/x-www-form-urlencoded\r\naccept: application/json\r\n"
        methods = metadata.token_endpoint_auth_methods_supported
        if provider.client_secret is None:
            form["client_id"] = provider.client_id
        elif "client_secret_basic" in methods or "client_secret_post" not in methods:
            # RFC 6749, section 2.3.1: both are form-encoded before they are put together
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(provider.client_secret)}"
            lines += b"authorization: Basic " + base64.b64encode(pair.encode()) + b"\r\n"
        else:
            form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        url = metadata.token_endpoint
        answer = await self._ask(provider, b"POST", url, lines, urlencode(form).encode())
        if answer.status != 200:
            said = _said(answer.body)
            raise _wrong(f"{url} answered {answer.status}{said}", "check client_id and client_secret")
        tokens: Tokens = _read(answer.body, Tokens, url)
        return tokens

    async def verify(
        self, provider: Provider, tokens: Tokens, nonce: str, now: float
    ) -> tuple[idtoken.Claims, dict[str, Any]]:
        """Return what an ID token says, once it is found good; keys are fetched anew when none is the token's. A
        provider may tell name and address apart from it: then they are asked for."""
        metadata = await self.metadata(provider)
        wanted = idtoken.head(tokens.id_token)
        known = self._keys.get(metadata.jwks_uri)
        if known is None or known[0] <= tick() or not idtoken.usable(known[1], wanted):
            body = await self._get(provider, metadata.jwks_uri)
            listed = _read(body, _KeySet, metadata.jwks_uri).keys
            known = self._keys[metadata.jwks_uri] = (tick() + KEPT, list(filter(None, map(_key, listed))))
        claims, whole = idtoken.verify(
            tokens.id_token, known[1], issuer=metadata.issuer, client=provider.client_id, nonce=nonce, now=now
        )
        if "email" not in whole and metadata.userinfo_endpoint is not None and _BEARER.fullmatch(tokens.access_token):
            more = await self._userinfo(provider, metadata.userinfo_endpoint, tokens.access_token)
            if more.get("sub") == claims.sub:  # OpenID Connect Core 1.0, section 5.3.2
                whole = {**more, **whole}
        return claims, whole

    async def _userinfo(self, provider: Provider, url: str, token: str) -> dict[str, Any]:
        lines = f"accept: application/json\r\nauthorization: Bearer {token}\r\n".encode()
        answer = await self._ask(provider, b"GET", url, lines, b"")
        if answer.status != 200 or not answer.headers.get(b"content-type", b"").startswith(b"application/json"):
            return {}
        found: dict[str, Any] = _read(answer.body, dict[str, Any], url)
        return found

    async def _get(self, provider: Provider, url: str) -> bytes:
        answer = await self._ask(provider, b"GET", url, b"accept: application/json\r\n", b"")
        if answer.status != 200:
            raise _wrong(f"{url} answered {answer.status}", "check `issuer` of the provider")
        return answer.body

    async def _ask(self, provider: Provider, method: bytes, url: str, lines: bytes, body: bytes) -> Answer:
        origin, target = place(url, provider)
        try:
            return await self._client.fetch(origin, method, target, lines, body, _TIMES, cap=_CAP)
        except UpstreamError as e:
            raise Unauthenticated(
                f"The identity provider cannot be reached: {e.message}.",
                code="oidc_unreachable",
                hint="try again later",
            ) from e


def place(url: str, provider: Provider) -> tuple[Origin, bytes]:
    """Return where `url` is. Raises Unauthenticated unless it is HTTPS; on this very machine HTTP will do, if the
    issuer's own address is that too."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        host = parts.hostname or ""
        plain = parts.scheme == "http" and _here(host) and provider.issuer.startswith("http://")
        sound = bool(host) and url.isascii() and url.isprintable() and " " not in url
        sound = sound and parts.username is None and not parts.fragment
    except ValueError:
        sound, plain = False, False
    if not sound or not (plain or parts.scheme == "https"):
        raise _wrong(f"{url[:200]!r} is no address to trust", "a provider is reached over https alone")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, host, port, ca=provider.ca), target.encode()


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(raw: dict[str, Any]) -> idtoken.Jwk | None:
    """One that we cannot read is of a kind that we do not use."""
    try:
        return msgspec.convert(raw, idtoken.Jwk)
    except msgspec.ValidationError:
        return None


def _read(body: bytes, form: Any, url: str) -> Any:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _wrong(f"{url} does not answer as the standard says: {e}", "check `issuer` of the provider") from e


def _said(body: bytes) -> str:
    """Return the error code of a provider's answer, for our own log."""
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return ""
    return f": {str(error)[:64]!r}"


def _wrong(message: str, hint: str) -> Unauthenticated:
    return Unauthenticated(f"{message}.", code="oidc_failed", hint=hint)
