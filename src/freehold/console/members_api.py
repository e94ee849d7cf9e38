"""What administrators do with members and their sessions. Refuses to know how members sign in.

Nobody touches a member above them, and nobody gives a role above their own.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from freehold.access import RANKS, Member, list_teams, members, passwords, throttle
from freehold.console.audit import note
from freehold.console.identify import Identity
from freehold.console.invitations import invite, revoke
from freehold.console.me import SessionRow, row
from freehold.console.signin import Form, Name, Password, Way
from freehold.core.errors import BadRequest, Forbidden
from freehold.wire.api import Endpoint, Request


class Create(Form):
    name: Name
    display: Name = ""
    role: Name = "member"
    team: Name | None = None
    password: Password | None = None


class Change(Form):
    display: Name | UnsetType = UNSET
    role: Name | UnsetType = UNSET
    team: Name | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class NewPassword(Form):
    password: Password


class Link(msgspec.Struct):
    token: str
    url: str
    expires_at: int


class Row(msgspec.Struct):
    """A member as administrators see it."""

    id: str
    name: str
    display: str
    role: str
    team: Way | None
    key: str
    created_at: int
    disabled_at: int | None
    last_seen_at: int | None
    has_password: bool
    subject: str | None
    sessions: int
    link: Link | None = None


class Rows(msgspec.Struct):
    members: list[Row]


class Of(msgspec.Struct):
    member: Name = ""


class SessionOf(msgspec.Struct):
    member: Way
    session: SessionRow


class Sessions(msgspec.Struct):
    sessions: list[SessionOf]


class Ended(msgspec.Struct):
    ended: int


class MembersDesk:
    """The endpoints about members."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this room."""
        base, one = "/api/admin/members", "/api/admin/members/{id}"
        table: list[tuple[str, str, Any, str, dict[str, Any]]] = [
            ("GET", base, self._list, "All members", {"access": "auditor", "answer": Rows}),
            ("POST", base, self._create, "Make a member, with a password or an invitation",
             {"body": Create, "answer": Row, "status": 201}),
            ("GET", one, self._one, "One member", {"access": "auditor", "answer": Row}),
            ("PATCH", one, self._change, "Change a member's name, role or team; stop one, or let one in again",
             {"body": Change, "answer": Row}),
            ("POST", one + "/password", self._password, "Give a member another password; all sessions end",
             {"body": NewPassword, "status": 204}),
            ("POST", one + "/invitation", self._invite, "Make a link with which the member chooses a password",
             {"answer": Link, "status": 201}),
            ("DELETE", one + "/identity", self._unlink, "Untie a member from its identity provider", {"status": 204}),
            ("DELETE", one + "/sessions", self._revoke_all, "End all sessions of a member", {"answer": Ended}),
            ("GET", "/api/admin/sessions", self._sessions, "Sessions in force, of all or of one member",
             {"access": "auditor", "query": Of, "answer": Sessions}),
            ("DELETE", "/api/admin/sessions/{id}", self._revoke, "End a session", {"status": 204}),
        ]  # fmt: skip
        return [
            Endpoint(method=method, path=path, run=run, summary=summary, tag="members", **{"access": "admin", **more})
            for method, path, run, summary, more in table
        ]

    # -- members ------------------------------------------------------------------------------------------------------

    async def _list(self, request: Request[Member]) -> Rows:
        return Rows(await self._rows(await members.list_members(self._identity.store)))

    async def _one(self, request: Request[Member]) -> Row:
        return await self._row(await members.find(self._identity.store, request.params["id"]))

    async def _rows(self, found: list[Member]) -> list[Row]:
        teams = {team.id: Way(team.id, team.name) for team in await list_teams(self._identity.store)}
        counts: dict[str, int] = {}
        for session in await self._identity.sessions.list(found[0].id if len(found) == 1 else None):
            counts[session.member] = counts.get(session.member, 0) + 1
        return [
            Row(
                each.id, each.name, each.display, each.role, teams.get(each.team or ""), each.key,
                each.created_at // 1_000_000, _ms(each.disabled_at), _ms(each.last_seen_at), each.has_password,
                each.subject, counts.get(each.id, 0),
            )
            for each in found
        ]  # fmt: skip

    async def _row(self, member: Member, link: Link | None = None) -> Row:
        (made,) = await self._rows([member])
        return msgspec.structs.replace(made, link=link)

    async def _create(self, request: Request[Member]) -> Row:
        identity, body = self._identity, request.body
        role = members.parse_role(body.role)
        _check_rank(request.who, role)
        sealed = None
        if body.password is not None:
            passwords.check(body.password, body.name, body.display)
            sealed = await identity.passwords.hash(body.password)
        made = await members.create(
            identity.store, body.name, role=role, display=body.display, team=body.team, password=sealed,
            limits=identity.settings.default_limits,
        )  # fmt: skip
        await note(identity.ledger, "member.create", request.who, of=made.id, name=made.name, role=role, team=made.team)
        link = await self._link(request, made) if sealed is None else None
        return await self._row(await members.find(identity.store, made.id), link)

    async def _change(self, request: Request[Member]) -> Row:
        identity, body = self._identity, request.body
        before = await self._touchable(request)
        role = members.parse_role(body.role) if body.role is not UNSET else None
        if role is not None:
            _check_rank(request.who, role)
        now = await members.change(
            identity.store, before, role=role,
            team=body.team or None if body.team is not UNSET else UNSET,
            display=members.check_display(body.display) or before.name if body.display is not UNSET else None,
            disabled=body.disabled if body.disabled is not UNSET else None,
        )  # fmt: skip
        identity.sessions.forget()
        if body.disabled is not UNSET:
            await revoke(identity.store, before)
        about: dict[str, Any] = {"of": now.id, "name": now.name}
        for name in ("role", "team", "display"):
            old, new = getattr(before, name), getattr(now, name)
            if old != new:
                await note(identity.ledger, f"member.{name}", request.who, **about, **{name: new}, before=old)
        if before.disabled_at != now.disabled_at:
            act = "member.disable" if now.disabled_at is not None else "member.enable"
            await note(identity.ledger, act, request.who, **about)
        return await self._row(await members.find(identity.store, now.id))

    async def _password(self, request: Request[Member]) -> None:
        identity = self._identity
        member = await self._other(request)
        passwords.check(request.body.password, member.name, member.display)
        await members.set_password(identity.store, member.id, await identity.passwords.hash(request.body.password))
        ended = await identity.sessions.revoke_all(member.id)
        await revoke(identity.store, member)
        await throttle.passed(identity.store, throttle.by_name(member.name))
        await note(identity.ledger, "password.reset", request.who, of=member.id, name=member.name, ended=ended)

    async def _invite(self, request: Request[Member]) -> Link:
        return await self._link(request, await self._other(request))

    async def _link(self, request: Request[Member], member: Member) -> Link:
        if member.disabled_at is not None:
            raise BadRequest(f"{member.name} is disabled.", hint="let the member in again first")
        token, ends = await invite(self._identity.store, member)
        await note(self._identity.ledger, "invitation.create", request.who, of=member.id, name=member.name)
        url = f"{self._identity.address(request.exchange)}/#invite={token}"
        return Link(token, url, ends // 1_000_000)

    async def _unlink(self, request: Request[Member]) -> None:
        member = await self._touchable(request)
        await members.unlink(self._identity.store, member.id)
        await note(self._identity.ledger, "identity.unlink", request.who, of=member.id, name=member.name,
                   subject=member.subject)  # fmt: skip

    async def _touchable(self, request: Request[Member]) -> Member:
        """Return the member that the path names. Forbidden when that one is above the asker."""
        member = await members.find(self._identity.store, request.params["id"])
        _check_rank(request.who, member.role)
        return member

    async def _other(self, request: Request[Member]) -> Member:
        """As `_touchable`, of somebody else: who holds a session must not get past one's own old password."""
        member = await self._touchable(request)
        if member.id == request.who.id:
            raise Forbidden(
                "Your own password is changed with the one that you have.",
                code="own_account",
                hint="POST /api/me/password; forgotten: `freehold members password NAME` on the server",
            )
        return member

    # -- sessions -----------------------------------------------------------------------------------------------------

    async def _sessions(self, request: Request[Member]) -> Sessions:
        identity = self._identity
        wanted = (await members.find(identity.store, request.query.member)).id if request.query.member else None
        names = {each.id: Way(each.id, each.name) for each in await members.list_members(identity.store)}
        own = await identity.session(request.exchange)
        found = await identity.sessions.list(wanted)
        current = own[0].id if own else ""
        return Sessions([SessionOf(names[s.member], row(s, current)) for s in found if s.member in names])

    async def _revoke(self, request: Request[Member]) -> None:
        identity = self._identity
        session = await identity.sessions.one(request.params["id"])
        member = await members.find(identity.store, session.member)
        _check_rank(request.who, member.role)
        await identity.sessions.revoke_one(session.id)
        about = {"session": session.id, "of": member.id, "name": member.name}
        await note(identity.ledger, "session.revoke", request.who, **about)

    async def _revoke_all(self, request: Request[Member]) -> Ended:
        member = await self._touchable(request)
        ended = await self._identity.sessions.revoke_all(member.id)
        await note(self._identity.ledger, "session.revoke_all", request.who, of=member.id, name=member.name,
                   ended=ended)  # fmt: skip
        return Ended(ended)


def _check_rank(who: Member, role: str) -> None:
    if RANKS[role] > RANKS[who.role]:
        raise Forbidden(
            f"The role {role} is above yours ({who.role}).", code="role_too_low", hint="ask an owner to do it"
        )


def _ms(at: int | None) -> int | None:
    return at // 1_000_000 if at is not None else None
