"""The console's overview: how much, for whom, at what cost, how quick, what failed, what goes on now. Refuses to change
anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import Struct

from freehold.console.figures import MS, Tally, latency, monies, percentile, tally
from freehold.console.office import Office
from freehold.console.shapes import (
    Bucket,
    CatchingUp,
    ErrorCount,
    Group,
    Groups,
    LedgerState,
    Now,
    Overview,
    Sums,
    Totals,
)
from freehold.core.clock import now_ns
from freehold.ledger import Entry, traffic
from freehold.ledger.traffic import DAY, HOUR, MINUTE, Point, Sum
from freehold.wire.api import Endpoint, Request

PATIENCE = 0.4  # seconds that summing what is new may take before the answer goes out without it
GROUPS_SHOWN = 50
WORST = {"ok": 0, "spooling": 1, "refusing": 2}


class Span(Struct, frozen=True):
    """`buckets` of `width` ns, summed from rows of `step` ns."""

    step: int
    width: int
    buckets: int


SPANS = {
    "1h": Span(MINUTE, MINUTE, 60),
    "24h": Span(HOUR, HOUR, 24),
    "7d": Span(HOUR, 6 * HOUR, 28),
    "30d": Span(DAY, DAY, 30),
    "90d": Span(DAY, DAY, 90),
}


class SpanQuery(Struct, frozen=True):
    span: Literal["1h", "24h", "7d", "30d", "90d"] = "24h"


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoint."""

    async def overview(request: Request[Any]) -> Overview:
        return await look(office, request.query.span)

    return [
        Endpoint(
            method="GET",
            path="/api/admin/overview",
            run=overview,
            summary="Traffic, cost, latency and errors of a span, and what goes on now",
            access="auditor",
            query=SpanQuery,
            answer=Overview,
            tag="console",
        )
    ]


