"""The first visit, signing in and out, invitations: what a browser sees, and what an attacker does not get."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from tests.unit.console.people import GOOD, House, code, open_house, raw, sqlite

from freehold.access import Member, passwords, throttle
from freehold.core.errors import Unauthenticated


async def test_the_first_visit_makes_the_owner_once(house: House) -> None:
    browser = house.browser()
    first = (await browser.get("/api/session")).json()
    assert first["setup"] is True and first["code"] is False and first["member"] is None and first["home"] is None
    answers = await asyncio.gather(
        *(house.browser().post("/api/setup", {"name": f"owner{i}", "password": GOOD}) for i in range(4))
    )
    assert sorted(each.status_code for each in answers) == [200, 403, 403, 403]
    made = next(each for each in answers if each.status_code == 200)
    assert made.json()["member"]["role"] == "owner" and made.json()["setup"] is False and made.json()["csrf"]
    cookie = made.headers["set-cookie"]
    assert re.fullmatch(r"freehold_session=fb-[\w-]{43}; Path=/; HttpOnly; SameSite=Lax; Max-Age=\d+", cookie), cookie
    assert made.headers["cache-control"] == "no-store"
    assert code(await browser.post("/api/setup", {"name": "eve", "password": GOOD})) == "setup_done"
    assert (await browser.get("/api/session")).json()["setup"] is False
    acts = await house.acts()
    assert [each["act"] for each in acts] == ["member.create", "session.begin"]
    assert acts[0]["by"] == made.json()["member"]["name"] and acts[0]["first"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:80"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "127.0.0.1@evil.example"},
        {"host": "[::1].evil.example"},
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
)
async def test_elsewhere_the_first_visit_needs_the_code(house: House, tmp_path: Path, headers: dict[str, str]) -> None:
    browser = house.browser(**headers)
    body = {"name": "olga", "password": GOOD}
    assert (await browser.get("/api/session")).json()["code"] is True
    assert code(await browser.post("/api/setup", body)) == "setup_code", "there is no code yet"
    assert code(await browser.post("/api/setup", {**body, "code": ""})) == "setup_code"
    (tmp_path / "setup-code").write_text("secret-code\n")
    for wrong in ("", "secret-cod", "sécret", "\x00", "secret-code-and-more"):
        assert code(await browser.post("/api/setup", {**body, "code": wrong})) == "setup_code"
    done = await browser.post("/api/setup", {**body, "code": "secret-code"})
    assert done.status_code == 200, done.text
    assert not (tmp_path / "setup-code").exists()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.8.8.8:1", "[::1]:80"])
async def test_this_machine_has_many_names(house: House, host: str) -> None:
    answer = await house.browser(host=host).get("/api/session")
    assert answer.json()["code"] is False


async def test_guessing_the_code_is_slowed_down(house: House, tmp_path: Path) -> None:
    (tmp_path / "setup-code").write_text("secret-code")
    browser = house.browser(host="ai.example.org")
    body = {"name": "olga", "password": GOOD, "code": "guess"}
    codes = [code(await browser.post("/api/setup", body)) for _ in range(throttle.FREE["peer"] + 1)]
    assert codes[-1] == "signin_throttled" and set(codes[:-1]) == {"setup_code"}


async def test_what_cannot_be_an_account_is_refused_before_anything_is_kept(house: House) -> None:
    browser = house.browser()
    bodies = [
        {"name": "olga", "password": "short"},
        {"name": "olga", "password": "olgaolgaolga"},
        {"name": "олга", "password": GOOD},
        {"name": "ol\u0000ga", "password": GOOD},
        {"name": "o" * 300, "password": GOOD},
        {"name": "olga", "password": "x" * 1025},
        {"name": "olga", "password": GOOD, "display": "O\u202elga"},
        {"name": "olga", "password": GOOD, "role": "owner"},
        {"name": "olga"},
        {"name": ["olga"], "password": GOOD},
    ]
    for body in bodies:
        assert (await browser.post("/api/setup", body)).status_code == 400, body
    assert (await browser.get("/api/session")).json()["setup"] is True
    form = await browser.client.post("/api/setup", data={"name": "olga", "password": GOOD})
    assert form.status_code == 415


async def test_sign_in_and_out(house: House) -> None:
    owner = await house.owner()
    browser = house.browser(**{"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    assert await browser.who() is None
    answer = await browser.sign_in(" OLGA ")
    assert answer.status_code == 200 and answer.json()["member"]["name"] == "olga"
    assert answer.json()["version"] == "9.9.9" and answer.json()["member"]["has_password"] is True
    assert await browser.who() == "olga"
    listed = (await browser.get("/api/me/sessions")).json()["items"]
    assert {each["current"] for each in listed} == {True, False}
    assert next(each for each in listed if each["current"])["name"] == "Firefox, Linux"
    out = await browser.send("DELETE", "/api/session")
    assert out.status_code == 204 and "Max-Age=0" in out.headers["set-cookie"]
    assert await browser.who() is None and await owner.who() == "olga"
    acts = [each["act"] for each in await house.acts()]
    assert acts[-2:] == ["session.begin", "session.end"]


async def test_a_session_is_new_at_each_sign_in_and_the_old_one_ends(house: House) -> None:
    browser = await house.owner()
    old = browser.client.cookies["freehold_session"]
    await browser.sign_in("olga")
    new = browser.client.cookies["freehold_session"]
    assert new != old
    thief = house.browser(cookie=f"freehold_session={old}")
    assert await thief.who() is None
    planted = house.browser()
    answer = await planted.post(
        "/api/session", {"name": "olga", "password": GOOD}, headers={"cookie": f"freehold_session=fb-{'A' * 43}"}
    )
    assert "A" * 43 not in answer.headers["set-cookie"]


async def test_of_two_cookies_none_is_believed(house: House) -> None:
    browser = await house.owner()
    token = browser.client.cookies["freehold_session"]
    other = await house.member(browser, "eve")
    planted = other.client.cookies["freehold_session"]
    both = house.browser(cookie=f"freehold_session={planted}; freehold_session={token}")
    assert await both.who() is None
    same = house.browser(cookie=f"a=b; freehold_session={token}; freehold_session={token}")
    assert await same.who() == "olga"


async def test_unknown_names_and_wrong_passwords_are_told_alike(house: House) -> None:
    owner = await house.owner()
    made = await owner.post("/api/admin/members", {"name": "ann", "password": GOOD})
    await owner.send("PATCH", f"/api/admin/members/{made.json()['id']}", {"disabled": True})
    await owner.post("/api/admin/members", {"name": "bob"})
    browser = house.browser()
    answers = [
        await browser.sign_in(name, password)
        for name, password in (
            ("nobody", GOOD), ("olga", "wrong " + GOOD), ("ann", GOOD), ("bob", GOOD), ("", ""), ("a\u0000b", GOOD),
        )
    ]  # fmt: skip
    assert {each.status_code for each in answers} == {401}
    assert len({each.text for each in answers}) == 1
    refused = [each for each in await house.acts() if each["act"] == "session.refused"]
    assert [each["name"] for each in refused] == [None, "olga", "ann", "bob", None, None]
    assert "wrong" not in str(await house.acts())


async def test_each_refusal_costs_a_hash_whoever_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.owner()
    seen: list[str] = []

    def fits(password: str, kept: str) -> bool:
        seen.append(kept)
        return False

    monkeypatch.setattr(passwords, "fits", fits)
    for name in ("olga", "nobody"):
        await house.browser().sign_in(name)
    assert len(seen) == 2 and seen[0] != seen[1]
    assert [passwords.dated(kept) for kept in seen] == [False, False], "at the same cost"


async def test_guessing_is_slowed_down_by_name_and_takes_the_right_one_with_it(house: House) -> None:
    await house.owner()
    await house.store.write(("UPDATE session SET peer = 'elsewhere'", [()]))
    for _ in range(throttle.FREE["name"]):
        assert (await house.browser().sign_in("olga", "wrong wrong wrong")).status_code == 401
    answer = await house.browser().sign_in("olga")
    assert answer.status_code == 429 and code(answer) == "signin_throttled" and int(answer.headers["retry-after"]) >= 1


async def test_a_flood_is_told_to_wait_and_counts_for_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.owner()
    monkeypatch.setattr(passwords, "WAITING", 0)
    assert code(await house.browser().sign_in("olga")) == "signin_busy"
    assert [row for row in await house.store.fetch("SELECT failures FROM signin_failure") if row[0]] == []


async def test_who_is_at_home_is_not_locked_out_from_elsewhere(tmp_path: Path) -> None:
    async with open_house(sqlite(tmp_path), trusted_proxies=("127.0.0.1",)) as house:
        home, away = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.66"}
        await house.owner()
        assert (await house.browser(**home).sign_in("olga")).status_code == 200
        for _ in range(throttle.FREE["name"]):
            await house.browser(**away).sign_in("olga", "wrong wrong wrong")
        assert (await house.browser(**away).sign_in("olga")).status_code == 429
        assert (await house.browser(**home).sign_in("olga")).status_code == 200


async def test_who_is_not_signed_in_sends_little(house: House) -> None:
    answer = await house.browser().post("/api/session", {"name": "x" * 70_000, "password": "y"})
    assert answer.status_code == 413


async def test_another_sites_page_signs_nobody_in(house: House) -> None:
    await house.owner()
    body = {"name": "olga", "password": GOOD}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{house.port + 1}"},
        {"origin": f"http://127.0.0.1:{house.port}.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": house.url},
    ):
        assert code(await house.browser().post("/api/session", body, headers=headers)) == "foreign_origin", headers
    lent = {"origin": "https://evil.example", "authorization": "Bearer anything"}
    assert code(await house.browser().post("/api/session", body, headers=lent)) == "foreign_origin"
    for headers in ({"origin": house.url}, {"sec-fetch-site": "same-origin", "origin": "http://behind.a.proxy"}):
        assert (await house.browser().post("/api/session", body, headers=headers)).status_code == 200


async def test_changes_need_the_pages_own_word(house: House) -> None:
    browser = await house.owner()
    for csrf in ("", "csrf-wrong", "é"):
        answer = await browser.client.post("/api/for-member", headers={"x-freehold-csrf": csrf.encode()})
        assert code(answer) == "csrf_failed"
    other = await house.member(browser, "eve")
    answer = await browser.client.post("/api/for-member", headers={"x-freehold-csrf": other.csrf})
    assert code(answer) == "csrf_failed", "another session's word"
    assert (await browser.post("/api/for-member", None)).status_code == 200
    assert code(await browser.post("/api/for-member", None, headers={"sec-fetch-site": "cross-site"})) == (
        "foreign_origin"
    )
    assert (await browser.get("/api/for-member")).json() == {"who": "olga"}


async def test_roles_may_what_they_may(house: House) -> None:
    owner = await house.owner()
    ranks = ["member", "auditor", "admin", "owner"]
    for index, role in enumerate(ranks):
        browser = await house.member(owner, f"{role}-1", role)
        for other, asked in enumerate(ranks):
            answer = await browser.get(f"/api/for-{asked}")
            assert answer.status_code == (200 if other <= index else 403), (role, asked)
    nobody = house.browser()
    for asked in ranks:
        answer = await nobody.get(f"/api/for-{asked}")
        assert answer.status_code == 401 and code(answer) == "signin_required"


async def test_over_tls_the_cookie_is_of_this_host_alone(tmp_path: Path) -> None:
    proxied = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7", "x-forwarded-host": "ai.example.org"}
    async with open_house(sqlite(tmp_path), trusted_proxies=("127.0.0.1",), setup_file=tmp_path / "code") as house:
        (tmp_path / "code").write_text("abc")
        browser = house.browser(**proxied)
        made = await browser.post("/api/setup", {"name": "olga", "password": GOOD, "code": "abc"})
        cookie = made.headers["set-cookie"]
        assert cookie.startswith("__Host-freehold_session=") and cookie.endswith("; Secure")
        pair = cookie.partition(";")[0]
        assert (await house.browser(cookie=pair, **proxied).get("/api/for-member")).status_code == 200
        plain = pair.removeprefix("__Host-")
        assert (await house.browser(cookie=plain, **proxied).get("/api/for-member")).status_code == 401
        csrf = {"x-freehold-csrf": made.json()["csrf"], "cookie": pair}
        own = {**proxied, **csrf, "origin": "https://ai.example.org"}
        assert (await house.browser().post("/api/for-member", None, headers=own)).status_code == 200
        peer = (await house.browser(cookie=pair, **proxied).get("/api/me/sessions")).json()["items"][0]["peer"]
        assert peer == "192.0.2.7"
    async with open_house(sqlite(tmp_path)) as house:
        browser = house.browser(**proxied)
        answer = await browser.sign_in("olga")
        assert "Secure" not in answer.headers["set-cookie"], "who is no proxy of ours is not believed"


async def test_an_invitation_is_good_once_and_for_one(house: House) -> None:
    owner = await house.owner()
    made = (await owner.post("/api/admin/members", {"name": "ann", "display": "Ann"})).json()
    assert made["link"]["url"] == f"{house.url}/#invite={made['link']['token']}" and made["has_password"] is False
    again = (await owner.post(f"/api/admin/members/{made['id']}/invitation", None)).json()
    browser = house.browser()
    assert code(await browser.post("/api/invitations/open", {"token": made["link"]["token"]})) == "invitation_gone"
    token = again["token"]
    seen = await browser.post("/api/invitations/open", {"token": token})
    assert seen.json()["name"] == "ann" and seen.json()["expires_at"] == again["expires_at"]
    assert (await browser.post("/api/invitations/accept", {"token": token, "password": "short"})).status_code == 400
    answers = await asyncio.gather(
        *(
            house.browser().post("/api/invitations/accept", {"token": token, "password": GOOD + str(i)})
            for i in range(3)
        )
    )
    assert sorted(each.status_code for each in answers) == [200, 400, 400]
    assert code(await browser.post("/api/invitations/open", {"token": token})) == "invitation_gone"
    rows = await house.store.fetch("SELECT * FROM signin_state")
    assert rows == []


async def test_the_page_learns_the_rest_and_waits_for_a_new_key(tmp_path: Path) -> None:
    asked = []

    async def more(member: Member) -> dict[str, str]:
        asked.append(member.name)
        if len(asked) < 3:
            raise Unauthenticated("this key is not known here")
        return {"models": member.key}

    async with open_house(sqlite(tmp_path), more) as house:
        browser = house.browser()
        made = await browser.post("/api/setup", {"name": "olga", "password": GOOD})
        assert made.json()["home"]["models"].startswith("key_") and len(asked) == 3


async def test_the_rest_of_the_web_gets_no_header_of_its_own(house: House) -> None:
    await house.owner()
    answer = await raw(
        house.port,
        "GET /api/session HTTP/1.1\nhost: a\x01b\ncookie: freehold_session=a\x01b\nconnection: close\n\n",
    )
    assert answer.startswith(b"HTTP/1.1 ") and b"\x01" not in answer
    agent = house.browser(**{"user-agent": "x" * 5000 + "<script>"})
    await agent.sign_in("olga")
    listed = (await agent.get("/api/me/sessions")).json()["items"]
    assert all(len(each["name"]) <= 40 and "<" not in each["name"] for each in listed)


async def test_where_passwords_are_off_none_is_looked_at(tmp_path: Path) -> None:
    async with open_house(sqlite(tmp_path), password=False) as house:
        await house.owner()
        assert code(await house.browser().sign_in("olga")) == "password_off"
        assert (await house.browser().get("/api/session")).json()["password"] is False
