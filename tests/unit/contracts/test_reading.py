"""What a contract file may say, and that all that is wrong with all files is told at once, where it stands."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.app.reference_contracts import SAMPLE
from freehold.contracts.checks import lei_faulty
from freehold.contracts.faults import ContractsFaulty, Problem
from freehold.contracts.reading import parse_text, places
from freehold.contracts.register import load, read, schema

HEAD = 'schema = "freehold.contract/1"\nid = "{id}"\nkind = "model-api"\n{head}\n'
REST = '[party]\nsupplier = "openai"\n[term]\nstart = 2026-01-01\n{term}\n{tables}'


def text(tables: str = "", *, id: str = "deal", head: str = "", term: str = "") -> str:
    return HEAD.format(id=id, head=head) + REST.format(term=term, tables=tables)


def faults(written: str) -> dict[str, tuple[str, str]]:
    """Return what is wrong by field."""
    _, problems = parse_text(written, "a.toml")
    assert all(problem.hint and problem.what and problem.file == "a.toml" for problem in problems)
    return {problem.where: (problem.what, problem.hint) for problem in problems}


def files(folder: Path, **written: str) -> list[Path]:
    for name, each in written.items():
        (folder / f"{name}.toml").write_text(each, "utf-8")
    return [folder / f"{name}.toml" for name in written]


def problems(paths: list[Path]) -> list[Problem]:
    with pytest.raises(ContractsFaulty) as caught:
        load(paths)
    assert all(str(problem) in caught.value.message for problem in caught.value.problems)
    return list(caught.value.problems)


def test_little_has_to_be_stated() -> None:
    contract = read(text(), "a.toml")
    assert (contract.id, contract.status, contract.term.start) == ("deal", "active", date(2026, 1, 1))
    assert contract.data.classes_allowed == ("public", "internal", "confidential")


def test_the_sample_of_the_reference_is_a_contract() -> None:
    contract = read(SAMPLE, "sample.toml")
    assert contract.price[0].cached_input == Decimal("0.125")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"1.25"', "1.25"),
        ("1.25", "1.25"),
        ("3", "3"),
        ('"3"', "3"),
        ("0.1", "0.1"),
        ('"250_000_000_000"', "250000000000"),
    ],
)
def test_money_is_exact_however_it_is_written(written: str, value: str) -> None:
    dates = "start = 2026-01-01\nend = 2026-12-31"
    table = f'[[commitment]]\nid = "year"\ntype = "spend"\n{dates}\namount = {written}'
    amount = read(text(table), "a.toml").commitment[0].amount
    assert isinstance(amount, Decimal) and amount == Decimal(value)


@pytest.mark.parametrize(
    ("input", "what"),
    [
        ("true", "must be a number, not true or false"),
        ('"1,25"', "'1,25' is not an exact number"),
        ('"$1"', "'$1' is not an exact number"),
        ('"1e6"', "'1e6' is not an exact number"),
        ('""', "'' is not an exact number"),
        ("nan", "NaN is too large"),
        ("inf", "Infinity is too large"),
        ("1e300", "1E+300 is too large"),
        ('"0.0000000001"', "0.0000000001 has more than 9 decimals"),
        ("[1]", "must be a number, not a list"),
        ('"-1"', "-1 is below 0"),
    ],
)
def test_what_is_no_exact_amount_is_refused(input: str, what: str) -> None:
    assert faults(text(f"[[price]]\ninput = {input}"))["price.0.input"][0] == what


@pytest.mark.parametrize(
    ("written", "where", "what", "hint"),
    [
        (text(head='ownr = "x"'), "ownr", "no such field", "did you mean owner?"),
        (text("[dta]\nx = 1"), "dta", "no such field", "did you mean data?"),
        (text(term="exit = { erasur = 1 }"), "term.exit.erasur", "no such field", "did you mean erasure?"),
        (text().replace("model-api", "model"), "kind", "'model' is none of", "did you mean model-api?"),
        (text("[data]\nhuman_review = true"), "data.human_review", "true or false is none of", 'write "yes" or "no"'),
        (text('[data]\nclasses_allowed = ["persnal"]'), "data.classes_allowed.0", "'persnal' is none of", "personal?"),
        (text('[data]\nclasses_allowed = "public"'), "data.classes_allowed", "must be a list, not text", "in [ ]"),
        (text("[commitment]\nid = 'x'"), "commitment", "must be a list, not a table", "write [[commitment]]"),
        (text(head="version = 2"), "version", "must be text, not a whole number", "put it in quotes"),
        (text("[data]\nzero_retention = 'yes'"), "data.zero_retention", "must be true or false, not text", "without"),
        (text("sla = 3"), "term.sla", "no such field", ""),
        (text("[sla]\nttft_ms = 1.5"), "sla.ttft_ms", "must be a whole number, not a number", ""),
        (text("[sla]\nttft_ms = -1"), "sla.ttft_ms", "-1 is below 0", ""),
        (text(term="end = 2026-12-31T00:00:00"), "term.end", "must be a day, not a time", "write it as 2026-01-31"),
        (text(term='end = "2026-13-01"'), "term.end", "'2026-13-01' is no day", "write it as 2026-01-31"),
        (text(id="a b"), "id", "'a b' is no id", ""),
        (text(id=""), "id", "is empty", ""),
        (text(head='title = "a\\u001b[2J"'), "title", "holds a control character", ""),
        (text().replace("start = 2026-01-01", ""), "term.start", "is missing", "write start = 2026-01-31"),
        (text().replace('kind = "model-api"', ""), "kind", "is missing", 'write kind = "model-api"'),
        (text().replace("contract/1", "contract/2"), "schema", "'freehold.contract/2' is none of", "did you mean"),
    ],
)  # fmt: skip
def test_what_has_not_the_form_is_told_with_its_place(written: str, where: str, what: str, hint: str) -> None:
    _, found = parse_text(written, "a.toml")
    assert [problem.where for problem in found] == [where]
    assert found[0].what.startswith(what) and found[0].hint and hint in found[0].hint


COMMITMENT = '[[commitment]]\nid = "c"\ntype = "{type}"\nstart = 2026-01-01\nend = 2026-12-31\n{more}'
SHARE = '[[revenue_share]]\nid = "s"\npayer = "customer"\nbasis = "net_revenue"\n{more}'
TIERS = "tiers = [{{ above = {}, input = 1, output = 1 }}, {{ above = {}, input = 1, output = 1 }}]"
PRICE = '[[price]]\nmodel = "m"\ninput = "1"\n{more}\n'


@pytest.mark.parametrize(
    ("written", "where"),
    [
        (text(term="end = 2025-12-31"), "term.end"),
        (text(term="notice_given = 2025-12-31"), "term.notice_given"),
        (text(head='status = "in_notice"'), "term.notice_given"),
        (text(head='status = "draft"', term="notice_given = 2026-02-01"), "term.notice_given"),
        (text(term="renewal = { auto = true }"), "term.renewal.auto"),
        (text(term="end = 2026-12-31\nrenewal = { months = 0 }"), "term.renewal.months"),
        (text(term='exit = { charges = "no", charges_until = 2027-01-11 }'), "term.exit.charges_until"),
        (text(head='supersedes = "deal"'), "supersedes"),
        (text(COMMITMENT.format(type="spend", more="")), "commitment.0.amount"),
        (text(COMMITMENT.format(type="spend", more="amount = 0")), "commitment.0.amount"),
        (text(COMMITMENT.format(type="spend", more="amount = 1\nquantity = 1")), "commitment.0.quantity"),
        (text(COMMITMENT.format(type="volume", more="")), "commitment.0.quantity"),
        (text(COMMITMENT.format(type="units", more="quantity = 5")), "commitment.0.unit"),
        (text(COMMITMENT.format(type="volume", more="quantity = 5\namount = 1")), "commitment.0.amount"),
        (text(COMMITMENT.format(type="spend", more="amount = 1\ncounts = []")), "commitment.0.counts"),
        (text(COMMITMENT.format(type="spend", more='amount = 1\ncurrency = "usd"')), "commitment.0.currency"),
        (text(COMMITMENT.format(type="spend", more="amount = 1\n") * 2), "commitment.1.id"),
        (text(COMMITMENT.format(type="spend", more="amount = 1").replace("2026-12", "2025-12")), "commitment.0.end"),
        (text(PRICE.format(more="per = 0")), "price.0.per"),
        (text(PRICE.format(more='batch = "0"')), "price.0.batch"),
        (text(PRICE.format(more='regions = { eu = "-1" }')), "price.0.regions.eu"),
        (text(PRICE.format(more="valid_from = 2026-02-01\nvalid_to = 2026-01-31")), "price.0.valid_to"),
        (text(PRICE.format(more="") * 2), "price.1"),
        (text(PRICE.format(more="valid_to = 2026-06-30") + PRICE.format(more="valid_from = 2026-06-30")), "price.1"),
        (text(PRICE.format(more=TIERS.format(9, 9))), "price.0.tiers.1.above"),
        (text(PRICE.format(more=TIERS.format(0, 9))), "price.0.tiers.0.above"),
        (text("[[limit]]\ntpm = 0"), "limit.0.tpm"),
        (text("[data]\nzero_retention = true\nretention_days = 30"), "data.retention_days"),
        (text('[data]\nclasses_allowed = ["public", "public"]'), "data.classes_allowed"),
        (text(SHARE.format(more="")), "revenue_share.0.pct"),
        (text(SHARE.format(more="cap_total = 5")), "revenue_share.0.pct"),
        (text(SHARE.format(more='pct = "120"')), "revenue_share.0.pct"),
        (text(SHARE.format(more="pct = 20\nuntil = 2025-01-01")), "revenue_share.0.until"),
        (text(SHARE.format(more="tiers = [{ over=5, pct=1 }, { over=4, pct=2 }]")), "revenue_share.0.tiers.1.over"),
        (text(SHARE.format(more="pct = 20\ncap_total = -1")), "revenue_share.0.cap_total"),
        (text("[sla]\nuptime = 101"), "sla.uptime"),
        (text("[sla]\ncredits = [{ below = 99, pct = 10 }, { below = 99, pct = 20 }]"), "sla.credits.1.below"),
        (text().replace("[party]", '[party]\ncountry = "Ireland"'), "party.country"),
        (text().replace("[party]", '[party]\nlei = "5493001KJTIIGC8Y1R13"'), "party.lei"),
        (text('[[source]]\nat = "term.ende"\nsource = "x"\ndate = 2026-01-01'), "source.0.at"),
        (text('[[source]]\nat = "price.0"\nsource = "x"\ndate = 2026-01-01'), "source.0.at"),
        (text('[exclusivity]\nfirst_refusal = [{ holder = "us", scope = "" }]'), "exclusivity.first_refusal.0.scope"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(written: str, where: str) -> None:
    assert list(faults(written)) == [where]


def test_prices_of_other_days_models_or_deployments_do_not_overlap() -> None:
    one = PRICE.format(more="valid_to = 2026-06-29") + PRICE.format(more="valid_from = 2026-06-30")
    two = PRICE.format(more='deployment = "a"') + PRICE.format(more="").replace('"m"', '"n"')
    assert faults(text(one + two)) == {}


def test_all_is_told_at_once_and_one_mistake_hides_no_other() -> None:
    written = text(
        COMMITMENT.format(type="spend", more='amount = "many"'),
        head='ownr = "x"',
        term='end = 2025-01-01\nnotice_days = "90"',
    ).replace('supplier = "openai"', 'lei = "x"')
    assert set(faults(written)) == {
        "ownr", "party.supplier", "party.lei", "term.end", "term.notice_days", "commitment.0.amount",
    }  # fmt: skip


def test_a_place_has_its_line() -> None:
    written = text(
        PRICE.format(more='tiers = [\n  { above = 5, input = "x", output = "1" },\n]')
        + PRICE.format(more='valid_to = "x"'),
        head='note = """\n[price]\nx = 1\n"""',
    )
    lines = written.splitlines()
    _, found = parse_text(written, "a.toml")
    said = {problem.where: lines[problem.line - 1] for problem in found}
    assert said == {"price.0.tiers.0.input": "tiers = [", "price.1.valid_to": 'valid_to = "x"'}
    assert "price.x" not in places(written)


def test_what_is_no_toml_or_no_text_is_told_too(tmp_path: Path) -> None:
    paths = files(tmp_path, a="a = \n", b=text())
    (tmp_path / "c.toml").write_bytes(b"\xff")
    found = problems([*paths, tmp_path / "c.toml", tmp_path / "d.toml", tmp_path])
    assert [(Path(each.file).name, each.line) for each in found] == [
        ("a.toml", 1), ("c.toml", 0), ("d.toml", 0), (tmp_path.name, 0),
    ]  # fmt: skip
    assert found[0].what.startswith("is not TOML") and "UTF-8" in found[1].what and "cannot be read" in found[2].what


def test_what_does_not_fit_together_is_told(tmp_path: Path) -> None:
    def deal(id: str, of: str = "", start: str = "2026-01-01", status: str = "active") -> str:
        head = f'status = "{status}"' + (f'\nsupersedes = "{of}"' if of else "")
        return text(id=id, head=head).replace("2026-01-01", start)

    paths = files(
        tmp_path,
        a=deal("a"), again=deal("a"), b=deal("b", "a", "2027-01-01"), twice=deal("c", "a", "2027-02-01"),
        draft=deal("d", "a", "2027-03-01", "draft"), nothing=deal("e", "bb", "2027-01-01"), early=deal("f", "b"),
        round=deal("g", "h"), about=deal("h", "g"),
    )  # fmt: skip
    found = {(Path(each.file).stem, each.where): (each.what, each.hint) for each in problems(paths)}
    assert set(found) == {
        ("again", "id"), ("twice", "supersedes"), ("nothing", "supersedes"), ("early", "term.start"),
        ("round", "supersedes"), ("about", "supersedes"),
    }  # fmt: skip
    assert found["twice", "supersedes"][0] == "a is superseded by b already"
    assert found["nothing", "supersedes"] == ("there is no contract 'bb'", "did you mean b?")
    assert found["round", "supersedes"][0] == "goes in a circle: g -> h -> g"


def test_what_another_broken_file_may_be_is_not_missed(tmp_path: Path) -> None:
    paths = files(tmp_path, a="a = \n", b=text(id="b", head='supersedes = "a"'))
    assert [Path(each.file).stem for each in problems(paths)] == ["a"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    path = files(tmp_path, a=text())[0]
    assert len(load([path, path])) == 1


def test_identifiers_of_legal_entities_are_checked() -> None:
    """Published examples: the GLEIF's own, Bloomberg's, Apple's."""
    for lei in ("506700GE1G29325QX363", "5493001KJTIIGC8Y1R12", "HWUPKR0MPOU8FGXBT394"):
        assert lei_faulty(lei) == ""
        assert lei_faulty(lei[:-1] + str((int(lei[-1]) + 1) % 10)) == "has wrong check digits"
    assert lei_faulty("5493001kjtiigc8y1r12").startswith("is no LEI")


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=18, max_size=18), st.data())
def test_a_slip_in_an_identifier_is_found(body: str, data: st.DataObject) -> None:
    """ISO 7064's mod 97-10 finds every wrong digit and every two neighbours that changed places."""
    digits = 98 - int("".join(str(int(sign, 36)) for sign in body) + "00") % 97
    lei = f"{body}{digits:02}"
    assert lei_faulty(lei) == ""
    at = data.draw(st.integers(0, 18))
    swapped = lei[:at] + lei[at + 1] + lei[at] + lei[at + 2 :]
    if swapped != lei and lei[at].isdigit() == lei[at + 1].isdigit():
        assert lei_faulty(swapped) != ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.dates() | st.datetimes() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("id", "start", "input", "x")), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(tuple(read(text(), "a").__struct_fields__)), JSON))
