"""What rests on whom: counterparties, dimensions, business functions, over time. What the command line and the console
show is made here. Knows sums of the ledger, contracts and routes; refuses to show anything, and to change anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from freehold.contracts.binding import Bonds
from freehold.contracts.organisation import Criticality, Function, Organisation
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
    measured,
    rests_on,
    spread,
    total,
    value,
)
from freehold.exits.holdings import Held, held, ours, recipients
from freehold.exits.notices import Notice, notices
from freehold.exits.stretches import Per, day_of, edges, usual
from freehold.exits.substitutes import Alternatives, Substitutes, substitutes
from freehold.ledger import reliance
from freehold.ledger.reliance import Use
from freehold.ledger.traffic import DAY
from freehold.routing import Table
from freehold.store import Store

PATIENCE = 0.4
"""Seconds that summing what is new may take before the answer goes out without it."""
LINES = 6
"""Parts that have a line of their own in a trend; the others are put together."""
_RANK: dict[Criticality, int] = {"critical": 0, "important": 1, "ordinary": 2}


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


class Reliance(msgspec.Struct, frozen=True):
    """A share of what is done for a function (0 to 1); the id is empty for calls that were for none."""

    function: str
    share: float


class Counterparty(msgspec.Struct, kw_only=True):
    """A party or group outside that calls rested on in any role, so that shares of several add up to more than 1.
    `roles` are its shares by dimension, `trend` its share of each stretch (None where nothing went through)."""

    id: str
    name: str
    members: tuple[str, ...]
    share: float
    amount: Amount
    roles: dict[str, float]
    trend: list[float | None]
    functions: list[Reliance]
    substitutes: Substitutes
    notice: Notice | None
    held: Held


class FunctionRow(msgspec.Struct, kw_only=True):
    """A business function. `worst` is the counterparty that most of it rests on, in whatever role; empty where it rests
    on ourselves alone. `rto` is in seconds."""

    id: str
    title: str
    criticality: Criticality | None
    rto: float | None
    owner: str
    amount: Amount
    share: float
    worst: str
    worst_share: float
    spreads: tuple[Spread, ...]
    substitutes: Substitutes


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
        reliance.uses(store, since, until),
        reliance.uses(store, since, until, edges=starts),
        held(store, lens, now, keep),
        ours(store),
    )
    _check(asked, ground.organisation, whole)
    some = [use for use in whole if keep(use)]
    uses = [use for use in some if use.purpose in TRAFFIC]
    pieces = [use for use in pieces if keep(use) and use.purpose in TRAFFIC]
    currency = asked.currency or main_currency(uses)
    measure: Measure = asked.measure or ("spend" if currency else "requests")
    view = _View(lens, Alternatives(ground.table, ground.bonds, lens, now, ground.open), measure, currency)
    spreads = tuple(spread(uses, by, lens, measure, currency) for by in DIMENSIONS)
    due = notices(ground.register, lens, day_of(now))
    amount = total(uses)
    assumed = sum(measured(use, measure, currency) for use in uses if not use.compute)
    all_of_it = amount.of(measure, currency)
    return Dependency(
        since=since, until=until, by=asked.by, measure=measure, currency=currency, function=asked.function,
        merged=asked.merged, amount=amount, spreads=spreads,
        counterparties=_counterparties(view, uses, pieces, starts, holdings, due),
        functions=_functions(view, uses, ground.organisation),
        trend=_trend(view, pieces, starts, per, next(each for each in spreads if each.by == asked.by)),
        apart=_apart(some), ours=kept, substitutes=substitutes(uses, lens, view.ways, measure, currency),
        health_known=ground.open is not None, compute_assumed=assumed / all_of_it if all_of_it else 0.0,
        recipients_assumed=sum(use.attempts for use in some if not use.recipients and recipients(use)),
        names=_names(spreads, lens), done=done, head=head,
    )  # fmt: skip


class _View(msgspec.Struct, frozen=True):
    """How the sums are read."""

    lens: Lens
    ways: Alternatives
    measure: Measure
    currency: str

    def of(self, use: Use) -> int:
        return measured(use, self.measure, self.currency)

    def share(self, part: int, whole: int) -> float:
        return part / whole if whole else 0.0


def _check(asked: Asked, organisation: Organisation, uses: Sequence[Use]) -> None:
    known = {*organisation.functions, *(use.function for use in uses)}
    if asked.function and asked.function not in known:
        near = get_close_matches(asked.function, [name for name in known if name], 1)
        hint = f"did you mean `{near[0]}`?" if near else "[functions.NAME] in the configuration makes one"
        raise NotFound(f"There is no function {asked.function[:64]!r}, and no call was for one.", hint=hint)


def _counterparties(
    view: _View,
    uses: Sequence[Use],
    pieces: Sequence[Use],
    starts: Sequence[int],
    holdings: dict[str, Held],
    due: dict[str, Notice],
) -> list[Counterparty]:
    lens = view.lens
    by_party: dict[str, list[Use]] = {}
    by_function: dict[str, int] = {}
    for use in uses:
        by_function[use.function] = by_function.get(use.function, 0) + view.of(use)
        for party in rests_on(use, lens):
            by_party.setdefault(party, []).append(use)
    whole = sum(by_function.values())
    places = {start: place for place, start in enumerate(starts)}
    sums, trends = [0] * len(starts), {party: [0] * len(starts) for party in by_party}
    for use in pieces:
        amount, place = view.of(use), places[use.at]
        sums[place] += amount
        for party in rests_on(use, lens):
            trends[party][place] += amount
    found = []
    for party in {*by_party, *holdings, *due}:
        own = by_party.get(party, [])
        share = view.share(sum(map(view.of, own)), whole)
        trend = [part / all if all else None for part, all in zip(trends.get(party, sums), sums, strict=True)]
        found.append(
            Counterparty(
                id=party, name=lens.title(party), members=_members(own, party, lens), share=share, amount=total(own),
                roles=_roles(view, own, party, whole), trend=trend if own else [None] * len(starts),
                functions=_relying(view, own, by_function),
                substitutes=substitutes(own, lens, view.ways, view.measure, view.currency, party),
                notice=due.get(party), held=holdings.get(party, Held()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (-one.share, -one.amount.requests, one.id))


def _members(uses: Sequence[Use], party: str, lens: Lens) -> tuple[str, ...]:
    named = {value(use, by) for use in uses for by in PARTIES}
    return tuple(sorted(id for id in named if id and lens.party(id) == party)) or (party,)


def _roles(view: _View, uses: Sequence[Use], party: str, whole: int) -> dict[str, float]:
    sums = {by: sum(view.of(use) for use in uses if view.lens.read(use, by) == party) for by in PARTIES}
    return {by: view.share(amount, whole) for by, amount in sums.items() if amount}


def _relying(view: _View, uses: Sequence[Use], by_function: dict[str, int]) -> list[Reliance]:
    sums: dict[str, int] = {}
    for use in uses:
        sums[use.function] = sums.get(use.function, 0) + view.of(use)
    found = [Reliance(id, view.share(amount, by_function[id])) for id, amount in sums.items() if amount]
    order = view.lens.organisation.functions
    return sorted(found, key=lambda one: (_rank(order.get(one.function)), -one.share, one.function))


def _rank(function: Function | None) -> int:
    return _RANK[function.criticality] if function is not None else len(_RANK)


def _functions(view: _View, uses: Sequence[Use], organisation: Organisation) -> list[FunctionRow]:
    """Return the functions, the worst one first: by how critical they are, then by the largest share that one
    counterparty has of them."""
    by_function: dict[str, list[Use]] = {name: [] for name in organisation.functions}
    for use in uses:
        by_function.setdefault(use.function, []).append(use)
    whole = sum(map(view.of, uses))
    rows = [_function(view, name, some, whole, organisation.functions.get(name)) for name, some in by_function.items()]
    ranks = {name: _rank(organisation.functions.get(name)) for name in by_function}
    return sorted(rows, key=lambda row: (ranks[row.id], -row.worst_share, -row.share, row.id))


def _function(view: _View, name: str, uses: list[Use], whole: int, said: Function | None) -> FunctionRow:
    sums: dict[str, int] = {}
    for use in uses:
        for party in rests_on(use, view.lens):
            sums[party] = sums.get(party, 0) + view.of(use)
    worst = min(sums, key=lambda party: (-sums[party], party), default="")
    amount = total(uses)
    return FunctionRow(
        id=name, title=(said.title if said is not None else "") or name,
        criticality=said.criticality if said is not None else None, rto=said.rto if said is not None else None,
        owner=said.owner if said is not None else "", amount=amount,
        share=view.share(amount.of(view.measure, view.currency), whole), worst=worst,
        worst_share=view.share(sums.get(worst, 0), amount.of(view.measure, view.currency)),
        spreads=tuple(spread(uses, by, view.lens, view.measure, view.currency) for by in DIMENSIONS),
        substitutes=substitutes(uses, view.lens, view.ways, view.measure, view.currency),
    )  # fmt: skip


def _trend(view: _View, pieces: Sequence[Use], starts: list[int], per: Per, whole: Spread) -> Trend:
    places = {start: place for place, start in enumerate(starts)}
    sums: dict[str, list[int]] = {}
    for use in pieces:
        line = sums.setdefault(view.lens.read(use, whole.by), [0] * len(starts))
        line[places[use.at]] += view.of(use)
    shown = [part.id for part in whole.parts if part.share][:LINES]
    lines = [Line(id, sums[id]) for id in shown if id in sums]
    rest = [values for id, values in sums.items() if id not in shown and any(values)]
    if rest:
        lines.append(Line(None, [sum(column) for column in zip(*rest, strict=True)]))
    columns = [[values[place] for values in sums.values()] for place in range(len(starts))]
    return Trend(per, starts, lines, [hhi(column) for column in columns])


def _apart(uses: Sequence[Use]) -> dict[str, Amount]:
    found: dict[str, Amount] = {}
    for use in uses:
        if use.purpose not in TRAFFIC:
            found.setdefault(use.purpose, Amount()).add(use)
    return dict(sorted(found.items()))


def _names(spreads: Sequence[Spread], lens: Lens) -> dict[str, str]:
    ids = {id for each in spreads if each.by in PARTIES for part in each.parts for id in (part.id, *part.members)}
    return {id: title for id in sorted(ids) if (title := lens.title(id)) != id}
