"""What the terms of contracts mean for each deployment: who may get what, at which price, and who gets to see it. Made
once for a configuration, asked with every call. Pure; refuses to choose, and to read a clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fnmatch import fnmatchcase
from typing import Protocol

import msgspec

from freehold.contracts.areas import within
from freehold.contracts.organisation import DataRule, Organisation
from freehold.contracts.price import Price, Tier
from freehold.contracts.register import Register, Version
from freehold.contracts.terms import CLASSES, Contract, ContractPrice
from freehold.contracts.wording import many
from freehold.core.clock import begin, end
from freehold.core.money import MILLION, NANO

OWN = "own"
"""Host of a model that runs on the organisation's own machines, unless the configuration names the organisation."""


class Placed(Protocol):
    """A deployment as far as it matters whose machines it runs on. `engine` is not empty for one that we start."""

    @property
    def host(self) -> str: ...
    @property
    def engine(self) -> str: ...


class Reached(Placed, Protocol):
    """A deployment as far as terms go; a routing.Deployment is one."""

    @property
    def name(self) -> str: ...
    @property
    def maker(self) -> str: ...
    @property
    def seller(self) -> str: ...
    @property
    def chips(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def contract(self) -> str: ...


class Row(msgspec.Struct, frozen=True):
    """A price under a contract: for models that match the glob `model`. `tiers` are the prices of a vendor's service
    tiers that are not its usual one."""

    model: str
    price: Price
    tiers: dict[str, Price]


class Bond(msgspec.Struct, frozen=True):
    """What holds for one deployment while `first` <= at < `last` (ns; `last` None: without end).

    `refused` says why, for each class of data that may not go there; `trains` and `review` are yes, no, or empty where
    nobody says; `retention` days, -1 where nobody says. `may_train` is what the answers may train: any, not_competing
    or none.
    """

    contract: str = ""
    terms: str = ""
    first: int = 0
    last: int | None = None
    refused: dict[str, str] = {}
    may_train: str = "any"
    recipients: tuple[str, ...] = ()
    compute: str = ""
    chips: str = ""
    retention: int = -1
    trains: str = ""
    review: str = ""
    prices: tuple[Row, ...] = ()


NOTHING = Bond()


class Bonds:
    """The bonds of all deployments in force. Never changed once built."""

    def __init__(self, bonds: Mapping[str, tuple[Bond, ...]] | None = None) -> None:
        self._bonds = dict(bonds or {})

    def at(self, deployment: str, at: int) -> Bond | None:
        """Return what holds for a deployment at `at` (ns); None when a contract that it needs is not in force."""
        bonds = self._bonds.get(deployment)
        if bonds is None:
            return NOTHING
        for bond in bonds:
            if bond.first <= at and (bond.last is None or at < bond.last):
                return bond
        return None

    def refusal(self, deployment: Reached, data_class: str, use: str, at: int) -> str:
        """Return why a deployment may not take a call with words of that class, whose answer is for `use` (train,
        train_competing, or empty), at `at` (ns); "" when it may."""
        bond = self.at(deployment.name, at)
        if bond is None:
            return f"its contract {deployment.contract} is not in force"
        why = bond.refused.get(data_class, "")
        if why or not use:
            return why
        if bond.may_train == "any" or (bond.may_train == "not_competing" and use == "train"):
            return ""
        return f"its terms do not allow that answers train {'a model' if use == 'train' else 'a competing model'}"

    def price(self, deployment: Reached, sent: str, at: int, tier: str = "") -> Price | None:
        """Return the price of `sent` under the contract of a deployment at `at` (ns); None when it states none."""
        bond = self.at(deployment.name, at)
        if bond is None or not bond.prices:
            return None
        for row in bond.prices:
            if row.price.holds(at) and fnmatchcase(sent, row.model):
                return row.tiers.get(tier, row.price) if tier else row.price
        return None


def bind(deployments: Iterable[Reached], register: Register, organisation: Organisation, today: date) -> Bonds:
    """Return what holds for each deployment. It may name any version of its contract: the one in force holds. A
    deployment whose contract is on no file is bound by what the organisation asks alone. `today` tells how far renewals
    have rolled on."""
    found = {}
    for deployment in deployments:
        if deployment.contract and register.get(deployment.contract) is not None:
            found[deployment.name] = tuple(
                _bond(deployment, organisation, version, register.until(version, today))
                for version in register.chain(deployment.contract)
                if version.contract.status in ("active", "in_notice")
            )
        else:
            found[deployment.name] = (_unbound(deployment, organisation),)
    return Bonds(found)


def own(deployment: Placed) -> bool:
    """Return whether a deployment runs on the organisation's own machines."""
    return bool(deployment.engine) or deployment.host == OWN


def _seen_by(*parties: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(party for party in parties if party and party != OWN))


def _unbound(deployment: Reached, organisation: Organisation) -> Bond:
    ours = own(deployment)
    seen = () if ours else _seen_by(deployment.host, deployment.seller)
    may_train = "any" if ours else "none"
    made = Bond(
        contract=deployment.contract, may_train=may_train, recipients=seen, compute=deployment.host,
        chips=deployment.chips, retention=0 if ours else -1, trains="no" if ours else "", review="no" if ours else "",
    )  # fmt: skip
    refused = {}
    for name, rule in organisation.rules.items():
        why = "" if ours else _missing(rule, made, deployment.region, (), organisation)
        if rule.contract and not ours:
            why = "no contract on file covers it"
        if why:
            refused[name] = why
    return msgspec.structs.replace(made, refused=refused)


def _bond(deployment: Reached, organisation: Organisation, version: Version, last: date | None) -> Bond:
    contract = version.contract
    data, chain, ours = contract.data, contract.chain, own(deployment)
    compute = chain.compute_owner or deployment.host or chain.host
    seen = () if ours else _seen_by(
        deployment.host or chain.host, deployment.seller or contract.party.supplier, compute, *chain.subprocessors
    )  # fmt: skip
    known = {"unknown": ""}
    made = Bond(
        contract=contract.id,
        terms=version.hash,
        first=begin(contract.term.start),
        last=None if last is None else end(last),
        may_train="none" if contract.use.output_may_train == "unknown" else contract.use.output_may_train,
        recipients=seen,
        compute=compute,
        chips=deployment.chips or ",".join(chain.chips),
        retention=0 if data.zero_retention or ours else -1 if data.retention_days is None else data.retention_days,
        trains=known.get(data.trains_on_inputs, data.trains_on_inputs),
        review=known.get(data.human_review, data.human_review),
        prices=_prices(deployment, contract),
    )
    places = data.processing_regions or data.regions
    refused = {}
    for name in CLASSES:
        if name not in data.classes_allowed:
            refused[name] = f"contract {contract.id} does not allow {name} data"
        elif (rule := organisation.rules.get(name)) is not None:
            why = _missing(rule, made, deployment.region, places, organisation)
            if why:
                refused[name] = f"contract {contract.id}: {why}"
    return msgspec.structs.replace(made, refused=refused)


def _missing(rule: DataRule, bond: Bond, region: str, places: tuple[str, ...], organisation: Organisation) -> str:
    """Return what a rule asks for and nobody promised; "" when all is."""
    if rule.regions:
        promised = (region,) if region else places
        if not promised:
            return f"nobody says that it stays in {', '.join(rule.regions)}"
        away = [place for place in promised if not within(place, rule.regions, organisation.areas)]
        away += [place for place in places if region and not within(place, rule.regions, organisation.areas)]
        if away:
            return f"{away[0]} is not in {', '.join(rule.regions)}"
    if rule.retention_days is not None and not 0 <= bond.retention <= rule.retention_days:
        kept = (
            f"it may be kept for {many(bond.retention, 'day')}"
            if bond.retention >= 0
            else "nobody says how long it is kept"
        )
        return f"{kept}; allowed is at most {many(rule.retention_days, 'day')}"
    if not rule.training and bond.trains != "no":
        return "nobody promised not to train with it" if not bond.trains else "models are trained with it"
    if not rule.review and bond.review != "no":
        return "nobody promised that no people read it" if not bond.review else "people may read it"
    return ""


def _prices(deployment: Reached, contract: Contract) -> tuple[Row, ...]:
    """Return the prices that hold for a deployment: what names it or its model more exactly goes first, and of two that
    do so alike the later one."""
    rows = [row for row in contract.price if fnmatchcase(deployment.name, row.deployment)]
    rows.sort(key=lambda row: row.valid_from or date.min, reverse=True)
    rows.sort(key=lambda row: (_vague(row.deployment), _vague(row.model)))
    return tuple(_row(row, deployment.region, contract) for row in rows)


def _vague(pattern: str) -> tuple[bool, int]:
    wild = any(c in pattern for c in "*?[")
    return wild, -len(pattern) if wild else 0


def _row(row: ContractPrice, region: str, contract: Contract) -> Row:
    uplift = _uplift(row, region)
    usual = _price(row, contract, uplift)
    factors = {"priority": row.priority, "batch": row.batch, "flex": row.batch}
    tiers = {name: _price(row, contract, uplift * by) for name, by in factors.items() if by is not None}
    return Row(row.model, usual, tiers)


def _uplift(row: ContractPrice, region: str) -> Decimal:
    """Return the factor of the region itself, or of an area that it lies in; 1 where none is stated."""
    areas = (factor for name, factor in row.regions.items() if region and within(region, (name,)))
    return row.regions.get(region) or next(areas, Decimal(1))


def _price(row: ContractPrice, contract: Contract, factor: Decimal) -> Price:
    def rate(value: Decimal) -> int:
        exact = value * factor * NANO * MILLION / row.per
        return int(exact.to_integral_value(ROUND_HALF_EVEN))

    return Price(
        input=rate(row.input),
        output=rate(row.output),
        cached=None if row.cached_input is None else rate(row.cached_input),
        currency=row.currency,
        tiers=tuple(
            Tier(t.above, rate(t.input), rate(t.output), None if t.cached_input is None else rate(t.cached_input))
            for t in sorted(row.tiers, key=lambda tier: tier.above)
        ),
        valid_from=None if row.valid_from is None else begin(row.valid_from),
        valid_until=None if row.valid_to is None else end(row.valid_to),
        source=f"contract {contract.id}",
    )
