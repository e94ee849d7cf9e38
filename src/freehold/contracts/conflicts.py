"""What contracts promise against each other: exclusivity, first refusal, first availability, and who owns part of whom.
Knows terms and deployments; refuses to judge whether a promise can be enforced.

A scope is free text. These are understood: `compute` (or `hosting`) is whose machines models run on, `models` (or
`inference`, `api`) is who sells them, `*` is all; any other is taken as a glob over the names of deployments, models
and makers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from fnmatch import fnmatchcase
from itertools import combinations

from freehold.contracts.binding import own
from freehold.contracts.finding import Case, Covered, Finding, named
from freehold.contracts.register import Version

_COMPUTE = ("compute", "hosting", "host", "cloud")
_SALE = ("models", "model", "inference", "api", "*", "all")
_LIVE = ("active", "in_notice", "future")


def find(case: Case) -> Iterator[Finding]:
    """Yield what contracts of a case promise against each other, and deployments that go past a promise."""
    live = list(case.standing(*_LIVE))
    for one, other in combinations(live, 2):
        if case.group(one) != case.group(other) and _overlap(case, one, other):
            yield from _pair(one, other)
            yield from _pair(other, one)
            yield from _twice(one, other)
    for version in case.standing():
        if _holds(version, case.day):
            yield from _past(case, version)
    yield from _owners(case, live)


def _span(case: Case, version: Version) -> tuple[date, date]:
    given, last = version.contract.exclusivity, case.register.last_day(version, case.day)
    return version.contract.term.start, min(given.until or date.max, last or date.max)


def _overlap(case: Case, one: Version, other: Version) -> bool:
    (first, last), (start, end) = _span(case, one), _span(case, other)
    return max(first, start) <= min(last, end)


def _holds(version: Version, day: date) -> bool:
    until = version.contract.exclusivity.until
    return until is None or day <= until


def _same(one: str, other: str) -> bool:
    return one == other or fnmatchcase(one, other) or fnmatchcase(other, one)


def _shared(ones: Iterable[str], others: Iterable[str]) -> list[str]:
    return [one for one in ones if any(_same(_plain(one), _plain(other)) for other in others)]


def _plain(scope: str) -> str:
    return scope.strip().lower()


def _twice(one: Version, other: Version) -> Iterator[Finding]:
    """Yield what is said once of two contracts."""
    ours, theirs = one.contract.exclusivity, other.contract.exclusivity
    for scope in _shared(ours.granted_to_supplier, theirs.granted_to_supplier):
        yield Finding(
            "error",
            "exclusivity_conflict",
            one.contract.id,
            "exclusivity.granted_to_supplier",
            f"{scope} is promised to {one.contract.party.supplier} alone, and to {other.contract.party.supplier} alone "
            f"in {other.contract.id}",
            "one of the two promises is broken, whatever is done",
            "agree with one of them on an end, or on another scope",
        )
    first, second = ours.first_availability, theirs.first_availability
    if first is None or second is None or _plain(first.on) == _plain(second.on):
        return
    if _same(_plain(first.scope) or "*", _plain(second.scope) or "*"):
        yield Finding(
            "error",
            "first_availability_conflict",
            one.contract.id,
            "exclusivity.first_availability",
            f"{first.scope or 'everything'} comes first on {first.on}, and first on {second.on} in {other.contract.id}",
            "both cannot be first",
            "agree with one of them on an exception",
        )


def _pair(one: Version, other: Version) -> Iterator[Finding]:
    """Yield where `other` holds a first refusal on what is promised to the supplier of `one` alone."""
    granted = one.contract.exclusivity.granted_to_supplier
    for index, right in enumerate(other.contract.exclusivity.first_refusal):
        if right.holder == "supplier" and _shared(granted, (right.scope,)):
            yield Finding(
                "warning",
                "first_refusal_conflict",
                other.contract.id,
                f"exclusivity.first_refusal.{index}",
                f"{other.contract.party.supplier} is to be asked first for {right.scope}, which is promised to "
                f"{one.contract.party.supplier} alone in {one.contract.id}",
                "asking the one breaks the promise to the other",
                "have the right end, or except what the other was promised",
            )


def _past(case: Case, version: Version) -> Iterator[Finding]:
    """Yield the scopes promised to a supplier in which deployments rest on somebody else."""
    contract, group = version.contract, case.group(version)
    for scope in contract.exclusivity.granted_to_supplier:
        astray = [one for one in case.deployments if not own(one) and _outside(case, scope, one, group)]
        if astray:
            yield Finding(
                "error",
                "exclusivity_broken",
                contract.id,
                "exclusivity.granted_to_supplier",
                f"{scope} is promised to {contract.party.supplier} alone, and {named([one.name for one in astray])} "
                f"{'rests' if len(astray) == 1 else 'rest'} on somebody else",
                "each call there is against the contract",
                "move the deployments, or agree on an exception",
            )


def _outside(case: Case, scope: str, deployment: Covered, group: str) -> bool:
    scope, group_of = _plain(scope), case.organisation.group
    if scope in _COMPUTE:
        version = case.register.at(deployment.contract, case.day)
        owner = (version.contract.chain.compute_owner if version is not None else "") or deployment.host
        return bool(owner) and group_of(owner) != group
    meant = scope in _SALE or any(
        fnmatchcase(name.lower(), scope) for name in (deployment.name, deployment.model, deployment.maker) if name
    )
    return meant and bool(deployment.seller) and group_of(deployment.seller) != group


def _owners(case: Case, live: list[Version]) -> Iterator[Finding]:
    """Yield suppliers that own a part of each other, or of another party that we rest on."""
    reliant: dict[str, str] = {}
    for deployment in case.deployments:
        for id in (deployment.maker, deployment.seller, deployment.host):
            if id and not own(deployment):
                reliant.setdefault(id, f"deployment {deployment.name}")
    for version in live:
        reliant.setdefault(version.contract.party.supplier, f"contract {version.contract.id}")
    for version in live:
        party = version.contract.party
        entity = case.organisation.parties.get(party.supplier)
        for linked in dict.fromkeys((*party.equity, *(entity.equity if entity is not None else ()))):
            known = reliant.get(linked) if linked != party.supplier else None
            known = known or next((where for id, where in reliant.items() if _kin(case, id, linked)), None)
            yield Finding(
                "warning" if known else "info",
                "equity",
                version.contract.id,
                "party.equity",
                f"one of {party.supplier} and {linked} owns a part of the other"
                + (f", and we rest on {linked} as well: {known}" if known else ""),
                "what looks like two partners may decide as one, or against us together",
                "count them as one where it matters, and see that who answers for the contract knows",
            )


def _kin(case: Case, id: str, linked: str) -> bool:
    return id != linked and case.organisation.group(id) == linked
