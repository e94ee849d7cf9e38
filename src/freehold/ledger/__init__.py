"""The ledger: what left the house, to whom, at what cost, sealed in a chain. Refuses to know HTTP."""

from __future__ import annotations

from freehold.ledger.append import Ledger, replay
from freehold.ledger.bodies import Body, Kept, erase
from freehold.ledger.entry import Entry
from freehold.ledger.seal import Mark, Verdict, verify

__all__ = ["Body", "Entry", "Kept", "Ledger", "Mark", "Verdict", "erase", "replay", "verify"]
