"""Asking the ledger and taking its entries along: filters against a plain reading, files that others can read."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from operator import attrgetter
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold import store as stores
from freehold.core.errors import BadRequest, StoreError
from freehold.ledger import Entry, Ledger, Query, entries, erase, totals
from freehold.ledger.columns import COLUMNS
from freehold.ledger.entry import FIELDS
from freehold.ledger.export import export
from freehold.ledger.query import SAID, count, where
from freehold.store import Store


def made(i: int) -> Entry:
    return Entry(
        ("outcome", "intent", "admin")[i % 7 % 3], f"call_{i // 2}", i % 2, "serve", i * 10, key=f"k{i % 3}",
        asked=f"m{i % 2}", sent=f"m{i % 3}", answered=f"m{i % 5}", maker="openai" if i % 4 else "xai", status=200,
        error="upstream_fault" if i % 6 == 0 else "client_gone" if i % 10 == 7 else "", input=i, cost=(i * 37) % 50,
        currency="EUR" if i % 8 == 0 else "USD", session="=1+1", user="-x",
        dropped=("a", "b") if i % 2 else (), total_ms=1.5, estimated=i % 2 == 0, host="azure" if i % 3 else "own",
        seller="azure", region=("eu", "us", "")[i % 3], contract="c\"1" if i % 4 else "", 
        function=("", "help", "code")[i % 3], compute=("", "oracle")[i % 2], chips="a,b" if i % 5 else "",
        retention=(-1, 0, 30)[i % 3], recipients=("azure", "oracle") if i % 2 else (),
    )  # fmt: skip


ALL = [made(i) for i in range(60)]


async def filled(url: str) -> Store:
    opened = await stores.open(url, durable=False)
    ledger = Ledger(opened)
    for entry in ALL:
        await ledger.note_admin(entry)
    await ledger.close()
    return opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await filled(f"sqlite:///{tmp_path}/q.db")
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/q.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = await filled(url)
    yield opened
    await opened.close()


def among(value: object, wanted: object) -> bool:
    return wanted is None or value == wanted or (isinstance(wanted, tuple) and value in wanted)


def plain(query: Query) -> list[Entry]:
    found = [
        e for e in ALL
        if e.kind in query.kinds and among(e.key, query.key) and among(e.maker, query.maker)
        and among(e.error, query.error)
        and (query.model is None or any(among(m, query.model) for m in (e.asked, e.sent, e.answered)))
        and (query.since is None or e.at >= query.since) and (query.until is None or e.at < query.until)
        and (query.min_cost is None or e.cost >= query.min_cost)
        and (query.max_cost is None or e.cost <= query.max_cost)
        and (query.failed is None or bool(e.error) == query.failed)
        and among(e.region, query.region) and among(e.contract, query.contract) and among(e.chips, query.chips)
        and among(e.function, query.function) and among(e.compute or e.host, query.compute)
        and among(e.retention, query.retention) and among(e.purpose, query.purpose)
        and (query.party is None or any(
            among(p, query.party) for p in (e.seller, e.host, e.compute or e.host, "" if e.host == "own" else e.maker)))
        and (query.recipient is None or any(among(p, query.recipient) for p in e.recipients))
    ]  # fmt: skip
    if query.order != "oldest":
        found.reverse()
    if query.order == "dearest":
        found.sort(key=lambda e: -e.cost)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


QUERIES = st.builds(
    Query,
    kinds=st.sampled_from([("outcome",), ("intent", "outcome"), ("admin", "intent", "outcome"), ()]),
    key=st.sampled_from([None, "k1", ("k0", "k2"), ()]),
    maker=st.sampled_from([None, "xai", "nobody' OR 1=1 --"]),
    model=st.sampled_from([None, "m1", ("m4", "m2")]),
    error=st.sampled_from([None, "upstream_fault", "client_gone"]),
    region=st.sampled_from([None, None, None, "eu", ("us", "")]),
    contract=st.sampled_from([None, None, None, 'c"1', ""]),
    compute=st.sampled_from([None, None, None, "oracle", ("azure", "own")]),
    chips=st.sampled_from([None, None, None, "a,b"]),
    function=st.sampled_from([None, None, None, "", ("help", "code")]),
    retention=st.sampled_from([None, None, None, -1, (0, 30)]),
    purpose=st.sampled_from([None, None, "serve", "shadow"]),
    party=st.sampled_from([None, None, None, "openai", ("oracle", "xai"), ()]),
    recipient=st.sampled_from([None, None, None, "oracle", ("azure", "nobody"), ()]),
    since=st.none() | st.integers(0, 600),
    until=st.none() | st.integers(0, 600),
    min_cost=st.none() | st.integers(0, 50),
    max_cost=st.none() | st.integers(0, 50),
    failed=st.sampled_from([None, True, False]),
    order=st.sampled_from(["oldest", "newest", "dearest"]),
    limit=st.none() | st.integers(0, 30),
    offset=st.integers(0, 10),
)


async def test_filters_find_what_a_plain_reading_finds(either: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.ledger.query.PAGE", 7)
    cases: list[Query] = []

    @settings(max_examples=120, suppress_health_check=list(HealthCheck), database=None)
    @given(QUERIES)
    def draw(query: Query) -> None:
        cases.append(query)

    draw()
    for query in cases:
        assert [row.entry async for row in entries(either, query)] == plain(query), query
    for query in cases[:20]:
        whole = plain(Query(kinds=query.kinds, key=query.key))
        assert await count(either, Query(kinds=query.kinds, key=query.key)) == len(whole)


async def test_acts_of_administration_are_found_without_going_through_all_calls(store: Store) -> None:
    condition, args = where(Query(kinds=("admin",)), "sqlite")
    sql = f"EXPLAIN QUERY PLAN SELECT seq FROM entry WHERE {condition} ORDER BY seq DESC LIMIT 50"
    assert "entry_admin" in str(await store.fetch(sql, *args))


async def test_totals_by_maker_keep_currencies_apart(store: Store) -> None:
    found = await totals(store, Query(), by=("maker", "day"))
    for total in found:
        same = [e for e in plain(Query(maker=str(total.group[0]))) if e.currency == total.currency]
        assert (total.attempts, total.cost, total.input) == (
            len(same),
            sum(e.cost for e in same),
            sum(e.input for e in same),
        )
        assert total.calls == sum(e.attempt == 0 for e in same)
        assert total.failed_attempts == sum(e.error == "upstream_fault" for e in same)
        ends = {e.call: e.attempt for e in ALL if e.kind == "outcome"}
        assert total.failed_calls == sum(e.error == "upstream_fault" and ends[e.call] == e.attempt for e in same)
        assert total.group[1] == "1970-01-01"
    assert sum(total.attempts for total in found) == len(plain(Query()))
    with pytest.raises(BadRequest):
        await totals(store, Query(), by=("data; DROP TABLE entry",))
    with pytest.raises(BadRequest):
        [row async for row in entries(store, Query(limit=-1))]
    with pytest.raises(BadRequest):
        await erase(store, why="nothing named")


async def test_totals_by_what_is_no_column_are_those_of_the_entries(either: Store) -> None:
    for by in SAID:
        found = {(total.group[0], total.currency): total.attempts for total in await totals(either, Query(), by=(by,))}
        read = (lambda e: e.compute or e.host) if by == "compute" else attrgetter(by)
        assert found == Counter((read(e), e.currency) for e in ALL if e.kind == "outcome"), by


EVERY = Query(kinds=("intent", "outcome", "admin"), order="oldest")


async def test_csv_holds_every_field_and_no_formula(store: Store, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    target = tmp_path / "out.csv"
    assert await export(store, EVERY, target, "csv", progress=lambda a, b: told.append((a, b))) == 60
    with target.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == COLUMNS and len(COLUMNS) == len(FIELDS) + 6
    assert [line["call"] for line in lines] == [e.call for e in ALL] and told[-1] == (60, 60)
    assert lines[0]["session"] == "'=1+1" and lines[0]["user"] == "'-x" and lines[1]["dropped"] == "a b"
    assert len(lines[0]["hash"]) == 64 and target.stat().st_mode & 0o777 == 0o600


async def test_json_lines_and_parquet_agree_with_the_entries(store: Store, tmp_path: Path) -> None:
    out = io.BytesIO()
    await export(store, EVERY, "-", "jsonl", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    await export(store, EVERY, tmp_path / "out.parquet", "parquet")
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert table == lines and len(lines) == 60
    assert [line["cost_nano"] for line in lines] == [e.cost for e in ALL] and lines[1]["dropped"] == ["a", "b"]
    await export(store, Query(key="nobody"), tmp_path / "empty.parquet", "parquet")
    assert parquet.read_table(tmp_path / "empty.parquet").num_rows == 0


async def test_a_file_is_whole_or_absent_and_never_replaced_unasked(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out" / "x.csv"
    with pytest.raises(StoreError, match="cannot be written"):
        await export(store, EVERY, target, "csv")
    target.parent.mkdir()
    target.write_text("mine")
    with pytest.raises(BadRequest, match="exists"):
        await export(store, EVERY, target, "csv")
    assert target.read_text() == "mine"
    await export(store, EVERY, target, "csv", force=True)
    assert target.read_text().startswith("seq,hash")

    def break_off(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export(store, EVERY, target.with_name("y.csv"), "csv", progress=break_off)
    assert [path.name for path in target.parent.iterdir()] == ["x.csv"]
