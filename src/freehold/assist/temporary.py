"""Chats of which nothing is kept: no row, no text in the ledger's bodies, only the entry that says who saw how much.
Refuses to know the store's tables."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import msgspec

from freehold.access import Member
from freehold.assist import models
from freehold.assist.answering import Kit, Task, make
from freehold.assist.conversations import Conversations
from freehold.assist.events import HEARTBEAT
from freehold.assist.live import Live
from freehold.assist.shapes import MS, Fault, Message, Text
from freehold.assist.wording import sound
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, FreeholdError
from freehold.core.ids import new_id
from freehold.wire.api import SENT, EventStream, Request


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """A message of a temporary chat, as its page keeps it. `files` are ids of files that were added."""

    role: Literal["user", "assistant"]
    text: str = ""
    files: list[str] = []


class Temporary(msgspec.Struct, forbid_unknown_fields=True):
    """All that was said, the question last, and the model to answer it."""

    messages: list[Said]
    models: list[str]


async def answer(kit: Kit, conversations: Conversations, request: Request[Member]) -> Any:
    """Answer as events on the request itself. Who leaves ends it."""
    who, said = request.who, request.body
    if len(said.models) != 1:
        raise BadRequest("One model answers a temporary chat.", param="models", hint="name one")
    if not said.messages or said.messages[-1].role != "user":
        raise BadRequest("The last message has to be a question.", param="messages", hint="put the question last")
    key = await models.key_of(kit.pipeline, who)
    models.find(kit.pipeline.snapshot, key, said.models[0])
    now = now_ns() // MS
    branch: list[Message] = []
    for one in said.messages:
        parts: list[Any] = [Text(sound(one.text))] if one.text else []
        parts += await conversations.files(who.id, one.files)
        parent = branch[-1].id if branch else None
        branch.append(Message(new_id("msg"), "", parent, one.role, parts, "done", created_at=now))
    if not branch[-1].parts:
        raise BadRequest("There is nothing to ask.", param="messages", hint="write something")
    message = Message(new_id("msg"), "", branch[-1].id, "assistant", [], "running", said.models[0], created_at=now)
    await _stream(kit, Task(who, branch, None), message, request)
    return SENT


async def _stream(kit: Kit, task: Task, message: Message, request: Request[Member]) -> None:
    stream = EventStream(request.exchange)
    behind = False

    def tell(name: str, data: Any) -> None:
        nonlocal behind
        behind = behind or stream.pressed  # one whole message later, instead of every piece now
        if not behind:
            stream.send(name, data)

    async def breathe() -> None:
        nonlocal behind
        while True:
            await asyncio.sleep(HEARTBEAT if not behind else 0.1)
            if behind and not stream.pressed:
                behind = False
                live.flush()
                tell("message", {"message": message})
            elif not stream.pressed:
                stream.comment()

    live = Live(message, tell)
    tell("message", {"message": message})
    breath = asyncio.create_task(breathe())
    try:
        message.state = await make(kit, task, live)
    except FreeholdError as e:
        message.state, message.error = "failed", Fault(e.code, e.sentences())
    finally:
        breath.cancel()
        live.flush()
    message.n += 1
    stream.send("message", {"message": message})
    stream.close()
