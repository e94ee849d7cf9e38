"""Reads a conversation of LibreChat's export: messages that name their parents, in a list, or a tree of `children`."""

from __future__ import annotations

from typing import Any

from freehold.assist.imports.talk import Node, NotRead, Said, Talk, listed, moment, name, table, text

SOURCE = "librechat"
MAKER = ""

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The parent of a first message."""


def is_one(value: dict[str, Any]) -> bool:
    messages = value.get("messagesTree", value.get("messages"))
    return isinstance(value.get("conversationId"), str) and isinstance(messages, list)


def read(value: dict[str, Any]) -> Talk:
    """Return the conversation. Raises NotRead."""
    id = name(value.get("conversationId"))
    if not id:
        raise NotRead("it has no id")
    options = table(value.get("options"))
    talk = Talk(
        SOURCE,
        id,
        text(value.get("title")) or text(options.get("title")),
        moment(value.get("createdAt")),
        moment(value.get("updatedAt")) or moment(value.get("exportAt")),
        archived=value.get("isArchived") is True,
    )
    model = name(value.get("model")) or name(options.get("model"))
    first = listed(value.get("messagesTree", value.get("messages")))
    waiting: list[tuple[Any, str | None]] = [(message, None) for message in reversed(first)]
    number = 0
    while waiting:
        message, above = waiting.pop()
        message = table(message)
        id = name(message.get("messageId")) or f"#{number}"
        number += 1
        parent = name(message.get("parentMessageId")) or above
        talk.nodes.append(_node(id, None if parent == NOBODY else parent, message, model, talk))
        waiting += [(child, id) for child in reversed(listed(message.get("children")))]
    newest = max(talk.nodes, key=lambda node: node.at or 0, default=None)
    # The branch that was shown is not named: the newest message is on it.
    talk.leaf = newest.id if newest is not None and newest.at is not None else None
    return talk


def _node(id: str, parent: str | None, message: dict[str, Any], model: str, talk: Talk) -> Node:
    asked = message.get("isCreatedByUser")
    if not isinstance(asked, bool):
        asked = text(message.get("sender")).lower() == "user"
    node = Node(id, parent, "user" if asked else "assistant", at=moment(message.get("createdAt")))
    if not asked:
        node.model = name(message.get("model")) or model
        node.cut = message.get("finish_reason") == "length"
    for block in listed(message.get("content")):
        node.parts += _block(block, talk)
    if not node.parts and text(message.get("text")).strip():
        node.parts.append(Said("text", text(message.get("text"))))
    if message.get("error") is True:
        talk.lost["answers that had failed"] += 1
        node.parts = []
    pictures = sum(text(table(f).get("type")).startswith("image/") for f in listed(message.get("files")))
    talk.lost["images not in the export"] += pictures
    talk.lost["files not in the export"] += len(listed(message.get("files"))) - pictures
    return node


def _block(block: Any, talk: Talk) -> list[Any]:
    block = table(block)
    kind = block.get("type")
    if kind in ("text", "think"):
        held = block.get(kind)
        said = text(held) or text(table(held).get("value"))
        if kind == "think" and said.strip():
            talk.kept["thoughts"] += 1
        return [Said("text" if kind == "text" else "reasoning", said)] if said.strip() else []
    if kind == "tool_call":
        talk.lost["outputs of tools"] += 1
    elif kind in ("image_file", "image_url"):
        talk.lost["images not in the export"] += 1
    elif kind == "error":
        talk.lost["answers that had failed"] += 1
    elif kind is not None:
        talk.lost[f"contents of the kind {name(kind)[:40]}"] += 1
    return []
