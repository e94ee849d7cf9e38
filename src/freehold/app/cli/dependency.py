"""`dependency`: what rests on whom, for a terminal. Refuses to reckon: the running server answers, or the store is read
where none runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.exits.dependency import Asked, Dependency
    from freehold.store import Store

_BY = ("maker", "seller", "host", "compute", "chips", "region", "contract")
_WAIT = 60.0  # seconds that the server may take
_SHOWN = 3  # functions named in a cell
_NONE = "(none)"


def register(commands: Commands) -> None:
    parser = commands.add(
        "dependency",
        dependency,
        "say what rests on whom: shares, concentration, second targets, notice, what others hold",
        "Calls that somebody waits for count; what is done for tests and guards is told apart. HHI: the sum of squared "
        "shares, 0 to 1; 10,000 times that is the scale of competition authorities.",
    )
    parser.add_argument(
        "--since",
        type=arguments.moment,
        metavar="WHEN",
        help="a span back (30d) or a day, whole days in UTC; default: 30d",
    )
    parser.add_argument("--until", type=arguments.moment, metavar="WHEN", help="as --since; default: with today")
    parser.add_argument("--by", choices=_BY, default="seller", help="what parts and trend are by (default: seller)")
    parser.add_argument(
        "--measure",
        choices=("spend", "tokens", "requests"),
        help="default: spend, or requests where no price is known",
    )
    parser.add_argument("--function", metavar="NAME", help=f"one business function; {_NONE}: calls that are for none")
    parser.add_argument("--per", choices=("day", "week", "month"), help="stretches of the trend; default: by the span")
    parser.add_argument("--currency", default="", help="of the spend; default: the one of most requests")
    parser.add_argument("--no-groups", action="store_true", help="each party and contract version by itself")


def dependency(context: Context) -> int:
    found = _found(context)
    if context.talk.json:
        context.talk.result(found)
        return 0
    context.talk.text("\n".join(_head(found)))
    for title, rows, columns in _tables(found):
        if rows:
            context.talk.text(f"\n{title}")
            context.talk.rows(rows, columns)
    notes = list(_notes(found))
    if notes:
        context.talk.text("\n" + "\n".join(notes))
    return 0


def _found(context: Context) -> Any:
    """Return the answer of the running server, which knows how deployments are, or what the store says by itself."""
    from freehold.app.cli.console import ask
    from freehold.app.control import NotRunning
    from freehold.core.clock import now_ns
    from freehold.ledger.traffic import DAY

    args, now = context.args, now_ns()
    until = args.until if args.until is not None else now // DAY * DAY + DAY
    since = args.since if args.since is not None else until - 30 * DAY
    query = {
        "since": since // 1_000_000, "until": until // 1_000_000, "by": args.by, "measure": args.measure,
        "function": args.function or "", "merged": not args.no_groups, "per": args.per, "currency": args.currency,
    }  # fmt: skip
    try:
        return ask(context, "GET", "dependency", query=query, timeout=_WAIT)
    except NotRunning:
        pass
    from freehold.exits.dependency import Asked

    asked = Asked(
        since=since, until=until, by=args.by, measure=args.measure, merged=not args.no_groups, per=args.per,
        function={None: None, _NONE: ""}.get(args.function, args.function), currency=args.currency,
    )  # fmt: skip
    return _read(context, asked, now)


def _read(context: Context, asked: Asked, now: int) -> Any:
    import msgspec

    from freehold.app import wiring
    from freehold.app.cli.stored import run
    from freehold.console.dependency_shapes import shown
    from freehold.exits.dependency import Ground, look
    from freehold.ledger import reliance

    config = context.config
    table, _, _ = wiring.tables(config)
    ground = Ground(table, wiring.bonds(config, table), config.register, config.organisation)

    async def work(store: Store) -> Dependency:
        await reliance.roll(store, _WAIT)
        return await look(store, ground, asked, now)

    return msgspec.to_builtins(shown(run(context.kept, work)))


def _head(found: Any) -> list[str]:
    whole, function = found["whole"], found["function"]
    about = "all functions" if function is None else f"function {function}" if function else "calls for no function"
    by = f"spend in {found['currency'] or 'no currency'}" if found["measure"] == "spend" else found["measure"]
    return [
        f"{_day(found['since'])} to {_day(found['until'] - 1)} (UTC), {about}, by {by}",
        f"requests {whole['requests']}, failed {whole['failed']}, tokens {whole['tokens']}, {_money(whole['spend'])}",
    ]


def _tables(found: Any) -> Iterator[tuple[str, Sequence[Mapping[str, Any]], Sequence[str]]]:
    rows = [_counterparty(each) for each in found["counterparties"]]
    columns = ("counterparty", "share", "as", "trend", "functions", "second target", "notice by", "requests held")
    yield "Counterparties; a call rests on several, so shares add up to more than 100%", rows, columns
    rows = [_dimension(each) for each in found["dimensions"] if each["parts"]]
    yield "Concentration", rows, ("by", "largest", "share", "parts", "HHI", "of 10,000")
    by = found["by"]
    spread = next(each for each in found["dimensions"] if each["by"] == by)
    rows = [_part(part, by) for part in spread["parts"]]
    yield f"By {by}", rows, (by, "share", "requests", "tokens", "spend", "no price", "put together")
    rows = [_function(each) for each in found["functions"] if each["requests"] or each["criticality"]]
    yield "Functions, the worst one first", rows, (
        "function", "criticality", "may stand still", "requests", "share of all", "rests most on", "share",
        "HHI by seller", "second target",
    )  # fmt: skip
    yield f"Trend by {by} per {found['trend']['per']}", *_trend(found)


def _counterparty(it: Any) -> dict[str, Any]:
    known = [value for value in it["trend"] if value is not None]
    notice, outside = it["notice"], it["outside"]
    functions = [f"{each['title'] or 'none'} {_share(each['share'])}" for each in it["functions"][:_SHOWN]]
    more = len(it["functions"]) - _SHOWN
    held = [f"{outside['requests'] - outside['unstated']} until {outside['until']}"] if outside["until"] else []
    held += [f"{outside['unstated']} without a stated end"] if outside["unstated"] else []
    return {
        "counterparty": _named(it),
        "share": _share(it["share"]),
        "as": [f"{by} {_share(share)}" for by, share in it["roles"].items()],
        "trend": f"{_share(known[0])} -> {_share(known[-1])}" if len(known) > 1 else None,
        "functions": functions + ([f"{more} more"] if more > 0 else []),
        "second target": _second(it["second"]) if it["share"] else None,
        "notice by": _notice(notice) if notice else None,
        "requests held": held,
    }


def _second(second: Any) -> str:
    others = [f"{_share(second[name])} {word}" for name, word in _LACKS.items() if second[name]]
    return ", ".join([_share(second["ready"]), *others])


_LACKS = {"unhealthy": "not well", "forbidden": "not allowed", "gone": "no route"}


def _notice(notice: Any) -> str:
    if notice["by"] is None:
        return f"ends {notice['ends']} ({notice['contract']})"
    return f"{notice['by']}{' (missed for this term)' if notice['missed'] else ''} ({notice['contract']})"


def _dimension(each: Any) -> dict[str, Any]:
    first = each["parts"][0]
    return {
        "by": each["by"], "largest": _named(first), "share": _share(first["share"]), "parts": len(each["parts"]),
        "HHI": _index(each["hhi"]), "of 10,000": each["hhi_points"],
    }  # fmt: skip


def _part(part: Any, by: str) -> dict[str, Any]:
    together = part["members"] if part["members"] != [part["id"]] else []
    return {
        by: _named(part), "share": _share(part["share"]), "requests": part["requests"], "tokens": part["tokens"],
        "spend": _money(part["spend"]), "no price": part["unpriced"], "put together": together,
    }  # fmt: skip


def _function(row: Any) -> dict[str, Any]:
    from freehold.app.cli.output import span

    seller = next(each for each in row["largest"] if each["by"] == "seller")
    return {
        "function": row["title"] or "none",
        "criticality": row["criticality"],
        "may stand still": None if row["rto"] is None else span(row["rto"]),
        "requests": row["requests"],
        "share of all": _share(row["share"]),
        "rests most on": (row["worst_name"] or "ourselves") if row["share"] else None,
        "share": _share(row["worst_share"]) if row["worst"] and row["share"] else None,
        "HHI by seller": _index(seller["hhi"]),
        "second target": _second(row["second"]) if row["share"] else None,
    }


def _trend(found: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the shares of each stretch, and how much all of it was."""
    from decimal import Decimal

    trend, money = found["trend"], found["measure"] == "spend"
    names = ["others" if line["id"] is None else _named(line) for line in trend["lines"]]
    rows = []
    for place, start in enumerate(trend["starts"]):
        values = [Decimal(line["values"][place]) for line in trend["lines"]]
        whole = sum(values)
        shares = [_share(float(value / whole)) if whole else None for value in values]
        said = _amount(str(whole)) if money else str(whole)
        rows.append({"from": _day(start), **dict(zip(names, shares, strict=True)), "HHI": _index(trend["hhi"][place])})
        rows[-1][found["measure"]] = said
    return (rows if names else []), ["from", *names, "HHI", found["measure"]]


