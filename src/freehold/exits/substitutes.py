"""Whether a call would have somewhere else to go if a counterparty were not there. Pure; refuses to know whether what
stands there is as good: that takes a qualification, and there is none yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from freehold.contracts.binding import Bonds
from freehold.exits.concentration import Lens, Measure, measured, rests_on
from freehold.ledger.reliance import Use
from freehold.routing import Deployment, Table

State = Literal["ready", "unhealthy", "forbidden", "none", "gone"]
ORDER: tuple[State, ...] = ("ready", "unhealthy", "forbidden", "none", "gone")
"""From the best to the worst. A second target is ready: configured, well and allowed; or it is left alone because it
failed too often, or its terms forbid it; or there is none; or the route itself is no longer configured."""


class Substitutes(msgspec.Struct):
    """Shares of some traffic (0 to 1) by what would take it. `proven` is the share whose second target has been shown
    to do as well; None: nothing has been shown yet."""

    ready: float = 0.0
    unhealthy: float = 0.0
    forbidden: float = 0.0
    none: float = 0.0
    gone: float = 0.0
    proven: float | None = None


class Alternatives:
    """The second targets of routes, as configured. `open` names deployments whose circuit is open, None where nobody
    looked; calls are taken to be of the organisation's default class of data; `at` is now (ns)."""

    def __init__(self, table: Table, bonds: Bonds, lens: Lens, at: int, open: frozenset[str] | None) -> None:
        self._table, self._bonds, self._lens, self._at = table, bonds, lens, at
        self._open = open or frozenset()
        self._routes: dict[str, tuple[tuple[frozenset[str], State], ...] | None] = {}
        self._states: dict[tuple[str, str], State] = {}

    def without(self, asked: str, party: str) -> State:
        """Return what would take calls for the model `asked` without that party."""
        state = self._states.get((asked, party))
        if state is None:
            ways = self._ways(asked)
            others: list[State] = [how for rests, how in ways or () if party not in rests]
            others.append("gone" if ways is None else "none")
            state = self._states[asked, party] = min(others, key=ORDER.index)
        return state

    def without_any(self, asked: str, parties: Iterable[str]) -> State:
        """Return what would take the calls without the one of these parties that is hardest to do without."""
        states: list[State] = [self.without(asked, party) for party in parties]
        return max(["ready", *states], key=ORDER.index)

    def _ways(self, asked: str) -> tuple[tuple[frozenset[str], State], ...] | None:
        if asked not in self._routes:
            found = self._table.find(asked)
            self._routes[asked] = None
            if found is not None:
                route = found[0]
                names = [target.name for target in route.targets if target.weight > 0]
                every = dict.fromkeys([*names, *route.fallback])
                self._routes[asked] = tuple(self._way(self._table.deployments[name]) for name in every)
        return self._routes[asked]

    def _way(self, it: Deployment) -> tuple[frozenset[str], State]:
        bond = self._bonds.at(it.name, self._at)
        rests = self._lens.rests_on(it.maker, it.seller, it.host, bond.compute if bond is not None else "")
        if self._bonds.refusal(it, self._lens.organisation.default_class, "", self._at):
            return rests, "forbidden"
        return rests, "unhealthy" if it.name in self._open else "ready"


def substitutes(
    uses: Iterable[Use], lens: Lens, ways: Alternatives, measure: Measure, currency: str, party: str | None = None
) -> Substitutes:
    """Return what would take `uses` without `party`, or without whichever one of those they rest on is hardest to do
    without. What rests on nobody but ourselves needs no second target, and is ready."""
    sums = dict.fromkeys(ORDER, 0)
    for use in uses:
        if amount := measured(use, measure, currency):
            parties = rests_on(use, lens) if party is None else (party,)
            sums[ways.without_any(use.asked, parties)] += amount
    whole = sum(sums.values())
    return Substitutes(**{state: sums[state] / whole if whole else 0.0 for state in ORDER})
