"""What rests on whom: counterparties, dimensions, business functions, over time. What the command line and the console
show is made here. Knows sums of the ledger, contracts and routes; refuses to show anything, and to change anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from freehold.contracts.binding import Bonds
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register
from freehold.core.errors import BadRequest, NotFound
from freehold.exits.concentration import (
    DIMENSIONS,
    PARTIES,
    TRAFFIC,
    Amount,
    Dimension,
    Lens,
    Measure,
    Spread,
    hhi,
    main_currency,
    spread,
    total,
)
from freehold.exits.counterparties import Counterparty, View, counterparties
from freehold.exits.functions import FunctionRow, functions
from freehold.exits.holdings import Held, held, ours, recipients
from freehold.exits.notices import notices
from freehold.exits.stretches import Per, day_of, edges, usual
from freehold.exits.substitutes import Alternatives, Substitutes, substitutes
from freehold.ledger import reliance
from freehold.ledger.reliance import Use
from freehold.ledger.traffic import DAY
from freehold.ledger.ways import PATIENCE
from freehold.routing import Table
from freehold.store import Store

LINES = 6
"""Parts that have a line of their own in a trend; the others are put together."""


class Ground(msgspec.Struct, frozen=True):
    """What is in force. `open` names the deployments whose circuit is open; None: no server runs that could say."""

    table: Table
    bonds: Bonds
    register: Register
    organisation: Organisation
    open: frozenset[str] | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The UTC days that hold since <= at < until (ns). `measure` None: spend where any is known, else requests.
    `function` None: all of them; "": calls that were for none. `merged`: groups of parties as one, and versions of a
    contract. `currency` "": the one that most requests were priced in; sums in several are never put together."""

    since: int
    until: int
    by: Dimension = "seller"
    measure: Measure | None = None
    function: str | None = None
    merged: bool = True
    per: Per | None = None
    currency: str = ""


class Line(msgspec.Struct, frozen=True):
    """One part over time, in the measure; the id is None for all others together."""

    id: str | None
    values: list[int]


class Trend(msgspec.Struct, frozen=True):
    """A dimension over stretches of days. `starts` in ns; the last stretch may still go on."""

    per: Per
    starts: list[int]
    lines: list[Line]
    hhi: list[float | None]


class Dependency(msgspec.Struct, kw_only=True):
    """All of it. `apart` is what was done for tests and guards, by purpose; it is in no other figure but `held`.
    `compute_assumed` is the share for which nobody said whose machines it ran on, so that the host's were taken;
    `recipients_assumed` are requests whose entries are too old to say who saw them. `done` of `head` entries are
    summed."""

    since: int
    until: int
    by: Dimension
    measure: Measure
    currency: str
    function: str | None
    merged: bool
    amount: Amount
    counterparties: list[Counterparty]
    spreads: tuple[Spread, ...]
    functions: list[FunctionRow]
    trend: Trend
    apart: dict[str, Amount]
    ours: dict[str, int]
    substitutes: Substitutes
    health_known: bool
    compute_assumed: float
    recipients_assumed: int
    names: dict[str, str]
    done: int
    head: int


async def look(store: Store, ground: Ground, asked: Asked, now: int) -> Dependency:
    """Return what rests on whom, as the ledger has it now (ns). Raises BadRequest, NotFound for no such function,
    StoreError."""
    since, until = asked.since // DAY * DAY, -(-asked.until // DAY) * DAY
    if since >= until:
        raise BadRequest("The span is empty.", param="since", hint="name a `since` that is before `until`")
    per = asked.per or usual(since, until)
    starts = edges(since, until, per)
    done, head = await reliance.roll(store, PATIENCE)
    lens = Lens(ground.organisation, ground.register, merged=asked.merged)

    def keep(use: Use) -> bool:
        return asked.function is None or use.function == asked.function

    whole, pieces, holdings, kept = await asyncio.gather(
        reliance.uses(store, since, until, callers=False),
        reliance.uses(store, since, until, edges=starts, callers=False),
        held(store, lens, now, keep),
        ours(store),
    )
    _check(asked, ground.organisation, whole)
    some = [use for use in whole if keep(use)]
    pieces = [use for use in pieces if keep(use) and use.purpose in TRAFFIC]
    sums = _Sums(since, until, some, pieces, starts, per, holdings, kept, done, head)
    # tens of milliseconds for a long ledger, in which calls are not to wait for this
    return await asyncio.to_thread(_reckoned, ground, asked, lens, sums, now)


