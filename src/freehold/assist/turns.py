"""What a member does in a conversation: asks, edits, asks again, goes on, stops, decides about tools; and the queue.
Knows who may go when, in one transaction each; refuses to know how answers are made.

Every turn goes through the queue: it is written down as `queued`, and taken out in the same transaction when nothing
runs. When an answer ends as `done` or `interrupted`, the next turn goes; one that was stopped or failed holds the queue
until the member does something: what was to follow may make no sense any more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from freehold.access import Member, members
from freehold.assist import models, tree, wording
from freehold.assist.answering import Kit, Task
from freehold.assist.conversations import Conversations, indexed, inserted
from freehold.assist.events import Hub
from freehold.assist.runs import Runs, unsettled
from freehold.assist.shapes import MS, Conversation, Message, Text, ToolPart, Wanted, pack
from freehold.assist.sources import background
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, FreeholdError, NotFound, StoreError
from freehold.core.ids import new_id
from freehold.store import CONFLICT
from freehold.store.base import Step

log = logging.getLogger("freehold.assist")

SIDE_BY_SIDE = 4
AT_ONCE = 8
"""Answers of one conversation that may be made at a time."""
TITLE_CHARS = 60
TEXT_CHARS = 4_000_000
"""Characters of a question: every look at the conversation carries them, and more belongs in a file."""
QUEUED = 50
"""Turns that may wait in one conversation."""

_LOCK = "UPDATE conversation SET updated_at = ? WHERE id = ?"
_RUN = (
    "INSERT INTO run(message, conversation, member, holder, beat_at) SELECT CAST(? AS TEXT), CAST(? AS TEXT), "
    "CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT) WHERE "
)
_IDLE = (
    "EXISTS (SELECT 1 FROM message WHERE id = ? AND state = 'queued') AND NOT EXISTS (SELECT 1 FROM run WHERE "
    "conversation = ? AND message NOT IN (?, ?, ?, ?)) AND NOT EXISTS (SELECT 1 FROM message WHERE id = ? AND state IN "
    "('waiting', 'running'))"
)
_ROOM = "(SELECT COUNT(*) FROM run WHERE conversation = ?) < ? AND EXISTS (SELECT 1 FROM conversation WHERE id = ?)"
_LOST = "DELETE FROM message WHERE id = ? AND NOT EXISTS (SELECT 1 FROM conversation WHERE id = ?)"
"""For a question to a conversation that is deleted at the same moment."""
_OVER = (
    "DELETE FROM message WHERE id = ? AND state = 'queued' AND "
    "(SELECT COUNT(*) FROM message WHERE conversation = ? AND state = 'queued') > ?"
)
_ORPHAN = "DELETE FROM message WHERE id = ? AND NOT EXISTS (SELECT 1 FROM run WHERE message = ?)"
_SHOW = (
    "UPDATE conversation SET leaf = ?, models = ?, title = CASE WHEN title = '' THEN ? ELSE title END, updated_at = ? "
    "WHERE id = ? AND EXISTS (SELECT 1 FROM run WHERE message = ?)"
)
_SENT = (
    "UPDATE message SET state = 'done', wanted = NULL, parent = ?, created_at = ?, updated_at = ? WHERE id = ? AND "
    "state = 'queued' AND EXISTS (SELECT 1 FROM run WHERE message = ?)"
)


_HOLDING = ("stopped", "failed", "waiting")
"""States of the answer shown in which the queue does not go on by itself."""


class Turn(msgspec.Struct, forbid_unknown_fields=True):
    """A question. `id` is made by the client: a turn that is sent twice is one. `replace` is a question that this one
    is another version of."""

    text: str
    models: list[str]
    parent: str | None = None
    files: list[str] = []
    id: str = ""
    replace: str | None = None


class Posted(msgspec.Struct):
    """The question and its answers, which are being made; or that it waits in the queue."""

    message: Message
    answers: list[Message]
    queued: bool


class Turns:
    """See the module."""

    def __init__(self, kit: Kit, hub: Hub, conversations: Conversations, runs: Runs) -> None:
        self._kit = kit
        self._hub = hub
        self._conversations = conversations
        self._runs = runs
        runs.ended = self.advance

    # -- questions --------------------------------------------------------------------------------------------------

    async def post(self, who: Member, id: str, turn: Turn) -> Posted:
        """Ask. Raises NotFound, Forbidden, BadRequest."""
        conversation = await self._conversations.find(who.id, id)
        made = _id(who.id, id, turn.id)
        if turn.id and (known := await self._known(who, made)) is not None:
            return known
        await self._check_models(who, conversation, turn.models)
        parent = await self._parent(who, id, turn)
        text = wording.text(turn.text, TEXT_CHARS, "text")
        parts: list[Any] = [Text(text)] if text.strip() else []
        parts += await self._conversations.files(who.id, turn.files)
        if not parts:
            raise BadRequest("There is nothing to ask.", param="text", hint="write something, or add a file")
        queue = await self._conversations.queue(id)
        if len(queue) >= QUEUED:
            raise _full()
        at = now_ns()
        question = Message(made, id, parent, "user", parts, "queued", created_at=at // MS)
        wanted = Wanted(turn.models, fixed=turn.replace is not None)
        first = [inserted(question, at, wanted)]
        answers: list[Message] = []
        try:
            if queue and not await self._held(conversation):  # the others came before, also while none is answered yet
                await self._kit.store.write((_LOCK, [(at, id)]), *first)
                self._runs.later(self.advance(who.id, id))
            else:
                answers = await self._send(who, conversation, question, wanted, first)
        except StoreError as e:
            if e.code == CONFLICT and turn.id and (known := await self._known(who, made)) is not None:
                return known
            raise
        if not answers:
            await self._bound(question)
            await self.tell_queue(id)
        return Posted(question, answers, not answers)

    async def _bound(self, question: Message) -> None:
        """Many may have been added at one moment, each when there was room. Raises BadRequest."""
        id = question.conversation
        over = (_OVER, [(question.id, id, QUEUED)])
        if await self._kit.store.write((_LOCK, [(now_ns(), id)]), over):
            raise _full()

    async def _known(self, who: Member, id: str) -> Posted | None:
        """Return what came of a turn that was posted before."""
        try:
            question = await self._conversations.message(who.id, id)
        except NotFound:
            return None
        messages, _ = await self._conversations.messages(question.conversation)
        answers = [self._now(m) for m in messages if m.parent == id and m.role == "assistant"]
        return Posted(question, answers, question.state == "queued")

    def _now(self, message: Message) -> Message:
        live = self._runs.here(message.id)
        return live.message if live is not None else message

    async def _parent(self, who: Member, conversation: str, turn: Turn) -> str | None:
        parent = turn.parent
        if turn.replace is not None:
            replaced = await self._conversations.message(who.id, turn.replace)
            if replaced.conversation != conversation or replaced.role != "user" or replaced.state == "queued":
                raise BadRequest("Only a question that was sent can be edited so.", param="replace", hint="see the API")
            parent = replaced.parent
        if parent is not None:
            found = await self._conversations.message(who.id, parent)
            if found.conversation != conversation or found.state == "queued":
                raise BadRequest("The message that this follows is not here.", param="parent", hint="load it again")
        return parent

    async def _check_models(self, who: Member, conversation: Conversation, names: Sequence[str]) -> None:
        if not 1 <= len(names) <= SIDE_BY_SIDE or len(set(names)) != len(names):
            raise BadRequest(f"1 to {SIDE_BY_SIDE} different models answer.", param="models", hint="name them")
        key = await models.key_of(self._kit.pipeline, who)
        allowed = (await background(self._kit.store, who, conversation)).models
        for name in names:
            models.find(self._kit.pipeline.snapshot, key, name, allowed)

    async def _send(
        self, who: Member, conversation: Conversation, question: Message, wanted: Wanted, first: Sequence[Step] = ()
    ) -> list[Message]:
        """Take a question out of the queue and begin its answers, if nothing runs; else return none. `first` are steps
        of the same transaction."""
        at, id = now_ns(), conversation.id
        answers = _answers(question, wanted.models, at)
        names = [answer.id for answer in answers]
        padded = (*names, *[""] * SIDE_BY_SIDE)[:SIDE_BY_SIDE]
        idle = (question.id, id, *padded, question.parent)
        title = _title(question)
        changed = await self._kit.store.write(
            (_LOCK, [(at, id)]),
            *first,
            (_LOST, [(question.id, id)]),
            (_RUN + _IDLE, [(name, id, who.id, self._runs.holder, at, *idle) for name in names]),
            *(inserted(answer, at + 1 + n) for n, answer in enumerate(answers)),
            (_ORPHAN, [(name, name) for name in names]),
            (_SHOW, [(names[0], pack(wanted.models), title, at, id, names[0])]),
            *indexed(question, who.id),
            (_SENT, [(question.parent, at, at, question.id, names[0])]),
        )
        if not changed:
            return []
        question.state, question.created_at = "done", at // MS
        self._hub.publish(id, "message", {"message": question}, question.id)
        await self._begin(who, id, answers)
        await self.tell_queue(id)
        return answers

    async def _begin(self, who: Member, conversation: str, answers: Sequence[Message]) -> None:
        """Make answers whose runs are ours, and tell of them."""
        found = await self._conversations.find(who.id, conversation)
        messages, _ = await self._conversations.messages(conversation)
        by_id = tree.index(messages)
        for number, answer in enumerate(answers):
            self._hub.publish(conversation, "message", {"message": answer}, answer.id)
            branch = tree.branch(by_id, answer.parent)
            task = Task(who, [self._now(m) for m in branch], found, self._question_changed if not number else None)
            self._runs.begin(task, answer)
        self._hub.publish(conversation, "conversation", {"conversation": found})

    async def _question_changed(self, question: Message) -> None:
        sql = "UPDATE message SET parts = ?, updated_at = ? WHERE id = ?"
        await self._kit.store.write((sql, [(pack(question.parts), now_ns(), question.id)]))
        self._hub.publish(question.conversation, "message", {"message": question}, question.id)

    # -- answers ----------------------------------------------------------------------------------------------------

    async def answers(self, who: Member, id: str, names: list[str]) -> list[Message]:
        """Answer a question again, by one model or several."""
        question = await self._conversations.message(who.id, id)
        if question.role != "user" or question.state == "queued":
            raise BadRequest("Only a question that was sent can be answered again.", hint="see the API")
        conversation = await self._conversations.find(who.id, question.conversation)
        await self._check_models(who, conversation, names)
        at = now_ns()
        made = _answers(question, names, at)
        ids = [answer.id for answer in made]
        room = (conversation.id, AT_ONCE, conversation.id)
        changed = await self._kit.store.write(
            (_LOCK, [(at, conversation.id)]),
            (_RUN + _ROOM, [(name, conversation.id, who.id, self._runs.holder, at, *room) for name in ids]),
            *(inserted(answer, at + n) for n, answer in enumerate(made)),
            (_ORPHAN, [(name, name) for name in ids]),
            (_SHOW, [(ids[0], pack(names), "", at, conversation.id, ids[0])]),
            ("UPDATE run SET beat_at = ? WHERE message = ?", [(at, ids[0])]),
        )
        if not changed:
            raise BadRequest(
                f"{AT_ONCE} answers are being made in this conversation.", code="too_many_answers", hint="wait for one"
            )
        rows = await self._kit.store.fetch("SELECT message FROM run WHERE conversation = ?", conversation.id)
        held = {row[0] for row in rows}
        made = [answer for answer in made if answer.id in held]
        await self._begin(who, conversation.id, made)
        return made

    async def go_on(self, who: Member, id: str) -> Message:
        """Go on with an answer that was cut, stopped, interrupted or broke off."""
        message = await self._answer(who, id)
        if message.state not in ("stopped", "interrupted", "failed") and not message.cut:
            raise BadRequest("This answer is complete.", code="not_cut", hint="ask for more in a new message")
        conversation = await self._conversations.find(who.id, message.conversation)
        await self._check_models(who, conversation, [message.model])
        unsettled(message)
        return await self._resume(who, message, "state IN ('stopped', 'interrupted', 'failed', 'done')", ())

    async def decide(self, who: Member, id: str, use: str, allow: str) -> Message:
        """Let a tool be used, once or always, or not. The answer goes on once all that it asked for is decided."""
        for _ in range(5):
            message = await self._answer(who, id)
            part = next((p for p in message.parts if isinstance(p, ToolPart) and p.id == use), None)
            if part is None:
                raise NotFound("There is no such use of a tool.", hint="load the conversation again")
            if message.state != "waiting" or part.state != "asked":
                raise BadRequest("This is decided already.", code="use_decided", hint="load the conversation again")
            part.state = "refused" if allow == "no" else "running"
            if allow == "always":
                await self._allow(who, part)
            n = message.n
            message.n += 1
            if any(isinstance(p, ToolPart) and p.state == "asked" for p in message.parts):
                sql = "UPDATE message SET parts = ?, n = ?, updated_at = ? WHERE id = ? AND n = ? AND state = 'waiting'"
                changed = await self._kit.store.write(
                    (_LOCK, [(now_ns(), message.conversation)]),
                    (sql, [(pack(message.parts), message.n, now_ns(), id, n)]),
                )
                if changed:
                    self._hub.publish(message.conversation, "message", {"message": message}, id)
                    return message
            elif (resumed := await self._try_resume(who, message, "n = ? AND state = 'waiting'", (n,))) is not None:
                return resumed
        raise BadRequest(
            "Others decide about this answer, too.", code="use_decided", hint="load the conversation again"
        )

    async def _allow(self, who: Member, part: ToolPart) -> None:
        await self._kit.tools.allow(who, part.server, part.name, "always")

    async def _resume(self, who: Member, message: Message, condition: str, args: tuple[Any, ...]) -> Message:
        resumed = await self._try_resume(who, message, condition, args)
        if resumed is None:
            raise BadRequest("This answer is being made.", code="answer_running", hint="wait until it ends, or stop it")
        return resumed

    async def _try_resume(self, who: Member, message: Message, condition: str, args: tuple[Any, ...]) -> Message | None:
        at, id, conversation = now_ns(), message.id, message.conversation
        still = f"EXISTS (SELECT 1 FROM message WHERE id = ? AND {condition})"
        run = f"{still} AND NOT EXISTS (SELECT 1 FROM run WHERE message = ?)"
        message.state, message.error = "running", None
        changed = await self._kit.store.write(
            (_LOCK, [(at, conversation)]),
            (_RUN + run, [(id, conversation, who.id, self._runs.holder, at, id, *args, id)]),
            (
                "UPDATE message SET state = 'running', parts = ?, error = NULL, n = ?, updated_at = ? WHERE id = ? AND "
                "EXISTS (SELECT 1 FROM run WHERE message = ? AND holder = ? AND beat_at = ?)",
                [(pack(message.parts), message.n, at, id, id, self._runs.holder, at)],
            ),
        )
        if not changed:
            return None
        await self._begin(who, conversation, [message])
        return message

    async def stop(self, who: Member, id: str) -> Message:
        """Stop an answer, wherever it is made; return it as it then is."""
        message = await self._answer(who, id)
        if await self._runs.stop(id):
            return await self._conversations.message(who.id, id)
        if message.state == "waiting":
            unsettled(message)
            message.state, n = "stopped", message.n
            message.n += 1
            sql = "UPDATE message SET state = 'stopped', parts = ?, n = ?, updated_at = ? WHERE id = ? AND n = ? AND "
            row = (pack(message.parts), message.n, now_ns(), id, n)
            if await self._kit.store.write(
                (_LOCK, [(now_ns(), message.conversation)]), (f"{sql} state = 'waiting'", [row])
            ):
                self._hub.publish(message.conversation, "message", {"message": message}, id)
                await self.tell_queue(message.conversation)
                return message
        await self._kit.store.write(("UPDATE run SET orders = '[\"stop\"]' WHERE message = ?", [(id,)]))
        return await self._conversations.message(who.id, id)

    async def _answer(self, who: Member, id: str) -> Message:
        message = await self._conversations.message(who.id, id)
        if message.role != "assistant":
            raise BadRequest("This message is no answer.", hint="name an answer")
        return message

    # -- the queue --------------------------------------------------------------------------------------------------

    async def advance(self, member: str, conversation: str) -> None:
        """Send the next turn of the queue, if one waits and nothing holds it. Raises nothing."""
        try:
            queue = await self._conversations.queue(conversation)
            if not queue:
                return
            found = await self._conversations.find(member, conversation)
            if found.running or await self._held(found):
                await self.tell_queue(conversation)
                return
            who = await members.find(self._kit.store, member)
            await self._send_queued(who, found, queue[0])
        except FreeholdError as e:
            log.warning("a queued message is not sent", extra={"conversation": conversation, "why": e.message})

    async def _send_queued(self, who: Member, conversation: Conversation, question: Message) -> list[Message]:
        wanted = await self._conversations.wanted(question.id)
        if not wanted.fixed:
            question.parent = conversation.leaf
        return await self._send(who, conversation, question, wanted)

    async def send_now(self, who: Member, id: str) -> Posted:
        """Send a turn that is held."""
        question = await self._queued(who, id)
        conversation = await self._conversations.find(who.id, question.conversation)
        answers = await self._send_queued(who, conversation, question)
        return Posted(question, answers, not answers)

    async def edit(self, who: Member, id: str, text: str) -> Message:
        """Change the words of a turn that waits."""
        question = await self._queued(who, id)
        if not text.strip():
            raise BadRequest("There is nothing to ask.", param="text", hint="write something, or delete the message")
        rest = [part for part in question.parts if not isinstance(part, Text)]
        question.parts = [Text(wording.text(text, TEXT_CHARS, "text")), *rest]
        sql = "UPDATE message SET parts = ?, updated_at = ? WHERE id = ? AND state = 'queued'"
        changed = await self._kit.store.write(
            (_LOCK, [(now_ns(), question.conversation)]), (sql, [(pack(question.parts), now_ns(), id)])
        )
        if not changed:
            raise _sent()
        await self.tell_queue(question.conversation)
        return question

    async def remove(self, who: Member, id: str) -> None:
        """Take a turn out of the queue."""
        question = await self._queued(who, id)
        changed = await self._kit.store.write(
            (_LOCK, [(now_ns(), question.conversation)]),
            ("DELETE FROM message WHERE id = ? AND state = 'queued'", [(id,)]),
        )
        if not changed:
            raise _sent()
        self._hub.publish(question.conversation, "removed", {"id": id})
        await self.tell_queue(question.conversation)

    async def _queued(self, who: Member, id: str) -> Message:
        question = await self._conversations.message(who.id, id)
        if question.state != "queued":
            raise _sent()
        return question

    async def _held(self, conversation: Conversation) -> bool:
        if conversation.leaf is None:
            return False
        rows = await self._kit.store.fetch("SELECT state FROM message WHERE id = ?", conversation.leaf)
        return bool(rows) and rows[0][0] in _HOLDING

    async def queue(self, conversation: Conversation) -> dict[str, Any]:
        """Return the queue, and whether it waits for the member to do something."""
        queue = await self._conversations.queue(conversation.id)
        held = bool(queue) and not conversation.running and await self._held(conversation)
        return {"queue": queue, "held": held}

    async def tell_queue(self, conversation: str) -> None:
        """Tell who follows how the queue stands."""
        with suppress(NotFound):  # deleted at this moment
            member = await self._conversations.member(conversation)
            found = await self._conversations.find(member, conversation)
            self._hub.publish(conversation, "queue", await self.queue(found))

    async def resume_all(self) -> None:
        """Send what waits since the server went down. Raises StoreError."""
        rows = await self._kit.store.fetch(
            "SELECT DISTINCT c.member, c.id FROM message m JOIN conversation c ON c.id = m.conversation "
            "WHERE m.state = 'queued'"
        )
        for member, conversation in rows:
            await self.advance(member, conversation)


def holds(messages: Sequence[Message], leaf: str | None) -> bool:
    """Whether the answer that is shown holds the queue."""
    return any(message.id == leaf and message.state in _HOLDING for message in messages)


def _id(member: str, conversation: str, client: str) -> str:
    """Return the message's id: what a client calls its turn makes the same one each time."""
    if not client:
        return new_id("msg")
    return f"msg_{hashlib.sha256(f'{member} {conversation} {client}'.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _answers(question: Message, names: Sequence[str], at: int) -> list[Message]:
    group = new_id("side") if len(names) > 1 else None
    return [
        Message(
            new_id("msg"), question.conversation, question.id, "assistant", [], "running", name, group,
            created_at=at // MS,
        )
        for name in names
    ]  # fmt: skip


def _title(question: Message) -> str:
    """Return the first words of a question, or the name of its first file."""
    words = " ".join(question.text.split())
    if not words:
        words = next((part.name for part in question.parts if not isinstance(part, Text) and hasattr(part, "name")), "")
    if len(words) <= TITLE_CHARS:
        return words
    cut = words[: TITLE_CHARS + 1].rpartition(" ")[0]
    return (cut if len(cut) > TITLE_CHARS // 2 else words[:TITLE_CHARS]) + "…"


def _full() -> BadRequest:
    return BadRequest(f"{QUEUED} messages wait already.", code="queue_full", hint="wait for the next answer")


def _sent() -> BadRequest:
    return BadRequest("This message is not in the queue.", code="not_queued", hint="load the conversation again")
