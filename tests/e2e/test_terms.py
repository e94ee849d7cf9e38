"""Contracts bind: what they allow, what they cost, when they end, and what the ledger says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from freehold.ledger.entry import decode
from tests.conftest import Starter
from tests.system import System, config, deployment
from tests.vendor import Vendor

TODAY = datetime.now(UTC).date()
CONTRACT = """
schema = "freehold.contract/1"
id = "{id}"
kind = "hosted-model"
[party]
supplier = "microsoft"
[chain]
maker = "openai"
host = "microsoft"
compute_owner = "microsoft"
chips = ["nvidia"]
subprocessors = ["openai"]
[term]
start = 2026-01-01
end = {end}
[data]
classes_allowed = [{classes}]
retention_days = 30
trains_on_inputs = "no"
regions = ["eu"]
[use]
output_may_train = "not_competing"
[[price]]
input = "100"
output = "200"
"""
SEEN = ("vendor-openai", "microsoft", "openai")
FILE = """
[contracts]
include = ["*.contract.toml"]
[functions.claims]
criticality = "critical"
rto = "1h"
routes = ["assistant"]
[data]
default = "confidential"
lower = true
[data.rules.personal]
regions = ["eu"]
retention_days = 30
training = false
[policies.staff]
routes = ["raised"]
data_class = "special"
[routes.assistant]
deployments = ["public-only", "wide"]
strategy = "ordered"
[routes.raised]
deployments = ["wide"]
"""


def written(home: System, id: str, classes: str, days: int = 100, start: str = "2026-01-01") -> None:
    text = CONTRACT.format(id=id, classes=classes, end=(TODAY + timedelta(days=days)).isoformat())
    (home.home / f"{id}.contract.toml").write_text(text.replace("2026-01-01", start))


def house(system: Starter, vendor: Vendor) -> System:
    tables = [
        deployment("public-only", vendor.url, "ok;in=20;out=10", price=("1", "1"), more='contract = "narrow"'),
        deployment("wide", vendor.url, "ok;in=20;out=10", more='contract = "broad"\nregion = "swedencentral"'),
        deployment("over", vendor.url, "ok", more='contract = "gone"'),
    ]
    made = system(config(), start=False)
    written(made, "narrow", '"public"')
    written(made, "broad", '"public", "internal", "confidential", "personal"')
    written(made, "gone", '"confidential"', days=-1)
    made.configure(config(*tables) + FILE)
    return made.start()


async def ask(home: System, model: str, **headers: str) -> Any:
    async with home.client() as client:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        return await client.post("/v1/chat/completions", json=body, headers=headers)


async def test_terms_bind(system: Starter, vendor: Vendor) -> None:
    home = house(system, vendor)
    reply = await ask(home, "assistant")
    assert reply.status_code == 200
    assert reply.headers["x-freehold-deployment"] == "wide"  # the other one may have public words only
    assert reply.headers["x-freehold-cost"] == "0.004000000 USD"  # the contract's price
    entry = decode(home.outcomes()[-1]["data"])
    assert (entry.data_class, entry.function, entry.contract) == ("confidential", "claims", "broad")
    assert (entry.compute, entry.chips, entry.recipients) == ("microsoft", "nvidia", SEEN)
    assert (entry.retention, entry.trains, entry.review) == (30, "no", "")
    assert len(entry.terms) == 12
    (passed,) = entry.verdicts
    assert (passed.by, passed.action) == ("contract", "pass over") and "narrow" in passed.detail

    reply = await ask(home, "assistant", **{"x-freehold-data-class": "public"})
    assert reply.headers["x-freehold-deployment"] == "public-only"
    assert reply.headers["x-freehold-cost"] == "0.004000000 USD"  # and not what the deployment says of itself

    sent = len(vendor.seen)
    for model, headers, why in (
        ("assistant", {"x-freehold-data-class": "secret"}, "does not allow secret data"),
        ("over", {}, "contract gone is not in force"),
        ("wide", {"x-freehold-use": "train_competing"}, "do not allow that answers train a competing model"),
        ("raised", {}, "does not allow special data"),
    ):
        reply = await ask(home, model, **headers)
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (403, "terms_forbid"), error
        assert why in error["message"] and "contracts show" in error["message"], error
        row = home.outcomes()[-1]
        assert (row["error"], row["deployment"], row["call"]) == ("terms_forbid", "", reply.headers["x-request-id"])
    assert len(vendor.seen) == sent, "what is refused has not left"
    assert (await ask(home, "wide", **{"x-freehold-use": "train"})).status_code == 200
    wrong = await ask(home, "wide", **{"x-freehold-data-class": "harmless"})
    assert wrong.status_code == 400 and "confidential" in wrong.json()["error"]["message"]

    # A contract that is mended takes effect with a reload; one that is broken leaves the old terms in force.
    written(home, "gone", '"confidential"', days=1)
    home.cli("reload")
    assert (await ask(home, "over")).status_code == 200
    (home.home / "gone.contract.toml").write_text("schema = 1")
    refused = home.cli("reload", check=False)
    assert refused.returncode == 3 and "gone.contract.toml" in refused.stderr
    assert (await ask(home, "over")).status_code == 200
    assert home.json("ledger", "verify")["ok"] is True


async def test_what_is_owed_anyway_goes_first(system: Starter, vendor: Vendor) -> None:
    """With `prefer = "commitments"` a deployment whose contract is owed money is taken before one that weighs more."""
    tables = [
        deployment("plain", vendor.url, "ok;in=20;out=10", more='contract = "free"'),
        deployment("owed", vendor.url, "ok;in=20;out=10", more='contract = "committed"'),
    ]
    routes = (
        '[contracts]\ninclude = ["*.contract.toml"]\n[policies.burn]\nroutes = ["burning"]\nprefer = "commitments"\n'
        '[routes.burning]\ndeployments = [{ name = "plain", weight = 99 }, { name = "owed", weight = 1 }]\n'
        '[routes.even]\ndeployments = ["plain"]\nfallback = ["owed"]\n'
    )
    home = system(config(), start=False)
    for id in ("free", "committed"):
        written(home, id, '"public", "internal"')
    commitment = (
        f'[[commitment]]\nid = "year"\ntype = "spend"\nstart = 2026-01-01\nend = {TODAY + timedelta(days=50)}\n'
        'amount = "0.010"\n'
    )
    file = home.home / "committed.contract.toml"
    file.write_text(file.read_text() + commitment)
    home.configure(config(*tables) + routes)
    home.start()
    first = [(await ask(home, "burning")).headers["x-freehold-deployment"] for _ in range(3)]
    assert first == ["owed"] * 3  # 0.012 of 0.010 is spent now
    assert (await ask(home, "even")).headers["x-freehold-deployment"] == "plain"
    home.stop()
    home.start()  # what was spent is counted at the start, and now and then
    later = {(await ask(home, "burning")).headers["x-freehold-deployment"] for _ in range(6)}
    assert "plain" in later
