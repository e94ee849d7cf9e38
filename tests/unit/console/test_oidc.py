"""Signing in by way of a real identity provider, and what a forger does not get."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from tests.unit.console.people import GOOD, Browser, House, code, open_house, sqlite
from tests.unit.console.provider import Idp, sign_in_there

from freehold.console import oidc


@pytest.fixture(scope="module")
def idp() -> Iterator[Idp]:
    """The provider."""
    made = Idp()
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def opened(idp: Idp, folder: Path, *names: str, **more: Any) -> AsyncIterator[House]:
    """A house with an owner (olga) that knows the clients `names` of the provider."""
    said = {"allow": ("example.org",), **more}
    providers = tuple(idp.provider(name, **said) for name in names or ("rs",))
    async with open_house(sqlite(folder), port=idp.back, providers=providers) as house:
        await house.owner()
        yield house


async def go(house: House, who: str, name: str = "rs", next: str = "/") -> tuple[Browser, httpx2.Response]:
    """Sign in as `who`; return the browser and the answer that brings it home."""
    browser = house.browser()
    return browser, await back(house, browser, who, name, next)


async def back(house: House, browser: Browser, who: str, name: str = "rs", next: str = "/") -> httpx2.Response:
    begun = await browser.get(f"/api/signin/{name}", params={"next": next})
    assert begun.status_code == 302, begun.text
    return await browser.get(await sign_in_there(browser.client, begun.headers["location"], who, house.url))


def where(answer: httpx2.Response) -> str:
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.mark.parametrize("name", ["rs", "es", "ed", "post", "public"])
async def test_whoever_is_allowed_comes_in_by_any_signature(idp: Idp, tmp_path: Path, name: str) -> None:
    async with opened(idp, tmp_path, name) as house:
        browser, home = await go(house, "ann", name, "/c/conv_1?a=b#c")
        assert where(home) == "/c/conv_1?a=b#c"
        assert await browser.who() == "ann@example.org"
        member = (await browser.get("/api/me")).json()
        assert member["display"] == "Ann Lee" and member["role"] == "member" and member["linked"] is True
        ways = (await house.browser().get("/api/session")).json()["oidc"]
        assert ways == [{"id": name, "name": name.upper()}]
        again, _ = await go(house, "ann", name)
        assert (await again.get("/api/me")).json()["id"] == member["id"]
        acts = [each["act"] for each in await house.acts()]
        assert acts[2:] == ["member.create", "session.begin", "session.begin"]
        assert await house.store.fetch("SELECT * FROM signin_state") == []


async def test_the_way_there_asks_for_what_it_must(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        begun = await house.browser().get("/api/signin/rs")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
        assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
        assert asked["scope"] == "openid email profile" and asked["response_type"] == "code"
        assert asked["redirect_uri"] == f"{house.url}/api/signin/rs/callback"
        cookie = begun.headers["set-cookie"]
        assert "HttpOnly; SameSite=Lax; Max-Age=600" in cookie and asked["state"] not in cookie
        rows = str(await house.store.fetch("SELECT * FROM signin_state"))
        assert asked["state"] not in rows and cookie.partition("=")[2].partition(";")[0] not in rows


async def test_a_provider_that_tells_addresses_apart_is_asked(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        idp.stop()
        idp.start(lean=True)
        browser, home = await go(house, "ann")
        assert where(home) == "/" and await browser.who() == "ann@example.org"
        idp.stop()
        idp.start()


async def test_signatures_that_anybody_could_make_are_not_believed(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path, "hs") as house:
        browser, home = await go(house, "ann", "hs")
        assert where(home) == "/?signin=oidc_failed" and await browser.who() is None


async def test_who_is_not_allowed_stays_out(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        for who in ("bob", "nil", "eve"):
            browser, home = await go(house, who)
            assert where(home) == "/?signin=oidc_not_allowed" and await browser.who() is None
        refused = [each for each in await house.acts() if each["act"] == "session.refused"]
        assert [each["code"] for each in refused] == ["oidc_not_allowed"] * 3
        assert len(await house.store.fetch("SELECT id FROM member")) == 1


async def test_an_address_stands_for_a_member_only_when_verified_and_named(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        owner = house.browser()
        await owner.sign_in("olga")
        await owner.post("/api/admin/members", {"name": "olga@example.org", "password": GOOD, "role": "admin"})
        _, home = await go(house, "eve")
        assert where(home) == "/?signin=oidc_not_allowed", "it is hers, says she"
        browser, home = await go(house, "olga")
        assert where(home) == "/" and (await browser.get("/api/me")).json()["role"] == "admin"


async def test_whoever_the_provider_lets_in_takes_nobodys_account(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path, allow=("*",)) as house:
        owner = house.browser()
        await owner.sign_in("olga")
        await owner.post("/api/admin/members", {"name": "olga@example.org", "password": GOOD})
        _, home = await go(house, "olga")
        assert where(home) == "/?signin=oidc_not_allowed", "`*` names no domain, so an address proves nothing"
        browser, home = await go(house, "nil")
        member = (await browser.get("/api/me")).json()
        assert member["name"] == "nil" and member["display"] == "nil"


async def test_roles_follow_the_claims_but_no_owner_is_demoted(idp: Idp, tmp_path: Path) -> None:
    roles = (("staff", "auditor"), ("lab-admins", "admin"))
    async with opened(idp, tmp_path, role_claim="groups", roles=roles) as house:
        browser, _ = await go(house, "ann")
        assert (await browser.get("/api/me")).json()["role"] == "admin"
        owner = house.browser()
        await owner.sign_in("olga")
        id = (await browser.get("/api/me")).json()["id"]
        await owner.send("PATCH", f"/api/admin/members/{id}", {"role": "owner"})
        await back(house, browser, "ann")
        assert (await browser.get("/api/me")).json()["role"] == "owner"
        await owner.send("PATCH", f"/api/admin/members/{id}", {"role": "member"})
        await back(house, browser, "ann")
        assert (await browser.get("/api/me")).json()["role"] == "admin"
        await owner.send("PATCH", f"/api/admin/members/{id}", {"disabled": True})
        assert where(await back(house, browser, "ann")) == "/?signin=member_disabled"


async def test_an_answer_is_good_once_in_the_browser_that_asked(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        thief, victim = house.browser(), house.browser()
        begun = await thief.get("/api/signin/rs")
        answer = await sign_in_there(thief.client, begun.headers["location"], "ann", house.url)
        assert where(await victim.get(answer)) == "/?signin=oidc_expired" and await victim.who() is None
        assert where(await thief.get(answer)) == "/", "another's try has used nothing up"
        assert where(await thief.get(answer)) == "/?signin=oidc_expired"


async def test_what_comes_back_is_looked_at(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path, "rs", "es") as house:

        async def changed(**change: str | None) -> str:
            browser = house.browser()
            begun = await browser.get("/api/signin/rs")
            answer = await sign_in_there(browser.client, begun.headers["location"], "ann", house.url)
            query = dict(parse_qsl(urlsplit(answer).query))
            path = change.pop("path", None) or "/api/signin/rs/callback"
            query = {name: value for name, value in {**query, **change}.items() if value is not None}
            found = where(await browser.get(f"{path}?{urlencode(query)}"))
            assert await browser.who() is None or found == "/"
            return found

        assert await changed() == "/"
        assert await changed(session_state="x", authuser="0") == "/", "providers add what they like"
        assert await changed(iss="https://evil.example") == "/?signin=oidc_failed"
        assert await changed(iss=None) == "/?signin=oidc_failed"
        assert await changed(code="made-up") == "/?signin=oidc_failed"
        assert await changed(code=None) == "/?signin=oidc_failed"
        assert await changed(state="st-" + "A" * 43) == "/?signin=oidc_expired"
        assert await changed(state="\x00") == "/?signin=oidc_expired"
        assert await changed(path="/api/signin/es/callback") == "/?signin=oidc_expired"
        assert await changed(error="access_denied", code=None) == "/?signin=oidc_denied"
        assert await changed(error="<script>", code=None) == "/?signin=oidc_failed"
        before = len(await house.acts())
        browser = house.browser()
        assert where(await browser.get("/api/signin/rs/callback")) == "/?signin=oidc_expired"
        assert where(await browser.get("/api/signin/rs/callback?state=a&state=b")) == "/?signin=oidc_expired"
        assert (await browser.get("/api/signin/nowhere")).status_code == 404
        assert len(await house.acts()) == before, "what anybody can send fills no ledger"


async def test_new_keys_of_the_provider_are_fetched(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        await go(house, "ann")
        idp.stop()
        idp.start()
        browser, home = await go(house, "ann")
        assert where(home) == "/" and await browser.who() == "ann@example.org"


async def test_a_provider_that_is_away_is_said_to_be(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        idp.stop()
        answer = await house.browser().get("/api/signin/rs")
        assert where(answer) == "/?signin=oidc_unreachable"
        idp.start()


async def test_a_member_ties_an_identity_and_unties_it(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path, allow=()) as house:
        owner = house.browser()
        await owner.sign_in("olga")
        asked = await owner.post("/api/me/identity", {"provider": "rs", "next": "/c/1"})
        home = await owner.get(await sign_in_there(owner.client, asked.json()["url"], "bob", house.url))
        assert where(home) == "/c/1" and (await owner.get("/api/me")).json()["linked"] is True
        browser, home = await go(house, "bob")
        assert where(home) == "/" and await browser.who() == "olga"
        other = await house.member(owner, "ann")
        asked = await other.post("/api/me/identity", {"provider": "rs"})
        other.client.cookies.delete("freehold_session")
        taken = await other.get(await sign_in_there(other.client, asked.json()["url"], "ann", house.url))
        assert where(taken) == "/?signin=oidc_expired", "nobody is signed in whom it could be tied to"
        await other.sign_in("ann")
        asked = await other.post("/api/me/identity", {"provider": "rs"})
        bob = house.browser()
        for cookie in [each for each in other.client.cookies.jar if each.name.startswith("freehold")]:
            bob.client.cookies.set(cookie.name, cookie.value or "", domain=cookie.domain, path="/")
        taken = await bob.get(await sign_in_there(bob.client, asked.json()["url"], "bob", house.url))
        assert where(taken) == "/?signin=oidc_taken", "it is olga's"
        assert code(await owner.client.post("/api/me/identity", json={"provider": "rs"})) == "csrf_failed"
        assert (await owner.send("DELETE", "/api/me/identity")).status_code == 204
        _, home = await go(house, "bob")
        assert where(home) == "/?signin=oidc_not_allowed"


async def test_nobody_begins_any_number_of_sign_ins(idp: Idp, tmp_path: Path) -> None:
    async with opened(idp, tmp_path) as house:
        answers = [await house.browser().get("/api/signin/rs") for _ in range(oidc._PER_MINUTE + 1)]
        assert [each.status_code for each in answers[:-1]] == [302] * oidc._PER_MINUTE
        assert where(answers[-1]) == "/?signin=signin_throttled"


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "c/1",
        "/a\r\nset-cookie: x", "/a b", "/\tevil", "/ä", "/" + "a" * 600, "\\\\evil.example", "/\u2028",
        "/a\\..\\b", "/%0d%0a\0",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(text: str) -> None:
    assert oidc.local_path(text) == "/"


@pytest.mark.parametrize("text", ["/", "/c/conv_1", "/console/keys?x=%2F#y", "/share/a-b_c.d~e"])
def test_pages_of_ours_are_found_again(text: str) -> None:
    assert oidc.local_path(text) == text
