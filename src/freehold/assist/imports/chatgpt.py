"""Reads a conversation of ChatGPT's export (2023 to today): a `mapping` of nodes, each with its parent; `current_node`
is the end of the branch that was shown. `children` are not believed, for newer exports leave some out."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from freehold.assist.imports.talk import Asset, Node, NotRead, Said, Talk, fenced, listed, moment, name, table, text

SOURCE = "chatgpt"
MAKER = "openai"

_MARKS = re.compile("\ue200[^\ue201]{0,2000}\ue201")
"""Where a source is named: between two characters of private use."""
_TOOL_CODE = ("python", "code_interpreter", "python_user_visible")
_INSTRUCTIONS = ("user_editable_context", "model_editable_context")
_NAMES = {
    "audio_asset_pointer": "recordings",
    "real_time_user_audio_video_asset_pointer": "recordings",
    "video_container_asset_pointer": "videos",
}


def is_one(value: dict[str, Any]) -> bool:
    return isinstance(value.get("mapping"), dict)


def read(value: dict[str, Any]) -> Talk:
    """Return the conversation. Raises NotRead."""
    id = name(value.get("conversation_id")) or name(value.get("id"))
    if not id:
        raise NotRead("it has no id")
    talk = Talk(
        SOURCE,
        id,
        text(value.get("title")),
        moment(value.get("create_time")),
        moment(value.get("update_time")),
        archived=value.get("is_archived") is True,
        pinned=value.get("is_starred") is True,
        leaf=name(value.get("current_node")) or None,
    )
    model = name(value.get("default_model_slug"))
    for key, raw in table(value.get("mapping")).items():
        raw = table(raw)
        node = Node(name(key), name(raw.get("parent")) or None, "hidden")
        message = raw.get("message")
        if isinstance(message, dict):
            _message(node, message, model, talk)
        talk.nodes.append(node)
    return talk


def _message(node: Node, message: dict[str, Any], model: str, talk: Talk) -> None:
    """Read a message into its node, which stays hidden when there is nothing to show of it."""
    about = table(message.get("metadata"))
    content = table(message.get("content"))
    role = table(message.get("author")).get("role")
    kind = content.get("content_type")
    node.at = moment(message.get("create_time"))
    if role == "system" or kind in _INSTRUCTIONS:
        if about.get("is_user_system_message") or kind in _INSTRUCTIONS:
            talk.lost["custom instructions"] += 1
        elif any(text(part).strip() for part in listed(content.get("parts"))):
            talk.lost["system messages"] += 1
        return
    if about.get("is_visually_hidden_from_conversation"):
        talk.lost["hidden messages"] += 1
        return
    if role == "user":
        node.role, node.parts = "user", _content(content, about, talk) + _attachments(about, content, talk)
    elif role == "assistant":
        node.role = "assistant"
        node.model = name(about.get("model_slug")) or model
        node.parts = _answer(message, content, about, talk)
        node.cut = table(about.get("finish_details")).get("type") == "max_tokens"
    elif role == "tool":
        node.role, node.model = "assistant", ""
        node.parts = _output(content, about, talk)
    if not node.parts:
        node.role = "hidden"


def _answer(message: dict[str, Any], content: dict[str, Any], about: dict[str, Any], talk: Talk) -> list[Any]:
    recipient = message.get("recipient")
    if recipient in (None, "all", "") or content.get("content_type") in ("thoughts", "reasoning_recap"):
        return _content(content, about, talk)
    said = text(content.get("text")) or "\n".join(filter(None, map(text, listed(content.get("parts")))))
    if recipient in _TOOL_CODE and said:
        talk.kept["pieces of code that were run"] += 1
        return [Said("text", fenced(said, "python"))]
    if isinstance(recipient, str) and recipient.startswith("canmore.create"):
        return _canvas(said, talk)
    if isinstance(recipient, str) and recipient.startswith("canmore."):
        talk.lost["changes to a canvas"] += 1
    elif said:
        talk.lost["calls of tools"] += 1
    return []


def _canvas(said: str, talk: Talk) -> list[Any]:
    try:
        document = table(msgspec.json.decode(said))
    except (msgspec.DecodeError, RecursionError, ValueError):
        document = {}
    body, kind = text(document.get("content")), text(document.get("type"))
    if not body:
        talk.lost["canvases that could not be read"] += 1
        return []
    talk.kept["canvases"] += 1
    title = " ".join(text(document.get("name")).split())[:200]
    shown = fenced(body, kind.partition("/")[2]) if kind.startswith("code") else body
    return [Said("text", f"**{title}**\n\n{shown}" if title else shown)]


def _output(content: dict[str, Any], about: dict[str, Any], talk: Talk) -> list[Any]:
    """What a tool gave back: pictures that it made and what code printed are shown, the rest is not."""
    if content.get("content_type") == "execution_output":
        printed = text(content.get("text"))
        if printed.strip():
            talk.kept["outputs of code"] += 1
            return [Said("text", fenced(printed, "text"))]
        return []
    parts = [part for part in listed(content.get("parts")) if isinstance(part, dict)]
    pictures = [_asset(part, talk) for part in parts if part.get("content_type") == "image_asset_pointer"]
    if pictures:
        return [picture for picture in pictures if picture is not None]
    talk.lost["outputs of tools"] += 1
    return []


def _content(content: dict[str, Any], about: dict[str, Any], talk: Talk) -> list[Any]:
    kind = content.get("content_type")
    match kind:
        case "thoughts":
            thoughts = [table(each) for each in listed(content.get("thoughts"))]
            said = "\n\n".join(filter(None, (text(t.get("content")) or text(t.get("summary")) for t in thoughts)))
            if said:
                talk.kept["thoughts"] += 1
            return [Said("reasoning", said)] if said else []
        case "reasoning_recap":
            return []  # "Thought for 12 seconds"
        case "code":
            said = text(content.get("text"))
            return [Said("text", fenced(said, text(content.get("language"))))] if said else []
        case "tether_quote":
            said = text(content.get("text"))
            return [Said("text", said)] if said else []
    found: list[Any] = []
    for part in listed(content.get("parts")):
        found += _part(part, about, talk)
    if not found and text(content.get("text")).strip():
        found.append(Said("text", _cited(text(content.get("text")), about)))
    if not found and kind not in ("text", "multimodal_text", None):
        talk.lost[f"contents of the kind {name(kind)[:40] or 'unknown'}"] += 1
    return found


def _part(part: Any, about: dict[str, Any], talk: Talk) -> list[Any]:
    if isinstance(part, str):
        said = _cited(text(part), about)
        return [Said("text", said)] if said.strip() else []
    part = table(part)
    kind = part.get("content_type")
    if kind == "image_asset_pointer":
        asset = _asset(part, talk)
        return [asset] if asset is not None else []
    if kind == "audio_transcription":
        return [Said("text", text(part.get("text")))] if text(part.get("text")).strip() else []
    if kind in _NAMES:
        talk.lost[_NAMES[kind]] += 1
    elif text(part.get("text")).strip():
        return [Said("text", text(part.get("text")))]
    elif kind is not None:
        talk.lost[f"contents of the kind {name(kind)[:40]}"] += 1
    return []


def _asset(part: dict[str, Any], talk: Talk) -> Asset | None:
    pointer = name(part.get("asset_pointer"))
    if not pointer:
        talk.lost["images not in the export"] += 1
        return None
    return Asset(pointer.rpartition("://")[2])


def _attachments(about: dict[str, Any], content: dict[str, Any], talk: Talk) -> list[Any]:
    """The files of a question that are not among its pictures already."""
    seen = {text(table(part).get("asset_pointer")).rpartition("://")[2] for part in listed(content.get("parts"))}
    found: list[Any] = []
    for attachment in map(table, listed(about.get("attachments"))):
        id = name(attachment.get("id"))
        if id and id not in seen:
            found.append(Asset(id, name(attachment.get("name"))))
    return found


def _cited(said: str, about: dict[str, Any]) -> str:
    """Return the text with its marks of sources as the export words them, and without those that it does not."""
    if "\ue200" not in said:
        return said
    for reference in map(table, listed(about.get("content_references"))):
        mark = text(reference.get("matched_text"))
        if mark.startswith("\ue200"):
            said = said.replace(mark, text(reference.get("alt")))
    return _MARKS.sub("", said)