def test_no_table_whatever_breaks_the_reader(raw: dict[str, Any]) -> None:
    from freehold.contracts import checks
    from freehold.contracts.reading import Form
    from freehold.contracts.terms import Contract

    form = Form()
    contract = form.table(Contract, raw, "")
    assert isinstance(contract, Contract)
    assert {"party", "term"} - set(raw) <= set(form.faults)
    assert all(what and where for where, what, _ in checks.check(contract))


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    shape = json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(shape)
    check = jsonschema.Draft202012Validator(shape)

    def raw(written: str) -> Any:
        return json.loads(json.dumps(tomllib.loads(written), default=str))

    good = (SAMPLE, text(), text(SHARE.format(more='pct = 20.5\ntiers = [{ over = "1", pct = 3 }]')))
    for written in good:
        check.validate(raw(written))
        assert faults(written) == {}
    bad = (
        text(head='ownr = "x"'), text().replace("model-api", "x"), text(PRICE.format(more='batch = "half"')),
        text("[data]\nhuman_review = true"), text(term='notice_days = "90"'), text().replace("[term]", "[trm]"),
    )  # fmt: skip
    for written in bad:
        assert not check.is_valid(raw(written)) and faults(written), written


def test_every_field_of_the_schema_says_what_it_is() -> None:
    for name, table in schema()["$defs"].items():
        assert table["description"], name
        assert all(member.get("description") for member in table["properties"].values()), name
