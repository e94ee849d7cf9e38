"""The ledger: what left the house, to whom, at what cost, sealed in a chain. Refuses to know HTTP."""

from __future__ import annotations

from freehold.ledger.append import Ledger, replay
from freehold.ledger.bodies import Body, Kept, erase
from freehold.ledger.columns import told
from freehold.ledger.entry import Entry, Verdict
from freehold.ledger.query import Query, Stored, Total, entries, known, totals
from freehold.ledger.recover import recover
from freehold.ledger.seal import Mark, Proof, verify
from freehold.ledger.spent import DayUse, usage_since

__all__ = [
    "Body",
    "DayUse",
    "Entry",
    "Kept",
    "Ledger",
    "Mark",
    "Proof",
    "Query",
    "Stored",
    "Total",
    "Verdict",
    "entries",
    "erase",
    "known",
    "recover",
    "replay",
    "told",
    "totals",
    "usage_since",
    "verify",
]
