"""Watching for changes, on both engines: a callback that fails is called again, and no change is missed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from freehold import store as stores
from freehold.core.errors import StoreError
from freehold.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: object) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/w.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = await stores.open(url, durable=False)
    yield opened
    await opened.close()


async def ended(task: asyncio.Task[None]) -> None:
    assert not task.done(), "watching never ends by itself"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_callback_that_fails_is_called_again_until_it_does_not(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freehold.store")
    wrong: list[Exception] = [StoreError("not now", hint="wait"), StoreError("not now"), RuntimeError("a mistake")]
    taken: asyncio.Queue[int] = asyncio.Queue()

    async def callback(generation: int) -> None:
        if wrong:
            raise wrong.pop(0)
        taken.put_nowait(generation)

    task = asyncio.create_task(store.watch(callback, seen=0))
    await store.bump()
    assert await asyncio.wait_for(taken.get(), 5) == 1
    assert [record.levelname for record in caplog.records if record.name == "freehold.store"] == ["ERROR", "INFO"]
    await asyncio.sleep(0.2)
    assert taken.empty(), "what was taken is taken once"
    await store.bump()
    assert await asyncio.wait_for(taken.get(), 5) == 2
    await ended(task)


async def test_a_change_between_loading_and_watching_is_seen(store: Store) -> None:
    seen = await store.generation()
    await store.bump()
    taken: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(store.watch(taken.put_nowait, seen=seen))
    assert await asyncio.wait_for(taken.get(), 5) == seen + 1
    await ended(task)


async def test_a_newer_change_goes_before_one_that_failed(store: Store) -> None:
    taken: asyncio.Queue[int] = asyncio.Queue()

    def callback(generation: int) -> None:
        if generation < 2:
            raise ValueError("the first is never taken")
        taken.put_nowait(generation)

    task = asyncio.create_task(store.watch(callback, seen=0))
    await store.bump()
    await asyncio.sleep(0.15)
    await store.bump()
    assert await asyncio.wait_for(taken.get(), 5) == 2
    await ended(task)
