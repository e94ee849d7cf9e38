"""The frozen tables in force: routes, providers, keys, prices. Replaced whole, never changed."""

from __future__ import annotations

import msgspec

from freehold.access import KeyRing
from freehold.contracts import Price, PriceBook
from freehold.contracts.binding import Bonds
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register
from freehold.guards.policy import Policies
from freehold.providers import Provider
from freehold.routing import Deployment, Table


class Snapshot(msgspec.Struct, frozen=True):
    """What a call is served by. `hash` names it on every Entry; `prices` holds deployments' own prices, `bonds` what
    contracts and the organisation's rules mean for each of them."""

    table: Table
    providers: dict[str, Provider]
    keys: KeyRing
    book: PriceBook
    prices: dict[str, Price]
    hash: str
    register: Register = Register()
    organisation: Organisation = Organisation()
    bonds: Bonds = Bonds()
    policies: Policies = Policies()

    def price(self, deployment: Deployment, sent: str, at: int, tier: str = "") -> Price | None:
        """Return the price of `sent` at `deployment` at time `at` (ns), in the vendor's service tier `tier`: the
        contract's, the deployment's own, or the list price. None when nobody told us one."""
        price = self.bonds.price(deployment, sent, at, tier) or self.prices.get(deployment.name)
        return price if price is not None else self.book.find(deployment.seller, sent, at)
