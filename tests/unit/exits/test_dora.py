"""The register's templates: which cells are filled from what, what stays empty and says why, and the files."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.unit.exits.calls import call, contract, register, written

from freehold import store as stores
from freehold.contracts.binding import bind
from freehold.contracts.organisation import Entity, Function, Organisation
from freehold.contracts.register import Version
from freehold.exits.dora import Register, fill
from freehold.exits.dora_cells import Cell, Ground
from freehold.exits.dora_codes import LABELS, TEMPLATES, country
from freehold.exits.dora_files import ORIGINS, origins, package, table
from freehold.routing import Deployment, Route, Table, Target
from freehold.store import Store

DAY = date(2026, 10, 31)
MS_CORP, MS_IRELAND, BANK = "INR2EJN1ERAN0W5ZP974", "549300WCLFVEBTBNRF76", "529900T8BM49AURSDO55"
TERMS = """[chain]
host = "microsoft"
compute_owner = "oracle"
subprocessors = ["cloudflare"]
[data]
retention_days = 30
regions = ["swedencentral", "francecentral", "swedensouth"]
processing_regions = ["westeurope"]
[dora]
service_type = "S18"
data_sensitiveness = "medium"
[audit]
last = 2026-03-01
"""
PARTY = f"""entity = "Microsoft Ireland Operations Ltd"
lei = "{MS_IRELAND}"
country = "IE"
governing_law = "IE"
group = "ms-group"
"""
NOTICE = "notice_days = { customer = 90, supplier = 180 }\nend = 2027-12-31\n"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await stores.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    yield opened
    await opened.close()


def deployment(name: str, seller: str, host: str, contract: str = "") -> Deployment:
    return Deployment(name, "azure", "gpt-4o", "openai", seller, host, contract=contract)


def ground(*versions: Version) -> Ground:
    """Microsoft's deployment alone on one route, and with our own model behind it on another."""
    known = register(*versions)
    every = [deployment("gpt", "microsoft", "microsoft", "ms"), deployment("small", "own", "own")]
    routes = {
        "assistant": Route("assistant", (Target("gpt"),)),
        "safe": Route("safe", (Target("gpt"),), ("small",)),
    }
    organisation = Organisation(
        parties={
            "own": Entity(name="Acme Bank", lei=BANK, country="DE"),
            "ms-group": Entity(name="Microsoft Corporation", lei=MS_CORP, country="US"),
            "oracle": Entity(name="Oracle 日本", country="JP"),
        },
        functions={
            "F1": Function(title="Support", criticality="critical", impact="high"),
            "code": Function(impact="low"),
            "F3": Function(),
        },
    )
    bonds = bind(every, known, organisation, DAY)
    return Ground(
        register=known, organisation=organisation, table=Table({d.name: d for d in every}, routes), bonds=bonds
    )  # fmt: skip


ENTRIES = [
    *(call("2026-09-01", "1.005", function="F1") for _ in range(9)),
    call("2026-09-01", "1", function="F1", contract="", seller="own", host="own", deployment="small"),
    call("2026-09-01", "1", function="F1", error="upstream_fault", contract="", seller="own", host="own"),
    *(call("2026-09-02", "0.1", function="code", asked="safe") for _ in range(3)),
    *(call("2026-09-02", function="code", contract="", seller="own", host="own") for _ in range(2)),
    call("2025-10-31", "100", function="F1"),
    call("2026-09-03", currency="", function="F1", purpose="shadow"),
]


async def filled(store: Store, *versions: Version, **more: Any) -> Register:
    return await fill(store, ground(*versions), DAY, **more)


def cell(found: Register, template: str, column: str, row: int = 0) -> Cell:
    return next(it for it in found.templates if it.id == template).rows[row].cells[column]


