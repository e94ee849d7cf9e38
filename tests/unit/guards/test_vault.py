"""The vault of pseudonyms, on SQLite and on a real PostgreSQL: the same token throughout a conversation, nothing
readable without the key, nothing readable once the key is gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold import store as stores
from freehold.core.clock import DAY
from freehold.core.errors import ConfigError, StoreError
from freehold.guards import vault as vaults
from freehold.guards.vault import FRESH, Conversation, Vault
from freehold.store import Store

KEY = bytes(range(32))
BOB, ANN = ("EMAIL", "bob@x.example"), ("EMAIL", "ann@x.example")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000 * DAY

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/freehold.db"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    opened = await stores.open(url, durable=False)
    yield opened
    await opened.close()


async def test_a_value_has_one_pseudonym_in_a_conversation_and_another_one_elsewhere(store: Store) -> None:
    vault = Vault(store, KEY)
    first = await vault.pseudonyms("k/one", [BOB, ANN, BOB], ())
    assert set(first) == {BOB, ANN} and len(set(first.values())) == 2
    assert all(token.startswith("EMAIL_") and len(token) == 12 for token in first.values())
    other = Vault(store, KEY)  # another worker, or the same one after a kill
    assert await other.pseudonyms("k/one", [ANN], ()) == {ANN: first[ANN]}
    elsewhere = await other.pseudonyms("k/two", [ANN], ())
    assert elsewhere[ANN] != first[ANN]
    assert await other.reveal("k/one", f"<{first[ANN]}>") == ANN[1]
    assert await other.reveal("k/two", first[ANN]) is None
    assert await other.reveal("k/three", first[ANN]) is None
    assert await vault.pseudonyms("k/one", [], ()) == {}


async def test_nothing_in_the_store_says_what_it_is(store: Store) -> None:
    await Vault(store, KEY).pseudonyms("key/ann@x.example", [BOB], ())
    rows = [*await store.fetch("SELECT * FROM vault"), *await store.fetch("SELECT * FROM vault_key")]
    kept = b" ".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    assert len(rows) == 3 and b"bob" not in kept and b"x.example" not in kept and b"ann" not in kept


async def test_what_was_written_with_another_key_is_refused(store: Store) -> None:
    first = await Vault(store, KEY).pseudonyms("k/one", [BOB], ())
    foreign = Vault(store, bytes(32))
    for refused in (
        foreign.pseudonyms("k/two", [BOB], ()),
        foreign.reveal("k/one", first[BOB]),
        foreign.erase("k/one"),
        foreign.holds("k/one"),
    ):
        with pytest.raises(StoreError) as e:
            await refused
        assert e.value.code == "vault_unreadable" and not e.value.retryable
    assert await Vault(store, KEY).pseudonyms("k/one", [BOB], ()) == first
    await foreign.reset()
    assert await foreign.size() == (0, 0)
    assert (await foreign.pseudonyms("k/one", [BOB], ()))[BOB] != first[BOB]
    assert await foreign.size() == (1, 1)
    with pytest.raises(StoreError):
        await Vault(store, KEY).pseudonyms("k/one", [BOB], ())


@pytest.mark.parametrize("column", ["ciphertext", "nonce"])
async def test_what_was_tampered_with_is_refused(store: Store, column: str) -> None:
    await Vault(store, KEY).pseudonyms("k/one", [BOB, ANN], ())
    swapped = await store.fetch(f"SELECT {column} FROM vault")
    await store.write((f"UPDATE vault SET {column} = ?", [(swapped[0][0],)]))
    with pytest.raises(StoreError) as e:
        await Vault(store, KEY).pseudonyms("k/one", [BOB], ())
    assert e.value.code == "vault_unreadable"


async def test_a_key_of_another_length_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="16 bytes"):
        Vault(store, bytes(16))


async def test_what_is_erased_is_gone_for_all_workers_within_two_seconds(store: Store) -> None:
    clock = Clock()
    one, two = Vault(store, KEY, clock=clock), Vault(store, KEY, clock=clock)
    first = await one.pseudonyms("k/one", [BOB], ())
    kept = await store.fetch("SELECT * FROM vault")
    assert await two.pseudonyms("k/one", [BOB], ()) == first
    assert await one.holds("k/one", "k/two") == 1
    assert (await one.erase("k/one", "k/two"), await one.erase("k/one")) == (1, 0)
    assert await one.size() == (0, 0)
    assert await one.reveal("k/one", first[BOB]) is None
    assert await two.pseudonyms("k/one", [BOB], ()) == first, "believed for two seconds"
    clock.now += FRESH
    second = await two.pseudonyms("k/one", [BOB], ())
    assert second != first
    # Who has kept a copy of the rows cannot read them without the key that was erased.
    await store.write(("INSERT INTO vault VALUES (?, ?, ?, ?, ?, ?)", kept))
    assert await one.reveal("k/one", first[BOB]) is None


async def test_a_worker_that_does_not_know_of_the_erasure_does_not_bring_the_key_back(store: Store) -> None:
    one, two = Vault(store, KEY), Vault(store, KEY)
    first = await one.pseudonyms("k/one", [BOB], ())
    await two.erase("k/one")
    again = await one.pseudonyms("k/one", [BOB, ANN], ())
    assert again[BOB] != first[BOB]
    assert [token for (token,) in await store.fetch("SELECT token FROM vault")].count(first[BOB]) == 0


async def test_conversations_end_when_nobody_uses_them(store: Store) -> None:
    clock = Clock()
    vault = Vault(store, KEY, days=10, clock=clock)
    await vault.pseudonyms("k/old", [BOB], ())
    used = await vault.pseudonyms("k/used", [BOB], ())
    for _ in range(3):
        clock.now += 5 * DAY
        assert await vault.pseudonyms("k/used", [BOB], ()) == used  # use without anything new counts as well
    assert await vault.sweep() == 1
    assert await vault.size() == (1, 1)
    assert await vault.reveal("k/used", used[BOB]) == BOB[1]
    assert await vault.sweep() == 0


async def test_many_workers_give_one_pseudonym(store: Store) -> None:
    values = [("EMAIL", f"person{n}@x.example") for n in range(30)]
    vaults = [Vault(store, KEY) for _ in range(4)]
    calls = [vault.pseudonyms("k/one", values[at : at + 20], ()) for vault in vaults for at in (0, 5, 10)]
    given: dict[tuple[str, str], set[str]] = {}
    for tokens in await asyncio.gather(*calls):
        for value, token in tokens.items():
            given.setdefault(value, set()).add(token)
    assert len(given) == 30 and all(len(tokens) == 1 for tokens in given.values())
    assert await vaults[0].size() == (1, 30)


async def test_tokens_that_collide_are_told_apart_across_workers(store: Store) -> None:
    """Values whose first digits are alike get longer tokens, whoever was first."""
    one, two = Vault(store, KEY), Vault(store, KEY)
    first = await one.pseudonyms("k/one", [BOB], ())
    known = two._known
    assert await two.reveal("k/one", first[BOB]) == BOB[1]
    (conversation,) = known.values()
    # The other worker has not read of it, and comes to the same token for another value.
    conversation.values.clear()
    conversation.tokens.clear()
    token = first[BOB]

    class Colliding(Conversation):
        def name(self, values, taken):  # type: ignore[no-untyped-def]
            return super().name(values, taken) if self.values else dict.fromkeys(values, token)

    alike = Colliding(conversation.id, conversation.secret, True, conversation.read_at, conversation.expires_at)
    known[next(iter(known))] = alike
    second = await two.pseudonyms("k/one", [ANN], ())
    assert second[ANN] != token
    assert await one.reveal("k/one", token) == BOB[1] and await one.reveal("k/one", second[ANN]) == ANN[1]


async def test_a_worker_does_not_know_all_of_long_conversations(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaults, "KEPT", 1000)
    monkeypatch.setattr(vaults, "_MANY", 100)
    vault = Vault(store, KEY)
    given = {
        at: await vault.pseudonyms(f"k/{at}", [("EMAIL", f"p{at}.{n}@x.example") for n in range(400)], ())
        for at in range(6)
    }
    assert [len(each.values) for each in vault._known.values()] == [400] * 3
    long = [("EMAIL", f"long{n}@x.example") for n in range(1500)]
    given[6] = await vault.pseudonyms("k/6", long, ())
    assert [len(each.values) for each in vault._known.values()] == [400, 400, 1500]  # the one under way counts not
    await vault.pseudonyms("k/7", [BOB], ())
    assert [len(each.values) for each in vault._known.values()] == [1]
    for at, tokens in given.items():
        assert await vault.pseudonyms(f"k/{at}", tokens, ()) == tokens, "what is not known is read again"


# -- tokens, without any store -----------------------------------------------------------------------------------------

values = st.tuples(st.sampled_from(["EMAIL", "NATIONAL_ID"]), st.text(max_size=5))


@given(st.lists(values, max_size=30, unique=True))
def test_no_two_values_have_one_token(several: list[tuple[str, str]]) -> None:
    conversation = Conversation.begun()
    given_tokens = conversation.name(several, ())
    assert len(set(given_tokens.values())) == len(several)
    assert conversation.name(several, ()) == given_tokens
    assert {token: value for value, token in given_tokens.items()} == conversation.values


def test_a_token_is_not_what_is_there_already() -> None:
    secret = os.urandom(32)
    plain = Conversation("a", secret).name([BOB], ())[BOB]
    longer = Conversation("a", secret).name([BOB], {plain.upper()})[BOB]
    assert longer.startswith(plain) and len(longer) == len(plain) + 2
    assert Conversation("a", os.urandom(32)).name([BOB], ())[BOB] != plain
