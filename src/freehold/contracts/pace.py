"""How far commitments have come, where they will end, and which use goes towards one. Knows terms and sums of use;
refuses to know where the sums are kept, and to read a clock.

Money is a Decimal in units of the commitment's currency, a volume counts tokens, units are as the commitment calls
them. Days are calendar days in UTC. A straight line grows with each day that is over, so today's use is ahead of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Context, Decimal
from itertools import accumulate
from typing import Literal, Protocol

import msgspec

from freehold.contracts.register import Register, Version, later
from freehold.contracts.terms import Commitment
from freehold.core.clock import day_of

RECENT = 30
"""Days that the run rate is taken of."""
_POINTS = 52
_DAY = timedelta(days=1)
_FINEST = Decimal("1e-9")
_WIDE = Context(prec=60)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Of the periods that reserved units are named by, as "ptu-month"."""

Key = tuple[str, str]
"""Id of a contract, id of a commitment in it."""


class Used(Protocol):
    """Sums of what was used on one day; a ledger.reliance.Use by day is one. `at` is when the day began (ns), `cost` in
    nano-units of `currency`, and not known when that is empty."""

    @property
    def contract(self) -> str: ...
    @property
    def deployment(self) -> str: ...
    @property
    def cost(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def input(self) -> int: ...
    @property
    def output(self) -> int: ...
    @property
    def at(self) -> int: ...


class Point(msgspec.Struct, frozen=True):
    """A commitment at the end of a day: what had counted (None: that day is to come), the straight line, and what is
    forecast (None: more than that day is known)."""

    day: date
    counted: Decimal | None
    line: Decimal
    forecast: Decimal | None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How far one commitment has come.

    `unit` is what amounts are in. `state`: it has not begun, runs, is met, or is over and was not met. `line` is where
    a straight line to the whole stands, `ahead` how far beyond it the use is (below 0: behind). `rate` is what counted
    on a day, over the last 30; `forecast` where that leads by the last day, `linear` where the mean since the first day
    does; all three are None before a day is over. `shortfall` is what the forecast lacks (once it is over: the use),
    and `cost` what that costs by `rule`; None where nobody says. `unpriced` counts tokens whose cost is not known,
    and `foreign` names currencies that do not count.
    """

    contract: str
    commitment: str
    type: Literal["spend", "units", "volume"]
    unit: str
    start: date
    end: date
    state: Literal["future", "running", "met", "over"]
    amount: Decimal
    counted: Decimal
    line: Decimal
    ahead: Decimal
    rate: Decimal | None
    forecast: Decimal | None
    linear: Decimal | None
    shortfall: Decimal
    rule: Literal["pay", "rollover", "none", "unknown"]
    cost: Decimal | None
    currency: str
    deployments: tuple[str, ...]
    unpriced: int = 0
    foreign: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()


def goal(commitment: Commitment) -> Decimal:
    """Return how much was promised in all."""
    said = commitment.amount if commitment.type == "spend" else commitment.quantity
    return said if said is not None else Decimal(0)


def standing(register: Register, day: date) -> Iterator[tuple[Version, Commitment]]:
    """Yield the commitments that stand or stood: not those of drafts and of contracts that were terminated, nor those
    that a later version of the contract took the place of before they were over."""
    for version in register.versions:
        if version.contract.status in ("draft", "terminated"):
            continue
        last = register.last_day(version, day)
        replaced = register.state(version, day) == "superseded"
        for commitment in version.contract.commitment:
            if not (replaced and last is not None and last < commitment.end):
                yield version, commitment


def since(register: Register, day: date) -> date:
    """Return the first day whose use has to be known to tell how all commitments stand on `day`."""
    return min((one.start for _, one in standing(register, day) if one.start <= day), default=day)


def counted(register: Register, uses: Iterable[Used], deployments: Mapping[str, str]) -> dict[Key, Decimal]:
    """Return what counts towards each commitment that use counts towards: spend in its currency, or tokens. `uses` are
    sums by day; `deployments` (name -> id of its contract) tell the contract of those that name none. Reserved units
    are counted by time, so none of them is here. Raises ValueError for sums that are not by day."""
    tallies = _tally(register, uses, deployments)
    return {key: _amount(tally.type, sum(tally.days.values())) for key, tally in tallies.items()}


def owed(
    register: Register, deployments: Mapping[str, str], counted: Mapping[Key, Decimal], day: date
) -> frozenset[str]:
    """Return the deployments whose use goes towards a commitment that runs on `day` and is not met yet. Reserved units
    are paid for in any case, so their deployments are among these for as long as the commitment runs."""
    found: set[str] = set()
    for version, commitment in standing(register, day):
        running = commitment.start <= day <= commitment.end and register.state(version, day) in ("active", "in_notice")
        if running and counted.get((version.contract.id, commitment.id), Decimal(0)) < goal(commitment):
            found.update(register.counts(version, commitment, deployments))
    return frozenset(found)


def paces(register: Register, uses: Iterable[Used], deployments: Mapping[str, str], day: date) -> tuple[Pace, ...]:
    """Return how far each commitment has come by `day`; `uses` and `deployments` as `counted` takes them."""
    tallies = _tally(register, uses, deployments)
    return tuple(
        _pace(register, version, commitment, tallies, deployments, day)
        for version, commitment in standing(register, day)
    )


class _Tally(msgspec.Struct):
    """What counts by day: nano-units or tokens."""

    type: str
    days: dict[date, int] = {}
    unpriced: int = 0
    foreign: set[str] = set()


def _tally(register: Register, uses: Iterable[Used], deployments: Mapping[str, str]) -> dict[Key, _Tally]:
    towards: dict[tuple[str, str], list[tuple[_Tally, Commitment]]] = {}
    days: dict[int, date] = {}
    everything = [
        (version, commitment, _Tally(commitment.type))
        for version in register.versions
        if version.contract.status != "draft"
        for commitment in version.contract.commitment
        if commitment.type != "units"
    ]
    for use in uses:
        if not use.at:
            raise ValueError("sums of use by day are needed, not sums over all days")
        pair = (use.deployment, use.contract or deployments.get(use.deployment, ""))
        if pair not in towards:
            towards[pair] = [
                (tally, commitment)
                for version, commitment, tally in everything
                if register.counts(version, commitment, {pair[0]: pair[1]})
            ]
        if not towards[pair]:
            continue
        day = days.get(use.at) or days.setdefault(use.at, day_of(use.at))
        for tally, commitment in towards[pair]:
            if commitment.start <= day <= commitment.end:
                _add(tally, commitment, use, day)
    return {(version.contract.id, commitment.id): tally for version, commitment, tally in everything}


def _add(tally: _Tally, commitment: Commitment, use: Used, day: date) -> None:
    if commitment.type == "volume":
        tally.days[day] = tally.days.get(day, 0) + use.input + use.output
    elif use.currency == commitment.currency:
        tally.days[day] = tally.days.get(day, 0) + use.cost
    elif use.currency:
        tally.foreign.add(use.currency)
    else:
        tally.unpriced += use.input + use.output


def _amount(type: str, number: int) -> Decimal:
    return _exact(Decimal(number).scaleb(-9)) if type == "spend" else Decimal(number)


Until = Callable[[date], Decimal]
"""What had counted, or should have, by the end of a day."""


def _pace(
    register: Register,
    version: Version,
    commitment: Commitment,
    tallies: Mapping[Key, _Tally],
    deployments: Mapping[str, str],
    day: date,
) -> Pace:
    tally = tallies.get((version.contract.id, commitment.id)) or _Tally(commitment.type)
    units = commitment.type == "units"
    until = _paid(commitment) if units else _filled(commitment, tally.days)
    line = until if units else _straight(commitment)
    amount, now, over = goal(commitment), until(day), day > commitment.end
    expected = now if units else line(day - _DAY)
    rate, forecast, linear = _ahead(commitment, until, day)
    at_end = now if over else forecast
    # Of what has not begun nothing can be said: it lacks nothing yet.
    shortfall = Decimal(0) if at_end is None else max(Decimal(0), amount - at_end)
    return Pace(
        contract=version.contract.id,
        commitment=commitment.id,
        type=commitment.type,
        unit={"spend": commitment.currency, "volume": "tokens"}.get(commitment.type, commitment.unit),
        start=commitment.start,
        end=commitment.end,
        state="future" if day < commitment.start else "met" if now >= amount else "over" if over else "running",
        amount=amount,
        counted=now,
        line=expected,
        ahead=now - expected,
        rate=rate,
        forecast=forecast,
        linear=linear,
        shortfall=shortfall,
        rule=commitment.shortfall,
        cost=_cost(commitment, shortfall),
        currency=commitment.currency,
        deployments=register.counts(version, commitment, deployments),
        unpriced=tally.unpriced,
        foreign=tuple(sorted(tally.foreign)),
        points=tuple(_points(commitment, until, line, rate, day)),
    )


def _cost(commitment: Commitment, shortfall: Decimal) -> Decimal | None:
    """Return what a shortfall costs; None where nobody says what one unit does, or whether it costs anything."""
    if shortfall and commitment.shortfall == "unknown":
        return None
    if not shortfall or commitment.shortfall != "pay":
        return Decimal(0)
    if commitment.type == "spend":
        return shortfall
    return None if commitment.unit_price is None else _exact(shortfall * commitment.unit_price)


def _days(commitment: Commitment) -> int:
    return max(1, (commitment.end - commitment.start).days + 1)


def _straight(commitment: Commitment) -> Until:
    """Return the straight line from nothing before the first day to all on the last."""
    whole, days = goal(commitment), _days(commitment)

    def line(day: date) -> Decimal:
        return _exact(whole * min(max((day - commitment.start).days + 1, 0), days) / days)

    return line


def _filled(commitment: Commitment, days: Mapping[date, int]) -> Until:
    """Return how a commitment fills up by use."""
    order = sorted(days)
    sums = list(accumulate((days[day] for day in order), initial=0))

    def until(day: date) -> Decimal:
        return _amount(commitment.type, sums[bisect_right(order, day)])

    return until


def _paid(commitment: Commitment) -> Until:
    """Return how reserved units fill up: with each period that begins, whether they are used or not."""
    whole, periods = goal(commitment), max(1, _begun(commitment, commitment.end))

    def until(day: date) -> Decimal:
        return _exact(whole * _begun(commitment, min(day, commitment.end)) / periods)

    return until


def _begun(commitment: Commitment, day: date) -> int:
    """Return how many of the periods that units are named by had begun by `day`: months of "ptu-month", weeks, else
    days."""
    start = commitment.start
    if day < start:
        return 0
    period = commitment.unit.lower().rpartition("-")[2].rstrip("s")
    months = _MONTHS.get(period)
    if months is None:
        return (day - start).days // (7 if period == "week" else 1) + 1
    count = max(0, (day.year - start.year) * 12 + day.month - start.month) // months
    while count and later(start - _DAY, count * months) >= day:
        count -= 1
    return count + 1


def _ahead(commitment: Commitment, until: Until, day: date) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return the run rate and where it leads, and where the mean does, all of the days before `day`."""
    days = _days(commitment)
    gone = min((day - commitment.start).days, days)
    if commitment.type == "units":
        whole = goal(commitment)
        return (_exact(whole / days), whole, whole) if day >= commitment.start else (None, None, None)
    if gone < 1:
        return None, None, None
    before = commitment.start + (gone - 1) * _DAY
    recent = min(RECENT, gone)
    so_far = until(before)
    rate = (so_far - until(before - recent * _DAY)) / recent
    forecast = max(until(day), so_far + rate * (days - gone))
    return _exact(rate), _exact(forecast), _exact(so_far * days / gone)


def _points(commitment: Commitment, until: Until, line: Until, rate: Decimal | None, day: date) -> Iterator[Point]:
    """Yield the commitment at even steps up to its last day, about once a week of a year. The forecast begins at the
    last step that is known."""
    days, yesterday = _days(commitment), day - _DAY
    step = -(-days // _POINTS)
    for place in range((days - 1) % step, days, step):
        mark = commitment.start + place * _DAY
        known, forecast = mark <= day, None
        if rate is not None and mark + step * _DAY > day:
            ahead = until(yesterday) + rate * (mark - yesterday).days
            forecast = until(mark) if known or commitment.type == "units" else _exact(max(until(day), ahead))
        yield Point(mark, until(mark) if known else None, line(mark), forecast)


def _exact(value: Decimal) -> Decimal:
    """Return a value as fine as money is counted, without needless zeros."""
    return value.quantize(_FINEST, context=_WIDE).normalize(_WIDE) + 0
