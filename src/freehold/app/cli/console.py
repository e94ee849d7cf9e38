"""`overview`, `deployments list|show|routes|try`, `jobs list|show|cancel`, `audit`: what the console shows, for
a terminal. Refuses to ask the store what the running server knows better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.console.settings_api import Audit
    from freehold.store import Store

_SPANS = ("1h", "24h", "7d", "30d", "90d")
_LONG = 180.0  # seconds that a trial may take


def register(commands: Commands) -> None:
    seen = commands.add("overview", overview, "say how much went through, at what cost, how quick, and what failed")
    seen.add_argument("--span", choices=_SPANS, default="24h", help="how far back (default: 24h)")
    seen.add_argument(
        "--by",
        choices=("maker", "seller", "host", "deployment", "model", "key", "team"),
        default="deployment",
        help="what the table is by (default: deployment)",
    )
    group = commands.group("deployments", "models that can be reached, and how they are")
    group.add("list", list_deployments, "show all deployments: whose they are, how they are, the last hour")
    show_ = group.add("show", show, "say all that is known of a deployment")
    show_.add_argument("name", help="as `deployments list` shows it")
    group.add("routes", routes, "show the names that clients ask for, and where they lead")
    try_ = group.add(
        "try",
        try_out,
        "send a deployment a small call",
        "It is recorded and billed as any call. Exit code 1: it failed.",
    )
    try_.add_argument("name", help="as `deployments list` shows it")
    try_.add_argument("--key", required=True, help="key to call with, by name or id")
    try_.add_argument("--prompt", default="Say hello.", help="what to ask (default: Say hello.)")
    try_.add_argument("--model", default="", help="the vendor's name of the model, where the deployment takes any")
    jobs_ = commands.group("jobs", "long work of the running server: pulls, checks, proofs")
    jobs_.add("list", list_jobs, "show what is under way, and what was")
    job_ = jobs_.add("show", show_job, "say how far a job is")
    job_.add_argument("id", help="as `jobs list` shows it")
    cancel_ = jobs_.add("cancel", cancel, "stop a job", "What a pull has fetched stays, and is continued.")
    cancel_.add_argument("id", help="as `jobs list` shows it")
    audit_ = commands.add("audit", audit, "show what administrators did, newest first")
    audit_.add_argument("--act", default="", help='an act, or how it begins: "key.create", "key."')
    audit_.add_argument("--member", default="", help="who did it, by name")
    audit_.add_argument("--limit", type=arguments.positive, default=50, help="acts at most (default: 50)")


def ask(context: Context, method: str, path: str, *, timeout: float = 30.0, **more: Any) -> Any:
    """Return what the running server's /api/admin answers. Raises NotRunning, and what the endpoint raises."""
    from freehold.app.control import ask as order

    asked = {"method": method, "path": f"/api/admin/{path}", **more}
    return order(context.place.run, "/orders/console", method="POST", timeout=timeout, about={"asked": asked})


def overview(context: Context) -> int:
    seen = ask(context, "GET", "overview", query={"span": context.args.span})
    if context.talk.json:
        context.talk.result(seen)
        return 0
    totals, now, by = seen["totals"], seen["now"], context.args.by
    took = totals["latency"]
    lines = [
        f"{seen['span']}: {totals['calls']} calls, {totals['failed_calls']} failed, {_money(totals['cost'])}",
        f"  tokens   {totals['input']} in, {totals['output']} out",
        f"  latency  {_ms(took['p50'])} (p95 {_ms(took['p95'])}), first token {_ms(took['first_p50'])} "
        f"(p95 {_ms(took['first_p95'])})",
        f"  callers  {totals['keys']} keys, {totals['members']} of them members'",
        f"  now      {now['inflight']} calls under way, {now['workers_ready']} of {now['workers']} workers ready",
        f"  ledger   {seen['ledger']['state']}, {seen['ledger']['entries']} entries",
    ]
    lines += [f"  circuit  open: {name}" for name in now["open_circuits"]]
    lines += [f"  error    {e['code']}: {e['attempts']} ({', '.join(e['deployments'])})" for e in seen["errors"]]
    if seen["catching_up"]:
        lines.append("  partial: older entries are still being summed; ask again")
    context.talk.text("\n".join(lines))
    rows = [
        {
            by: group["name"] or group["id"] or "-",
            "attempts": group["attempts"],
            "failed": group["failed_attempts"],
            "share": f"{group['share_calls']:.0%}",
            "tokens": group["input"] + group["output"],
            "cost": _money(group["cost"]),
            "p95": _ms(group["p95"]),
        }
        for group in seen["by"][by]
    ]
    if rows:
        context.talk.text("")
        context.talk.rows(rows, (by, "attempts", "failed", "share", "tokens", "cost", "p95"))
    return 0


