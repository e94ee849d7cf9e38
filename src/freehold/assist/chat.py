"""The endpoints of conversations. Knows their paths and bodies; refuses to know what happens behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from freehold.access import Member
from freehold.assist import models, sources, temporary
from freehold.assist.answering import Kit
from freehold.assist.conversations import Change, Conversations
from freehold.assist.events import Hub, Told
from freehold.assist.runs import Runs, summary
from freehold.assist.shapes import MS, Conversation, Message
from freehold.assist.turns import Posted, Turn, Turns, holds
from freehold.wire.api import SENT, Endpoint, Request


class Begun(msgspec.Struct, forbid_unknown_fields=True):
    """A conversation to be made. Models and tools are the assistant's unless they are given."""

    title: str = ""
    project: str | None = None
    assistant: str | None = None
    models: list[str] | None = None
    tools: list[str] | None = None


class Models(msgspec.Struct, forbid_unknown_fields=True):
    models: list[str]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    allow: Literal["once", "always", "no"]


class Words(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Which(msgspec.Struct):
    """Which conversations: `before` in milliseconds, as the last one's `updated_at` says."""

    project: str | None = None
    archived: bool = False
    before: int | None = None
    limit: int = 40


class After(msgspec.Struct):
    """The last event that the client has."""

    after: str | None = None


class Page(msgspec.Struct):
    items: list[Conversation]
    more: bool


class Opened(msgspec.Struct):
    """A conversation with all of its tree, oldest first. `after` is where its events go on from this answer; `held`
    says that the queue waits for the member to do something."""

    conversation: Conversation
    messages: list[Message]
    queue: list[Message]
    held: bool
    after: str


class One(msgspec.Struct):
    message: Message


class Answers(msgspec.Struct):
    answers: list[Message]


class Chat:
    """See the module."""

    def __init__(self, kit: Kit, conversations: Conversations, turns: Turns, runs: Runs, hub: Hub) -> None:
        self._kit = kit
        self._conversations = conversations
        self._turns = turns
        self._runs = runs
        self._hub = hub

    def endpoints(self) -> list[Endpoint]:
        """Return what there is under /api/conversations, /api/messages, /api/models and /api/temporary."""
        conversation, message = "/api/conversations/{id}", "/api/messages/{id}"
        rows: list[tuple[str, str, Any, str, dict[str, Any]]] = [
            ("GET", "/api/models", self._models, "The models that may be asked", {"answer": list[models.Model]}),
            ("GET", "/api/conversations", self._page, "Conversations", {"query": Which, "answer": Page}),
            ("POST", "/api/conversations", self._create, "Begin one", {"body": Begun, "answer": Conversation}),
            ("GET", conversation, self._open, "A conversation with all its messages", {"answer": Opened}),
            ("PATCH", conversation, self._change, "Change one", {"body": Change, "answer": Conversation}),
            ("DELETE", conversation, self._delete, "Delete one, with all that was said in it", {"status": 204}),
            ("POST", f"{conversation}/turns", self._post, "Ask", {"body": Turn, "answer": Posted}),
            ("GET", f"{conversation}/events", self._events, "What happens, as events", {"query": After}),
            ("POST", f"{message}/answers", self._answers, "Answer again", {"body": Models, "answer": Answers}),
            ("POST", f"{message}/continue", self._continue, "Go on with an answer", {"answer": One}),
            ("POST", f"{message}/stop", self._stop, "Stop an answer", {"answer": Message}),
            (
                "POST",
                f"{message}/tools/{{use}}",
                self._decide,
                "Let a tool be used, or not",
                {"body": Decision, "answer": Message},
            ),
            ("POST", f"{message}/send", self._send, "Send a message that is held in the queue", {"answer": Posted}),
            ("PATCH", message, self._edit, "Change a message in the queue", {"body": Words, "answer": Message}),
            ("DELETE", message, self._remove, "Take a message out of the queue", {"status": 204}),
            (
                "POST",
                "/api/temporary",
                self._temporary,
                "Ask without anything being kept; the answer is events",
                {"body": temporary.Temporary},
            ),
        ]
        return [
            Endpoint(method=method, path=path, run=run, summary=summary_, tag="chat", **more)
            for method, path, run, summary_, more in rows
        ]

    async def summary(self, conversation: str, since: int) -> Any:
        """Return what a reader has to know that knows nothing since `since` (ms): see `events.Summary`."""
        messages, _ = await self._conversations.messages(conversation)
        moved = await self._conversations.moved(conversation, since * MS)
        told = [m for m in messages if m.id in moved or m.state in ("running", "waiting")]
        member = await self._conversations.member(conversation)
        found = await self._conversations.find(member, conversation)
        queue = await self._turns.queue(found)

        def tell() -> list[Told]:
            events = summary(told, self._runs.live(conversation))
            return [*events, ("conversation", {"conversation": found}), ("queue", queue)]

        return tell

    async def _models(self, request: Request[Member]) -> list[models.Model]:
        key = await models.key_of(self._kit.pipeline, request.who)
        return models.visible(self._kit.pipeline.snapshot, key)

    async def _page(self, request: Request[Member]) -> Page:
        which: Which = request.query
        items, more = await self._conversations.page(
            request.who.id,
            project=which.project,
            archived=which.archived,
            before=which.before,
            limit=which.limit,
        )
        return Page(items, more)

    async def _create(self, request: Request[Member]) -> Conversation:
        begun: Begun = request.body
        names, tools = begun.models, begun.tools
        if begun.assistant is not None:
            helper = await sources.helper(self._kit.store, request.who, begun.assistant)
            names = helper.models[:1] if names is None else names
            tools = helper.tools if tools is None else tools
        return await self._conversations.create(
            request.who.id,
            title=begun.title,
            project=begun.project,
            assistant=begun.assistant,
            models=names or [],
            tools=tools or [],
        )

    async def _open(self, request: Request[Member]) -> Opened:
        id = request.params["id"]
        after = self._hub.cursor(id)  # before anything is read
        found = await self._conversations.find(request.who.id, id)
        messages, queue = await self._conversations.messages(id)
        live = {message.id: message for message in self._runs.live(id)}
        messages = [live.get(message.id, message) for message in messages]
        # All of one answer is of one moment: turns may have gone out of the queue since the conversation was read.
        found.running = any(message.state == "running" for message in messages)
        held = bool(queue) and not found.running and holds(messages, found.leaf)
        return Opened(found, messages, queue, held, after)

    async def _change(self, request: Request[Member]) -> Conversation:
        change: Change = request.body
        if isinstance(change.assistant, str):
            await sources.helper(self._kit.store, request.who, change.assistant)
        changed = await self._conversations.change(request.who.id, request.params["id"], change)
        self._hub.publish(changed.id, "conversation", {"conversation": changed})
        return changed

    async def _delete(self, request: Request[Member]) -> None:
        id = request.params["id"]
        await self._conversations.find(request.who.id, id)
        await self._stop_all(id)
        await self._conversations.delete(request.who.id, id)
        await self.gone([id])

    async def gone(self, conversations: Sequence[str]) -> None:
        """Let go of conversations that have been deleted: what is made for them here stops, who follows them hears."""
        for id in conversations:
            await self._stop_all(id)
            self._hub.removed(id)

    async def _stop_all(self, conversation: str) -> None:
        for message in self._runs.live(conversation):
            await self._runs.stop(message.id)

    async def _post(self, request: Request[Member]) -> Posted:
        return await self._turns.post(request.who, request.params["id"], request.body)

    async def _events(self, request: Request[Member]) -> Any:
        id = request.params["id"]
        await self._conversations.find(request.who.id, id)
        last = request.exchange.headers.get(b"last-event-id", b"").decode("latin-1")
        after = last or request.query.after
        await self._hub.follow(request.exchange, id, after, request.who.id, request.again)
        return SENT

    async def _answers(self, request: Request[Member]) -> Answers:
        return Answers(await self._turns.answers(request.who, request.params["id"], request.body.models))

    async def _continue(self, request: Request[Member]) -> One:
        return One(await self._turns.go_on(request.who, request.params["id"]))

    async def _stop(self, request: Request[Member]) -> Message:
        return await self._turns.stop(request.who, request.params["id"])

    async def _decide(self, request: Request[Member]) -> Message:
        return await self._turns.decide(request.who, request.params["id"], request.params["use"], request.body.allow)

    async def _send(self, request: Request[Member]) -> Posted:
        return await self._turns.send_now(request.who, request.params["id"])

    async def _edit(self, request: Request[Member]) -> Message:
        return await self._turns.edit(request.who, request.params["id"], request.body.text)

    async def _remove(self, request: Request[Member]) -> None:
        await self._turns.remove(request.who, request.params["id"])

    async def _temporary(self, request: Request[Member]) -> Any:
        return await temporary.answer(self._kit, self._conversations, request)
