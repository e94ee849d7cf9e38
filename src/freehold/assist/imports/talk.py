"""A conversation as it is imported, whatever it came from: a tree of nodes, made sound. Refuses to know rows.

What a format says is believed only as far as it holds together: a parent that is not there makes a root, a circle is
opened, and nothing here calls itself, so depth is no matter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from freehold.assist.shapes import Mode
from freehold.assist.wording import sound

Kind = Literal["user", "assistant", "hidden"]
NODES = 50_000
"""So many nodes of one conversation are read."""
TEXT_CHARS = 4_000_000
"""Of one part; a longer one is cut, and that is said."""
_EARLIEST, _LATEST = 631_152_000, 7_258_118_400  # 1990 and 2200, seconds
_FENCE = re.compile(r"`{3,}")


class NotRead(Exception):
    """This value is no conversation that can be read; the text says why."""


class Asset(msgspec.Struct):
    """A file that the export may hold: how it is called there, and for people."""

    pointer: str
    name: str = ""
    data: bytes | None = None  # when it came along in the text
    mode: Mode | None = None  # how it went to a model, where our own export says so, and the note on that
    note: str = ""


class Said(msgspec.Struct):
    """What was said or thought."""

    kind: Literal["text", "reasoning"]
    text: str


class Node(msgspec.Struct):
    """One message. `extra` is what our own export says besides."""

    id: str
    parent: str | None
    role: Kind
    parts: list[Said | Asset | dict[str, Any]] = []
    model: str = ""
    at: int | None = None  # ns
    cut: bool = False
    extra: dict[str, Any] | None = None


class Talk(msgspec.Struct):
    """One conversation. `kept` and `lost` count things by name, e.g. "images"."""

    source: str
    id: str
    title: str
    created_at: int | None = None
    updated_at: int | None = None
    archived: bool = False
    pinned: bool = False
    nodes: list[Node] = []
    leaf: str | None = None
    kept: Counter[str] = msgspec.field(default_factory=Counter)
    lost: Counter[str] = msgspec.field(default_factory=Counter)
    project: str | None = None  # as the export calls it
    extra: dict[str, Any] | None = None

    def named(self) -> str:
        """Return the title, or the beginning of what was said first."""
        if self.title.strip():
            return self.title.strip()
        for node in self.nodes:
            for part in node.parts:
                if node.role == "user" and isinstance(part, Said) and part.text.strip():
                    return " ".join(part.text.split())[:60]
        return "Untitled conversation"


def text(value: Any) -> str:
    """Return a text that any store takes, or nothing for what is none."""
    return sound(value) if isinstance(value, str) else ""


def name(value: Any) -> str:
    """Return an id or a name: short, or nothing."""
    return text(value)[:200] if isinstance(value, str) else ""


def table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def moment(value: Any) -> int | None:
    """Return a time in ns: seconds, milli-, micro- or nanoseconds since the epoch, or ISO 8601; None for the rest."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
            value = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    for factor in (1, 1000, 1_000_000, 1_000_000_000):
        if _EARLIEST <= value / factor < _LATEST:
            return round(value * (1_000_000_000 // factor))
    return None


def fenced(code: str, language: str = "") -> str:
    """Return code as Markdown shows it; the fence is longer than any in the code."""
    longest = max((len(found) for found in _FENCE.findall(code)), default=2)
    fence = "`" * max(3, longest + 1)
    plain = re.sub(r"[^A-Za-z0-9+#_-]", "", language)[:30]
    return f"{fence}{'' if plain in ('unknown', '') else plain}\n{code}\n{fence}"


def linked(talk: Talk) -> Talk:
    """Return the talk with a sound tree: each node's parent is there, comes before it in the list, and is shown; a run
    of answers that nothing branches from is one answer. `leaf` is a node of it, or None when nothing is left."""
    nodes: dict[str, Node] = {}
    for node in talk.nodes[:NODES]:
        nodes.setdefault(node.id, node)
    if len(talk.nodes) > NODES:
        talk.lost["messages beyond the 50,000th"] += len(talk.nodes) - NODES
    order = _in_order(nodes)
    shown = {id: nodes[id] for id in order if nodes[id].role != "hidden" and nodes[id].parts}
    alias: dict[str, str | None] = {}  # of every node: the shown one that stands for it
    for id in order:
        node = nodes[id]
        node.parent = alias.get(node.parent) if node.parent is not None else None
        alias[id] = id if id in shown else node.parent
    leaf = alias.get(talk.leaf) if talk.leaf is not None else None
    _join(shown, alias)
    talk.nodes = [node for id, node in shown.items() if alias[id] == id]
    talk.leaf = _stands(alias, leaf)
    if talk.leaf is None and talk.nodes:
        talk.leaf = talk.nodes[-1].id
    _clip(talk)
    return talk


def _in_order(nodes: dict[str, Node]) -> list[str]:
    """Return all ids, parents first. A parent that is missing, or that would close a circle, is let go."""
    done: set[str] = set()
    order: list[str] = []
    for start in nodes:
        path: list[str] = []
        on_path: set[str] = set()
        id: str | None = start
        while id is not None and id not in done:
            path.append(id)
            on_path.add(id)
            parent = nodes[id].parent
            if parent is None or parent not in nodes or parent in on_path:
                nodes[id].parent = None
                break
            id = parent
        for each in reversed(path):
            done.add(each)
            order.append(each)
    return order


def _join(shown: dict[str, Node], alias: dict[str, str | None]) -> None:
    """Make one answer of answers that follow each other with nothing else between them or beside them."""
    children = Counter(node.parent for node in shown.values())
    for id, node in shown.items():
        parent = _stands(alias, node.parent)
        node.parent = parent
        if node.role != "assistant" or parent is None or node.extra is not None:
            continue
        before = shown[parent]
        if before.role == "assistant" and children[parent] == 1 and before.extra is None:
            before.parts = [*before.parts, *node.parts]
            before.model = node.model or before.model
            before.cut = node.cut
            alias[id] = parent
            children[parent] = children[id]


def _stands(alias: dict[str, str | None], id: str | None) -> str | None:
    while id is not None and alias.get(id) != id:
        id = alias.get(id)
    return id


def _clip(talk: Talk) -> None:
    for node in talk.nodes:
        for part in node.parts:
            if isinstance(part, Said) and len(part.text) > TEXT_CHARS:
                part.text = part.text[:TEXT_CHARS]
                talk.lost["texts cut at 4,000,000 characters"] += 1


def branches(nodes: Iterable[Node]) -> int:
    """Return how many ends the tree has."""
    found = list(nodes)
    parents = {node.parent for node in found}
    return sum(node.id not in parents for node in found)