async def look(office: Office, name: str) -> Overview:
    """Return the overview of the span `name`, one of SPANS. Raises StoreError."""
    span, store, now = SPANS[name], office.store, now_ns()
    done, head = await traffic.roll(store, PATIENCE)
    until = (now // span.width + 1) * span.width
    since = until - span.buckets * span.width
    compared = name != "90d"
    first = since - (until - since) if compared else since
    sums, points, (entries, exact) = await asyncio.gather(
        traffic.summed(store, span.step, since, until),
        traffic.over_time(store, span.step, span.width, first, until),
        traffic.sample(store, since, until),
    )
    state, looks, told = await asyncio.gather(
        office.control.state(), office.control.order("looks"), office.control.order("settings")
    )
    people, names = await office.people(), await office.names()
    whole = tally(sums)
    keys = {row.key for row in sums if row.key}
    fields: dict[str, Any] = whole.fields()
    return Overview(
        span=name,
        since=since // MS,
        until=until // MS,
        step=span.width // MS,
        totals=Totals(**fields, latency=latency(entries, exact), keys=len(keys), members=len(keys & people.keys())),
        before=_before([point for point in points if point.at < since]) if compared else None,
        series=_series([point for point in points if point.at >= since], entries, since, span),
        by=_groups(sums, entries, whole, names),
        errors=_errors(sums),
        now=_now(state, looks),
        ledger=await _ledger(office, looks, told),
        catching_up=CatchingUp(done, head) if done < head else None,
    )


def _before(points: Sequence[Point]) -> Sums:
    found = Tally()
    for point in points:
        found.count(point, point.failed)
    fields: dict[str, Any] = found.fields()
    return Sums(**fields)


def _series(points: Sequence[Point], entries: Sequence[Entry], since: int, span: Span) -> list[Bucket]:
    buckets = [Bucket(at=(since + place * span.width) // MS) for place in range(span.buckets)]
    costs: list[dict[str, int]] = [{} for _ in buckets]
    for point in points:
        place = (point.at - since) // span.width
        bucket, cost = buckets[place], costs[place]
        bucket.calls += point.calls
        bucket.attempts += point.attempts
        bucket.failed_attempts += point.attempts if point.failed else 0
        bucket.input += point.input
        bucket.output += point.output
        if point.currency:
            cost[point.currency] = cost.get(point.currency, 0) + point.cost
    times: list[list[Entry]] = [[] for _ in buckets]
    for entry in entries:
        times[(entry.at - since) // span.width].append(entry)
    for bucket, cost, took in zip(buckets, costs, times, strict=True):
        bucket.cost = monies(cost)
        bucket.failed_calls = max(0, bucket.failed_attempts - (bucket.attempts - bucket.calls))
        bucket.p95 = percentile([e.total_ms for e in took if not e.error], 0.95)
        bucket.first_p95 = percentile([e.first_ms for e in took if e.first_ms and not e.error], 0.95)
    return buckets


_BY: dict[str, Callable[[Any], str]] = {
    "maker": lambda row: row.maker,
    "seller": lambda row: row.seller,
    "host": lambda row: row.host,
    "deployment": lambda row: row.deployment,
    "model": lambda row: row.asked,
    "key": lambda row: row.key,
    "team": lambda row: row.team,
}
_WHOLE = ("model", "key", "team")
"""What all attempts of a call share."""


def _groups(sums: Sequence[Sum], entries: Sequence[Entry], whole: Tally, names: dict[str, str]) -> Groups:
    return Groups(**{by: _group(by, sums, entries, whole, names) for by in _BY})


def _group(by: str, sums: Sequence[Sum], entries: Sequence[Entry], whole: Tally, names: dict[str, str]) -> list[Group]:
    read = _BY[by]
    found: dict[str, Tally] = {}
    for row in sums:
        found.setdefault(read(row), Tally()).add(row)
    times: dict[str, list[float]] = {}
    for entry in entries:
        if not entry.error:
            times.setdefault(read(entry), []).append(entry.total_ms)
    main = max(whole.cost, key=lambda currency: whole.cost[currency], default="")
    spent = whole.cost.get(main, 0)
    order = sorted(found.items(), key=lambda item: (-item[1].cost.get(main, 0), -item[1].attempts, item[0]))
    groups = []
    for id, one in order[:GROUPS_SHOWN]:
        fields: dict[str, Any] = one.fields(by in _WHOLE)
        groups.append(
            Group(
                **fields,
                id=id,
                name=names.get(id, "" if by in ("key", "team") else id),
                share_calls=round(one.attempts / whole.attempts, 4) if whole.attempts else 0.0,
                share_cost=round(one.cost.get(main, 0) / spent, 4) if spent else 0.0,
                p95=percentile(times.get(id, ()), 0.95),
            )
        )
    return groups


def _errors(sums: Sequence[Sum]) -> list[ErrorCount]:
    found: dict[str, ErrorCount] = {}
    for row in sums:
        if row.failed:
            one = found.setdefault(row.error, ErrorCount(code=row.error, attempts=0, deployments=[], last_at=0))
            one.attempts += row.attempts
            one.last_at = max(one.last_at, row.last_at // MS)
            if row.deployment and row.deployment not in one.deployments:
                one.deployments.append(row.deployment)
    return sorted(found.values(), key=lambda one: (-one.attempts, one.code))


def _now(state: dict[str, Any], looks: list[dict[str, Any]]) -> Now:
    engines = state["engines"]
    circuits = {name for seen in looks for name, circuit, _ in seen["circuits"] if circuit == "open"}
    return Now(
        ready=bool(state["ready"]),
        inflight=sum(seen["inflight"] for seen in looks),
        connections=sum(seen["connections"] for seen in looks),
        workers=len(state["workers"]),
        workers_ready=sum(bool(worker["ready"]) for worker in state["workers"]),
        engines=len(engines),
        engines_ready=sum(engine["state"] in ("ready", "busy", "asleep") for engine in engines),
        open_circuits=sorted(circuits),
    )


async def _ledger(office: Office, looks: list[dict[str, Any]], told: dict[str, Any]) -> LedgerState:
    rows = await office.store.fetch("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1")
    seq, digest = rows[0] if rows else (0, bytes(32))
    settings = {row["name"]: row["value"] for row in told["settings"]}
    return LedgerState(
        state=max((seen["ledger"] for seen in looks), key=WORST.__getitem__, default=office.pipeline.ledger.state),
        entries=int(seq),
        head=f"{seq}:{bytes(digest).hex()}",
        durability=str(settings["ledger.durability"]),
        bodies=str(settings["ledger.bodies"]),
    )
