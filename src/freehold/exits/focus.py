"""Cost and use of a period in the columns of FOCUS 1.2: a row for each day, deployment, team, key, function, model and
meter. Knows what the ledger, prices and commitments say; refuses to know where rows go.

A commitment of spend or volume is what FOCUS calls a negotiated discount: it shows in prices, and its id in a column of
ours. Reserved units are what it calls a commitment discount: a purchase, whose cost is spread over the use of each day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from freehold.contracts.binding import OWN, Bonds
from freehold.contracts.organisation import Organisation
from freehold.contracts.price import Price
from freehold.contracts.register import Version
from freehold.contracts.terms import Commitment
from freehold.exits.dividing import divided
from freehold.exits.focus_columns import TYPES
from freehold.exits.focus_units import Units
from freehold.exits.periods import ONE_DAY, Period, cycle
from freehold.exits.settlement import Books, Reckoner, prepare
from freehold.exits.stretches import begin, day_of
from freehold.exits.sums import Evidence
from freehold.ledger import reliance
from freehold.ledger.reliance import Use
from freehold.routing import Table
from freehold.store import Store

__all__ = ["TYPES", "Focus", "Ground", "focus"]

Row = dict[str, Any]
METERS = {
    "input": "Input Tokens", "cached": "Cached Input Tokens", "output": "Output Tokens", "requests": "Requests",
}  # fmt: skip
"""What is metered; requests where a call cost something and stated no tokens."""


_UNIT = "1000000 Tokens"


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What rows go by, beside the ledger. `own` are deployments' own prices, `names` what teams and keys are called."""

    books: Books
    table: Table
    bonds: Bonds
    own: Mapping[str, Price]
    organisation: Organisation
    names: Mapping[str, str] = {}


class Focus(msgspec.Struct, frozen=True):
    """The rows, each with all of TYPES. `unpriced` counts attempts whose cost nobody knows: they have no row."""

    rows: list[Row]
    unpriced: int


class _Key(msgspec.Struct, frozen=True):
    """What rows are told apart by, but for the meter."""

    day: date
    deployment: str
    team: str
    key: str
    function: str
    sent: str
    maker: str
    seller: str
    host: str
    compute: str
    region: str
    contract: str
    terms: str
    currency: str


class _Sums(msgspec.Struct):
    input: int = 0
    output: int = 0
    cached: int = 0
    cost: int = 0
    evidence: Evidence = msgspec.field(default_factory=Evidence)


async def focus(store: Store, ground: Ground, period: Period, today: date) -> Focus:
    """Return the rows of `period`, as far as it has come. Raises what `settlement.settle` does."""
    reckoner = await prepare(store, ground.books, period, today)
    through = reckoner.period
    uses = await reliance.uses(store, begin(through.first), begin(through.last + ONE_DAY), by_day=True)
    return await asyncio.to_thread(_made, _Rows(ground, reckoner), uses)


def _made(maker: _Rows, uses: list[Use]) -> Focus:
    return Focus([*maker.used(uses), *maker.shortfalls()], maker.unpriced)


