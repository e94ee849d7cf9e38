"""`members list|create|role|disable|enable|password|sessions|revoke|link`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.access import Member, Role, Session
    from freehold.app.cli.parser import Commands, Context
    from freehold.store import Store

_WHO = "a name or id"
_ROLES = ("owner", "admin", "auditor", "member")
_READ = "The password is asked for twice at a terminal; elsewhere it is the first line of the input."


def register(commands: Commands) -> None:
    group = commands.group("members", "who may sign in at the page")
    group.add("list", list_members, "show all members")
    create_ = group.add(
        "create", create, "make a member, with a password or a link to choose one by",
        f"A member has a key of its own, chat-NAME: limits and teams hold for it as for any key. {_READ}",
    )  # fmt: skip
    create_.add_argument("name", type=_name, help="what to sign in with: a name or an e-mail address")
    create_.add_argument("--role", choices=_ROLES, default="member", help="what the member may do (default: member)")
    create_.add_argument("--display", default="", help="the name that others see")
    create_.add_argument("--team", help="team that the member's key belongs to, by name or id")
    create_.add_argument("--link", action="store_true", help="no password; print a link, good for 7 days")
    role = group.add("role", change_role, "give a member another role")
    role.add_argument("member", help=_WHO)
    role.add_argument(
        "role", choices=_ROLES, help="owner: all; admin: changes what the console shows; auditor: reads it"
    )
    disable = group.add("disable", stop, "stop a member: sessions end, and the key is refused, at once")
    disable.add_argument("member", help=_WHO)
    enable = group.add("enable", go_on, "let a member in again")
    enable.add_argument("member", help=_WHO)
    password = group.add("password", set_password, "give a member another password; all sessions end", _READ)
    password.add_argument("member", help=_WHO)
    sessions = group.add("sessions", list_sessions, "show who is signed in, and tokens of programs")
    sessions.add_argument("member", nargs="?", help=f"{_WHO}; default: everybody's")
    revoke = group.add("revoke", end_session, "end a session, or all of a member's")
    revoke.add_argument("which", help="the id of a session, or a member's name")
    link = group.add(
        "link", print_link, "print the address of the first visit, or a link to choose a password by",
        "Without a name: while there is no owner, the address that makes one; afterwards the address of the page.",
    )  # fmt: skip
    link.add_argument("member", nargs="?", help=f"{_WHO}; the link replaces those before it, and is good for 7 days")


def _name(text: str) -> str:
    from freehold.access.members import check_name
    from freehold.core.errors import FreeholdError

    try:
        return check_name(text)
    except FreeholdError as e:
        raise argparse.ArgumentTypeError(f"{e.message} ({e.hint})") from e


def list_members(context: Context) -> int:
    from freehold import access
    from freehold.access import members
    from freehold.app.cli.stored import run

    async def work(store: Store) -> tuple[list[Member], dict[str, str]]:
        teams = {team.id: team.name for team in await access.list_teams(store)}
        return await members.list_members(store), teams

    found, teams = run(context.kept, work)
    rows = []
    for member in found:
        row = _facts(member)
        shown = {
            "team": teams.get(member.team or ""),
            "last seen": (row["last_seen"] or "never")[:10],
            "state": "disabled" if member.disabled_at is not None else "",
        }
        rows.append(row | {"team_name": shown["team"]} if context.talk.json else row | shown)
    columns = ["name", "display", "role", "team", "last seen", "state", "id"]
    context.talk.rows(rows, columns, "no members; `freehold members link` prints the address that makes the owner")
    return 0


def create(context: Context) -> int:
    from freehold.access import members, passwords
    from freehold.app.cli.stored import record, run
    from freehold.app.people import setup_file

    args, config = context.args, context.config
    role: Role = args.role
    sealed = None if args.link else passwords.seal(_password(args.name, args.display))

    async def work(store: Store) -> tuple[Member, str | None]:
        made = await members.create(
            store, args.name, role=role, display=args.display, team=args.team, password=sealed,
            limits=config.access.default_limits,
        )  # fmt: skip
        await record(store, "member.create", of=made.id, name=made.name, role=role, team=made.team)
        return made, await _invite(store, made) if args.link else None

    made, token = run(config, work)
    setup_file(config.run).unlink(missing_ok=True)
    link = _link(context, token) if token is not None else None
    text = f"{made.name} ({made.id}), {made.role}" + (f"\n{link}" if link else "")
    context.talk.result({**_facts(made), "has_password": sealed is not None, "link": link}, text)
    return 0


def _password(*names: str) -> str:
    """Read a password, from a terminal twice and unseen. Raises BadRequest or UsageError when it is none."""
    import getpass
    import sys

    from freehold.access import passwords

    if sys.stdin is not None and sys.stdin.isatty():
        text = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != text:
            raise UsageError("the two passwords differ", hint="type the same one twice")
    else:
        text = (sys.stdin.readline() if sys.stdin is not None else "").rstrip("\r\n")
        if not text:
            raise UsageError("no password was given", hint="write it to the command's input, or use a terminal")
    passwords.check(text, *names)
    return text


def change_role(context: Context) -> int:
    from freehold.access import members
    from freehold.app.cli.stored import record, run

    async def work(store: Store) -> Member:
        before = await members.find(store, context.args.member)
        changed = await members.set_role(store, before.id, context.args.role)
        await record(store, "member.role", of=changed.id, name=changed.name, role=changed.role, before=before.role)
        return changed

    member = run(context.kept, work)
    context.talk.result(_facts(member), f"{member.name} is {member.role}")
    return 0


def stop(context: Context) -> int:
    from freehold.access import members
    from freehold.app.cli.stored import record, run

    async def work(store: Store) -> Member:
        changed = await members.disable(store, context.args.member)
        await record(store, "member.disable", of=changed.id, name=changed.name)
        return changed

    member = run(context.kept, work)
    context.talk.result(_facts(member), f"{member.name} is disabled")
    return 0


def go_on(context: Context) -> int:
    from freehold.access import members
    from freehold.app.cli.stored import record, run

    async def work(store: Store) -> Member:
        changed = await members.enable(store, context.args.member)
        await record(store, "member.enable", of=changed.id, name=changed.name)
        return changed

    member = run(context.kept, work)
    context.talk.result(_facts(member), f"{member.name} may sign in")
    return 0


def set_password(context: Context) -> int:
    from freehold.access import Sessions, members, passwords, throttle
    from freehold.app.cli.stored import record, run

    async def look(store: Store) -> Member:
        return await members.find(store, context.args.member)

    member = run(context.kept, look)
    sealed = passwords.seal(_password(member.name, member.display))

    async def work(store: Store) -> int:
        await members.set_password(store, member.id, sealed)
        ended = await Sessions(store, 0).revoke_all(member.id)
        await throttle.passed(store, throttle.by_name(member.name))
        await record(store, "password.reset", of=member.id, name=member.name, ended=ended)
        return ended

    ended = run(context.kept, work)
    context.talk.result({"id": member.id, "name": member.name, "ended": ended}, f"{member.name} has another password")
    return 0


def list_sessions(context: Context) -> int:
    from freehold.access import Sessions, members
    from freehold.app.cli.stored import run
    from freehold.core.clock import iso

    async def work(store: Store) -> tuple[list[Session], dict[str, str]]:
        which = context.args.member
        id = (await members.find(store, which)).id if which is not None else None
        names = {each.id: each.name for each in await members.list_members(store)}
        return await Sessions(store, 0).list(id), names

    sessions, names = run(context.kept, work)
    rows = []
    for each in sessions:
        row = {"id": each.id, "member": names.get(each.member), "member_id": each.member, "kind": each.kind,
               "name": each.name, "peer": each.peer, "created": iso(each.created_at), "seen": iso(each.seen_at),
               "expires": iso(each.expires_at)}  # fmt: skip
        short = {at: row[at][:16].replace("T", " ") for at in ("seen", "expires")}  # type: ignore[index]
        rows.append(row if context.talk.json else row | short)
    context.talk.rows(rows, ["member", "kind", "name", "peer", "seen", "expires", "id"], "nobody is signed in")
    return 0


def end_session(context: Context) -> int:
    from freehold.access import Sessions, members
    from freehold.app.cli.stored import record, run

    which = context.args.which

    async def work(store: Store) -> int:
        sessions = Sessions(store, 0)
        if which.startswith("ses_"):
            session = await sessions.one(which)
            await sessions.revoke_one(session.id)
            await record(store, "session.revoke", session=session.id, of=session.member)
            return 1
        member = await members.find(store, which)
        ended = await sessions.revoke_all(member.id)
        await record(store, "session.revoke_all", of=member.id, name=member.name, ended=ended)
        return ended

    ended = run(context.kept, work)
    context.talk.result({"ended": ended}, f"{ended} session{'' if ended == 1 else 's'} ended")
    return 0


def print_link(context: Context) -> int:
    import asyncio

    from freehold.access import members
    from freehold.app.cli.stored import record, run
    from freehold.app.first_run import folders, page
    from freehold.core.errors import BadRequest

    which = context.args.member
    if which is None:
        folders(context.config)
        address = asyncio.run(page(context.config))
        context.talk.result({"url": address, "setup": "#" in address}, address)
        return 0

    async def work(store: Store) -> str:
        member = await members.find(store, which)
        if member.disabled_at is not None:
            raise BadRequest(f"{member.name} is disabled", hint=f"`freehold members enable {member.name}` first")
        await record(store, "invitation.create", of=member.id, name=member.name)
        return await _invite(store, member)

    url = _link(context, run(context.config, work))
    context.talk.result({"url": url, "setup": False}, url)
    return 0


async def _invite(store: Store, member: Member) -> str:
    from freehold.console.invitations import invite

    return (await invite(store, member))[0]


def _link(context: Context, token: str) -> str:
    from freehold.app.first_run import base_url

    address = context.config.signin.url or base_url(context.config)
    return f"{address.rstrip('/')}/#invite={token}"


def _facts(member: Member) -> dict[str, Any]:
    from freehold.core.clock import iso

    def at(moment: int | None) -> str | None:
        return iso(moment) if moment is not None else None

    return {
        "id": member.id,
        "name": member.name,
        "display": member.display,
        "role": member.role,
        "team": member.team,
        "key": member.key,
        "has_password": member.has_password,
        "subject": member.subject,
        "created": at(member.created_at),
        "disabled": at(member.disabled_at),
        "last_seen": at(member.last_seen_at),
    }
