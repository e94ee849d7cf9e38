"""Reads a conversation of our own export, of one conversation, of an account as JSON, or in an archive. Refuses a form
that is newer than this program."""

from __future__ import annotations

from typing import Any

from freehold.assist.imports.talk import Asset, Node, NotRead, Said, Talk, listed, moment, name, table, text
from freehold.assist.shapes import Mode

SOURCE = "freehold"
MAKER = ""
VERSION = 1

_MODES: tuple[Mode, ...] = ("whole", "passages", "image", "none")
_STATES = {"done", "stopped", "failed", "interrupted"}
_FACTS = {
    "call": str, "deployment": str, "asked": str, "sent": str, "answered": str, "maker": str, "seller": str,
    "host": str, "region": str, "contract": str, "input": int, "output": int, "cached": int, "reasoning": int,
    "estimated": bool, "cost": str, "currency": str, "first_ms": (int, float), "total_ms": (int, float), "calls": int,
    "note": str,
}  # fmt: skip


def is_one(value: dict[str, Any]) -> bool:
    conversation = value.get("conversation")
    return isinstance(conversation, dict) and isinstance(value.get("messages"), list) and "models" in conversation


def read(value: dict[str, Any]) -> Talk:
    """Return the conversation. Raises NotRead."""
    version = value.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise NotRead("it was written by a newer Freehold")
    about = table(value.get("conversation"))
    id = name(about.get("id"))
    if not id:
        raise NotRead("it has no id")
    foreign = name(about.get("source")) if name(about.get("source_id")) else ""
    talk = Talk(
        foreign or SOURCE,
        name(about.get("source_id")) if foreign else id,
        text(about.get("title")),
        moment(about.get("created_at")),
        moment(about.get("updated_at")),
        archived=about.get("archived") is True,
        pinned=about.get("pinned") is True,
        leaf=name(about.get("leaf")) or None,
        project=name(about.get("project")) or None,
        extra={
            "id": id,
            "models": [name(each) for each in listed(about.get("models"))][:4],
            "tools": [name(each) for each in listed(about.get("tools"))][:50],
            "assistant": name(about.get("assistant")) or None,
        },
    )
    for number, message in enumerate(map(table, listed(value.get("messages")))):
        talk.nodes.append(_node(message, number, talk))
    return talk


def _node(message: dict[str, Any], number: int, talk: Talk) -> Node:
    id = name(message.get("id")) or f"#{number}"
    node = Node(id, name(message.get("parent")) or None, "hidden", at=moment(message.get("created_at")))
    role, state = message.get("role"), message.get("state")
    if role not in ("user", "assistant") or state == "queued":
        talk.lost["questions that were never sent" if state == "queued" else "system messages"] += 1
        return node
    node.role = "user" if role == "user" else "assistant"
    node.model = name(message.get("model"))
    node.cut = message.get("cut") is True
    for part in map(table, listed(message.get("parts"))):
        node.parts += _part(part)
    error = table(message.get("error"))
    node.extra = {
        "state": state if state in _STATES else "interrupted",
        "group": name(message.get("group")) or None,
        "facts": _facts(table(message.get("facts"))) if isinstance(message.get("facts"), dict) else None,
        "error": {"code": name(error.get("code")), "message": text(error.get("message"))[:2000]} if error else None,
        "origin": name(message.get("origin")),
    }
    if not node.parts and node.extra["state"] != "done":
        node.parts = [Said("text", "")]  # an answer that failed before its first word is still one
    return node


def _part(part: dict[str, Any]) -> list[Any]:
    match part.get("type"):
        case "text":
            return [Said("text", text(part.get("text")))]
        case "reasoning":
            return [Said("reasoning", text(part.get("text")))]
        case "file":
            mode = next((mode for mode in _MODES if mode == part.get("mode")), None)
            note = name(part.get("note"))
            return [Asset(name(part.get("file")), name(part.get("name")), mode=mode, note=note)]
        case "tool":
            state = part.get("state") if part.get("state") in ("done", "failed", "refused") else "refused"
            plain = {key: text(part.get(key)) for key in ("id", "server", "name", "arguments", "result")}
            return [{"type": "tool", **plain, "state": state}]
    return []


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer's facts say, as far as each is of its kind."""
    plain: dict[str, Any] = {}
    for key, kind in _FACTS.items():
        value = found.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # type: ignore[arg-type]
            continue
        plain[key] = text(value)[:2000] if isinstance(value, str) else value
    plain["dropped"] = [name(each) for each in listed(found.get("dropped"))][:50]
    return plain
