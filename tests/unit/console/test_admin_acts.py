"""What an administrator changes on the console: keys, teams, the configuration, models of one's own; each act on
record."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.models import chat_model
from tests.system import deployment
from tests.unit.console.desk import Around, Desk, open_desk
from tests.vendor import Vendor

from freehold.access import members
from freehold.app import clerk
from freehold.console.office import Office
from freehold.core.errors import BadRequest, NotFound

__all__ = ["chat_model"]

HEAD = '[server]\nlisten = "127.0.0.1:1"\n[access]\ndefault_limits = ["requests=100/day"]\n'


@pytest.fixture
async def desk(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Desk]:
    text = HEAD + deployment("good", vendor.url, "ok;in=20;out=10", price=("100", "100"))
    async with open_desk(tmp_path, text) as opened:
        yield opened


async def reloaded(desk: Desk) -> None:
    await desk.house._keys_changed(1)


async def test_a_key_is_made_used_and_ended(desk: Desk) -> None:
    team = await desk("POST", "teams", {"name": "red", "limits": ["budget=1 USD/month"]}, status=201)
    body = {"name": "robot", "team": "red", "routes": ["good"], "limits": ["requests=3/minute"], "expires": "90d"}
    made = await desk("POST", "keys", body, status=201)
    assert made["secret"].startswith("fh-")
    assert made["team"] == {"id": team["id"], "name": "red"}
    await reloaded(desk)
    assert desk.house.door.pipeline.snapshot.keys.find(made["secret"].encode()).id == made["id"]
    assert await desk.chat("good", key=made["id"])
    listed = await desk("GET", "keys")
    assert listed["default_limits"] == ["requests=100/day"]
    assert listed["routes"] == ["good"]
    assert made["secret"] not in str(listed)
    key = next(key for key in listed["keys"] if key["id"] == made["id"])
    (minute,) = key["limits"]
    assert (minute["used"], minute["amount"], minute["share"]) == ("1", "3", 0.3333)
    (month,) = key["team_limits"]
    assert (month["used"], month["amount"], month["currency"], month["share"]) == ("0.003", "1.00", "USD", 0.003)
    assert month["resets_in"] > 0
    assert key["last_used"] % 86_400_000 == 0
    ended = await desk("DELETE", f"keys/{made['id']}")
    assert ended["state"] == "revoked"
    assert made["id"] not in [key["id"] for key in (await desk("GET", "keys"))["keys"]]
    assert made["id"] in [key["id"] for key in (await desk("GET", "keys?all=true"))["keys"]]
    assert await desk.fails("DELETE", f"keys/{made['id']}") == (404, "not_found")
    assert await desk.acts() == ["team.create", "key.create", "key.revoke"]


async def test_a_key_without_limits_of_its_own_gets_the_usual_ones(desk: Desk) -> None:
    made = await desk("POST", "keys", {"name": "usual"}, status=201)
    assert [limit["limit"] for limit in made["limits"]] == ["requests=100/day"]
    free = await desk("POST", "keys", {"name": "free", "limits": []}, status=201)
    assert (free["limits"], free["routes"], free["expires_at"]) == ([], None, None)


async def test_the_key_of_a_person_ends_with_the_person(desk: Desk) -> None:
    (key,) = (await desk("GET", "keys"))["keys"]
    assert key["member"] == {"id": desk.who.id, "name": "Olga"}
    assert await desk.fails("DELETE", f"keys/{key['id']}") == (400, "key_of_member")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "bad name\n"}, None),
        ({"name": "a", "limits": ["requests=many/day"]}, "limits"),
        ({"name": "a", "limits": ["budget=1 EUR/day"]}, "limits"),
        ({"name": "a", "routes": ["none"]}, "routes"),
        ({"name": "a", "routes": []}, "routes"),
        ({"name": "a", "expires": "1999-01-01"}, "expires"),
        ({"name": "a", "colour": "red"}, None),
    ],
)
async def test_keys_that_cannot_be(desk: Desk, body: dict[str, Any], param: str | None) -> None:
    status, _ = await desk.fails("POST", "keys", body)
    assert status == 400
    assert len((await desk("GET", "keys?all=true"))["keys"]) == 1
    assert await desk.acts() == []


async def test_teams_change_and_stop(desk: Desk) -> None:
    team = await desk("POST", "teams", {"name": "blue"}, status=201)
    made = await desk("POST", "keys", {"name": "robot", "team": "blue"}, status=201)
    await members.create(desk.store, "ben", team="blue")
    changed = await desk("PATCH", f"teams/{team['id']}", {"limits": ["requests=5/day", "tokens=1k/minute"]})
    assert [limit["limit"] for limit in changed["limits"]] == ["requests=5/day", "tokens=1000/minute"]
    assert (changed["keys"], changed["members"]) == (2, 1)
    stopped = await desk("PATCH", f"teams/{team['id']}", {"disabled": True})
    assert stopped["disabled_at"] is not None
    assert [limit["limit"] for limit in stopped["limits"]] == ["requests=5/day", "tokens=1000/minute"]
    (key,) = [key for key in (await desk("GET", "keys"))["keys"] if key["id"] == made["id"]]
    assert key["state"] == "team_disabled"
    assert (await desk("PATCH", f"teams/{team['id']}", {"disabled": False}))["disabled_at"] is None
    assert await desk.fails("PATCH", f"teams/{team['id']}", {}) == (400, "invalid_request")
    assert await desk.fails("PATCH", "teams/none", {"disabled": True}) == (404, "not_found")
    acts = (await desk("GET", "audit?act=team.&limit=2"))["entries"]
    assert [(act["by"], act["about"]["disabled"]) for act in acts] == [("olga", False), ("olga", True)]


async def test_limits_are_read_for_a_form(desk: Desk) -> None:
    told = await desk("POST", "limits", {"limits": ["budget=5/day"]})
    assert told["limits"][0]["limit"] == "budget=5.00 USD/day"
    assert told["limits"][0]["used"] is None
    assert await desk.fails("POST", "limits", {"limits": ["five a day"]}) == (400, "invalid_request")


async def test_settings_tell_where_each_value_is_from(desk: Desk) -> None:
    told = await desk("GET", "settings")
    settings = {row["name"]: row for row in told["settings"]}
    assert told["file"] == str(desk.file)
    key = settings["deployments.good.key"]
    assert (key["value"], key["origin"]) == ("env:VENDOR_KEY", "env VENDOR_KEY")
    row = {"name": "ledger.durability", "value": "strict", "origin": "default", "default": True, "restart": False}
    assert settings["ledger.durability"] == row
    assert settings["server.listen"]["origin"] == "file"
    assert "sk-vendor" not in str(told)


async def test_the_file_against_what_runs_and_taking_it_over(desk: Desk) -> None:
    assert (await desk("GET", "settings/diff"))["same"]
    text = desk.file.read_text()
    desk.file.write_text(text.replace("[access]", "workers = 2\n[access]").replace("requests=100", "requests=7"))
    differs = await desk("GET", "settings/diff")
    assert {row["name"]: (row["runs"], row["file"], row["restart"]) for row in differs["changes"]} == {
        "access.default_limits": (["requests=100/day"], ["requests=7/day"], False),
        "server.workers": (1, 2, True),
    }
    done = await desk("POST", "settings/reload")
    assert (done["ok"], done["needs_restart"]) == (True, ["server.workers"])
    told = await desk("GET", "settings")
    assert [row["name"] for row in told["settings"] if row["restart"]] == ["server.workers"]
    assert (await desk("GET", "keys"))["default_limits"] == ["requests=7/day"]


async def test_a_file_that_is_wrong_is_refused_with_all_that_is_wrong(desk: Desk) -> None:
    before = (await desk("GET", "settings"))["hash"]
    desk.file.write_text('[server]\nlisten = "nowhere"\n[ledger]\nbodies = "some"\n')
    for answer in (await desk("GET", "settings/diff"), await desk("POST", "settings/reload")):
        assert {problem["where"] for problem in answer["problems"]} == {"server.listen", "ledger.bodies"}
        assert all(problem["message"] for problem in answer["problems"])
    assert (await desk("GET", "settings"))["hash"] == before
    (act,) = (await desk("GET", "audit"))["entries"]
    assert (act["act"], act["about"]["ok"], act["about"]["problems"]) == ("settings.reload", False, 2)


async def test_pages_of_the_audit(desk: Desk) -> None:
    for number in range(5):
        await desk("POST", "teams", {"name": f"team{number}"}, status=201)
    first = await desk("GET", "audit?limit=3&member=olga")
    rest = await desk("GET", f"audit?limit=3&before={first['next']}")
    names = [act["about"]["name"] for act in first["entries"] + rest["entries"]]
    assert names == ["team4", "team3", "team2", "team1", "team0"]
    assert rest["next"] is None
    assert (await desk("GET", "audit?member=nobody"))["entries"] == []
    assert await desk.fails("GET", "audit?limit=1000") == (400, "invalid_request")


async def test_orders_and_questions_that_cannot_be(desk: Desk) -> None:
    give = desk.supervisor.orders.give
    with pytest.raises(NotFound):
        await give("dance", {})
    with pytest.raises(BadRequest):
        await give("model", {"colour": "red"})
    office = Office(desk.house.door.pipeline, desk.store, Around(desk.supervisor), desk.house.default_limits)
    with pytest.raises(NotFound):
        await clerk.answer(office, "GET", "/api/admin/nothing")
    with pytest.raises(BadRequest):
        await clerk.answer(office, "POST", "/api/admin/teams", body={"colour": "red"})
    with pytest.raises(BadRequest):
        await clerk.answer(office, "GET", "/api/admin/overview", query={"span": "1y"})
    made = await clerk.answer(office, "POST", "/api/admin/teams", body={"name": "red"})
    assert made["name"] == "red"
    (act,) = (await desk("GET", "audit"))["entries"]
    assert (act["act"], act["by"]) == ("team.create", "command line")


def catalogue(folder: Path, file: Path) -> str:
    """A models file with a real model that is to be had from this machine, and the same with a hash that is wrong."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    table = """[models.{name}]
