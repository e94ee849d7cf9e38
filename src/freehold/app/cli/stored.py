"""Runs one piece of work on the store, opened for it and closed after it, and puts an administrator's act on record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from freehold import store
from freehold.app.first_run import folders
from freehold.core.clock import now_ns
from freehold.core.ids import new_id
from freehold.ledger import Entry, Ledger
from freehold.store import Store

T = TypeVar("T")


class House(Protocol):
    """What work on the store needs to know: a Config, or what stands in for one when the file is broken."""

    @property
    def data(self) -> Path: ...
    @property
    def run(self) -> Path: ...
    @property
    def store_url(self) -> str: ...


def run(house: House, work: Callable[[Store], Awaitable[T]]) -> T:
    """Return what `work` returns. Raises StoreError when the store is not to be had."""

    async def opened() -> T:
        place = await store.open(house.store_url)
        try:
            return await work(place)
        finally:
            await place.close()

    folders(house)
    return asyncio.run(opened())


async def record(place: Store, act: str, **about: Any) -> None:
    """Put an act, e.g. "key.create", in the ledger; returns when it is durable. Raises StoreError."""
    ledger = Ledger(place)
    try:
        note = msgspec.json.encode({"act": act, "by": "command line", "member": None, **about}).decode()
        await ledger.note_admin(Entry("admin", new_id("act"), 0, "serve", now_ns(), note=note))
    finally:
        await ledger.close()
