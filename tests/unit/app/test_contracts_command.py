"""`freehold contracts list|show|diff|schema`, and what they say of the examples."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.app.main import main
from freehold.app.reference_contracts import SAMPLE
from freehold.app.wiring import bonds, tables
from freehold.contracts.fields import sources, stated
from freehold.contracts.register import Register
from freehold.contracts.register import load as load_contracts
from freehold.contracts.schema import schema

EXAMPLES = Path(__file__).resolve().parent.parent.parent.parent / "examples"
HOUSES = ("acme", "partnership/openai", "partnership/microsoft")
NEXT = re.sub("vendor-2026", "vendor-2027", SAMPLE, count=1).replace('supersedes = ""', 'supersedes = "vendor-2026"')
NEXT = NEXT.replace("start = 2026-01-01\nend = 2026-12-31\nren", "start = 2027-01-01\nend = 2027-12-31\nren")
NEXT = NEXT.replace('"1.25"', '"1.50"').replace("customer = 90", "customer = 180")


@pytest.fixture
def two(here: Path) -> Path:
    """A house with two versions of a contract. It names a key that nobody has set: terms are read without."""
    (here / "contracts").mkdir()
    (here / "contracts" / "a.toml").write_text(SAMPLE, "utf-8")
    (here / "contracts" / "b.toml").write_text(NEXT, "utf-8")
    config = (
        '[contracts]\ninclude = ["contracts/*.toml"]\n[deployments.d]\nkind = "openai"\nkey = { env = "NOT_SET" }\n'
    )
    (here / "freehold.toml").write_text(config, "utf-8")
    return here


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["contracts", *arguments]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(run(capsys, *arguments, "--json"))


def test_a_list_shows_what_stands(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["id"]: row for row in told(capsys, "list", "--on", "2026-11-01")}
    assert rows["vendor-2026"]["state"] == "active" and rows["vendor-2027"]["state"] == "future"
    assert rows["vendor-2026"]["renews"] is False, "its successor takes over"
    assert rows["vendor-2027"]["notice_by"] == "2027-07-04"
    assert [row["id"] for row in told(capsys, "list", "--on", "2027-01-01")] == ["vendor-2027"]
    assert len(told(capsys, "list", "--on", "2027-01-01", "--all")) == 2
    assert "2027-12-31, renews" in run(capsys, "list", "--on", "2027-01-01")


def test_a_page_tells_all_terms_and_what_nobody_says(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "show", "vendor-2027", "--on", "2027-01-01")
    assert text.splitlines()[0].startswith("Vendor's models, yearly (vendor-2027, version 2026.1, ")
    assert "notice is in time until 2027-07-04 (in 184 days)" in text
    assert "with notice given now we are free from 2028-01-01" in " ".join(text.split())
    assert "* vendor-2027" in text and "  vendor-2026                 2026-01-01 to 2026-12-31, superseded" in text
    price = "vendor-large*: input 1.5, cached 0.125, output 10 USD per 1,000,000 tokens, batch x 0.5 [1]"
    assert price in " ".join(text.split())
    assert "[1]   2025-12-11: order form 4711" in text
    assert re.search(r"not stated +benchmark publication, acceptable use, moderation owner", text)
    page = told(capsys, "show", "vendor-2027", "--on", "2027-01-01")
    assert page["dates"]["free_from"] == "2028-01-01" and page["contract"]["price"][0]["input"] == "1.50"
    fields = {line["field"] for section in page["sections"] for line in section["lines"]}
    assert {"party.supplier", "term.end", "commitment.0", "price.0", "data.regions"} <= fields


def test_a_contract_is_compared_with_the_one_that_it_supersedes(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "diff", "vendor-2027")
    assert (found["old"]["id"], found["new"]["id"]) == ("vendor-2026", "vendor-2027")
    assert [change["field"] for change in found["changes"]] == [
        "term.start", "term.end", "term.notice_days.customer", "price[* vendor-large*].input",
    ]  # fmt: skip
    text = run(capsys, "diff", "vendor-2027")
    assert "    = dearer by 20 %; worse for us" in text and "4 terms differ; for us 0 better, 2 worse" in text
    assert "no term differs" in run(capsys, "diff", "vendor-2026", "vendor-2026")
    back = told(capsys, "diff", "vendor-2027", "vendor-2026")
    assert {change["means"] for change in back["changes"]} > {"cheaper by 16.7 %", "we may decide 90 days later"}
    assert "vendor-2026 supersedes nothing" in run(capsys, "diff", "vendor-2026", code=1)


def test_a_file_is_compared_with_what_is_on_file(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What an edit changes is seen before it is put in force."""
    (two / "draft.toml").write_text(NEXT.replace("retention_days = 30\nhuman", "retention_days = 0\nhuman"), "utf-8")
    found = told(capsys, "diff", "draft.toml")
    assert [change["field"] for change in found["changes"]] == ["data.retention_days"]
    assert found["new"]["path"] == "draft.toml" and found["old"]["id"] == found["new"]["id"] == "vendor-2027"
    assert "retention days" in run(capsys, "show", "draft.toml")
    (two / "broken.toml").write_text(NEXT.replace("retention_days", "retention_day"), "utf-8")
    assert "did you mean retention_days?" in run(capsys, "show", "broken.toml", code=3)


