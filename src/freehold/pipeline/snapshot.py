"""The frozen tables in force: routes, providers, keys, prices. Replaced whole, never changed."""

from __future__ import annotations

import msgspec

from freehold.access import KeyRing
from freehold.contracts import Price, PriceBook
from freehold.providers import Provider
from freehold.routing import Deployment, Table


class Snapshot(msgspec.Struct, frozen=True):
    """What a call is served by. `hash` names it on every Entry; `prices` holds deployments' own prices."""

    table: Table
    providers: dict[str, Provider]
    keys: KeyRing
    book: PriceBook
    prices: dict[str, Price]
    hash: str

    def price(self, deployment: Deployment, sent: str, at: int) -> Price | None:
        """Return the price of `sent` at `deployment` at time `at` (ns); None when nobody told us one."""
        own = self.prices.get(deployment.name)
        return own if own is not None else self.book.find(deployment.seller, sent, at)