title = "Small"
maker = "somebody"
licence = "Apache-2.0"
context = 2048
capabilities = ["chat", "completion", "stream"]
[[models.{name}.files]]
name = "{name}.gguf"
bytes = {size}
sha256 = "{digest}"
sources = [{{ kind = "path", path = "{file}" }}]
"""
    size = file.stat().st_size
    text = table.format(name="small", size=size, digest=digest, file=file)
    text += table.format(name="false", size=size, digest="0" * 64, file=file)
    (folder / "models.toml").write_text(text)
    more = '[engines]\ncatalogue = "models.toml"\nmax_context = 1024\nstart = "first_use"\n'
    return HEAD + more + '[deployments.own]\nkind = "llamacpp"\nmodel = "small"\n'


@pytest.fixture
async def own(tmp_path: Path, chat_model: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, catalogue(tmp_path, chat_model)) as opened:
        yield opened


async def finished(desk: Desk, job: dict[str, Any]) -> dict[str, Any]:
    while job["state"] == "running":
        await asyncio.sleep(0.05)
        job = await desk("GET", f"jobs/{job['id']}")
    return job


async def test_a_model_is_pulled_started_asked_stopped_and_removed(own: Desk) -> None:
    before = await own("GET", "models/small")
    assert (before["here"], before["engine"], before["deployments"], before["trust"]) == (False, None, ["own"], False)
    job = await own("POST", "models/pull", {"model": "small"})
    again = await own("POST", "models/pull", {"model": "small"})
    assert again["id"] == job["id"]
    job = await finished(own, job)
    assert (job["state"], job["error"], job["by"]) == ("done", None, "olga")
    here = await own("GET", "models/small")
    assert (here["here"], here["fits"], here["job"]["id"]) == (True, True, job["id"])
    assert here["fit"]["context"] == 1024
    assert here["held_bytes"] == here["bytes"] > 1_000_000
    assert (await own("POST", "models/small/start"))["engine"]["state"] in ("starting", "ready", "busy")
    while (state := (await own("GET", "models/small"))["engine"])["state"] == "starting":
        await asyncio.sleep(0.1)
    assert state["state"] == "ready", state
    assert state["slots"] >= 1
    tried = await own("POST", "deployments/own/try", {"prompt": "Say hello."})
    assert (tried["ok"], tried["deployment"]) == (True, "own"), tried
    assert tried["cost"] == {"currency": "USD", "amount": "0.00"}
    assert tried["text"]
    look = await own("GET", "models")
    assert look["used"] > 0
    assert look["machine"]["memory"] >= look["budget"]
    proof = await finished(own, await own("POST", "models/small/verify"))
    assert proof["result"]["sound"]
    assert (await own("POST", "models/small/stop"))["engine"] is None
    assert await own.fails("DELETE", "models/small") == (400, "model_in_use")
    assert (await own("DELETE", "models/small?force=true"))["freed"] >= here["bytes"]
    assert not (await own("GET", "models/small"))["here"]
    names = ["model.pull", "model.pull", "engine.start", "model.verify", "engine.stop", "model.remove"]
    assert await own.acts() == names


async def test_a_pull_that_fails_says_why(own: Desk) -> None:
    job = await finished(own, await own("POST", "models/pull", {"model": "false"}))
    assert job["state"] == "failed"
    assert job["error"]["code"] == "model_pull_failed"
    assert (await own("GET", "models/false"))["job"]["error"] == job["error"]
    assert await own.fails("POST", "models/pull", {"model": "nobody-knows"}) == (404, "model_unknown")
    assert await own.fails("POST", "models/pull", {"model": "hf:nothing"}) == (400, "model_reference")
    assert await own.fails("GET", "models/nobody-knows") == (404, "model_unknown")


async def test_a_start_that_cannot_be_says_why(own: Desk) -> None:
    await own("POST", "models/small/start")
    while (state := (await own("GET", "models/small"))["engine"])["state"] == "starting":
        await asyncio.sleep(0.05)
    assert state["state"] == "failed"
    assert "not on this machine" in state["reason"]
    assert (await own("POST", "models/small/stop"))["engine"] is None


async def test_a_pull_is_stopped(own: Desk, chat_model: Path) -> None:
    """The shelf is held by somebody else, so that the pull waits; it is stopped there."""
    from freehold.engines import shelf

    async with shelf.alone(own.supervisor.config.home, "small"):
        job = await own("POST", "models/pull", {"model": "small"})
        while job["phase"] != "waiting":
            job = await own("GET", f"jobs/{job['id']}")
        stopped = await own("DELETE", f"jobs/{job['id']}")
    assert stopped["state"] == "cancelled"
    assert [each["id"] for each in (await own("GET", "jobs"))["jobs"]] == [job["id"]]
    assert (await own("DELETE", f"jobs/{job['id']}"))["state"] == "cancelled"
