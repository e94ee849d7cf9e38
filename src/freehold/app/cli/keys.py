"""`keys create|list|revoke`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments

if TYPE_CHECKING:
    from freehold.access import Key, Limit, Team
    from freehold.app.cli.parser import Commands, Context
    from freehold.ledger import DayUse
    from freehold.store import Store


def register(commands: Commands) -> None:
    group = commands.group("keys", "who may call")
    create_ = group.add("create", create, "make a key and show it, this once")
    create_.add_argument("name", type=arguments.name, help="what to call it")
    create_.add_argument("--team", help="team that it belongs to, by name or id")
    create_.add_argument("--route", action="append", metavar="NAME", help="route that it may call; repeat for several")
    create_.add_argument(
        "--expires", type=arguments.expiry, metavar="WHEN", help="90d, 12h, 2027-01-31 or a time in ISO 8601"
    )
    create_.add_argument(
        "--limit",
        action="append",
        type=arguments.limit,
        metavar="LIMIT",
        help='requests=60/minute, tokens=100k/day, "budget=5.00 USD/month"',
    )
    create_.add_argument("--note", default="", help="for whom or what it is")
    list_ = group.add(
        "list",
        list_keys,
        "show all keys, without their secrets",
        "What was used of a limit is as the ledger knows it, which is not by the minute. For a team's: `teams list`.",
    )
    list_.add_argument("--all", action="store_true", help="revoked ones too")
    revoke_ = group.add("revoke", revoke, "end a key at once")
    revoke_.add_argument("key", help="its name, id or the beginning of its secret")


def create(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import record, run

    args = context.args
    config = context.config
    _check_routes(context)
    limits = args.limit if args.limit is not None else config.access.default_limits

    async def work(store: Store) -> tuple[Key, str]:
        made = await access.create(
            store, args.name, team=args.team, routes=args.route, expires=args.expires, limits=limits, note=args.note
        )
        await record(store, "key.create", key=made[0].id, name=args.name)
        return made

    key, secret = run(config, work)
    if context.talk.json:
        context.talk.result({"id": key.id, "name": key.name, "key": secret, **_facts(key)})
    else:
        context.talk.say(f"{key.name} ({key.id}), shown this once:")
        print(secret)
    return 0


def _check_routes(context: Context) -> None:
    """Raise NotFound for a route that is none: a name given is unknown, and no file is wrong."""
    from freehold.app.load import check_routes_exist
    from freehold.core.errors import ConfigError, NotFound

    try:
        check_routes_exist(context.config, context.args.route or ())
    except ConfigError as e:
        raise NotFound(e.message, hint=e.hint) from e


def list_keys(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import run
    from freehold.ledger import usage_since

    async def work(store: Store) -> tuple[list[Key], list[Team], list[DayUse]]:
        return await access.list_keys(store), await access.list_teams(store), await usage_since(store)

    keys, teams, uses = run(context.kept, work)
    names = {team.id: team.name for team in teams}
    rows = []
    for key in keys:
        if key.revoked_at is None or context.args.all:
            row = {"id": key.id, "name": key.name, **_facts(key), "team_name": names.get(key.team or "")}
            row |= {"used": used_up(key.limits, uses), "last_used": _last([u.at for u in uses if u.key == key.id])}
            rows.append(row if context.talk.json else row | _for_people(row))
    columns = ["name", "prefix", "team", "routes", "limits", "created", "last used", "expires", "id"]
    context.talk.rows(rows, columns + (["revoked"] if context.args.all else []), "no keys; `freehold keys create NAME`")
    return 0


def used_up(limits: tuple[Limit, ...], uses: list[DayUse]) -> list[dict[str, Any]]:
    """Return what the ledger knows to be used of each limit. A minute's use it does not know: only the server does."""
    from freehold.app.upkeep import used
    from freehold.core.clock import now_ns

    rows: list[dict[str, Any]] = []
    for limit in limits:
        row: dict[str, Any] = {"limit": limit.describe(), "amount": limit.amount, "used": None, "said": None}
        if limit.window != "minute":
            spent = used(limit, uses, now_ns())
            row |= {"used": spent, "said": limit.say(spent)}
        unit = {"money": f"nano {limit.currency}"}.get(limit.measure, limit.measure)
        rows.append(row | {"unit": unit})
    return rows


def limits_for_people(rows: list[dict[str, Any]]) -> list[str]:
    """Return limits and what is used of them, e.g. "budget=5.00 USD/month (0.12 USD used)"."""
    return [row["limit"] + (f" ({row['said']} used)" if row["said"] is not None else "") for row in rows]


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    day = {name: (row[name] or "")[:10] or None for name in ("created", "expires", "revoked")}
    names = {"team": row["team_name"] or row["team"], "last used": row["last_used"] or "never"}
    return {**day, **names, "limits": limits_for_people(row["used"])}


def _last(days: list[int]) -> str | None:
    """Return the latest of some days (ns), as 2027-01-31."""
    from freehold.core.clock import iso

    return iso(max(days))[:10] if days else None


def revoke(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import record, run

    async def work(store: Store) -> Key:
        ended = await access.revoke(store, context.args.key)
        await record(store, "key.revoke", key=ended.id, name=ended.name)
        return ended

    key = run(context.kept, work)
    context.talk.result({"id": key.id, "name": key.name, **_facts(key)}, f"{key.name} ({key.id}) is revoked")
    return 0


def _facts(key: Key) -> dict[str, Any]:
    from freehold.core.clock import iso

    return {
        "prefix": key.prefix,
        "team": key.team,
        "routes": sorted(key.routes) if key.routes is not None else None,
        "limits": [limit.describe() for limit in key.limits],
        "created": iso(key.created_at),
        "expires": iso(key.expires_at) if key.expires_at is not None else None,
        "revoked": iso(key.revoked_at) if key.revoked_at is not None else None,
        "note": key.note,
    }
