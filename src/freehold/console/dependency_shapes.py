"""What /api/admin/dependency answers, as types, and how it is made of what the ledger has: also what the command line
prints for machines. Times in milliseconds, days as 2026-11-24, money as decimal text beside its currency, shares from
0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from freehold.console.figures import MS, monies
from freehold.console.shapes import CatchingUp, Money
from freehold.core.money import show
from freehold.exits.concentration import Amount, Spread
from freehold.exits.counterparties import Counterparty
from freehold.exits.dependency import Dependency, Line
from freehold.exits.functions import FunctionRow
from freehold.exits.holdings import Held
from freehold.exits.substitutes import Substitutes

POINTS = 10_000
"""What an index of 1 is on the scale that competition authorities use."""


class Figures(Struct, frozen=True, kw_only=True):
    """`requests` are attempts that did not fail; what failed counts for tokens and spend. `unpriced` are requests
    whose price is not known; they are in no spend."""

    requests: int
    failed: int
    unpriced: int
    input: int
    output: int
    tokens: int
    spend: list[Money]


class PartOf(Figures, frozen=True, kw_only=True):
    """`id` is empty where nobody said whose; `members` are what was put together under it."""

    id: str
    name: str
    members: list[str]
    share: float


class Index(Struct, frozen=True, kw_only=True):
    """The Herfindahl-Hirschman index: `hhi` from 0 to 1, `hhi_points` the same from 0 to 10,000; null of nothing."""

    hhi: float | None
    hhi_points: int | None


class SpreadOf(Index, frozen=True, kw_only=True):
    by: str
    parts: list[PartOf]


class Largest(Index, frozen=True, kw_only=True):
    by: str
    id: str
    name: str
    share: float


class Second(Struct, frozen=True, kw_only=True):
    """What would take the calls: shares of them with a second target that is configured, well and allowed (`ready`),
    left alone because it failed too often (`unhealthy`), not allowed by its terms (`forbidden`), with none (`none`),
    and of routes that are no longer configured (`gone`). `proven`: the share whose second target was shown to do as
    well; null: nothing has been shown yet."""

    ready: float
    unhealthy: float
    forbidden: float
    none: float
    gone: float
    proven: float | None


class FunctionShare(Struct, frozen=True):
    id: str
    title: str
    share: float


class NoticeOf(Struct, frozen=True):
    """`by`: the last day for notice, null where it ends without; `ends`: the last day then."""

    contract: str
    by: date | None
    ends: date
    missed: bool


class Outside(Struct, frozen=True, kw_only=True):
    """What a party may still hold: requests whose words it saw, `until` when the last of it has run out as promised.
    `unstated` of them have no stated end. `by_days`: how many by the days that were promised (-1: none were)."""

    requests: int
    tokens: int
    until: date | None
    unstated: int
    by_days: dict[int, int]


class CounterpartyOf(Figures, frozen=True, kw_only=True):
    """Calls that rest on several count for each of them: shares add up to more than 1."""

    id: str
    name: str
    members: list[str]
    share: float
    roles: dict[str, float]
    trend: list[float | None]
    functions: list[FunctionShare]
    second: Second
    notice: NoticeOf | None
    outside: Outside


class FunctionOf(Figures, frozen=True, kw_only=True):
    """`criticality` is null where the configuration does not know the function, `rto` in seconds. `worst` is the
    counterparty that most of it rests on; empty where it rests on ourselves alone."""

    id: str
    title: str
    criticality: str | None
    rto: float | None
    owner: str
    share: float
    worst: str
    worst_name: str
    worst_share: float
    largest: list[Largest]
    second: Second


class LineOf(Struct, frozen=True):
    """A part over time; `id` null: all others together. Numbers, or amounts of money as text."""

    id: str | None
    name: str
    values: list[int | str]


class TrendOf(Struct, frozen=True):
    """The last stretch may still go on."""

    per: str
    starts: list[int]
    lines: list[LineOf]
    hhi: list[float | None]


class Apart(Figures, frozen=True, kw_only=True):
    purpose: str


class Report(Struct, kw_only=True):
    """What rests on whom. `apart`: what was done for tests and guards is in no share. `ours`: what is kept here, all
    of it. `compute_assumed`: the share for which nobody said whose machines it ran on, so that the host's were taken.
    `recipients_assumed`: requests of entries too old to say who saw them."""

    since: int
    until: int
    by: str
    measure: str
    currency: str
    function: str | None
    merged: bool
    whole: Figures
    counterparties: list[CounterpartyOf]
    dimensions: list[SpreadOf]
    functions: list[FunctionOf]
    trend: TrendOf
    apart: list[Apart]
    ours: dict[str, int]
    second: Second
    health_known: bool
    compute_assumed: float
    recipients_assumed: int
    catching_up: CatchingUp | None


def shown(found: Dependency) -> Report:
    """Return it as it is answered."""
    titles = {row.id: row.title for row in found.functions}
    return Report(
        since=found.since // MS,
        until=found.until // MS,
        by=found.by,
        measure=found.measure,
        currency=found.currency,
        function=found.function,
        merged=found.merged,
        whole=Figures(**_figures(found.amount)),
        counterparties=[_counterparty(each, titles) for each in found.counterparties],
        dimensions=[_spread(each, found.names) for each in found.spreads],
        functions=[_function(row, found.names) for row in found.functions],
        trend=TrendOf(
            found.trend.per,
            [start // MS for start in found.trend.starts],
            [_line(line, found) for line in found.trend.lines],
            [_rounded(value) for value in found.trend.hhi],
        ),
        apart=[Apart(purpose=purpose, **_figures(amount)) for purpose, amount in found.apart.items()],
        ours=found.ours,
        second=_second(found.substitutes),
        health_known=found.health_known,
        compute_assumed=round(found.compute_assumed, 4),
        recipients_assumed=found.recipients_assumed,
        catching_up=CatchingUp(found.done, found.head) if found.done < found.head else None,
    )


def _figures(amount: Amount) -> dict[str, Any]:
    return {
        "requests": amount.requests,
        "failed": amount.failed,
        "unpriced": amount.unpriced,
        "input": amount.input,
        "output": amount.output,
        "tokens": amount.input + amount.output,
        "spend": monies(amount.spend),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _points(value: float | None) -> int | None:
    return None if value is None else round(value * POINTS)


def _spread(spread: Spread, names: Mapping[str, str]) -> SpreadOf:
    parts = [
        PartOf(id=part.id, name=names.get(part.id, part.id), members=list(part.members), share=round(part.share, 4),
               **_figures(part.amount))
        for part in spread.parts
    ]  # fmt: skip
    return SpreadOf(by=spread.by, parts=parts, hhi=_rounded(spread.hhi), hhi_points=_points(spread.hhi))


def _largest(spread: Spread, names: Mapping[str, str]) -> Largest:
    id, share = (spread.parts[0].id, spread.parts[0].share) if spread.parts else ("", 0.0)
    return Largest(
        by=spread.by, id=id, name=names.get(id, id), share=round(share, 4), hhi=_rounded(spread.hhi),
        hhi_points=_points(spread.hhi),
    )  # fmt: skip


def _second(found: Substitutes) -> Second:
    return Second(
        ready=round(found.ready, 4), unhealthy=round(found.unhealthy, 4), forbidden=round(found.forbidden, 4),
        none=round(found.none, 4), gone=round(found.gone, 4), proven=_rounded(found.proven),
    )  # fmt: skip


def _outside(held: Held) -> Outside:
    return Outside(
        requests=held.requests, tokens=held.tokens, until=held.until, unstated=held.unstated, by_days=held.by_days
    )


def _counterparty(it: Counterparty, titles: Mapping[str, str]) -> CounterpartyOf:
    notice = it.notice
    return CounterpartyOf(
        id=it.id, name=it.name, members=list(it.members), share=round(it.share, 4),
        roles={by: round(share, 4) for by, share in it.roles.items()}, trend=[_rounded(value) for value in it.trend],
        functions=[FunctionShare(f.function, titles.get(f.function, ""), round(f.share, 4)) for f in it.functions],
        second=_second(it.substitutes), outside=_outside(it.held),
        notice=None if notice is None else NoticeOf(notice.contract, notice.by, notice.ends, notice.missed),
        **_figures(it.amount),
    )  # fmt: skip


def _function(row: FunctionRow, names: Mapping[str, str]) -> FunctionOf:
    return FunctionOf(
        id=row.id, title=row.title, criticality=row.criticality, rto=row.rto, owner=row.owner,
        share=round(row.share, 4), worst=row.worst, worst_name=names.get(row.worst, row.worst),
        worst_share=round(row.worst_share, 4), largest=[_largest(each, names) for each in row.spreads],
        second=_second(row.substitutes), **_figures(row.amount),
    )  # fmt: skip


def _line(line: Line, found: Dependency) -> LineOf:
    money = found.measure == "spend"
    values: list[int | str] = [show(value, "").strip() if money else value for value in line.values]
    return LineOf(line.id, "" if line.id is None else found.names.get(line.id, line.id), values)
