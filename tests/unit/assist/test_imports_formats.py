"""What each format says, and what becomes of it: trees, times, models, and all that is told as kept or lost."""

from __future__ import annotations

from typing import Any

import pytest
from exports import START, chatgpt, claude, librechat, node, openwebui, simple

from freehold.assist.imports import chatgpt as chatgpt_
from freehold.assist.imports import claude as claude_
from freehold.assist.imports import librechat as librechat_
from freehold.assist.imports import openwebui as openwebui_
from freehold.assist.imports import own as own_
from freehold.assist.imports.run import READERS
from freehold.assist.imports.talk import Asset, Node, NotRead, Said, Talk, branches, fenced, linked, moment

S = 1_000_000_000


def tree(talk: Talk) -> list[tuple[str, str | None, str]]:
    """What is in a talk: id, parent and the beginning of the text of each message."""
    nodes = linked(talk).nodes
    return [(n.id, n.parent, " | ".join(p.text if isinstance(p, Said) else "?" for p in n.parts)) for n in nodes]


def test_chatgpt_branches_are_built_from_parents_alone() -> None:
    nodes = [
        node("root", None, None),
        node("sys", "root", "system", ""),
        node("q", "sys", "user", "One?"),
        node("a1", "q", "assistant", "First", metadata={"model_slug": "gpt-4o"}),
        node("a2", "q", "assistant", "Second"),
        node("q2", "a2", "user", "More?"),
        node("a3", "q2", "assistant", "Yes"),
    ]
    talk = chatgpt_.read(chatgpt("c", nodes, "a1"))
    assert tree(talk) == [
        ("q", None, "One?"),
        ("a1", "q", "First"),
        ("a2", "q", "Second"),
        ("q2", "a2", "More?"),
        ("a3", "q2", "Yes"),
    ]
    assert talk.leaf == "a1"
    assert branches(talk.nodes) == 2
    assert [n.model for n in talk.nodes if n.role == "assistant"] == ["gpt-4o", "gpt-5", "gpt-5"]


