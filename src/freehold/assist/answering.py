"""Makes one answer: calls the model, uses the tools that it asks for, calls again. Knows the pipeline; refuses to know
the store's rows of it, and who follows.

A tool is used at once when its rule says so, else the answer waits (state `waiting`) and is taken up again once all
that was asked is decided. What a tool returns is data: it goes to the model as a tool's message and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from freehold.access import Member
from freehold.assist import models
from freehold.assist.context import Context, assemble
from freehold.assist.hearing import Ear, Joint, Use
from freehold.assist.live import Live
from freehold.assist.shapes import Conversation, Facts, FilePart, Message, State, Text, ToolPart
from freehold.assist.sources import background
from freehold.assist.tools.offers import Allow, Offered, Result
from freehold.core.call import Call
from freehold.core.clock import tick
from freehold.core.ids import new_id
from freehold.pipeline import About, Pipeline
from freehold.store import Store
from freehold.wire.dialects import openai

ROUNDS = 8
"""Calls that one answer may take: the last one is offered no tools, so that it has to say something."""
RESULT_CHARS = 200_000
_encode = msgspec.json.Encoder().encode


class Toolbox(Protocol):
    """What is asked of tools: see assist.tools."""

    async def offered(self, member: Member, servers: Sequence[str]) -> list[Offered]: ...

    async def use(
        self, member: Member, offered: Offered, arguments: dict[str, Any], *, conversation: str, message: str
    ) -> Result: ...

    async def allow(self, member: Member, server: str, tool: str, allow: Allow) -> None: ...


class Kit(msgspec.Struct, frozen=True):
    """What every answer is made with."""

    store: Store
    pipeline: Pipeline
    tools: Toolbox


class Task(msgspec.Struct):
    """One answer to be made: by whom it is asked, what it follows (the last message is the question), the conversation
    (None: a temporary one). `question_changed` is called when it is known how the question's files go along."""

    who: Member
    branch: list[Message]
    conversation: Conversation | None
    question_changed: Callable[[Message], Awaitable[None]] | None = None


async def make(kit: Kit, task: Task, live: Live) -> State:
    """Make the answer in `live` and return the state that it has once that is on record: `done` or `waiting`. Raises
    FreeholdError, and whatever was heard until then stays in it; so it does on cancellation."""
    message = live.message
    key = await models.key_of(kit.pipeline, task.who)
    member = task.who.id
    behind = await background(kit.store, task.who, task.conversation)
    model = models.find(kit.pipeline.snapshot, key, message.model, behind.models)
    servers = task.conversation.tools if task.conversation is not None else []
    offered = await kit.tools.offered(task.who, servers) if servers and model.uses_tools else []
    by_name = {each.name: each for each in offered}
    names = {(each.server, each.tool): each.name for each in offered}
    message.facts = message.facts or Facts(asked=model.id)
    message.error, message.cut = None, False
    for round_ in range(ROUNDS):
        await _use_all(kit, task, live, offered)
        context = await assemble(kit.store, member, model, behind, task.branch, message, names)
        if not round_:
            await _tell_files(task, context)
        message.facts.note = context.note
        tools = offered if round_ + 1 < ROUNDS else []
        ear = await _call(kit, task, live, context, tools)
        if not ear.uses:
            message.cut = ear.finish == "length"
            return "done"
        for use in ear.uses:
            message.parts.append(_part(use, by_name, message.parts))
        waiting = [part for part in message.parts if isinstance(part, ToolPart) and part.state == "asked"]
        if waiting:
            return "waiting"
        live.changed()
    return "done"


