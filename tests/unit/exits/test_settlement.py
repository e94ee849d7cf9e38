"""What is owed for a period, from real entries: use, commitments, shares by who served what, credits, chains of
versions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.exits.calls import call, contract, register, written

from freehold import store as stores
from freehold.contracts import PriceBook, Register, shipped
from freehold.core.errors import BadRequest, NotFound
from freehold.exits.periods import period
from freehold.exits.revenue import Earned, read
from freehold.exits.settlement import Books, settle
from freehold.exits.statement import Line, Settlement, Statement, rows
from freehold.ledger import Entry
from freehold.store import Store

TODAY = date(2026, 11, 24)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await stores.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    yield opened
    await opened.close()


async def settled(
    store: Store, known: Register, asked: str = "2026Q3", *, earned: str = "", book: PriceBook | None = None,
    today: date = TODAY, contract: str = "",
) -> Settlement:  # fmt: skip
    told = read(f"period,product,currency,gross,net\n{earned}", "revenue.csv") if earned else None
    books = Books(register=known, book=book or shipped(), deployments={}, earned=told)
    return await settle(store, books, period(asked), today, contract)


async def one(store: Store, known: Register, asked: str = "2026Q3", **more: Any) -> Statement:
    (statement,) = (await settled(store, known, asked, **more)).statements
    return statement


def due(lines: Sequence[Line]) -> list[Decimal | None]:
    return [line.due for line in lines]


async def test_use_is_a_line_for_each_deployment_and_model(store: Store) -> None:
    entries = [
        call("2026-06-30", "5"),
        call("2026-07-01", "0.004"),
        call("2026-09-30", "0.011"),
        call("2026-08-01", "2", deployment="mini", sent="gpt-4o-mini"),
        call("2026-08-02", "9", contract="nowhere", seller="xai"),
        call("2026-08-03", "0", currency="", deployment="new"),
        call("2026-10-01", "5"),
    ]
    await written(store, entries)
    known = register(contract())
    found = await settled(store, known)
    (statement,) = found.statements
    assert [(line.about, line.due, line.attempts) for line in statement.lines] == [
        ("gpt gpt-4o", Decimal("0.02"), 2),  # 0.015 goes to the even cent, and is rounded once, not entry by entry
        ("mini gpt-4o-mini", Decimal("2.00"), 1),
        ("new gpt-4o", None, 1),
    ]
    (total,) = statement.totals
    assert (total.customer, total.supplier, total.net, total.open) == (Decimal("2.02"), 0, Decimal("2.02"), 0)
    gpt = statement.lines[0]
    assert (gpt.first_seq, gpt.last_seq, gpt.input, gpt.output) == (2, 3, 1600, 400)
    assert statement.hash == known.versions[0].hash
    assert [(line.about, line.due) for line in found.outside] == [("xai gpt gpt-4o", Decimal("9.00"))]
    assert {row["contract"] for row in rows(found)} == {"ms", None}
    assert found.entries == 7
    assert (await settled(store, known, contract="ms")).outside == ()


async def test_revenue_is_served_by_whom_the_ledger_says(store: Store) -> None:
    """Of support's 1,000 in July the partner's deployments served 750 of 1,000 tokens, or 1 of 2 good requests; what
    failed and what was only tried beside served nothing. The other product is outside the scope."""
    share = (
        '[[revenue_share]]\nid = "rs"\npayer = "customer"\nbasis = "{basis}"\npct = "10"\nattribution = "{by}"\n'
        'scope = {{ products = ["support"], served_by = ["azure-*"] }}\n'
    )
    served = {"function": "support", "contract": ""}
    entries = [
        call("2026-07-03", input=600, output=150, deployment="azure-gpt", **served),
        call("2026-07-04", input=200, output=50, deployment="own", **served),
        call("2026-07-05", input=9000, deployment="own", error="upstream_fault", **served),
        call("2026-07-05", input=9000, deployment="own", purpose="shadow", **served),
        call("2026-07-06", input=9000, deployment="own", function="code", contract=""),
        call("2026-08-01", input=1, deployment="own", **served),
    ]
    await written(store, entries)
    told = "2026-07,support,USD,1000,800\n2026-07,code,USD,5000,5000\n2026-08,support,USD,100,80\n"
    told += "2026-09,support,USD,7,7\n"
    for basis, by, expected in (
        ("gross_revenue", "served_tokens", "75.00"),
        ("net_revenue", "served_tokens", "60.00"),
        ("gross_revenue", "served_requests", "50.00"),
    ):
        known = register(contract("p", share.format(basis=basis, by=by), kind="partner"))
        statement = await one(store, known, earned=told)
        (line,) = statement.lines
        assert (line.due, line.payer, line.attempts, line.first_seq) == (Decimal(expected), "customer", 1, 1)
        nobodys = "Revenue of support for 2026-09 is nobody's: the ledger has no call for it on these days."
        assert line.notes == (nobodys,)


async def test_revenue_that_nobody_told_is_not_nothing(store: Store) -> None:
    share = '[[revenue_share]]\nid = "rs"\npayer = "supplier"\nbasis = "net_revenue"\npct = "10"\n'
    known = register(contract("p", share, kind="partner"))
    await written(store, [call("2026-07-03")])
    statement = await one(store, known)
    assert due(statement.lines) == [None]
    assert (statement.totals[0].supplier, statement.totals[0].open) == (0, 1)
    statement = await one(store, known, earned="2026-07,x,USD,100,\n")
    assert due(statement.lines) == [None]
    assert statement.lines[0].notes[1] == "x, 2026-07: its net revenue is not stated."
    statement = await one(store, known, earned="2026-07,x,EUR,100,100\n")
    assert due(statement.lines) == [None]
    assert statement.lines[0].notes[0] == "No revenue of * in USD is stated."
    assert "left out" in statement.lines[0].notes[1]


async def test_days_after_the_last_row_of_revenue_are_not_known(store: Store) -> None:
    """A quarter that the file reaches into is reckoned as far as it goes, and says so; one that it does not is open."""
    share = '[[revenue_share]]\nid = "rs"\npayer = "supplier"\nbasis = "gross_revenue"\npct = "10"\n'
    known = register(contract("p", share, kind="partner"))
    await written(store, [call("2026-07-03")])
    told = "2026-07,x,USD,100,\n2026-07,given-up,USD,10,\n2026-09-01..2026-09-15,x,USD,50,\n"
    statement = await one(store, known, earned=told)
    assert due(statement.lines) == [Decimal("16.00")]
    assert statement.lines[0].notes == (
        "Revenue of x is stated through 2026-09-15 only.", "Revenue of given-up is stated through 2026-07-31 only.",
    )  # fmt: skip
    for asked, expected in (("2026-08", Decimal("0.00")), ("2026-09", Decimal("5.00")), ("2026Q4", None)):
        statement = await one(store, known, asked, earned=told)
        assert due(statement.lines) == [expected]
    statement = await one(store, known, "2026-09-16..2026-09-30", earned=told)
    assert due(statement.lines) == [None]


async def test_use_at_list_price_at_cost_and_by_tokens(store: Store) -> None:
    book = PriceBook.parse(
        '[microsoft.models]\n"gpt-4o" = [{ input = 2, cached = 1, output = 10 }, '
        '{ input = 4, cached = 1, output = 10, from = "2026-08-15" }]\n'
    )
    tokens = {"input": 2_000_000, "cached": 1_000_000, "output": 1_000_000}
    entries = [
        call("2026-08-14", "7", **tokens),
        call("2026-08-15", "7", **tokens),
        call("2026-08-15", "7", deployment="other", contract="", seller="xai", sent="grok", **tokens),
    ]
    await written(store, entries)
    expected = {"list_value": "28.00", "tokens": "32.00", "cost": "14.00"}  # 13 + 15, 14 + 18, 7 + 7
    for basis, amount in expected.items():
        share = f'[[revenue_share]]\nid = "rs"\npayer = "supplier"\nbasis = "{basis}"\npct = "100"\n'
        statement = await one(store, register(contract("ms", share)), book=book)
        line = next(line for line in statement.lines if line.kind == "share")
        assert (line.due, line.basis, line.payer) == (Decimal(amount), Decimal(amount), "supplier"), basis


COMMITMENT = """[[commitment]]
id = "macc"
type = "spend"
amount = "100"
start = 2025-10-01
end = 2026-09-30
shortfall = "{rule}"
counts = ["gpt", "grok"]
[[commitment]]
id = "next"
type = "volume"
quantity = "5000"
start = 2026-07-01
end = 2027-06-30
"""


async def test_commitments_are_drawn_down_and_what_lacks_is_owed_by_their_rule(store: Store) -> None:
    entries = [
        call("2025-12-01", "30"),
        call("2026-07-01", "20.50"),
        call("2026-09-30", "9.5", deployment="grok", contract="other"),
        call("2026-09-30", "50", deployment="mini"),
        call("2026-10-01", "50"),
    ]
    await written(store, entries)
    for rule, owed in (("pay", [Decimal("40.00")]), ("rollover", []), ("none", [])):
        known = register(contract("ms", COMMITMENT.format(rule=rule), start="2025-10-01"))
        statement = await one(store, known)
        macc, volume = statement.commitments
        assert (macc.drawn, macc.counted, macc.remaining, macc.missing) == (30, 60, 40, 40)
        assert macc.carried == (40 if rule == "rollover" else 0)
        assert (volume.drawn, volume.remaining, volume.missing) == (2000, 3000, None)
        shortfalls = [line for line in statement.lines if line.kind == "shortfall"]
        assert due(shortfalls) == owed
        if owed:
            assert (shortfalls[0].attempts, shortfalls[0].first_seq, shortfalls[0].last_seq) == (3, 1, 3)
    known = register(contract("ms", COMMITMENT.format(rule="pay"), start="2025-10-01"))
    assert not [line for line in (await one(store, known, "2026-07")).lines if line.kind == "shortfall"]
    assert not [
        line for line in (await one(store, known, today=date(2026, 9, 30))).lines if line.kind == "shortfall"
    ], "its last day is not over"


async def test_a_bad_month_gives_credit_by_the_lowest_level(store: Store) -> None:
    sla = """[sla]
