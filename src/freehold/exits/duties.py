"""What contracts ask of us, seen against what the ledger says of use. Knows contracts and sums of use; refuses to
change either."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from freehold.contracts.deadlines import LOOKED_BACK
from freehold.contracts.finding import Case, Covered
from freehold.contracts.lint import Watch, watch
from freehold.contracts.organisation import Organisation
from freehold.contracts.pace import since
from freehold.contracts.register import Register
from freehold.exits.stretches import begin
from freehold.ledger import reliance
from freehold.ledger.ways import PATIENCE
from freehold.store import Store


class Duties(msgspec.Struct, frozen=True):
    """How contracts stand, with the entries that are summed so far: `done` of `head`."""

    watch: Watch
    done: int
    head: int


async def look(
    store: Store,
    register: Register,
    organisation: Organisation,
    deployments: Iterable[Covered],
    day: date,
    *,
    window: int = 90,
    seconds: float = PATIENCE,
) -> Duties:
    """Return how contracts stand on `day`, deadlines told `window` days ahead; entries that are new are summed for
    `seconds` at most. Raises StoreError."""
    done, head = await reliance.roll(store, seconds)
    first = min(since(register, day), day - timedelta(days=LOOKED_BACK))
    uses = await reliance.uses(store, begin(first), begin(day + timedelta(days=1)), by_day=True)
    case = Case(
        register=register,
        day=day,
        organisation=organisation,
        deployments=tuple(deployments),
        uses=tuple(uses),
        window=window,
    )
    return Duties(watch(case), done, head)
