"""`keys create|list|revoke`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.access import Key
    from freehold.app.cli.parser import Commands, Context
    from freehold.store import Store


def register(commands: Commands) -> None:
    group = commands.group("keys", "who may call")
    create_ = group.add("create", create, "make a key and show it, this once")
    create_.add_argument("name", help="what to call it")
    create_.add_argument("--team", help="team that it belongs to, by name or id")
    create_.add_argument("--route", action="append", metavar="NAME", help="route that it may call; repeat for several")
    create_.add_argument("--expires", metavar="WHEN", help="90d, 12h, 2027-01-31 or a time in ISO 8601")
    create_.add_argument(
        "--limit", action="append", metavar="LIMIT", help='requests=60/minute, tokens=100k/day, "budget=5.00 USD/month"'
    )
    create_.add_argument("--note", default="", help="for whom or what it is")
    list_ = group.add("list", list_keys, "show all keys, without their secrets")
    list_.add_argument("--all", action="store_true", help="revoked ones too")
    revoke_ = group.add("revoke", revoke, "end a key at once")
    revoke_.add_argument("key", help="its name, id or the beginning of its secret")


def create(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import record, run
    from freehold.app.load import check_routes_exist
    from freehold.core.clock import now_ns

    args = context.args
    config = context.config
    check_routes_exist(config, args.route or ())
    limits = args.limit if args.limit is not None else config.access.default_limits
    expires = access.expiry(args.expires, now_ns()) if args.expires else None

    async def work(store: Store) -> tuple[Key, str]:
        made = await access.create(
            store, args.name, team=args.team, routes=args.route, expires=expires, limits=limits, note=args.note
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


def list_keys(context: Context) -> int:
    from freehold import access
    from freehold.app.cli.stored import run

    keys = run(context.kept, access.list_keys)
    rows = [{"id": k.id, "name": k.name, **_facts(k)} for k in keys if k.revoked_at is None or context.args.all]
    columns = ["name", "prefix", "team", "routes", "limits", "expires", "id"]
    context.talk.rows(rows, columns + (["revoked"] if context.args.all else []), "no keys; `freehold keys create NAME`")
    return 0


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
