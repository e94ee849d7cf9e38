"""`freehold settle`, `chargeback` and `report` over a real store: without the vendors' keys, and without a server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from tests.unit.exits.calls import call, written

from freehold import access, store
from freehold.app.main import main

CONFIG = """[store]
url = "sqlite:///s.db"
[contracts]
include = ["contracts/*.toml"]
revenue = "revenue.csv"
[functions.F1]
title = "Support"
routes = ["assistant"]
[deployments.gpt]
kind = "azure"
endpoint = "https://acme.example"
key = { env = "NOT_SET_HERE" }
model = "gpt-4o"
maker = "openai"
seller = "microsoft"
host = "microsoft"
contract = "ms"
[routes.assistant]
deployments = ["gpt"]
"""
CONTRACT = """schema = "freehold.contract/1"
id = "ms"
kind = "hosted-model"
title = "Frame contract"
[party]
supplier = "microsoft"
[term]
start = 2026-01-01
[sla]
uptime = "99.9"
[[revenue_share]]
id = "resale"
payer = "customer"
basis = "gross_revenue"
pct = "10"
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with contracts, revenue and a ledger, made once."""
    home = tmp_path_factory.mktemp("settle")
    (home / "contracts").mkdir()
    (home / "contracts" / "ms.toml").write_text(CONTRACT)
    (home / "freehold.toml").write_text(CONFIG)
    (home / "revenue.csv").write_text("period,product,currency,gross\n2026-07,assistant,USD,1000.05\n")

    async def fill() -> None:
        opened = await store.open(f"sqlite:///{home}/s.db")
        team = (await access.create_team(opened, "Research")).id
        entries = [call("2026-07-01", "1.25", team=team, function="F1"), call("2026-07-02", "2", team="")]
        await written(opened, entries)
        await opened.close()

    asyncio.run(fill())
    return home


@pytest.fixture(autouse=True)
def filled(here: Path, shelf: Path) -> None:
    shutil.copytree(shelf, here, dirs_exist_ok=True)


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    done = capsys.readouterr()
    return json.loads(done.out if code == 0 else done.err)


def test_a_quarter_is_settled_as_a_table_and_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settle", "2026Q3"]) == 0
    shown = capsys.readouterr().out
    assert "ms  Frame contract, terms " in shown and "use               gpt gpt-4o" in shown
    assert "we owe 103.25 USD, we are owed 0.00 USD: net 103.25 USD" in shown  # 3.25, and 100.005 goes to the even cent
    assert "Each line is rounded once, half to even" in shown
    found = told(capsys, "settle", "2026Q3", "--contract", "ms")
    assert [line["due"] for line in found["statements"][0]["lines"]] == ["3.25", "100.00"]
    told_ = told(capsys, "settle", "2026Q3", "--contract", "nope", code=1)
    assert told_["error"]["code"] == "not_found"


def test_a_file_of_revenue_may_be_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "other.csv").write_text("period,product,currency,gross\n2026Q3,assistant,USD,50\n")
    found = told(capsys, "settle", "2026Q3", "--revenue", "other.csv")
    assert found["statements"][0]["lines"][1]["due"] == "5.00"
    (here / "other.csv").write_text("period,product,currency,gross\n2026Q3,assistant,USD,fifty\n")
    assert main(["settle", "2026Q3", "--revenue", "other.csv"]) == 3
    assert "other.csv, line 2: 'fifty' is no amount" in capsys.readouterr().err
    assert main(["settle", "2026Q3", "--revenue", "nowhere.csv"]) == 3
    assert "nowhere.csv cannot be read" in capsys.readouterr().err


def test_files_are_written_whole_and_never_over_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settle", "2026Q3", "-o", "q3.pdf"]) == 0
    assert "q3.pdf: 2 lines" in capsys.readouterr().out
    words = pypdfium2.PdfDocument(here / "q3.pdf")[0].get_textpage().get_text_range()
    assert "Settlement 2026Q3" in words and "103.25 USD" in words
    assert main(["settle", "2026Q3", "-o", "q3.pdf"]) == 2
    assert "q3.pdf exists" in capsys.readouterr().err
    assert main(["settle", "2026-07", "-o", "q3.pdf", "--force"]) == 0
    assert main(["settle", "2026Q3", "-o", "q3.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO((here / "q3.csv").read_text(), newline="")))
    assert [row["due"] for row in rows] == ["3.25", "100.00"]
    assert sorted(path.name for path in here.glob("*q3*")) == ["q3.csv", "q3.pdf"]
    capsys.readouterr()
    assert main(["settle", "2026Q3", "--format", "csv", "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith("contract,contract_hash,supplier")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("settle", "later"), "'later' is no period"),
        (("settle", "2026Q3", "-o", "q3.doc"), "does not say the format"),
        (("settle", "2026Q3", "--format", "pdf"), "pdf is no text to show"),
        (("settle", "2026Q3", "--format", "table", "-o", "x.csv"), "a table is for the screen"),
        (("report", "focus", "2026Q3"), "-o/--output"),
        (("settle", "2026Q3", "-o", "none/q3.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    assert main(list(words)) in (1, 2)
    assert said in capsys.readouterr().err


def test_teams_and_functions_are_charged_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chargeback", "2026Q3"]) == 0
    shown = capsys.readouterr().out
    assert "Research  ms" in shown and "(none)    ms" in shown
    found = told(capsys, "chargeback", "2026Q3", "--by", "function", "--shortfall")
    assert [(line["name"], line["due"]) for line in found["charges"]] == [("Support", "1.25"), (None, "2.00")]
    assert main(["chargeback", "2026Q3", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split(",")[1:3] == ["Research", "ms"]


def test_reports_for_finance_and_for_a_regulator(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "focus", "2026Q3", "-o", "focus.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO((here / "focus.csv").read_text(), newline="")))
    assert {row["SubAccountName"] for row in rows} == {"Research", ""}
    assert main(["report", "focus", "2026Q3", "-o", "focus.parquet"]) == 0
    assert (here / "focus.parquet").read_bytes()[:4] == b"PAR1"
    assert main(["report", "dora", "--on", "2026-11-01", "-o", "dora.zip"]) == 0
    with zipfile.ZipFile(here / "dora.zip") as archive:
        assert "register-2026-11-01/origins.csv" in archive.namelist()
    capsys.readouterr()
    assert main(["report", "dora", "--on", "2026-11-01"]) == 0
    shown = capsys.readouterr().out
    assert "B_07.01  Assessment of the ICT services" in shown and "not measured" in shown
    found = told(capsys, "report", "dora", "--on", "2026-11-01")
    assert found["templates"][0]["rows"][0]["cells"]["0050"]["value"] == "3.25"
