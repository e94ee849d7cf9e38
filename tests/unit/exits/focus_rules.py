"""What FOCUS 1.2 asks of a row, written from the specification's requirements (columns/*.md and attributes/*.md of its
tag v1.2) for the columns that a ledger of calls fills. `faults(row)` names each that a row breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

NEVER_NULL = (
    "BilledCost", "BillingAccountId", "BillingAccountType", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "PricingCurrency", "PricingCurrencyEffectiveCost", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName", "ServiceSubcategory",
)  # fmt: skip
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "CommitmentDiscountCategory": {"Spend", "Usage"},
    "CommitmentDiscountStatus": {"Used", "Unused"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {"AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing"},
}
OF_USE = (
    "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyListUnitPrice", "PricingQuantity", "SkuId", "SkuPriceId",
)  # fmt: skip
"""Must not be null for usage and purchases."""
TOGETHER = (
    ("BillingAccountId", "BillingAccountType"), ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"), ("RegionId", "RegionName"), ("ResourceId", "ResourceType"),
    ("SubAccountId", "SubAccountName"),
    ("SubAccountId", "SubAccountType"), ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountType"), ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
)  # fmt: skip
"""Null, or not, at once."""
PRODUCTS = (("ContractedUnitPrice", "ContractedCost"), ("ListUnitPrice", "ListCost"))


def faults(row: dict[str, Any]) -> Iterator[str]:
    yield from _values(row)
    category, discount = row["ChargeCategory"], row["CommitmentDiscountId"]
    for one, other in TOGETHER:
        if (row[one] is None) != (row[other] is None):
            yield f"{one} and {other} are null together"
    if category in ("Usage", "Purchase"):
        yield from (f"{name} is null for {category}" for name in OF_USE if row[name] is None)
    for price, cost in PRODUCTS:
        if row[price] is None:
            if category in ("Credit", "Adjustment") and row[cost] != row["BilledCost"]:
                yield f"{cost} is not BilledCost"
        elif row[price] * row["PricingQuantity"] != row[cost]:
            yield f"{price} x PricingQuantity is not {cost}"
        elif row[price] < 0:
            yield f"{price} is below 0"
    if category == "Purchase" and row["ChargeFrequency"] == "Usage-Based":
        yield "a purchase is not usage-based"
    if category == "Purchase" and discount is not None and row["EffectiveCost"]:
        yield "a purchase for later use has an effective cost"
    consumed = category == "Usage" and row["CommitmentDiscountStatus"] != "Unused"
    if (row["ConsumedQuantity"] is not None) != consumed:
        yield "ConsumedQuantity stands where use is, and only there"
    if (row["CommitmentDiscountStatus"] is not None) != (discount is not None and category == "Usage"):
        yield "CommitmentDiscountStatus stands where committed use is"
    if (row["CommitmentDiscountQuantity"] is not None) != (discount is not None and category in ("Usage", "Purchase")):
        yield "CommitmentDiscountQuantity"
    if (row["PricingCategory"] == "Committed") != (discount is not None and category == "Usage"):
        yield "PricingCategory is Committed for committed use"
    if row["SkuMeter"] is not None and row["SkuId"] is None:
        yield "SkuMeter without SkuId"


def _values(row: dict[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if value is None:
            if name in NEVER_NULL:
                yield f"{name} is null"
            continue
        if isinstance(value, str) and not value.strip():
            yield f"{name} is an empty text"
        if name in ALLOWED and value not in ALLOWED[name]:
            yield f"{name} is {value}"
        if name.endswith(("Cost", "Price", "Quantity")) and not isinstance(value, Decimal):
            yield f"{name} is no decimal"
        if name.endswith(("Start", "End")) and not (isinstance(value, datetime) and value.tzinfo is not None):
            yield f"{name} is no moment in UTC"
        if name.endswith("Currency") and not re.fullmatch("[A-Z]{3}", value):
            yield f"{name} is {value}"
    for name in ("Tags", "SkuPriceDetails"):
        if row[name] is not None and not _flat(json.loads(row[name])):
            yield f"{name} holds more than texts and numbers"
    if row["SkuPriceDetails"] and not all(key.startswith("x_") for key in json.loads(row["SkuPriceDetails"])):
        yield "SkuPriceDetails holds a key that FOCUS does not define"
    if not row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]:
        yield "the charge lies in its billing period"
    if row["BillingPeriodStart"] > row["ChargePeriodStart"]:
        yield "the charge begins before its billing period"


def _flat(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str | int | float | bool | None) for each in value.values())
