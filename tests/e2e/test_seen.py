"""Who saw what: calls under several contracts, through the real server; the reports name the right parties, regions and
days, an erasure ends what is held here, and the ledger stays whole. On both stores."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Starter
from tests.e2e.person import Person
from tests.system import System, config, deployment
from tests.vendor import Vendor

TODAY = datetime.now(UTC).date()
CONTRACT = """
schema = "freehold.contract/1"
id = "{id}"
version = "{version}"
title = "{id} agreement"
kind = "hosted-model"
party = {{ supplier = "{supplier}", entity = "{entity}", country = "{country}" }}
chain = {{ compute_owner = "{compute}", subprocessors = [{subprocessors}] }}
[term]
start = 2026-01-01
end = {end}
exit = {{ erasure = "yes", erasure_days = 20, retrieval_days = 10 }}
[data]
classes_allowed = ["public", "internal", "confidential", "personal"]
{data}
"""
FILE = """
[contracts]
include = ["*.contract.toml"]
[parties.openai]
name = "OpenAI OpCo LLC"
country = "US"
[parties.vendor-openai]
name = "The Host plc"
country = "IE"
[functions.claims]
routes = ["swedish"]
[data]
default = "confidential"
areas = { house = ["eu", "CH"] }
[policies.privacy]
routes = ["swedish"]
privacy = { outside = "pseudonymise", kinds = ["EMAIL"] }
"""
KEPT = 'durability = "strict"\nbodies = "full"'


def written(home: System, id: str, data: str, *, days: int = 200, version: str = "1", **more: str) -> None:
    about = {"supplier": "microsoft", "entity": "Microsoft Ireland Operations Ltd", "country": "IE",
             "compute": "microsoft", "subprocessors": '"openai"', **more}  # fmt: skip
    end = (TODAY + timedelta(days=days)).isoformat()
    text = CONTRACT.format(id=id, version=version, end=end, data=data, **about)
    (home.home / f"{id}.contract.toml").write_text(text)


def furnished(system: Starter, vendor: Vendor, store: str) -> System:
    def one(name: str, model: str, contract: str, region: str = "") -> str:
        more = f'contract = "{contract}"\n' + (f'region = "{region}"\n' if region else "")
        return deployment(name, vendor.url, f"{model};in=20;out=10", price=("1", "1"), more=more)

    made = system(config(ledger=KEPT, store=store), start=False)
    written(made, "azure", 'retention_days = 30\ntrains_on_inputs = "no"\nhuman_review = "yes"\nregions = ["eu"]')
    # Names nobody for the machines, says nothing of retention.
    alone = {"supplier": "mistral", "entity": "Mistral AI SAS", "country": "FR", "compute": "", "subprocessors": ""}
    written(made, "silent", "", days=1, **alone)
    made.configure(
        config(
            one("swedish", "ok;region=Sweden Central", "azure", "swedencentral"),
            one("astray", "ok;region=East US", "azure", "swedencentral"),
            one("silent", "ok", "silent"),
            one("away", "ok;region=swedencentral", ""),
            ledger=KEPT,
            store=store,
        )
        + FILE
    )
    return made.start()


async def ask(home: System, key: str, model: str, text: str, **more: Any) -> str:
    async with home.client() as client:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        reply = await client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
        assert reply.status_code == 200, reply.text
        return str(reply.headers["x-request-id"])


def rows_of(found: Any, party: str) -> list[Any]:
    return [row for row in found["rows"] if row["party"]["id"] == party]


@pytest.fixture
async def furnished_house(system: Starter, vendor: Vendor, store: str) -> dict[str, Any]:
    """A house in which two keys have called; `calls` by what they were about."""
    home = furnished(system, vendor, store)
    robot = home.new_key("robot")["key"]
    calls = {
        "ann": await ask(home, home.key, "swedish", "Write to ann@mail.example", user="customer-7"),
        "astray": await ask(home, home.key, "astray", "hello"),
        "silent": await ask(home, home.key, "silent", "hello"),
        "robot": await ask(home, robot, "away", "hello", user="customer-7"),
        "other": await ask(home, robot, "away", "hello", user="customer-77"),
    }
    return {"home": home, "calls": calls}


async def test_reports_name_the_right_parties_and_an_erasure_leaves_the_ledger_whole(
    furnished_house: dict[str, Any], tmp_path: Path
) -> None:
    home, calls = furnished_house["home"], furnished_house["calls"]
    found = home.json("seen", "person", "--key", "tester")
    assert (found["calls"], found["attempts"], found["outside"], found["astray"]) == (3, 3, 3, 1)
    names = {each["party"]["id"]: (each["party"]["name"], each["party"]["country"]) for each in found["parties"]}
    assert names == {
        "vendor-openai": ("The Host plc", "IE"), "microsoft": ("Microsoft Ireland Operations Ltd", "IE"),
        "openai": ("OpenAI OpCo LLC", "US"),
    }  # fmt: skip
    until = (TODAY + timedelta(days=30)).isoformat()
    swedish, astray = sorted(rows_of(found, "microsoft"), key=lambda row: row["echoed"], reverse=True)
    assert (swedish["echoed"], swedish["astray"], astray["echoed"], astray["astray"]) == (
        "swedencentral", False, "eastus", True,
    )  # fmt: skip
    assert (swedish["contract"], swedish["version"], swedish["title"]) == ("azure", "1", "azure agreement")
    assert (swedish["data_class"], swedish["retention"], swedish["until"]) == ("personal", 30, until)
    assert (swedish["trains"], swedish["review"], swedish["redactions"]) == ("no", "yes", {"EMAIL": 1})
    assert swedish["roles"] == ["compute"] and rows_of(found, "openai")[0]["roles"] == ["subprocessor"]
    (silent,) = [row for row in rows_of(found, "vendor-openai") if row["contract"] == "silent"]
    assert (silent["retention"], silent["until"], silent["trains"], silent["region"]) == (None, None, "", "")
    house = {each["kind"]: each["count"] for each in found["house"]}
    assert house == {"entry": 3, "text": 6, "pseudonym": 1}

    # By what a client named: of whichever key, exactly that name.
    found = home.json("seen", "person", "--user", "customer-7")
    assert {(row["contract"], row["party"]["id"]) for row in found["rows"]} >= {("azure", "openai")}
    assert found["calls"] == 2 and home.json("seen", "person", "--user", "customer-77")["calls"] == 1
    both = home.json("seen", "person", "--user", "customer-7", "--key", "robot")
    assert both["calls"] == 3  # a call of both is one
    page = home.cli("seen", "person", "--key", "tester", "-o", str(tmp_path / "ann.html"))
    text = (tmp_path / "ann.html").read_text()
    assert "OpenAI OpCo LLC" in text and until in text and page.returncode == 0

    left = home.json("seen", "left", "eu")
    assert left["attempts"] == {"outside": 2, "unstated": 1, "inside": 2, "own": 0}
    why = {(row["echoed"], *row["why"]) for row in left["rows"] if row["state"] == "outside"}
    assert why == {("swedencentral", "party"), ("eastus", "echoed", "party")}  # a subprocessor is seated in the US
    (unstated,) = [row for row in left["rows"] if row["state"] == "unstated"]
    assert unstated["contract"] == "silent"
    assert {part["id"]: part["attempts"] for part in left["by"]["recipient"]} == {"openai": 2}
    assert {part["id"]: part["attempts"] for part in left["by"]["function"]} == {"claims": 1, "": 1}
    assert home.json("seen", "left", "house")["attempts"]["outside"] == 2
    wrong = home.cli("seen", "left", "atlantis", check=False)
    assert wrong.returncode == 1 and "Nobody knows the area" in wrong.stderr

    await _erased(home, calls, tmp_path)


async def _erased(home: System, calls: dict[str, str], tmp_path: Path) -> None:
    held = home.json("seen", "erase", "--key", "tester")
    assert (held["kept"], held["never"], held["here"]["texts"], held["erased"]) == (3, 0, 6, None)
    asked = {(duty["party"]["id"], duty["contract"]): duty for duty in held["duties"]}
    assert asked["openai", "azure"]["ask"] == "by_itself"
    assert asked["openai", "azure"]["addressee"]["id"] == "microsoft"
    assert asked["vendor-openai", "silent"]["ask"] == "ask"
    # The contract has ended since: by its terms all has to be erased, ten days and twenty after the last one.
    alone = {"supplier": "mistral", "entity": "Mistral AI SAS", "country": "FR", "compute": "", "subprocessors": ""}
    written(home, "silent", "", days=-1, **alone)
    home.cli("reload")
    words = home.json("seen", "erase", "--key", "tester", "--letters", str(tmp_path / "letters"))
    duty = next(each for each in words["duties"] if each["contract"] == "silent")
    assert (duty["ask"], duty["exit"]["due"]) == ("due", (TODAY + timedelta(days=29)).isoformat())
    letter = (tmp_path / "letters" / "mistral.txt").read_text()
    assert "Mistral AI SAS" in letter and duty["exit"]["due"] in letter and "tester" not in letter
    listed = list(csv.DictReader(io.StringIO((tmp_path / "letters" / "microsoft.csv").read_text())))
    assert {row["call"] for row in listed} == {calls["ann"], calls["astray"]}

    before = {row["call"] for row in home.sql("SELECT call FROM body WHERE data IS NOT NULL")}
    assert before == set(calls.values())
    refused = home.cli("seen", "erase", "--key", "tester", "--do", check=False)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    done = home.json("seen", "erase", "--key", "tester", "--do", "--yes", "--why", "she asked")["erased"]
    assert (done["text"], done["pseudonyms_of"]) == (6, 1)
    rows = home.sql("SELECT call, data, erased_why FROM body")
    assert {row["call"] for row in rows if row["data"] is not None} == {calls["robot"], calls["other"]}
    assert {row["erased_why"] for row in rows if row["data"] is None} == {"she asked"}
    assert home.sql("SELECT * FROM vault") == []
    assert home.json("ledger", "verify")["ok"] is True
    again = home.json("seen", "person", "--key", "tester")
    assert again["attempts"] == 3, "who saw what stays on record"
    assert {each["kind"]: each["count"] for each in again["house"]} == {"entry": 3, "text": 0, "pseudonym": 0}
    acts = home.json("ledger", "query", "--kind", "admin")
    assert any('"person.erase"' in row["note"] and "she asked" in row["note"] for row in acts)


async def test_what_a_member_made_is_theirs_to_have_erased(system: Starter, vendor: Vendor, store: str) -> None:
    home = system(
        config(deployment("plain", vendor.url, "gpt-4o", price=("1", "1")), ledger=KEPT, store=store), key=None
    )
    async with Person(home) as olga:
        await olga.first()
        talk = await olga.call("POST", "/api/conversations", json={"models": ["plain"]})
        await olga.ask(talk["id"], "Remember the blue whale", [])
        report = await olga.call("GET", "/api/admin/seen/person", params={"member": "olga"})
        assert (report["calls"], report["person"]["title"]) == (1, "Olga")
        house = {each["kind"]: each["count"] for each in report["house"]}
        assert (house["conversation"], house["message"], house["text"], house["session"]) == (1, 2, 2, 1)
        reply = await olga.client.get("/api/admin/seen/person", params={"member": "olga", "format": "html"})
        assert reply.headers["content-disposition"].startswith("attachment") and "Olga" in reply.text
        dry = await olga.call("POST", "/api/admin/seen/erase", json={"member": "olga"})
        assert dry == {"texts": 2, "bytes": dry["bytes"], "pseudonyms": 0, "conversations": 0, "done": False}
        bare = await olga.client.post("/api/admin/seen/erase", json={"member": "olga", "do": True})
        assert bare.status_code == 400 and bare.json()["error"]["param"] == "why"
        done = await olga.call("POST", "/api/admin/seen/erase", json={"member": "olga", "do": True, "why": "asked"})
        assert done["done"] and home.sql("SELECT * FROM body WHERE data IS NOT NULL") == []
        assert await olga.call("GET", f"/api/conversations/{talk['id']}")  # that is another thing to ask for
        file = await olga.call("GET", "/api/admin/seen/erase", params={"member": "olga", "format": "csv"})
        assert b"vendor-openai" in file
        party = {"member": "olga", "party": "vendor-openai"}
        assert b"vendor-openai" in await olga.call("GET", "/api/admin/seen/letter", params=party)
        listed = await olga.call("GET", "/api/admin/seen/letter", params={**party, "format": "csv"})
        assert len(listed.splitlines()) == 2
    gone = home.json("seen", "erase", "olga", "--library", "--do", "--yes")["erased"]
    assert (gone["conversation"], gone["text"]) == (1, 0)
    assert home.sql("SELECT * FROM message") == [] == home.sql("SELECT * FROM conversation")
    assert home.json("ledger", "verify")["ok"] is True
