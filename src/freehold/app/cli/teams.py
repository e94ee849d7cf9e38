"""`teams create|list|set`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments
from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.access import Team
    from freehold.app.cli.parser import Commands, Context
    from freehold.ledger import DayUse
    from freehold.store import Store

_LIMIT = 'a limit that all its keys share, e.g. "budget=100.00 USD/month"; repeat for several'


def register(commands: Commands) -> None:
    group = commands.group("teams", "limits that several keys share")
    create_ = group.add("create", create, "make a team")
    create_.add_argument("name", type=arguments.name, help="what to call it")
    create_.add_argument("--limit", action="append", type=arguments.limit, default=[], metavar="LIMIT", help=_LIMIT)
    group.add("list", list_teams, "show all teams, and what they used of their limits")
    set_ = group.add("set", change, "change a team", "Limits that are given take the place of all that it had.")
    set_.add_argument("team", help="its name or id")
    limits = set_.add_mutually_exclusive_group()
    limits.add_argument("--limit", action="append", type=arguments.limit, metavar="LIMIT", help=_LIMIT)
    limits.add_argument("--no-limits", action="store_true", help="take all its limits away")
    state = set_.add_mutually_exclusive_group()
    state.add_argument("--disable", action="store_true", help="stop all its keys at once")
    state.add_argument("--enable", action="store_true", help="let them work again")


def create(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import record, run

    args = context.args

    async def work(store: Store) -> Team:
        made = await access.create_team(store, args.name, limits=args.limit)
        await record(store, "team.create", team=made.id, name=made.name, limits=args.limit)
        return made

    team = run(context.kept, work)
    context.talk.result(_facts(team), f"{team.name} ({team.id})")
    return 0


def list_teams(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.keys import limits_for_people, used_up
    from freehold.app.cli.stored import run
    from freehold.ledger import usage_since

    async def work(store: Store) -> tuple[list[Team], list[DayUse]]:
        return await access.list_teams(store), await usage_since(store)

    teams, uses = run(context.kept, work)
    rows = []
    for team in teams:
        row = {**_facts(team), "used": used_up(team.limits, uses)}
        people = {"limits": limits_for_people(row["used"]), "created": row["created"][:10]}
        people["disabled"] = (row["disabled"] or "")[:10] or None
        rows.append(row if context.talk.json else row | people)
    context.talk.rows(rows, ("name", "limits", "created", "disabled", "id"), "no teams; `freehold teams create NAME`")
    return 0


def change(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import record, run

    args = context.args
    if not (args.limit or args.no_limits or args.disable or args.enable):
        raise UsageError("nothing to change", hint="give --limit, --no-limits, --disable or --enable")

    async def work(store: Store) -> Team:
        team = await access.find_team(store, args.team)
        if args.limit or args.no_limits:
            team = await access.update_team(store, team.id, limits=args.limit or ())
        if args.disable or args.enable:
            team = await access.disable_team(store, team.id, disabled=args.disable)
        facts = _facts(team)
        await record(store, "team.set", team=team.id, limits=facts["limits"], disabled=facts["disabled"])
        return team

    team = run(context.kept, work)
    limits = ", ".join(_facts(team)["limits"]) or "no limits"
    state = "; disabled: none of its keys is let in" if team.disabled_at is not None else ""
    context.talk.result(_facts(team), f"{team.name}: {limits}{state}")
    return 0


def _facts(team: Team) -> dict[str, Any]:
    from freehold.core.clock import iso

    return {
        "id": team.id,
        "name": team.name,
        "limits": [limit.describe() for limit in team.limits],
        "created": iso(team.created_at),
        "disabled": iso(team.disabled_at) if team.disabled_at is not None else None,
    }
