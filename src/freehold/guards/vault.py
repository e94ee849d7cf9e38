"""Pseudonyms and what they stand for, encrypted under a key for each conversation. Knows keys, tokens and two tables;
refuses to know who calls and how anything is found.

A pseudonym is the kind of the value and the beginning of an HMAC of it under the conversation's key: the same value has
the same one throughout a conversation and another one elsewhere, and nobody can try values out on it. The key is kept
wrapped with the house's; whoever deletes its row has made the conversation's pseudonyms unreadable for good, copies of
their own rows included.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from freehold.core.clock import DAY, now_ns
from freehold.core.errors import ConfigError, StoreError
from freehold.core.ids import new_id
from freehold.store import Row, Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FRESH = 2 * 1_000_000_000
"""How long a worker believes what it has read of a conversation, ns: the longest that an erasure takes to be known."""
SHORTEST, LONGEST = 6, 32
"""Hexadecimal digits of a token: as few as tell it from all others of its conversation and from what is there."""
KEY_BYTES = 32
_NONCE = 12
_HOUSE, _NEVER = "house", (1 << 63) - 1
"""The row that says which house's key the vault is written with, and when it ends."""
_AT_ONCE = 500
_MANY = 500
"""Pseudonyms from which they are opened and sealed beside the loop: so many take some ten milliseconds."""
KEPT = 200_000
"""Pseudonyms that a worker knows at most, beside those of the conversation used last: about 100 MiB."""
_TRIES = 5

T = TypeVar("T")
Value = tuple[str, str]
"""A kind of finding and the words found."""


class Conversation(msgspec.Struct):
    """What is known of one conversation: its key, and the tokens given so far, each as `KIND_hex`. Times in ns;
    `stored` is false while nothing of it is in the store."""

    id: str
    secret: bytes
    stored: bool = False
    read_at: int = 0
    expires_at: int = 0
    values: dict[str, Value] = {}
    tokens: dict[Value, str] = {}

    @classmethod
    def begun(cls) -> Conversation:
        """Return a new one, which nobody else knows."""
        return cls(new_id("vault"), os.urandom(KEY_BYTES))

    def give(self, value: Value, token: str) -> None:
        """Note that `token` stands for `value`."""
        self.values[token] = value
        self.tokens.setdefault(value, token)

    def name(self, values: Iterable[Value], taken: Collection[str]) -> dict[Value, str]:
        """Return a token for each value, and note it: the shortest that stands for nothing else here and is not among
        `taken` (upper case)."""
        return {value: self.tokens.get(value) or self._named(value, taken) for value in values}

    def _named(self, value: Value, taken: Collection[str]) -> str:
        kind, words = value
        digits = hmac.digest(self.secret, f"{kind}\0{words}".encode("utf-8", "surrogatepass"), "sha256").hex()
        token = f"{kind}_{digits}"
        for size in range(SHORTEST, LONGEST + 1, 2):
            made = f"{kind}_{digits[:size]}"
            if made not in self.values and made.upper() not in taken:
                token = made
                break
        self.give(value, token)
        return token


