"""Everything to know of contracts today: all checks together, the worst first. Refuses to find anything by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from freehold.contracts import conflicts, coverage, deadlines
from freehold.contracts.finding import SEVERITIES, Case, Finding, Severity
from freehold.contracts.pace import Pace, paces

__all__ = ["Case", "Finding", "Severity", "counts", "lint", "paced"]


def lint(case: Case) -> tuple[Finding, ...]:
    """Return what was found, errors before warnings before what is only to know, each by contract and place."""
    found = [*coverage.find(case), *conflicts.find(case), *deadlines.find(case, paced(case))]
    return tuple(sorted(found, key=_order))


def paced(case: Case) -> tuple[Pace, ...]:
    """Return how far the commitments of a case have come; nothing has counted where nobody looked at use."""
    return paces(case.register, case.uses or (), case.contracts, case.day)


def counts(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return how many there are of each severity."""
    found = Counter(finding.severity for finding in findings)
    return {severity: found[severity] for severity in SEVERITIES}


def _order(finding: Finding) -> tuple[int, str, str, str]:
    return SEVERITIES.index(finding.severity), finding.contract, finding.place, finding.what
