"""What rests on whom on the console: the answer is what the calls were, and its numbers lead to their entries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.console.desk import Desk, open_desk
from tests.vendor import Vendor

CONTRACT = """schema = "freehold.contract/1"
id = "frame"
kind = "model-api"
party = { supplier = "acme", group = "acme-group" }
term = { start = 2026-01-01, end = 2026-12-31, renewal.auto = true, notice_days.customer = 30 }
"""


def reached(name: str, url: str, model: str, party: str, more: str) -> str:
    return (
        f'[deployments.{name}]\nkind = "openai"\nendpoint = "{url}/v1"\nkey = {{ env = "VENDOR_KEY" }}\n'
        f'model = "{model}"\nmaker = "{party}"\nseller = "{party}"\nhost = "{party}"\n{more}\n'
        'price = { input = "100", output = "100", currency = "USD" }\n'
    )


@pytest.fixture
async def desk(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Desk]:
    (tmp_path / "frame.toml").write_text(CONTRACT, "utf-8")
    text = (
        '[server]\nlisten = "127.0.0.1:1"\n[store]\nurl = "sqlite:///freehold.db"\n'
        '[contracts]\ninclude = ["frame.toml"]\n'
        '[functions]\nhelp = { title = "Help desk", criticality = "critical", rto = "1h", routes = ["both"] }\n'
        '[parties]\nother = { name = "Other, Inc." }\n'
        + reached("good", vendor.url, "ok;in=20;out=10", "acme", 'chips = "nvidia,amd"\ncontract = "frame"')
        + reached("bad", vendor.url, "status;code=500", "other", "retries = 0")
        + '[routes.both]\ndeployments = ["bad"]\nfallback = ["good"]\n'
    )  # fmt: skip
    async with open_desk(tmp_path, text) as opened:
        yield opened


async def test_the_answer_is_what_the_calls_were(desk: Desk) -> None:
    for model in ("good", "good", "both"):
        assert await desk.chat(model)
    said = await desk("GET", "dependency?span=7d&by=chips&measure=requests")
    assert said["whole"] == {
        "requests": 3, "failed": 1, "unpriced": 0, "input": 60, "output": 30, "tokens": 90,
        "spend": [{"currency": "USD", "amount": "0.009"}],
    }  # fmt: skip
    spreads = {spread["by"]: spread for spread in said["dimensions"]}
    assert list(spreads) == ["maker", "seller", "host", "compute", "chips", "region", "contract"]
    assert (spreads["seller"]["hhi"], spreads["seller"]["hhi_points"]) == (1.0, 10000)
    assert [(part["id"], part["share"], part["failed"]) for part in spreads["seller"]["parts"]] == [
        ("acme-group", 1.0, 0), ("other", 0.0, 1)
    ]  # fmt: skip
    acme, other = said["counterparties"]
    assert (acme["id"], acme["members"], acme["share"], acme["notice"]["contract"]) == (
        "acme-group",
        ["acme"],
        1.0,
        "frame",
    )
    assert (other["name"], other["share"], other["outside"]["by_days"]) == ("Other, Inc.", 0.0, {"-1": 1})
    assert acme["second"] == {
        "ready": 0.3333,
        "unhealthy": 0.0,
        "forbidden": 0.0,
        "none": 0.6667,
        "gone": 0.0,
        "proven": None,
    }
    assert [(row["id"], row["criticality"], row["rto"]) for row in said["functions"]] == [
        ("help", "critical", 3600.0), ("", None, None)
    ]  # fmt: skip
    assert (said["trend"]["per"], len(said["trend"]["starts"])) == ("day", 7)
    assert said["trend"]["lines"][0]["values"][-1] == 3
    assert said["catching_up"] is None
    apart = await desk("GET", "dependency?merged=false&measure=spend")
    assert [part["id"] for part in apart["dimensions"][1]["parts"]] == ["acme", "other"]
    assert apart["trend"]["lines"][0]["values"][-1] == "0.009"
    assert (await desk("GET", "dependency?function=(none)"))["whole"]["requests"] == 2
    assert await desk.fails("GET", "dependency?function=nowhere") == (404, "not_found")
    assert await desk.fails("GET", "dependency?since=-1") == (400, "invalid_request")
    assert await desk.fails("GET", "dependency?since=200000000&until=5") == (400, "invalid_request")
    assert await desk.fails("GET", "dependency?since=0&per=day") == (400, "invalid_request")


async def test_entries_are_found_by_what_the_figures_are_by(desk: Desk) -> None:
    for model in ("good", "good", "both"):
        assert await desk.chat(model)

    async def count(**filters: str) -> int:
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return len((await desk("GET", f"ledger?{query}"))["entries"])

    assert await count(chips="nvidia%5C,amd") == 3
    assert await count(chips="nvidia,amd") == 0
    assert await count(function="help", contract="frame") == 1
    assert await count(function="(none)") == 2
    assert await count(error="(none),client_gone") == 3
    assert await count(party="other", purpose="serve,hedge") == 1
    assert await count(recipient="acme", retention="-1") == 3
    assert await count(compute="acme,other") == 4
    assert await desk.fails("GET", "ledger?retention=soon") == (400, "invalid_request")
    row = (await desk("GET", "ledger?function=help&deployment=good"))["entries"][0]
    assert (row["recipients"], row["verdicts"], row["retention"], row["chips"]) == (["acme"], [], -1, "nvidia,amd")
    choices = await desk("GET", "ledger/choices")
    assert (choices["functions"], choices["contracts"], choices["chips"]) == (["help"], ["frame"], ["nvidia,amd"])
    sums = await desk("GET", "ledger/totals?by=function,compute")
    assert {tuple(row["group"]): row["attempts"] for row in sums["totals"]} == {
        ("", "acme"): 2, ("help", "acme"): 1, ("help", "other"): 1
    }  # fmt: skip
