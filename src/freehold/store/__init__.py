"""The shelf: one protocol over SQLite and PostgreSQL. Knows transactions and tables; refuses to know what rows mean."""

from __future__ import annotations

from freehold.store.base import CONFLICT, PATIENCE, VALUE, Build, Head, Row, Step, Store
from freehold.store.by_url import open_store
from freehold.store.sole import Sole, sole

open = open_store  # the seam's name: `await store.open(url, durable=True)`

__all__ = [
    "CONFLICT",
    "PATIENCE",
    "VALUE",
    "Build",
    "Head",
    "Row",
    "Sole",
    "Step",
    "Store",
    "open",
    "open_store",
    "sole",
]
