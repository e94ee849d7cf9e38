"""Runs one piece of work on the store, opened for it and closed after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from freehold import store
from freehold.app.first_run import folders
from freehold.app.settings import Config
from freehold.store import Store

T = TypeVar("T")


def run(config: Config, work: Callable[[Store], Awaitable[T]]) -> T:
    """Return what `work` returns. Raises StoreError when the store is not to be had."""

    async def opened() -> T:
        place = await store.open(config.store_url)
        try:
            return await work(place)
        finally:
            await place.close()

    folders(config)
    return asyncio.run(opened())
