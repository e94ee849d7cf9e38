"""Signing in by way of an identity provider: OpenID Connect, authorization code with PKCE (RFC 7636), state and nonce.

Knows the way there and back, and who an identity belongs to; refuses to know how a token is verified.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
import time
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from freehold.access import Member, members
from freehold.console.audit import note
from freehold.console.discovery import Directory
from freehold.console.identify import Identity
from freehold.console.invitations import keep, look, take
from freehold.console.providers import Provider
from freehold.console.signin import Form, Name, SignInDesk
from freehold.core.clock import tick
from freehold.core.errors import BadRequest, Forbidden, FreeholdError, NotFound, OverLimit, StoreError, Unauthenticated
from freehold.core.ids import new_secret
from freehold.wire.api import PRIVATE, Endpoint, Raw, Request
from freehold.wire.client import Client
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers

log = logging.getLogger("freehold.signin")

COOKIE = "freehold_signin_"
WAY = 600
"""Seconds that somebody may take at the provider."""
_PER_MINUTE = 30
_PEERS = 4096
_NEXT = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")
_STATE = re.compile(r"st-[A-Za-z0-9_-]{43}")


class LinkBody(Form):
    provider: Name
    next: Name = "/"


class There(msgspec.Struct):
    url: str


class Kept(msgspec.Struct):
    """What a sign-in has to come back with."""

    provider: str
    nonce: str
    verifier: str
    browser: str  # SHA-256 of the cookie of the browser that began it
    back: str  # the address that the provider sends the browser to
    next: str
    link: str = ""  # id of the member, already signed in, who ties the identity to the account


class OidcDesk:
    """The endpoints of the way there and back."""

    def __init__(self, identity: Identity, client: Client, signin: SignInDesk) -> None:
        self._identity = identity
        self._signin = signin
        self._directory = Directory(client)
        self._starts: dict[str, tuple[float, int]] = {}

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this room."""
        return [
            Endpoint(method="GET", path="/api/signin/{provider}", run=self._go, access="public", status=302,
                     summary="To an identity provider; `next` is the page to come back to", tag="session"),
            Endpoint(method="GET", path="/api/signin/{provider}/callback", run=self._come_back, access="public",
                     status=303, summary="Back from an identity provider", tag="session"),
            Endpoint(method="POST", path="/api/me/identity", run=self._link, body=LinkBody, answer=There,
                     summary="Begin to tie one's account to an identity; go to `url` next", tag="me"),
            Endpoint(method="DELETE", path="/api/me/identity", run=self._unlink, status=204,
                     summary="Untie one's account from its identity", tag="me"),
        ]  # fmt: skip

    # -- there --------------------------------------------------------------------------------------------------------

    async def _go(self, request: Request[Any]) -> Raw:
        exchange = request.exchange
        provider = self._provider(request.params["provider"])
        asked = dict(parse_qsl(exchange.query, max_num_fields=16)).get("next", "/")
        try:
            url, headers = await self._start(exchange, provider, asked, "")
        except FreeholdError as e:
            return self._failed(provider, e, ())
        return _redirect(302, url, headers)

    async def _link(self, request: Request[Member]) -> Raw:
        provider = self._provider(request.body.provider)
        found = await self._identity.session(request.exchange)
        if found is None or found[0].kind != "browser":
            raise Forbidden(
                "A token may not do that.", code="token_not_enough", hint="sign in at the page with a browser"
            )
        url, headers = await self._start(request.exchange, provider, request.body.next, request.who.id)
        return Raw(msgspec.json.encode(There(url)), "application/json", (*PRIVATE, *headers))

    async def _unlink(self, request: Request[Member]) -> None:
        member = await members.find(self._identity.store, request.who.id)
        if not member.has_password:
            raise BadRequest("There would be no way left to sign in.", hint="choose a password first")
        await members.unlink(self._identity.store, member.id)
        await note(self._identity.ledger, "identity.unlink", member, of=member.id, name=member.name,
                   subject=member.subject)  # fmt: skip

    async def _start(self, exchange: Exchange, provider: Provider, next: str, link: str) -> tuple[str, Headers]:
        """Return the provider's address to go to, and the cookie that says which browser went there."""
        self._count(self._identity.peer(exchange))
        metadata = await self._directory.metadata(provider)
        state, nonce, verifier, browser = (new_secret(kind) for kind in ("st", "no", "ve", "br"))
        kept = Kept(
            provider.name, nonce, verifier, _digest(browser), self._back(exchange, provider), local_path(next), link
        )
        await keep(self._identity.store, "oidc", state, msgspec.to_builtins(kept), WAY * 1_000_000_000)
        query = urlencode(
            {
                "response_type": "code",
                "client_id": provider.client_id,
                "redirect_uri": kept.back,
                "scope": " ".join(dict.fromkeys(("openid", *provider.scopes))),
                "state": state,
                "nonce": nonce,
                "code_challenge": _challenge(verifier),
                "code_challenge_method": "S256",
            }
        )
        place = metadata.authorization_endpoint
        url = f"{place}{'&' if '?' in place else '?'}{query}"
        return url, self._identity.set_cookie(exchange, _cookie(state), browser, WAY)

    def _back(self, exchange: Exchange, provider: Provider) -> str:
        return f"{self._identity.address(exchange)}/api/signin/{provider.name}/callback"

    def _provider(self, name: str) -> Provider:
        for provider in self._identity.settings.providers:
            if provider.name == name:
                return provider
        raise NotFound(f"There is no way to sign in called {name[:64]!r}.", hint="GET /api/session lists them")

    def _count(self, peer: str) -> None:
        """Each start writes a row, so nobody may begin any number of them."""
        now = tick()
        began, count = self._starts.get(peer, (now, 0))
        if now - began > 60:
            began, count = now, 0
        if count >= _PER_MINUTE:
            raise OverLimit("Too many sign-ins were begun.", code="signin_throttled", hint="wait a minute",
                            retry_after=60.0)  # fmt: skip
        if len(self._starts) >= _PEERS:
            self._starts.clear()
        self._starts[peer] = (began, count + 1)

    # -- and back -----------------------------------------------------------------------------------------------------

    async def _come_back(self, request: Request[Any]) -> Raw:
        exchange = request.exchange
        provider = self._provider(request.params["provider"])
        query = _answer(exchange.query)
        state = query.get("state", "")
        if not _STATE.fullmatch(state):
            return self._failed(provider, _expired(), ())
        gone = self._identity.set_cookie(exchange, _cookie(state), "", 0)
        try:
            kept = await self._kept(exchange, provider, state)
        except FreeholdError as e:
            return self._failed(provider, e, gone)  # anybody can send this, so it is not worth a line in the ledger
        try:
            claims, whole = await self._claims(provider, kept, query)
            member = await self._member(exchange, provider, kept, f"{claims.iss}|{claims.sub}", whole)
            if kept.link:
                return _redirect(303, kept.next, gone)
            _, cookies = await self._signin.open_session(exchange, member, provider.name)
        except FreeholdError as e:
            if not isinstance(e, StoreError):
                await note(self._identity.ledger, "session.refused", None, name=None, of=None, way=provider.name,
                           code=e.code, peer=self._identity.peer(exchange))  # fmt: skip
            return self._failed(provider, e, gone)
        return _redirect(303, kept.next, (*cookies, *gone))

    async def _kept(self, exchange: Exchange, provider: Provider, state: str) -> Kept:
        """Return what this browser left here with, once."""
        found = await look(self._identity.store, "oidc", state)
        if found is None:
            raise _expired()
        kept = msgspec.convert(found[0], Kept)
        browser = self._identity.cookie(exchange, _cookie(state)).decode("latin-1")
        if not hmac.compare_digest(_digest(browser), kept.browser) or kept.provider != provider.name:
            raise _expired()
        if not await take(self._identity.store, "oidc", state):
            raise _expired()
        return kept

    async def _claims(self, provider: Provider, kept: Kept, query: dict[str, str]) -> tuple[Any, dict[str, Any]]:
        metadata = await self._directory.metadata(provider)
        issuer = query.get("iss")  # RFC 9207: against mixing up two providers
        if issuer != metadata.issuer and (
            issuer is not None or metadata.authorization_response_iss_parameter_supported
        ):
            raise Unauthenticated(
                "The answer is another provider's.", code="oidc_failed", hint="begin the sign-in again"
            )
        if query.get("error") == "access_denied":
            raise Forbidden("The sign-in was declined.", code="oidc_denied", hint="begin it again")
        if "error" in query:
            raise Unauthenticated(
                f"The identity provider says {query['error'][:64]!r}.",
                code="oidc_failed",
                hint="begin the sign-in again; the provider's own log says more",
            )
        tokens = await self._directory.redeem(provider, query.get("code", ""), kept.verifier, kept.back)
        return await self._directory.verify(provider, tokens, kept.nonce, time.time())

    async def _member(
        self, exchange: Exchange, provider: Provider, kept: Kept, subject: str, claims: dict[str, Any]
    ) -> Member:
        """Return the member that an identity belongs to, made if need be and allowed."""
        identity = self._identity
        if kept.link:
            return await self._tie(exchange, kept.link, subject)
        member = await members.by_subject(identity.store, subject)
        email = verified(claims)
        if member is None and provider.names(email):
            member = await self._known(email or "", subject)
        if member is None:
            member = await self._new(provider, subject, email, claims)
        if member.disabled_at is not None:
            raise Forbidden("This account is disabled.", code="member_disabled", hint="ask an owner to enable it")
        role = provider.role_of(claims)
        if role is not None and role != member.role and member.role != "owner":
            before = member.role
            member = await members.set_role(identity.store, member.id, role)
            await note(identity.ledger, "member.role", None, of=member.id, name=member.name, role=role, before=before,
                       way=provider.name)  # fmt: skip
        return member

    async def _tie(self, exchange: Exchange, id: str, subject: str) -> Member:
        found = await self._identity.session(exchange)
        if found is None or found[1].id != id:
            raise _expired()
        if not await members.link(self._identity.store, id, subject):
            raise BadRequest("The account is tied to an identity already.", code="oidc_taken", hint="untie it first")
        self._identity.sessions.forget()
        await note(self._identity.ledger, "identity.link", found[1], of=id, name=found[1].name, subject=subject)
        return found[1]

    async def _known(self, email: str, subject: str) -> Member | None:
        """Return the member who is here under this address already; the identity is theirs from now on."""
        found = await members.with_password(self._identity.store, email)
        if found is None:
            return None
        member = found[0]
        if not await members.link(self._identity.store, member.id, subject):
            raise _not_allowed("a member of this address has another identity")
        await note(self._identity.ledger, "identity.link", None, of=member.id, name=member.name, subject=subject)
        return member

    async def _new(self, provider: Provider, subject: str, email: str | None, claims: dict[str, Any]) -> Member:
        if not provider.allows(email):
            raise _not_allowed(
                "nothing in `allow` names it" if email else "it shows no e-mail address that is verified"
            )
        role = provider.role_of(claims) or provider.role
        identity = self._identity
        for name in (email, claims.get("preferred_username"), f"{provider.name}-{_digest(subject)[:10]}"):
            try:
                plain = members.check_name(name) if isinstance(name, str) and name.isascii() else ""
            except BadRequest:
                continue
            if plain:
                break
        shown = claims.get("name")
        try:
            display = members.check_display(shown) if isinstance(shown, str) else ""
        except BadRequest:
            display = ""
        try:
            made = await members.create(
                identity.store, plain, role=role, display=display, subject=subject,
                limits=identity.settings.default_limits,
            )  # fmt: skip
        except BadRequest as e:
            raise _not_allowed(e.message) from e
        await note(identity.ledger, "member.create", None, of=made.id, name=made.name, role=role, way=provider.name,
                   subject=subject)  # fmt: skip
        return made

    def _failed(self, provider: Provider, e: FreeholdError, headers: Headers) -> Raw:
        """Say at the page, by a code, why nobody is signed in; whoever runs the server reads more in the log."""
        log.warning("a sign-in failed", extra={"provider": provider.name, "code": e.code, "why": e.sentences()})
        return _redirect(303, f"/?{urlencode({'signin': e.code})}", headers)


