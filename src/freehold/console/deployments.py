"""Deployments and routes on the console: what they are, how they are, and whether one answers. Refuses to change them:
the configuration's file does."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Struct

from freehold.access.members import Member
from freehold.console import shapes
from freehold.console.figures import MS, Tally, latency, money
from freehold.console.office import Office
from freehold.contracts import Price
from freehold.core.clock import now_ns, tick
from freehold.core.errors import BadRequest, FreeholdError, NotFound
from freehold.core.money import show
from freehold.ledger import Entry, traffic
from freehold.ledger.traffic import DAY, HOUR, MINUTE, Sum
from freehold.routing import Deployment, Route
from freehold.wire.api import Endpoint, Request
from freehold.wire.dialects import openai

PATIENCE = 0.3  # seconds that summing what is new may take
TEXT = 500  # characters of a trial's answer that are shown
TRIAL_SECONDS = 120.0
SHORT = 48
"""Tokens that a trial's answer may have from a model of our own; vendors are not told, for some refuse the field."""
_RANKS = {"closed": 0, "half_open": 1, "open": 2}
_HEALTH = ("ok", "trial", "open")


class TryBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`model` is the vendor's name for it, where the deployment takes any."""

    prompt: str = "Say hello."
    model: str = ""


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""

    async def listing(request: Request[Any]) -> shapes.Deployments:
        return await look(office)

    async def one(request: Request[Any]) -> shapes.Deployment:
        return _named((await look(office)).deployments, request.params["name"])

    async def attempt(request: Request[Member]) -> shapes.Tried:
        return await try_out(office, request.who, request.params["name"], request.body)

    path, tag = "/api/admin/deployments", "console"
    return [
        Endpoint(
            method="GET",
            path=path,
            run=listing,
            summary="Deployments and routes in force, and how they are",
            access="auditor",
            answer=shapes.Deployments,
            tag=tag,
        ),
        Endpoint(
            method="GET",
            path=f"{path}/{{name}}",
            run=one,
            summary="One deployment",
            access="auditor",
            answer=shapes.Deployment,
            tag=tag,
        ),
        Endpoint(
            method="POST",
            path=f"{path}/{{name}}/try",
            run=attempt,
            summary="Send a deployment a small call of one's own, recorded and billed as any",
            access="admin",
            body=TryBody,
            answer=shapes.Tried,
            tag=tag,
        ),
    ]


def _named(deployments: list[shapes.Deployment], name: str) -> shapes.Deployment:
    for deployment in deployments:
        if deployment.name == name:
            return deployment
    raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no deployment {name[:100]!r}.", hint="the list of deployments names those in force")


