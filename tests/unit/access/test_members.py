"""Members, their sessions and their passwords, on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from freehold import access
from freehold import store as stores
from freehold.access import Sessions, members, passwords, sessions, throttle
from freehold.core.errors import BadRequest, Forbidden, NotFound, OverLimit, StoreError, TooLarge, Unauthenticated
from freehold.store import Store

WEEK = 7 * 86400 * 1_000_000_000


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/freehold.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = await stores.open(url, durable=True)
    yield opened
    await opened.close()


async def owner(store: Store) -> members.Member:
    made = await members.create_first(store, "Olga@Example.org", display="Olga", password=None)
    assert made is not None
    return made


async def test_of_two_first_owners_at_once_there_is_one(store: Store) -> None:
    made = await asyncio.gather(*(members.create_first(store, f"owner{i}", password=None) for i in range(6)))
    (first,) = [each for each in made if each is not None]
    assert [each.id for each in await members.list_members(store)] == [first.id]
    assert [key.id for key in await access.list_keys(store)] == [first.key]
    assert first.role == "owner"


async def test_a_member_has_a_key_that_nobody_has_the_secret_of(store: Store) -> None:
    olga = await owner(store)
    await access.create_team(store, "red", limits=["requests=5/day"])
    ann = await members.create(store, "ann", team="red", limits=["tokens=10/day"])
    ring = await access.load(store)
    key = ring.by_id(ann.key)
    assert key.name == "chat-ann" and key.team == ann.team
    assert [limit.describe() for limit in key.limits] == ["tokens=10/day", "requests=5/day"]
    assert ring.by_id(olga.key).name == "chat-olga@example.org"
    with pytest.raises(Unauthenticated):
        ring.by_id("key_unknown")
    with pytest.raises(Unauthenticated):
        ring.find(b"")


async def test_a_disabled_member_is_out_and_comes_back_with_the_same_key(store: Store) -> None:
    await owner(store)
    ann = await members.create(store, "ann")
    kept = Sessions(store, WEEK)
    _, token = await kept.begin(ann)
    assert await kept.find(token.encode(), "browser")
    await members.disable(store, "ann")
    assert await Sessions(store, WEEK).find(token.encode(), "browser") is None
    with pytest.raises(Unauthenticated, match="revoked"):
        (await access.load(store)).by_id(ann.key)
    back = await members.enable(store, "ann")
    assert back.key == ann.key and (await access.load(store)).by_id(ann.key).name == "chat-ann"
    assert await Sessions(store, WEEK).find(token.encode(), "browser") is None


async def test_a_disabled_team_stops_its_members_keys(store: Store) -> None:
    await owner(store)
    await access.create_team(store, "red")
    ann = await members.create(store, "ann", team="red")
    await access.disable_team(store, "red")
    with pytest.raises(Unauthenticated, match="team"):
        (await access.load(store)).by_id(ann.key)
    await members.set_team(store, "ann", None)
    assert (await access.load(store)).by_id(ann.key).team is None
    with pytest.raises(BadRequest, match="disabled"):
        await members.set_team(store, "ann", "red")


async def test_settings_that_change_in_two_tabs_are_both_kept(store: Store) -> None:
    olga = await owner(store)
    changes = [members.change_settings(store, olga.id, {name: name}) for name in ("theme", "locale", "send")]
    await asyncio.gather(*changes, members.set_display(store, olga.id, "Olga O"))
    now = await members.find(store, olga.id)
    assert now.settings == {"theme": "theme", "locale": "locale", "send": "send"} and now.display == "Olga O"
    with pytest.raises(TooLarge):
        await members.change_settings(store, olga.id, {"x": "y" * members.SETTINGS})


async def test_the_last_owner_stays(store: Store) -> None:
    olga = await owner(store)
    for act in (members.disable(store, olga.id), members.set_role(store, olga.id, "member")):
        with pytest.raises(Forbidden, match="last owner"):
            await act
    assert (await members.find(store, olga.id)).disabled_at is None
    await members.create(store, "bob", role="owner")
    both = await asyncio.gather(
        members.set_role(store, "bob", "member"), members.disable(store, olga.id), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in both) == ["Forbidden", "Member"]
    left = [m for m in await members.list_members(store) if m.role == "owner" and m.disabled_at is None]
    assert len(left) == 1


async def test_a_change_is_of_the_member_that_was_seen(store: Store) -> None:
    await owner(store)
    await access.create_team(store, "red")
    seen = await members.create(store, "ann", role="admin")
    await members.set_role(store, "ann", "owner")
    for change in ({"role": "member"}, {"disabled": True}, {"team": "red"}, {"display": "Ann"}):
        with pytest.raises(BadRequest, match="become owner"):
            await members.change(store, seen, **change)
    assert await members.find(store, "ann") == msgspec.structs.replace(seen, role="owner")
    assert (await access.load(store)).by_id(seen.key).team is None


async def test_a_change_is_made_whole_or_not_at_all(store: Store) -> None:
    olga = await owner(store)
    team = await access.create_team(store, "red")
    with pytest.raises(Forbidden, match="last owner"):
        await members.change(store, olga, role="member", team="red", display="O", disabled=True)
    with pytest.raises(NotFound):
        await members.change(store, olga, display="O", team="nowhere")
    assert await members.find(store, olga.id) == olga
    assert (await access.load(store)).by_id(olga.key).team is None
    ann = await members.create(store, "ann")
    changed = await members.change(store, ann, role="auditor", team="red", display="A", disabled=True)
    assert await members.find(store, "ann") == changed
    assert (changed.role, changed.team, changed.display) == ("auditor", team.id, "A")
    with pytest.raises(Unauthenticated):
        (await access.load(store)).by_id(ann.key)


async def test_the_first_member_is_the_owner(store: Store) -> None:
    with pytest.raises(BadRequest, match="owner"):
        await members.create(store, "ann")
    assert await members.list_members(store) == [] and await access.list_keys(store) == []
    await members.create(store, "ann", role="owner")


async def test_names_that_look_the_same_are_the_same(store: Store) -> None:
    await owner(store)
    await members.create(store, "ann")
    for name in ("ANN", "Ａｎｎ", " ann "):
        with pytest.raises(BadRequest, match="already"):
            await members.create(store, name)
    for name in ("аnn", "ann\0", "an n", "", "-ann", "a" * 60, "ann\u202e", "ﬁ\ud800", "ann\r\nx"):
        with pytest.raises(BadRequest, match="cannot be a name"):
            await members.create(store, name)
    assert (await members.find(store, "ＡNN")).name == "ann"
    for name in ("nobody", "ann\0", "\ud800"):
        with pytest.raises(NotFound):
            await members.find(store, name)
        assert await members.with_password(store, name) is None


@pytest.mark.parametrize("text", ["a\u202eb", "a" * 121, "\0", "a\ud800", "\x1b[31m"])
def test_names_to_be_shown_are_plain(text: str) -> None:
    with pytest.raises(BadRequest):
        members.check_display(text)


async def test_a_password_is_changed_by_who_knows_it_and_an_identity_has_one_member(store: Store) -> None:
    olga = await owner(store)
    ann = await members.create(store, "ann", password="one")
    assert not await members.renew_password(store, ann.id, "two", "three")
    assert await members.renew_password(store, ann.id, "one", "two")
    assert (await members.with_password(store, "ann") or (None, None))[1] == "two"
    assert await members.link(store, ann.id, "https://id|1")
    assert not await members.link(store, ann.id, "https://id|2")
    with pytest.raises(BadRequest):
        await members.link(store, olga.id, "https://id|1")
    found = await members.by_subject(store, "https://id|1")
    assert found is not None and found.id == ann.id


async def test_sessions_are_known_by_their_token_and_kind_alone(store: Store) -> None:
    kept = Sessions(store, WEEK)
    olga = await owner(store)
    session, token = await kept.begin(olga, name="Firefox\r\n\0", peer="::1")
    assert "\0" not in session.name and "\n" not in session.name
    found = await kept.find(token.encode(), "browser")
    assert found is not None and found[0].id == session.id and found[1].id == olga.id
    assert await kept.find(token.encode(), "token") is None
    for wrong in (b"", b"fb-", token[:-1].encode(), b"x" * 5000, session.id.encode()):
        assert await kept.find(wrong, "browser") is None
    rows = await store.fetch("SELECT * FROM session")
    assert token not in str(rows)


async def test_sessions_end(store: Store) -> None:
    kept = Sessions(store, WEEK)
    olga = await owner(store)
    await members.create(store, "ann")
    one, first = await kept.begin(olga)
    two, second = await kept.begin(olga)
    _, over = await kept.begin(olga, span=-1)
    assert await kept.find(over.encode(), "browser") is None
    assert {each.id for each in await kept.list(olga.id)} == {one.id, two.id}
    with pytest.raises(NotFound):
        await kept.revoke(two.id, member="mem_other")
    assert await kept.revoke_all(olga.id, but=one.id) >= 1
    assert await kept.find(second.encode(), "browser") is None
    assert await kept.find(first.encode(), "browser")
    await kept.revoke(one.id, member=olga.id)
    assert await kept.find(first.encode(), "browser") is None
    with pytest.raises(NotFound):
        await kept.revoke(one.id, member=olga.id)


async def test_a_session_in_use_lives_on_and_a_revoked_one_does_not(store: Store) -> None:
    kept = Sessions(store, WEEK)
    olga = await owner(store)
    session, token = await kept.begin(olga)
    long_ago = session.seen_at - 2 * sessions.TOUCH
    await store.write(
        ("UPDATE session SET seen_at = ?, expires_at = ?", [(long_ago, session.expires_at - 3 * sessions.TOUCH)])
    )
    found = await kept.find(token.encode(), "browser")
    assert found is not None and found[0].expires_at >= session.expires_at
    (row,) = await store.fetch("SELECT seen_at, expires_at FROM session")
    assert row[0] >= session.seen_at and row[1] == found[0].expires_at


async def test_another_worker_hears_of_a_revocation_when_its_memory_ends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Sessions(store, WEEK), Sessions(store, WEEK)
    session, token = await here.begin(await owner(store))
    assert await there.find(token.encode(), "browser")
    await here.revoke_one(session.id)
    assert sessions.CACHE_SECONDS <= 5
    monkeypatch.setattr(sessions, "tick", lambda: float("inf"))
    assert await there.find(token.encode(), "browser") is None


async def test_tries_cost_growing_waits_everywhere(store: Store) -> None:
    name, peer = throttle.by_name("ann"), throttle.by_peer("192.0.2.1")
    for _ in range(throttle.FREE["name"]):
        await throttle.attempt(store, peer, name)
    with pytest.raises(OverLimit) as caught:
        await throttle.attempt(store, peer, name)
    assert caught.value.retry_after and 1 <= caught.value.retry_after <= 2
    (row,) = await store.fetch("SELECT failures FROM signin_failure WHERE subject = ?", peer)
    assert row[0] == throttle.FREE["name"], "what was refused is no try of the address"
    await throttle.passed(store, name, peer)
    await throttle.attempt(store, peer, name)
    waits = [throttle.wait(name, failures, 0, 0) for failures in range(30)]
    assert waits == sorted(waits) and waits[4] == 0 and waits[5] == 2 and waits[6] == 4
    assert waits[-1] == throttle.LONGEST["name"]
    assert throttle.wait(peer, 1000, 0, 0) == throttle.LONGEST["peer"]


async def test_many_tries_at_once_win_nothing(store: Store) -> None:
    name = throttle.by_name("ann")
    done = await asyncio.gather(*(throttle.attempt(store, name) for _ in range(30)), return_exceptions=True)
    assert {type(each) for each in done} <= {type(None), OverLimit}
    assert 1 <= done.count(None) <= throttle.FREE["name"]


async def test_nobody_elsewhere_locks_a_member_out(store: Store) -> None:
    olga = await owner(store)
    await Sessions(store, WEEK).begin(olga, peer="192.0.2.1")
    names = [await throttle.by_name_from(store, olga.name, peer) for peer in ("192.0.2.1", "192.0.2.2", "a\0b")]
    assert names[0] != names[1] == names[2] == throttle.by_name(olga.name)
    assert await throttle.by_name_from(store, "nobody\0", "192.0.2.1") == throttle.by_name("nobody\0")


async def test_a_store_that_takes_no_writes_lets_sessions_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Sessions(store, WEEK)
    session, token = await kept.begin(await owner(store))
    await store.write(("UPDATE session SET seen_at = ?", [(session.seen_at - 2 * sessions.TOUCH,)]))

    async def full(*steps: object, **how: object) -> int:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(store, "write", full)
    found = await kept.find(token.encode(), "browser")
    assert found is not None and found[0].id == session.id


def test_subjects_are_short_and_addresses_are_whole_subnets() -> None:
    assert len(throttle.by_name("x" * 100_000 + "\0\ud800")) < 50
    assert throttle.by_peer("2001:db8::1") == throttle.by_peer("2001:db8::2") != throttle.by_peer("2001:db8:0:1::2")
    assert throttle.by_peer("::ffff:192.0.2.1") == throttle.by_peer("192.0.2.1")
    assert throttle.by_peer("unix") == "peer:unix"


async def test_a_password_fits_itself_alone() -> None:
    made = passwords.Passwords()
    try:
        kept = await made.hash("Grüße an alle da")
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and not passwords.dated(kept)
        assert await made.verify("Grüße an alle da", kept), "however the letters are composed"
        assert not await made.verify("Grüße an alle d", kept)
        assert not await made.verify("Grüße an alle da", None)
        assert not await made.verify("Grüße an alle da", "no hash at all")
        assert passwords.dated(kept.replace("m=19456", "m=8192"))
        assert not await made.verify("x" * 10_000_000, kept)
    finally:
        made.close()


async def test_a_flood_is_refused_and_not_queued() -> None:
    made = passwords.Passwords()
    try:
        done = await asyncio.gather(
            *(made.verify("password", None) for _ in range(passwords.WAITING + 40)), return_exceptions=True
        )
        assert sum(isinstance(each, OverLimit) for each in done) == 40
        assert done.count(False) == passwords.WAITING
    finally:
        made.close()


@pytest.mark.parametrize(
    "text",
    [
        "short", "elevenchars", "aaaaaaaaaaaaaaa", "abcabcabcabcabc", "123456789012", "abcdefghijklmnop",
        "password1234", "Password1234!", "qwertyuiop123", "ann@example.org", "freehold12345", "annann123456",
        "x" * 1025, "            ",
    ],
)  # fmt: skip
def test_what_is_tried_first_is_no_password(text: str) -> None:
    with pytest.raises(BadRequest):
        passwords.check(text, "ann@example.org")


@pytest.mark.parametrize("text", ["correct horse battery", "zwölf Zeichen", "Tr0ub4dor&3 x y", "ни шагу назад"])
def test_a_few_words_are_one(text: str) -> None:
    passwords.check(text, "ann@example.org")
