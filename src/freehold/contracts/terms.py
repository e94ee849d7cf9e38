"""The terms of a contract: every field of a contract file, its type and meaning. Knows the form; refuses to know files,
clocks and what follows from a term.

The comment behind a field is its documentation; docs/reference/contracts.md and the published schema are made of it.
Money is a Decimal in units of the currency beside it, days are calendar days in UTC, an end day is the last one on
which a thing holds.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

SCHEMA = "freehold.contract/1"

DataClass = Literal["public", "internal", "confidential", "personal", "special", "secret"]
"""What kind of data words hold, from the least to the most protected. `special` is GDPR's Art. 9, `secret` holds keys
and passwords."""
CLASSES: tuple[DataClass, ...] = ("public", "internal", "confidential", "personal", "special", "secret")

Days = Annotated[int, msgspec.Meta(ge=0, extra={"unit": "days"})]
Share = Annotated[Decimal, msgspec.Meta(extra={"unit": "percent"})]
YesNo = Literal["yes", "no", "unknown"]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table."""


class Party(Table, frozen=True, kw_only=True):
    """Who the contract is with."""

    supplier: str  # id of the seller, as deployments name it, e.g. "microsoft"
    entity: str = ""  # the legal entity that signed, e.g. "Microsoft Ireland Operations Ltd"
    group: str = ""  # id of the group that it belongs to; default: the supplier itself
    lei: str = ""  # its Legal Entity Identifier (ISO 17442), 20 characters
    country: str = ""  # where it is registered, ISO 3166-1 alpha-2
    governing_law: str = ""  # whose law holds, ISO 3166-1 alpha-2 or a name
    equity: tuple[str, ...] = ()  # ids of parties that own a part of it, or that it owns a part of


class Chain(Table, frozen=True, kw_only=True):
    """Who stands behind the service. Each is a dimension of concentration; a deployment's own words go before these."""

    maker: str = ""  # who trained the models
    host: str = ""  # who runs the service
    compute_owner: str = ""  # whose machines it runs on; default: the host
    chips: tuple[str, ...] = ()  # makers or families of the chips, e.g. "nvidia", "google-tpu"
    subprocessors: tuple[str, ...] = ()  # ids of further parties that see the data


class Milestone(Table, frozen=True, kw_only=True):
    """Something that changes the terms when it happens."""

    on: str  # what happens, e.g. "ipo", "agi", "change_of_control"
    effect: str  # what follows
    by: date | None = None  # when it is expected, if it is
    removed: date | None = None  # when the parties took this milestone out again


class Exit(Table, frozen=True, kw_only=True):
    """What is owed when the contract ends."""

    transition_days: Days | None = None  # how long the service goes on while one moves away
    retrieval_days: Days | None = None  # how long data can be fetched afterwards
    erasure: YesNo = "unknown"  # whether the supplier must erase what it holds, and say so
    erasure_days: Days | None = None  # how long it may take to
    assistance: YesNo = "unknown"  # whether it must help to move
    charges: YesNo = "unknown"  # whether it may charge for switching or for taking data out
    charges_until: date | None = None  # the last day on which it may


class Renewal(Table, frozen=True, kw_only=True):
    """What happens at the end of the term."""

    auto: bool = False  # goes on by itself unless notice is given
    months: int = 12  # by how many months


class Notice(Table, frozen=True, kw_only=True):
    """How long before the end notice must be given."""

    customer: Days | None = None  # by us
    supplier: Days | None = None  # by the supplier


class Term(Table, frozen=True, kw_only=True):
    """From when to when, and how it ends."""

    start: date  # first day
    end: date | None = None  # last day; none: open-ended
    renewal: Renewal = Renewal()  # whether it goes on by itself
    notice_days: Notice = Notice()  # how long before the end notice is due
    notice_given: date | None = None  # when notice was given, by whomever
    exit: Exit = Exit()  # what is owed afterwards
    change_of_control: Literal["none", "notify", "consent", "terminate", "unknown"] = "unknown"  # right when it is sold
    milestone: tuple[Milestone, ...] = ()  # events that change the terms


class Commitment(Table, frozen=True, kw_only=True):
    """What we have promised to buy."""

    id: str  # a name of its own within the contract
    type: Literal["spend", "units", "volume"]  # money, reserved units (PTU, GPU hours), tokens
    start: date  # first day that counts
    end: date  # last day that counts
    amount: Decimal | None = None  # spend: how much in all, in `currency`
    quantity: Decimal | None = None  # units, volume: how many in all; volume counts tokens
    unit: str = ""  # units: of what, e.g. "ptu-month"
    unit_price: Decimal | None = None  # units: price of one, in `currency`
    currency: str = "USD"  # three letters
    shortfall: Literal["pay", "rollover", "none", "unknown"] = "pay"  # what happens to what was not used
    counts: tuple[str, ...] = ("*",)  # deployments whose use counts, as globs; all of this contract by default


