"""How an entry is told outside the ledger: every field by a name that states its unit. Refuses to know any format.

The stored Entry keeps its own short names for ever; exports and `--json` use these, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from freehold.core.clock import iso
from freehold.core.money import show
from freehold.ledger.entry import Verdict
from freehold.ledger.query import Stored

MEANINGS: dict[str, str] = {
    "seq": "place in the chain, from 1",
    "hash": "seal of this entry and all before it, SHA-256 in hexadecimal",
    "kind": "intent (before anything was sent), outcome (what came of it), admin (an act of administration)",
    "call": "id of the call, as the client got it",
    "attempt": "which try of the call it is, from 0",
    "purpose": "why we called: serve (for the client) or a purpose of our own",
    "at_ns": "when, nanoseconds since the epoch, UTC",
    "at": "the same, RFC 3339, UTC",
    "key": "id of the key that asked",
    "key_name": "what that key is called",
    "team": "id of the team of that key",
    "team_name": "what that team is called",
    "dialect": "how the client spoke",
    "endpoint": "what was asked for: chat, completion, embedding",
    "asked": "the model as the client named it",
    "sent": "the model as we named it to the vendor",
    "answered": "the model as the vendor named itself",
    "deployment": "where it was sent, by the name in the configuration",
    "maker": "who trained the model",
    "seller": "who bills for it",
    "host": "whose compute it ran on",
    "region": "where that is",
    "contract": "the contract that covers it",
    "snapshot": "hash of the configuration that was in force",
    "status": "HTTP status that the attempt ended with; 0: none",
    "error": "code of the error; empty: none",
    "input_tokens": "tokens of the prompt, cached ones included",
    "output_tokens": "tokens of the answer, those of reasoning included",
    "cached_tokens": "tokens of the prompt that were billed as cached",
    "reasoning_tokens": "tokens of the answer that were spent on reasoning",
    "estimated": "whether tokens or cost were counted by us and not stated by the vendor",
    "cost_nano": "cost in billionths of `currency`; empty: not known",
    "cost": "the same in units of `currency`, exact",
    "currency": "three letters; empty: no price is known",
    "reserved_nano": "money that was set aside before the call, billionths of the budgets' currency",
    "reserved_tokens": "tokens that were set aside before the call",
    "first_ms": "milliseconds until the first byte of the answer; 0: none came",
    "total_ms": "milliseconds in all",
    "dropped": "fields of the request that the target could not honour",
    "limits": "ids of the limits that were charged",
    "session": "what the client named as session",
    "user": "what the client named as user",
    "note": "JSON: what an administrator did, or what arrived too late",
    "data_class": "class of the words: public, internal, confidential, personal, special, secret; empty: not classed",
    "terms": "version of the contract in force: 12 hexadecimal digits of the hash of its terms",
    "compute": "whose machines it ran on",
    "chips": "on which chips",
    "echoed": "the region as the vendor named it",
    "recipients": "parties that got to see the words",
    "retention_days": "days for which they may keep them; empty: nobody says",
    "trains": "whether they may train with them: yes, no; empty: nobody says",
    "review": "whether their people may read them: yes, no; empty: nobody says",
    "redactions": "what was taken out of the words before they left, as KIND=times",
    "policies": "names of the policies that held",
    "verdicts": "what was decided about the words, as BY:SIDE:CATEGORY:SEVERITY:ACTION",
    "function": "the business function that asked",
    "features": "what the call made use of",
    "tier": "service tier as the vendor stated it",
    "use": "what the answer is for, where that is to train a model",
}
"""Every column in its order, and what it holds."""

COLUMNS: tuple[str, ...] = tuple(MEANINGS)

KINDS: dict[str, type] = {
    **dict.fromkeys(("seq", "attempt", "at_ns", "status", "cost_nano", "reserved_nano", "reserved_tokens"), int),
    **dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"), int),
    **dict.fromkeys(("first_ms", "total_ms"), float),
    **dict.fromkeys(("dropped", "limits", "recipients", "redactions", "policies", "verdicts", "features"), tuple),
    "retention_days": int,
    "estimated": bool,
}
"""What the columns hold that are no text."""

_OUTSIDE = {
    "at": "at_ns",
    "cost": "cost_nano",
    "reserved": "reserved_nano",
    "retention": "retention_days",
    **{name: f"{name}_tokens" for name in ("input", "output", "cached", "reasoning")},
}


def priced(cost: int, currency: str) -> bool:
    """Whether a cost is known. One without a currency is not, unless we put it down ourselves as reserved."""
    return bool(currency or cost)


def _verdict(verdict: Verdict) -> str:
    said = f"{verdict.by}:{verdict.side}:{verdict.category}:{verdict.severity}:{verdict.action}"
    return f"{said}:dry" if verdict.dry else said


def told(stored: Stored, names: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry by column; `names` says what keys and teams are called, by id."""
    entry = stored.entry
    row = dict.fromkeys(COLUMNS)
    row |= {_OUTSIDE.get(name, name): value for name, value in msgspec.structs.asdict(entry).items()}
    known = priced(entry.cost, entry.currency)
    row |= {
        "seq": stored.seq,
        "hash": stored.hash.hex(),
        "at": iso(entry.at),
        "key_name": names.get(entry.key, ""),
        "team_name": names.get(entry.team, ""),
        "cost_nano": entry.cost if known else None,
        "cost": show(entry.cost, "").strip() if known else None,
        "retention_days": entry.retention if entry.retention >= 0 else None,
        "redactions": tuple(f"{kind}={times}" for kind, times in entry.redactions),
        "verdicts": tuple(_verdict(verdict) for verdict in entry.verdicts),
    }
    return row
