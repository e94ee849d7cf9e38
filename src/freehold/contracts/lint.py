"""Everything to know of contracts today: all checks together, the worst first, and how commitments and clauses stand.
Refuses to find anything by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from freehold.contracts import conflicts, coverage, deadlines
from freehold.contracts.checklists import Checklist, checklists
from freehold.contracts.finding import SEVERITIES, Case, Finding, Severity
from freehold.contracts.pace import Pace, paces


class Watch(msgspec.Struct, frozen=True):
    """How contracts stand on the day of a case: what was found, errors before warnings before what is only to know; the
    pace of each commitment, nothing of which has counted where nobody looked at use; the checklists of each contract
    that stands, by its id."""

    case: Case
    findings: tuple[Finding, ...]
    paces: tuple[Pace, ...]
    clauses: Mapping[str, tuple[Checklist, ...]]


def watch(case: Case) -> Watch:
    """Return how contracts stand."""
    functions: dict[str, set[str]] = {}
    for use in case.uses or ():
        if use.function:
            functions.setdefault(use.contract, set()).add(use.function)
    clauses = {
        version.contract.id: checklists(
            version.contract,
            case.organisation,
            sorted(set().union(*(functions.get(id, ()) for id in case.register.ids(version)))),
            case.day,
        )
        for version in case.standing("active", "in_notice", "future", "draft")
    }
    found = paces(case.register, case.uses or (), case.contracts, case.day)
    findings = [*coverage.find(case), *conflicts.find(case), *deadlines.find(case, found)]
    return Watch(case, tuple(sorted(findings, key=_order)), found, clauses)


def counts(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return how many there are of each severity."""
    found = Counter(finding.severity for finding in findings)
    return {severity: found[severity] for severity in SEVERITIES}


def _order(finding: Finding) -> tuple[int, str, str, str]:
    return SEVERITIES.index(finding.severity), finding.contract, finding.place, finding.what
