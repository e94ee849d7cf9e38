"""`freehold dependency`: the server that runs and the store by itself say the same, and `ledger query` shows what is
behind it."""

from __future__ import annotations

from tests.conftest import Starter
from tests.e2e.traffic import whole
from tests.system import config, deployment
from tests.vendor import Vendor

FUNCTIONS = '[functions]\nhelp = { title = "Help desk", criticality = "critical", routes = ["one"] }\n'


async def test_the_server_and_the_store_say_the_same(system: Starter, vendor: Vendor, store: str) -> None:
    house = system(
        config(
            deployment("one", vendor.url, "ok", price=("1000", "1000"), more='chips = "nvidia"'),
            deployment("two", vendor.url, "ok", kind="azure", more='region = "eu"'),
            FUNCTIONS,
            store=store,
        )
    )
    async with house.client() as client:
        for name in ("one", "one", "two"):
            assert (await whole(client, name)).status == 200
    running = house.json("dependency", "--measure", "requests", "--by", "chips")
    assert running["health_known"] is True
    assert {part["id"]: part["requests"] for part in running["dimensions"][4]["parts"]} == {"nvidia": 2, "": 1}
    text = house.cli("dependency").stdout
    assert "Help desk" in text
    assert "vendor-openai" in text
    assert "Requests without a known price, in no share of spend: 1." in text
    wrong = house.cli("dependency", "--function", "hepl", check=False)
    assert (wrong.returncode, "`help`" in wrong.stderr) == (1, True)
    house.stop()
    alone = house.json("dependency", "--measure", "requests", "--by", "chips")
    assert alone["health_known"] is False
    assert alone | {"health_known": True} == running
    assert "No server runs" in house.cli("dependency", "--no-groups", "--function", "(none)").stdout
    assert len(house.json("ledger", "query", "--function", "help", "--chips", "nvidia")) == 2
    assert len(house.json("ledger", "query", "--function", "(none)", "--party", "vendor-azure", "--region", "eu")) == 1
    assert house.json("ledger", "query", "--by", "function") != []
