"""What two parties owe each other for a period, contract by contract: use, commitments that were not met, shares of
revenue, credits. Knows how lines come together; refuses to know tiers, caps and where a file of revenue lies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction

import msgspec

from freehold.contracts.book import PriceBook
from freehold.contracts.register import Register, Version
from freehold.core.errors import BadRequest, NotFound
from freehold.core.money import NANO
from freehold.exits import uptime
from freehold.exits.bases import Bases, changes
from freehold.exits.drawn import Commitments
from freehold.exits.periods import ONE_DAY, Period, cycles
from freehold.exits.revenue import Earned
from freehold.exits.shares import cents
from freehold.exits.sharing import Sharing, Windows, needed
from freehold.exits.statement import Line, Settlement, Statement, totals
from freehold.exits.stretches import begin, day_of
from freehold.exits.sums import Evidence, Sums, load, parties
from freehold.ledger import traffic
from freehold.ledger.reliance import Use
from freehold.store import Store


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What a settlement goes by, beside the ledger. `deployments` (name -> id of its contract) tell the contract of
    entries that name none; `earned` is None where nobody told us what was earned."""

    register: Register
    book: PriceBook
    deployments: Mapping[str, str]
    earned: tuple[Earned, ...] | None = None


async def settle(store: Store, books: Books, period: Period, today: date, contract: str = "") -> Settlement:
    """Return what is owed for `period`, under every contract or one. The sums of the ledger have to be up to date (roll
    `reliance` and, for credits, `traffic`). Raises BadRequest for a period to come, NotFound for a contract that is on
    no file, StoreError."""
    reckoner = await prepare(store, books, period, today, contract)
    through = reckoner.period
    up = {}
    if any(version.contract.sla.uptime is not None for version in reckoner.chosen):
        for month in cycles(through, "month"):
            if through.common(month) == month and month.last < today:
                up[month] = await traffic.summed(store, traffic.DAY, begin(month.first), begin(month.last + ONE_DAY))
    rows = await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry")
    statements = await asyncio.to_thread(reckoner.statements, up)  # calls are not to wait for it
    outside = () if contract else reckoner.outside()
    return Settlement(
        name=str(period),
        period=through,
        statements=statements,
        outside=outside,
        totals=totals([*(line for it in statements for line in it.lines), *outside]),
        entries=int(rows[0][0]),
        notes=unfinished(through, period, today),
    )


async def prepare(store: Store, books: Books, period: Period, today: date, contract: str = "") -> Reckoner:
    """Return what reckons for `period`, as far as it has come. Raises what `settle` does."""
    if period.first > today:
        raise BadRequest(f"{period} has not begun.", param="period", hint="ask for one that has")
    through = Period(period.first, min(period.last, today))
    chosen = _chosen(books.register, contract)
    windows = {v.contract.id: window(books.register, v, through.last) for v in books.register.versions}
    sums = await load(store, *_cuts(books, windows, chosen, through))
    return await asyncio.to_thread(Reckoner, books, sums, windows, through, today, chosen)


def unfinished(through: Period, asked: Period, today: date) -> tuple[str, ...]:
    """Return what is to be said of a period that is not over."""
    if through == asked and through.last < today:
        return ()
    return (f"The period is not over: this is what is known through {through.last}.",)


def _chosen(register: Register, contract: str) -> list[Version]:
    if contract and register.get(contract) is None:
        raise NotFound(f"No contract is called {contract[:64]!r}.", hint="`freehold contracts show` lists them")
    known = register.chain(contract) if contract else register.versions
    return [version for version in known if version.contract.status != "draft"]


def window(register: Register, version: Version, until: date) -> Period:
    """Return the days on which a version holds, as far as `until`; what has ended for good does not renew."""
    contract = version.contract
    last = register.last_day(version, until)
    if contract.status in ("expired", "terminated") and contract.term.end is not None:
        last = contract.term.end if last is None else min(last, contract.term.end)
    return Period(contract.term.start, until if last is None else min(last, until))


def _cuts(books: Books, windows: Windows, chosen: Iterable[Version], period: Period) -> tuple[Period, set[date]]:
    """Return from which day on sums are needed, and the days on which something begins."""
    firsts, edges = {period.first}, {period.first}
    listed = False
    for days in windows.values():
        edges |= {days.first, _after(days.last)}
    for version in chosen:
        for commitment in version.contract.commitment:
            if Period(commitment.start, commitment.end).common(period) is not None:
                firsts.add(commitment.start)
                edges |= {commitment.start, _after(commitment.end)}
        for share in version.contract.revenue_share:
            listed = listed or share.basis in ("list_value", "tokens")
        for part in needed(books.register, version, windows, period):
            edges |= {part.first, _after(part.last)}
            firsts.add(part.first)
    for month in cycles(period, "month"):
        edges |= {month.first, _after(month.last)}
    if listed:
        edges |= {day_of(at) for at in changes(books.book)}
    for row in books.earned or ():
        edges |= {row.period.first, _after(row.period.last)}
    return Period(min(firsts), period.last), edges


def _after(day: date) -> date:
    return day if day == date.max else day + ONE_DAY


