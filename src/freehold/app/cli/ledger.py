"""`ledger query|show|verify|export|erase`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments
from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.ledger import Kept, Query
    from freehold.store import Store

_FIELDS = (
    "key", "team", "model", "deployment", "maker", "seller", "host", "error", "call", "compute", "chips", "region",
    "contract", "function", "purpose", "data_class", "party", "recipient", "echoed", "terms", "user",
)  # fmt: skip
_SAID = {
    "key": "name or id", "model": "asked, sent or answered", "error": "code", "call": "id",
    "compute": "owner of the machines", "party": "seller, host, maker or owner of the machines",
    "recipient": "who saw the words", "purpose": "serve, shadow, judge ...", "echoed": "region that answered",
    "terms": "version of a contract, by its hash", "user": "what the client named as user",
}  # fmt: skip
_NONE = "(none)"
_COLUMNS = ("at", "key", "asked", "answered", "deployment", "status", "input", "output", "cost", "error", "call")
_ESTIMATED = "a ~ before a figure: counted by us, not stated by the vendor"


def register(commands: Commands) -> None:
    group = commands.group("ledger", "what was sent to whom, when, and at what cost")
    query_ = group.add(
        "query",
        query,
        "show entries, or sums of them",
        f"In the table, {_ESTIMATED}; a cost without a price is unknown. `{_NONE}` as a value finds entries that have "
        "none, e.g. `--function '(none)'`.",
    )
    _conditions(query_)
    query_.add_argument(
        "--by",
        action="append",
        type=arguments.group,
        metavar="FIELD",
        help="sum by key, team, asked, maker, day, month ...; repeat for several",
    )
    query_.add_argument("--order", choices=("newest", "oldest", "dearest"), default="newest", help="default: newest")
    query_.add_argument("--limit", type=arguments.count, default=50, help="entries at most (default: 50)")
    query_.add_argument("--offset", type=arguments.count, default=0, help="entries to pass over")
    show_ = group.add("show", show, "show all of one call: every entry, and what is kept of its texts")
    show_.add_argument("call", help="its id, as `ledger query` and the header x-request-id say it")
    verify_ = group.add("verify", verify, "prove that the chain is whole", "Exit code 1 when it is not.")
    verify_.add_argument(
        "--expect", action="append", type=arguments.head, default=[], metavar="SEQ:HASH", help="a head noted elsewhere"
    )
    export_ = group.add("export", export, "write entries to a file", "Its columns are those of `query --json`.")
    export_.add_argument("target", metavar="FILE", help="where to; - for standard output")
    export_.add_argument("--format", choices=("csv", "jsonl", "parquet"), help="default: as the file's name ends")
    export_.add_argument("--force", action="store_true", help="replace an existing file")
    _conditions(export_)
    erase_ = group.add("erase", erase, "erase kept prompts and answers", "The entries stay, and the chain stays whole.")
    erase_.add_argument("--call", help="those of one call")
    erase_.add_argument("--key", help="those of one key, by name or id")
    erase_.add_argument(
        "--before", type=arguments.moment, metavar="WHEN", help="those older than a span (30d) or before a date"
    )
    erase_.add_argument("--why", required=True, help="goes on record")
    erase_.add_argument("--yes", action="store_true", help="do not ask")


def _conditions(parser: argparse.ArgumentParser) -> None:
    for name in _FIELDS:
        said = _SAID.get(name, "name")
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, action="append", metavar=name.upper(), help=f"{said}; repeat for several")
    parser.add_argument("--status", type=arguments.count, action="append", help="HTTP status")
    outcome = parser.add_mutually_exclusive_group()
    outcome.add_argument("--failed", action="store_true", help="those that failed")
    outcome.add_argument("--ok", action="store_true", help="those that did not")
    when, money = arguments.moment, arguments.amount
    parser.add_argument("--since", type=when, metavar="WHEN", help="a span back (90m, 24h, 7d) or a time (2026-11-01)")
    parser.add_argument("--until", type=when, metavar="WHEN", help="as --since, not included; UTC")
    parser.add_argument("--min-cost", type=money, metavar="AMOUNT", help="in units of the currency, e.g. 0.01")
    parser.add_argument("--max-cost", type=money, metavar="AMOUNT", help="the same")
    parser.add_argument(
        "--kind", action="append", choices=("intent", "outcome", "admin"), help="kinds of entry (default: outcome)"
    )


def query(context: Context) -> int:
    from freehold.app.cli.ledger_shown import SUMS, line, totalled
    from freehold.app.cli.stored import run
    from freehold.ledger import entries, told, totals

    args, machine = context.args, context.talk.json

    async def work(store: Store) -> list[dict[str, Any]]:
        asked = await _query(args, store, order=args.order, limit=args.limit, offset=args.offset)
        names = await _names(store)
        if args.by:
            return [totalled(args.by, total, names, machine) for total in await totals(store, asked, args.by)]
        return [told(e, names) if machine else line(e, names) async for e in entries(store, asked)]

    rows = run(context.kept, work)
    columns = (*_COLUMNS, "note") if "admin" in (args.kind or ()) else _COLUMNS
    context.talk.rows(rows, (*args.by, *SUMS) if args.by else columns, "no entries")
    if not machine and any(str(row.get("input")).startswith("~") for row in rows):
        context.talk.say(_ESTIMATED)
    return 0


def show(context: Context) -> int:
    from freehold.app.cli.ledger_shown import block, body, text
    from freehold.app.cli.stored import run
    from freehold.ledger import Query, entries, told
    from freehold.ledger.bodies import read

    call = context.args.call

    async def work(store: Store) -> tuple[list[dict[str, Any]], list[Kept]]:
        await _check_call(store, call)
        names = await _names(store)
        every = Query(kinds=("intent", "outcome", "admin"), call=call, order="oldest")
        return [told(e, names) async for e in entries(store, every)], await read(store, call)

    found, kept = run(context.kept, work)
    if context.talk.json:
        context.talk.result({"call": call, "entries": found, "bodies": [body(each) for each in kept]})
        return 0
    blocks = [block(row) for row in found] + [text(each) for each in kept]
    if not kept:
        blocks.append("no text of this call is kept; [ledger] bodies says whether that is done")
    print("\n\n".join(blocks))
    return 0


def verify(context: Context) -> int:
    from freehold.app.cli.stored import run
    from freehold.ledger import verify as prove

    bar = context.talk.progress("verifying", unit="entries")
    verdict = run(context.kept, lambda store: prove(store, context.args.expect, bar))
    context.talk.end()
    head = f"{verdict.seq}:{verdict.hash.hex()}"
    facts = {"ok": verdict.ok, "entries": verdict.seq, "head": head}
    if verdict.ok:
        context.talk.result(facts, f"whole: {verdict.seq} entries, head {head}")
        return 0
    facts |= {"fault": verdict.fault, "fault_seq": verdict.fault_seq}
    context.talk.result(facts, f"NOT whole at entry {verdict.fault_seq}: {verdict.fault}")
    return 1


def export(context: Context) -> int:
    from pathlib import Path

    from freehold.app.cli.stored import run
    from freehold.ledger.export import export as write

    args = context.args
    form: Any = args.format or {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}.get(Path(args.target).suffix)
    if form is None:
        said = f"{args.target}: its name does not say the format"
        raise UsageError(said, hint="add --format csv, jsonl or parquet")
    bar = context.talk.progress("exporting", unit="entries") if args.target != "-" else None

    async def work(store: Store) -> int:
        asked, names = await _query(args, store, order="oldest"), await _names(store)
        return await write(store, asked, args.target, form, names=names, force=args.force, progress=bar)

    count = run(context.kept, work)
    context.talk.end()
    if args.target != "-":
        context.talk.result({"file": args.target, "format": form, "entries": count}, f"{args.target}: {count} entries")
    return 0


def erase(context: Context) -> int:
    import sys

    from freehold.app.cli.stored import record, run
    from freehold.core.clock import iso
    from freehold.ledger import erase as shred

    args = context.args
    if args.call is None and args.key is None and args.before is None:
        raise UsageError("nothing says what to erase", hint="name it by --call, --key or --before")
    if not args.yes:
        if not sys.stdin.isatty():
            raise UsageError("erasing cannot be undone", hint="add --yes")
        if input("erase for good? type yes: ").strip() != "yes":
            context.talk.say("nothing was erased")
            return 1

    async def work(store: Store) -> int:
        if args.call is not None:
            await _check_call(store, args.call)
        keys = await _keys(store, [args.key]) if args.key is not None else [None]
        count = 0
        for key in keys:
            count += await shred(store, call=args.call, key=key, before=args.before, why=args.why)
        before = iso(args.before) if args.before is not None else None
        about = {"call": args.call, "keys": keys if args.key is not None else None, "before": before}
        await record(store, "bodies.erase", count=count, why=args.why, **{k: v for k, v in about.items() if v})
        return count

    count = run(context.kept, work)
    said = f"{count} texts erased" if count else "0 texts erased: none was kept, or they were erased before"
    context.talk.result({"erased": count}, said)
    return 0


async def _query(args: argparse.Namespace, store: Store, **more: Any) -> Query:
    """Return the conditions of the command line as a Query. Raises NotFound for a key, team or call that is none."""
    from freehold.ledger import Query

    given: dict[str, Any] = {
        name: tuple("" if value == _NONE else value for value in values)
        for name in _FIELDS
        if (values := getattr(args, name))
    }
    if "key" in given:
        given["key"] = tuple(await _keys(store, given["key"]))
    for call in given.get("call", ()):
        await _check_call(store, call)
    if "team" in given:
        from freehold import access

        given["team"] = tuple([(await access.find_team(store, name)).id for name in given["team"]])
    return Query(
        kinds=tuple(args.kind or ("outcome",)),
        status=tuple(args.status) if args.status else None,
        failed=True if args.failed else False if args.ok else None,
        since=args.since,
        until=args.until,
        min_cost=args.min_cost,
        max_cost=args.max_cost,
        **given,
        **more,
    )


async def _keys(store: Store, wanted: Any) -> list[str]:
    """Return the ids of keys given by id or name; one name may have belonged to several, one after another."""
    from freehold import access
    from freehold.core.errors import NotFound
    from freehold.ledger import known

    keys = await access.list_keys(store)
    found: list[str] = []
    for each in wanted:
        ids = [key.id for key in keys if each in (key.id, key.name)]
        if not ids and not await known(store, "key", each):
            raise NotFound(f"no key is or was called {each!r}", hint="`freehold keys list --all` shows every key")
        found += ids or [each]
    return found


async def _check_call(store: Store, call: str) -> None:
    from freehold.core.errors import NotFound
    from freehold.ledger import known

    if not await known(store, "call", call):
        raise NotFound(f"the ledger knows no call {call!r}", hint="`freehold ledger query` shows the ids of calls")


async def _names(store: Store) -> dict[str, str]:
    """Return what keys and teams are called, by id."""
    from freehold import access

    keys = {key.id: key.name for key in await access.list_keys(store)}
    return keys | {team.id: team.name for team in await access.list_teams(store)}
