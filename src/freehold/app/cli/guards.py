"""`guards list|try|verdicts`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments
from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.guards.policy import Policy
    from freehold.guards.trial import Trial
    from freehold.ledger.decided import Decided
    from freehold.store import Store

_BY = ("by", "side", "category", "severity", "action", "policy")
_LONGEST = 1_000_000


def register(commands: Commands) -> None:
    group = commands.group("guards", "what may be said, what is taken out, and what was decided")
    group.add("list", list_, "show the policies of the configuration, whom they hold for and what they do")
    try_ = group.add(
        "try",
        try_text,
        "say what the guards find in a text",
        "By word lists, signs of an attack and forms of personal data; no moderator is asked and nothing leaves. Exit "
        "code 1 when a policy would stop it.",
    )
    try_.add_argument("text", metavar="TEXT", help="the text; - for standard input")
    try_.add_argument("--side", choices=("input", "output"), default="input", help="asked or answered (default: input)")
    try_.add_argument(
        "--source",
        choices=("user", "tool", "document"),
        default="user",
        help="whose words they are, of what is asked (default: user)",
    )
    try_.add_argument("--policy", help="by this policy alone; default: by all of them")
    verdicts_ = group.add(
        "verdicts",
        verdicts,
        "show what was decided about words, and by whom",
        "Summed by hours. A verdict of a policy that only looks on (dry run) stopped nothing.",
    )
    verdicts_.add_argument(
        "--since", type=arguments.moment, metavar="WHEN", help="a span back (24h, 7d) or a time; default: 24h"
    )
    verdicts_.add_argument("--until", type=arguments.moment, metavar="WHEN", help="as --since; default: now")
    verdicts_.add_argument(
        "--by",
        action="append",
        choices=_BY,
        help="sum by this; repeat for several (default: by, category and action)",
    )


def list_(context: Context) -> int:
    from freehold.guards.trial import does, whom

    policies = context.config.policies.values()
    if context.talk.json:
        import msgspec

        rows = [{**msgspec.to_builtins(each), "whom": whom(each), "does": does(each)} for each in policies]
        context.talk.result(rows)
        return 0
    rows = [
        {"policy": each.name, "dry run": each.dry_run, "for": whom(each), "does": " | ".join(does(each)) or "nothing"}
        for each in policies
    ]
    context.talk.rows(rows, ("policy", "dry run", "for", "does"), "no policy: write [policies.NAME] in freehold.toml")
    return 0


def try_text(context: Context) -> int:
    from freehold.guards.trial import trial

    args = context.args
    text = _text(args.text)
    found = trial(text, args.side, args.source, _policies(context, args.policy))
    if context.talk.json:
        context.talk.result(_plain(found))
    else:
        context.talk.text("\n".join(_lines(found)))
    return 1 if found.stopped else 0


def _text(given: str) -> str:
    import sys

    text = sys.stdin.read(_LONGEST + 1) if given == "-" else given
    if len(text) > _LONGEST:
        raise UsageError(f"the text has more than {_LONGEST:,} characters", hint="try a part of it")
    return text


def _policies(context: Context, name: str | None) -> list[Policy]:
    from freehold.app.config import suggest

    policies = context.config.policies
    if name is None:
        return list(policies.values())
    if name not in policies:
        raise UsageError(f"no policy is called {name!r}", hint=suggest(name, policies) or "`freehold guards list`")
    return [policies[name]]


def _plain(found: Trial) -> Any:
    import msgspec

    said = msgspec.to_builtins(found)
    said["verdicts"] = [{name: getattr(v, name) for name in v.__struct_fields__} for v in found.verdicts]
    return said


def _lines(found: Trial) -> list[str]:
    """What was found, and what policies make of it, as lines."""
    from freehold.guards.taxonomy import SEVERITIES

    lines = [f"{each.category}: {SEVERITIES[each.severity]} ({each.detail})" for each in found.rules]
    if found.attack.score:
        lines.append(f"looks like an attack: {found.attack.score:g} ({', '.join(found.attack.signs)})")
    lines += [f"{kind}: {times}" for kind, times in sorted(found.personal.items())]
    lines = lines or ["nothing found"]
    for verdict in found.verdicts:
        would = "would " if verdict.dry else ""
        lines.append(f"policy {verdict.policy}: {would}{verdict.action} for {verdict.category}")
    return lines


def verdicts(context: Context) -> int:
    from freehold.app.cli.stored import run
    from freehold.core.clock import now_ns
    from freehold.ledger import decided
    from freehold.ledger.traffic import HOUR

    args = context.args
    since = args.since if args.since is not None else now_ns() - 24 * HOUR
    until = args.until if args.until is not None else now_ns() + HOUR

    async def work(store: Store) -> list[Decided]:
        done, head = 0, 1
        while done < head:
            done, head = await decided.roll(store, 5.0)
        return await decided.decided(store, since // HOUR * HOUR, until)

    fields = tuple(dict.fromkeys(args.by or ("by", "category", "action")))
    found = run(context.kept, work)
    times: Counter[tuple[Any, ...]] = Counter()
    for each in found:
        times[(*(getattr(each, name) for name in fields), each.dry)] += each.times
    rows = [
        {**dict(zip(fields, values, strict=True)), "dry run": dry, "times": count}
        for (*values, dry), count in sorted(times.items(), key=lambda item: (-item[1], str(item[0])))
    ]
    if context.talk.json:
        rows = [{name.replace(" ", "_"): value for name, value in each.items()} for each in rows]
    context.talk.rows(rows, (*fields, "dry run", "times"), "nothing was decided in that time")
    return 0
