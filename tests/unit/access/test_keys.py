from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from freehold import store
from freehold.access import (
    create,
    create_team,
    disable_team,
    expiry,
    list_keys,
    list_teams,
    load,
    revoke,
    update_team,
)
from freehold.core import clock
from freehold.core.errors import BadRequest, ConfigError, NotFound, Unauthenticated
from freehold.store import Store

DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> str:
    """One database for the tests of this file: making one takes longer than all that they do in it."""
    return str(request.getfixturevalue("postgres_server").database())


@pytest.fixture(params=["sqlite", "postgres"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/keys.db"
    opened = await store.open(
        request.getfixturevalue("database") if request.param == "postgres" else url, durable=False
    )
    for table in ("key", "team"):
        await opened.write((f"DELETE FROM {table}", [()]))
    yield opened
    await opened.close()


async def test_a_key_is_found_by_its_secret_alone(shelf: Store) -> None:
    key, secret = await create(shelf, "ann", routes=["assistant"], limits=["requests=60/minute"])
    assert secret.startswith("fh-") and key.prefix == secret[:11]
    ring = await load(shelf)
    for _ in range(2):  # the second time from the ring's cache
        found = ring.find(secret.encode())
        assert (found.id, found.name, found.routes) == (key.id, "ann", frozenset({"assistant"}))
    assert [limit.describe() for limit in found.limits] == ["requests=60/minute"]
    for wrong in (secret[:-1], secret + "x", key.prefix, secret.upper()):
        with pytest.raises(Unauthenticated) as e:
            ring.find(wrong.encode())
        assert e.value.code == "invalid_api_key" and e.value.status == 401 and e.value.hint


async def test_the_secret_is_not_in_the_store(shelf: Store, tmp_path: Path) -> None:
    _, secret = await create(shelf, "ann")
    rows = await shelf.fetch("SELECT * FROM key")
    assert secret not in repr(rows)
    assert sha256(secret.encode()).digest() in rows[0]
    assert all(secret[11:].encode() not in file.read_bytes() for file in tmp_path.iterdir())


async def test_missing_revoked_expired_and_disabled_are_told_apart(
    shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await create_team(shelf, "blue")
    _, revoked = await create(shelf, "revoked")
    _, expiring = await create(shelf, "expiring", expires=clock.now_ns() + DAY)
    _, disabled = await create(shelf, "disabled", team="blue")
    await revoke(shelf, "revoked")
    ring = await load(shelf)
    ring.find(disabled.encode())
    ring.find(expiring.encode())
    await disable_team(shelf, team.id)
    later = await load(shelf)
    monkeypatch.setattr("freehold.access.keys.now_ns", lambda: clock.now_ns() + 2 * DAY)
    messages = set()
    for which, token, code in (
        (ring, b"", "missing_api_key"),
        (ring, b"fh-unknown", "invalid_api_key"),
        (ring, revoked.encode(), "revoked_api_key"),
        (ring, expiring.encode(), "expired_api_key"),
        (later, disabled.encode(), "disabled_team"),
    ):
        with pytest.raises(Unauthenticated) as e:
            which.find(token)
        assert (e.value.code, e.value.status) == (code, 401)
        assert e.value.hint and (not token or token.decode() not in e.value.message)
        messages.add(e.value.message)
    assert len(messages) == 5
    await disable_team(shelf, "blue", disabled=False)
    (await load(shelf)).find(disabled.encode())


async def test_names_of_active_keys_are_their_own(shelf: Store) -> None:
    first, _ = await create(shelf, "ann")
    with pytest.raises(BadRequest, match="already"):
        await create(shelf, "ann")
    await revoke(shelf, first.id)
    second, _ = await create(shelf, "ann")
    assert [key.revoked_at is None for key in await list_keys(shelf)] == [False, True]
    assert (await revoke(shelf, "ann")).id == second.id


@pytest.mark.parametrize("name", ["", " ann", "a" * 65, "a/b", "-a", "a\n", "ann;"])
async def test_names_are_plain(shelf: Store, name: str) -> None:
    with pytest.raises(BadRequest):
        await create(shelf, name)
    with pytest.raises(BadRequest):
        await create_team(shelf, name)


async def test_revoking_by_id_name_prefix_or_secret(shelf: Store) -> None:
    for by in ("id", "name", "prefix", "secret"):
        key, secret = await create(shelf, f"by-{by}")
        which = {"id": key.id, "name": key.name, "prefix": key.prefix, "secret": secret}[by]
        assert (await revoke(shelf, which)).id == key.id
        with pytest.raises(NotFound) as e:
            await revoke(shelf, which)
        assert secret not in e.value.message
    await create(shelf, "one")
    await create(shelf, "two")
    for which in ("", "fh-", "fh", "o"):
        with pytest.raises(NotFound):
            await revoke(shelf, which)


async def test_what_cannot_be_is_refused(shelf: Store) -> None:
    with pytest.raises(BadRequest):
        await create(shelf, "ann", expires=clock.now_ns() - 1)
    with pytest.raises(BadRequest):
        await create(shelf, "ann", routes=[])
    with pytest.raises(NotFound):
        await create(shelf, "ann", team="none")
    with pytest.raises(ConfigError):
        await create(shelf, "ann", limits=["requests=60"])
    assert await list_keys(shelf) == []


async def test_a_key_keeps_its_teams_limits_after_its_own(shelf: Store) -> None:
    team = await create_team(shelf, "blue", limits=["budget=5.00 USD/day"])
    _, secret = await create(shelf, "ann", team="blue", limits=["requests=6/minute"])
    (await load(shelf)).find(secret.encode())
    await update_team(shelf, "blue", limits=["budget=9.00 USD/day", "tokens=5/day"])
    own, *shared = (await load(shelf)).find(secret.encode()).limits
    assert own.subject.startswith("key:")
    assert {limit.subject for limit in shared} == {f"team:{team.id}"}
    assert [limit.describe() for limit in shared] == ["budget=9.00 USD/day", "tokens=5/day"]
    with pytest.raises(BadRequest, match="exists already"):
        await create_team(shelf, "blue")
    assert [team.name for team in await list_teams(shelf)] == ["blue"]


async def test_every_change_is_announced(shelf: Store) -> None:
    seen = [await shelf.generation()]

    async def changed() -> None:
        seen.append(await shelf.generation())
        assert seen[-1] > seen[-2]

    await create_team(shelf, "blue")
    await changed()
    await create(shelf, "ann", team="blue")
    await changed()
    await update_team(shelf, "blue", limits=["tokens=5/day"])
    await changed()
    await revoke(shelf, "ann")
    await changed()
    await disable_team(shelf, "blue")
    await changed()


def test_expiry_forms() -> None:
    now = 1_795_262_400 * 10**9
    assert expiry("90d", now) == now + 90 * DAY
    assert expiry("12h", now) == now + DAY // 2
    assert expiry("2026-11-21T13:00:00Z", now) == now + 3600 * 10**9
    assert expiry("2026-11-21", now) == now + DAY // 2  # the end of that day, and `now` is noon
    for text in ("", "soon", "90", "d", "2026-13-01"):
        with pytest.raises(BadRequest):
            expiry(text, now)