async def _call(kit: Kit, task: Task, live: Live, context: Context, tools: Sequence[Offered]) -> Ear:
    """Ask the model once; what it says is in `live`, what it takes in the facts, whatever the end."""
    message = live.message
    facts = message.facts
    assert facts is not None  # made before the first call
    last = message.parts[-1] if message.parts else None
    joint = Joint(last.text if isinstance(last, Text) else "", live.say)

    def began(about: About) -> None:
        deployment = kit.pipeline.snapshot.table.deployments.get(about.deployment)
        facts.call, facts.dropped = about.call, list(about.dropped)
        if deployment is not None:
            facts.name(deployment)
        live.changed()

    ear = Ear(joint.hear, began)
    key = await models.key_of(kit.pipeline, task.who)
    call = _ask(message, context, tools)
    if task.conversation is not None:
        call.session = task.conversation.id
    else:
        call.private = True
    try:
        await _unless_full(live, kit.pipeline.run(call, key, ear, tick()))
        kit.pipeline.metrics.good.value += 1
    finally:
        joint.settle()
        live.flush()
        if ear.about is not None and ear.about.outcome is not None:
            facts.add(ear.about.outcome)
    if live.full.is_set():
        ear.uses, ear.finish = [], "length"
    return ear


async def _unless_full(live: Live, answering: Any) -> None:
    """Await the call, and leave it when it writes for ever."""
    call = asyncio.ensure_future(answering)
    full = asyncio.ensure_future(live.full.wait())
    try:
        await asyncio.wait((call, full), return_when=asyncio.FIRST_COMPLETED)
        if call.done():
            call.result()
    finally:
        for future in (call, full):
            if not future.done():
                future.cancel()
        await asyncio.gather(call, full, return_exceptions=True)


def _ask(message: Message, context: Context, tools: Sequence[Offered]) -> Call:
    body: dict[str, Any] = {
        "model": message.model,
        "messages": context.messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if context.bound is not None:
        body["max_completion_tokens"] = context.bound
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": each.name, "description": each.description, "parameters": each.schema},
            }
            for each in tools
        ]
    return openai.parse("chat", _encode(body))


def _part(use: Use, offered: Mapping[str, Offered], before: Sequence[Any]) -> ToolPart:
    """Return a use that the model asks for as a part, with what is known at once: that it may go, or cannot."""
    taken = {part.id for part in before if isinstance(part, ToolPart)}
    id = use.id if use.id and use.id not in taken and len(use.id) <= 128 else new_id("use")
    tool = offered.get(use.name)
    if tool is None:
        return ToolPart(id, "", use.name[:128], use.arguments, "failed", f"There is no tool {use.name[:128]!r}.")
    part = ToolPart(id, tool.server, tool.tool, use.arguments)
    if _arguments(part) is None:
        part.state, part.result = "failed", "The arguments are no JSON object. Write them as one."
    elif tool.allow == "always":
        part.state = "running"
    return part


def _arguments(part: ToolPart) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(part.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError):
        return None
    return found if isinstance(found, dict) else None


async def _use_all(kit: Kit, task: Task, live: Live, offered: Sequence[Offered]) -> None:
    """Use what may be used (parts in state `running`), side by side."""
    tools = {(each.server, each.tool): each for each in offered}
    message = live.message

    async def one(part: ToolPart) -> None:
        tool = tools.get((part.server, part.name))
        if tool is None:
            part.state, part.result = "failed", "This tool is not there now."
        else:
            conversation = task.conversation.id if task.conversation is not None else ""
            result = await kit.tools.use(
                task.who, tool, _arguments(part) or {}, conversation=conversation, message=message.id
            )
            part.result = result.text[:RESULT_CHARS]
            part.state = "failed" if result.failed else "done"
        live.changed()

    waiting = [part for part in message.parts if isinstance(part, ToolPart) and part.state == "running"]
    if waiting:
        await asyncio.gather(*(one(part) for part in waiting))


async def _tell_files(task: Task, context: Context) -> None:
    """Note in the question how its files go along, where that is not known yet."""
    question = task.branch[-1]
    changed = False
    for part in question.parts:
        used = context.used.get(part.file) if isinstance(part, FilePart) else None
        if isinstance(part, FilePart) and used is not None and (part.mode, part.note) != (used.mode, used.note):
            part.mode, part.note = used.mode, used.note
            changed = True
    if changed and task.question_changed is not None:
        await task.question_changed(question)
