"""Promise 2: no silent loss. A field that the target cannot honour is refused, or named in a header and the Entry."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Opener
from tests.e2e.traffic import streamed, whole
from tests.system import System, config, deployment
from tests.vendor import Vendor

LACKING = 'retries = 0\nunsupported = ["logit_bias", "seed"]'


@pytest.fixture(scope="module")
def house(shared_vendor: Vendor, opened: Opener) -> System:
    url = shared_vendor.url
    return opened(
        config(
            deployment("lacking", url, "ok", more=LACKING),
            deployment("able", url, "ok"),
            '[routes.strict]\ndeployments = ["lacking"]\non_loss = "strict"\n',
            '[routes.warn]\ndeployments = ["lacking"]\non_loss = "warn"\n',
            '[routes.fallback]\ndeployments = ["lacking"]\nfallback = ["able"]\non_loss = "strict"\n',
        )
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_strict_refuses_and_nothing_leaves(house: System, behind: Vendor, stream: bool) -> None:
    async with house.client() as client:
        got = await (streamed if stream else whole)(client, "strict", logit_bias={"7": 1})
    assert got.status == 400
    assert got.error is not None and got.error["param"] == "logit_bias"
    assert behind.seen == []


async def test_strict_goes_on_to_one_that_can(house: System, behind: Vendor) -> None:
    async with house.client() as client:
        got = await whole(client, "fallback", seed=7)
    assert got.status == 200
    assert got.headers["x-freehold-deployment"] == "able"
    assert [seen.json()["seed"] for seen in behind.seen] == [7]


@pytest.mark.parametrize("stream", [False, True])
async def test_warn_names_what_was_dropped(house: System, behind: Vendor, stream: bool) -> None:
    async with house.client() as client:
        got = await (streamed if stream else whole)(client, "warn", logit_bias={"7": 1}, seed=3, temperature=0.5)
    assert got.status == 200
    assert set(got.headers["x-freehold-dropped"].split(", ")) == {"logit_bias", "seed"}
    sent = behind.seen[0].json()
    assert "logit_bias" not in sent and "seed" not in sent
    assert sent["temperature"] == 0.5
    data = bytes(house.outcomes("call = ?", got.call)[0]["data"])
    assert b"logit_bias" in data and b"seed" in data


@pytest.mark.parametrize("route", ["strict", "warn", "able"])
async def test_a_field_that_nobody_knows(house: System, behind: Vendor, route: str) -> None:
    """Refused with its name, or handed on as it is, or named as dropped: never gone in silence."""
    async with house.client() as client:
        got = await whole(client, route, some_new_field={"deep": [1, 2]})
    if got.status == 200:
        dropped = got.headers.get("x-freehold-dropped", "")
        assert "some_new_field" in dropped or behind.seen[0].json()["some_new_field"] == {"deep": [1, 2]}
    else:
        assert got.status == 400
        assert got.error is not None and "some_new_field" in got.error["message"]
