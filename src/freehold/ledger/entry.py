"""What the ledger says of a call. Knows the form of an Entry for ever; refuses to know where it is kept."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Literal

import msgspec

from freehold.core.call import Purpose

EntryKind = Literal["intent", "outcome", "admin"]

INTENT, OUTCOME, ADMIN = 0, 1, 2
NUMBERS: dict[str, int] = {"intent": INTENT, "outcome": OUTCOME, "admin": ADMIN}
"""The kinds as the store keeps them."""
GONE = "client_gone"
"""Error of an attempt that its caller left or stopped: on record as any error, but no failure of anybody."""


def failed(error: str) -> bool:
    """Return whether an outcome with this `error` failed, as figures count it: whoever leaves has not been failed."""
    return error not in ("", GONE)


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One decision about the words of a call. The form only grows, as an Entry's does."""

    by: str  # who decided: rules, injection, privacy, contract, vendor, or deployment:NAME
    side: Literal["input", "output"]
    category: str  # of the house's taxonomy (guards/taxonomy.py), or a kind of personal data
    severity: int = 0  # 0 safe, 2 low, 4 medium, 6 high
    action: str = "note"  # what followed: note, redact, pseudonymise, own, block
    policy: str = ""  # name of the policy; empty: the vendor's own
    dry: bool = False  # it would have followed, but the policy only looks on
    detail: str = ""  # a short word on why; never the words themselves


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One immutable line. An intent says who will see what and is durable before a byte leaves; an outcome repeats it
    and adds what came of it; an admin act stands alone.

    Entries are stored as the JSON array of their fields and are hashed, so the form only grows: a new field comes at
    the end and has a default, no field is removed, renamed, moved, or given another type or meaning. Older rows then
    decode with the defaults, and their hashes stay true because the stored bytes are what was hashed.

    Times: `at` in nanoseconds since the epoch (UTC), `first_ms` and `total_ms` in milliseconds. Money in nano-units of
    `currency`. Together `call` and `attempt` (from 0) name one try; a call counts as one request at its attempt 0.
    """

    kind: EntryKind
    call: str
    attempt: int
    purpose: Purpose
    at: int
    key: str = ""  # id of the key that asked
    team: str = ""
    dialect: str = ""  # of the client
    endpoint: str = ""  # chat, completion, embedding
    asked: str = ""  # the model as the client named it
    sent: str = ""  # as we named it to the vendor
    answered: str = ""  # as the vendor named itself
    deployment: str = ""
    maker: str = ""
    seller: str = ""
    host: str = ""
    region: str = ""
    contract: str = ""
    snapshot: str = ""  # hash of the tables that were in force
    status: int = 0  # HTTP status that the attempt ended with; 0: none
    error: str = ""  # code of core.errors, or one of ours: interrupted, not_sent
    input: int = 0  # tokens
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False  # tokens or cost were counted by us
    cost: int = 0
    currency: str = ""
    reserved: int = 0  # money that the intent set aside
    reserved_tokens: int = 0
    first_ms: float = 0.0
    total_ms: float = 0.0
    dropped: tuple[str, ...] = ()  # fields that the target could not honour
    limits: tuple[str, ...] = ()  # ids of the limits that were charged
    session: str = ""
    user: str = ""
    note: str = ""  # JSON: what an admin did, or what arrived too late
    data_class: str = ""  # of the words: as declared, or higher where something in them says so
    terms: str = ""  # version of the contract in force: the first 12 hexadecimal digits of its hash
    compute: str = ""  # whose machines it ran on
    chips: str = ""
    echoed: str = ""  # region as the vendor named it
    recipients: tuple[str, ...] = ()  # parties that got to see the words, each once
    retention: int = -1  # days for which they may keep them; -1: nobody says
    trains: str = ""  # whether they may train with them: yes, no, or empty where nobody says
    review: str = ""  # whether their people may read them, likewise
    redactions: tuple[tuple[str, int], ...] = ()  # what was taken out of the words before they left, and how often
    policies: tuple[str, ...] = ()  # names of the policies that held
    verdicts: tuple[Verdict, ...] = ()  # what was decided about the words, and by whom
    function: str = ""  # the business function that asked
    features: tuple[str, ...] = ()  # what the call made use of, e.g. tools, strict, logprobs
    tier: str = ""  # service tier as the vendor stated it
    use: str = ""  # what the answer is for, when it is to train a model: train, train_competing


FIELDS: tuple[str, ...] = Entry.__struct_fields__

encode = msgspec.json.Encoder().encode
"""Return the canonical bytes of an Entry."""

decode = msgspec.json.Decoder(Entry).decode
"""Return the Entry of canonical bytes; raises msgspec.ValidationError (also a ValueError)."""

COLUMNS = (
    "kind", "call", "attempt", "at", "key", "team", "asked", "sent", "answered", "deployment", "maker", "seller",
    "host", "status", "error", "input", "output", "cached", "cost", "currency",
)  # fmt: skip
"""Fields that the store also keeps apart, to filter and to sum; the seal says that they agree with the bytes."""

_rest = attrgetter(*COLUMNS[1:])
_INT64 = 63


def columns(entry: Entry) -> tuple[Any, ...]:
    """Return the values of `COLUMNS`."""
    return (NUMBERS[entry.kind], *_rest(entry))


def pack(entry: Entry) -> tuple[Any, ...]:
    """Return the canonical bytes and `columns(entry)`. Raises UnicodeEncodeError for half a character."""
    return (encode(entry), NUMBERS[entry.kind], *_rest(entry))


def clean(entry: Entry) -> Entry:
    """Return `entry` as any store takes it: integers within 0 .. 2^63 - 1, texts that are UTF-8 without NUL. A vendor
    may state tokens beyond 64 bits or send half a character, and that must not hold up the entries of others."""
    cleaned = Entry(*[_cleaned(getattr(entry, name)) for name in FIELDS])
    return cleaned if entry.retention >= 0 else msgspec.structs.replace(cleaned, retention=-1)


def _cleaned(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return min(max(value, 0), (1 << _INT64) - 1)
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, tuple):
        return tuple(_cleaned(item) for item in value)
    if isinstance(value, Verdict):
        return Verdict(*[_cleaned(getattr(value, name)) for name in value.__struct_fields__])
    return value
