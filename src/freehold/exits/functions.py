"""Business functions, and whom each rests on. Pure; refuses to know what a function is for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.contracts.organisation import Criticality, Function, Organisation
from freehold.exits.concentration import DIMENSIONS, Amount, Spread, rests_on, spread, total
from freehold.exits.counterparties import View, rank
from freehold.exits.substitutes import Substitutes, substitutes
from freehold.ledger.reliance import Use


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


def functions(view: View, uses: Sequence[Use], organisation: Organisation) -> list[FunctionRow]:
    """Return the functions, the worst one first: by how critical they are, then by the largest share that one
    counterparty has of them."""
    by_function: dict[str, list[Use]] = {name: [] for name in organisation.functions}
    for use in uses:
        by_function.setdefault(use.function, []).append(use)
    whole = sum(map(view.of, uses))
    rows = [_function(view, name, some, whole, organisation.functions.get(name)) for name, some in by_function.items()]
    ranks = {name: rank(organisation.functions.get(name)) for name in by_function}
    return sorted(rows, key=lambda row: (ranks[row.id], -row.worst_share, -row.share, row.id))


def _function(view: View, name: str, uses: list[Use], whole: int, said: Function | None) -> FunctionRow:
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
