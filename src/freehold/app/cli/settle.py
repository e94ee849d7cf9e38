"""`settle`, `chargeback`, `report focus|dora`: what is owed to whom for a period, inside the house too, and the files
that finance and a regulator take. Refuses to reckon: `freehold.exits` does."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from freehold.app.cli import arguments
from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config
    from freehold.exits.settlement import Books
    from freehold.exits.statement import Settlement
    from freehold.store import Store

T = TypeVar("T")
_WAIT = 3600.0  # seconds that summing new entries may take: a statement on half of them would be none
_PERIOD = "2026Q3, 2026-09, 2026, a day, or two of these with .. between; days are in UTC"


def register(commands: Commands) -> None:
    settle_ = commands.add(
        "settle",
        settle,
        "say what is owed to whom for a period: use, shares of revenue, commitments not met, credits",
        "Works while the server runs, and when it does not. Vendors' keys are not needed.",
    )
    settle_.add_argument("period", metavar="PERIOD", help=_PERIOD)
    settle_.add_argument("--contract", default="", metavar="ID", help="under one contract, in all its versions")
    _revenue(settle_)
    _target(settle_, ("table", "csv", "pdf", "json"))
    charge = commands.add(
        "chargeback",
        chargeback,
        "say what each team or business function owes inside the house for a period",
        "What its calls cost by the ledger, by contract.",
    )
    charge.add_argument("period", metavar="PERIOD", help=_PERIOD)
    charge.add_argument("--by", choices=("team", "function", "key"), default="team", help="whose (default: team)")
    charge.add_argument(
        "--shortfall", action="store_true", help="with its part of commitments that were not met in the period"
    )
    _target(charge, ("table", "csv", "json"))
    report = commands.group("report", "files that finance and a regulator take")
    focus_ = report.add(
        "focus",
        focus,
        "write cost and use of a period in the columns of FOCUS 1.2",
        "A row for each day, deployment, team, key, function, model and meter.",
    )
    focus_.add_argument("period", metavar="PERIOD", help=_PERIOD)
    _target(focus_, ("csv", "parquet", "json"), needed=True)
    dora_ = report.add(
        "dora",
        dora,
        "fill the templates of the EU's DORA register that contracts and ledger can fill",
        "Each cell says where it is from; what is not known stays empty. To judge a register is up to you.",
    )
    dora_.add_argument("--on", type=arguments.day, metavar="DAY", help="as of that day; default: today (UTC)")
    dora_.add_argument("--currency", default="", help="of amounts; default: the one of most spend")
    _target(dora_, ("table", "zip", "json"))


def _revenue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--revenue", metavar="FILE", help="what was earned: CSV with period, product, currency, gross, net"
    )


def _target(parser: argparse.ArgumentParser, formats: tuple[str, ...], *, needed: bool = False) -> None:
    parser.add_argument("--format", choices=formats, help="default: as the file's name ends, else the first of these")
    parser.add_argument("-o", "--output", metavar="FILE", required=needed, help="where to; - for standard output")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.set_defaults(formats=formats)


def settle(context: Context) -> int:
    from freehold.app.cli.settle_shown import settlement
    from freehold.exits.periods import period
    from freehold.exits.settlement import settle as reckon
    from freehold.exits.sheets import comma_separated
    from freehold.exits.statement import COLUMNS, rows
    from freehold.exits.statement_paper import paper

    args, form = context.args, _form(context)
    config, today, asked = _config(context), _today(), period(context.args.period)
    books = _books(config, args.revenue)

    async def work(store: Store) -> Settlement:
        return await reckon(store, books, asked, today, args.contract)

    credits = any(version.contract.sla.uptime is not None for version in books.register.versions)
    found = _reckoned(context, work, errors=credits)
    if form == "table":
        for part in settlement(found):
            context.talk.text(part)
        return 0
    makers: dict[str, Callable[[], bytes]] = {
        "csv": lambda: comma_separated(COLUMNS, rows(found)),
        "pdf": lambda: paper(found, made=f"made on {today}"),
        "json": lambda: _json(found),
    }
    return _saved(context, makers[form](), form, sum(len(it.lines) for it in found.statements), "lines")


def chargeback(context: Context) -> int:
    from freehold.app.cli.settle_shown import charges
    from freehold.exits.chargeback import COLUMNS, Chargeback, rows
    from freehold.exits.chargeback import chargeback as reckon
    from freehold.exits.periods import period
    from freehold.exits.sheets import comma_separated

    args, form = context.args, _form(context)
    config, today, asked = _config(context), _today(), period(context.args.period)
    books = _books(config, None)

    async def work(store: Store) -> tuple[Chargeback, dict[str, str]]:
        found = await reckon(store, books, asked, today, args.by, shortfalls=args.shortfall)
        return found, await _names(store, config, args.by)

    found, names = _reckoned(context, work)
    if form == "table":
        for part in charges(found, names):
            context.talk.text(part)
        return 0
    told = rows(found, names)
    data = comma_separated(COLUMNS, told) if form == "csv" else _json({**_plain(found), "charges": told})
    return _saved(context, data, form, len(told), "lines")


def focus(context: Context) -> int:
    from freehold.app import wiring
    from freehold.exits.focus import TYPES, Focus, Ground
    from freehold.exits.focus import focus as made
    from freehold.exits.periods import period
    from freehold.exits.sheets import comma_separated, parquet

    config, form, today, asked = _config(context), _form(context), _today(), period(context.args.period)
    table, _, own = wiring.tables(config)
    books, bonds = _books(config, None), wiring.bonds(config, table)

    async def work(store: Store) -> Focus:
        names = await _names(store, config, "team") | await _names(store, config, "key")
        ground = Ground(
            books=books, table=table, bonds=bonds, own=own, organisation=config.organisation, names=names
        )  # fmt: skip
        return await made(store, ground, asked, today)

    found = _reckoned(context, work)
    if found.unpriced:
        context.talk.say(f"{found.unpriced} outcomes at no known price have no row")
    makers: dict[str, Callable[[], bytes]] = {
        "csv": lambda: comma_separated(tuple(TYPES), found.rows),
        "parquet": lambda: parquet(TYPES, found.rows),
        "json": lambda: _json(found.rows),
    }
    return _saved(context, makers[form](), form, len(found.rows), "rows")


def dora(context: Context) -> int:
    from freehold.app import wiring
    from freehold.app.cli.settle_shown import templates
    from freehold.exits.dora import Ground, Register, fill
    from freehold.exits.dora_files import package

    args, form = context.args, _form(context)
    config, day = _config(context), context.args.on or _today()
    table, _, _ = wiring.tables(config)
    ground = Ground(
        register=config.register, organisation=config.organisation, table=table, bonds=wiring.bonds(config, table)
    )

    async def work(store: Store) -> Register:
        return await fill(store, ground, day, args.currency)

    found = _reckoned(context, work)
    if form == "table":
        for part in templates(found):
            context.talk.text(part)
        return 0
    data = package(found) if form == "zip" else _json(found)
    return _saved(context, data, form, sum(len(it.rows) for it in found.templates), "rows")


# -- what all of them need


def _config(context: Context) -> Config:
    from freehold.app.cli.contracts_watch import keyless

    return keyless(context)


def _today() -> date:
    from freehold.core.clock import now_ns
    from freehold.exits.stretches import day_of

    return day_of(now_ns())


def _books(config: Config, revenue: str | None) -> Books:
    """Return what a settlement goes by. Raises ConfigError for a file of revenue that is none."""
    from freehold.contracts import shipped
    from freehold.exits.revenue import load
    from freehold.exits.settlement import Books

    earned = load(Path(revenue) if revenue else config.contracts.revenue)
    deployments = {name: it.contract for name, it in config.deployments.items() if it.contract}
    return Books(register=config.register, book=shipped(), deployments=deployments, earned=earned)


def _reckoned(context: Context, work: Callable[[Store], Awaitable[T]], *, errors: bool = False) -> T:
    """Return what `work` makes of the store once all of its entries are summed, with `errors` those by error, too.
    Raises StoreError."""
    from freehold.app.cli.stored import run
    from freehold.ledger import reliance, traffic

    bar = context.talk.progress("summing", unit="entries")

    async def opened(store: Store) -> T:
        for sums in (reliance, traffic) if errors else (reliance,):
            done, head = 0, -1
            while done != head:
                done, head = await sums.roll(store, 1.0)
                if done != head:
                    bar(done, head)
        return await work(store)

    found = run(context.kept, opened)
    context.talk.end()
    return found


async def _names(store: Store, config: Config, by: str) -> dict[str, str]:
    """Return what teams, keys or functions are called."""
    from freehold import access

    if by == "function":
        return {name: it.title or name for name, it in config.functions.items()}
    many: Iterable[Any] = await (access.list_teams(store) if by == "team" else access.list_keys(store))
    return {each.id: each.name for each in many}


def _form(context: Context) -> str:
    """Return the format: as asked, as --json says, or as the file's name ends."""
    args = context.args
    known = args.formats
    suffix = Path(args.output).suffix[1:] if args.output else ""
    form = args.format or ("json" if context.talk.json and not args.output else suffix or known[0])
    if form not in known:
        said = f"{args.output}: its name does not say the format"
        raise UsageError(said, hint=f"add --format, one of {', '.join(known)}")
    if form in ("pdf", "parquet", "zip") and not args.output:
        raise UsageError(f"{form} is no text to show", hint="say where to, with -o FILE")
    if args.output and form == "table":
        raise UsageError("a table is for the screen", hint="name a file that ends in .csv, .pdf, .json or .zip")
    return str(form)


def _saved(context: Context, data: bytes, form: str, count: int, what: str) -> int:
    from freehold.app.cli.saving import save

    target = context.args.output
    if target is None:
        context.talk.text(data.decode().rstrip("\r\n"))
        return 0
    save(target, data, force=context.args.force)
    if target != "-":
        context.talk.result({"file": target, "format": form, what: count}, f"{target}: {count} {what}")
    return 0


def _json(value: Any) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _plain(value: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
