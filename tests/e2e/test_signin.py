"""People on the real system: several workers, the command line beside them, a real identity provider."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from freehold.ledger.entry import decode
from tests.system import System, until
from tests.unit.console.provider import Idp, sign_in_there

GOOD = "correct horse battery"
CONFIG = """
[server]
listen = "127.0.0.1:{port}"
workers = 3
[store]
url = "sqlite:///{home}/freehold.db"
[deployments.x]
kind = "openai"
endpoint = "http://127.0.0.1:1/v1"
model = "m"
"""
Starter = Callable[..., System]


def fresh(system: System, **more: Any) -> httpx2.AsyncClient:
    """A browser; each of its requests is a new connection, which any worker may take."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    return httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=30, limits=limits, **more)


async def setup(client: httpx2.AsyncClient, **more: str) -> httpx2.Response:
    return await client.post("/api/setup", json={"name": "olga", "password": GOOD, **more})


async def sign_in(client: httpx2.AsyncClient, name: str, password: str = GOOD) -> httpx2.Response:
    return await client.post("/api/session", json={"name": name, "password": password})


def admin_notes(system: System) -> list[dict[str, Any]]:
    rows = system.sql("SELECT data FROM entry WHERE kind = 2 ORDER BY seq")
    return [json.loads(decode(bytes(row["data"])).note) for row in rows]


async def test_the_printed_address_makes_the_owner_from_anywhere(system: Starter) -> None:
    house = system(CONFIG, key=None)
    found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+/#setup=([\w-]{22})\n", house.tail()), what="the address")
    assert house.json("members", "link") == {"url": found[0].strip(), "setup": True}
    async with fresh(house, headers={"host": "ai.example.org"}) as browser:
        assert (await browser.get("/api/session")).json()["code"] is True
        assert (await setup(browser)).status_code == 403
        made = await setup(browser, code=found[1])
        assert made.status_code == 200, made.text
        home = made.json()["home"]
        assert home is not None and [each["id"] for each in home["models"]] == ["x"], "its key works at once"
        assert (await setup(browser, code=found[1])).status_code == 403
    assert house.json("members", "link") == {"url": f"{house.url}/", "setup": False}
    (owner,) = house.json("members", "list")
    assert owner["role"] == "owner" and owner["name"] == "olga"


async def test_of_many_first_visits_to_many_workers_one_makes_the_owner(system: Starter) -> None:
    house = system(CONFIG, key=None)
    async with fresh(house) as browser:
        answers = await asyncio.gather(*(setup(browser, name=f"owner{i}") for i in range(12)))
    assert sorted(each.status_code for each in answers) == [200] + [403] * 11
    assert len(house.sql("SELECT id FROM member")) == len(house.sql("SELECT id FROM key")) == 1


async def test_what_the_command_line_ends_has_ended_in_all_workers(system: Starter) -> None:
    house = system(CONFIG, key=None)
    async with fresh(house) as owner, fresh(house) as ann:
        csrf = (await setup(owner)).json()["csrf"]
        headers = {"x-freehold-csrf": csrf}
        made = await owner.post("/api/admin/members", json={"name": "ann", "password": GOOD}, headers=headers)
        assert made.status_code == 201, made.text
        for end in (("revoke", "ann"), ("disable", "ann")):
            house.cli("members", "enable", "ann")
            assert (await sign_in(ann, "ann")).status_code == 200
            assert {(await ann.get("/api/me")).status_code for _ in range(12)} == {200}
            house.cli("members", *end)
            for _ in range(200):  # a worker goes on with what it knows for a moment
                if {(await ann.get("/api/me")).status_code for _ in range(12)} == {401}:
                    break
            else:
                pytest.fail("a worker goes on believing the session")
        assert (await sign_in(ann, "ann")).status_code == 401
        assert (await owner.get("/api/me")).status_code == 200
    acts = [(each["act"], each["by"]) for each in admin_notes(house)]
    assert ("member.create", "olga") in acts and ("member.disable", "command line") in acts
    assert "horse" not in house.tail() and "fb-" not in house.tail()


async def test_guesses_are_counted_for_all_workers_together(system: Starter) -> None:
    house = system(CONFIG, key=None)
    async with fresh(house) as browser:
        await setup(browser)
    async with fresh(house) as browser:
        answers = await asyncio.gather(*(sign_in(browser, "olga", f"guess number {i}") for i in range(20)))
        codes = [each.status_code for each in answers]
        assert set(codes) == {401, 429} and codes.count(401) <= 5
        late = next(each for each in answers if each.status_code == 429)
        assert int(late.headers["retry-after"]) >= 1
        assert (await sign_in(browser, "olga")).status_code == 429, "the right one has to wait as well"


async def test_a_flood_of_sign_ins_stops_no_call(system: Starter) -> None:
    """While every thread that hashes is busy, calls are answered: each worker's loop stays free."""
    house = system(CONFIG.replace("workers = 3", "workers = 1"))
    async with fresh(house) as flood, house.client() as caller:
        guesses = [asyncio.ensure_future(sign_in(flood, f"nobody{i}", "guess")) for i in range(40)]
        answers = []
        while not all(each.done() for each in guesses):
            answers.append((await caller.get("/v1/models")).status_code)
        await asyncio.gather(*guesses)
    assert len(answers) > 10 and set(answers) == {200}


async def test_the_members_command_reads_a_password_from_its_input_alone(system: Starter) -> None:
    house = system(CONFIG, key=None)
    command = [sys.executable, "-m", "freehold", "members", "create", "olga", "--role", "owner", "--config", house.file]
    done = subprocess.run(command, env=house.env, cwd=house.home, input=GOOD + "\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    async with fresh(house) as browser:
        assert (await browser.get("/api/session")).json()["setup"] is False
        assert (await sign_in(browser, "olga")).status_code == 200


@pytest.fixture
def idp() -> Iterator[Idp]:
    made = Idp()
    yield made
    made.stop()


async def test_a_provider_of_the_configuration_lets_people_in(system: Starter, idp: Idp) -> None:
    said = f"""
[signin.oidc.rs]
issuer = "{idp.issuer}"
client_id = "rs"
client_secret = {{ env = "OIDC_SECRET" }}
title = "Our house"
allow = ["example.org"]
role_claim = "groups"
roles = {{ staff = "auditor" }}
"""
    secret = str(idp.provider("rs").client_secret)
    house = system(CONFIG, key=None, port=idp.back, env={"OIDC_SECRET": secret})
    async with fresh(house) as owner:
        await setup(owner)
    house.configure(CONFIG + said)
    house.cli("reload")
    idp.start()
    async with fresh(house) as browser:
        ways = (await browser.get("/api/session")).json()["oidc"]
        assert ways == [{"id": "rs", "name": "Our house"}], "in force without a restart"
        begun = await browser.get("/api/signin/rs?next=/c/1")
        home = await browser.get(await sign_in_there(browser, begun.headers["location"], "ann", house.url))
        assert home.status_code == 303 and home.headers["location"] == "/c/1", home.headers
        member = (await browser.get("/api/me")).json()
        assert (member["name"], member["display"], member["role"]) == ("ann@example.org", "Ann Lee", "auditor")
    assert secret not in json.dumps(house.json("check")) and secret not in house.tail()
    until(lambda: "session.begin" in {each["act"] for each in admin_notes(house)})