class Vault:
    """The pseudonyms of all conversations. One for each worker; any number share the store.

    `key` is the house's own, 32 bytes: ConfigError for another length. `days` without use after which a conversation's
    pseudonyms are forgotten. All methods raise StoreError when the store is away, or was written with another key.
    """

    def __init__(
        self, store: Store, key: bytes, *, days: int = 90, most: int = 256, clock: Callable[[], int] = now_ns
    ) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(
                f"vault.key: {len(key)} bytes, but it takes {KEY_BYTES}.",
                hint="make one with `openssl rand -base64 32`, or leave it out: Freehold then makes a file with one",
            )
        self._store = store
        self._wrap = hmac.digest(key, b"freehold vault: wrap", "sha256")
        self._names = hmac.digest(key, b"freehold vault: names", "sha256")
        self._span = days * DAY
        self._most = most
        self._clock = clock
        self._known: dict[str, Conversation] = {}
        self._proven = False

    async def pseudonyms(self, conversation: str, values: Iterable[Value], taken: Collection[str]) -> dict[Value, str]:
        """Return a token for each value, the same one as before where it has one; on record once this returns. A new
        one is none of `taken`: token-like words that stand in the text, in upper case."""
        name = self._name(conversation)
        wanted = list(dict.fromkeys(values))
        if not wanted:
            return {}
        known = self._known.get(name)
        if known is None or self._clock() - known.read_at >= FRESH:
            known = await self._read(name)
        for _ in range(_TRIES):
            new = [value for value in wanted if value not in known.tokens]
            if not new and known.expires_at - self._clock() > self._span - DAY:
                return {value: known.tokens[value] for value in wanted}
            # What counts is what is in the store afterwards: another worker may have been there, or an erasure.
            await self._write(name, known, new, taken)
            known = await self._read(name)
        raise StoreError("The vault changes faster than it can be read.", hint="try the call again")

    async def reveal(self, conversation: str, token: str) -> str | None:
        """Return what a token of the conversation stands for (with or without its brackets); None when it is none of
        its tokens, or no longer."""
        found = (await self._read(self._name(conversation))).values.get(token.strip("<>[] "))
        return found[1] if found is not None else None

    async def erase(self, *conversations: str) -> int:
        """Make the pseudonyms of conversations unreadable for good; return how many conversations had any. A worker
        that has just read them knows within two seconds."""
        names = [self._name(conversation) for conversation in conversations]
        for name in names:
            self._known.pop(name, None)
        found = await self._keys("SELECT id FROM vault_key WHERE conversation", names)
        await self._delete([row[0] for row in found])
        return len(found)

    async def holds(self, *conversations: str) -> int:
        """Return how many pseudonyms are kept of these conversations."""
        names = [self._name(conversation) for conversation in conversations]
        counted = "SELECT COUNT(*) FROM vault JOIN vault_key ON vault.key = vault_key.id WHERE conversation"
        return sum(int(count) for (count,) in await self._keys(counted, names))

    async def _keys(self, sql: str, names: list[str]) -> list[Row]:
        """Ask of names, so many at once that the engines take them."""
        if not self._proven:
            await self._prove()
        found: list[Row] = []
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            found += await self._store.fetch(f"{sql} IN ({', '.join('?' * len(some))})", *some)
        return found

    async def sweep(self) -> int:
        """Forget conversations whose time is over; return how many."""
        over = await self._store.fetch("SELECT id FROM vault_key WHERE expires_at < ? LIMIT 1000", self._clock())
        await self._delete([row[0] for row in over])
        return len(over)

    async def size(self) -> tuple[int, int]:
        """Return how many conversations and how many pseudonyms are kept."""
        ((conversations,),) = await self._store.fetch("SELECT COUNT(*) FROM vault_key WHERE id <> ?", _HOUSE)
        ((tokens,),) = await self._store.fetch("SELECT COUNT(*) FROM vault")
        return int(conversations), int(tokens)

    async def reset(self) -> None:
        """Forget all conversations, whatever key they were written with; the vault is this key's from now on."""
        self._known.clear()
        self._proven = False
        await self._store.shred("vault_key", ("DELETE FROM vault_key", [()]), ("DELETE FROM vault", [()]))

    async def _prove(self) -> None:
        """Raise StoreError unless the vault is this key's: with another one nothing in it would be found."""
        proof = "SELECT nonce, wrapped FROM vault_key WHERE id = ?"
        found = await self._store.fetch(proof, _HOUSE)
        if not found:
            row = (_HOUSE, _HOUSE, *_shut(self._wrap, _HOUSE.encode(), _HOUSE), self._clock(), _NEVER)
            await self._store.write((_NEW_KEY, [row]))
            found = await self._store.fetch(proof, _HOUSE)  # whoever was first
        nonce, wrapped = found[0]
        _open(self._wrap, nonce, wrapped, _HOUSE)
        self._proven = True

    async def _delete(self, ids: list[str]) -> None:
        if ids:
            # Together with rows written between somebody's look at a key and its end: nobody can read them any more.
            await self._store.shred(
                "vault_key",
                ("DELETE FROM vault_key WHERE id = ?", [(each,) for each in ids]),
                ("DELETE FROM vault WHERE key NOT IN (SELECT id FROM vault_key)", [()]),
            )

    def _name(self, conversation: str) -> str:
        """What the store knows a conversation by: nobody learns from it whose it is."""
        return hmac.digest(self._names, conversation.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]

    async def _read(self, name: str) -> Conversation:
        """Return the conversation as it is in the store; a new one where it is not."""
        if not self._proven:
            await self._prove()
        at = self._clock()
        rows = await self._store.fetch(
            "SELECT k.id, k.nonce, k.wrapped, k.expires_at, v.token, v.kind, v.nonce, v.ciphertext "
            "FROM vault_key k LEFT JOIN vault v ON v.key = k.id WHERE k.conversation = ?",
            name,
        )
        known = self._known.pop(name, None)
        if not rows:
            return Conversation.begun()
        id_, nonce, wrapped, expires_at = rows[0][:4]
        if known is None or known.id != id_:
            known = Conversation(id_, _open(self._wrap, nonce, wrapped, f"{name} {id_}"), True)
        unknown = [row[4:] for row in rows if row[4] is not None and row[4] not in known.values]
        secret = known.secret
        for value, token in await _aside(len(unknown), lambda: _opened(secret, id_, unknown)):
            known.give(value, token)
        known.read_at, known.expires_at = at, expires_at
        self._known[name] = known  # last, as the one used last
        kept = sum(len(each.values) for each in self._known.values())
        while len(self._known) > 1 and (len(self._known) > self._most or kept - len(known.values) > KEPT):
            kept -= len(self._known.pop(next(iter(self._known))).values)
        return known

    async def _write(self, name: str, known: Conversation, new: list[Value], taken: Collection[str]) -> None:
        """Put on record that a conversation begins, and no more: another worker's key for it may have been first. Then,
        new pseudonyms, and that it goes on."""
        at = self._clock()
        if not known.stored:
            sealed = _shut(self._wrap, known.secret, f"{name} {known.id}")
            await self._store.write((_NEW_KEY, [(known.id, name, *sealed, at, at + self._span)]))
            return
        # On a copy: nothing is known that is not in the store.
        draft = msgspec.structs.replace(known, values=dict(known.values), tokens=dict(known.tokens))
        rows = await _aside(len(new), lambda: _sealed(draft, new, taken, at))
        steps = [(_NEW_TOKEN, rows)] if rows else []
        goes_on = "UPDATE vault_key SET expires_at = ? WHERE id = ?"
        await self._store.write(*steps, (goes_on, [(at + self._span, known.id)]))


