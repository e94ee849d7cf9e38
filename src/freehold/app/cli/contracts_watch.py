"""`contracts lint|calendar|pace`: what contracts ask of us, and by when. Refuses to find anything: `freehold.contracts`
and `freehold.exits.duties` do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config
    from freehold.contracts.checklists import Checklist
    from freehold.contracts.finding import Finding
    from freehold.contracts.lint import Watch
    from freehold.contracts.pace import Pace
    from freehold.contracts.register import Register
    from freehold.exits.duties import Duties
    from freehold.store import Store

_WAIT = 60.0  # seconds that new entries may take to be summed
_NO_LEDGER = "no ledger was read: what was used, and with it pace and spend, is not known"


def register(group: Commands) -> None:
    lint_ = group.add(
        "lint",
        lint,
        "say what contracts want: deadlines, conflicts, what does not fit, which clauses are lacking",
        "Exit code 1 when there is an error; with --strict also for a warning. Vendors' keys are not needed.",
    )
    _chosen(lint_)
    lint_.add_argument("--window", type=arguments.count, default=90, metavar="DAYS", help="days ahead (default: 90)")
    lint_.add_argument("--clauses", action="store_true", help="show the checklists of clauses, item by item")
    lint_.add_argument("--strict", action="store_true", help="a warning fails, too")
    lint_.add_argument("--no-ledger", action="store_true", help="leave out what was used: needs no store")
    calendar_ = group.add(
        "calendar", calendar, "show what is due when: notice, ends, windows, milestones, what expires"
    )
    _chosen(calendar_)
    calendar_.add_argument("--days", type=arguments.count, default=365, help="how far ahead (default: 365)")
    calendar_.add_argument("--ics", metavar="FILE", help="write an iCalendar file instead; - for standard output")
    calendar_.add_argument("--force", action="store_true", help="replace an existing file")
    pace_ = group.add(
        "pace",
        pace,
        "say how far commitments have come, where they will end, and what is lacking then",
        "The forecast goes by the last 30 days. Reserved units are counted by time: they are paid for in any case.",
    )
    _chosen(pace_)


def _chosen(parser: Any) -> None:
    parser.add_argument("contract", nargs="?", help="of one contract, by its id, all its versions; default: of all")
    parser.add_argument("--on", type=arguments.day, metavar="DAY", help="as of that day; default: today (UTC)")


def lint(context: Context) -> int:
    from freehold.contracts.lint import counts

    args = context.args
    config = keyless(context)
    ids = _ids(config.register, args.contract)
    watch, told = _watch(context, config, args.window, needed=False)
    found = [finding for finding in watch.findings if ids is None or finding.contract in ids]
    clauses = {id: lists for id, lists in watch.clauses.items() if ids is None or id in ids}
    number = counts(found)
    if context.talk.json:
        context.talk.result(_facts(watch, found, clauses, number, told))
    else:
        _print_findings(context, found)
        _print_clauses(context, clauses, args.clauses)
        if watch.case.uses is None:
            context.talk.say(_NO_LEDGER)
        words = ", ".join(f"{count} {_plural(name, count)}" for name, count in number.items())
        context.talk.say(words if len(config.register) else "no contracts are on file: [contracts] include names them")
    return 1 if number["error"] or (args.strict and number["warning"]) else 0


def _plural(name: str, count: int) -> str:
    return {"info": "to know"}.get(name, name if count == 1 else f"{name}s")


def _facts(
    watch: Watch,
    found: Sequence[Finding],
    clauses: Mapping[str, Sequence[Checklist]],
    number: Mapping[Any, int],
    told: Duties | None,
) -> dict[str, Any]:
    from msgspec import to_builtins

    from freehold.contracts.checklists import DISCLAIMER

    return {
        "day": watch.case.day.isoformat(),
        "counts": number,
        "findings": to_builtins(found),
        "clauses": to_builtins(clauses),
        "about_clauses": DISCLAIMER,
        "ledger": None if told is None else {"done": told.done, "head": told.head},
    }


def _print_findings(context: Context, found: Sequence[Finding]) -> None:
    from textwrap import fill

    for finding in found:
        head = f"{finding.severity.upper()}  {finding.contract or '-'}  {finding.place}  [{finding.code}]"
        parts = (("", finding.what), ("why: ", finding.why), ("do: ", finding.todo))
        lines = [fill(label + words, 116, initial_indent="  ", subsequent_indent="       ") for label, words in parts]
        context.talk.text("\n".join([head, *lines, ""]))
    if not found:
        context.talk.say("nothing was found")


def _print_clauses(context: Context, clauses: Mapping[str, Sequence[Checklist]], every: bool) -> None:
    from freehold.contracts.checklists import DISCLAIMER

    for id, lists in clauses.items():
        for one in lists:
            if one.applies == "no":
                continue
            answers = [item.answer for item in one.items]
            said = ", ".join(f"{answers.count(answer)} {answer}" for answer in ("met", "unclear", "missing"))
            doubt = "" if one.applies == "yes" else f" (if it holds: {one.because})"
            context.talk.text(f"{id}: {one.title}: {said}{doubt}")
            if every:
                rows = [
                    {"article": item.article, "": item.answer, "clause": item.clause, "read from": item.place,
                     "says": item.read or item.note}
                    for item in one.items
                ]  # fmt: skip
                context.talk.rows(rows, ("article", "", "clause", "read from", "says"))
    if clauses:
        context.talk.text(DISCLAIMER + ("" if every else " --clauses shows each item."))


def calendar(context: Context) -> int:
    from freehold.app.cli.saving import save
    from freehold.contracts.calendar import events
    from freehold.contracts.icalendar import write
    from freehold.contracts.register import ahead
    from freehold.core.clock import now_ns

    args, first = context.args, day(context)
    found = filed(context)
    ids = _ids(found, args.contract)
    until = ahead(first, args.days)
    due = [event for event in events(found, first, until) if ids is None or event.contract in ids]
    if args.ics:
        save(args.ics, write(due, now_ns()), force=args.force)
        if args.ics != "-":
            context.talk.result({"file": args.ics, "events": len(due)}, f"{args.ics}: {len(due)} days")
        return 0
    rows = [
        {"day": event.day.isoformat(), "in": (event.day - first).days, "contract": event.contract, "kind": event.kind,
         "what": event.what, "to do": event.act, "place": event.place}
        for event in due
    ]  # fmt: skip
    context.talk.rows(rows, ("day", "in", "contract", "what", "to do"), f"nothing is due until {until}")
    return 0


def pace(context: Context) -> int:
    from msgspec import to_builtins

    config = keyless(context)
    ids = _ids(config.register, context.args.contract)
    watch, _ = _watch(context, config, 0, needed=True)
    found = [one for one in watch.paces if ids is None or one.contract in ids]
    if context.talk.json:
        context.talk.result([to_builtins(one) for one in found])
        return 0
    columns = (
        "contract",
        "commitment",
        "until",
        "state",
        "promised",
        "counted",
        "line",
        "forecast",
        "lacking",
        "costs",
    )
    context.talk.rows([_line(one) for one in found], columns, "no contract holds a commitment")
    for one in found:
        if one.unpriced:
            context.talk.say(f"{one.contract} {one.commitment}: {one.unpriced} tokens have no known price")
        if one.foreign:
            said = ", ".join(one.foreign)
            context.talk.say(f"{one.contract} {one.commitment}: what was spent in {said} does not count")
    return 0


def _line(one: Pace) -> dict[str, Any]:
    def amount(value: Decimal | None) -> str | None:
        return None if value is None else f"{value:,.2f}" if one.type == "spend" else f"{value:,.0f}"

    cost = f"{one.cost:,.2f} {one.currency}" if one.cost else None
    return {
        "contract": one.contract,
        "commitment": one.commitment,
        "until": one.end.isoformat(),
        "state": one.state,
        "promised": f"{amount(one.amount)} {one.unit}",
        "counted": amount(one.counted),
        "line": amount(one.line),
        "forecast": amount(one.forecast),
        "lacking": amount(one.shortfall) if one.shortfall else None,
        "costs": "not known" if one.cost is None else cost,
    }


def day(context: Context) -> date:
    """Return the day that was named with --on, or today."""
    from freehold.core.clock import today

    named: date | None = context.args.on
    return named or today()


def filed(context: Context) -> Register:
    """Return the contracts on file, whatever the rest of the configuration is worth. Raises ConfigError."""
    from freehold.app import contract_files

    return contract_files.register(context.place, context.environment)


def _ids(register: Register, name: str | None) -> frozenset[str] | None:
    """Return the ids of all versions of the contract that was named; None where none was. Raises NotFound."""
    if name is None:
        return None
    from freehold.app.cli.contracts import find

    return register.ids(find(register, name))


def keyless(context: Context) -> Config:
    """Return the configuration. A vendor's key that is not set is no fault here, where nothing is sent."""
    from freehold.app.config import parse
    from freehold.app.environment import Environment
    from freehold.app.load import load

    place, environment = context.place, context.environment
    raw = parse(place.path) if place.path is not None else {}
    unset = {name: "not needed" for name in _secrets(raw.get("deployments")) if environment.get(name) is None}
    return load(context.args.config, Environment(environment.child(unset)))


