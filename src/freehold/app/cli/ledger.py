"""`ledger query|verify|export|erase`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.ledger import Query, Stored
    from freehold.store import Store

_FIELDS = ("key", "team", "model", "deployment", "maker", "seller", "host", "error", "call")
_COLUMNS = ("at", "key", "asked", "answered", "deployment", "status", "input", "output", "cost", "error", "call")


def register(commands: Commands) -> None:
    group = commands.group("ledger", "what was sent to whom, when, and at what cost")
    query_ = group.add("query", query, "show entries, or sums of them")
    _conditions(query_)
    query_.add_argument("--by", action="append", metavar="FIELD", help="sum by key, team, asked, maker, day, month ...")
    query_.add_argument("--order", choices=("newest", "oldest", "dearest"), default="newest", help="default: newest")
    query_.add_argument("--limit", type=int, default=50, help="entries at most (default: 50)")
    query_.add_argument("--offset", type=int, default=0, help="entries to pass over")
    verify_ = group.add("verify", verify, "prove that the chain is whole", "Exit code 1 when it is not.")
    verify_.add_argument("--expect", action="append", default=[], metavar="SEQ:HASH", help="a head noted elsewhere")
    export_ = group.add("export", export, "write entries to a file")
    export_.add_argument("target", metavar="FILE", help="where to; - for standard output")
    export_.add_argument("--format", choices=("csv", "jsonl", "parquet"), help="default: as the file's name ends")
    export_.add_argument("--force", action="store_true", help="replace an existing file")
    _conditions(export_)
    erase_ = group.add("erase", erase, "erase kept prompts and answers", "The entries stay, and the chain stays whole.")
    erase_.add_argument("--call", help="those of one call")
    erase_.add_argument("--key", help="those of one key, by name or id")
    erase_.add_argument("--before", metavar="WHEN", help="those older than a span (30d) or before a date")
    erase_.add_argument("--why", required=True, help="goes on record")
    erase_.add_argument("--yes", action="store_true", help="do not ask")


def _conditions(parser: argparse.ArgumentParser) -> None:
    for name in _FIELDS:
        said = {"key": "name or id", "model": "asked, sent or answered", "error": "code"}.get(name, "name")
        said = "id" if name == "call" else said
        parser.add_argument(f"--{name}", action="append", help=f"{said}; repeat for several")
    parser.add_argument("--status", type=int, action="append", help="HTTP status")
    outcome = parser.add_mutually_exclusive_group()
    outcome.add_argument("--failed", action="store_true", help="those that failed")
    outcome.add_argument("--ok", action="store_true", help="those that did not")
    parser.add_argument("--since", metavar="WHEN", help="a span back (90m, 24h, 7d) or a time (2026-11-01, UTC)")
    parser.add_argument("--until", metavar="WHEN", help="as --since, not included")
    parser.add_argument("--min-cost", metavar="AMOUNT", help="in units of the currency, e.g. 0.01")
    parser.add_argument("--max-cost", metavar="AMOUNT", help="the same")
    parser.add_argument(
        "--kind", action="append", choices=("intent", "outcome", "admin"), help="kinds of entry (default: outcome)"
    )


def query(context: Context) -> int:
    from freehold.app.cli.stored import run
    from freehold.ledger import entries, totals

    args = context.args

    async def work(store: Store) -> list[dict[str, Any]]:
        asked = await _query(args, store, order=args.order, limit=args.limit, offset=args.offset)
        if args.by:
            return [_sum(args.by, total) for total in await totals(store, asked, args.by)]
        names = await _names(store)
        return [_row(stored, names, context.talk.json) async for stored in entries(store, asked)]

    rows = run(context.kept, work)
    sums = (*(args.by or ()), "requests", "attempts", "errors", "input", "output", "cached", "cost")
    columns = (*_COLUMNS, "note") if "admin" in (args.kind or ()) else _COLUMNS
    context.talk.rows(rows, sums if args.by else columns, "no entries")
    return 0


def verify(context: Context) -> int:
    from freehold.app.cli.stored import run
    from freehold.core.errors import ConfigError
    from freehold.ledger import Mark
    from freehold.ledger import verify as prove

    try:
        marks = [Mark.parse(text) for text in context.args.expect]
    except ValueError as e:
        raise ConfigError(f"--expect: {e}", hint="give it as `freehold ledger verify` printed it") from e
    bar = context.talk.progress("verifying", unit="entries")
    verdict = run(context.kept, lambda store: prove(store, marks, bar))
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
    from freehold.core.errors import ConfigError
    from freehold.ledger.export import export as write

    args = context.args
    form: Any = args.format or {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}.get(Path(args.target).suffix)
    if form is None:
        raise ConfigError(f"{args.target}: its name does not say the format", hint="add --format csv, jsonl or parquet")
    bar = context.talk.progress("exporting", unit="entries") if args.target != "-" else None

    async def work(store: Store) -> int:
        asked = await _query(args, store, order="oldest")
        return await write(store, asked, args.target, form, force=args.force, progress=bar)

    count = run(context.kept, work)
    context.talk.end()
    if args.target != "-":
        context.talk.result({"file": args.target, "format": form, "entries": count}, f"{args.target}: {count} entries")
    return 0


def erase(context: Context) -> int:
    import sys

    from freehold.app.cli.stored import record, run
    from freehold.core.errors import BadRequest
    from freehold.ledger import erase as shred

    args = context.args
    if not args.yes:
        if not sys.stdin.isatty():
            raise BadRequest("erasing cannot be undone", hint="add --yes")
        if input("erase for good? type yes: ").strip() != "yes":
            return 1

    async def work(store: Store) -> int:
        key = (await _keys(store, [args.key]))[0] if args.key else None
        before = _moment(args.before)
        count = await shred(store, call=args.call, key=key, before=before, why=args.why)
        about = {"call": args.call, "key": key, "before": args.before}
        await record(store, "bodies.erase", count=count, why=args.why, **{k: v for k, v in about.items() if v})
        return count

    count = run(context.kept, work)
    context.talk.result({"erased": count}, f"{count} texts erased")
    return 0


async def _query(args: argparse.Namespace, store: Store, **more: Any) -> Query:
    """Return the conditions of the command line as a Query. Raises BadRequest for a time, ConfigError for an amount."""
    from freehold.ledger import Query

    given: dict[str, Any] = {name: tuple(values) for name in _FIELDS if (values := getattr(args, name))}
    if "key" in given:
        given["key"] = tuple(await _keys(store, given["key"]))
    if "team" in given:
        from freehold import access

        given["team"] = tuple([(await access.find_team(store, name)).id for name in given["team"]])
    return Query(
        kinds=tuple(args.kind or ("outcome",)),
        status=tuple(args.status) if args.status else None,
        failed=True if args.failed else False if args.ok else None,
        since=_moment(args.since),
        until=_moment(args.until),
        min_cost=_amount(args.min_cost),
        max_cost=_amount(args.max_cost),
        **given,
        **more,
    )


async def _keys(store: Store, wanted: Any) -> list[str]:
    """Return the ids of keys given by id or name; one name may have belonged to several, one after another."""
    from freehold import access

    known = await access.list_keys(store)
    found = [key.id for key in known if key.id in wanted or key.name in wanted]
    return found or list(wanted)


def _moment(text: str | None) -> int | None:
    """Return a time in nanoseconds: so long ago ("24h") or a date or time in ISO 8601, UTC unless it says otherwise."""
    if text is None:
        return None
    import re
    from datetime import UTC, datetime

    from freehold.core.clock import now_ns
    from freehold.core.errors import BadRequest

    spans = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
    if span := re.fullmatch(r"([0-9]{1,6})([mhdw])", text):
        return now_ns() - int(span[1]) * spans[span[2]] * 1_000_000_000
    try:
        at = datetime.fromisoformat(text)
    except ValueError as e:
        raise BadRequest(f"not a time: {text!r}", hint='write "24h", "2026-11-01" or "2026-11-01T12:00:00Z"') from e
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()) * 1_000_000_000


def _amount(text: str | None) -> int | None:
    if text is None:
        return None
    from freehold.core.errors import BadRequest
    from freehold.core.money import nano

    try:
        return nano(text)
    except ValueError as e:
        raise BadRequest(str(e), hint="write it as 0.25") from e


async def _names(store: Store) -> dict[str, str]:
    """Return what keys and teams are called, by id."""
    from freehold import access

    keys = {key.id: key.name for key in await access.list_keys(store)}
    return keys | {team.id: team.name for team in await access.list_teams(store)}


def _row(stored: Stored, names: dict[str, str], whole: bool) -> dict[str, Any]:
    import msgspec

    from freehold.core.clock import iso
    from freehold.core.money import show

    entry = stored.entry
    row: dict[str, Any] = {"seq": stored.seq, **msgspec.structs.asdict(entry), "at": iso(entry.at)}
    if whole:
        return row | {
            "hash": stored.hash.hex(),
            "cost_nano": entry.cost,
            "cost": show(entry.cost, entry.currency or ""),
        }
    row["key"] = names.get(entry.key, entry.key) or None
    return row | {"at": iso(entry.at)[:19], "cost": show(entry.cost, entry.currency) if entry.currency else None}


def _sum(by: list[str], total: Any) -> dict[str, Any]:
    from freehold.core.money import show

    names = ("requests", "attempts", "errors", "input", "output", "cached")
    row = {**dict(zip(by, total.group, strict=True)), **{name: getattr(total, name) for name in names}}
    return row | {"cost": show(total.cost, total.currency), "cost_nano": total.cost, "currency": total.currency}
