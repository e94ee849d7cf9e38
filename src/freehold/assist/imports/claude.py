"""Reads a conversation of Claude's export: a list of `chat_messages`; newer ones name their parents, in older ones each
message follows the one before. Files are named, their bytes are not in the export; the text of some is."""

from __future__ import annotations

import itertools
from typing import Any

from freehold.assist.imports.talk import Node, NotRead, Said, Talk, fenced, listed, moment, name, table, text

SOURCE = "claude"
MAKER = "anthropic"

NOBODY = "00000000-0000-4000-8000-000000000000"
"""The parent of a first message."""
_ROLES = {"human": "user", "user": "user", "assistant": "assistant"}


def is_one(value: dict[str, Any]) -> bool:
    return isinstance(value.get("chat_messages"), list)


def read(value: dict[str, Any]) -> Talk:
    """Return the conversation. Raises NotRead."""
    id = name(value.get("uuid")) or name(value.get("id"))
    if not id:
        raise NotRead("it has no id")
    talk = Talk(
        SOURCE,
        id,
        text(value.get("name")),
        moment(value.get("created_at")),
        moment(value.get("updated_at")),
        pinned=value.get("is_starred") is True,
        leaf=name(value.get("current_leaf_message_uuid")) or None,
        project=name(table(value.get("project")).get("uuid")) or None,
    )
    model = name(value.get("model"))
    before: str | None = None
    for number, message in enumerate(map(table, listed(value.get("chat_messages")))):
        id = name(message.get("uuid")) or f"#{number}"
        parent = name(message.get("parent_message_uuid"))
        sender = _ROLES.get(text(message.get("sender")))
        node = Node(id, before if not parent else None if parent == NOBODY else parent, "hidden")
        node.at = moment(message.get("created_at"))
        if sender is not None:
            node.role = "user" if sender == "user" else "assistant"
            node.parts = _parts(message, talk)
            node.model = (name(message.get("model")) or model) if sender == "assistant" else ""
            node.cut = message.get("stop_reason") == "max_tokens"
        else:
            talk.lost["messages of nobody"] += 1
        talk.nodes.append(node)
        before = id
    return talk


def _parts(message: dict[str, Any], talk: Talk) -> list[Any]:
    found: list[Any] = []
    for block in map(table, listed(message.get("content"))):
        found += _block(block, talk)
    if not any(isinstance(part, Said) and part.kind == "text" for part in found) and text(message.get("text")).strip():
        found.append(Said("text", text(message.get("text"))))
    for attachment in map(table, listed(message.get("attachments"))):
        extract, called = text(attachment.get("extracted_content")), name(attachment.get("file_name")) or "attachment"
        if extract.strip():
            talk.kept["texts of attachments"] += 1
            found.append(Said("text", f"**{called}**\n\n{fenced(extract)}"))
        else:
            talk.lost["files not in the export"] += 1
    files = itertools.chain(listed(message.get("files")), listed(message.get("files_v2")))
    talk.lost["files not in the export"] += len(
        {name(table(f).get("file_uuid")) or name(table(f).get("file_name")) for f in files}
    )
    return found


def _block(block: dict[str, Any], talk: Talk) -> list[Any]:
    kind = block.get("type")
    if kind == "text":
        return [Said("text", text(block.get("text")))] if text(block.get("text")).strip() else []
    if kind == "thinking":
        thought = text(block.get("thinking"))
        if thought.strip():
            talk.kept["thoughts"] += 1
        return [Said("reasoning", thought)] if thought.strip() else []
    if kind == "tool_use":
        return _tool(table(block.get("input")), name(block.get("name")), talk)
    if kind == "tool_result":
        talk.lost["outputs of tools"] += 1
    elif kind is not None:
        talk.lost[f"contents of the kind {name(kind)[:40]}"] += 1
    return []


def _tool(given: dict[str, Any], tool: str, talk: Talk) -> list[Any]:
    """An artifact is made by a tool; its text is in what the tool was given."""
    body = text(given.get("content")) or (text(given.get("code")) if tool == "repl" else "")
    if tool not in ("artifacts", "repl") or not body.strip():
        talk.lost["calls of tools"] += 1
        return []
    talk.kept["artifacts"] += 1
    title = " ".join(text(given.get("title")).split())[:200]
    kind, language = text(given.get("type")), text(given.get("language"))
    shown = body if kind == "text/markdown" else fenced(body, language or _language(kind))
    return [Said("text", f"**{title}**\n\n{shown}" if title else shown)]


def _language(kind: str) -> str:
    return {"text/html": "html", "image/svg+xml": "svg", "application/vnd.ant.mermaid": "mermaid"}.get(
        kind, "jsx" if "react" in kind else ""
    )