def _secrets(raw: Any) -> Iterable[str]:
    """Yield the variables that secrets in a table come from."""
    if isinstance(raw, dict):
        if len(raw) == 1 and isinstance(raw.get("env"), str):
            yield raw["env"]
        for value in raw.values():
            yield from _secrets(value)


def _watch(context: Context, config: Config, window: int, *, needed: bool) -> tuple[Watch, Duties | None]:
    """Return how contracts stand, and how far the ledger was read; None where there is none yet. Raises StoreError."""
    from freehold.app import wiring
    from freehold.contracts.finding import Case
    from freehold.contracts.lint import watch
    from freehold.exits.duties import look

    table, _, _ = wiring.tables(config)
    on, deployments = day(context), tuple(table.deployments.values())
    if not needed and (context.args.no_ledger or not _kept(config)):
        case = Case(
            register=config.register, day=on, organisation=config.organisation, deployments=deployments, window=window
        )
        return watch(case), None
    from freehold.app.cli.stored import run

    async def work(store: Store) -> Duties:
        return await look(
            store, config.register, config.organisation, deployments, on, window=window, seconds=_WAIT
        )  # fmt: skip

    found = run(context.kept, work)
    return found.watch, found


def _kept(config: Config) -> bool:
    """Whether there is a store to read: none is made for a look at contracts."""
    from pathlib import Path
    from urllib.parse import unquote

    scheme, _, path = config.store.url.partition(":///")
    return scheme != "sqlite" or Path(unquote(path)).is_file()
