"""What rests on whom, on the console. Refuses to reckon: exits.dependency does."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from freehold.console.dependency_shapes import Report, shown
from freehold.console.figures import MS
from freehold.console.ledger_api import NOTHING
from freehold.console.office import Office
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest
from freehold.exits.concentration import Dimension, Measure
from freehold.exits.dependency import Asked, Ground, look
from freehold.exits.stretches import Per, aligned, usual
from freehold.ledger.traffic import DAY
from freehold.wire.api import Endpoint, Request

SPANS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
_LONGEST = 1 << 62


class DependencyQuery(Struct, frozen=True, kw_only=True):
    """`span` ends with today, and a long one begins with a week or month; `since` and `until` (milliseconds) go before
    it and are rounded to whole days in UTC.
    `measure`, `per`, `currency`: what suits best by default. `function`: one alone, `(none)` for calls for none.
    `merged`: groups of parties as one."""

    span: Literal["7d", "30d", "90d", "365d"] = "30d"
    since: int | None = None
    until: int | None = None
    by: Dimension = "seller"
    measure: Measure | None = None
    function: str = ""
    merged: bool = True
    per: Per | None = None
    currency: str = ""


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoint."""

    async def dependency(request: Request[Any]) -> Report:
        return await report(office, request.query)

    return [
        Endpoint(
            method="GET",
            path="/api/admin/dependency",
            run=dependency,
            summary="What rests on whom: shares, concentration, functions, second targets, notice, what others hold",
            access="auditor",
            query=DependencyQuery,
            answer=Report,
            tag="console",
        )
    ]


async def report(office: Office, query: DependencyQuery) -> Report:
    """Return what is asked for. Raises BadRequest, NotFound, StoreError."""
    now, snapshot = now_ns(), office.pipeline.snapshot
    until = now // DAY * DAY + DAY if query.until is None else _within(query.until, "until")
    back = until - SPANS[query.span] * DAY
    since = aligned(back, query.per or usual(back, until)) if query.since is None else _within(query.since, "since")
    looks = await office.control.order("looks")
    open_ = frozenset(name for seen in looks for name, circuit, _ in seen["circuits"] if circuit == "open")
    ground = Ground(snapshot.table, snapshot.bonds, snapshot.register, snapshot.organisation, open_)
    asked = Asked(
        since=since, until=until, by=query.by, measure=query.measure, merged=query.merged, per=query.per,
        function={"": None, NOTHING: ""}.get(query.function, query.function), currency=query.currency,
    )  # fmt: skip
    return shown(await look(office.store, ground, asked, now))


def _within(ms: int, name: str) -> int:
    if not 0 <= ms < _LONGEST // MS:
        raise BadRequest(f"{name} is no time.", param=name, hint="give milliseconds since the epoch")
    return ms * MS
