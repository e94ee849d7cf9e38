"""What this worker has seen of each deployment: its circuit, and the attempts under way (the bulkhead)."""

from __future__ import annotations

from collections.abc import Iterable

from freehold.core.clock import tick
from freehold.core.errors import Unroutable
from freehold.routing import Breaker, BreakerSettings, Deployment


class Health:
    """Circuit breakers and bulkheads by deployment name. They outlive a Snapshot: a reload forgives nobody."""

    def __init__(self, settings: BreakerSettings, vendor_inflight: int) -> None:
        self._settings = settings
        self._vendor_limit = vendor_inflight
        self._breakers: dict[str, Breaker] = {}
        self._inflight: dict[str, int] = {}
        self._by_seller: dict[str, int] = {}

    def breaker(self, name: str) -> Breaker:
        found = self._breakers.get(name)
        if found is None:
            found = self._breakers[name] = Breaker(self._settings)
        return found

    def allows(self, name: str) -> bool:
        breaker = self._breakers.get(name)
        return breaker is None or not breaker.until or breaker.allows(tick())

    def keep(self, names: Iterable[str]) -> None:
        """Forget deployments that are no longer configured."""
        known = set(names)
        for gone in self._breakers.keys() - known:
            del self._breakers[gone]

    def enter(self, deployment: Deployment) -> tuple[Breaker, int]:
        """Count an attempt in; return the circuit and the attempt's number for it. Raises Unroutable when the circuit
        is open, or the deployment's or its seller's bulkhead is full."""
        name = deployment.name
        seller = deployment.seller or name  # who is not told whose they are do not share a bulkhead
        breaker = self._breakers.get(name) or self.breaker(name)
        if breaker.until:
            self._require_closed(name, breaker)
        inflight = self._inflight.get(name, 0)
        of_seller = self._by_seller.get(seller, 0)
        most = deployment.max_inflight
        if (most and inflight >= most) or of_seller >= self._vendor_limit:
            raise Unroutable(
                f"Too many calls are under way to `{name}`.",
                code="bulkhead_full",
                retry_after=1.0,
                hint="try again shortly, or raise max_inflight of the deployment or server.vendor_inflight",
            )
        self._inflight[name] = inflight + 1
        self._by_seller[seller] = of_seller + 1
        return breaker, breaker.began(tick()) if breaker.until else 0

    def _require_closed(self, name: str, breaker: Breaker) -> None:
        wait = breaker.wait(tick())
        if wait:
            raise Unroutable(
                f"`{name}` has failed too often and is left alone for a while.",
                code="circuit_open",
                retry_after=wait,
                hint="try again later, or give the route a fallback",
            )

    def leave(self, deployment: Deployment) -> None:
        self._inflight[deployment.name] -= 1
        self._by_seller[deployment.seller or deployment.name] -= 1

    def report(self) -> list[tuple[str, str, int]]:
        """Return (deployment, circuit state, attempts under way) for each deployment that was ever tried."""
        now = tick()
        return [(n, b.state(now), self._inflight.get(n, 0)) for n, b in sorted(self._breakers.items())]
