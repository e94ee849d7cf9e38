"""What one model does now and another could not do, and the probes behind that. Refuses to work it out itself: see
exits/gap.py and exits/probes.py."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Struct

from freehold.console.office import Office
from freehold.core.clock import DAY, MS, now_ns
from freehold.exits import gap as gaps
from freehold.exits import probes
from freehold.wire.api import Endpoint, Request


class GapQuery(Struct, frozen=True):
    """`a`: a deployment, a route, or maker:NAME, seller:NAME, host:NAME; `b`: a deployment; `days` back from now."""

    a: str
    b: str
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 30


class CauseShown(Struct):
    """One feature in use. `share` is of all calls; `how` it is known: probed, declared, dialect, nobody; `at` (ms) and
    `call` are of the probe."""

    feature: str
    fate: str
    calls: int
    share: float
    tokens: int
    why: str
    how: str
    at: int | None
    call: str | None
    functions: list[str]


class GapShown(Struct):
    """Shares of calls, and of tokens, by what becomes of them: native, adapted, unknown, lost. Times in ms."""

    a: str
    b: str
    since: int
    until: int
    calls: int
    tokens: int
    sets: int
    unrecorded: int
    fates: dict[str, float]
    token_fates: dict[str, float]
    causes: list[CauseShown]


class ProbeShown(Struct):
    """`found`: yes, no, or ignored. `model` is the one that was probed, `at` in ms."""

    deployment: str
    model: str
    capability: str
    what: str
    found: str
    at: int
    call: str
    detail: str


class SilentShown(Struct):
    """A probe that said nothing, and why."""

    capability: str
    code: str
    message: str


class ProbesShown(Struct):
    """What was found, and what said nothing."""

    probes: list[ProbeShown]
    silent: list[SilentShown]


class ProbeBody(Struct, forbid_unknown_fields=True):
    """`only` these probes; empty: all that make sense."""

    only: list[str] = []


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""

    async def gap(request: Request[Any]) -> GapShown:
        query = request.query
        return await look(office, query.a, query.b, query.days)

    async def known(request: Request[Any]) -> ProbesShown:
        found = await probes.latest(office.store, request.params["name"])
        return ProbesShown([_probe(each) for each in found], [])

    async def ask(request: Request[Any]) -> ProbesShown:
        name, who = request.params["name"], request.who
        key = office.pipeline.snapshot.keys.by_id(who.key)
        found, silent = await probes.probe(office.pipeline, office.store, name, key, request.body.only)
        await office.note(who, "deployment.probe", name=name, found={each.capability: each.found for each in found})
        shown = [SilentShown(each.capability, each.code, each.message) for each in silent]
        return ProbesShown([_probe(each) for each in found], shown)

    way = "/api/admin/deployments/{name}/probes"
    return [
        Endpoint(method="GET", path="/api/admin/gap", run=gap, access="auditor", query=GapQuery, answer=GapShown,
                 tag="console", summary="What of the calls of one model another could not take"),
        Endpoint(method="GET", path=way, run=known, access="auditor", answer=ProbesShown, tag="console",
                 summary="What a deployment was found to do when it was asked"),
        Endpoint(method="POST", path=way, run=ask, access="admin", body=ProbeBody, answer=ProbesShown,
                 tag="console", summary="Ask a deployment what it can do, with small calls on record"),
    ]  # fmt: skip


async def look(office: Office, a: str, b: str, days: int) -> GapShown:
    """Return the gap between two, over the last `days`. Raises NotFound, StoreError."""
    until = now_ns()
    known = await probes.latest(office.store)
    found = await gaps.gap(office.store, office.pipeline.snapshot, a, b, until - days * DAY, until, known)
    causes = [
        CauseShown(
            c.feature, c.fate, c.calls, c.share, c.tokens, c.why, c.how, c.at // MS if c.at else None, c.call or None,
            list(c.functions),
        )
        for c in found.causes
    ]  # fmt: skip
    return GapShown(
        a, b, found.since // MS, found.until // MS, found.calls, found.tokens, found.sets, found.unrecorded,
        {str(k): v for k, v in found.fates.items()}, {str(k): v for k, v in found.token_fates.items()}, causes,
    )  # fmt: skip


def _probe(found: gaps.Probe) -> ProbeShown:
    question = probes.QUESTIONS.get(found.capability)
    return ProbeShown(
        found.deployment, found.model, found.capability, question.what if question is not None else "", found.found,
        found.at // MS, found.call, found.detail,
    )  # fmt: skip