class _Sums(msgspec.Struct, frozen=True):
    """What was read: `some` over all days, `pieces` by the stretches that begin at `starts`."""

    since: int
    until: int
    some: list[Use]
    pieces: list[Use]
    starts: list[int]
    per: Per
    held: dict[str, Held]
    ours: dict[str, int]
    done: int
    head: int


def _reckoned(ground: Ground, asked: Asked, lens: Lens, sums: _Sums, now: int) -> Dependency:
    uses = [use for use in sums.some if use.purpose in TRAFFIC]
    currency = asked.currency or main_currency(uses)
    measure: Measure = asked.measure or ("spend" if currency else "requests")
    view = View(lens, Alternatives(ground.table, ground.bonds, lens, now, ground.open), measure, currency)
    spreads = tuple(spread(uses, by, lens, measure, currency) for by in DIMENSIONS)
    due = notices(ground.register, lens, day_of(now))
    amount = total(uses)
    assumed = sum(view.of(use) for use in uses if not use.compute)
    return Dependency(
        since=sums.since, until=sums.until, by=asked.by, measure=measure, currency=currency, function=asked.function,
        merged=asked.merged, amount=amount, spreads=spreads,
        counterparties=counterparties(view, uses, sums.pieces, sums.starts, due, sums.held),
        functions=[row for row in functions(view, uses, ground.organisation) if asked.function in (None, row.id)],
        trend=_trend(view, sums, next(each for each in spreads if each.by == asked.by)),
        apart=_apart(sums.some), ours=sums.ours, substitutes=substitutes(uses, lens, view.ways, measure, currency),
        health_known=ground.open is not None,
        compute_assumed=view.share(assumed, amount.of(measure, currency)),
        recipients_assumed=sum(use.attempts for use in sums.some if not use.recipients and recipients(use)),
        names=_names(spreads, lens), done=sums.done, head=sums.head,
    )  # fmt: skip


def _check(asked: Asked, organisation: Organisation, uses: Sequence[Use]) -> None:
    known = {*organisation.functions, *(use.function for use in uses)}
    if asked.function and asked.function not in known:
        near = get_close_matches(asked.function, [name for name in known if name], 1)
        hint = f"did you mean `{near[0]}`?" if near else "[functions.NAME] in the configuration makes one"
        raise NotFound(f"There is no function {asked.function[:64]!r}, and no call was for one.", hint=hint)


def _trend(view: View, read: _Sums, whole: Spread) -> Trend:
    starts = read.starts
    places = {start: place for place, start in enumerate(starts)}
    sums: dict[str, list[int]] = {}
    for use in read.pieces:
        line = sums.setdefault(view.lens.read(use, whole.by), [0] * len(starts))
        line[places[use.at]] += view.of(use)
    shown = [part.id for part in whole.parts if part.share][:LINES]
    lines = [Line(id, sums[id]) for id in shown if id in sums]
    rest = [values for id, values in sums.items() if id not in shown and any(values)]
    if rest:
        lines.append(Line(None, [sum(column) for column in zip(*rest, strict=True)]))
    columns = [[values[place] for values in sums.values()] for place in range(len(starts))]
    return Trend(read.per, starts, lines, [hhi(column) for column in columns])


def _apart(uses: Sequence[Use]) -> dict[str, Amount]:
    found: dict[str, Amount] = {}
    for use in uses:
        if use.purpose not in TRAFFIC:
            found.setdefault(use.purpose, Amount()).add(use)
    return dict(sorted(found.items()))


def _names(spreads: Sequence[Spread], lens: Lens) -> dict[str, str]:
    ids = {id for each in spreads if each.by in PARTIES for part in each.parts for id in (part.id, *part.members)}
    return {id: title for id in sorted(ids) if (title := lens.title(id)) != id}