async def look(office: Office) -> shapes.Deployments:
    """Return all deployments and routes as they are now. Raises StoreError."""
    table, store, now = office.pipeline.snapshot.table, office.store, now_ns()
    await traffic.roll(store, PATIENCE)
    until = (now // MINUTE + 1) * MINUTE
    hour = await traffic.summed(store, MINUTE, until - HOUR, until)
    day = await traffic.summed(store, HOUR, now - DAY, until)
    entries, exact = await traffic.sample(store, until - HOUR, until)
    looks, hosts, state = await asyncio.gather(
        office.control.order("looks"), office.control.order("endpoints"), office.control.state()
    )
    seen = _Seen(looks, hosts, {engine["name"]: engine for engine in state["engines"]}, hour, day, entries, exact)
    users: dict[str, list[str]] = {}
    for name, route in sorted(table.routes.items()):
        for used in dict.fromkeys([*(t.name for t in route.targets), *route.fallback]):
            users.setdefault(used, []).append(name)
    deployments = [
        _deployment(office, deployment, seen, users.get(name, []))
        for name, deployment in sorted(table.deployments.items())
    ]
    health = {deployment.name: deployment.health for deployment in deployments}
    routes = [_route(table.deployments, route, health) for _, route in sorted(table.routes.items())]
    return shapes.Deployments(deployments, routes)


class _Seen(Struct, frozen=True):
    """What was asked for once, for all deployments."""

    looks: list[dict[str, Any]]
    hosts: dict[str, str]
    engines: dict[str, dict[str, Any]]
    hour: list[Sum]
    day: list[Sum]
    entries: list[Entry]
    exact: bool


def _deployment(office: Office, it: Deployment, seen: _Seen, users: list[str]) -> shapes.Deployment:
    name = it.name
    workers = [
        shapes.WorkerSees(index=look["index"], circuit=circuit, inflight=inflight)
        for look in seen.looks
        for tried, circuit, inflight in look["circuits"]
        if tried == name
    ]
    worst = max((_RANKS[worker.circuit] for worker in workers), default=None)
    whole = Tally()
    for row in seen.hour:
        if row.deployment == name:
            whole.add(row)
    fields: dict[str, Any] = whole.fields(whole=False)
    took = latency([entry for entry in seen.entries if entry.deployment == name], seen.exact)
    failed = [row for row in seen.day if row.deployment == name and row.failed]
    last = max(failed, key=lambda row: row.last_at, default=None)
    engine = seen.engines.get(it.engine) if it.engine else None
    times = msgspec.structs.asdict(it.timeouts)
    return shapes.Deployment(
        name=name,
        kind=it.kind,
        model=it.model,
        maker=it.maker,
        seller=it.seller,
        host=it.host,
        region=it.region,
        chips=it.chips,
        contract=it.contract,
        own=bool(it.engine),
        engine=it.engine,
        endpoint=seen.hosts.get(name, ""),
        capabilities=sorted(it.capabilities) if it.capabilities is not None else None,
        context=it.context,
        max_output=it.max_output,
        price=_price(office, it),
        timeouts=times,
        retries=it.retries,
        max_inflight=it.max_inflight,
        health="idle" if worst is None else _HEALTH[worst],
        workers=workers,
        inflight=sum(worker.inflight for worker in workers),
        engine_state=(engine["state"] if engine else "stopped") if it.engine else None,
        engine_reason=engine.get("reason", "") if engine else "",
        hour=shapes.Hour(**fields, latency=took),
        last_error=shapes.LastError(last.error, last.last_at // MS) if last is not None else None,
        routes=users,
    )


def _price(office: Office, it: Deployment) -> shapes.Price | None:
    snapshot = office.pipeline.snapshot
    price: Price | None = snapshot.price(it, it.model, now_ns())
    if price is None:
        return None

    def said(rate: int | None) -> str | None:
        return show(rate, "").strip() if rate is not None else None

    return shapes.Price(
        input=said(price.input) or "",
        output=said(price.output) or "",
        cached=said(price.cached),
        currency=price.currency,
        own=it.name in snapshot.prices,
    )


def _route(deployments: dict[str, Deployment], route: Route, health: dict[str, str]) -> shapes.Route:
    weights = sum(target.weight for target in route.targets)
    alone = len(route.targets) == 1 and not route.fallback
    return shapes.Route(
        name=route.name,
        targets=[
            shapes.Target(
                deployment=target.name,
                weight=target.weight,
                share=round(target.weight / weights, 4) if weights else 0.0,
                live=health[target.name] != "open",
            )
            for target in route.targets
        ],
        fallback=list(route.fallback),
        on_loss=route.on_loss,
        wildcard=all(deployments[target.name].wildcard for target in route.targets),
        own_name=alone and route.targets[0].name == route.name,
    )


async def try_out(office: Office, who: Member, name: str, body: TryBody) -> shapes.Tried:
    """Send deployment `name` a small call with the key of `who`. What fails is an answer too. Raises NotFound for no
    such deployment, BadRequest where no route leads to it alone."""
    snapshot = office.pipeline.snapshot
    deployment = snapshot.table.deployments.get(name)
    if deployment is None:
        raise _unknown(name)
    asked = _way_to(snapshot.table.routes, deployment, body.model)
    kind, request = _request(deployment, asked, body.prompt)
    call = openai.parse(kind, request, model=None, max_depth=openai.MAX_DEPTH, dialect="openai")
    began = tick()
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            reply = await office.pipeline.run(call, snapshot.keys.by_id(who.key), None, began)
    except TimeoutError:
        failure = shapes.Failure("upstream_timeout", f"There was no answer within {TRIAL_SECONDS:.0f} s.")
    except FreeholdError as e:
        failure = shapes.Failure(e.code, e.sentences())
    else:
        return _tried(name, call.id, reply.body, reply.about.outcome, (tick() - began) * 1000)
    took = round((tick() - began) * 1000, 1)
    return shapes.Tried(ok=False, call=call.id, deployment=name, total_ms=took, error=failure)


def _way_to(routes: dict[str, Route], deployment: Deployment, model: str) -> str:
    """Return a public name that leads to `deployment` and nowhere else. Raises BadRequest."""
    ways = [
        route.name
        for route in routes.values()
        if [t.name for t in route.targets] == [deployment.name] and not route.fallback
    ]
    if not ways:
        raise BadRequest(
            f"No name leads to {deployment.name} alone.",
            code="deployment_hidden",
            hint="set [server] expose_deployments, or give it a route of its own",
        )
    way = deployment.name if deployment.name in ways else ways[0]
    if not deployment.wildcard:
        return way
    if not model:
        raise BadRequest(f"{deployment.name} takes any model.", param="model", hint="say which one to ask")
    return f"{way}/{model}"


def _request(deployment: Deployment, asked: str, prompt: str) -> tuple[Any, bytes]:
    can = deployment.capabilities or frozenset()
    if "embedding" in can and "chat" not in can:
        return "embedding", msgspec.json.encode({"model": asked, "input": prompt})
    short = {"max_tokens": SHORT} if deployment.engine else {}
    if "completion" in can and "chat" not in can:
        return "completion", msgspec.json.encode({"model": asked, "prompt": prompt, **short})
    return "chat", msgspec.json.encode({"model": asked, "messages": [{"role": "user", "content": prompt}], **short})


def _tried(name: str, call: str, body: bytes, outcome: Entry | None, took: float) -> shapes.Tried:
    found = shapes.Tried(ok=True, call=call, deployment=name, text=_text(body)[:TEXT], total_ms=round(took, 1))
    if outcome is not None:
        found.answered, found.input, found.output = outcome.answered, outcome.input, outcome.output
        found.cost = money(outcome.cost, outcome.currency) if outcome.currency else None
    return found


def _text(body: bytes) -> str:
    """Return what an answer says, in words."""
    try:
        answer = msgspec.json.decode(body)
        if "choices" in answer:
            choice = answer["choices"][0]
            return str((choice.get("message") or {}).get("content") or choice.get("text") or "")
        return f"{len(answer['data'][0]['embedding'])} numbers"
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
        return ""
