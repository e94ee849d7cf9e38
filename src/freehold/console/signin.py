"""Signing in and out with a password, the first visit, and invitations. Refuses to know other ways to sign in."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from freehold.access import Member, Session, members, passwords, throttle
from freehold.console.audit import note
from freehold.console.identify import COOKIE, Identity
from freehold.console.invitations import look, take
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, Forbidden, FreeholdError, OverLimit, Unauthenticated
from freehold.wire.api import PRIVATE, Endpoint, Raw, Request
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers

log = logging.getLogger("freehold.signin")

More = Callable[[Member], Awaitable[dict[str, Any]]]
SECOND = 1_000_000_000
_TRIES, _PAUSE = 20, 0.05
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip

Name = Annotated[str, msgspec.Meta(max_length=256)]
Password = Annotated[str, msgspec.Meta(max_length=passwords.MOST)]
Token = Annotated[str, msgspec.Meta(max_length=128)]


class Form(msgspec.Struct, forbid_unknown_fields=True):
    """Base of every body."""


class SignIn(Form):
    name: Name
    password: Password


class Setup(Form):
    name: Name
    password: Password
    display: Name = ""
    code: Token = ""


class Open(Form):
    token: Token


class Accept(Form):
    token: Token
    password: Password
    display: Name = ""


class Invited(msgspec.Struct):
    name: str
    display: str
    expires_at: int


class Shown(msgspec.Struct):
    """A member as the page sees it."""

    id: str
    name: str
    display: str
    role: str
    team: str | None
    settings: dict[str, Any]
    has_password: bool
    linked: bool


class Way(msgspec.Struct):
    id: str
    name: str


class SessionAnswer(msgspec.Struct):
    """Who is signed in, and how one may sign in."""

    member: Shown | None
    csrf: str
    setup: bool
    code: bool
    password: bool
    oidc: list[Way]
    version: str
    home: dict[str, Any] | None


def shown(member: Member) -> Shown:
    """Return a member as the page sees it."""
    return Shown(
        member.id, member.name, member.display, member.role, member.team, member.settings, member.has_password,
        member.subject is not None,
    )  # fmt: skip


class SignInDesk:
    """The endpoints around a session. `more` says what else the page wants to know of who is signed in."""

    def __init__(self, identity: Identity, more: More | None) -> None:
        self._identity = identity
        self._more = more
        self._settled = False  # there is a member, and there will be one for ever

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this room."""
        return [
            Endpoint(method="GET", path="/api/session", run=self._look, access="public", answer=SessionAnswer,
                     summary="Who is signed in, and how one may sign in", tag="session"),
            Endpoint(method="POST", path="/api/session", run=self._sign_in, access="public", body=SignIn,
                     answer=SessionAnswer, summary="Sign in with a password", tag="session"),
            Endpoint(method="DELETE", path="/api/session", run=self._sign_out, access="member", status=204,
                     summary="Sign out", tag="session"),
            Endpoint(method="POST", path="/api/setup", run=self._setup, access="public", body=Setup,
                     answer=SessionAnswer, summary="Make the owner, where there is no member yet", tag="session"),
            Endpoint(method="POST", path="/api/invitations/open", run=self._open, access="public", body=Open,
                     answer=Invited, summary="Whom an invitation is for", tag="session"),
            Endpoint(method="POST", path="/api/invitations/accept", run=self._accept, access="public", body=Accept,
                     answer=SessionAnswer, summary="Choose a password with an invitation, and sign in", tag="session"),
        ]  # fmt: skip

    # -- sessions -----------------------------------------------------------------------------------------------------

    async def _look(self, request: Request[Any]) -> Raw:
        exchange = request.exchange
        found = await self._identity.session(exchange)
        if found is None:
            return await self.answer(exchange, None, ())
        session, _ = found
        left = max(0, (session.expires_at - now_ns()) // SECOND)
        token = self._identity.cookie(exchange, COOKIE).decode("latin-1")
        # The browser keeps its cookie as long as the session, which use has made longer.
        kept = self._identity.set_cookie(exchange, COOKIE, token, left) if session.kind == "browser" else ()
        return await self.answer(exchange, found, kept)

    async def answer(self, exchange: Exchange, found: tuple[Session, Member] | None, headers: Headers) -> Raw:
        """Return what GET /api/session says, with `headers`."""
        settings = self._identity.settings
        setup = found is None and await self._is_new()
        body = SessionAnswer(
            member=shown(found[1]) if found else None,
            csrf=found[0].csrf if found and found[0].kind == "browser" else "",
            setup=setup,
            code=setup and not self._identity.local(exchange),
            password=settings.password,
            oidc=[Way(each.name, each.title) for each in settings.providers],
            version=settings.version,
            home=await self._home(found[1]) if found else None,
        )
        return Raw(msgspec.json.encode(body), "application/json", (*PRIVATE, *headers))

    async def _home(self, member: Member) -> dict[str, Any] | None:
        """A member's key is new for a moment after the member is, until this process has heard of it."""
        if self._more is None:
            return None
        for _ in range(_TRIES):
            try:
                return await self._more(member)
            except Unauthenticated:
                await asyncio.sleep(_PAUSE)
        return None

    async def _is_new(self) -> bool:
        if not self._settled:
            self._settled = await members.any_member(self._identity.store)
        return not self._settled

    async def _sign_in(self, request: Request[Any]) -> Raw:
        identity, exchange, body = self._identity, request.exchange, request.body
        if not identity.settings.password:
            raise Forbidden(
                "Nobody signs in with a password here.",
                code="password_off",
                hint="use one of the other ways to sign in",
            )
        address = identity.peer(exchange)
        name = await throttle.by_name_from(identity.store, members.normal(body.name), address)
        peer = throttle.by_peer(address)
        await throttle.attempt(identity.store, peer, name)
        member, kept = await members.with_password(identity.store, body.name) or (None, None)
        try:
            good = await identity.passwords.verify(body.password, kept)
        except OverLimit:
            await throttle.undo(identity.store, peer, name)
            raise
        if not good or member is None or member.disabled_at is not None:
            about = {"name": member.name if member else None, "of": member.id if member else None}
            await note(identity.ledger, "session.refused", None, **about, peer=address)
            raise Unauthenticated(
                "The name or the password is wrong.", code="signin_failed", hint="check both, then try again"
            )
        await throttle.passed(identity.store, name, peer)
        if kept is not None and passwords.dated(kept):
            await members.renew_password(identity.store, member.id, kept, await identity.passwords.hash(body.password))
        return await self.begin(exchange, member, "password")

    async def begin(self, exchange: Exchange, member: Member, way: str) -> Raw:
        """Sign `member` in: a new session, whatever the browser had before, and the answer that carries it."""
        found, headers = await self.open_session(exchange, member, way)
        return await self.answer(exchange, found, headers)

    async def open_session(
        self, exchange: Exchange, member: Member, way: str
    ) -> tuple[tuple[Session, Member], Headers]:
        """Return a new session of `member`, and the header that carries it; what the browser had before has ended."""
        identity = self._identity
        before = await identity.session(exchange)
        if before is not None and before[0].kind == "browser":
            await identity.sessions.revoke_one(before[0].id)
        peer, browser = identity.peer(exchange), browser_of(exchange)
        session, token = await identity.sessions.begin(member, name=browser, peer=peer)
        await note(identity.ledger, "session.begin", member, session=session.id, way=way, peer=peer)
        seconds = identity.sessions.span // SECOND
        return (session, member), identity.set_cookie(exchange, COOKIE, token, seconds)

    async def _sign_out(self, request: Request[Any]) -> Raw:
        identity, exchange = self._identity, request.exchange
        found = await identity.session(exchange)
        if found is not None:
            await identity.sessions.revoke_one(found[0].id)
            await note(identity.ledger, "session.end", found[1], session=found[0].id)
        gone = identity.set_cookie(exchange, COOKIE, "", 0)
        return Raw(b"", "application/json", ((b"cache-control", b"no-store"), *gone), 204)

    # -- the first visit ----------------------------------------------------------------------------------------------

    async def _setup(self, request: Request[Any]) -> Raw:
        identity, exchange, body = self._identity, request.exchange, request.body
        if not await self._is_new():
            raise _has_owner()
        if not identity.local(exchange):
            await self._check_code(exchange, body.code)
        members.check_name(body.name)
        passwords.check(body.password, body.name, body.display)
        sealed = await identity.passwords.hash(body.password)
        limits = identity.settings.default_limits
        made = await members.create_first(
            identity.store, body.name, display=body.display, password=sealed, limits=limits
        )
        if made is None:
            raise _has_owner()
        self._settled = True
        if identity.settings.setup_file is not None:
            with suppress(OSError):
                identity.settings.setup_file.unlink(missing_ok=True)
        await note(identity.ledger, "member.create", made, of=made.id, name=made.name, role="owner", first=True)
        return await self.begin(exchange, msgspec.structs.replace(made, has_password=True), "setup")

    async def _check_code(self, exchange: Exchange, code: str) -> None:
        identity = self._identity
        peer = throttle.by_peer(identity.peer(exchange))
        await throttle.attempt(identity.store, peer)
        wanted = b""
        if identity.settings.setup_file is not None:
            with suppress(OSError):
                wanted = identity.settings.setup_file.read_bytes().strip()
        if not wanted or not hmac.compare_digest(code.strip().encode("utf-8", "replace"), wanted):
            await note(identity.ledger, "setup.refused", None, peer=identity.peer(exchange))
            raise Forbidden(
                "The first visit needs the code of the address that Freehold printed when it started.",
                code="setup_code",
                param="code",
                hint="`freehold members link` on the server prints the address again",
            )
        await throttle.undo(identity.store, peer)

    # -- invitations --------------------------------------------------------------------------------------------------

    async def _open(self, request: Request[Any]) -> Invited:
        member, ends = await self._invited(request.exchange, request.body.token)
        return Invited(member.name, member.display, ends // 1_000_000)

    async def _accept(self, request: Request[Any]) -> Raw:
        identity, exchange, body = self._identity, request.exchange, request.body
        member, _ = await self._invited(exchange, body.token)
        display = members.check_display(body.display) or member.display
        passwords.check(body.password, member.name, display)
        sealed = await identity.passwords.hash(body.password)
        if not await take(identity.store, "invite", body.token):
            raise _no_invitation()
        await members.set_password(identity.store, member.id, sealed)
        await members.set_display(identity.store, member.id, display)
        await identity.sessions.revoke_all(member.id)
        await throttle.passed(identity.store, throttle.by_name(member.name))
        await note(identity.ledger, "invitation.accept", member, of=member.id, name=member.name)
        return await self.begin(exchange, await members.find(identity.store, member.id), "invitation")

    async def _invited(self, exchange: Exchange, token: str) -> tuple[Member, int]:
        identity = self._identity
        peer = throttle.by_peer(identity.peer(exchange))
        await throttle.attempt(identity.store, peer)
        found = await look(identity.store, "invite", token)
        member = None
        if found is not None:
            with suppress(FreeholdError):
                member = await members.find(identity.store, found[0]["member"])
        if found is None or member is None or member.disabled_at is not None:
            raise _no_invitation()
        await throttle.undo(identity.store, peer)
        return member, found[1]


def browser_of(exchange: Exchange) -> str:
    """Return what to call the client in a list of sessions, e.g. "Firefox, Linux"."""
    agent = exchange.headers.get(b"user-agent", b"").decode("latin-1")[:500]
    names = [next((name for sign, name in signs if sign in agent), "") for signs in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, names)) or re.sub(r"[^A-Za-z0-9 ./-]", "", agent)[:40]


def _has_owner() -> Forbidden:
    return Forbidden("This server has an owner already.", code="setup_done", hint="sign in, or ask for an invitation")


def _no_invitation() -> BadRequest:
    return BadRequest(
        "This invitation is not good, or no longer.", code="invitation_gone", param="token", hint="ask for another one"
    )
