"""The shares of revenue on a statement: which of their periods are needed, what each is reckoned on, and how a cap goes
on from one version of a contract to the next. Refuses to know tiers and where sums come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from freehold.contracts.register import Register, Version
from freehold.contracts.terms import RevenueShare
from freehold.contracts.wording import sentence
from freehold.exits.bases import REVENUE, Bases, Weighed
from freehold.exits.periods import ONE_DAY, Period, cycles
from freehold.exits.shares import Basis, Owed, cents, owed
from freehold.exits.statement import Cap, Line
from freehold.ledger.reliance import Use

Windows = Mapping[str, Period]
"""The days on which each version of a contract held, by its id."""
Under = Callable[[Use], bool]
"""Whether a sum is under a contract."""


def needed(register: Register, version: Version, windows: Windows, period: Period) -> Iterator[Period]:
    """Yield the periods of shares that a statement on a version needs: those it shares days with and, where there is a
    cap, all before them, those of earlier versions too."""
    for share in version.contract.revenue_share:
        capped = share.cap_total is not None
        yield from _parts(share, windows[version.contract.id], period, every=capped)
        for earlier, old in _earlier(register, version, share):
            yield from _parts(old, windows[earlier.contract.id], period, every=True)


def _parts(share: RevenueShare, held: Period, period: Period, *, every: bool) -> Iterator[Period]:
    """Yield the periods of a share, each as far as share and contract hold."""
    first, last = max(share.start or held.first, held.first), min(share.until or held.last, held.last, period.last)
    if first > last:
        return
    days = Period(first, last)
    for whole in cycles(days, share.settle):
        part = whole.common(days)
        if part is not None and (every or part.common(period) is not None):
            yield part


def _earlier(register: Register, version: Version, share: RevenueShare) -> Iterator[tuple[Version, RevenueShare]]:
    """Yield the share of the same id in earlier versions of the contract, the oldest first: they used up the same
    cap."""
    if share.cap_total is None:
        return
    for each in register.chain(version.contract.id):
        if each.contract.id == version.contract.id:
            return
        if each.contract.status != "draft":
            for old in each.contract.revenue_share:
                if old.id == share.id and old.currency == share.currency:
                    yield each, old


class Sharing:
    """Makes the lines of shares for a period."""

    def __init__(self, register: Register, bases: Bases, windows: Windows, period: Period) -> None:
        self._register, self._bases, self._windows, self._period = register, bases, windows, period

    def lines(self, version: Version, under: Under) -> Iterator[Line]:
        """Yield a line for each period of each share that has days of the period asked for. `under` tells what is used
        under the contract."""
        for share in version.contract.revenue_share:
            capped = share.cap_total is not None
            weighed: dict[Period, Weighed] = {}
            bases = list(self._based(version, share, under, weighed, every=capped))
            already, certain = self._spent(version, share, under)
            for it in owed(share, bases, already):
                days, found = it.basis.period.common(self._period), weighed[it.basis.period]
                if days is not None:
                    if found.known and capped and not (certain and all(each.known for each in weighed.values())):
                        found.known = False
                        found.note("What was earned in other periods is not known, so neither is what the cap leaves.")
                    known = found.known and (found.told is None or found.told >= days.first)
                    yield self._line(share, it, found, known)

    def _based(
        self, version: Version, share: RevenueShare, under: Under, weighed: dict[Period, Weighed], *, every: bool
    ) -> Iterator[Basis]:
        """Yield what a share is reckoned on, period by period, and note in `weighed` what was found."""
        everything = version.contract.kind == "partner" or share.scope.served_by != ("*",)
        own = None if everything or share.basis in REVENUE else under
        for part in _parts(share, self._windows[version.contract.id], self._period, every=every):
            through = weighed[part] = self._bases.weigh(share, part, own)
            before = Fraction(0)
            if part.last < self._period.first:
                before = through.value
            elif part.first < self._period.first:
                early = Period(part.first, self._period.first - ONE_DAY)
                before = self._bases.weigh(share, early, own).value
            yield Basis(part, before, through.value)

    def _spent(self, version: Version, share: RevenueShare, under: Under) -> tuple[Decimal, bool]:
        """Return what earlier versions of the contract used of the cap of a share, and whether all of it is known."""
        spent = Decimal(0)
        weighed: dict[Period, Weighed] = {}
        for earlier, old in _earlier(self._register, version, share):
            bases = self._based(earlier, old, under, weighed, every=True)
            whole = [Basis(basis.period, Fraction(0), basis.through) for basis in bases]
            spent += sum((it.due for it in owed(old, whole, spent)), Decimal(0))
        return spent, all(it.known for it in weighed.values())

    def _line(self, share: RevenueShare, it: Owed, weighed: Weighed, known: bool) -> Line:
        part = it.basis.period
        days = part.common(self._period) or part
        notes = list(weighed.notes)
        if it.basis.before:
            notes.append(
                f"{part} is reckoned from its first day: {cents(it.basis.through):,.2f} through {days.last}, of which "
                f"{cents(it.basis.before):,.2f} came before {days.first}."
            )
        if it.due != it.uncapped:
            notes.append(f"Without the cap it were {it.uncapped:,.2f}.")
        if it.basis.through < 0:
            notes.append("What was given back is more than what was earned: nothing is owed.")
        cap = None
        if share.cap_total is not None and it.cap_left is not None and known:
            cap = Cap(share.cap_total, it.cap_left)
        evidence = weighed.evidence
        return Line(
            kind="share",
            about=share.id,
            first=days.first,
            last=days.last,
            payer=share.payer,
            due=it.due if known else None,
            currency=share.currency,
            rule=sentence(share),
            basis=cents(it.basis.through),
            tiers=it.slices if known else (),
            cap=cap,
            attempts=evidence.attempts,
            first_seq=evidence.first_seq,
            last_seq=evidence.last_seq,
            terms=tuple(sorted(evidence.terms)),
            notes=tuple(notes),
        )
