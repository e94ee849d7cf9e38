"""What is found of contracts: each check on the case that it is for, and on the one beside it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contracts.drafts import TODAY, case, contract, deployment, found, lint, used

from freehold.contracts.finding import Finding
from freehold.contracts.lint import counts
from freehold.contracts.organisation import DataRule, Entity, Organisation
from freehold.contracts.register import Register
from freehold.contracts.shown import dates

DAY = timedelta(days=1)
RENEWS = "end = 2026-12-31\nrenewal = { auto = true }\n"
NOTICE = RENEWS + "notice_days = { customer = 90 }\n"
OWNED = 'owner = "procurement"'


def one(findings: list[Finding]) -> Finding:
    (finding,) = findings
    assert finding.what and finding.why and finding.todo
    return finding


def test_a_contract_with_nothing_to_say_about_it_is_passed_over() -> None:
    sound = contract('[[price]]\ninput = "1"\n', term=NOTICE.replace("90", "0"), head=OWNED)
    assert lint(case(sound, deployments=[deployment()])) == ()


def test_the_last_day_that_there_is_may_be_written_for_no_end() -> None:
    endless = contract('[[price]]\ninput = "1"\nvalid_to = 9999-12-31\n', term="end = 9999-12-31\n")
    assert lint(case(endless, deployments=[deployment()])) == ()


# -- notice and renewal


@pytest.mark.parametrize(
    ("day", "code", "severity"),
    [
        ("2026-04-04", "", ""),
        ("2026-04-05", "notice_opening", "info"),
        ("2026-07-03", "notice_opening", "info"),
        ("2026-07-04", "notice_open", "warning"),
        ("2026-10-02", "notice_open", "warning"),
        ("2026-10-03", "notice_missed", "warning"),
        ("2026-12-31", "notice_missed", "warning"),
        ("2027-01-01", "", ""),
    ],
)
def test_notice_opens_is_open_and_is_missed(day: str, code: str, severity: str) -> None:
    """The last day for notice of the first term is 2026-10-02."""
    told = lint(case(contract(term=NOTICE, head=OWNED), day=date.fromisoformat(day)))
    notices = [(one.code, one.severity) for one in told if one.code.startswith("notice")]
    assert notices == ([(code, severity)] if code else [])


@given(
    end=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    months=st.integers(1, 24),
    notice=st.integers(0, 200),
    day=st.dates(date(2026, 1, 1), date(2032, 12, 31)),
    window=st.integers(0, 200),
)
def test_whatever_the_days_notice_is_told_once_and_rightly(
    end: date, months: int, notice: int, day: date, window: int
) -> None:
    version = contract(
        term=f"end = {end}\nrenewal = {{ auto = true, months = {months} }}\nnotice_days = {{ customer = {notice} }}\n"
    )
    told = [one for one in lint(case(version, day=day, window=window)) if one.code.startswith("notice")]
    assert len(told) <= 1
    seen = dates(Register([version]), version, day)
    assert seen.last is not None and seen.notice_by is not None
    left = (seen.last - notice * DAY - day).days
    codes = "notice_missed" if left < 0 else "notice_open" if left <= window else "notice_opening"
    assert [one.code for one in told] == ([codes] if left <= 2 * window or left < 0 else [])
    assert (left >= 0) == (seen.notice_by == seen.last - notice * DAY)


def test_the_window_is_as_long_as_is_asked() -> None:
    told = found("notice_open", contract(term=NOTICE), day=date(2026, 9, 25), window=7)
    assert "2026-10-02" in one(told).what
    assert found("notice_open", contract(term=NOTICE), day=date(2026, 9, 24), window=7) == []


@pytest.mark.parametrize(
    "term", [NOTICE + "notice_given = 2026-05-01\n", "end = 2026-12-31\nnotice_days = { customer = 90 }\n"]
)
def test_what_ends_by_itself_needs_no_notice(term: str) -> None:
    told = lint(case(contract(term=term), day=date(2026, 9, 1)))
    assert [one for one in told if one.code.startswith(("notice", "renewal"))] == []


def test_a_version_that_takes_its_place_before_it_renews_needs_no_notice() -> None:
    new = contract(id="deal-2", head='supersedes = "deal"', term="start = 2026-10-15\n")
    assert found("notice_open", contract(term=NOTICE), new, day=date(2026, 9, 1)) == []


def test_a_renewal_needs_an_owner() -> None:
    assert one(found("renewal_without_owner", contract(term=RENEWS))).place == "owner"
    assert found("renewal_without_owner", contract(term=RENEWS, head=OWNED)) == []


# -- what is due


def test_milestones_reports_and_prices_that_come_up() -> None:
    text = """
        [[term.milestone]]
        on = "ipo"
        effect = "the share falls"
        by = {}
        [audit]
        reports = [{{ type = "SOC 2", valid_to = {} }}]
        """
    for far, severity in ((-1, "warning"), (90, "info"), (91, "")):
        day = TODAY + far * DAY
        told = lint(case(contract(text.format(day, day))))
        codes = {one.code: one.severity for one in told if one.code in ("milestone", "audit_report")}
        assert codes == (dict.fromkeys(("milestone", "audit_report"), severity) if severity else {})
    gone = contract(text.format(TODAY, TODAY).replace("[audit]", "removed = 2026-02-01\n[audit]"))
    assert found("milestone", gone) == []


def test_how_much_is_spent_under_what_ends_soon() -> None:
    ends = contract(term="end = 2026-11-30\n")
    goes_on = contract(id="other", supplier="xai")
    uses = [used(TODAY - DAY, 30), used(TODAY, 70, contract="other"), used(TODAY - 100 * DAY, 999)]
    told = one(found("spend_ending", ends, goes_on, uses=uses))
    assert (told.severity, told.contract) == ("warning", "deal")
    assert "30%" in told.what and "2026-11-30" in told.what
    few = [used(TODAY, 24), used(TODAY, 76, contract="other")]
    assert one(found("spend_ending", ends, goes_on, uses=few)).severity == "info"
    assert found("spend_ending", contract(term="end = 2026-12-02\n"), goes_on, uses=uses) == []
    new = contract(id="deal-2", head='supersedes = "deal"', term="start = 2026-12-01\n")
    assert found("spend_ending", ends, goes_on, new, uses=uses) == []
    assert found("spend_ending", ends, goes_on) == []


def test_a_commitment_that_falls_behind_and_what_that_costs() -> None:
    text = '[[commitment]]\nid = "year"\ntype = "spend"\nstart = 2026-01-01\nend = 2026-12-31\namount = "3650"\n'
    slow = [used(date(2026, 1, 1) + n * DAY, 5) for n in range(151)]
    told = one(found("commitment_behind", contract(text), deployments=[deployment()], uses=slow))
    assert (told.severity, told.place) == ("warning", "commitment.0")
    assert "1,825 of 3,650 USD" in told.what
    assert "1,825.00 USD" in told.why
    rolls = contract(text + 'shortfall = "rollover"\n')
    assert one(found("commitment_behind", rolls, deployments=[deployment()], uses=slow)).severity == "info"
    enough = [*slow, used(TODAY - DAY, 9999)]
    assert found("commitment_behind", contract(text), deployments=[deployment()], uses=enough) == []
    assert found("commitment_behind", contract(text), deployments=[deployment()]) == [], "nobody looked at use"


# -- contracts and deployments


def test_a_commitment_to_which_nothing_counts() -> None:
    text = (
        '[[commitment]]\nid = "c"\ntype = "spend"\nstart = {}\nend = 2026-12-31\namount = "1"\ncounts = ["azure-*"]\n'
    )
    running = contract(text.format("2026-01-01"))
    assert one(found("commitment_unmatched", running, deployments=[deployment()])).severity == "error"
    future = contract(text.format("2026-07-01"))
    assert one(found("commitment_unmatched", future, deployments=[deployment()])).severity == "warning"
    assert found("commitment_unmatched", running, deployments=[deployment("azure-gpt", contract="other")]) == []


@pytest.mark.parametrize(
    ("rows", "code", "place"),
    [
        ('[[price]]\ninput = "1"\nvalid_to = 2026-05-31\n', "price_expired", "price.0.valid_to"),
        ('[[price]]\ninput = "1"\nvalid_from = 2026-06-02\n', "price_missing", "price"),
        ('[[price]]\nmodel = "gpt-y*"\ninput = "1"\n', "price_missing", "price"),
        ('[[price]]\ninput = "1"\nvalid_to = 2026-06-30\n', "price_ending", "price.0.valid_to"),
        ('[[price]]\nmodel = "gpt-y*"\ninput = "1"\n', "price_unmatched", "price.0"),
        ('[[price]]\ninput = "1"\n[[price]]\ndeployment = "azure-*"\ninput = "2"\n', "price_unmatched", "price.1"),
    ],
)
def test_prices_and_deployments_that_miss_each_other(rows: str, code: str, place: str) -> None:
    assert one(found(code, contract(rows), deployments=[deployment()])).place == place


@pytest.mark.parametrize(
    "rows",
    [
        "",
        '[[price]]\ninput = "1"\nvalid_to = 2026-06-30\n[[price]]\ninput = "2"\nvalid_from = 2026-07-01\n',
        '[[price]]\nmodel = "gpt-*"\ninput = "1"\nvalid_to = 2027-05-31\n',
    ],
)
def test_prices_that_hold_are_passed_over(rows: str) -> None:
    told = lint(case(contract(rows), deployments=[deployment()]))
    assert [one.code for one in told if one.code.startswith("price")] == []


def test_a_deployment_that_takes_any_model_is_priced_by_rows_for_some() -> None:
    rows = '[[price]]\nmodel = "gpt-y"\ninput = "1"\n'
    told = lint(case(contract(rows), deployments=[deployment(model="*")]))
    assert [one.code for one in told if one.code.startswith("price")] == []


def test_a_class_that_is_allowed_and_never_let_through() -> None:
    text = '[data]\nclasses_allowed = ["public", "internal", "personal"]\ntrains_on_inputs = "yes"\n'
    rules = Organisation(rules={"personal": DataRule(training=False)})
    told = one(found("class_unreachable", contract(text), deployments=[deployment()], organisation=rules))
    assert (told.place, told.why) == ("data.classes_allowed", "models are trained with it")
    assert "personal" in told.what and "gpt" in told.what
    sound = contract(text.replace('"yes"', '"no"'))
    assert found("class_unreachable", sound, deployments=[deployment()], organisation=rules) == []


def test_calls_that_nobody_classed_and_deployments_that_may_take_none() -> None:
    text = '[data]\nclasses_allowed = ["public"]\n'
    assert one(found("default_class", contract(text), deployments=[deployment()])).severity == "warning"
    closed = Organisation(rules=dict.fromkeys(("public", "internal"), DataRule(retention_days=0)))
    told = found("no_class", contract(text), deployments=[deployment()], organisation=closed)
    assert one(told).severity == "error"


@pytest.mark.parametrize(
    ("terms", "use", "forbidden"),
    [
        ("any", "train_competing", False),
        ("not_competing", "train", False),
        ("not_competing", "train_competing", True),
        ("none", "train", True),
        ("unknown", "train", True),
        ("none", "", False),
    ],
)
def test_answers_that_train_though_the_terms_do_not_allow_it(terms: str, use: str, forbidden: bool) -> None:
    version = contract(f'[use]\noutput_may_train = "{terms}"\n')
    told = found("training_forbidden", version, uses=[used(TODAY - DAY, 1, use=use, asked="distil")])
    assert bool(told) == forbidden
    if forbidden:
        assert "distil" in one(told).what
        assert one(told).severity == "error"


def test_deployments_and_contracts_that_do_not_know_each_other() -> None:
    ended = contract(term="end = 2026-05-31\n")
    told = one(found("not_in_force", ended, deployments=[deployment()]))
    assert (told.severity, told.place) == ("error", "deployments.gpt.contract")
    assert "deal is ended" in told.what
    assert found("not_in_force", contract(), deployments=[deployment()]) == []
    assert one(found("contract_unknown", contract(), deployments=[deployment(contract="dael")])).severity == "warning"
    assert one(found("no_contract", contract(), deployments=[deployment(contract="")])).severity == "info"
    assert found("no_contract", contract(), deployments=[deployment(contract="", host="own")]) == []
    assert one(found("unused", contract())).severity == "info"
    assert found("unused", contract(head='kind = "partner"')) == []
    assert found("unused", contract(), deployments=[deployment()]) == []


def test_a_seller_or_a_region_that_the_contract_is_not_about() -> None:
    version = contract('[data]\nregions = ["eu"]\n')
    assert one(found("other_seller", version, deployments=[deployment(seller="microsoft")])).severity == "warning"
    group = Organisation(parties={"openai-ireland": Entity(group="openai")})
    sold = [deployment(seller="openai-ireland")]
    assert found("other_seller", version, deployments=sold, organisation=group) == []
    assert one(found("other_region", version, deployments=[deployment(region="eastus")])).severity == "warning"
    assert found("other_region", version, deployments=[deployment(region="swedencentral")]) == []


# -- promises against each other


def exclusive(id: str, supplier: str, scope: str, **more: Any) -> Any:
    until = f"until = {more.pop('until')}\n" if "until" in more else ""
    return contract(f'[exclusivity]\ngranted_to_supplier = ["{scope}"]\n{until}', id=id, supplier=supplier, **more)


@pytest.mark.parametrize(
    ("scope", "until", "conflict"),
    [
        ("compute", "", True),
        ("COMPUTE", "", True),
        ("*", "", True),
        ("chips", "", False),
        ("compute", "2025-12-31", False),
    ],
)
def test_two_who_were_promised_the_same(scope: str, until: str, conflict: bool) -> None:
    more = {"until": until} if until else {}
    pair = exclusive("a", "microsoft", "compute"), exclusive("b", "oracle", scope, **more)
    assert len(found("exclusivity_conflict", *pair)) == conflict
    same = Organisation(parties={"oracle": Entity(group="microsoft")})
    assert found("exclusivity_conflict", *pair, organisation=same) == []


@pytest.mark.parametrize(
    ("scope", "said", "broken"),
    [
        ("compute", {"host": "oracle"}, True),
        ("compute", {"host": "microsoft", "seller": "xai"}, False),
        ("models", {"seller": "xai"}, True),
        ("models", {"seller": "microsoft", "host": "oracle"}, False),
        ("gpt-*", {"model": "gpt-9", "seller": "openai"}, True),
        ("gpt-*", {"model": "grok", "name": "grok", "seller": "xai"}, False),
        ("openai", {"maker": "openai", "seller": "openai"}, True),
        ("compute", {"host": "own", "seller": "own"}, False),
    ],
)
def test_a_deployment_outside_of_what_was_promised(scope: str, said: dict[str, str], broken: bool) -> None:
    told = {"name": "other", "maker": "", "model": "m", "contract": "", "host": "", "seller": "", **said}
    findings = found("exclusivity_broken", exclusive("a", "microsoft", scope), deployments=[deployment(**told)])
    assert bool(findings) == broken
    if broken:
        assert one(findings).severity == "error"
    over = exclusive("a", "microsoft", scope, until="2026-05-31")
    assert found("exclusivity_broken", over, deployments=[deployment(**told)]) == []


def test_the_owner_of_the_compute_is_who_the_contract_names() -> None:
    rented = contract('[chain]\ncompute_owner = "coreweave"\n', id="deal")
    promise = exclusive("a", "openai", "compute")
    assert "gpt" in one(found("exclusivity_broken", rented, promise, deployments=[deployment()])).what


def test_first_refusal_and_first_availability_against_exclusivity() -> None:
    right = contract(
        '[[exclusivity.first_refusal]]\nholder = "supplier"\nscope = "compute"\n', id="b", supplier="oracle"
    )
    told = one(found("first_refusal_conflict", exclusive("a", "microsoft", "compute"), right))
    assert (told.contract, told.place) == ("b", "exclusivity.first_refusal.0")
    first = '[exclusivity.first_availability]\non = "{}"\nscope = "api"\n'
    pair = contract(first.format("azure"), id="a"), contract(first.format("oci"), id="b", supplier="oracle")
    assert one(found("first_availability_conflict", *pair)).severity == "error"


def test_partners_that_own_a_part_of_each_other() -> None:
    version = contract('[chain]\nmaker = "openai"\n')
    organisation = Organisation(parties={"openai": Entity(equity=("microsoft",))})
    told = one(found("equity", version, deployments=[deployment()], organisation=organisation))
    assert told.severity == "info"
    other = deployment("azure-gpt", seller="microsoft", host="microsoft", contract="")
    told = one(found("equity", version, deployments=[deployment(), other], organisation=organisation))
    assert told.severity == "warning"
    assert "azure-gpt" in told.what


def test_the_worst_comes_first_and_all_is_counted() -> None:
    versions = contract(term="end = 2026-05-31\n"), contract(id="b", term=RENEWS), contract(id="c")
    told = lint(case(*versions, deployments=[deployment()]))
    assert [one.severity for one in told] == sorted(
        (one.severity for one in told), key=("error", "warning", "info").index
    )
    assert counts(told) == {"error": 1, "warning": 1, "info": 2}