uptime = "99.9"
credits = [{ below = "99.9", pct = "10" }, { below = "99", pct = "25" }, { below = "95", pct = "100" }]
"""

    def month(name: str, good: int, errors: Sequence[str]) -> list[Entry]:
        return [call(f"{name}-05", "1") for _ in range(good)] + [
            call(f"{name}-06", "0", error=error) for error in errors
        ]

    entries = [
        *month("2026-07", 97, ["upstream_fault", "upstream_timeout", "upstream_rejected"]),
        *month("2026-08", 10, ["upstream_overloaded", "client_gone", "not_sent", "upstream_rejected"]),
        *month("2026-09", 10, ["upstream_connect_failed"]),
        call("2026-09-07", "3", deployment="mini", contract="other", error="upstream_fault"),
    ]
    await written(store, entries)
    credits = [line for line in (await one(store, register(contract("ms", sla)))).lines if line.kind == "credit"]
    assert [(line.about, line.due, line.payer) for line in credits] == [
        ("2026-07", Decimal("24.25"), "supplier"),  # 98 of 100 attempts: a quarter of 97
        ("2026-09", Decimal("10.00"), "supplier"),  # 10 of 11: 90.91 %, all of it
    ]
    assert "90.91 % up, 99.9 % promised" in credits[1].rule
    part = (await one(store, register(contract("ms", sla)), "2026-07-01..2026-07-20")).lines
    assert not [line for line in part if line.kind == "credit"], "uptime is promised for whole months"


async def test_a_version_goes_on_where_the_one_before_it_ended(store: Store) -> None:
    """Both versions share 10 % of 100 a day. The later one holds from 1 August on and caps all at 3,190: 310 days came
    before it, so 90 is left for August and September."""
    share = '[[revenue_share]]\nid = "rs"\npayer = "customer"\nbasis = "gross_revenue"\npct = "10"\n'
    old = contract("p-1", share, kind="partner", start="2025-09-25")
    new = contract("p-2", f'{share}cap_total = "3190"\n', kind="partner", start="2026-08-01", top='supersedes = "p-1"')
    await written(store, [call("2026-07-01", "1", contract="p-1"), call("2026-08-01", "1", contract="p-1")])
    told = "".join(f"2026-{month:02},chat,USD,{100 * days},\n" for month, days in ((7, 31), (8, 31), (9, 30)))
    told += "2025-09-25..2026-06-30,chat,USD,27900,\n"
    found = await settled(store, register(old, new), earned=told)
    first, second = found.statements
    assert (first.contract, str(first.period), due(first.lines)) == ("p-1", "2026-07", [1, Decimal("310.00")])
    assert (second.contract, str(second.period)) == ("p-2", "2026-08-01..2026-09-30")
    # Entries without terms are under the version of their day, whatever the configuration named.
    assert due(second.lines) == [1, Decimal("90.00")]
    assert second.lines[1].cap is not None and second.lines[1].cap.left == 0
    assert "Without the cap it were 610.00." in second.lines[1].notes
    # Where it is not known what was owed under the first version, it is not known what the cap leaves to the second.
    found = await settled(store, register(old, new), "2026Q3", earned=f"2025-10,chat,USD,,5\n{told}")
    first, second = found.statements
    assert due(first.lines) == [1, Decimal("310.00")]
    assert due(second.lines) == [1, None] and second.lines[1].cap is None
    assert "so neither is what the cap leaves" in " ".join(second.lines[1].notes)


async def test_what_cannot_be_settled_is_refused_and_what_is_not_over_is_said(store: Store) -> None:
    await written(store, [call("2026-11-24", "1"), call("2026-11-25", "1")])
    known = register(contract())
    with pytest.raises(BadRequest, match="has not begun"):
        await settled(store, known, "2027")
    with pytest.raises(NotFound):
        await settled(store, known, contract="nope")
    found = await settled(store, known, "2026")
    assert (found.name, str(found.period.last)) == ("2026", "2026-11-24")
    assert found.notes == ("The period is not over: this is what is known through 2026-11-24.",)
    assert due(found.statements[0].lines) == [1]
    assert (await settled(store, register(contract(top='status = "draft"')))).statements == ()
    other = contract()
    named = call("2026-07-01", "1", terms="0123456789ab")
    await written(store, [named])
    (statement,) = (await settled(store, register(other))).statements
    assert "0123456789ab" in statement.notes[0]
    assert statement.lines[0].terms == ("0123456789ab",)


def test_a_file_of_revenue_says_where_it_is_wrong() -> None:
    from freehold.core.errors import ConfigError

    good = read("\ufeffDay,Product,Currency,Net\r\n2026-07-01,chat,EUR,12.50\r\n", "r.csv")
    assert good == (Earned(period("2026-07-01"), "chat", "EUR", None, Decimal("12.50"), 2),)
    for text, said in (
        ("product,currency,gross\nx,USD,1\n", "no column period"),
        ("period,product,currency\n2026,x,USD\n", "neither a column gross nor net"),
        ("period,product,currency,gross,note\n2026,x,USD,1,-\n", "'note' is unknown"),
        ("period,product,currency,gross\n2026,x,USD,1,000\n", "line 2: not as many values"),
        ("period,product,currency,gross\n2026,x,USD,1e3\n", "line 2: '1e3' is no amount"),
        ("period,product,currency,gross\n2026,x,USD,\n", "neither gross nor net"),
        ("period,product,currency,gross\n2026-13,x,USD,1\n", "'2026-13' is no period"),
        ("period,product,currency,gross\n2026,x,usd,1\n", "'usd' is no currency"),
        ("period,product,currency,gross\n2026,,USD,1\n", "no product"),
        ("", "no column period"),
    ):
        with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
            read(text, "r.csv")
