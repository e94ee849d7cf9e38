"""Whom calls rested on: each counterparty's share in any role, how it went, which functions rest on it, what could take
its place, when notice is due, what it may hold. Pure; refuses to know where sums come from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.contracts.organisation import Criticality, Function
from freehold.exits.concentration import PARTIES, Amount, Lens, Measure, measured, rests_on, total, value
from freehold.exits.holdings import Held
from freehold.exits.notices import Notice
from freehold.exits.substitutes import Alternatives, Substitutes, substitutes
from freehold.ledger.reliance import Use

_RANK: dict[Criticality, int] = {"critical": 0, "important": 1, "ordinary": 2}


class View(msgspec.Struct, frozen=True):
    """How sums are read: `ways` are what could take their calls."""

    lens: Lens
    ways: Alternatives
    measure: Measure
    currency: str

    def of(self, use: Use) -> int:
        return measured(use, self.measure, self.currency)

    def share(self, part: int, whole: int) -> float:
        return part / whole if whole else 0.0


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


def counterparties(
    view: View, uses: Sequence[Use], pieces: Sequence[Use], starts: Sequence[int], due: dict[str, Notice],
    holdings: dict[str, Held],
) -> list[Counterparty]:  # fmt: skip
    """Return all whom calls rested on, whom a contract is with or who may hold something, the largest share first.
    `uses` are the sums over all days, `pieces` the same by stretches that begin at `starts`."""
    lens = view.lens
    by_party: dict[str, list[Use]] = {}
    by_function: dict[str, int] = {}
    for use in uses:
        by_function[use.function] = by_function.get(use.function, 0) + view.of(use)
        for party in rests_on(use, lens):
            by_party.setdefault(party, []).append(use)
    whole = sum(by_function.values())
    nothing: list[float | None] = [None] * len(starts)
    trends = _trends(view, pieces, starts)
    found = []
    for party in {*by_party, *holdings, *due}:
        own = by_party.get(party, [])
        found.append(
            Counterparty(
                id=party, name=lens.title(party), members=_members(own, party, lens), amount=total(own),
                share=view.share(sum(map(view.of, own)), whole), roles=_roles(view, own, party, whole),
                trend=trends.get(party, nothing), functions=_relying(view, own, by_function),
                substitutes=substitutes(own, lens, view.ways, view.measure, view.currency, party),
                notice=due.get(party), held=holdings.get(party, Held()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (-one.share, -one.amount.requests, one.id))


def _trends(view: View, pieces: Sequence[Use], starts: Sequence[int]) -> dict[str, list[float | None]]:
    """Return the share of each stretch that rests on each counterparty; None where nothing went through."""
    places = {start: place for place, start in enumerate(starts)}
    whole = [0] * len(places)
    found: dict[str, list[int]] = {}
    for use in pieces:
        amount, place = view.of(use), places[use.at]
        whole[place] += amount
        for party in rests_on(use, view.lens):
            found.setdefault(party, [0] * len(places))[place] += amount
    return {
        party: [part / all if all else None for part, all in zip(parts, whole, strict=True)]
        for party, parts in found.items()
    }


def _members(uses: Sequence[Use], party: str, lens: Lens) -> tuple[str, ...]:
    named = {value(use, by) for use in uses for by in PARTIES}
    return tuple(sorted(id for id in named if id and lens.party(id) == party)) or (party,)


def _roles(view: View, uses: Sequence[Use], party: str, whole: int) -> dict[str, float]:
    sums = {by: sum(view.of(use) for use in uses if view.lens.read(use, by) == party) for by in PARTIES}
    return {by: view.share(amount, whole) for by, amount in sums.items() if amount}


def _relying(view: View, uses: Sequence[Use], by_function: dict[str, int]) -> list[Reliance]:
    sums: dict[str, int] = {}
    for use in uses:
        sums[use.function] = sums.get(use.function, 0) + view.of(use)
    found = [Reliance(id, view.share(amount, by_function[id])) for id, amount in sums.items() if amount]
    order = view.lens.organisation.functions
    return sorted(found, key=lambda one: (rank(order.get(one.function)), -one.share, one.function))


def rank(function: Function | None) -> int:
    """Return how critical a function is, 0 the most; one that the configuration does not know comes last."""
    return _RANK[function.criticality] if function is not None else len(_RANK)
