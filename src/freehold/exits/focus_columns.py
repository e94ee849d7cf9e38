"""The columns of FOCUS 1.2, their types, and columns of our own. Data; refuses to know what fills them.

Names, types and values are those of the FinOps Open Cost and Usage Specification 1.2 (29 May 2025, focus.finops.org,
tag v1.2 of its repository).
"""

from __future__ import annotations

from freehold.exits.sheets import Type

_TEXTS = (
    "AvailabilityZone", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "CapacityReservationId", "CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedUnit", "InvoiceId",
    "InvoiceIssuerName", "PricingCategory", "PricingCurrency", "PricingUnit", "ProviderName", "PublisherName",
    "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName",
    "SubAccountType", "Tags",
)  # fmt: skip
_DECIMALS = (
    "BilledCost", "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice",
    "EffectiveCost", "ListCost", "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingQuantity",
)  # fmt: skip
_MOMENTS = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")

FOCUS: dict[str, Type] = dict(
    sorted({**dict.fromkeys(_TEXTS, "text"), **dict.fromkeys(_DECIMALS, "decimal"), **dict.fromkeys(_MOMENTS, "moment")}
           .items())  # type: ignore[arg-type]
)  # fmt: skip
"""The 57 columns of the specification, by name."""

OWN: dict[str, Type] = {
    "x_Contract": "text",  # id of the contract
    "x_ContractTerms": "text",  # version of its terms that the entries name
    "x_Commitments": "text",  # ids of commitments of spend or volume that the use counts towards, with blanks between
    "x_ListPriceKnown": "text",  # "false": the list names no price, and the contract's stands for it
    "x_Compute": "text",  # whose machines it ran on
    "x_Outcomes": "integer",  # attempts that stand behind the row, and behind its other meters
    "x_FirstEntry": "integer",  # number of the first of them on the ledger
    "x_LastEntry": "integer",
}
"""Ours, as the specification has it: with x_ before them, and after the others."""

TYPES: dict[str, Type] = {**FOCUS, **OWN}