def test_what_is_wrong_is_told_all_at_once(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean vendor-2027?" in run(capsys, "show", "vendor-2072", code=1)
    (two / "contracts" / "c.toml").write_text(SAMPLE.replace("amount =", "amonut ="), "utf-8")
    said = run(capsys, "list", code=3)
    assert "did you mean amount?" in said and re.search(r"c\.toml:\d+: commitment\.0\.amount: is missing", said)
    assert "'vendor-2026' is also the id in" in said
    assert run(capsys, "list", "--on", "soon", code=2)
    shutil.rmtree(two / "contracts")
    assert "matches no file" in run(capsys, "list", code=3)
    (two / "freehold.toml").unlink()
    assert told(capsys, "list") == []


def test_the_schema_is_the_published_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(capsys, "schema")) == json.loads(json.dumps(schema()))
    assert "## `[[revenue_share]]`" in run(capsys, "schema", "--markdown")


# ---- the examples


@pytest.fixture
def copied(here: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of an example to stand in."""
    shutil.copytree(EXAMPLES / request.param, here / "example")
    monkeypatch.chdir(here / "example")
    return here / "example"


def register(house: str) -> Register:
    return load_contracts(sorted((EXAMPLES / house / "contracts").glob("*.toml")))


@pytest.mark.parametrize("copied", HOUSES, indirect=True)
def test_lint_finds_no_error_in_an_example(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contracts", "lint", "--no-ledger", "--on", "2026-11-24", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["error"] == 0 and found["findings"]


@pytest.mark.parametrize("copied", ["acme"], indirect=True)
def test_acme_is_a_house_that_can_be_run(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = set(re.findall(r'env = "([A-Z_]+)"', (copied / "freehold.toml").read_text("utf-8")))
    config = load(None, Environment(dict.fromkeys(keys, "sk-example")), copied)
    table, _, _ = tables(config)
    bound, day = bonds(config, table), 1_795_000_000_000_000_000  # in November 2026
    allowed = {
        name: [word for word in ("internal", "personal", "special") if not bound.refusal(deployment, word, "", day)]
        for name, deployment in table.deployments.items()
    }
    assert allowed == {
        "openai-gpt": ["internal"], "azure-gpt": ["internal", "personal"], "azure-reserved": ["internal", "personal"],
        "foundry-grok": ["internal"], "own-small": ["internal", "personal", "special"],
    }  # fmt: skip
    azure = next(version for version in config.register.versions if version.contract.id == "ms-ea-2026")
    deployments = {name: deployment.contract for name, deployment in table.deployments.items()}
    counted = config.register.counts(azure, azure.contract.commitment[0], deployments)
    assert counted == ("azure-gpt", "azure-reserved", "foundry-grok"), "a rival's model counts, for it is sold there"
    assert config.policies["sharper"].dry_run and config.contracts.revenue is not None
    assert main(["contracts", "lint", "--no-ledger", "--on", "2026-11-24", "--json"]) == 0
    codes = {finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert {"renewal_without_owner", "notice_open", "price_expired", "equity"} <= codes


@pytest.mark.parametrize("house", HOUSES)
def test_an_example_is_as_the_schema_says(house: str) -> None:
    check = jsonschema.Draft202012Validator(schema())
    for path in sorted((EXAMPLES / house / "contracts").glob("*.toml")):
        check.validate(json.loads(json.dumps(tomllib.loads(path.read_text("utf-8")), default=str)))
        first = path.read_text("utf-8").splitlines()[0]
        published = (path.parent / first.removeprefix("#:schema ")).resolve()
        assert published == EXAMPLES.parent / "docs" / "reference" / "contract.schema.json" and published.is_file()


_STRUCTURE = re.compile(
    r"schema|id|version|title|kind|status|supersedes|note|source\..*|(commitment|revenue_share)\.\d+\.id"
)


@pytest.mark.parametrize("house", HOUSES[1:])
def test_every_value_of_the_partnership_has_a_source(house: str) -> None:
    """What is no name of our own for a thing was said by somebody, somewhere."""
    for version in register(house).versions:
        contract = version.contract
        said = [where for where, _ in stated(contract) if not _STRUCTURE.fullmatch(where)]
        assert said and [where for where in said if not sources(contract, where)] == [], version.path
        for source in contract.source:
            assert source.text and re.search(r"https://\S+\.\S+", source.source), version.path


def test_both_sides_of_the_partnership_say_the_same() -> None:
    ours, theirs = register("partnership/openai"), register("partnership/microsoft")
    turned = {"customer": "supplier", "supplier": "customer", "us": "supplier"}
    for version in ours.chain("microsoft-2026-04"):
        mine = version.contract
        found = theirs.get(mine.id.replace("microsoft", "openai"))
        assert found is not None
        other = found.contract
        assert (mine.term, mine.chain) == (other.term, other.chain)
        assert mine.exclusivity.granted_to_supplier == other.exclusivity.granted_to_us
        assert mine.exclusivity.granted_to_us == other.exclusivity.granted_to_supplier
        assert mine.exclusivity.first_availability == other.exclusivity.first_availability
        for one, two in zip(mine.revenue_share, other.revenue_share, strict=True):
            assert (one.id, one.pct, one.cap_total, one.until) == (two.id, two.pct, two.cap_total, two.until)
            assert turned[one.payer] == two.payer
        for right, same in zip(mine.exclusivity.first_refusal, other.exclusivity.first_refusal, strict=True):
            assert (right.holder, same.holder) == ("supplier", "us") and right.scope == same.scope
    assert len(ours.chain("microsoft-2026-04")) == len(theirs.chain("openai-2026-04")) == 6