class PriceTier(Table, frozen=True, kw_only=True):
    """Rates for a whole call whose input is longer than that."""

    above: int  # tokens of input
    input: Decimal  # per `per` tokens
    output: Decimal  # per `per` tokens
    cached_input: Decimal | None = None  # per `per` tokens


class ContractPrice(Table, frozen=True, kw_only=True):
    """What a model costs under this contract."""

    deployment: str = "*"  # deployments that it holds for, as a glob
    model: str = "*"  # models that it holds for, as sent, as a glob
    per: int = 1_000_000  # tokens that the rates are for
    currency: str = "USD"  # three letters; money is counted in USD, nothing here converts
    input: Decimal  # tokens that the model reads
    cached_input: Decimal | None = None  # tokens read from its cache; default: as `input`
    output: Decimal = Decimal(0)  # tokens that it writes
    tiers: tuple[PriceTier, ...] = ()  # rates of long calls
    batch: Decimal | None = None  # factor for the vendor's batch tier, e.g. "0.5"
    priority: Decimal | None = None  # factor for the vendor's priority tier
    regions: dict[str, Decimal] = {}  # factor by the deployment's region, e.g. { swedencentral = "1.1" }
    valid_from: date | None = None  # first day; default: of the contract
    valid_to: date | None = None  # last day; default: of the contract
    ceiling: bool = False  # the supplier may not raise it


class LimitTerm(Table, frozen=True, kw_only=True):
    """How much the supplier lets through."""

    deployment: str = "*"  # glob
    model: str = "*"  # glob
    tpm: int | None = None  # tokens a minute
    rpm: int | None = None  # requests a minute
    tpd: int | None = None  # tokens a day
    concurrent: int | None = None  # calls at once
    growth_days: Days | None = None  # how long a raise takes once asked for


class DataTerms(Table, frozen=True, kw_only=True):
    """What happens to our data."""

    retention_days: Days | None = None  # how long words may be kept; none: not stated
    zero_retention: bool = False  # nothing is kept once the answer has been given
    human_review: YesNo = "unknown"  # whether people at the supplier may read them
    trains_on_inputs: YesNo = "unknown"  # whether models are trained with them
    regions: tuple[str, ...] = ()  # where they may be kept; regions or areas such as "eu"; empty: not stated
    processing_regions: tuple[str, ...] = ()  # where they may be processed; default: as `regions`
    classes_allowed: tuple[DataClass, ...] = CLASSES[:3]  # what may be sent there at all


class UseTerms(Table, frozen=True, kw_only=True):
    """What may be done with the answers."""

    output_may_train: Literal["any", "not_competing", "none", "unknown"] = (
        "unknown"  # whether a model may learn from it
    )
    benchmark_publication: YesNo = "unknown"  # whether results of tests may be published
    acceptable_use: str = ""  # address of the policy
    moderation_owner: Literal["vendor", "shared", "ours", "unknown"] = "unknown"  # who decides what a model may say


class FirstRefusal(Table, frozen=True, kw_only=True):
    """A right to be asked first, or to match another's offer."""

    holder: Literal["us", "supplier"]  # who has it
    scope: str  # of what, e.g. "compute"
    days: Days | None = None  # how long the holder has to answer
    until: date | None = None  # last day


class FirstAvailability(Table, frozen=True, kw_only=True):
    """Where things come first."""

    on: str  # id of the party or service on which they do
    scope: str = ""  # which things
    unless: str = ""  # when they need not


class Exclusivity(Table, frozen=True, kw_only=True):
    """What each side may do with nobody else."""

    granted_to_supplier: tuple[str, ...] = ()  # scopes for which we may use nobody else, e.g. "compute"
    granted_to_us: tuple[str, ...] = ()  # scopes which the supplier gives to nobody else
    until: date | None = None  # last day
    first_refusal: tuple[FirstRefusal, ...] = ()  # rights of first refusal, either way
    first_availability: FirstAvailability | None = None  # where things come first


class ShareTier(Table, frozen=True, kw_only=True):
    """Another percentage for the part of a period's basis above a sum."""

    over: Decimal  # in the currency of the share
    pct: Share  # of the part above


class ShareScope(Table, frozen=True, kw_only=True):
    """What a revenue share is reckoned on."""

    products: tuple[str, ...] = ("*",)  # business functions or routes, as globs
    served_by: tuple[str, ...] = ("*",)  # deployments, as globs


