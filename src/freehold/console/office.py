"""What every endpoint of the console works with: the pipeline, the store, the processes around, and the record of what
an administrator did. Refuses to know HTTP and any endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from freehold.access import Limit, Member, SharedMeter, Standing, StoreMeter, members
from freehold.console.audit import note
from freehold.core.errors import ConfigError
from freehold.guards.vault import Vault
from freehold.pipeline import Pipeline
from freehold.store import Store

_AT_ONCE = 500


class Control(Protocol):
    """What the console asks of the processes around it."""

    async def state(self) -> dict[str, Any]:
        """The state of workers and engines, as `freehold status` shows it."""

    async def order(self, name: str, /, **about: Any) -> Any:
        """Have the owner of engines and configuration do something: app/orders.py has the table. Raises what it
        raises."""


class Office(msgspec.Struct, frozen=True):
    """Handed to every group of endpoints."""

    pipeline: Pipeline
    store: Store
    control: Control
    default_limits: Callable[[], Sequence[str]]  # of keys that are made without their own, as they are in force now
    vault: Vault | None = None

    async def note(self, who: Member, act: str, **about: Any) -> None:
        """Put what an administrator did on the ledger; returns when it is durable. Raises StoreError."""
        await note(self.pipeline.ledger, act, who, **about)

    async def names(self, ids: Iterable[str] | None = None) -> dict[str, str]:
        """Return what keys and teams are called, by id; a member's key by who that is. Without `ids`: all of them."""
        keys = "SELECT key.id, COALESCE(member.display, key.name) FROM key LEFT JOIN member ON member.key = key.id"
        teams = "SELECT team.id, team.name FROM team"
        if ids is None:
            return dict([*await self.store.fetch(keys), *await self.store.fetch(teams)])
        found: dict[str, str] = {}
        asked = sorted(set(ids))
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            found |= dict(await self.store.fetch(f"{keys} WHERE key.id IN ({marks})", *some))
            found |= dict(await self.store.fetch(f"{teams} WHERE team.id IN ({marks})", *some))
        return found

    async def people(self) -> dict[str, Member]:
        """Return the members by the ids of their keys."""
        return {member.key: member for member in await members.list_members(self.store)}

    async def standing(self, limit: Limit) -> Standing | None:
        """Return how far a limit is used now; None where nothing counts."""
        meter = self.pipeline.meter
        if isinstance(meter, SharedMeter):
            try:
                return meter.usage(limit)
            except ConfigError:  # its memory has no room for this limit, so nothing is let through under it
                return None
        return await meter.usage(limit) if isinstance(meter, StoreMeter) else None
