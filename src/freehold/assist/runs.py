"""Answers that are being made in this process: started, kept in the store as they grow, stopped, ended; and those of
processes that died. Refuses to know how an answer is made.

A run is a row that names its holder, with a beat. It is no part of any request: whoever asked may leave. What was
heard is in the store about three times a second and at the end, so that another process can show it, and a death loses
a third of a second. A run whose holder is dead (its process is gone, or its beat is old) ends as `interrupted`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from freehold.assist import holders, shapes
from freehold.assist.answering import Kit, Task, make
from freehold.assist.conversations import Conversations, indexed
from freehold.assist.events import Hub, Told
from freehold.assist.live import Live
from freehold.assist.shapes import Fault, Message, State, ToolPart, pack
from freehold.core.clock import now_ns
from freehold.core.errors import FreeholdError, NotFound, StoreError, Unauthenticated
from freehold.store.base import Step

log = logging.getLogger("freehold.assist")

TICK = 0.3
"""Seconds between two copies into the store."""
BEAT = 2.0
LEASE = 12.0
"""Seconds after which a run without a beat is given up, where it cannot be told that its holder is dead."""
SWEEP = 1.5
TRIES = 6
"""How often the end of an answer is written again when the store fails."""

_LOST = "This use was interrupted. Whether it had an effect is not known."
_HELD = "EXISTS (SELECT 1 FROM run WHERE message = ? AND holder = ?)"
# Whoever writes an answer takes first its conversation's row (who needs it), then its run's, then the answer's: nobody
# waits for another in a ring, and a condition about the run is read by a statement that begins once the run is taken.
# On PostgreSQL one that waited within it would be true of a run that ended meanwhile.
_TOUCH = "UPDATE conversation SET updated_at = ? WHERE id = ?"
_TAKE = "UPDATE run SET beat_at = ? WHERE message = ? AND holder = ?"

Ended = Callable[[str, str], Coroutine[Any, Any, None]]
"""Called with member and conversation when an answer has ended and the next turn may go."""


class Running(msgspec.Struct):
    """An answer in the making. `ending` is what it becomes when it is cancelled; `begun` says that its task took its
    first step, before which a cancellation would end it with nothing done."""

    live: Live
    member: str
    key: str
    task: asyncio.Task[None]
    ending: State = "interrupted"
    lost: bool = False
    closing: bool = False
    begun: bool = False


def unsettled(message: Message, asked: bool = True) -> None:
    """End the uses of tools that an answer leaves behind, which is not going on by itself."""
    for part in message.parts:
        if isinstance(part, ToolPart) and part.state == "running":
            part.state, part.result = "failed", _LOST
        elif asked and isinstance(part, ToolPart) and part.state == "asked":
            part.state = "refused"


class Runs:
    """See the module. `ended` is set by whoever keeps the queue."""

    ended: Ended

    def __init__(self, kit: Kit, hub: Hub, conversations: Conversations, holder: str) -> None:
        self._kit = kit
        self._hub = hub
        self._conversations = conversations
        self.holder = f"{holder}@{holders.mark()}"
        self._running: dict[str, Running] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._after: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        """Begin to keep what grows, and to look for what the dead left."""
        self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._sweep())]

    def here(self, message: str) -> Live | None:
        """Return the answer if it is being made in this process."""
        running = self._running.get(message)
        return running.live if running is not None else None

    def live(self, conversation: str) -> list[Message]:
        """Return the answers of a conversation that are being made here, as they are now."""
        found = [r.live for r in self._running.values() if r.live.message.conversation == conversation]
        for live in found:
            live.flush()
        return [live.message for live in found]

    def begin(self, task: Task, message: Message) -> None:
        """Make the answer `message`, whose run this process holds by now."""
        conversation = message.conversation

        def tell(name: str, data: Any) -> None:
            self._hub.publish(conversation, name, data, message.id)

        live = Live(message, tell)
        work = asyncio.create_task(self._work(task, live))
        self._running[message.id] = Running(live, task.who.id, task.who.key, work)  # before `work` takes its first step

    async def stop(self, message: str) -> bool:
        """Stop an answer that is made here, and wait until that is on record; False when it is not made here."""
        running = self._running.get(message)
        if running is None:
            return False
        self._cancel(running, "stopped")
        with suppress(asyncio.CancelledError):
            await asyncio.shield(asyncio.wait([running.task]))
        return True

    async def close(self) -> None:
        """End all answers as interrupted, with what they have."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        running = list(self._running.values())
        for each in running:
            self._cancel(each, "interrupted")
        await asyncio.gather(*self._tasks, *(r.task for r in running), return_exceptions=True)
        for after in list(self._after):
            after.cancel()
        await asyncio.gather(*self._after, return_exceptions=True)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work)
        self._after.add(task)
        task.add_done_callback(self._after.discard)

    def _cancel(self, running: Running, ending: State) -> None:
        if not running.closing:
            running.closing = True
            running.ending = ending
            if running.begun:
                running.task.cancel()

    async def _work(self, task: Task, live: Live) -> None:
        message = live.message
        running = self._running[message.id]
        running.begun = True
        end: State = "failed"
        try:
            end = running.ending if running.closing else await make(self._kit, task, live)
        except asyncio.CancelledError:
            end = running.ending
        except FreeholdError as e:
            message.error = Fault(e.code, e.sentences())
            self._kit.pipeline.metrics.count("freehold_calls_total", (("status", str(e.status)), ("error", e.code)))
        except Exception:
            log.exception("an answer failed", extra={"answer": message.id})
            message.error = Fault("internal_error", "Freehold failed to make this answer. Look for it in its log.")
        if end != "waiting":
            unsettled(message)
        running.closing = True
        try:
            await self._finish(running, end)
        finally:
            if self._running.get(message.id) is running:  # else whoever heard of the end goes on with it already
                del self._running[message.id]
        if not running.lost and message.state in ("done", "interrupted") and not self._closed:
            self.later(self.ended(running.member, message.conversation))

    async def _finish(self, running: Running, end: State) -> None:
        """Put the end on record and tell it. When the store fails for long, the run is found later without its end."""
        live = running.live
        message = live.message
        live.flush()
        message.n += 1
        at, held = now_ns(), (message.id, self.holder)
        steps: list[Step] = [
            (_TOUCH, [(at, message.conversation)]),
            (_TAKE, [(at, *held)]),
            self._copy(message, end),
            *indexed(message, running.member),
            ("DELETE FROM run WHERE message = ? AND holder = ?", [held]),
        ]
        if running.lost:
            return
        for attempt in range(TRIES):
            try:
                if await self._kit.store.write(*steps) == 0:
                    running.lost = True
                    return
                break
            except StoreError as e:
                log.error("the end of an answer is not on record", extra={"answer": message.id, "why": str(e)})
                if attempt + 1 == TRIES or self._closed:
                    return
                await asyncio.sleep(0.5 * 2**attempt)
        message.state = end  # not before it is on record
        self._hub.publish(message.conversation, "message", {"message": message}, message.id)
        await self.tell_conversation(running.member, message.conversation)

    def _copy(self, message: Message, state: State) -> Step:
        values = (
            pack(message.parts), state, pack(message.facts), pack(message.error), message.n, int(message.cut),
            now_ns(), message.id, message.id, self.holder,
        )  # fmt: skip
        columns = "parts = ?, state = ?, facts = ?, error = ?, n = ?, cut = ?, updated_at = ?"
        return f"UPDATE message SET {columns} WHERE id = ? AND {_HELD}", [values]

    async def tell_conversation(self, member: str, conversation: str) -> None:
        """Tell who follows how the conversation stands."""
        with suppress(StoreError, NotFound):
            found = await self._conversations.find(member, conversation)
            self._hub.publish(conversation, "conversation", {"conversation": found})

    async def _keep(self) -> None:
        """Copy what grew, show that we live, and hear what other processes order."""
        beat = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK)
            running = [each for each in self._running.values() if not each.closing]
            if not running:
                continue
            at, grown = now_ns(), []
            for each in running:
                each.live.flush()
                if each.live.dirty:
                    each.live.dirty = False
                    grown.append(each.live.message)
            steps: list[Step] = [(_TAKE, [(at, message.id, self.holder) for message in grown])] if grown else []
            if loop.time() - beat > BEAT:
                beat = loop.time()
                self._leave_the_disabled(running)
                steps = [("UPDATE run SET beat_at = ? WHERE holder = ?", [(at, self.holder)])]
            steps += [self._copy(message, "running") for message in grown]
            try:
                if steps:
                    await self._kit.store.write(*steps, durable=False)
                rows = await self._kit.store.fetch("SELECT message, orders FROM run WHERE holder = ?", self.holder)
            except Exception as e:  # whatever it is, the next copy may go well
                shown = None if isinstance(e, StoreError) else e
                log.warning("what was heard is not in the store yet", extra={"why": str(e)}, exc_info=shown)
                for each in running:
                    each.live.dirty = True
                continue
            self._obey(running, dict(rows))

    def _leave_the_disabled(self, running: list[Running]) -> None:
        """Stop what is made for members whose key has ended meanwhile."""
        for each in running:
            try:
                self._kit.pipeline.snapshot.keys.by_id(each.key)
            except Unauthenticated:
                self._cancel(each, "stopped")

    def _obey(self, running: list[Running], orders: dict[str, str]) -> None:
        for each in running:
            order = orders.get(each.live.message.id)
            if each.closing:  # its run may be gone because its end is on record by now
                continue
            if order is None:  # somebody took us for dead, or the conversation was deleted
                each.lost = True
                self._cancel(each, "interrupted")
            elif "stop" in order:
                self._cancel(each, "stopped")

    async def _sweep(self) -> None:
        while True:
            try:
                await self.recover()
            except StoreError as e:
                log.warning("the runs of the dead cannot be looked for now", extra={"why": str(e)})
            except Exception:  # whatever it is, the next look may go well
                log.exception("the runs of the dead were not looked for")
            self._hub.tidy()
            await asyncio.sleep(SWEEP)

    async def recover(self) -> None:
        """End the runs of holders that are dead. Raises StoreError."""
        limit = now_ns() - int(LEASE * 1e9)
        rows = await self._kit.store.fetch(
            "SELECT message, conversation, member, holder, beat_at FROM run WHERE holder <> ?", self.holder
        )
        gone: dict[str, bool] = {}
        for message, conversation, member, holder, beat_at in rows:
            if holder not in gone:
                gone[holder] = holders.dead(holder)
            if gone[holder] or beat_at < limit:
                await self._interrupt(message, conversation, member, holder, beat_at)

    async def _interrupt(self, id: str, conversation: str, member: str, holder: str, beat_at: int) -> None:
        rows = await self._kit.store.fetch(f"SELECT {shapes.MESSAGE} FROM message WHERE id = ?", id)
        steps: list[Step] = []
        message: Message | None = None
        if rows:
            message = shapes.message(rows[0])
            message.state = "interrupted"
            message.n += 1
            unsettled(message)
            steps = [
                (_TOUCH, [(now_ns(), conversation)]),
                (f"{_TAKE} AND beat_at = ?", [(beat_at, id, holder, beat_at)]),
                (
                    "UPDATE message SET parts = ?, state = 'interrupted', n = ?, updated_at = ? WHERE id = ? AND "
                    "EXISTS (SELECT 1 FROM run WHERE message = ? AND holder = ? AND beat_at = ?)",
                    [(pack(message.parts), message.n, now_ns(), id, id, holder, beat_at)],
                ),
                *indexed(message, member),
            ]
        steps.append(("DELETE FROM run WHERE message = ? AND holder = ? AND beat_at = ?", [(id, holder, beat_at)]))
        if await self._kit.store.write(*steps) and message is not None:
            log.warning("an answer was interrupted: its process is gone", extra={"answer": id})
            self._hub.publish(conversation, "message", {"message": message}, id)
            await self.tell_conversation(member, conversation)
            self.later(self.ended(member, conversation))


def summary(messages: list[Message], live: list[Message]) -> list[Told]:
    """Return the events that say how messages stand, those that are made here as they are now."""
    now = {message.id: message for message in live}
    shown = {message.id: now.get(message.id, message) for message in messages} | now
    return [("message", {"message": message}) for message in shown.values()]
