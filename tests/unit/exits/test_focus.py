"""Rows of FOCUS 1.2: every column, by the specification's rules, and sums that are the ledger's to the nano-unit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from tests.unit.exits.calls import call, contract, register, written
from tests.unit.exits.focus_rules import faults

from freehold import store as stores
from freehold.contracts import PriceBook, Register
from freehold.contracts.binding import bind
from freehold.contracts.organisation import Entity, Organisation
from freehold.exits.focus import TYPES, Focus, Ground, focus
from freehold.exits.focus_columns import FOCUS
from freehold.exits.periods import period
from freehold.exits.settlement import Books
from freehold.exits.sheets import comma_separated, parquet
from freehold.routing import Deployment, Table
from freehold.store import Store

TODAY = date(2026, 11, 24)
BOOK = PriceBook.parse('[microsoft.models]\n"gpt-4o" = { input = "2.50", cached = "1.25", output = 10 }\n')
TERMS = """[[price]]
input = "2"
cached_input = "0.5"
output = "8"
[[commitment]]
id = "macc"
type = "spend"
amount = "1000"
start = 2026-07-01
end = 2026-09-30
[[commitment]]
id = "ptu"
type = "units"
quantity = "3"
unit = "ptu-month"
unit_price = "221.50"
start = 2026-08-01
end = 2026-10-31
counts = ["ptu-*"]
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await stores.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    yield opened
    await opened.close()


async def told(store: Store, known: Register, asked: str = "2026Q3") -> Focus:
    names = ("gpt", "ptu-1", "grok")
    table = Table({name: Deployment(name, "azure", "gpt-4o", "openai", "microsoft", "microsoft", contract="ms")
                   for name in names}, {})  # fmt: skip
    organisation = Organisation(parties={"microsoft": Entity(name="Microsoft"), "openai": Entity(name="OpenAI")})
    ground = Ground(
        books=Books(register=known, book=BOOK, deployments={}), table=table, organisation=organisation, own={},
        bonds=bind(table.deployments.values(), known, organisation, TODAY), names={"t1": "Support", "k1": "robot"},
    )  # fmt: skip
    return await focus(store, ground, period(asked), TODAY)


ENTRIES = [
    call("2026-07-02", "0.123456789", input=1000, cached=400, output=50, function="help", terms="0123456789ab"),
    call(
        "2026-07-02",
        "0.000000001",
        input=3,
        cached=0,
        output=0,
        error="upstream_fault",
        function="help",
        terms="0123456789ab",
    ),
    call("2026-07-31", "0.5", input=0, output=7, team="", key="k2"),
    call("2026-08-03", "0", deployment="ptu-1", input=700_000, output=200_000),
    call("2026-08-03", "0", deployment="ptu-1", input=100_000, output=0, team="t2"),
    call("2026-08-03", "1.25", deployment="ptu-1", input=10, output=1, team="t3"),
    call("2026-09-01", "2", deployment="gone", sent="grok-4", seller="xai", maker="xai", host="xai", contract="x"),
    call("2026-09-02", "0.01", input=0, output=0),
    call("2026-09-03", currency=""),
]


