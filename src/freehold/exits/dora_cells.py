"""A cell of the register with where its value is from, and the facts that more than one template needs: who a party is,
what was spent, which functions rest on a contract. Refuses to know templates, and to fill in what nobody said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Literal

import msgspec

from freehold.contracts.binding import OWN, Bonds
from freehold.contracts.checks import lei_faulty
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register, Version
from freehold.core.money import NANO
from freehold.exits.concentration import Lens
from freehold.exits.dora_codes import LEI, country
from freehold.exits.periods import Period
from freehold.exits.shares import cents
from freehold.exits.substitutes import Alternatives
from freehold.exits.sums import SERVED, Evidence
from freehold.ledger.reliance import Use
from freehold.routing import Table

Origin = Literal["contract", "configuration", "ledger", "computed", "form", "missing"]
"""Where a value is from: a contract file, freehold.toml, the ledger; reckoned from these by a rule that is stated; the
template itself (a cell that does not apply); or nobody says it."""
_KINDS = frozenset({"model-api", "hosted-model", "compute"})


class Cell(msgspec.Struct, frozen=True):
    """A value as the register has it, where it is from, and how: the field, the entries, or what is missing."""

    value: str
    origin: Origin
    how: str


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What the register is filled from, beside the ledger."""

    register: Register
    organisation: Organisation
    table: Table
    bonds: Bonds


def missing(how: str) -> Cell:
    """Return a cell that nobody's word fills."""
    return Cell("", "missing", how)


def empty(how: str) -> Cell:
    """Return a cell that does not apply."""
    return Cell("", "form", how)


class Facts:
    """What is known on a day of each contract in force, of the year before it. `uses` are the sums of that year."""

    def __init__(self, ground: Ground, uses: list[Use], year: Period, at: int, currency: str) -> None:
        self.ground, self.year, self.day, self.currency = ground, year, year.last, currency
        self.lens = Lens(ground.organisation, ground.register)
        self._ways = Alternatives(ground.table, ground.bonds, self.lens, at, None)
        self._by_chain: dict[str, list[Use]] = {}
        self._served: dict[str, int] = {}
        known = ground.register.get
        self.outside = sorted({use.contract or "(no contract)" for use in uses if known(use.contract) is None})
        for use in uses:
            self._by_chain.setdefault(self.lens.contract(use.contract), []).append(use)
            if use.purpose in SERVED and not use.failed:
                self._served[use.function] = self._served.get(use.function, 0) + use.attempts
        standing = [v for v in ground.register.versions if self._stands(v)]
        self.versions = [v for v in standing if v.contract.kind in _KINDS]
        self.left_out = [v for v in standing if v.contract.kind not in _KINDS]

    def _stands(self, version: Version) -> bool:
        return self.ground.register.state(version, self.day) in ("active", "in_notice")

    # -- what was used

    def uses(self, version: Version) -> list[Use]:
        """Return the year's sums under a contract, in all its versions."""
        return self._by_chain.get(self.lens.contract(version.contract.id), [])

    def functions(self, version: Version) -> dict[str, Cell]:
        """Return the functions that rest on a contract, each with where that is from."""
        stated = version.contract.dora.functions
        if stated:
            return {name: Cell(name, "contract", f"{version.contract.id}: dora.functions") for name in stated}
        found: dict[str, Evidence] = {}
        for use in self.uses(version):
            if use.function and use.purpose in SERVED:
                found.setdefault(use.function, Evidence()).add(use)
        return {name: Cell(name, "ledger", f"calls for it: {entries(it)}") for name, it in sorted(found.items())}

    def share(self, version: Version, function: str) -> tuple[int, int, float]:
        """Return how many requests of a function went under a contract, of how many in the year, and which part of
        those would have another target, as configured, that does not rest on its supplier."""
        party = self.lens.party(version.contract.party.supplier)
        mine = ready = 0
        for use in self.uses(version):
            if use.function == function and use.purpose in SERVED and not use.failed:
                mine += use.attempts
                ready += use.attempts if self._ways.without(use.asked, party) == "ready" else 0
        return mine, self._served.get(function, 0), ready / mine if mine else 0.0

    def second_targets(self, version: Version) -> tuple[int, int]:
        """Return how many requests under a contract would have another target without its supplier, and how many there
        were."""
        party = self.lens.party(version.contract.party.supplier)
        served = [use for use in self.uses(version) if use.purpose in SERVED and not use.failed]
        ready = sum(use.attempts for use in served if self._ways.without(use.asked, party) == "ready")
        return ready, sum(use.attempts for use in served)

    def others(self, version: Version) -> list[str]:
        """Return who else stands on the routes of a contract's calls, as configured, by name."""
        party, table = self.lens.party(version.contract.party.supplier), self.ground.table
        found: set[str] = set()
        for asked in {use.asked for use in self.uses(version) if use.purpose in SERVED}:
            route = table.find(asked)
            names = [*(target.name for target in route[0].targets), *route[0].fallback] if route is not None else []
            for name in names:
                it = table.deployments[name]
                if party not in self.lens.rests_on(it.maker, it.seller, it.host, ""):
                    found.add(self.name(it.seller or it.host) if it.host != OWN else "our own models")
        return sorted(found)

    def spent(self, versions: Iterable[Version]) -> Cell:
        """Return what was spent under contracts in the year, in the register's currency."""
        evidence, cost, unpriced, foreign = Evidence(), 0, 0, set()
        for version in versions:
            for use in self.uses(version):
                if use.currency == self.currency:
                    cost += use.cost
                    evidence.add(use)
                elif use.currency:
                    foreign.add(use.currency)
                elif use.input or use.output:
                    unpriced += use.attempts
        notes = [f"{unpriced} outcomes at no known price are not in it"] if unpriced else []
        notes += [f"neither is what was spent in {', '.join(sorted(foreign))}"] if foreign else []
        how = "; ".join([f"sum of the costs of {entries(evidence)}, {self.year}", *notes])
        return Cell(format(cents(Fraction(cost, NANO)), "f"), "ledger", how)

    # -- who somebody is

    def name(self, party: str) -> str:
        """Return what people call a party."""
        return self.lens.title(party)

    def lei(self, party: str, version: Version | None = None) -> Cell:
        """Return the identifier of a party: as its contract has it, or the configuration."""
        if version is not None and version.contract.party.lei:
            return Cell(version.contract.party.lei, "contract", f"{version.contract.id}: party.lei")
        entity = self.ground.organisation.parties.get(party)
        if entity is None or not entity.lei:
            return missing(
                f"no LEI is stated: [parties.{party}] lei" + (", or party.lei in the contract" if version else "")
            )
        if why := lei_faulty(entity.lei):
            return missing(f"[parties.{party}] lei {why}")
        return Cell(entity.lei, "configuration", f"parties.{party}.lei")

    def country(self, party: str, version: Version | None = None) -> Cell:
        """Return the country that a party is registered in."""
        if version is not None and version.contract.party.country:
            return code(version.contract.party.country, "contract", f"{version.contract.id}: party.country")
        entity = self.ground.organisation.parties.get(party)
        if entity is None or not entity.country:
            return missing(f"no country is stated: [parties.{party}] country")
        return code(entity.country, "configuration", f"parties.{party}.country")


