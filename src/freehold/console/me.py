"""What members do with their own account: name, settings, password, sessions, tokens. Refuses to know other members."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from freehold.access import Member, Session, members, passwords, throttle
from freehold.console import invitations
from freehold.console.audit import note
from freehold.console.identify import Identity
from freehold.console.signin import Form, Name, Password, Shown, shown
from freehold.core.errors import BadRequest, Forbidden, OverLimit
from freehold.wire.api import Endpoint, Request

_TOKENS = 50
_DAY = 86400 * 1_000_000_000


class Change(Form):
    display: Name | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class ChangePassword(Form):
    new: Password
    old: Password = ""


class MakeToken(Form):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 90


class SessionRow(msgspec.Struct):
    """A session as lists show it."""

    id: str
    kind: str
    name: str
    peer: str
    created_at: int
    seen_at: int
    expires_at: int
    current: bool


class SessionRows(msgspec.Struct):
    items: list[SessionRow]


class Made(msgspec.Struct):
    token: str
    id: str
    name: str
    expires_at: int


def row(session: Session, current: str) -> SessionRow:
    """Return a session as lists show it; `current` is the id of the asker's own."""
    made, seen, ends = (at // 1_000_000 for at in (session.created_at, session.seen_at, session.expires_at))
    return SessionRow(
        session.id, session.kind, session.name, session.peer, made, seen, ends, session.id == current
    )  # fmt: skip


class MeDesk:
    """The endpoints of one's own account."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this room."""
        return [
            Endpoint(method="GET", path="/api/me", run=self._look, answer=Shown, summary="One's own account", tag="me"),
            Endpoint(method="PATCH", path="/api/me", run=self._change, body=Change, answer=Shown,
                     summary="Change one's own name or settings; a setting that is null goes", tag="me"),
            Endpoint(method="POST", path="/api/me/password", run=self._password, body=ChangePassword, status=204,
                     summary="Change one's own password; all other sessions end", tag="me"),
            Endpoint(method="GET", path="/api/me/sessions", run=self._sessions, answer=SessionRows,
                     summary="One's own sessions and tokens", tag="me"),
            Endpoint(method="DELETE", path="/api/me/sessions/{id}", run=self._revoke, status=204,
                     summary="End one of one's own sessions or tokens", tag="me"),
            Endpoint(method="POST", path="/api/me/tokens", run=self._token, body=MakeToken, answer=Made, status=201,
                     summary="Make a token for a program; it is shown this once", tag="me"),
        ]  # fmt: skip

    async def _look(self, request: Request[Member]) -> Shown:
        return shown(request.who)

    async def _change(self, request: Request[Member]) -> Shown:
        store, id, body = self._identity.store, request.who.id, request.body
        display = members.check_display(body.display) or request.who.name if body.display is not None else None
        if body.settings:
            await members.change_settings(store, id, body.settings)
        if display is not None:
            await members.set_display(store, id, display)
        self._identity.sessions.forget()
        return shown(await members.find(store, id))

    async def _password(self, request: Request[Member]) -> None:
        identity, member, body = self._identity, request.who, request.body
        session = await self._browser(request)
        passwords.check(body.new, member.name, member.display)
        name = throttle.by_name(f"{member.id}\0password")  # apart from signing in, where anybody may guess
        _, kept = await members.with_password(identity.store, member.name) or (None, None)
        if kept is not None:
            await throttle.attempt(identity.store, name)
            try:
                good = await identity.passwords.verify(body.old, kept)
            except OverLimit:
                await throttle.undo(identity.store, name)
                raise
            if not good:
                await note(identity.ledger, "password.refused", member, of=member.id, name=member.name)
                raise Forbidden("That is not the password that you have.", code="wrong_password", param="old",
                                hint="check it, then try again")  # fmt: skip
            await throttle.passed(identity.store, name)
        sealed = await identity.passwords.hash(body.new)
        if kept is None:
            await members.set_password(identity.store, member.id, sealed)
        elif not await members.renew_password(identity.store, member.id, kept, sealed):
            raise BadRequest("The password was changed elsewhere meanwhile.", hint="sign in anew, then try again")
        await invitations.revoke(identity.store, member)
        ended = await identity.sessions.revoke_all(member.id, but=session.id)
        await note(identity.ledger, "password.change", member, of=member.id, name=member.name, ended=ended)

    async def _sessions(self, request: Request[Member]) -> SessionRows:
        found = await self._identity.session(request.exchange)
        current = found[0].id if found else ""
        return SessionRows([row(each, current) for each in await self._identity.sessions.list(request.who.id)])

    async def _revoke(self, request: Request[Member]) -> None:
        ended = await self._identity.sessions.revoke(request.params["id"], member=request.who.id)
        await note(self._identity.ledger, "session.revoke", request.who, session=ended.id, of=request.who.id,
                   name=request.who.name)  # fmt: skip

    async def _token(self, request: Request[Member]) -> Made:
        identity, member, body = self._identity, request.who, request.body
        await self._browser(request)
        if sum(each.kind == "token" for each in await identity.sessions.list(member.id)) >= _TOKENS:
            raise BadRequest(f"You have {_TOKENS} tokens already.", hint="end one that nobody uses")
        session, token = await identity.sessions.begin(
            member, kind="token", name=body.name, peer=identity.peer(request.exchange), span=body.days * _DAY
        )
        await note(identity.ledger, "token.create", member, session=session.id, name=session.name, days=body.days)
        return Made(token, session.id, session.name, session.expires_at // 1_000_000)

    async def _browser(self, request: Request[Member]) -> Session:
        """Return the browser's session; a program's token may not make itself last."""
        found = await self._identity.session(request.exchange)
        if found is None or found[0].kind != "browser":
            raise Forbidden(
                "A token may not do that.", code="token_not_enough", hint="sign in at the page with a browser"
            )
        return found[0]