def of(rows: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((row[name] for row in rows), Decimal(0))


async def test_every_row_is_as_the_specification_asks(store: Store) -> None:
    await written(store, ENTRIES)
    found = await told(store, register(contract("ms", TERMS)))
    assert len(FOCUS) == 57
    broken = [(fault, row["ChargeDescription"]) for row in found.rows for fault in faults(row)]
    assert broken == []
    assert all(list(row) == list(TYPES) for row in found.rows)
    assert found.unpriced == 1
    names = list(TYPES)
    assert names[:57] == sorted(names[:57]) and all(name.startswith("x_") for name in names[57:])


async def test_costs_are_those_of_the_ledger_and_of_both_price_lists(store: Store) -> None:
    await written(store, ENTRIES)
    rows = (await told(store, register(contract("ms", TERMS)))).rows
    usage = of(rows, ChargeCategory="Usage")
    spent = total(usage, "BilledCost")
    assert spent == sum(Decimal(entry.cost).scaleb(-9) for entry in ENTRIES)
    first = of(rows, ChargePeriodStart=rows[0]["ChargePeriodStart"])
    assert [(row["SkuMeter"], row["ConsumedQuantity"]) for row in first] == [
        ("Input Tokens", 603), ("Cached Input Tokens", 400), ("Output Tokens", 50),
    ]  # fmt: skip
    assert total(first, "BilledCost") == Decimal("0.123456790")
    assert [row["ContractedUnitPrice"] for row in first] == [2, Decimal("0.5"), 8]
    assert [row["ListUnitPrice"] for row in first] == [Decimal("2.5"), Decimal("1.25"), 10]
    assert total(first, "ListCost") == Decimal("0.0025075")  # 603 at 2.50, 400 at 1.25 and 50 at 10 a million
    assert total(first, "ContractedCost") == Decimal("0.001806")
    one = first[0]
    assert (one["ProviderName"], one["PublisherName"], one["InvoiceIssuerName"]) == ("Microsoft", "OpenAI", "Microsoft")
    assert (one["SubAccountName"], json.loads(one["Tags"])) == ("Support", {"function": "help", "key": "robot"})
    assert (one["BillingAccountId"], one["x_ContractTerms"], one["x_Commitments"]) == ("ms", "0123456789ab", "macc")
    assert (one["x_Outcomes"], one["x_FirstEntry"], one["x_LastEntry"]) == (2, 1, 2)
    (grok,) = {row["ContractedUnitPrice"] for row in of(rows, ResourceId="gone", SkuMeter="Output Tokens")}
    assert grok > 0, "no price is known any more: what was billed stands for it"
    (request,) = of(rows, SkuMeter="Requests")
    assert (request["BilledCost"], request["ConsumedQuantity"], request["PricingUnit"]) == (
        Decimal("0.01"),
        1,
        "Requests",
    )


async def test_reserved_units_are_bought_by_the_month_and_used_by_the_day(store: Store) -> None:
    """August and September have 61 of 92 days: 61/92 of three units at 221.50 each. On 3 August two teams used them;
    what was billed that day went beyond them."""
    await written(store, ENTRIES)
    rows = (await told(store, register(contract("ms", TERMS)))).rows
    committed = of(rows, CommitmentDiscountId="ms/ptu")
    bought = of(committed, ChargeCategory="Purchase")
    assert [str(row["ChargePeriodStart"].date()) for row in bought] == ["2026-08-01", "2026-09-01"]
    usage = of(committed, ChargeCategory="Usage")
    assert total(usage, "EffectiveCost") == total(bought, "BilledCost")
    assert abs(total(bought, "PricingQuantity") - Decimal(3) * 61 / 92) < Decimal("0.000001")
    used, unused = of(usage, CommitmentDiscountStatus="Used"), of(usage, CommitmentDiscountStatus="Unused")
    assert len(unused) == 60
    assert {row["ChargePeriodStart"].date() for row in used} == {date(2026, 8, 3)}
    assert {row["SubAccountId"] for row in used} == {"t1", "t2"} and all(row["BilledCost"] == 0 for row in used)
    mine = total(of(used, SubAccountId="t1"), "EffectiveCost")
    assert abs(mine / total(used, "EffectiveCost") - Decimal("0.9")) < Decimal("1e-6")
    whole = (await told(store, register(contract("ms", TERMS)), "2026-08..2026-10")).rows
    assert total(of(whole, ChargeCategory="Purchase"), "BilledCost") == Decimal("664.50")


async def test_what_was_not_spent_is_an_adjustment(store: Store) -> None:
    await written(store, ENTRIES)
    rows = (await told(store, register(contract("ms", TERMS)))).rows
    (missing,) = of(rows, ChargeCategory="Adjustment")
    # 1,000 less 1.883456790 of all that is under the contract
    assert missing["BilledCost"] == missing["EffectiveCost"] == Decimal("998.12")
    assert str(missing["ChargePeriodStart"].date()) == "2026-09-30" and missing["x_Commitments"] == "macc"
    assert of((await told(store, register(contract("ms", TERMS)), "2026-07")).rows, ChargeCategory="Adjustment") == []


async def test_files_hold_the_same_rows(store: Store) -> None:
    await written(store, ENTRIES)
    rows = (await told(store, register(contract("ms", TERMS)))).rows
    text = comma_separated(tuple(TYPES), rows).decode()
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(read) == len(rows)
    assert read[0]["ChargePeriodStart"] == "2026-07-02T00:00:00Z" and read[0]["InvoiceId"] == ""
    assert [Decimal(row["BilledCost"]) for row in read] == [row["BilledCost"] for row in rows]
    assert not any(letter in row["BilledCost"] for row in read for letter in "eE")
    table = pyarrow.parquet.read_table(io.BytesIO(parquet(TYPES, rows)))
    assert table.column_names == list(TYPES) and table.num_rows == len(rows)
    assert table.column("EffectiveCost").to_pylist() == [row["EffectiveCost"] for row in rows]
    assert table.column("ChargePeriodStart").to_pylist()[0] == rows[0]["ChargePeriodStart"]
