"""Reads a chat of Open WebUI's export: `chat.history` holds messages by id, each with its parent; `currentId` is the
end of the branch that was shown. Very old ones have a plain list."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from freehold.assist.imports.talk import Asset, Node, NotRead, Said, Talk, listed, moment, name, table, text

SOURCE = "openwebui"
MAKER = ""

_DATA = re.compile(r"data:image/[a-z+.-]{1,20};base64,")
_DETAILS = re.compile(
    r'<details\b[^>]*\btype="(reasoning|tool_calls|code_interpreter)"[^>]*>(.*?)</details>\s*', re.DOTALL
)
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)
_QUOTED = re.compile(r"^> ?", re.MULTILINE)


def is_one(value: dict[str, Any]) -> bool:
    chat = table(value.get("chat")) or value
    return isinstance(table(chat.get("history")).get("messages"), dict) or (
        chat is not value and isinstance(chat.get("messages"), list)
    )


def read(value: dict[str, Any]) -> Talk:
    """Return the conversation. Raises NotRead."""
    chat = table(value.get("chat")) or value
    id = name(value.get("id")) or name(chat.get("id"))
    if not id:
        raise NotRead("it has no id")
    history = table(chat.get("history"))
    talk = Talk(
        SOURCE,
        id,
        text(value.get("title")) or text(chat.get("title")),
        moment(value.get("created_at")) or moment(chat.get("timestamp")),
        moment(value.get("updated_at")),
        archived=value.get("archived") is True,
        pinned=value.get("pinned") is True,
        leaf=name(history.get("currentId")) or None,
        project=name(value.get("folder_id")) or None,
    )
    models = [name(each) for each in listed(chat.get("models"))]
    messages = table(history.get("messages"))
    if messages:
        for key, message in messages.items():
            message = table(message)
            talk.nodes.append(_node(name(key), name(message.get("parentId")) or None, message, models, talk))
        return talk
    before: str | None = None
    for number, message in enumerate(map(table, listed(chat.get("messages")))):
        node = _node(name(message.get("id")) or f"#{number}", before, message, models, talk)
        talk.nodes.append(node)
        before = node.id
    return talk


def _node(id: str, parent: str | None, message: dict[str, Any], models: list[str], talk: Talk) -> Node:
    node = Node(id, parent, "hidden", at=moment(message.get("timestamp")))
    role = message.get("role")
    if role not in ("user", "assistant"):
        talk.lost["system messages" if role == "system" else "messages of nobody"] += 1
        return node
    node.role = "user" if role == "user" else "assistant"
    content = message.get("content")
    if isinstance(content, list):
        said = "\n\n".join(filter(None, (text(table(part).get("text")) for part in content)))
    else:
        said = text(content)
    node.parts = _files(message, talk)
    if role == "assistant":
        node.model = name(message.get("model")) or (models[0] if len(models) == 1 else "")
        thought, said = _opened(said, talk)
        if thought:
            node.parts.append(Said("reasoning", thought))
        if table(message.get("error")) and not said.strip():
            talk.lost["answers that had failed"] += 1
    if said.strip():
        node.parts.append(Said("text", said.strip() if role == "assistant" else said))
    return node


def _opened(said: str, talk: Talk) -> tuple[str, str]:
    """Take thoughts and uses of tools, which stand in the text as HTML, out of it."""
    if "<details" not in said:
        return "", said
    thoughts: list[str] = []

    def take(found: re.Match[str]) -> str:
        if found[1] == "reasoning":
            thoughts.append(_QUOTED.sub("", _SUMMARY.sub("", found[2])).strip())
            talk.kept["thoughts"] += 1
        else:
            talk.lost["outputs of tools"] += 1
        return ""

    said = _DETAILS.sub(take, said)
    return "\n\n".join(filter(None, thoughts)), said


def _files(message: dict[str, Any], talk: Talk) -> list[Any]:
    found: list[Any] = []
    for file in map(table, listed(message.get("files"))):
        url = file.get("url")
        if isinstance(url, str) and (start := _DATA.match(url)):
            try:
                data = base64.b64decode(url[start.end() :], validate=True)
            except (binascii.Error, ValueError):
                talk.lost["images that could not be read"] += 1
            else:
                found.append(Asset("", name(file.get("name")) or "image", data))
            continue
        inner = text(table(table(table(file.get("file")).get("data"))).get("content"))
        called = name(file.get("name")) or name(table(file.get("file")).get("filename")) or "file.txt"
        if inner.strip():
            found.append(Asset("", called if "." in called else f"{called}.txt", inner.encode("utf-8", "replace")))
        else:
            talk.lost["images not in the export" if file.get("type") == "image" else "files not in the export"] += 1
    return found
