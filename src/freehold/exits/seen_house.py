"""What the house itself holds about a person, and how it is erased here: kept texts of calls, pseudonyms, what was made
at the page. Counts rows; refuses to read what stands in them."""

from __future__ import annotations

import shlex
from typing import Literal

import msgspec

from freehold.exits.seen import Person
from freehold.guards.vault import Vault
from freehold.ledger import bodies
from freehold.ledger.bodies import Text
from freehold.ledger.entry import OUTCOME
from freehold.ledger.sight import STRIDE, Heard
from freehold.ledger.ways import extract, sealed
from freehold.store import Store

Kind = Literal[
    "text", "pseudonym", "entry", "account", "session", "conversation", "message", "file", "project", "prompt",
    "assistant", "memory", "share", "import",
]  # fmt: skip
LIBRARY: tuple[Kind, ...] = (
    "conversation", "message", "file", "project", "prompt", "assistant", "memory", "share", "import",
)  # fmt: skip
"""What a member made at the page."""


class Holding(msgspec.Struct, frozen=True):
    """So many things of a kind, and how many bytes where that is known. None for `count`: nobody could look. `export`
    and `erase` are the commands that hand it out and that end it, empty where there is none: entries of the ledger say
    that a call took place and who saw it, hold none of its words, and stay."""

    kind: Kind
    count: int | None
    bytes: int | None = None
    export: str = ""
    erase: str = ""


class Kept(msgspec.Struct, frozen=True):
    """What can be erased here at once: texts of calls, and the conversations whose pseudonyms may be in the vault, as
    the guards name them. `pseudonyms` is None without the vault."""

    texts: list[Text]
    conversations: list[str]
    pseudonyms: int | None


async def kept(store: Store, person: Person, vault: Vault | None, heard: Heard | None = None) -> Kept:
    """Return what can be erased here of a person's calls. Raises StoreError."""
    condition, args = person.condition(store.engine)
    texts = await bodies.kept(store, condition, args, heard)
    conversations = await _conversations(store, person, heard)
    if not conversations:
        return Kept(texts, [], 0)
    return Kept(texts, conversations, await vault.holds(*conversations) if vault is not None else None)


async def _conversations(store: Store, person: Person, heard: Heard | None) -> list[str]:
    """Return the conversations of which something was taken out, as the guards name them: by key and session, or by
    call."""
    if not await store.fetch("SELECT 1 FROM vault LIMIT 1"):
        return []
    condition, args = person.condition(store.engine)
    stride = f"seq > ? AND seq <= ? AND kind = {OUTCOME} AND {condition}"
    sql = f"SELECT key, call, {extract(store.engine, ('session', 'redactions'))} FROM {sealed(store.engine, stride)}"
    head = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    found: dict[str, None] = {}
    for done in range(0, head, STRIDE):
        upto = min(done + STRIDE, head)
        for key, call, text in await store.fetch(sql, done, upto, *args):
            session, redactions = msgspec.json.decode(text)
            if redactions:
                found[f"{key}/{session or call}"] = None
        if heard is not None:
            heard(upto, head)
    return list(found)


async def holdings(
    store: Store, person: Person, entries: int, vault: Vault | None, heard: Heard | None = None
) -> list[Holding]:
    """Return what the house holds; `entries` is how many of the ledger's are of the person's calls. Raises
    StoreError."""
    found = await kept(store, person, vault, heard)
    who = _named(person)
    erase = f"freehold seen erase {who} --do"
    rows = [
        Holding("entry", entries, export=f"freehold seen person {who} -o FILE.json"),
        Holding("text", len(found.texts), sum(text.bytes for text in found.texts), "freehold ledger show CALL", erase),
        Holding("pseudonym", found.pseudonyms, erase=erase),
    ]
    if person.member is not None:
        rows += await _library(store, person.member.id, person.member.name)
    return rows


def _named(person: Person) -> str:
    """Return how the command line names a person."""
    words = [person.member.name] if person.member is not None else []
    own = person.member.key if person.member is not None else ""
    words += [f"--key {shlex.quote(id)}" for id in person.keys if id != own]
    return " ".join([*words, *(f"--user {shlex.quote(user)}" for user in person.users)])


async def _library(store: Store, member: str, name: str) -> list[Holding]:
    export = f"freehold export FILE.zip --member {shlex.quote(name)}"
    erase = f"freehold seen erase {shlex.quote(name)} --library --do"
    rows = [Holding("account", 1, erase=f"freehold members disable {shlex.quote(name)}")]
    live = "SELECT COUNT(*) FROM session WHERE member = ? AND revoked_at IS NULL"
    ((count,),) = await store.fetch(live, member)
    rows.append(Holding("session", int(count), erase=f"freehold members revoke {shlex.quote(name)}"))
    for kind in LIBRARY:
        whose = "member = ?"
        if kind == "message":
            whose = "conversation IN (SELECT id FROM conversation WHERE member = ?)"
        size = "SUM(bytes)" if kind == "file" else "NULL"
        ((count, size),) = await store.fetch(f"SELECT COUNT(*), {size} FROM {kind} WHERE {whose}", member)
        taken = export if kind not in ("share", "import") else ""
        rows.append(Holding(kind, int(count), None if size is None else int(size), taken, erase))
    return rows


class Erased(msgspec.Struct, frozen=True):
    """What was made unreadable here: so many texts of calls, and the pseudonyms of so many conversations."""

    texts: int
    bytes: int
    conversations: int


async def erase(store: Store, found: Kept, vault: Vault | None, why: str) -> Erased:
    """Erase what was found. Entries stay, and the chain stays whole. Raises StoreError."""
    await bodies.shred(store, found.texts, why)
    gone = await vault.erase(*found.conversations) if vault is not None and found.conversations else 0
    return Erased(len(found.texts), sum(text.bytes for text in found.texts), gone)
