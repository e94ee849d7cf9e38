"""One's own account, and what administrators do with others: who may touch whom, what ends, what is on record."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.console.people import GOOD, House, code, open_house

from freehold import access
from freehold.access import throttle

OTHER = "another horse, another battery"


async def test_ones_own_name_and_settings(house: House) -> None:
    browser = await house.owner()
    changed = await browser.send(
        "PATCH", "/api/me", {"display": "  Olga   Ó Brien ", "settings": {"theme": "dark", "locale": "de"}}
    )
    assert changed.json()["display"] == "Olga Ó Brien"
    changed = await browser.send(
        "PATCH", "/api/me", {"settings": {"theme": None, "send": "ctrl-enter", "n": "a\u0000"}}
    )
    assert changed.json()["settings"] == {"locale": "de", "send": "ctrl-enter", "n": "a\u0000"}
    session = (await browser.get("/api/session")).json()
    assert session["member"]["settings"] == changed.json()["settings"]
    assert (await browser.send("PATCH", "/api/me", {"settings": {"x": "y" * 20_000}})).status_code == 413
    for body in ({"role": "owner"}, {"display": "a\u202eb"}, {"display": "x" * 200}, {"settings": []}, []):
        assert (await browser.send("PATCH", "/api/me", body)).status_code == 400, body
    assert (await browser.send("PATCH", "/api/me", {"display": ""})).json()["display"] == "olga"


async def test_a_new_password_ends_all_other_sessions(house: House) -> None:
    browser, other = await house.owner(), house.browser()
    await other.sign_in("olga")
    assert code(await browser.post("/api/me/password", {"old": "wrong", "new": OTHER})) == "wrong_password"
    assert code(await browser.post("/api/me/password", {"old": GOOD, "new": "short"})) == "weak_password"
    assert (await browser.post("/api/me/password", {"old": GOOD, "new": OTHER})).status_code == 204
    assert await browser.who() == "olga" and await other.who() is None
    assert (await other.sign_in("olga")).status_code == 401
    assert (await other.sign_in("olga", OTHER)).status_code == 200
    acts = [each["act"] for each in await house.acts()]
    assert "password.refused" in acts and "password.change" in acts
    assert GOOD not in str(await house.acts()) and OTHER not in str(await house.acts())


async def test_who_holds_a_session_guesses_no_password(house: House) -> None:
    browser = await house.owner()
    body = {"old": "wrong", "new": OTHER}
    codes = [code(await browser.post("/api/me/password", body)) for _ in range(throttle.FREE["name"] + 1)]
    assert codes[-1] == "signin_throttled" and set(codes[:-1]) == {"wrong_password"}


async def test_sessions_are_ones_own_to_end(house: House) -> None:
    owner, other = await house.owner(), house.browser()
    await other.sign_in("olga")
    eve = await house.member(owner, "eve")
    items = (await owner.get("/api/me/sessions")).json()["items"]
    assert len(items) == 2
    theirs = next(each for each in items if not each["current"])
    assert code(await eve.send("DELETE", f"/api/me/sessions/{theirs['id']}")) == "not_found"
    assert await other.who() == "olga"
    assert (await owner.send("DELETE", f"/api/me/sessions/{theirs['id']}")).status_code == 204
    assert await other.who() is None
    assert code(await owner.send("DELETE", f"/api/me/sessions/{theirs['id']}")) == "not_found"


async def test_a_token_does_what_its_member_may_and_no_more(house: House) -> None:
    owner = await house.owner()
    made = await owner.post("/api/me/tokens", {"name": "backup", "days": 30})
    token = made.json()["token"]
    assert made.status_code == 201 and token.startswith("fs-")
    program = house.browser(authorization=f"Bearer {token}")
    assert (await program.client.post("/api/for-owner")).json() == {"who": "olga"}, "with no word of a page"
    seen = (await program.get("/api/session")).json()
    assert seen["member"]["name"] == "olga" and seen["csrf"] == ""
    for path, body in (("/api/me/tokens", {"name": "more"}), ("/api/me/password", {"old": GOOD, "new": OTHER})):
        assert code(await program.post(path, body)) == "token_not_enough"
    cookie = house.browser(cookie=f"freehold_session={token}")
    assert await cookie.who() is None
    bearer = house.browser(authorization=f"Bearer {owner.client.cookies['freehold_session']}")
    assert (await bearer.get("/api/for-member")).status_code == 401
    assert "freehold_session" not in program.client.cookies
    await owner.send("DELETE", f"/api/me/sessions/{made.json()['id']}")
    assert (await program.get("/api/for-member")).status_code == 401
    for body in ({"name": ""}, {"name": "x", "days": 0}, {"name": "x", "days": 5000}):
        assert (await owner.post("/api/me/tokens", body)).status_code == 400


async def test_an_administrator_makes_changes_and_stops_members(house: House) -> None:
    owner = await house.owner()
    team = await access.create_team(house.store, "red", limits=["requests=5/day"])
    made = (await owner.post("/api/admin/members", {"name": "Ann", "password": GOOD, "team": "red"})).json()
    assert made["name"] == "ann" and made["team"] == {"id": team.id, "name": "red"} and made["link"] is None
    path = f"/api/admin/members/{made['id']}"
    ann = house.browser()
    await ann.sign_in("ann")
    row = (await owner.get(path)).json()
    assert row["sessions"] == 1 and row["role"] == "member" and row["last_seen_at"] > 0
    row = (await owner.send("PATCH", path, {"role": "auditor", "team": None, "display": "Ann Lee"})).json()
    assert (row["role"], row["team"], row["display"]) == ("auditor", None, "Ann Lee")
    assert (await ann.get("/api/for-auditor")).status_code == 200
    row = (await owner.send("PATCH", path, {"disabled": True})).json()
    assert row["disabled_at"] and row["sessions"] == 0 and await ann.who() is None
    (key,) = [each for each in await access.list_keys(house.store) if each.id == made["key"]]
    assert key.revoked_at is not None and key.team is None
    assert code(await owner.post(path + "/invitation", None)) == "invalid_request"
    await owner.send("PATCH", path, {"disabled": False})
    assert (await ann.sign_in("ann")).status_code == 200
    assert (await owner.post(path + "/password", {"password": OTHER})).status_code == 204
    assert await ann.who() is None and (await ann.sign_in("ann", OTHER)).status_code == 200
    assert (await owner.send("DELETE", path + "/sessions")).json() == {"ended": 1}
    acts = [each for each in await house.acts() if each["act"].startswith(("member.", "password."))]
    assert [each["act"] for each in acts[1:]] == [
        "member.create", "member.role", "member.team", "member.display", "member.disable", "member.enable",
        "password.reset",
    ]  # fmt: skip
    assert {each["by"] for each in acts} == {"olga"} and {each["of"] for each in acts[1:]} == {made["id"]}


async def test_nobody_reaches_above_themselves(house: House) -> None:
    owner = await house.owner()
    admin = await house.member(owner, "adam", "admin")
    auditor = await house.member(owner, "audrey", "auditor")
    olga = (await owner.get("/api/me")).json()["id"]
    adam = (await admin.get("/api/me")).json()["id"]
    above = f"/api/admin/members/{olga}"
    assert code(await admin.send("PATCH", above, {"role": "member"})) == "role_too_low"
    assert code(await admin.send("PATCH", above, {"disabled": True})) == "role_too_low"
    assert code(await admin.post(above + "/password", {"password": OTHER})) == "role_too_low"
    assert code(await admin.post(above + "/invitation", None)) == "role_too_low"
    assert code(await admin.send("DELETE", above + "/sessions")) == "role_too_low"
    assert code(await admin.send("DELETE", above + "/identity")) == "role_too_low"
    session = (await owner.get("/api/me/sessions")).json()["items"][0]["id"]
    assert code(await admin.send("DELETE", f"/api/admin/sessions/{session}")) == "role_too_low"
    assert code(await admin.send("PATCH", f"/api/admin/members/{adam}", {"role": "owner"})) == "role_too_low"
    assert code(await admin.post("/api/admin/members", {"name": "x", "role": "owner"})) == "role_too_low"
    own = f"/api/admin/members/{adam}"
    assert code(await admin.post(own + "/password", {"password": OTHER})) == "own_account"
    assert code(await admin.post(own + "/invitation", None)) == "own_account"
    assert code(await owner.send("PATCH", above, {"role": "admin"})) == "last_owner"
    assert code(await owner.send("PATCH", above, {"disabled": True})) == "last_owner"
    assert await owner.who() == "olga"
    assert (await auditor.get("/api/admin/members")).status_code == 200
    assert (await auditor.get("/api/admin/sessions")).status_code == 200
    assert code(await auditor.post("/api/admin/members", {"name": "x"})) == "role_too_low"
    member = await house.member(owner, "meg")
    assert code(await member.get("/api/admin/members")) == "role_too_low"


async def test_a_change_that_is_refused_in_part_changes_nothing(house: House) -> None:
    owner = await house.owner()
    await house.member(owner, "ann")
    path = "/api/admin/members/ann"
    before, acts = (await owner.get(path)).json(), await house.acts()
    for body in (
        {"role": "auditor", "team": "nowhere"},
        {"role": "king", "disabled": True},
        {"role": "auditor", "display": "a\u202eb"},
    ):
        assert (await owner.send("PATCH", path, body)).status_code in (400, 404), body
    assert (await owner.get(path)).json() == before and await house.acts() == acts
    same = {"role": before["role"], "display": before["display"], "team": None, "disabled": False}
    assert (await owner.send("PATCH", path, same)).json() == before
    assert await house.acts() == acts, "nothing changed, so nothing is on record"


async def test_the_list_of_sessions_is_everybodys_or_one_members(house: House) -> None:
    owner = await house.owner()
    await house.member(owner, "ann")
    every = (await owner.get("/api/admin/sessions")).json()["sessions"]
    assert sorted(each["member"]["name"] for each in every) == ["ann", "olga"]
    (one,) = (await owner.get("/api/admin/sessions?member=ann")).json()["sessions"]
    assert one["session"]["kind"] == "browser" and one["session"]["current"] is False
    assert "hash" not in one["session"] and "csrf" not in one["session"]
    assert (await owner.send("DELETE", f"/api/admin/sessions/{one['session']['id']}")).status_code == 204
    assert (await owner.get("/api/admin/sessions?member=ann")).json()["sessions"] == []
    assert (await owner.get("/api/admin/sessions?member=nobody")).status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "olga"}, "name_taken"),
        ({"name": "ann", "team": "nowhere"}, "not_found"),
        ({"name": "ann", "role": "king"}, "invalid_request"),
        ({"name": "a nn"}, "invalid_request"),
        ({"name": "ann", "password": "password1234"}, "weak_password"),
    ],
)
async def test_what_is_no_member_is_not_made(house: House, body: dict[str, str], expected: str) -> None:
    owner = await house.owner()
    assert code(await owner.post("/api/admin/members", body)) == expected
    assert [each["name"] for each in (await owner.get("/api/admin/members")).json()["members"]] == ["olga"]


async def test_members_keys_have_the_limits_that_new_keys_have(tmp_path: Path, postgres_url: str) -> None:
    async with open_house(postgres_url, default_limits=("requests=7/day",)) as house:
        owner = await house.owner()
        await house.member(owner, "ann")
        ring = await access.load(house.store)
        assert {key.name: [limit.describe() for limit in key.limits] for key in ring.keys()} == {  # noqa: SIM118
            "chat-olga": ["requests=7/day"], "chat-ann": ["requests=7/day"],
        }  # fmt: skip
        assert [each["act"] for each in await house.acts()][:2] == ["member.create", "session.begin"]
