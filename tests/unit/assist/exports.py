"""Exports of other assistants as they are today, small enough to read: what the tests of the imports bring in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?"
    b"\0\x05\xfe\x02\xfe\r\xefF\xb8\0\0\0\0IEND\xaeB`\x82"
)
START = 1_760_000_000.0


def node(id: str, parent: str | None, role: str | None, text: Any = "", **more: Any) -> dict[str, Any]:
    """A node of ChatGPT's mapping; `content`, `metadata`, `recipient` and `at` may be given. Role None: no message."""
    if role is None:
        return {"id": id, "message": None, "parent": parent, "children": []}
    content = more.pop("content", {"content_type": "text", "parts": [text]})
    message = {
        "id": id,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": more.pop("at", START),
        "update_time": None,
        "content": content,
        "status": "finished_successfully",
        "weight": 1.0,
        "metadata": more.pop("metadata", {}),
        "recipient": more.pop("recipient", "all"),
        "channel": None,
    }
    return {"id": id, "message": message, "parent": parent, "children": []}


def chatgpt(id: str, nodes: list[dict[str, Any]], leaf: str | None, **more: Any) -> dict[str, Any]:
    return {
        "title": f"About {id}",
        "create_time": START,
        "update_time": START + 100,
        "mapping": {each["id"]: each for each in nodes},
        "current_node": leaf,
        "conversation_id": id,
        "id": id,
        "default_model_slug": "gpt-5",
        "is_archived": False,
        **more,
    }


def simple(id: str = "c1", question: str = "How far is the moon?", answer: str = "Far.", **more: Any) -> dict[str, Any]:
    """One question and one answer."""
    nodes = [
        node(f"{id}-root", None, None),
        node(f"{id}-q", f"{id}-root", "user", question, at=START + 1),
        node(f"{id}-a", f"{id}-q", "assistant", answer, at=START + 2, metadata={"model_slug": "gpt-5-thinking"}),
    ]
    return chatgpt(id, nodes, f"{id}-a", **more)


def claude(id: str = "cl1", **more: Any) -> dict[str, Any]:
    human = {
        "uuid": f"{id}-1",
        "text": "Draw a cat",
        "content": [{"type": "text", "text": "Draw a cat"}],
        "sender": "human",
        "created_at": "2025-10-01T10:00:00.000000Z",
        "attachments": [{"file_name": "notes.txt", "file_type": "text/plain", "extracted_content": "soft paws"}],
        "files": [{"file_name": "photo.png"}],
        "parent_message_uuid": "00000000-0000-4000-8000-000000000000",
    }
    reply = {
        "uuid": f"{id}-2",
        "text": "",
        "content": [
            {"type": "thinking", "thinking": "A cat, then."},
            {"type": "text", "text": "Here it is:"},
            {
                "type": "tool_use",
                "name": "artifacts",
                "input": {"title": "Cat", "type": "image/svg+xml", "content": "<svg></svg>"},
            },
            {"type": "tool_result", "content": [{"type": "text", "text": "OK"}]},
        ],
        "sender": "assistant",
        "created_at": "2025-10-01T10:00:05.000000Z",
        "attachments": [],
        "files": [],
        "parent_message_uuid": f"{id}-1",
    }
    again = {**reply, "uuid": f"{id}-3", "content": [{"type": "text", "text": "Another cat"}]}
    return {
        "uuid": id,
        "name": "Cats",
        "created_at": "2025-10-01T10:00:00.000000Z",
        "updated_at": "2025-10-01T10:00:09.000000Z",
        "account": {"uuid": "a"},
        "chat_messages": [human, reply, again],
        **more,
    }


def openwebui(id: str = "ow1") -> dict[str, Any]:
    thought = '<details type="reasoning" done="true" duration="3"><summary>Thought</summary>\n> hm\n> yes\n</details>\n'
    messages = {
        "m1": {
            "id": "m1",
            "parentId": None,
            "childrenIds": ["m2", "m3"],
            "role": "user",
            "content": "Hello",
            "timestamp": 1_750_000_000,
            "models": ["llama3:8b"],
        },
        "m2": {
            "id": "m2",
            "parentId": "m1",
            "childrenIds": [],
            "role": "assistant",
            "content": thought + "Hi!",
            "model": "llama3:8b",
            "timestamp": 1_750_000_003,
        },
        "m3": {
            "id": "m3",
            "parentId": "m1",
            "childrenIds": [],
            "role": "assistant",
            "content": "Good day.",
            "model": "qwen3:4b",
            "timestamp": 1_750_000_009,
        },
    }
    return {
        "id": id,
        "user_id": "u",
        "title": "Greetings",
        "chat": {
            "title": "Greetings",
            "models": ["llama3:8b"],
            "history": {"currentId": "m3", "messages": messages},
            "messages": [],
        },
        "created_at": 1_750_000_000,
        "updated_at": 1_750_000_010,
        "archived": True,
        "pinned": True,
    }


def librechat(id: str = "lc1", tree: bool = True) -> dict[str, Any]:
    nobody = "00000000-0000-0000-0000-000000000000"
    ask = {
        "messageId": "l1",
        "parentMessageId": nobody,
        "sender": "User",
        "isCreatedByUser": True,
        "text": "Why is the sky blue?",
        "createdAt": "2025-05-05T10:00:00.000Z",
    }
    first = {
        "messageId": "l2",
        "parentMessageId": "l1",
        "sender": "GPT",
        "isCreatedByUser": False,
        "model": "gpt-4o",
        "text": "",
        "content": [{"type": "think", "think": "Rayleigh"}, {"type": "text", "text": {"value": "It scatters."}}],
        "createdAt": "2025-05-05T10:00:05.000Z",
    }
    second = {**first, "messageId": "l3", "content": [], "text": "Because.", "createdAt": "2025-05-05T10:00:09.000Z"}
    facts = {"conversationId": id, "endpoint": "openAI", "title": "Sky", "options": {"model": "gpt-4o"}}
    if tree:
        return {**facts, "recursive": True, "messages": [{**ask, "children": [first, second]}]}
    return {**facts, "recursive": False, "messages": [ask, first, second]}


def zipped(path: Path, files: dict[str, Any]) -> Path:
    """Write an archive; what is no bytes becomes JSON."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return path


def written(path: Path, value: Any) -> Path:
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path
