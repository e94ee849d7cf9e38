"""A small ledger for tests of what is owed: outcomes that are written down as they are, on given days, and contracts
from a few lines of TOML. Knows no figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from itertools import count
from typing import Any

from freehold.contracts import Register
from freehold.contracts.register import Version, read
from freehold.core.call import Purpose
from freehold.exits.stretches import begin
from freehold.ledger import Entry, Ledger, reliance, traffic
from freehold.store import Store

_number = count(1)
MILLION = 1_000_000
DOLLAR = 1_000_000_000


def call(
    day: str,
    cost: float | str = 0,
    *,
    deployment: str = "gpt",
    contract: str = "ms",
    purpose: Purpose = "serve",
    **more: Any,
) -> Entry:
    """An outcome on a day, at a cost in dollars."""
    given: dict[str, Any] = {
        "team": "t1", "key": "k1", "asked": "assistant", "sent": "gpt-4o", "maker": "openai", "seller": "microsoft",
        "host": "microsoft", "input": 800, "output": 200, "currency": "USD", "contract": contract,
    }  # fmt: skip
    at = begin(date.fromisoformat(day)) + 3_600_000_000_000
    nano = round(float(cost) * DOLLAR)
    given |= more
    return Entry("outcome", f"c{next(_number)}", 0, purpose, at, cost=nano, deployment=deployment, **given)


async def written(store: Store, entries: Sequence[Entry]) -> None:
    """Write entries and bring the sums up to date."""
    ledger = Ledger(store)
    await asyncio.gather(*(ledger.note_admin(entry) for entry in entries))
    await ledger.close()
    await reliance.roll(store, 60)
    await traffic.roll(store, 60)


def contract(
    id: str = "ms",
    more: str = "",
    *,
    top: str = "",
    start: str = "2026-01-01",
    term: str = "",
    kind: str = "hosted-model",
    supplier: str = "microsoft",
    party: str = "",
) -> Version:
    """A contract with a supplier; `top` stands before its tables, `more` after them, `party` and `term` in theirs."""
    text = (
        f'schema = "freehold.contract/1"\nid = "{id}"\nkind = "{kind}"\n{top}\n'
        f'[party]\nsupplier = "{supplier}"\n{party}\n[term]\nstart = {start}\n{term}\n{more}\n'
    )
    return Version.of(read(text, f"{id}.toml"), f"{id}.toml")


def register(*versions: Version) -> Register:
    return Register(versions)
