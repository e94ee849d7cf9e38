"""What contracts want us to see in time: notice, renewal, milestones, reports, what ends soon, commitments that fall
behind. Knows terms and days; refuses to know deployments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal

from freehold.contracts.finding import Case, Finding, Severity, named
from freehold.contracts.pace import Pace
from freehold.contracts.register import Version
from freehold.contracts.wording import LACKING, many, number
from freehold.core.clock import begin

SOON = 183
"""Days within which what ends counts as ending soon: half a year."""
LOOKED_BACK = 90
"""Days of spend that shares are taken of."""
MUCH = Decimal("0.25")
"""Share of spend under contracts that end soon from which it is a warning."""


def find(case: Case, paces: Iterable[Pace]) -> Iterator[Finding]:
    """Yield what is due, or was missed."""
    for version in case.standing():
        yield from _renewal(case, version)
        yield from _milestones(case, version)
        yield from _reports(case, version)
    for pace in paces:
        yield from _behind(case, pace)
    yield from _ending(case)


def _renewal(case: Case, version: Version) -> Iterator[Finding]:
    contract, term = version.contract, version.contract.term
    last = case.register.last_day(version, case.day)
    if last is None or not case.register.renews(version, case.day):
        return
    if not contract.owner:
        yield Finding(
            "warning",
            "renewal_without_owner",
            contract.id,
            "owner",
            f"it renews itself on {last + timedelta(days=1)}, and nobody answers for it",
            "what nobody looks at goes on, at whatever price it states then",
            "name an owner",
        )
    ours = term.notice_days.customer
    if ours is not None:
        yield from _notice(case, version, last, last - timedelta(days=min(ours, (last - date.min).days)))


def _notice(case: Case, version: Version, last: date, by: date) -> Iterator[Finding]:
    """Yield how near the last day for notice is. Its window is the `case.window` days before it."""
    contract, left = version.contract, (by - case.day).days
    months = contract.term.renewal.months
    bound = "another month" if months == 1 else f"another {months} months"
    why, place = f"without notice we are bound for {bound}", "term.notice_days.customer"
    if left < 0:
        yield Finding(
            "warning", "notice_missed", contract.id, place,
            f"the last day to end it on {last} was {by}, {many(-left, 'day')} ago: it renews itself on "
            f"{last + timedelta(days=1)}",
            why, "ask for an exception if it is not wanted, or plan with the new term",
        )  # fmt: skip
    elif left <= case.window:
        when = "today" if left == 0 else f"{by}, in {many(left, 'day')}"
        yield Finding(
            "warning", "notice_open", contract.id, place, f"the last day to end it on {last} is {when}",
            why, f"decide whether it goes on; {contract.owner or 'somebody'} gives notice, or notes that it is kept",
        )  # fmt: skip
    elif left <= 2 * case.window:
        yield Finding(
            "info", "notice_opening", contract.id, place,
            f"the window to decide opens on {by - timedelta(days=case.window)}: notice is due by {by}",
            why, "begin to compare what else there is",
        )  # fmt: skip


def _milestones(case: Case, version: Version) -> Iterator[Finding]:
    for index, milestone in enumerate(version.contract.term.milestone):
        if milestone.by is None or milestone.removed is not None:
            continue
        left = (milestone.by - case.day).days
        if left > case.window:
            continue
        when = "was expected" if left < 0 else f"is expected in {many(left, 'day')}"
        yield Finding(
            "warning" if left < 0 else "info",
            "milestone",
            version.contract.id,
            f"term.milestone.{index}.by",
            f"{milestone.on} {when}: {milestone.by}",
            f"then: {milestone.effect}",
            "write a new version of the contract if it happened, or another day if it did not",
        )


def _reports(case: Case, version: Version) -> Iterator[Finding]:
    for index, report in enumerate(version.contract.audit.reports):
        if report.valid_to is None:
            continue
        left = (report.valid_to - case.day).days
        if left > case.window:
            continue
        said = "expired on" if left < 0 else f"is valid for {many(left, 'day')} more, to"
        yield Finding(
            "warning" if left < 0 else "info",
            "audit_report",
            version.contract.id,
            f"audit.reports.{index}.valid_to",
            f"the report {report.type} {said} {report.valid_to}",
            "without a report in force nobody vouches for how the supplier works",
            f"ask {version.contract.party.supplier} for the next one",
        )


def _behind(case: Case, pace: Pace) -> Iterator[Finding]:
    if pace.state not in ("running", "over") or not pace.shortfall or case.uses is None:
        return
    version = case.register.get(pace.contract)
    index = next(i for i, one in enumerate(version.contract.commitment) if one.id == pace.commitment) if version else 0
    lacking = f"{_rounded(pace.shortfall)} of {_rounded(pace.amount)} {pace.unit}"
    if pace.state == "over":
        what = f"commitment {pace.commitment} ended on {pace.end} with {lacking} unused"
    else:
        what = f"commitment {pace.commitment} will lack {lacking} on {pace.end}, at the rate of the last 30 days"
    why = f"{pace.cost:,.2f} {pace.currency} are owed for nothing" if pace.cost else LACKING[pace.rule]
    if pace.unpriced:
        what += f"; {pace.unpriced:,} tokens have no known cost and are not counted"
    todo = 'send calls there first: a policy with prefer = "commitments" does, or agree on a smaller amount'
    if pace.state == "over":
        todo = "see that the supplier's bill says the same"
    severity: Severity = "warning" if pace.rule in ("pay", "unknown") else "info"
    yield Finding(severity, "commitment_behind", pace.contract, f"commitment.{index}", what, why, todo)


def _rounded(value: Decimal) -> str:
    """Return an amount for people, to the hundredth from one up."""
    return number(value.quantize(Decimal("0.01")) if value >= 1 else value)


def _ending(case: Case) -> Iterator[Finding]:
    """Yield which share of spend is under contracts that end soon and that no other version follows."""
    if not case.uses:
        return
    first = case.day - timedelta(days=LOOKED_BACK)
    recent = [use for use in case.uses if use.currency and use.at >= begin(first)]
    closing = {version.contract.id: last for version, last in _closing(case)}
    chains = {id: {each.contract.id for each in case.register.chain(id)} for id in closing}
    for currency in sorted({use.currency for use in recent}):
        whole = sum(use.cost for use in recent if use.currency == currency)
        spent = {
            id: sum(use.cost for use in recent if use.currency == currency and use.contract in chain)
            for id, chain in chains.items()
        }
        ours = [id for id, cost in sorted(spent.items()) if cost]
        if not whole or not ours:
            continue
        share = Decimal(sum(spent.values())) / whole
        soonest = min(closing[id] for id in ours)
        yield Finding(
            "warning" if share >= MUCH else "info",
            "spend_ending",
            ours[0] if len(ours) == 1 else "",
            "term.end",
            f"{share:.0%} of what was spent in {currency} in the last {LOOKED_BACK} days is under contracts that end "
            f"within six months: {named(ours)}, the first on {soonest}",
            "prices and terms for it have to be found by then",
            "negotiate, or move what rests on it",
        )


def _closing(case: Case) -> Iterator[tuple[Version, date]]:
    for version in case.standing():
        last = case.register.last_day(version, case.day)
        if last is None or (last - case.day).days > SOON:
            continue
        after = case.register.at(version.contract.id, last + timedelta(days=1)) if last < date.max else version
        if after is None:
            yield version, last
