"""What was used, for budgets to go on after a restart. Knows sums; refuses to know limits.

Requests count once a call (at its attempt 0), tokens and money at every attempt's outcome, whatever its purpose.
"""

from __future__ import annotations

from typing import NamedTuple

from freehold.ledger.entry import OUTCOME
from freehold.ledger.recover import open_intents
from freehold.ledger.seal import NOTE_REACHED
from freehold.store import Store

DAY = 86_400_000_000_000  # ns
STRIDE = 50_000  # entries summed in one transaction: the ledger waits for it, so it has to stay short

# Its first statement takes the row's lock, so two processes add an entry once (PostgreSQL reads the row anew after it).
ROLL = (
    ("UPDATE meta SET value = value WHERE name = 'spent'", [()]),
    (
        f"""INSERT INTO spent(key, team, day, currency, requests, tokens, cost)
        SELECT key, team, at / {DAY}, currency, SUM(CASE WHEN attempt = 0 THEN 1 ELSE 0 END), SUM(input + output),
        SUM(cost) FROM entry WHERE kind = {OUTCOME} AND seq <= ?
        AND seq > (SELECT value FROM meta WHERE name = 'spent')
        GROUP BY key, team, at / {DAY}, currency
        ON CONFLICT (key, team, day, currency) DO UPDATE SET requests = spent.requests + excluded.requests,
        tokens = spent.tokens + excluded.tokens, cost = spent.cost + excluded.cost""",
    ),
    ("UPDATE meta SET value = ? WHERE name = 'spent' AND value < ?",),
)

AFRESH = (("DELETE FROM spent", [()]), ("UPDATE meta SET value = 0 WHERE name = 'spent'", [()]))


class DayUse(NamedTuple):
    """What a key used on one UTC day, that begins at `at` (nanoseconds). `open_tokens` and `open_cost` are what calls
    without an outcome have reserved (`recover` turns those of dead processes into cost)."""

    key: str
    team: str
    at: int
    currency: str
    requests: int
    tokens: int
    cost: int  # nano-units of `currency`
    open_tokens: int = 0
    open_cost: int = 0


async def roll(store: Store) -> None:
    """Bring the sums by key and UTC day up to date: costs what is new since the last time. Raises StoreError."""
    done = int((await store.fetch("SELECT value FROM meta WHERE name = 'spent'"))[0][0])
    head = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    if done > head:  # the end was cut off: what comes next would count as summed already
        await store.write((NOTE_REACHED, [(done,)]), *AFRESH)
        done = 0
    while done < head:
        done = min(done + STRIDE, head)
        await store.write(ROLL[0], (ROLL[1][0], [(done,)]), (ROLL[2][0], [(done, done)]))


async def usage_since(store: Store, at_ns: int = 0) -> list[DayUse]:
    """Return use by key, team, UTC day and currency from the day of `at_ns` on; 0 gives all there ever was.

    Reservations of calls that are still open are on the day of their intent; such a row may have no use beside it, and
    an empty currency, as an intent has none yet. Raises StoreError.
    """
    # Open ones first: an outcome that comes in between is counted twice rather than not at all.
    open_now = await open_intents(store)
    await roll(store)
    rows = await store.fetch(
        "SELECT key, team, day, currency, requests, tokens, cost FROM spent WHERE day >= ? ORDER BY day, key, team",
        at_ns // DAY,
    )
    uses = [DayUse(key, team, day * DAY, *rest) for key, team, day, *rest in rows]
    waiting: dict[tuple[str, str, int], DayUse] = {}
    for intent in open_now:
        day = intent.at // DAY * DAY
        if day + DAY <= at_ns:
            continue
        who = (intent.key, intent.team, day)
        known = waiting.get(who) or DayUse(*who, "", 0, 0, 0)
        waiting[who] = known._replace(
            requests=known.requests + (intent.attempt == 0),
            open_tokens=known.open_tokens + intent.reserved_tokens,
            open_cost=known.open_cost + intent.reserved,
        )
    return uses + list(waiting.values())