async def test_every_cell_has_a_column_an_origin_and_a_reason(store: Store) -> None:
    await written(store, ENTRIES)
    found = await filled(store, contract("ms", TERMS, party=PARTY, term=NOTICE))
    assert [(it.id, len(it.columns)) for it in found.templates] == [
        ("B_02.01", 5), ("B_02.02", 18), ("B_05.01", 12), ("B_05.02", 7), ("B_07.01", 12),
    ]  # fmt: skip
    cells = [(f"{it.id}.{code}", row.cells[code]) for it in found.templates for row in it.rows for code in row.cells]
    assert len(cells) > 100
    for place, it in cells:
        assert it.how, place
        assert (it.value == "") == (it.origin in ("missing",) or (it.origin == "form" and not it.value)), place
        if it.value.startswith("eba_") and not it.value.startswith(("eba_GA:", "eba_CU:")):
            assert it.value in LABELS, place
    said = " ".join(it.how for _, it in cells) + " ".join(found.notes)
    assert "complian" not in said.lower()


async def test_the_contract_and_the_calls_fill_what_they_know(store: Store) -> None:
    await written(store, ENTRIES)
    found = await filled(store, contract("ms", TERMS, party=PARTY, term=NOTICE))
    assert found.currency == "USD" and str(found.year) == "2025-11-01..2026-10-31"
    general = {code: it.value for code, it in found.templates[0].rows[0].cells.items()}
    # 9 x 1.005 and 3 x 0.1 under the contract in the year; a year and a day ago does not count
    assert general == {"0010": "ms", "0020": "eba_CO:x1", "0030": "", "0040": "eba_CU:USD", "0050": "9.34"}
    assert "1 outcomes at no known price" in cell(found, "B_02.01", "0050").how
    specific = found.templates[1].rows
    assert [row.about for row in specific] == ["ms, F1", "ms, F1", "ms, code", "ms, code"]
    values = {code: it.value for code, it in specific[0].cells.items()}
    assert values == {
        "0010": "ms", "0020": BANK, "0030": MS_IRELAND, "0040": "eba_qCO:qx2000", "0050": "F1", "0060": "eba_TA:S18",
        "0070": "2026-01-01", "0080": "2027-12-31", "0090": "", "0100": "90", "0110": "180", "0120": "eba_GA:IE",
        "0130": "eba_GA:IE", "0140": "eba_BT:x28", "0150": "eba_GA:SE", "0160": "eba_GA:NL", "0170": "eba_ZZ:x792",
        "0180": "eba_ZZ:x797",
    }  # fmt: skip
    # F1: 9 of 10 good requests went there, none has a second target: full. code: 3 of 5, and all have one: material.
    assert specific[1].cells["0150"].value == "eba_GA:FR"
    assert specific[2].cells["0180"].value == "eba_ZZ:x796"
    assert "90% of 10 requests of F1" in specific[0].cells["0180"].how
    assert "not measured" in specific[0].cells["0180"].how
    named = specific[2].cells["0050"]
    assert (named.value, named.origin) == ("", "missing") and "function code" in named.how


async def test_providers_and_chains_are_those_that_contracts_name(store: Store) -> None:
    await written(store, ENTRIES)
    found = await filled(store, contract("ms", TERMS, party=PARTY, term=NOTICE))
    providers = next(it for it in found.templates if it.id == "B_05.01").rows
    assert [row.about for row in providers] == ["microsoft", "oracle", "cloudflare", "ms-group"]
    microsoft, oracle, cloudflare, corporation = ({c: it.value for c, it in row.cells.items()} for row in providers)
    assert microsoft["0050"] == "Microsoft Ireland Operations Ltd" and microsoft["0110"] == MS_CORP
    assert (microsoft["0090"], microsoft["0100"]) == ("eba_CU:USD", "9.34")
    assert (oracle["0010"], oracle["0050"], oracle["0060"], oracle["0080"]) == ("", "Oracle 日本", "", "eba_GA:JP")
    assert cloudflare["0050"] == "" and corporation["0010"] == corporation["0110"] == MS_CORP
    chain = next(it for it in found.templates if it.id == "B_05.02").rows
    assert [(row.about, row.cells["0050"].value, row.cells["0060"].value) for row in chain] == [
        ("ms, microsoft", "1", ""), ("ms, oracle", "2", MS_IRELAND), ("ms, cloudflare", "2", MS_IRELAND),
    ]  # fmt: skip


