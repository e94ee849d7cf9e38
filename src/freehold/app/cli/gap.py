"""`gap A B` and `probe NAME`: what another model could not do, and what it really can. Asks the running server, which
alone can reach a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments
from freehold.app.cli.console import ask, key_id

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context

_LONG = 600.0  # seconds that all probes together may take


def register(commands: Commands) -> None:
    gap_ = commands.add(
        "gap",
        gap,
        "say what of the calls of one model another could not take",
        "From recorded calls, what deployments declare, and what probes found.",
    )
    gap_.add_argument("a", metavar="A", help="a deployment, a route, or maker:NAME, seller:NAME, host:NAME")
    gap_.add_argument("b", metavar="B", help="the deployment that would take over")
    gap_.add_argument("--days", type=arguments.positive, default=30, help="how far back (default: 30)")
    probe_ = commands.add(
        "probe",
        probe,
        "ask a deployment what it can do, with small calls on record",
        "Each is billed as any call. What is found is dated, and goes before what is declared.",
    )
    probe_.add_argument("name", help="as `deployments list` shows it")
    probe_.add_argument("--key", help="key to call with, by name or id")
    probe_.add_argument(
        "--only", action="append", default=[], metavar="CAPABILITY", help="this one; repeat for several"
    )
    probe_.add_argument("--known", action="store_true", help="ask nothing, show what was found before")


def gap(context: Context) -> int:
    args, talk = context.args, context.talk
    found = ask(context, "GET", "gap", query={"a": args.a, "b": args.b, "days": args.days}, timeout=_LONG)
    if talk.json:
        talk.result(found)
        return 0
    talk.result(found, "\n".join(_lines(found)))
    if found["causes"]:
        talk.rows([_cause(row) for row in found["causes"]], ("feature", "fate", "calls", "share", "why", "known"), "")
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    head = f"{found['calls']} calls of {found['a']} with {found['sets']} sets of features, as {found['b']} could take"
    shares = ", ".join(f"{fate} {share:.1%}" for fate, share in found["fates"].items())
    lines = [f"{head} them:", f"  {shares}"]
    if found["unrecorded"]:
        lines.append(f"  {found['unrecorded']} of them are older than the record of features: they count as using none")
    if any(row["fate"] == "unknown" for row in found["causes"]):
        lines.append(f"  `freehold probe {found['b']} --key NAME` finds out what is unknown")
    return lines


def _cause(row: dict[str, Any]) -> dict[str, Any]:
    from freehold.core.clock import iso

    known = f"probed {iso(row['at'] * 1_000_000)[:10]}" if row["at"] else row["how"]
    return {**row, "share": f"{row['share']:.1%}", "known": known}


def probe(context: Context) -> int:
    from freehold.app.cli.output import UsageError

    args, talk = context.args, context.talk
    way: dict[str, Any] = {"params": {"name": args.name}}
    if args.known:
        found = ask(context, "GET", "deployments/{name}/probes", **way)
    elif not args.key:
        raise UsageError("probe: with which key?", hint="write --key NAME; `freehold keys list` shows them")
    else:
        talk.say(f"asking {args.name} ...")
        found = ask(
            context, "POST", "deployments/{name}/probes", body={"only": args.only}, key=key_id(context, args.key),
            timeout=_LONG, **way,
        )  # fmt: skip
    if talk.json:
        talk.result(found)
        return 0
    rows = [{**row, "why": row["detail"] or None} for row in found["probes"]]
    rows += [{"capability": r["capability"], "found": "nothing", "why": r["message"]} for r in found["silent"]]
    talk.rows(rows, ("capability", "found", "what", "why"), "no probe was made yet")
    return 0