def list_deployments(context: Context) -> int:
    rows = ask(context, "GET", "deployments")["deployments"]
    if not context.talk.json:
        rows = [row | _hour(row) for row in rows]
    columns = ("name", "health", "model", "maker", "seller", "host", "calls", "failed", "p95", "last error")
    context.talk.rows(rows, columns, "no deployments")
    return 0


def _hour(row: dict[str, Any]) -> dict[str, Any]:
    hour, last = row["hour"], row["last_error"]
    return {
        "health": row["engine_state"] or row["health"],
        "calls": hour["attempts"],
        "failed": hour["failed_attempts"],
        "p95": _ms(hour["latency"]["p95"]),
        "last error": last["code"] if last else None,
    }


def show(context: Context) -> int:
    from freehold.app.cli.output import cell

    row = ask(context, "GET", "deployments/{name}", params={"name": context.args.name})
    people = {**row, **_hour(row), "price": _price(row["price"])}
    for name in ("hour", "last_error", "workers"):
        del people[name]
    context.talk.result(row, "\n".join(f"{name}: {cell(value)}" for name, value in people.items()))
    return 0


def _price(price: dict[str, Any] | None) -> str | None:
    if price is None:
        return None
    return f"{price['input']} in, {price['output']} out, {price['currency']} a million tokens"


def routes(context: Context) -> int:
    rows = ask(context, "GET", "deployments")["routes"]
    if not context.talk.json:
        for row in rows:
            row["targets"] = [
                f"{t['deployment']} {t['share']:.0%}" + ("" if t["live"] else " (circuit open)") for t in row["targets"]
            ]
    context.talk.rows(rows, ("name", "targets", "fallback", "on_loss"), "no routes")
    return 0


def try_out(context: Context) -> int:
    args = context.args
    body = {"prompt": args.prompt, "model": args.model}
    tried = ask(
        context,
        "POST",
        "deployments/{name}/try",
        params={"name": args.name},
        body=body,
        key=key_id(context, args.key),
        timeout=_LONG,
    )
    if not tried["ok"]:
        context.talk.result(tried, f"{tried['error']['message']} ({tried['error']['code']}, call {tried['call']})")
        return 1
    cost = _money([tried["cost"]]) if tried["cost"] else "cost unknown"
    facts = f"{tried['answered'] or args.name}, {_ms(tried['total_ms'])}, {cost}, call {tried['call']}"
    context.talk.result(tried, f"{tried['text']}\n({facts})")
    return 0


def key_id(context: Context, which: str) -> str:
    """Return the id of an active key, given by name or id. Raises NotFound."""
    from freehold import access
    from freehold.app.cli.stored import run
    from freehold.core.errors import NotFound

    for key in run(context.kept, access.list_keys):
        if key.revoked_at is None and which in (key.id, key.name):
            return key.id
    raise NotFound(f"no active key {which!r}", hint="`freehold keys list` shows those that exist")


def list_jobs(context: Context) -> int:
    context.talk.rows(
        [_job(row) for row in ask(context, "GET", "jobs")["jobs"]], _JOB, "no jobs since the server started"
    )
    return 0


_JOB = ("id", "kind", "subject", "state", "share", "by", "why")


def _job(row: dict[str, Any]) -> dict[str, Any]:
    share = f"{row['done'] / row['total']:.0%}" if row["total"] else None
    return {**row, "share": share, "why": row["error"]["message"] if row["error"] else row["note"] or None}


def show_job(context: Context) -> int:
    row = ask(context, "GET", "jobs/{id}", params={"id": context.args.id})
    context.talk.result(row, _said(row))
    return 0


def cancel(context: Context) -> int:
    row = ask(context, "DELETE", "jobs/{id}", params={"id": context.args.id})
    context.talk.result(row, _said(row))
    return 0


def _said(row: dict[str, Any]) -> str:
    from freehold.app.cli.output import cell

    return "\n".join(f"{name}: {cell(value)}" for name, value in _job(row).items() if value not in (None, ""))


def audit(context: Context) -> int:
    import msgspec

    from freehold.app.cli.output import cell
    from freehold.app.cli.stored import run
    from freehold.console.settings_api import AuditQuery, acts
    from freehold.core.clock import iso

    args = context.args

    async def work(store: Store) -> Audit:
        return await acts(store, AuditQuery(limit=args.limit, act=args.act, member=args.member))

    rows = msgspec.to_builtins(run(context.kept, work).entries)
    if not context.talk.json:
        for row in rows:
            about = (f"{name} {cell(value)}" for name, value in row["about"].items() if value not in (None, "", []))
            row |= {"at": iso(row["at"] * 1_000_000)[:19], "about": "; ".join(about)}
    context.talk.rows(rows, ("at", "by", "act", "about"), "no acts")
    return 0


def _money(cost: list[dict[str, str]]) -> str:
    return ", ".join(f"{money['amount']} {money['currency']}" for money in cost) or "no cost"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