def _notes(found: Any) -> Iterator[str]:
    whole, measure = found["whole"], found["measure"]
    yield (
        "A second target is one in the same route that rests on others, is allowed and well; "
        "that it does as well is not yet proven."
    )
    if not found["health_known"]:
        yield "No server runs, so whether deployments are well is not known: they are taken to be."
    if whole["unpriced"] and measure == "spend":
        yield f"Requests without a known price, in no share of spend: {whole['unpriced']}."
    others = [money for money in whole["spend"] if money["currency"] != found["currency"]]
    if others and measure == "spend":
        yield f"Beside that {_money(others)}: nothing here converts currencies (--currency shows another)."
    if found["compute_assumed"]:
        yield f"For {_share(found['compute_assumed'])} nobody said whose machines it ran on; the host's were taken."
    if found["recipients_assumed"]:
        old = found["recipients_assumed"]
        yield f"Entries too old to say who saw the words, for which host and seller were taken: {old}."
    if found["apart"]:
        parts = [f"{each['purpose']} {each['requests']} ({_money(each['spend'])})" for each in found["apart"]]
        yield f"Requests apart, in no share: {', '.join(parts)}."
    kept = [f"{_PLURALS[name]} {count}" for name, count in found["ours"].items() if count]
    yield f"Held by ourselves, all of it: {', '.join(kept) or 'nothing yet'}."
    if found["catching_up"]:
        behind = found["catching_up"]
        yield f"Partial: {behind['done']} of {behind['total']} entries are summed; ask again."


_PLURALS = {
    "conversation": "conversations", "message": "messages", "file": "files", "project": "projects",
    "prompt": "prompts", "assistant": "assistants", "memory": "memories",
}  # fmt: skip


def _named(it: Any) -> str:
    if it["id"] == "own":
        return "ourselves"
    return it["name"] or it["id"] or "not named"


def _share(value: float) -> str:
    return f"{value:.0%}" if value >= 0.1 or not value else f"{value:.1%}"


def _index(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _money(values: Sequence[Mapping[str, str]]) -> str:
    return " + ".join(f"{_amount(value['amount'])} {value['currency']}" for value in values) or "no known cost"


def _amount(text: str) -> str:
    """Return an amount for people: cents where it is more than some; --json has all of it."""
    from decimal import Decimal

    value = Decimal(text)
    return f"{value:.2f}" if abs(value) >= 1 or not value else text


def _day(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")