def type_of(identifier: Cell) -> Cell:
    """Return the type of an identifier: the only one that is known here is the LEI."""
    if identifier.value:
        return Cell(LEI, identifier.origin, f"{identifier.how} is an LEI")
    return missing("there is no identifier that it could be the type of")


def code(place: str, origin: Origin, how: str) -> Cell:
    """Return a country as the register writes it."""
    found = country(place)
    return Cell(f"eba_GA:{found}", origin, how) if found else missing(f"{how} says {place!r}, which is no country")


def countries(places: Iterable[str], how: str) -> list[Cell]:
    """Return the countries that regions lie in, each once; what cannot be said is one empty cell."""
    found: dict[str, Cell] = {}
    for place in places:
        cell = code(place, "computed", f"{how} {place}")
        found.setdefault(cell.value or cell.how, cell)
    return list(found.values())


def entries(evidence: Evidence) -> str:
    """Return which entries stand behind a value, in words."""
    if not evidence.attempts:
        return "no entries"
    return f"{evidence.attempts:,} outcomes among entries {evidence.first_seq} to {evidence.last_seq}"


def service(version: Version) -> Cell:
    """Return the type of ICT service."""
    contract = version.contract
    if contract.dora.service_type:
        return Cell(f"eba_TA:{contract.dora.service_type}", "contract", f"{contract.id}: dora.service_type")
    if contract.kind == "compute":
        return Cell("eba_TA:S17", "computed", f"{contract.id}: kind is compute, which is infrastructure")
    return missing(f"{contract.id}: dora.service_type is not stated: S18 for a platform, S19 for software")


def worst(levels: Mapping[str, str], order: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the function with the highest of its levels, and that; None where none states one."""
    stated = [(order.index(level), name) for name, level in levels.items() if level in order]
    if not stated:
        return None
    place, name = max(stated, key=lambda pair: (pair[0], pair[1]))
    return name, order[place]


def iso(day: date) -> str:
    """Return a day as the register writes it."""
    return day.isoformat()