class RevenueShare(Table, frozen=True, kw_only=True):
    """A part of what is earned, owed by one side to the other."""

    id: str  # a name of its own within the contract
    payer: Literal["customer", "supplier"]  # who owes it: us, or the supplier
    basis: Literal["gross_revenue", "net_revenue", "list_value", "cost", "tokens"]  # what it is a part of
    pct: Share = Decimal(0)  # of the basis, up to the first tier; tokens: of their list value
    tiers: tuple[ShareTier, ...] = ()  # other percentages above a sum, for each period anew
    scope: ShareScope = ShareScope()  # which part of the basis
    currency: str = "USD"  # three letters
    start: date | None = None  # first day; default: of the contract
    until: date | None = None  # last day; default: of the contract
    cap_total: Decimal | None = None  # most that is owed over all periods
    settle: Literal["month", "quarter", "year"] = "quarter"  # how often
    attribution: Literal["served_tokens", "served_requests"] = (
        "served_tokens"  # how revenue is divided over deployments
    )
    true_up_days: Days | None = None  # how long a statement may be corrected


class Credit(Table, frozen=True, kw_only=True):
    """What is given back for a bad month."""

    below: Decimal  # percent of time that it was up
    pct: Share  # of the month's charge


class Sla(Table, frozen=True, kw_only=True):
    """What is promised of the service."""

    uptime: Decimal | None = None  # percent of each month
    ttft_ms: int | None = None  # time to first token, milliseconds
    tokens_per_s: int | None = None  # speed of an answer
    percentile: Decimal | None = None  # of calls for which these two hold
    credits: tuple[Credit, ...] = ()  # what is given back
    exclusions: str = ""  # what does not count


class AuditReport(Table, frozen=True, kw_only=True):
    """A report on the supplier by somebody else."""

    type: str  # e.g. "SOC 2 Type II", "ISO 27001"
    valid_to: date | None = None  # last day


class Audit(Table, frozen=True, kw_only=True):
    """How we may look behind the supplier's words."""

    right: Literal["none", "third_party_report", "on_site", "unknown"] = "unknown"  # what we may do
    reports: tuple[AuditReport, ...] = ()  # what we have
    last: date | None = None  # when we last did


class Dora(Table, frozen=True, kw_only=True):
    """What the EU's Digital Operational Resilience Act asks for beyond the above."""

    functions: tuple[str, ...] = ()  # business functions that it supports; default: as the calls show
    service_type: Literal["", "S17", "S18", "S19"] = ""  # S17 compute, S18 platform, S19 software
    reliance: Literal["", "not_significant", "low", "material", "full"] = ""  # default: reckoned from the calls
    data_sensitiveness: Literal["", "low", "medium", "high"] = ""  # of what is stored there
    incident_help: YesNo = "unknown"  # whether the supplier must help with incidents, at a cost fixed beforehand
    cooperation: YesNo = "unknown"  # whether it must work with our authorities
    training: YesNo = "unknown"  # whether it takes part in our security trainings
    business_continuity: YesNo = "unknown"  # whether it must have and test plans for its own failure
    testing: YesNo = "unknown"  # whether it must take part in our penetration tests
    monitoring: YesNo = "unknown"  # whether we may watch its performance all the time
    data_processing_service: YesNo = "unknown"  # whether the EU Data Act's chapter VI holds; a question of law


class Source(Table, frozen=True, kw_only=True):
    """Where a value of this file comes from."""

    at: str  # dotted name of the field, e.g. "term.end", "revenue_share.0.until"
    text: str = ""  # what it says, in our own words
    source: str  # document or address
    date: date  # when that was published or signed


class Contract(Table, frozen=True, kw_only=True):
    """One version of the terms with one seller: one file."""

    schema: Literal["freehold.contract/1"]  # the form of this file
    id: str  # unique among all files
    version: str = "1"  # what people call this version
    title: str = ""  # what people call the contract
    kind: Literal["model-api", "hosted-model", "compute", "self-hosted", "partner"]  # what is bought
    status: Literal["draft", "active", "in_notice", "expired", "terminated"] = "active"  # draft, expired: not in force
    supersedes: str = ""  # id of the contract that this one replaces from its first day on
    owner: str = ""  # who in our house answers for it
    party: Party  # who it is with
    chain: Chain = Chain()  # who stands behind the service
    term: Term  # from when to when
    commitment: tuple[Commitment, ...] = ()  # what we promised to buy
    price: tuple[ContractPrice, ...] = ()  # what models cost
    limit: tuple[LimitTerm, ...] = ()  # how much is let through
    data: DataTerms = DataTerms()  # what happens to our data
    use: UseTerms = UseTerms()  # what may be done with answers
    exclusivity: Exclusivity = Exclusivity()  # what each side may do with nobody else
    revenue_share: tuple[RevenueShare, ...] = ()  # parts of what is earned
    sla: Sla = Sla()  # what is promised of the service
    audit: Audit = Audit()  # how we may look behind it
    dora: Dora = Dora()  # what the EU's DORA asks for
    source: tuple[Source, ...] = ()  # where values come from
    note: str = ""  # anything else
