"""What terms mean for a deployment: who may get what, when, and at which price."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.contracts import read_price
from freehold.contracts.areas import within
from freehold.contracts.binding import Bonds, bind
from freehold.contracts.organisation import DataRule, Function, Organisation
from freehold.contracts.register import Register, Version, read
from freehold.contracts.terms import CLASSES
from freehold.core.errors import ConfigError
from freehold.routing import Deployment

HEAD = """
schema = "freehold.contract/1"
id = "{id}"
kind = "model-api"
{more}
[party]
supplier = "openai"
[term]
start = {start}
{end}
"""


SUPERSEDES = 'supersedes = "deal"'
ALLOWS = '[data]\nclasses_allowed = ["public", "personal"]\n'


def contract(id: str = "deal", start: str = "2026-01-01", end: str = "", more: str = "", tables: str = "") -> Version:
    end = f"end = {end}" if end else ""
    return Version.of(read(HEAD.format(id=id, start=start, end=end, more=more) + tables, f"{id}.toml"))


def deployment(**said: Any) -> Deployment:
    told = {"name": "gpt", "kind": "openai", "model": "gpt-x", "maker": "openai", "seller": "openai", "host": "openai"}
    return Deployment(**{**told, "contract": "deal", **said})


def ns(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def bound(*versions: Version, organisation: Organisation | None = None, **said: Any) -> Bonds:
    return bind([deployment(**said)], Register(versions), organisation or Organisation(), date(2026, 6, 1))


def test_a_factor_of_the_region_goes_before_that_of_its_area() -> None:
    price = '[[price]]\ninput = "1"\nregions = { EU = "2", swedencentral = "3" }\n'
    for region, rate in (("swedencentral", 3), ("westeurope", 2), ("eastus", 1), ("", 1)):
        found = bound(contract(tables=price), region=region).price(deployment(region=region), "gpt-x", ns("2026-06-01"))
        assert found is not None and found.input == rate * 10**9, region


def test_the_last_day_that_there_is_may_be_written_for_no_end() -> None:
    price = '[[price]]\ninput = "1"\nvalid_to = 9999-12-31\n'
    bonds = bound(contract(end="9999-12-31", tables=price))
    assert bonds.price(deployment(), "gpt-x", ns("2999-12-31")) is not None
    assert bonds.refusal(deployment(), "internal", "", ns("2999-12-31")) == ""


def test_a_contract_serves_from_its_first_day_to_its_last_and_no_longer() -> None:
    bonds = bound(contract(start="2026-03-01", end="2026-05-31"))
    assert bonds.refusal(deployment(), "internal", "", ns("2026-02-28T23:59:59")) == "its contract deal is not in force"
    assert bonds.refusal(deployment(), "internal", "", ns("2026-03-01")) == ""
    assert bonds.refusal(deployment(), "internal", "", ns("2026-05-31T23:59:59")) == ""
    assert bonds.refusal(deployment(), "internal", "", ns("2026-06-01")) == "its contract deal is not in force"


@pytest.mark.parametrize("status", ["draft", "expired", "terminated"])
def test_one_that_is_not_in_force_serves_nothing(status: str) -> None:
    bonds = bound(contract(more=f'status = "{status}"'))
    assert "not in force" in bonds.refusal(deployment(), "public", "", ns("2026-03-01"))


def test_the_version_in_force_counts_whichever_is_named() -> None:
    old = contract(end="2026-12-31", tables='[data]\nclasses_allowed = ["public"]\n')
    new = contract(
        "deal-2",
        "2026-07-01",
        "2027-06-30",
        'supersedes = "deal"',
        '[data]\nclasses_allowed = ["public", "personal"]\n',
    )
    for named in ("deal", "deal-2"):
        bonds = bound(old, new, contract=named)
        it = deployment(contract=named)
        assert "does not allow personal" in bonds.refusal(it, "personal", "", ns("2026-06-30T12:00:00"))
        assert bonds.refusal(it, "personal", "", ns("2026-07-01")) == ""
        first, second = bonds.at("gpt", ns("2026-06-30")), bonds.at("gpt", ns("2027-01-01"))
        assert first is not None and second is not None
        assert (first.terms, second.terms) == (old.hash, new.hash)


def test_a_renewal_goes_on_until_notice_is_given() -> None:
    renews = "[term.renewal]\nauto = true\nmonths = 12\n"
    assert bound(contract(end="2026-12-31", tables=renews)).refusal(deployment(), "public", "", ns("2031-01-01")) == ""
    given_ = contract(end="2026-12-31\nnotice_given = 2026-09-01", tables=renews)
    assert "not in force" in bound(given_).refusal(deployment(), "public", "", ns("2027-01-01"))


def test_classes_beyond_the_allowed_are_refused() -> None:
    bonds = bound(contract())
    assert [name for name in CLASSES if bonds.refusal(deployment(), name, "", ns("2026-02-01"))] == [
        "personal", "special", "secret",
    ]  # fmt: skip


RULE = DataRule(regions=("eu",), retention_days=30, training=False, review=False)
PROMISED = (
    '[data]\nclasses_allowed = ["personal"]\nretention_days = 30\ntrains_on_inputs = "no"\nhuman_review = "no"\n'
    'regions = ["eu"]\n'
)


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("", "", ""),
        ("retention_days = 30", "retention_days = 31", "kept for 31 days"),
        ("retention_days = 30\n", "", "nobody says how long"),
        ('trains_on_inputs = "no"', 'trains_on_inputs = "yes"', "trained with it"),
        ('trains_on_inputs = "no"', "", "nobody promised not to train"),
        ('human_review = "no"', 'human_review = "yes"', "people may read it"),
        ('regions = ["eu"]', 'regions = ["us"]', "us is not in eu"),
        ('regions = ["eu"]', "", "nobody says that it stays in eu"),
    ],
)
def test_what_a_rule_asks_and_nobody_promised_refuses(was: str, becomes: str, why: str) -> None:
    version = contract(tables=PROMISED.replace(was, becomes) if was else PROMISED)
    organisation = Organisation(rules={"personal": RULE})
    said = bound(version, organisation=organisation).refusal(deployment(), "personal", "", ns("2026-02-01"))
    assert said == "" if not why else why in said


def test_the_region_of_the_deployment_goes_before_the_contracts() -> None:
    organisation = Organisation(rules={"personal": DataRule(regions=("eu",))}, areas={"home": ("cellar",)})
    at = ns("2026-02-01")
    for region, allowed in (("swedencentral", True), ("eastus", False)):
        it = deployment(region=region)
        said = bound(contract(tables=PROMISED), organisation=organisation, region=region)
        assert (said.refusal(it, "personal", "", at) == "") is allowed
    assert within("Cellar", ["HOME"], {"Home": ("CELLAR",)})
    assert within("Sweden Central", ["near"], {"near": ("eu", "ch")}) and not within(
        "ukwest", ["near"], {"near": ("eu",)}
    )
    assert within("cellar", ["home"], organisation.areas) and not within("cellar", ["eu"], organisation.areas)


def test_ones_own_model_needs_no_promise_and_an_unknown_recipient_every_one() -> None:
    organisation = Organisation(rules={"personal": msgspec_rule(contract=True)})
    at = ns("2026-02-01")
    own = deployment(name="gpt", engine="small", host="own", contract="")
    assert bound(organisation=organisation, engine="small", host="own", contract="").refusal(
        own, "personal", "train", at
    ) == ""  # fmt: skip
    stranger = bound(organisation=organisation, contract="")
    assert "no contract on file" in stranger.refusal(deployment(contract=""), "personal", "", at)
    assert stranger.refusal(deployment(contract=""), "internal", "", at) == ""


def msgspec_rule(**said: Any) -> DataRule:
    return DataRule(regions=("eu",), retention_days=0, training=False, review=False, **said)


@pytest.mark.parametrize(
    ("term", "train", "compete"),
    [("any", True, True), ("not_competing", True, False), ("none", False, False), ("unknown", False, False)],
)
def test_answers_train_a_model_only_where_the_terms_say_so(term: str, train: bool, compete: bool) -> None:
    bonds = bound(contract(tables=f'[use]\noutput_may_train = "{term}"\n'))
    at = ns("2026-02-01")
    assert bonds.refusal(deployment(), "public", "", at) == ""
    assert (bonds.refusal(deployment(), "public", "train", at) == "") is train
    assert (bonds.refusal(deployment(), "public", "train_competing", at) == "") is compete


PRICES = """
[[price]]
input = "2.50"
cached_input = "1.25"
output = "10"
priority = "2"
batch = "0.5"
[[price]]
model = "gpt-x"
input = "1.00"
output = "4"
valid_from = 2026-02-01
valid_to = 2026-02-28
regions = { swedencentral = "1.1" }
[[price]]
deployment = "elsewhere"
input = "99"
"""


def test_the_price_is_the_contracts_the_most_exact_one_of_its_days() -> None:
    bonds = bound(contract(tables=PRICES), region="swedencentral")
    it = deployment(region="swedencentral")

    def rates(model: str, day: str, tier: str = "") -> tuple[int, int, int | None] | None:
        price = bonds.price(it, model, ns(day), tier)
        return None if price is None else (price.input, price.output, price.cached)

    assert rates("gpt-x", "2026-02-28T23:59:59") == (1_100_000_000, 4_400_000_000, None)
    assert rates("gpt-x", "2026-03-01") == (2_500_000_000, 10_000_000_000, 1_250_000_000)
    assert rates("other", "2026-02-10") == (2_500_000_000, 10_000_000_000, 1_250_000_000)
    assert rates("other", "2026-02-10", "priority") == (5_000_000_000, 20_000_000_000, 2_500_000_000)
    assert rates("other", "2026-02-10", "flex") == (1_250_000_000, 5_000_000_000, 625_000_000)
    assert rates("other", "2026-02-10", "scale") == (2_500_000_000, 10_000_000_000, 1_250_000_000)
    assert rates("gpt-x", "2025-12-31") is None


def test_who_gets_to_see_the_words() -> None:
    chain = (
        '[chain]\nmaker = "openai"\nhost = "openai"\ncompute_owner = "oracle"\nchips = ["nvidia"]\n'
        'subprocessors = ["oracle", "snowflake"]\n'
    )
    bond = bound(contract(tables=chain + '[data]\nzero_retention = true\ntrains_on_inputs = "no"\n')).at(
        "gpt", ns("2026-02-01")
    )
    assert bond is not None
    assert bond.recipients == ("openai", "oracle", "snowflake")
    assert (bond.compute, bond.chips, bond.retention, bond.trains, bond.review) == ("oracle", "nvidia", 0, "no", "")


def test_a_function_is_found_by_key_then_team_then_route() -> None:
    organisation = Organisation(
        functions={
            "chat": Function(routes=("assistant", "gpt*")),
            "claims": Function(teams=("claims",)),
            "fraud": Function(keys=("fraud-batch",)),
        }
    )
    assert organisation.function("fraud-batch", "claims", "assistant") == "fraud"
    assert organisation.function("k", "claims", "assistant") == "claims"
    assert organisation.function("k", "", "gpt-5") == "chat"
    assert organisation.function("k", "", "other") == ""


DAYS = st.dates(date(2025, 1, 1), date(2028, 12, 31))


@given(start=DAYS, length=st.integers(0, 400), second=st.integers(0, 400), look=DAYS)
def test_at_any_time_at_most_one_version_holds_and_it_is_the_registers(
    start: date, length: int, second: int, look: date
) -> None:
    end = start + timedelta(days=length)
    begins = start + timedelta(days=second + 1)
    old = contract(start=start.isoformat(), end=end.isoformat())
    new = contract("deal-2", begins.isoformat(), "", 'supersedes = "deal"')
    register = Register((old, new))
    bond = bind([deployment()], register, Organisation(), start).at("gpt", ns(look.isoformat()))
    held = register.at("deal", look)
    assert (None if bond is None else bond.terms) == (None if held is None else held.hash)


@given(st.decimals("0", "1000", places=4), st.sampled_from([1000, 1_000_000]))
def test_rates_are_exact_whatever_they_are_stated_for(rate: Decimal, per: int) -> None:
    table = f'[[price]]\ninput = "{rate}"\nper = {per}\n'
    price = bound(contract(tables=table)).price(deployment(), "gpt-x", ns("2026-02-01"))
    assert price is not None and Decimal(price.input) == rate * 1_000_000_000 * 1_000_000 / per


def test_a_slip_of_the_pen_in_a_price_is_refused_wherever_it_stands() -> None:
    for row in ('input = "1000001"', 'input = "2"\nper = 1', 'input = "600000"\npriority = "2"'):
        with pytest.raises(ConfigError, match="more than a million"):
            contract(tables=f"[[price]]\n{row}\n")
    contract(tables='[[price]]\ninput = "1"\nper = 1\n')
    with pytest.raises(ConfigError, match="more than a million"):
        read_price({"input": "1000001"})
