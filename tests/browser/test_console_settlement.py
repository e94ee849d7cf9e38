"""Settlement on the console, in a real browser: what is owed is what was called, files are had, cells say where they
are from, and nobody is left out."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Hall, Person, opened

Axe = Callable[[Page], list[str]]
TODAY = datetime.now(UTC).date()
MONTH = f"{TODAY:%Y-%m}"
FRAME = f"""schema = "freehold.contract/1"
id = "frame-2026"
title = "Frame contract"
kind = "model-api"
[party]
supplier = "vendor-openai"
[term]
start = {TODAY - timedelta(days=40)}
[[commitment]]
id = "year"
type = "spend"
amount = "1000"
start = {TODAY - timedelta(days=40)}
end = {TODAY + timedelta(days=300)}
[[revenue_share]]
id = "resale"
payer = "supplier"
basis = "net_revenue"
pct = "20"
tiers = [{{ over = "100", pct = "15" }}]
cap_total = "30"
[dora]
service_type = "S18"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    home = tmp_path_factory.mktemp("settlement")
    (home / "contracts").mkdir()
    (home / "contracts" / "frame.toml").write_text(FRAME)
    (home / "revenue.csv").write_text(f"day,product,currency,net\n{TODAY},gpt,USD,150\n")
    tables = (
        '[contracts]\ninclude = ["contracts/*.toml"]\nrevenue = "revenue.csv"\n[functions.F1]\ntitle = "Claims"\n'
        'criticality = "critical"\nroutes = ["gpt"]\n[parties.own]\nlei = "529900T8BM49AURSDO55"\n'
    )
    with opened(home, tables) as hall:
        yield hall


@pytest.fixture
def auditor(person: Any, house: Hall) -> Person:
    made: Person = person("auditor", where=house)
    made.talked("What is owed?")
    return made


def there(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Settlement")
    expect(page.locator(".waiting")).to_have_count(0)


def saved(page: Page, button: str, item: str = "") -> bytes:
    """What the browser saves when that is pressed."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
        if item:
            page.get_by_role("menuitem", name=item).click()
    return Path(download.value.path()).read_bytes()


def test_what_is_owed_is_what_was_called_and_shared(auditor: Person) -> None:
    page = auditor.page(f"/console/settlement?period={MONTH}").page
    there(page)
    lines = page.get_by_role("table", name="Lines of frame-2026")
    use, share = (
        lines.get_by_role("row").filter(has_text="gpt gpt-4o"),
        lines.get_by_role("row").filter(has_text="resale"),
    )
    told = auditor.ask("GET", f"/api/admin/settlement?period={MONTH}")["settlement"]["statements"][0]
    usage = next(line for line in told["lines"] if line["kind"] == "usage")
    expect(use.get_by_role("cell").nth(2)).to_have_text(f"USD {usage['due']}")
    # 20 % of 100 and 15 % of 50
    expect(share.get_by_role("cell").nth(3)).to_have_text("USD 27.50")
    expect(share).to_contain_text("15 % of USD 50.00 above USD 100.00: USD 7.50")
    expect(share).to_contain_text("USD 27.50 of USD 30.00")
    expect(page.locator(".drawn")).to_contain_text("year")
    use.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    entries = page.get_by_role("table", name="Entries").get_by_role("row")
    expect(entries).to_have_count(usage["attempts"] + 1)
    page.go_back()
    there(page)
    paper = pypdfium2.PdfDocument(saved(page, "Download the statement on frame-2026", "As PDF"))
    words = paper[0].get_textpage().get_text_range()
    assert "Frame contract" in words and "27.50 USD" in words
    rows = list(csv.DictReader(io.StringIO(saved(page, "Download all", "As CSV").decode(), newline="")))
    assert [row["due"] for row in rows if row["kind"] == "share"] == ["27.50"]
    page.goto("/console/audit")
    expect(page.get_by_role("table")).to_contain_text("settlement.export")


def test_another_period_is_asked_for_and_one_that_is_none_is_refused(auditor: Person, watch: Any) -> None:
    watch.allow("400")
    page = auditor.page("/console/settlement").page
    there(page)
    field = page.get_by_label("Period")
    field.fill("last year")
    field.press("Tab")
    expect(page.get_by_role("alert")).to_contain_text("is no period")
    field.fill(str(TODAY))
    field.press("Tab")
    expect(page.get_by_role("table", name="Lines of frame-2026")).to_be_visible()
    expect(page.get_by_text("The period is not over")).to_be_visible()


def test_teams_and_functions_owe_inside_the_house(auditor: Person) -> None:
    page = auditor.page(f"/console/settlement?period={MONTH}&view=chargeback").page
    there(page)
    table = page.get_by_role("table", name="Chargeback")
    expect(table).to_contain_text("without a team")
    page.get_by_role("radio", name="Function").check(force=True)
    expect(table.get_by_role("row").nth(1)).to_contain_text("Claims")
    expect(table.get_by_role("columnheader", name="Not met")).to_have_count(0)
    page.get_by_label("With commitments that were not met").check(force=True)
    expect(table.get_by_role("columnheader", name="Not met")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(saved(page, "Download", "As CSV").decode(), newline="")))
    assert rows[0]["name"] == "Claims" and rows[0]["contract"] == "frame-2026"


def test_files_are_had_and_cells_say_where_they_are_from(auditor: Person) -> None:
    page = auditor.page(f"/console/settlement?period={MONTH}&view=files").page
    there(page)
    template = page.locator(".template").filter(has=page.get_by_role("heading", name="B_02.02"))
    template.locator("summary").first.click()
    cells = template.get_by_role("table").first.get_by_role("row")
    expect(cells).to_have_count(19)
    identifier = cells.filter(has_text="LEI of the entity making use")
    expect(identifier).to_contain_text("529900T8BM49AURSDO55")
    expect(identifier).to_contain_text("Configuration")
    expect(cells.filter(has_text="Level of reliance")).to_contain_text("not measured")
    expect(cells.filter(has_text="Notice period for the financial entity")).to_contain_text("Missing")
    with zipfile.ZipFile(io.BytesIO(saved(page, "Download as ZIP"))) as archive:
        assert any(name.endswith("reports/b_02.02.csv") for name in archive.namelist())
    rows = list(csv.DictReader(io.StringIO(saved(page, "Download FOCUS", "As CSV").decode(), newline="")))
    assert {row["BillingAccountId"] for row in rows if row["ResourceId"] == "gpt"} == {"frame-2026"}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_settlement_excludes_nobody(auditor: Person, axe: Axe, scheme: str, width: int) -> None:
    page = auditor.page(color_scheme=scheme, viewport={"width": width, "height": 844}).page
    for view in ("", "&view=chargeback&shortfall=true", "&view=files"):
        page.goto(f"/console/settlement?period={MONTH}{view}")
        there(page)
        if view == "&view=files":
            page.locator("summary").first.click()
        assert axe(page) == [], view
        wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], view
