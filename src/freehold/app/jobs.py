"""Long work that the supervisor does for whoever asks: pulling a model, hashing it, proving the ledger. Whoever looks,
from any worker or the command line, sees the same. Refuses to know how the work is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from freehold.core.clock import now_ns, tick
from freehold.core.errors import FreeholdError, NotFound
from freehold.core.ids import new_id

log = logging.getLogger("freehold.jobs")

KEPT = 50
"""How many jobs that ended are remembered."""
Kind = Literal["pull", "verify", "ledger"]


class Job(msgspec.Struct):
    """One piece of work and how far it is. Times in milliseconds since the epoch; `done` and `total` count bytes, or
    entries for "ledger"; a total of 0 is not known. `note` is for people; `result` is what came of it, `error` its code
    and message."""

    id: str
    kind: Kind
    subject: str
    by: str = ""
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    phase: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    eta: float | None = None
    note: str = ""
    error: dict[str, str] | None = None
    result: Any = None
    started_at: int = 0
    ended_at: int | None = None


class Jobs:
    """All jobs of this server, those that ended among them, oldest first."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, kind: Kind, subject: str, by: str, work: Callable[[Job], Awaitable[Any]]) -> Job:
        """Begin `work`, which tells the job how far it is, unless the same is under way: then return that."""
        for job in self._jobs.values():
            if job.state == "running" and (job.kind, job.subject) == (kind, subject):
                return job
        job = Job(new_id("job"), kind, subject, by, started_at=now_ns() // 1_000_000)
        self._jobs[job.id] = job
        self._tasks[job.id] = asyncio.create_task(self._run(job, work))
        self._forget()
        return job

    def all(self) -> list[Job]:
        """Return all jobs, newest first."""
        return list(reversed(self._jobs.values()))

    def find(self, id: str) -> Job:
        """Return the job of that id. Raises NotFound."""
        job = self._jobs.get(id)
        if job is None:
            raise NotFound(
                f"There is no job {id[:64]!r}.", hint="a server that was started anew knows those since then alone"
            )
        return job

    def latest(self, subject: str) -> Job | None:
        """Return the job about `subject` that runs, or the last one that did."""
        return next((job for job in self.all() if job.subject == subject), None)

    async def cancel(self, id: str) -> Job:
        """Stop a job that runs; return it once it has stopped. One that ended stays as it is. Raises NotFound."""
        job = self.find(id)
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return job

    async def close(self) -> None:
        """Stop everything."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[Any]]) -> None:
        try:
            job.result = await work(job)
            job.state = "done"
        except asyncio.CancelledError:
            job.state = "cancelled"
        except FreeholdError as e:
            job.state, job.error = "failed", {"code": e.code, "message": e.sentences()}
        except Exception as e:
            log.exception("a job failed", extra={"job": job.kind, "subject": job.subject})
            job.state, job.error = "failed", {"code": "internal_error", "message": f"{type(e).__name__}: {e}"}
        finally:
            job.ended_at, job.phase, job.rate, job.eta = now_ns() // 1_000_000, "", 0.0, None
            self._tasks.pop(job.id, None)

    def _forget(self) -> None:
        ended = [id for id, job in self._jobs.items() if job.state != "running"]
        for id in ended[: max(0, len(ended) - KEPT)]:
            del self._jobs[id]


def counted(job: Job) -> Callable[[int, int], None]:
    """Return what takes (done, total) of `job`, and tells from it how fast it goes."""
    began = tick()

    def report(done: int, total: int) -> None:
        spent = tick() - began
        job.done, job.total = done, total
        job.rate = done / spent if spent > 0 else 0.0
        job.eta = (total - done) / job.rate if job.rate else None

    return report
