"""Tells what other processes do in the conversations that are followed here. Knows the store; refuses to know runs.

It looks once a second, and four times a second where an answer is being made elsewhere: what grew since the last look
is told as the pieces that it is made of there, by their numbers, so that a client can go from one process to another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from freehold.assist import shapes
from freehold.assist.events import Hub
from freehold.assist.live import Delta
from freehold.assist.runs import Runs
from freehold.assist.shapes import Conversation, Message, Reasoning, Text
from freehold.core.clock import now_ns
from freehold.core.errors import StoreError
from freehold.store import Store

log = logging.getLogger("freehold.assist")

CALM, QUICK = 1.0, 0.25
"""Seconds between two looks, where nothing is known to happen and where something does."""
BACK = 3_000_000_000
"""Nanoseconds that a look goes back: clocks of hosts differ, and a commit is later than its time."""
AT_ONCE = 200


class _Known(msgspec.Struct):
    conversation: Conversation
    since: int
    foreign: dict[str, Message] = {}  # answers that are made elsewhere, as last told


class Following:
    """See the module. `queue` says how a conversation's queue stands."""

    def __init__(
        self, store: Store, hub: Hub, runs: Runs, queue: Callable[[Conversation], Awaitable[dict[str, Any]]]
    ) -> None:
        self._store = store
        self._hub = hub
        self._runs = runs
        self._queue = queue
        self._known: dict[str, _Known] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            pause = CALM
            try:
                if await self._look(self._hub.followed()):
                    pause = QUICK
            except Exception as e:  # whatever it is, the next look may go well
                shown = None if isinstance(e, StoreError) else e
                log.warning("conversations cannot be followed now", extra={"why": str(e)}, exc_info=shown)
            await asyncio.sleep(pause)

    async def _look(self, followed: Sequence[str]) -> bool:
        """Return whether answers are being made elsewhere."""
        for gone in self._known.keys() - set(followed):
            del self._known[gone]
        busy = False
        for start in range(0, len(followed), AT_ONCE):
            some = followed[start : start + AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = await self._store.fetch(
                f"SELECT {shapes.CONVERSATION} FROM conversation c WHERE c.id IN ({marks})", *some
            )
            runs = await self._store.fetch(
                f"SELECT message, conversation FROM run WHERE conversation IN ({marks})", *some
            )
            found = {row[0]: shapes.conversation(row) for row in rows}
            for id in some:
                if id not in found:
                    self._known.pop(id, None)
                    self._hub.removed(id)
                    continue
                foreign = {m for m, conversation in runs if conversation == id and self._runs.here(m) is None}
                await self._compare(found[id], foreign)
                busy = busy or bool(foreign)
        return busy

    async def _compare(self, now: Conversation, foreign: set[str]) -> None:
        known = self._known.get(now.id)
        if known is None:
            known = self._known[now.id] = _Known(now, now_ns() - BACK, {})
        ended = known.foreign.keys() - foreign
        if now.updated_at != known.conversation.updated_at or ended:
            since, known.since = known.since, now_ns() - BACK
            rows = await self._store.fetch(
                f"SELECT {shapes.MESSAGE} FROM message WHERE conversation = ? AND updated_at > ? AND state <> 'queued' "
                "ORDER BY created_at, id",
                now.id,
                since,
            )
            for message in map(shapes.message, rows):
                if message.id not in foreign and self._runs.here(message.id) is None:
                    self._hub.offer(now.id, "message", {"message": message}, message.id)
            self._hub.offer(now.id, "queue", await self._queue(now))
        for id in ended:
            del known.foreign[id]
        if now != known.conversation:
            known.conversation = now
            self._hub.offer(now.id, "conversation", {"conversation": now})
        if foreign:
            await self._grown(known, foreign)

    async def _grown(self, known: _Known, foreign: set[str]) -> None:
        marks = ", ".join("?" * len(foreign))
        rows = await self._store.fetch(f"SELECT {shapes.MESSAGE} FROM message WHERE id IN ({marks})", *foreign)
        for message in map(shapes.message, rows):
            before = known.foreign.get(message.id)
            known.foreign[message.id] = message
            deltas = grown(before, message) if before is not None else None
            if deltas is None:
                self._hub.offer(message.conversation, "message", {"message": message}, message.id)
                continue
            for delta in deltas:
                self._hub.publish(message.conversation, "delta", delta, message.id)


def grown(before: Message, after: Message) -> list[Delta] | None:
    """Return the pieces that make `after` of `before`, as many as their numbers say; None when it is more than growth,
    or not to be told in so many pieces."""
    if before.n == after.n:
        return [] if before == after else None
    same = (before.state, before.facts, before.error, before.cut) == (after.state, after.facts, after.error, after.cut)
    if not same or len(before.parts) > len(after.parts):
        return None
    pieces: list[tuple[type[Text] | type[Reasoning], str]] = []
    for number, part in enumerate(after.parts):
        old = before.parts[number] if number < len(before.parts) else None
        if part == old:
            continue
        if not isinstance(part, (Text, Reasoning)):
            return None
        form = type(part)
        if old is None:
            if any(isinstance(each, form) for each in after.parts[:number]):
                return None
            pieces.append((form, part.text))
        elif type(old) is form and part.text.startswith(old.text):
            if any(isinstance(each, form) for each in after.parts[number + 1 :]):
                return None
            pieces.append((form, part.text[len(old.text) :]))
        else:
            return None
    count = after.n - before.n
    if not pieces or count < len(pieces):
        return None
    return _cut(after.id, before.n, count, pieces)


def _cut(id: str, n: int, count: int, pieces: Sequence[tuple[Any, str]]) -> list[Delta]:
    """Cut the pieces so that there are `count` of them; the longest gets the most."""
    deltas: list[Delta] = []
    spare = count - len(pieces)
    longest = max(range(len(pieces)), key=lambda i: len(pieces[i][1]))
    for place, (form, text) in enumerate(pieces):
        parts = spare + 1 if place == longest else 1
        kind: Any = "text" if form is Text else "reasoning"
        for number in range(parts):
            n += 1
            start, end = len(text) * number // parts, len(text) * (number + 1) // parts
            deltas.append(Delta(id, n, kind, text[start:end]))
    return deltas