def test_chatgpt_thoughts_code_and_outputs_make_one_answer() -> None:
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Plan", "content": "I will add."}]}
    code = {"content_type": "code", "language": "unknown", "text": "print(1+1)"}
    nodes = [
        node("q", None, "user", "Add"),
        node("t", "q", "assistant", content=thoughts),
        node("r", "t", "assistant", content={"content_type": "reasoning_recap", "content": "Thought for 2s"}),
        node("c", "r", "assistant", content=code, recipient="python"),
        node("o", "c", "tool", content={"content_type": "execution_output", "text": "2\n"}),
        node("s", "o", "assistant", "search", recipient="web.run"),
        node("w", "s", "tool", content={"content_type": "tether_browsing_display", "result": "x"}),
        node("h", "w", "assistant", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        node("a", "h", "assistant", "It is 2."),
    ]
    talk = chatgpt_.read(chatgpt("c", nodes, "a"))
    assert tree(talk) == [
        ("q", None, "Add"),
        ("t", "q", "I will add. | ```python\nprint(1+1)\n``` | ```text\n2\n\n``` | It is 2."),
    ]
    assert talk.leaf == "t"
    assert dict(talk.kept) == {"thoughts": 1, "pieces of code that were run": 1, "outputs of code": 1}
    assert dict(talk.lost) == {"calls of tools": 1, "outputs of tools": 1, "hidden messages": 1}


def test_chatgpt_pictures_files_recordings_and_canvases() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_00000000abcd", "width": 1}
    spoken = {"content_type": "audio_transcription", "text": "Hello there", "direction": "in"}
    sound = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_00000000eeee"}
    canvas = '{"name":"Plan","type":"document","content":"# Plan"}'
    drawn = {
        "content_type": "multimodal_text",
        "parts": [{**picture, "asset_pointer": "file-service://file-DALLE12345"}],
    }
    attached = [{"id": "file_00000000abcd", "name": "cat.png"}, {"id": "file-PDFPDFPDF", "name": "a.pdf"}]
    nodes = [
        node(
            "q",
            None,
            "user",
            content={"content_type": "multimodal_text", "parts": [picture, "Look", spoken, sound]},
            metadata={"attachments": attached},
        ),
        node("k", "q", "assistant", canvas, recipient="canmore.create_textdoc"),
        node("u", "k", "assistant", "{}", recipient="canmore.update_textdoc"),
        node("d", "u", "tool", content=drawn),
        node("a", "d", "assistant", "Done"),
    ]
    talk = linked(chatgpt_.read(chatgpt("c", nodes, "a")))
    asked, answered = talk.nodes
    assert asked.parts == [
        Asset("file_00000000abcd"),
        Said("text", "Look"),
        Said("text", "Hello there"),
        Asset("file-PDFPDFPDF", "a.pdf"),
    ]
    assert answered.parts == [Said("text", "**Plan**\n\n# Plan"), Asset("file-DALLE12345"), Said("text", "Done")]
    assert dict(talk.lost) == {"recordings": 1, "changes to a canvas": 1}
    assert dict(talk.kept) == {"canvases": 1}


def test_chatgpt_marks_of_sources_are_worded() -> None:
    mark, other = "\ue200cite\ue202turn0search0\ue201", "\ue200nav\ue202x\ue201"
    references = [{"matched_text": mark, "alt": " ([Site](https://example.org))"}]
    nodes = [node("a", None, "assistant", f"So{mark} it is{other}.", metadata={"content_references": references})]
    assert tree(chatgpt_.read(chatgpt("c", nodes, "a")))[0][2] == "So ([Site](https://example.org)) it is."


def test_chatgpt_what_may_be_missing_is() -> None:
    bare: dict[str, Any] = {
        "conversation_id": "c",
        "title": None,
        "mapping": {
            "x": {"message": {"author": {"role": "user"}, "content": {"parts": ["Only  a question\n here"]}}},
            "y": {"parent": "x", "message": {"author": {"role": "assistant"}, "content": {"content_type": "text"}}},
            "z": None,
            "w": {"parent": 7, "message": {"author": None, "content": [], "create_time": "yesterday"}},
        },
    }
    talk = chatgpt_.read(bare)
    assert tree(talk) == [("x", None, "Only  a question\n here")]
    assert (talk.leaf, talk.created_at, talk.nodes[0].model) == ("x", None, "")
    assert talk.named() == "Only a question here"
    with pytest.raises(NotRead):
        chatgpt_.read({"mapping": {}})


def test_chatgpt_circles_and_lost_parents() -> None:
    nodes = [
        node("a", "c", "user", "A"),
        node("b", "a", "assistant", "B"),
        node("c", "b", "user", "C"),
        node("d", "gone", "user", "D"),
        node("e", "e", "assistant", "E"),
    ]
    talk = chatgpt_.read(chatgpt("c", nodes, "nowhere"))
    found = tree(talk)
    assert {id for id, _, _ in found} == set("abcde")
    parents = {id: parent for id, parent, _ in found}
    for id in parents:  # every walk ends
        seen: set[str] = set()
        at: str | None = id
        while at is not None:
            assert at not in seen
            seen.add(at)
            at = parents[at]
    assert parents["d"] is None and parents["e"] is None
    assert talk.leaf is not None


def test_a_conversation_of_a_hundred_thousand_in_a_row() -> None:
    nodes = [Node("0", None, "user", [Said("text", "0")])]
    nodes += [Node(str(n), str(n - 1), "user", [Said("text", "x")]) for n in range(1, 100_000)]
    talk = linked(Talk("chatgpt", "c", "long", nodes=nodes, leaf="99999"))
    assert len(talk.nodes) == 50_000
    assert talk.lost["messages beyond the 50,000th"] == 50_000


def test_claude() -> None:
    talk = claude_.read(claude())
    cat = "A cat, then. | Here it is: | **Cat**\n\n```svg\n<svg></svg>\n```"
    assert tree(talk) == [
        ("cl1-1", None, "Draw a cat | **notes.txt**\n\n```\nsoft paws\n```"),
        ("cl1-2", "cl1-1", cat),
        ("cl1-3", "cl1-1", "Another cat"),
    ]
    assert talk.nodes[1].parts[0] == Said("reasoning", "A cat, then.")
    assert talk.nodes[0].at == 1_759_312_800 * S
    assert talk.leaf == "cl1-3"
    assert {name: count for name, count in talk.lost.items() if count} == {
        "files not in the export": 1,
        "outputs of tools": 1,
    }


def test_claude_of_old_follows_the_order() -> None:
    messages = [
        {"uuid": "1", "sender": "human", "text": "Hi", "created_at": "2023-08-01T00:00:00Z"},
        {"uuid": "2", "sender": "assistant", "text": "Hello"},
        {"sender": "human", "text": "Bye"},
    ]
    talk = claude_.read({"uuid": "c", "name": "", "chat_messages": messages})
    assert tree(talk) == [("1", None, "Hi"), ("2", "1", "Hello"), ("#2", "2", "Bye")]
    assert talk.named() == "Hi"


def test_openwebui() -> None:
    talk = openwebui_.read(openwebui())
    assert tree(talk) == [("m1", None, "Hello"), ("m2", "m1", "hm\nyes | Hi!"), ("m3", "m1", "Good day.")]
    assert talk.nodes[1].parts[0] == Said("reasoning", "hm\nyes")
    assert [n.model for n in talk.nodes] == ["", "llama3:8b", "qwen3:4b"]
    assert (talk.archived, talk.pinned, talk.leaf, talk.created_at) == (True, True, "m3", 1_750_000_000 * S)


def test_openwebui_pictures_come_along_in_the_text() -> None:
    chat = openwebui()
    files = [
        {"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="},
        {"type": "image", "url": "data:image/png;base64,!!!"},
        {"type": "image", "url": "/api/v1/files/1/content"},
        {"type": "file", "name": "notes", "file": {"data": {"content": "words"}}},
    ]
    chat["chat"]["history"]["messages"]["m1"]["files"] = files
    talk = openwebui_.read(chat)
    assert talk.nodes[0].parts[:2] == [Asset("", "image", b"\x89PNG\r\n\x1a\n"), Asset("", "notes.txt", b"words")]
    assert dict(talk.lost) == {"images that could not be read": 1, "images not in the export": 1}


@pytest.mark.parametrize("as_tree", [True, False])
def test_librechat(as_tree: bool) -> None:
    talk = librechat_.read(librechat(tree=as_tree))
    assert tree(talk) == [
        ("l1", None, "Why is the sky blue?"),
        ("l2", "l1", "Rayleigh | It scatters."),
        ("l3", "l1", "Because."),
    ]
    assert talk.leaf == "l3"
    assert talk.nodes[1].model == "gpt-4o"


def test_librechat_ten_thousand_children_deep() -> None:
    message: dict[str, Any] = {"messageId": "m10000", "text": "end", "isCreatedByUser": True}
    for number in range(9_999, -1, -1):
        message = {"messageId": f"m{number}", "text": "x", "isCreatedByUser": True, "children": [message]}
    talk = linked(librechat_.read({"conversationId": "c", "messages": [message]}))
    assert len(talk.nodes) == 10_001


@pytest.mark.parametrize("value", [simple(), claude(), openwebui(), librechat(), librechat(tree=False)])
def test_each_format_is_known_by_its_content(value: dict[str, Any]) -> None:
    assert sum(reader.is_one(value) for reader in READERS) == 1


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"id": "1", "title": "shared", "conversation_id": "x", "is_anonymous": True},
        {"id": "user-1", "email": "a@example.org"},
        {"mapping": []},
        {"chat_messages": {}},
        {"messages": []},
        {"conversation": {}, "messages": []},
    ],
)
def test_what_is_no_conversation_is_nobodys(value: dict[str, Any]) -> None:
    assert not any(reader.is_one(value) for reader in READERS)


def test_our_own_of_a_newer_form_is_refused() -> None:
    with pytest.raises(NotRead, match="newer"):
        own_.read({"version": 2, "conversation": {"id": "conv_1", "models": []}, "messages": []})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (START, int(START) * S),
        (int(START) * 1000, int(START) * S),
        (int(START) * 10**9, int(START) * S),
        ("2025-10-09T08:53:20+00:00", int(START) * S),
        ("2025-10-09T08:53:20Z", int(START) * S),
        ("2025-10-09T08:53:20", int(START) * S),
        (0, None),
        (-1, None),
        (1e300, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**40, None),
        (True, None),
        ("soon", None),
        (None, None),
        ({}, None),
    ],
)
def test_moments(value: Any, expected: int | None) -> None:
    assert moment(value) == expected


def test_a_fence_is_longer_than_any_in_the_code() -> None:
    assert fenced("a\n````\nb", "py<script>") == "`````pyscript\na\n````\nb\n`````"
