"""What commitments come to in a period: what was drawn, what is left, what is owed for what was not used. Knows the
contract's rule; refuses to count use itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from freehold.contracts.pace import Key, Pace, goal, paces
from freehold.contracts.register import Register, Version
from freehold.contracts.terms import Commitment
from freehold.contracts.wording import number, sentence
from freehold.exits.periods import ONE_DAY, Period
from freehold.exits.shares import cents
from freehold.exits.statement import Drawn, Line
from freehold.exits.stretches import day_of
from freehold.exits.sums import Evidence, Sums
from freehold.ledger.reliance import Use


class Commitments:
    """The commitments whose days are among those of a period, each as it stands at the end of it. `deployments` (name
    -> id of its contract) tell the contract of sums that name none; a commitment is over once its last day is before
    `today`."""

    def __init__(
        self, register: Register, sums: Sums, deployments: Mapping[str, str], period: Period, today: date
    ) -> None:
        self._register, self._period, self._deployments, self._today = register, period, deployments, today
        self._uses = list(sums.over(sums.span))
        before = [use for use in self._uses if day_of(use.at) < period.first]
        self._after = _by_key(paces(register, self._uses, deployments, period.last))
        self._before = _by_key(paces(register, before, deployments, period.first - ONE_DAY))

    def of(self, version: Version) -> list[tuple[Drawn, Line | None]]:
        """Return how each commitment of a version stands, and what is owed for what was not used."""
        found = []
        for commitment in version.contract.commitment:
            pace = self._after.get((version.contract.id, commitment.id))
            if pace is not None and Period(commitment.start, commitment.end).common(self._period) is not None:
                found.append(self._one(version, commitment, pace))
        return found

    def behind(self, version: Version, commitment: Commitment) -> list[Use]:
        """Return the sums that count towards a commitment, since its first day."""
        counting: dict[tuple[str, str], bool] = {}
        found = []
        for use in self._uses:
            pair = (use.deployment, use.contract or self._deployments.get(use.deployment, ""))
            if pair not in counting:
                counting[pair] = bool(self._register.counts(version, commitment, {pair[0]: pair[1]}))
            if counting[pair] and commitment.start <= day_of(use.at) <= commitment.end:
                found.append(use)
        return found

    def _one(self, version: Version, commitment: Commitment, pace: Pace) -> tuple[Drawn, Line | None]:
        before = self._before.get((version.contract.id, commitment.id))
        over = commitment.end <= self._period.last and commitment.end < self._today
        lacks = max(Decimal(0), goal(commitment) - pace.counted)
        notes = []
        if pace.unpriced:
            notes.append(f"{number(pace.unpriced)} tokens whose price is not known do not count.")
        if pace.foreign:
            notes.append(f"Use in {', '.join(pace.foreign)} does not count.")
        if commitment.type == "units":
            notes.append("Reserved units count as each of their periods begins, used or not.")
        drawn = Drawn(
            commitment=commitment.id,
            type=commitment.type,
            unit=pace.unit,
            first=commitment.start,
            last=commitment.end,
            amount=goal(commitment),
            drawn=pace.counted - (before.counted if before is not None else 0),
            counted=pace.counted,
            remaining=lacks,
            missing=lacks if over else None,
            carried=lacks if over and commitment.shortfall == "rollover" else Decimal(0),
            rule=sentence(commitment),
            deployments=pace.deployments,
            notes=tuple(notes),
        )
        return drawn, self._owed(version, commitment, drawn) if over and lacks else None

    def _owed(self, version: Version, commitment: Commitment, drawn: Drawn) -> Line | None:
        if commitment.shortfall != "pay":
            return None
        price = Decimal(1) if commitment.type == "spend" else commitment.unit_price
        lacks = drawn.missing or Decimal(0)
        evidence = Evidence()
        for use in self.behind(version, commitment):
            evidence.add(use)
        said = "" if price is not None else "No unit price says what it costs: state unit_price in the contract."
        return Line(
            kind="shortfall",
            about=commitment.id,
            first=commitment.start,
            last=commitment.end,
            payer="customer",
            due=None if price is None else cents(Fraction(lacks) * Fraction(price)),
            currency=commitment.currency,
            rule=f"{number(drawn.counted)} of {number(drawn.amount)} {drawn.unit} used; {drawn.rule}",
            attempts=evidence.attempts,
            first_seq=evidence.first_seq,
            last_seq=evidence.last_seq,
            terms=tuple(sorted(evidence.terms)),
            notes=(said,) if said else (),
        )


def _by_key(found: Iterable[Pace]) -> dict[Key, Pace]:
    return {(pace.contract, pace.commitment): pace for pace in found}
