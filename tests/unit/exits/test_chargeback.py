"""What teams and functions owe inside the house: sums that are exact, and shortfalls that are divided to the cent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.exits.calls import call, contract, register, written

from freehold import store as stores
from freehold.contracts import Register, shipped
from freehold.exits.chargeback import COLUMNS, Chargeback, chargeback, rows
from freehold.exits.dividing import divided
from freehold.exits.periods import period
from freehold.exits.settlement import Books
from freehold.exits.sheets import comma_separated
from freehold.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await stores.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    yield opened
    await opened.close()


COMMITMENT = """[[commitment]]
id = "macc"
type = "spend"
amount = "10.01"
start = 2026-07-01
end = 2026-09-30
"""


async def charged(store: Store, known: Register, *, by: str = "team", shortfalls: bool = False) -> Chargeback:
    books = Books(register=known, book=shipped(), deployments={})
    return await chargeback(store, books, period("2026Q3"), date(2026, 11, 1), by, shortfalls=shortfalls)  # type: ignore[arg-type]


async def test_each_owes_what_its_calls_cost_and_its_part_of_what_was_not_used(store: Store) -> None:
    entries = [
        call("2026-07-01", "1.004", team="a", function="support"),
        call("2026-07-02", "1.003", team="a", function="code"),
        call("2026-08-01", "1.003", team="b", function="code"),
        call("2026-08-01", "1.00", team="", function="code"),
        call("2026-08-02", "5", team="b", contract="other", seller="xai"),
        call("2026-08-03", team="b", currency=""),
        call("2026-10-01", "9", team="a"),
    ]
    await written(store, entries)
    known = register(contract("ms", COMMITMENT))
    found = await charged(store, known)
    assert [(it.who, it.contract, it.cost, it.due, it.attempts) for it in found.charges] == [
        ("a", "ms", Decimal("2.01"), Decimal("2.01"), 2),
        ("b", "ms", None, Decimal("0.00"), 1),
        ("b", "ms", Decimal("1.00"), Decimal("1.00"), 1),
        ("b", "", Decimal("5.00"), Decimal("5.00"), 1),
        ("", "ms", Decimal("1.00"), Decimal("1.00"), 1),
    ]
    found = await charged(store, known, shortfalls=True)
    shortfalls = {it.who: it.shortfall for it in found.charges if it.shortfall}
    # 10.01 less 4.01 was not used: 6.00, by 2.007, 1.003 and 1.000.
    assert shortfalls == {"a": Decimal("3.00"), "b": Decimal("1.50"), "": Decimal("1.50")}
    by_function = await charged(store, known, by="function", shortfalls=True)
    assert {it.who: it.shortfall for it in by_function.charges if it.shortfall} == {
        "support": Decimal("1.50"),
        "code": Decimal("4.50"),
    }
    assert sum(it.due for it in by_function.charges) == sum(it.due for it in found.charges) == Decimal("15.01")
    told = comma_separated(COLUMNS, rows(found, {"a": "=cmd()", "b": "Bücher, neu"})).decode()
    assert told.splitlines()[1].startswith("a,'=cmd(),ms,")
    assert '"Bücher, neu"' in told and told.endswith("\r\n")


async def test_a_shortfall_of_nothing_used_is_nobodys(store: Store) -> None:
    await written(store, [call("2026-10-01")])
    found = await charged(store, register(contract("ms", COMMITMENT)), shortfalls=True)
    assert [(it.who, it.contract, it.cost, it.due) for it in found.charges] == [("", "ms", 0, Decimal("10.01"))]


weights = st.dictionaries(st.text(max_size=3), st.integers(0, 10**12), max_size=12)


@given(st.integers(0, 10**15), weights)
def test_parts_add_up_and_none_is_off_by_one(amount: int, some: dict[str, int]) -> None:
    parts = divided(amount, some)
    whole = sum(some.values())
    assert sum(parts.values()) == (amount if whole else 0)
    for name, part in parts.items():
        assert abs(part * whole - amount * some[name]) < whole
