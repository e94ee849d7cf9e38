"""How contracts supersede each other: chains, and what is wrong with them. Knows ids and first days only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from freehold.contracts.faults import Problem, nearest
from freehold.contracts.terms import Contract


class _Filed(Protocol):
    @property
    def contract(self) -> Contract: ...


F = TypeVar("F", bound=_Filed)


def linked(filed: Sequence[F]) -> list[tuple[F, ...]]:
    """Return the chains: what supersedes each other together, each oldest first. A superseded id that is not on file,
    and a circle, are taken as far as they go."""
    by_id = {each.contract.id: each for each in filed}
    before = {id: each.contract.supersedes for id, each in by_id.items()}
    groups: dict[str, list[F]] = {}
    depth: dict[str, int] = {}
    for id, each in by_id.items():
        way, circle = _back(id, before)
        depth[id] = len(way)
        groups.setdefault(min(circle, default=way[-1]), []).append(each)
    return [tuple(sorted(group, key=lambda each: _order(each, depth))) for group in groups.values()]


def _order(each: _Filed, depth: dict[str, int]) -> tuple[int, str, str]:
    contract = each.contract
    return depth[contract.id], contract.term.start.isoformat(), contract.id


def _back(id: str, before: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return `id`, what it supersedes, what that supersedes and so on, each once; and the circle that this goes into,
    empty where it comes to an end. `before` is what each contract on file supersedes."""
    way = [id]
    while (older := before[way[-1]]) in before:
        if older in way:
            return way, way[way.index(older) :]
        way.append(older)
    return way, []


def faults(filed: Sequence[tuple[Contract, str]], whole: bool = True) -> Iterator[Problem]:
    """Yield what is wrong between contracts, each with the name of its file: ids that stand twice, and contracts that
    supersede nothing, in a circle, from too early on, or what another one supersedes already. `whole`: all files could
    be read, so that what is not among them is not there."""
    by_id: dict[str, tuple[Contract, str]] = {}
    for contract, file in filed:
        if contract.id in by_id:
            yield Problem(file, "id", f"{contract.id!r} is also the id in {by_id[contract.id][1]}", "ids are unique")
        by_id.setdefault(contract.id, (contract, file))
    superseded = {id: contract.supersedes for id, (contract, _) in by_id.items()}
    followers: dict[str, Contract] = {}
    for contract, file in by_id.values():
        if not contract.supersedes or contract.supersedes == contract.id:
            continue
        before = by_id.get(contract.supersedes)
        if before is None:
            if whole:
                what = f"there is no contract {contract.supersedes!r}"
                yield Problem(file, "supersedes", what, nearest(contract.supersedes, by_id))
        elif contract.id in (circle := _back(contract.id, superseded)[1]):
            told = " -> ".join((*circle, contract.id))
            yield Problem(file, "supersedes", f"goes in a circle: {told}", "the oldest one supersedes nothing")
        else:
            yield from _early(contract, before[0], file)
            if (
                contract.status != "draft"
                and (other := followers.setdefault(contract.supersedes, contract)) != contract
            ):
                what = f"{contract.supersedes} is superseded by {other.id} already"
                yield Problem(file, "supersedes", what, f"supersede {other.id}, or make this one a draft")


def _early(contract: Contract, before: Contract, file: str) -> Iterator[Problem]:
    if contract.term.start <= before.term.start:
        what = f"{contract.term.start} is not after the start of {before.id}, {before.term.start}, which it supersedes"
        yield Problem(file, "term.start", what, "a contract holds until the one that supersedes it starts")