def local_path(text: str) -> str:
    """Return `text` when it is the path of a page here and can lead nowhere else; "/" otherwise."""
    return text if _NEXT.fullmatch(text) else "/"


def verified(claims: dict[str, Any]) -> str | None:
    """Return the e-mail address that the provider has verified, in lower case; None without one. One that is not plain
    ASCII is none: what looks like another's address must not become it."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str) or not email.isascii():
        return None
    return email.lower() if email.count("@") == 1 and len(email) <= 254 and email.isprintable() else None


def _answer(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=32, errors="strict")
    except ValueError:
        return {}
    return {} if len({name for name, _ in pairs}) < len(pairs) else dict(pairs)


def _redirect(status: int, url: str, headers: Headers) -> Raw:
    fixed = (
        (b"location", url.encode("ascii")), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"),
    )  # fmt: skip
    return Raw(b"", "text/plain", (*fixed, *headers), status)


def _cookie(state: str) -> str:
    """One cookie for each sign-in that is under way: two tabs do not get in each other's way."""
    return COOKIE + _digest(state)[:12]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _expired() -> Unauthenticated:
    return Unauthenticated(
        "This sign-in took too long, or was begun elsewhere.", code="oidc_expired", hint="begin it again"
    )


def _not_allowed(why: str) -> Forbidden:
    return Forbidden(
        f"This identity may not come in: {why}.",
        code="oidc_not_allowed",
        hint="`allow` of the provider under [signin.oidc] says who may; or tie it to an account that exists",
    )
