"""One thread that does blocking work in the order it was given, with a limit on each caller's patience. Refuses to know
what the work is."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from freehold.core.errors import StoreError

T = TypeVar("T")


class _Job:
    """`ticket` holds one item: whoever pops it, the thread or the caller who gave up, decides whether the work runs."""

    __slots__ = ("future", "ticket", "work")

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.ticket = [True]


class WorkThread:
    """Belongs to the event loop that made it. After a job has outlasted its caller's patience, further jobs fail at
    once until it returns: nobody queues behind a disk that hangs."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stuck: _Job | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], T], patience: float) -> T:
        """Run `work` on the thread and return what it returns. Raises StoreError after `patience` seconds; work that
        had begun by then may still take effect."""
        if self._stuck is not None or self._closed:
            raise StoreError(
                "The store is closed." if self._closed else "The store hangs in an earlier write.",
                hint="look at the disk that holds the store: its free space, its errors, its load",
            )
        future: asyncio.Future[T] = self._loop.create_future()
        job = _Job(work, future)
        self._jobs.put(job)
        timer = self._loop.call_later(patience, self._give_up, job, patience)
        try:
            return await future
        finally:
            timer.cancel()

    def _give_up(self, job: _Job, patience: float) -> None:
        if job.future.done():
            return
        if job.ticket:
            job.ticket.clear()
            what = "could not begin"
        else:
            self._stuck = job
            what = "did not end"
        job.future.set_exception(
            StoreError(
                f"A write {what} within {patience:g} s.",
                code="store_slow",
                hint="look at the disk that holds the store, and for a process that keeps the database locked",
            )
        )

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.ticket.pop()
            except IndexError:
                continue
            result, error = None, None
            try:
                result = job.work()
            except BaseException as e:
                error = e
            try:
                self._loop.call_soon_threadsafe(self._settle, job, result, error)
            except RuntimeError:  # the loop was closed without closing us: there is nobody left to tell
                return

    def _settle(self, job: _Job, result: Any, error: BaseException | None) -> None:
        if self._stuck is job:
            self._stuck = None
        if job.future.done():
            return
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    async def close(self, last: Callable[[], None], patience: float) -> None:
        """Run `last` after everything that was submitted, then end the thread. Never waits longer than `patience`."""
        if self._closed:
            return
        try:
            await self.do(last, patience)
        finally:
            self._closed = True
            self._jobs.put(None)
