"""What another model could not do, from recorded calls, declarations and probes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.system import config, deployment
from tests.unit.console.desk import Desk, open_desk
from tests.vendor import Vendor

from freehold.core.errors import BadRequest, NotFound
from freehold.exits.gap import Ability, Probe, _Group, weighed
from freehold.exits.probes import QUESTIONS, asked_of
from freehold.ledger import Query, entries
from freehold.providers import Settings, build
from freehold.routing import Deployment


def able(*can: str, probes: list[Probe] | None = None, unsupported: tuple[str, ...] = (), **more: Any) -> Ability:
    target = Deployment("b", "openai", "m", capabilities=frozenset(can) if can else None, **more)
    settings = Settings(
        name="b",
        kind="openai",
        model="m",
        endpoint="http://127.0.0.1:1/v1",
        key="k",
        unsupported=frozenset(unsupported),
    )
    return Ability(target, build(settings), probes or [])


def calls(*uses: str, endpoint: str = "chat", size: int = 1024, count: int = 10) -> _Group:
    return _Group(endpoint, "claims", uses, size, count, count * 100)


def fates(ability: Ability, *groups: _Group) -> dict[str, float]:
    return {str(fate): share for fate, share in weighed("a", "b", 0, 1, groups, ability).fates.items() if share}


ALL = ("chat", "tools", "json_schema", "json_object", "logprobs", "vision", "stream")


@pytest.mark.parametrize(
    ("ability", "group", "fate"),
    [
        (able(*ALL), calls(), "native"),
        (able(*ALL), calls("tools", "forced_tool", "stream", "temperature"), "native"),
        (able("chat"), calls("tools"), "lost"),
        (able("chat"), calls("strict_schema", "json_schema"), "lost"),
        (able(), calls("tools"), "unknown"),
        (able(*ALL, unsupported=("seed",)), calls("seed"), "adapted"),
        (able(*ALL, unsupported=("user",)), calls("user"), "adapted"),
        (able(*ALL, unsupported=("n",)), calls("choices", "n"), "lost"),
        (able(*ALL, context=2048), calls(size=2048), "native"),
        (able(*ALL, context=2048), calls(size=3072), "lost"),
        (able(*ALL, max_output=1000), calls("output:512"), "native"),
        (able(*ALL, max_output=1000), calls("output:1024"), "adapted"),
        (able(*ALL), calls(endpoint="embedding"), "lost"),
        (able("embedding"), calls(endpoint="embedding"), "adapted"),
        (able(*ALL), calls("prefill"), "unknown"),
        (able(*ALL), calls("cache_control"), "adapted"),
    ],
)
def test_what_becomes_of_a_call(ability: Ability, group: _Group, fate: str) -> None:
    assert fates(ability, group) == {fate: 1.0}


def test_a_probe_goes_before_a_declaration_and_the_latest_counts() -> None:
    def found(what: Any, at: int, model: str = "m") -> Probe:
        return Probe("b", model, "tools", what, at, f"call_{at}")

    group = calls("tools")
    assert fates(able("chat", "tools", probes=[found("ignored", 1)]), group) == {"lost": 1.0}
    assert fates(able("chat", probes=[found("no", 1), found("yes", 2)]), group) == {"native": 1.0}
    assert fates(able("chat", probes=[found("yes", 2, "older")]), group) == {"lost": 1.0}, "another model was probed"
    whole = weighed("a", "b", 0, 1, [group], able("chat", "tools", probes=[found("no", 7)]))
    (cause,) = [c for c in whole.causes if c.feature == "tools"]
    assert (cause.how, cause.at, cause.call, cause.functions) == ("probed", 7, "call_7", ("claims",))


def test_shares_are_of_all_calls_by_their_worst() -> None:
    groups = [calls(count=60), calls("tools", "seed", count=30), calls("seed", count=10)]
    found = weighed("a", "b", 0, 1, groups, able("chat", unsupported=("seed",)))
    assert found.fates == {"native": 0.6, "adapted": 0.1, "unknown": 0.0, "lost": 0.3}
    assert sum(found.token_fates.values()) == pytest.approx(1)
    assert [(c.feature, c.fate, c.share) for c in found.causes if c.fate != "native"] == [
        ("tools", "lost", 0.3), ("seed", "adapted", 0.4),
    ]  # fmt: skip


def test_what_is_asked_fits_the_kind() -> None:
    assert asked_of(frozenset({"embedding"})) == ["embedding", "dimensions"]
    assert "embedding" not in asked_of(None) and "tools" in asked_of(None)
    assert asked_of(None, ["tools", "tools"]) == ["tools"]
    with pytest.raises(BadRequest):
        asked_of(None, ["flying"])


@pytest.fixture(params=["sqlite", "postgres"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, vendor: Vendor) -> AsyncIterator[Desk]:
    url = "sqlite:///freehold.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    text = config(
        deployment("a", vendor.url, "ok;in=20;out=10"),
        deployment("b", vendor.url, "ok;in=20;out=10", more='unsupported = ["logprobs"]\n'),
        store=url,
    ).replace("{port}", "1")
    async with open_desk(tmp_path, text) as opened:
        yield opened


async def test_from_recorded_calls_through_probes(desk: Desk) -> None:
    pipeline = desk.house.door.pipeline
    key = pipeline.snapshot.keys.by_id(desk.who.key)
    for _ in range(3):
        await desk.chat("a")
    found = await desk("GET", "gap?a=a&b=b")
    assert found["calls"] == 3 and found["fates"]["unknown"] == 1.0  # nobody says what b can do
    asked = await desk("POST", "deployments/b/probes", {"only": ["chat", "tools", "logprobs", "json_schema"]})
    said = {row["capability"]: row["found"] for row in asked["probes"]}
    assert asked["silent"] == []
    assert said["chat"] == "yes" and said["logprobs"] == "no"  # refused by our own table: nothing was sent
    assert set(said) == {"chat", "tools", "logprobs", "json_schema"}
    assert (await desk("GET", "gap?a=a&b=b"))["fates"]["native"] == 1.0
    by_seller = await desk("GET", "gap?a=seller:vendor-openai&b=b&days=1")
    assert by_seller["calls"] == 3, "probes are no work"
    rows = [row.entry async for row in entries(desk.store, Query(deployment="b"))]
    assert {row.purpose for row in rows} == {"probe"} and {row.key for row in rows} == {key.id}
    assert "deployment.probe" in await desk.acts()
    assert await desk.fails("GET", "gap?a=nobody&b=b") == (404, NotFound.code)
    for odd in ("seller:%00", "route:a%00", "maker:%0A"):
        assert await desk.fails("GET", f"gap?a={odd}&b=b") == (404, NotFound.code)
    assert await desk.fails("GET", "gap?a=a&b=nobody") == (404, NotFound.code)
    assert await desk.fails("POST", "deployments/b/probes", {"only": ["flying"]}) == (400, BadRequest.code)


def test_every_question_is_a_sound_request() -> None:
    from freehold.wire.dialects import openai

    for question in QUESTIONS.values():
        openai.parse(question.kind, msgspec.json.encode({"model": "m", **question.fields}))  # type: ignore[arg-type]
