"""Messages as a tree: branches, tips, brothers and sisters. Pure; refuses to know where messages are kept.

A tree that came from elsewhere may have a parent that is missing, or a circle: both end a walk, and nothing hangs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar


class Node(Protocol):
    """What a tree is made of."""

    @property
    def id(self) -> str: ...
    @property
    def parent(self) -> str | None: ...


N = TypeVar("N", bound=Node)


def index(nodes: Iterable[N]) -> dict[str, N]:
    """Return the nodes by their ids."""
    return {node.id: node for node in nodes}


def branch(by_id: Mapping[str, N], leaf: str | None) -> list[N]:
    """Return the nodes from the root to `leaf`, in this order; an unknown leaf has none."""
    found: list[N] = []
    seen: set[str] = set()
    node = by_id.get(leaf) if leaf is not None else None
    while node is not None and node.id not in seen:
        seen.add(node.id)
        found.append(node)
        node = by_id.get(node.parent) if node.parent is not None else None
    found.reverse()
    return found


def children(nodes: Sequence[N]) -> dict[str | None, list[N]]:
    """Return each node's children in the order of `nodes`; a node whose parent is missing is a child of None."""
    known = {node.id for node in nodes}
    found: dict[str | None, list[N]] = {}
    for node in nodes:
        found.setdefault(node.parent if node.parent in known else None, []).append(node)
    return found


def tip(nodes: Sequence[N], start: str) -> str:
    """Return the leaf that is reached from `start` by always taking the newest child. `nodes` stand oldest first."""
    below = children(nodes)
    seen = {start}
    at = start
    while below.get(at):
        newest = below[at][-1].id
        if newest in seen:
            break
        seen.add(newest)
        at = newest
    return at