async def test_what_would_take_its_place_is_read_from_routes_and_never_called_easy(store: Store) -> None:
    await written(store, ENTRIES)
    terms = contract("ms", TERMS, party=PARTY, term=NOTICE)
    found = await filled(store, terms)
    row = found.templates[4].rows[0].cells
    # 3 of 12 requests have our own model behind them
    assert row["0050"].value == "eba_ZZ:x960" and "3 of 12 requests" in row["0050"].how
    assert row["0060"].origin == "missing"
    assert (row["0070"].value, row["0100"].value) == ("2026-03-01", "eba_ZZ:x793")
    assert (row["0110"].value, row["0120"].value) == ("eba_BT:x28", "our own models")
    assert row["0080"].origin == row["0090"].origin == "missing"
    assert all("not measured" in row[code].how for code in ("0050", "0060", "0090", "0110", "0120"))


async def test_nothing_is_invented_where_nobody_says(store: Store) -> None:
    await written(store, [call("2026-09-01", contract="elsewhere")])
    plain, partner = contract("ms"), contract("p", kind="partner", supplier="openai")
    found = await filled(store, plain, partner)
    assert len(found.templates[1].rows) == 1
    empty = {code for code, it in found.templates[1].rows[0].cells.items() if it.origin == "missing"}
    assert empty == {"0030", "0040", "0050", "0060", "0100", "0110", "0120", "0130", "0140", "0150", "0160", "0170",
                     "0180"}  # fmt: skip
    assert cell(found, "B_02.02", "0080").value == "9999-12-31"
    assert cell(found, "B_07.01", "0050").origin == cell(found, "B_07.01", "0110").origin == "missing"
    assert cell(found, "B_02.01", "0050").value == "0.00"
    assert any(note.startswith("p is left out") for note in found.notes)
    assert any("elsewhere" in note for note in found.notes)
    stated = contract("ms", '[dora]\nreliance = "low"\nfunctions = ["F3"]\n[data]\nzero_retention = true\n')
    found = await filled(store, stated)
    row = found.templates[1].rows[0].cells
    assert (row["0180"].value, row["0180"].origin) == ("eba_ZZ:x795", "contract")
    assert (row["0050"].value, row["0140"].value, row["0150"].value) == ("F3", "eba_BT:x29", "eba_GA:qx2007")
    assert row["0170"].origin == "form"


async def test_the_files_say_where_each_cell_is_from(store: Store) -> None:
    await written(store, ENTRIES)
    found = await filled(store, contract("ms", TERMS, party=PARTY, term=NOTICE), currency="USD")
    data = package(found)
    assert data == package(found)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name.partition("/")[2]: archive.read(name).decode() for name in archive.namelist()}
    assert set(files) == {
        "README.txt", "origins.csv", "META-INF/reportPackage.json", "reports/report.json", "reports/parameters.csv",
        "reports/FilingIndicators.csv", *(f"reports/{id.lower()}.csv" for id in TEMPLATES),
    }  # fmt: skip
    assert files["reports/b_02.01.csv"] == "c0010,c0020,c0030,c0040,c0050\r\nms,eba_CO:x1,,eba_CU:USD,9.34\r\n"
    assert f"entityID,rs:{BANK}.IND\r\n" in files["reports/parameters.csv"]
    assert (
        "B_02.01,true\r\n" in files["reports/FilingIndicators.csv"]
        and "B_06.01,false" in files["reports/FilingIndicators.csv"]
    )
    assert "This is no filing" in files["README.txt"]
    told = list(csv.DictReader(io.StringIO(files["origins.csv"], newline="")))
    assert tuple(told[0]) == ORIGINS and len(told) == len(origins(found))
    for template in found.templates:
        rows = list(csv.DictReader(io.StringIO(table(template).decode(), newline="")))
        for number, row in enumerate(rows, 1):
            of = [it for it in told if it["template"] == template.id and it["row"] == str(number)]
            assert {it["column"][-4:]: it["value"] for it in of} == {name[1:]: value for name, value in row.items()}


def test_countries_of_regions() -> None:
    assert [country(it) for it in ("swedencentral", "Sweden Central", "eu-central-1", "DE", "uk", "eu", "mars")] == [
        "SE", "SE", "DE", "DE", "GB", "", "",
    ]  # fmt: skip