_NEW_KEY = (
    "INSERT INTO vault_key(id, conversation, nonce, wrapped, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_NEW_TOKEN = (
    "INSERT INTO vault(key, token, kind, nonce, ciphertext, created_at) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Do what takes long for many pseudonyms, for which others are not to wait."""
    return work() if size < _MANY else await asyncio.to_thread(work)


def _opened(secret: bytes, id_: str, rows: Iterable[Row]) -> list[tuple[Value, str]]:
    """Return what rows of token, kind, nonce and ciphertext stand for."""
    found: list[tuple[Value, str]] = []
    for token, kind, nonce, ciphertext in rows:
        words = _open(secret, nonce, ciphertext, f"{id_} {token}")
        found.append(((kind, words.decode("utf-8", "surrogatepass")), token))
    return found


def _sealed(draft: Conversation, new: list[Value], taken: Collection[str], at: int) -> list[Row]:
    """Return rows for new pseudonyms, which `draft` is given."""
    rows: list[Row] = []
    for (kind, words), token in draft.name(new, taken).items():
        sealed = _shut(draft.secret, words.encode("utf-8", "surrogatepass"), f"{draft.id} {token}")
        rows.append((draft.id, token, kind, *sealed, at))
    return rows


def _aead(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most processes keep no vault

    return AESGCM(key)


def _shut(key: bytes, words: bytes, about: str) -> tuple[bytes, bytes]:
    """Return a nonce and the words encrypted (AES-256-GCM), bound to what they are about."""
    nonce = os.urandom(_NONCE)
    return nonce, _aead(key).encrypt(nonce, words, about.encode())


def _open(key: bytes, nonce: bytes, shut: bytes, about: str) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415

    try:
        return _aead(key).decrypt(nonce, shut, about.encode())
    except InvalidTag:
        raise StoreError(
            "The vault of pseudonyms was written with another key, or has been tampered with.",
            code="vault_unreadable",
            retryable=False,
            hint="put the key back that [vault] key named, or the file vault.key; without it those words are lost, and "
            "`freehold vault reset` begins anew",
        ) from None