class _Rows:
    def __init__(self, ground: Ground, reckoner: Reckoner) -> None:
        self._ground, self._reckoner = ground, reckoner
        self._register = ground.books.register
        self._towards: dict[tuple[str, str], list[Commitment]] = {}
        self.unpriced = 0

    def used(self, uses: list[Use]) -> Iterator[Row]:
        """Yield the rows of use, and those of reserved units."""
        groups: dict[_Key, _Sums] = {}
        for use in uses:
            if not use.currency:
                self.unpriced += use.attempts if use.input or use.output else 0
                continue
            sums = groups.setdefault(self._key(use), _Sums())
            sums.input += use.input
            sums.output += use.output
            sums.cached += use.cached
            sums.cost += use.cost
            sums.evidence.add(use)
        rows: list[Row] = []
        for key in sorted(groups, key=_order):
            rows += self._metered(key, groups[key])
        yield from rows
        for version in self._reckoner.chosen:
            for drawn, _ in self._reckoner.commitments.of(version):
                if drawn.type == "units":
                    commitment = next(each for each in version.contract.commitment if each.id == drawn.commitment)
                    units = Units(version, commitment, self._reckoner.period, self._blank)
                    yield from units.rows(self._counting(version, commitment, rows))

    def shortfalls(self) -> Iterator[Row]:
        """Yield a row for what is due because a commitment of spend or volume was not met."""
        for version in self._reckoner.chosen:
            for drawn, line in self._reckoner.commitments.of(version):
                if line is None or not line.due or drawn.type == "units":
                    continue
                yield self._blank(version, drawn.last, line.currency) | {
                    "ChargeCategory": "Adjustment",
                    "ChargeFrequency": "One-Time",
                    "ChargeDescription": f"Commitment {drawn.commitment} was not met: {line.rule}",
                    **dict.fromkeys(("BilledCost", "ContractedCost", "ListCost", "EffectiveCost"), line.due),
                    "PricingCurrencyEffectiveCost": line.due,
                    "x_Commitments": drawn.commitment,
                    "x_Outcomes": line.attempts,
                    "x_FirstEntry": line.first_seq or None,
                    "x_LastEntry": line.last_seq or None,
                }

    # -- rows of use

    def _key(self, use: Use) -> _Key:
        contract = use.contract or self._ground.books.deployments.get(use.deployment, "")
        return _Key(
            day_of(use.at), use.deployment, use.team, use.key, use.function, use.sent, use.maker, use.seller, use.host,
            use.compute, use.region, contract, use.terms, use.currency,
        )  # fmt: skip

    def _metered(self, key: _Key, sums: _Sums) -> Iterator[Row]:
        cached = min(sums.cached, sums.input)
        tokens = {"input": sums.input - cached, "cached": cached, "output": sums.output}
        tokens = {meter: count for meter, count in tokens.items() if count}
        if not tokens:
            if sums.cost:
                yield self._row(key, sums, "requests", sums.evidence.attempts, sums.cost, None, None)
            return
        at = begin(key.day)
        listed = self._ground.books.book.find(key.seller, key.sent, at)
        listed = listed if listed is not None and listed.currency == key.currency else None
        deployment = self._ground.table.deployments.get(key.deployment)
        agreed = self._ground.bonds.price(deployment, key.sent, at) if deployment is not None else None
        agreed = agreed or self._ground.own.get(key.deployment) or listed
        agreed = agreed if agreed is not None and agreed.currency == key.currency else None
        weights = {meter: count * rate(agreed, meter) if agreed else count for meter, count in tokens.items()}
        if not any(weights.values()):
            weights = tokens
        billed = divided(sums.cost, weights)
        for meter, count in tokens.items():
            price = rate(agreed, meter) if agreed is not None else None
            known = rate(listed, meter) if listed is not None else None
            yield self._row(key, sums, meter, count, billed.get(meter, 0), price, known)

    def _row(
        self, key: _Key, sums: _Sums, meter: str, count: int, billed: int, agreed: int | None, listed: int | None
    ) -> Row:
        ground, cost = self._ground, Decimal(billed).scaleb(-9)
        unit, quantity = ("Requests", Decimal(count)) if meter == "requests" else (_UNIT, Decimal(count).scaleb(-6))
        # Without an agreed price the price is what was billed; a product of the two stands as the cost, so they agree.
        price = Decimal(agreed).scaleb(-9) if agreed is not None else _unit_price(cost, quantity)
        known = Decimal(listed).scaleb(-9) if listed is not None else price
        version = self._register.get(key.contract)
        row = self._blank(version, key.day, key.currency, seller=key.seller, host=key.host, maker=key.maker)
        tags = {name: value for name, value in
                (("function", key.function), ("key", ground.names.get(key.key, key.key))) if value}  # fmt: skip
        sku = "/".join((key.seller or OWN, key.sent or key.deployment, meter))
        return row | {
            "BilledCost": cost,
            "EffectiveCost": cost,
            "PricingCurrencyEffectiveCost": cost,
            "ContractedUnitPrice": price,
            "ContractedCost": price * quantity,
            "ListUnitPrice": known,
            "ListCost": known * quantity,
            "PricingCurrencyContractedUnitPrice": price,
            "PricingCurrencyListUnitPrice": known,
            "PricingQuantity": quantity,
            "PricingUnit": unit,
            "PricingCategory": "Standard",
            "ConsumedQuantity": Decimal(count * 10).scaleb(-1),  # a decimal by its look, too
            "ConsumedUnit": "Requests" if meter == "requests" else "Tokens",
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "ChargeDescription": f"{METERS[meter]} of {key.sent or key.deployment} on {key.deployment}",
            "RegionId": key.region or None,
            "RegionName": key.region or None,
            "ResourceId": key.deployment or None,
            "ResourceType": "Model Deployment" if key.deployment else None,
            "SkuId": sku,
            "SkuPriceId": sku,
            "SkuMeter": METERS[meter],
            "SkuPriceDetails": _json({"x_Model": key.sent}) if key.sent else None,
            "SubAccountId": key.team or None,
            "SubAccountName": ground.names.get(key.team, key.team) or None,
            "SubAccountType": "Team" if key.team else None,
            "Tags": _json(tags) if tags else None,
            "x_ContractTerms": key.terms or None,
            "x_Commitments": " ".join(self._committed(key)) or None,
            "x_ListPriceKnown": "true" if listed is not None else "false",
            "x_Compute": key.compute or key.host or None,
            "x_Outcomes": sums.evidence.attempts,
            "x_FirstEntry": sums.evidence.first_seq,
            "x_LastEntry": sums.evidence.last_seq,
        }

    def _blank(
        self, version: Version | None, day: date, currency: str, *, seller: str = "", host: str = "", maker: str = ""
    ) -> Row:
        """Return a row with all that does not hang on what was used."""
        contract = version.contract if version is not None else None
        seller = seller or (contract.party.supplier if contract is not None else "")
        host = host or (contract.chain.host if contract is not None else "") or seller
        maker = maker or (contract.chain.maker if contract is not None else "") or seller
        month = cycle(day, "month")
        account = contract.id if contract is not None else seller or OWN
        return dict.fromkeys(TYPES) | {
            "BillingAccountId": account,
            "BillingAccountName": (contract.title if contract is not None else self._title(seller)) or account,
            "BillingAccountType": "Contract" if contract is not None else "Seller",
            "BillingCurrency": currency,
            "PricingCurrency": currency,
            "BillingPeriodStart": moment(month.first),
            "BillingPeriodEnd": moment(month.last + ONE_DAY),
            "ChargePeriodStart": moment(day),
            "ChargePeriodEnd": moment(day + ONE_DAY),
            "InvoiceIssuerName": self._title(seller),
            "ProviderName": self._title(host),
            "PublisherName": self._title(maker),
            "ServiceCategory": "AI and Machine Learning",
            "ServiceSubcategory": "Generative AI",
            "ServiceName": f"{self._title(maker)} models",
            "x_Contract": contract.id if contract is not None else None,
        }

    def _title(self, party: str) -> str:
        entity = self._ground.organisation.parties.get(party)
        return (entity.name if entity is not None else "") or party or OWN

    # -- commitments

    def _committed(self, key: _Key) -> Iterator[str]:
        """Yield the commitments of spend and volume that use on a day counts towards."""
        pair = (key.deployment, key.contract)
        if pair not in self._towards:
            self._towards[pair] = [
                commitment
                for version in self._reckoner.chosen
                for commitment in version.contract.commitment
                if commitment.type != "units" and self._register.counts(version, commitment, dict([pair]))
            ]
        yield from (it.id for it in self._towards[pair] if it.start <= key.day <= it.end)

    def _counting(self, version: Version, commitment: Commitment, rows: list[Row]) -> dict[date, list[Row]]:
        """Return the rows of use that count towards reserved units, by day."""
        known: dict[tuple[str, str], bool] = {}
        found: dict[date, list[Row]] = {}
        for row in rows:
            pair = (row["ResourceId"] or "", row["x_Contract"] or "")
            if pair not in known:
                known[pair] = bool(self._register.counts(version, commitment, dict([pair])))
            if known[pair]:
                found.setdefault(row["ChargePeriodStart"].date(), []).append(row)
        return found


def rate(price: Price, meter: str) -> int:
    """Return what a million tokens cost on a meter, nano-units."""
    if meter == "output":
        return price.output
    return price.cached if meter == "cached" and price.cached is not None else price.input


def moment(day: date) -> datetime:
    """Return when a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _order(key: _Key) -> tuple[str, ...]:
    return tuple(str(value) for value in msgspec.structs.astuple(key))


def _unit_price(cost: Decimal, quantity: Decimal) -> Decimal:
    return (cost / quantity).quantize(Decimal("1e-9")) if quantity else Decimal(0)


def _json(value: Mapping[str, str]) -> str:
    return msgspec.json.encode(value).decode()