class Reckoner:
    """Makes statements on `chosen` versions for `period`. `commitments` are those of the same days; `uses` are the sums
    of the period by the id of the version that they are under, "" for those under none on file."""

    def __init__(
        self, books: Books, sums: Sums, windows: Windows, period: Period, today: date, chosen: Sequence[Version]
    ) -> None:
        self.period, self.chosen = period, chosen
        self._register, self._windows, self._deployments = books.register, windows, books.deployments
        self._sharing = Sharing(books.register, Bases(sums, books.earned, books.book), windows, period)
        self.commitments = Commitments(books.register, sums, books.deployments, period, today)
        self.uses: dict[str, list[Use]] = {}
        for use in sums.over(period):
            self.uses.setdefault(self._version(use), []).append(use)

    def _version(self, use: Use) -> str:
        """Return the id of the version that a sum is under: as its entries say, or as the days do where they are of
        before entries named their terms; "" when no contract on file covers it."""
        named = use.contract or self._deployments.get(use.deployment, "")
        if self._register.get(named) is None:
            return ""
        day = day_of(use.at)
        if not use.terms:
            for version in self._register.chain(named):
                held = self._windows[version.contract.id]
                if version.contract.status != "draft" and held.first <= day <= held.last:
                    return version.contract.id
        return named

    def held(self, version: Version) -> bool:
        """Return whether there is anything to say of a version: it held, or something was used under it."""
        id = version.contract.id
        return self._windows[id].common(self.period) is not None or id in self.uses

    def statements(self, up: Mapping[Period, list[traffic.Sum]]) -> tuple[Statement, ...]:
        """Return the statements on all chosen versions of which there is anything to say; `up` has what was answered,
        by month."""
        return tuple(self.statement(version, up) for version in self.chosen if self.held(version))

    def statement(self, version: Version, up: Mapping[Period, list[traffic.Sum]]) -> Statement:
        contract = version.contract
        used = self.uses.get(contract.id, [])
        commitments = self.commitments.of(version)
        lines = [*_usage(used, self.period), *(line for _, line in commitments if line is not None)]
        lines += [*self._sharing.lines(version, self._is_under(version)), *self._credits(version, up)]
        days = self._windows[contract.id].common(self.period) or self.period
        foreign = sorted({use.terms for use in used if use.terms and use.terms != version.hash})
        notes = []
        if foreign:
            notes.append(f"Entries name other terms of it ({', '.join(foreign)}): the file has changed since.")
        if any(line.kind == "credit" for line in lines):
            notes.append(uptime.MEASURED)
        return Statement(
            contract=contract.id,
            hash=version.hash,
            version=contract.version,
            title=contract.title,
            supplier=contract.party.supplier,
            period=days,
            lines=tuple(lines),
            commitments=tuple(drawn for drawn, _ in commitments),
            totals=totals(lines),
            notes=tuple(notes),
        )

    def _is_under(self, version: Version) -> Callable[[Use], bool]:
        """Return what tells whether a sum is under any version of that contract."""
        chain = {each.contract.id for each in self._register.chain(version.contract.id)}
        return lambda use: self._version(use) in chain

    def outside(self) -> tuple[Line, ...]:
        """Return what was used under no contract on file."""
        return tuple(_usage(self.uses.get("", []), self.period, outside=True))

    def _credits(self, version: Version, up: Mapping[Period, list[traffic.Sum]]) -> Iterator[Line]:
        for month, sums in up.items():
            uses = [use for use in self.uses.get(version.contract.id, []) if month.has(day_of(use.at))]
            deployments = frozenset(use.deployment for use in uses)
            evidence = Evidence()
            charged: dict[str, int] = {}
            for use in uses:
                evidence.add(use)
                if use.currency:
                    charged[use.currency] = charged.get(use.currency, 0) + use.cost
            main = max(charged, key=lambda name: charged[name], default="USD")
            whole = Fraction(charged.get(main, 0), NANO)
            seen = uptime.seen(sums, deployments)
            line = uptime.line(version.contract.sla, month, seen, whole, main, evidence, sorted(deployments))
            if line is not None:
                yield line


def _usage(uses: Iterable[Use], period: Period, *, outside: bool = False) -> Iterator[Line]:
    """Yield a line for each deployment, model and currency; under no contract, for each seller too."""
    found: dict[tuple[str, ...], list[Use]] = {}
    for use in uses:
        seller = parties(use) if outside else ""
        found.setdefault((seller, use.deployment, use.sent, use.currency), []).append(use)
    for (seller, deployment, sent, currency), some in sorted(found.items()):
        evidence = Evidence()
        for use in some:
            evidence.add(use)
        tokens = {name: sum(getattr(use, name) for use in some) for name in ("input", "output", "cached")}
        cost = Fraction(sum(use.cost for use in some), NANO)
        # What never left for a vendor has no price, and costs nothing.
        free = not currency and not any(tokens.values())
        if free:
            continue
        yield Line(
            kind="usage",
            about=" ".join(part for part in (seller, deployment, sent) if part),
            first=period.first,
            last=period.last,
            payer="customer",
            deployment=deployment,
            due=cents(cost) if currency else None,
            currency=currency,
            basis=cents(cost) if currency else None,
            rule="what the ledger says each call cost" if currency else "no price is known",
            attempts=evidence.attempts,
            first_seq=evidence.first_seq,
            last_seq=evidence.last_seq,
            terms=tuple(sorted(evidence.terms)),
            **tokens,
        )
