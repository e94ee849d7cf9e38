"""One engine's life: started, ready, watched, started again with back-off, held when that is of no use.
Knows one model; refuses to know the others."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

import freehold
from freehold.core.clock import now_ns, tick
from freehold.core.errors import EngineError, FreeholdError
from freehold.engines.command import Command, child_environment, prepare
from freehold.engines.fit import Fit
from freehold.engines.gguf import Facts
from freehold.engines.llama.settings import ChildSettings
from freehold.engines.supervise import Backoff, Child, Log, resident
from freehold.wire.client import Client
from freehold.wire.origin import Origin, Timeouts

log = logging.getLogger("freehold.engines")

State = Literal["starting", "ready", "busy", "asleep", "stopped", "failed"]
_LOAD_SECONDS = 900.0  # longest load: large weights from a slow disk
_STOP_SECONDS = 6.0
_LOOK = Timeouts(connect=2.0, first_byte=5.0, idle=5.0, total=8.0)
_SILENT_SECONDS = 60.0  # work but no sign of life for so long: a token is demanded
_PROBE_SECONDS = 120.0  # so long it may take
_UNHEARD_SECONDS = 60.0  # no answer to /health for so long: hung
_GRANT_SECONDS = 5.0  # a caller that was told where it listens may be on the way for so long


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model file that we serve ourselves: what the resolver returns for one of the catalogue."""

    path: Path  # the GGUF file, or the first of its shards
    mmproj: Path | None = None  # companion for images
    context: int | None = None  # tokens; None: as fits
    companions: int = 0  # bytes of further files that are loaded with it


class Seen(msgspec.Struct):
    """What an engine said of itself when it was last looked at."""

    asleep: bool = False
    busy: int = 0
    waiting: int = 0
    beats: int = -1
    idle: float = 0.0
    rss: int = 0


_seen = msgspec.json.Decoder(Seen)
_said = msgspec.json.Decoder(dict[str, Any])


class Engine:
    """See the module. `bytes` is what it is counted with against the budget."""

    def __init__(
        self,
        name: str,
        source: Model | Command,
        run: Path,
        client: Client,
        environment: Mapping[str, str],
        keep_alive: float,
    ) -> None:
        self.name, self.source = name, source
        self.facts: Facts | None = None
        self.fit: Fit | None = None
        self.estimate = source.memory if isinstance(source, Command) else 0
        self.seen = Seen()
        self.reason = ""
        self.restarts = 0
        self.loaded_at = self.last_used = 0  # nanoseconds since the epoch
        self.origin: Origin | None = None
        self.granted = 0.0  # when a caller was last told where it listens
        self._run, self._client, self._environment, self._keep_alive = run, client, environment, keep_alive
        self._mark = hashlib.sha256(name.encode()).hexdigest()[:10]
        self._headers = b""
        self._child: Child | None = None
        self._life: asyncio.Task[None] | None = None
        self._settled: asyncio.Future[None] | None = None
        self._up = False
        self._error: EngineError | None = None
        self._backoff = Backoff()
        self._moved = self._heard = tick()
        self._beats = -1
        self._probing: asyncio.Task[None] | None = None

    # What it is

    @property
    def state(self) -> State:
        if self._up:
            return "asleep" if self.seen.asleep else "busy" if self.seen.busy or self.seen.waiting else "ready"
        if self._error is not None:
            return "failed"
        return "starting" if self._life is not None and not self._life.done() else "stopped"

    @property
    def up(self) -> bool:
        return self._up

    @property
    def bytes(self) -> int:
        """Memory that it is counted with: as measured, and while it loads as estimated."""
        if self.state in ("stopped", "failed"):
            return 0
        if not self._up:
            return self.estimate
        held = self.rss
        if self.seen.asleep:
            return held
        # Once loaded, only the cache of prompts still grows
        return held + (self.fit.cache_mib << 20 if self.fit is not None else 0)

    @property
    def rss(self) -> int:
        return resident(self._child.pid) if self._child is not None and self._child.alive else 0

    @property
    def idle(self) -> bool:
        """Whether it could be ended without anybody losing an answer, as far as was last seen."""
        quiet = tick() - self.granted > _GRANT_SECONDS
        return self._up and quiet and not self.seen.busy and not self.seen.waiting

    def status(self) -> dict[str, Any]:
        """For people, metrics and /readyz."""
        fit = self.fit
        return {
            "name": self.name,
            "state": self.state,
            "rss": self.rss,
            "bytes": self.bytes,
            "loaded_at": self.loaded_at,
            "last_used": self.last_used,
            "slots": fit.slots if fit else 0,
            "context": fit.context if fit else 0,
            "busy": self.seen.busy,
            "waiting": self.seen.waiting,
            "restarts": self.restarts,
            "reason": self.reason,
        }

    # Life

    def launch(self) -> None:
        """Begin its life if it has none. Raises the error of a failed start while it is held for that."""
        now = tick()
        if self._error is not None:
            left = self._backoff.held_until - now
            if left > 0:
                raise _held(self._error, left)
            self._error = None
            self._backoff.reset()
        if self._life is None or self._life.done():
            self._settled = asyncio.get_running_loop().create_future()
            log.info("engine %s: starting", self.name)
            self._life = asyncio.create_task(self._live())

    async def wait(self) -> Origin:
        """Wait until it is ready. EngineError when it failed, or was stopped meanwhile."""
        while not self._up:
            if self._error is not None:
                raise _held(self._error, max(self._backoff.held_until - tick(), 1.0))
            if self._settled is None or self._life is None or self._life.done():
                raise EngineError(f"The engine of {self.name} was stopped.", retry_after=1.0, hint="ask again")
            await asyncio.shield(self._settled)
        assert self.origin is not None  # set before `_up`
        return self.origin

    def grant(self) -> Origin:
        """Note that a caller is told where it listens."""
        assert self.origin is not None
        self.granted = tick()
        self.last_used = now_ns()
        return self.origin

    async def stop(self) -> None:
        """End it, in order; nothing is left behind."""
        life, self._life = self._life, None
        if life is not None:
            ran = not life.done()
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            if ran:
                log.info("engine %s: stopped", self.name)
        self._error = None
        self._backoff.reset()
        self.reason = ""

    async def _live(self) -> None:
        """Start, serve, and start again after a crash, until stopped or held."""
        try:
            while True:
                began = tick()
                try:
                    await self._start()
                except EngineError as e:
                    await self._end()
                    if not e.retryable:
                        self._backoff.hold(tick())
                        self._fail(e)
                        return
                    self.reason, how = e.message, "did not start"
                else:
                    self._set_up()
                    log.info("engine %s: ready in %.1f s", self.name, tick() - began)
                    began = tick()
                    self.reason, how = await self._watch(), "crashed"
                    self._up = False
                    self._settled = asyncio.get_running_loop().create_future()
                    await self._end()
                self.restarts += 1
                pause = self._backoff.crashed(tick() - began, tick())
                if pause is None:
                    self._fail(EngineError(f"The engine of {self.name} keeps crashing: {self.reason}"))
                    return
                log.warning("engine %s: %s: %s; started again in %.1f s", self.name, how, self.reason, pause)
                await asyncio.sleep(pause)
        finally:
            self._up = False
            self.seen = Seen()
            await asyncio.shield(asyncio.ensure_future(self._end()))
            self._settle()

    def _set_up(self) -> None:
        self._up = True
        self._beats, self._moved, self._heard = -1, tick(), tick()
        self.loaded_at = now_ns()
        self.reason = ""
        self._settle()

    def _settle(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def _fail(self, error: EngineError) -> None:
        self._error = error
        self.reason = error.message
        held = self._backoff.held_until - tick()
        log.error("engine %s: failed: %s; not tried again for %.0f s", self.name, error.message, held)

    async def _watch(self) -> str:
        """Return why it is no longer up."""
        assert self._child is not None
        status = await asyncio.shield(self._child.exited)
        how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"{how}: {self._child.log.tail()}".rstrip(": ")

    async def _end(self) -> None:
        """End the process, if there is one, and remove its sockets."""
        child, self._child = self._child, None
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None
        if child is not None:
            await child.stop(_STOP_SECONDS)
        for kind in ("sock", "native.sock"):
            with contextlib.suppress(OSError):
                self._file(kind).unlink(missing_ok=True)

    def _file(self, kind: str) -> Path:
        return self._run / f"engine-{self._mark}.{kind}"

    # Starting

    async def _start(self) -> None:
        if isinstance(self.source, Command):
            await self._start_command(self.source)
        else:
            await self._start_model(self.source)

    async def _start_model(self, model: Model) -> None:
        fit, facts = self.fit, self.facts
        assert fit is not None and facts is not None  # set by the manager before the launch
        key = secrets.token_hex(24)
        settings = ChildSettings(
            name=self.name,
            path=str(model.path),
            socket=str(self._file("sock")),
            native_socket=str(self._file("native.sock")),  # llama.cpp knows a UNIX socket by this ending
            key=key,
            mmproj=str(model.mmproj or ""),
            embedding=fit.embedding,
            pooling=facts.pooling if fit.embedding else "",
            slots=fit.slots,
            context=fit.context,
            batch=fit.batch,
            threads=fit.threads,
            cache_mib=fit.cache_mib,
            kv_type=fit.kv_type,
            sleep_seconds=max(1, int(self._keep_alive)) if self._keep_alive > 0 else -1,
            parent=os.getpid(),
            vocabulary=facts.n_vocab,
            tokens=facts.tokens,
            add_bos=_adds_bos(facts),
        )
        for kind in ("sock", "native.sock"):
            self._file(kind).unlink(missing_ok=True)
        extra = {
            "PYTHONPATH": str(Path(freehold.__file__).resolve().parents[1]),
            # Threads that wait by spinning bring a busy machine to a standstill
            "GOMP_SPINCOUNT": "0",
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": str(fit.threads),
        }
        words = (sys.executable, "-m", "freehold.engines.child")
        child = await self._spawn(words, extra, None, leader=False)
        await child.say(msgspec.json.encode(settings))
        try:
            line = await asyncio.wait_for(child.hear(), _LOAD_SECONDS)
        except TimeoutError as e:
            raise EngineError(f"{self.name} did not load in {_LOAD_SECONDS:.0f} s", hint="is the disk slow?") from e
        said = _said.decode(line) if line.startswith(b"{") else {}
        if not said.get("ready"):
            raise await self._not_started(child, said.get("error"))
        # The key goes along as the host's name: an Origin says where to go and, by that, what to show there
        self.origin = Origin(scheme="http", host=key, port=80, unix=settings.socket)
        self._headers = b""

    async def _start_command(self, command: Command) -> None:
        launch = prepare(command, self._file("sock"))
        self._file("sock").unlink(missing_ok=True)
        words = (sys.executable, "-m", "freehold.engines.child_leash", str(os.getpid()), *launch.words)
        extra = {**command.env, "PYTHONPATH": str(Path(freehold.__file__).resolve().parents[1])}
        child = await self._spawn(words, extra, command.cwd, leader=True)
        child.echo()
        self.origin = launch.origin
        await self._until_healthy(command.health, command.start_seconds)

    async def _spawn(self, words: tuple[str, ...], extra: dict[str, str], cwd: str | None, *, leader: bool) -> Child:
        log = Log(self._run / f"engine-{_slug(self.name)}.log")
        env = child_environment(self._environment, extra)
        self._child = await Child.start(words, env, cwd, log, self._file("pid"), leader=leader)
        return self._child

    async def _not_started(self, child: Child, error: dict[str, Any] | None) -> EngineError:
        status = await asyncio.wait_for(asyncio.shield(child.exited), 10)
        if error:
            lasting = error.get("code") in ("engine_load_failed", "engine_missing")
            return EngineError(
                str(error.get("message")),
                code=str(error.get("code")),
                retryable=not lasting,
                hint=str(error.get("hint")),
            )
        return EngineError(
            f"{self.name} did not start (status {status}): {child.log.tail()}",
            hint=f"the log is {child.log.path}",
        )

    async def _until_healthy(self, path: str, seconds: float) -> None:
        """Wait until a foreign server answers `path` with 2xx. EngineError when it does not, or ends."""
        end = tick() + seconds
        pause = 0.05
        while True:
            if await self._healthy(path):
                return
            if self._child is not None and self._child.exited.done():
                raise EngineError(
                    f"{self.name} ended with status {self._child.exited.result()} before it was ready: "
                    f"{self._child.log.tail()}",
                    hint=f"the log is {self._child.log.path}",
                )
            if tick() > end:
                raise EngineError(
                    f"{self.name} was not ready within {seconds:.0f} s",
                    retry_after=10.0,
                    hint="check its address, its health path and that it runs",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _healthy(self, path: str) -> bool:
        assert self.origin is not None
        try:
            answer = await self._client.fetch(self.origin, b"GET", path.encode(), timeouts=_LOOK)
        except FreeholdError:
            return False
        return 200 <= answer.status < 300

    # Watching

    async def look(self) -> None:
        """See how it is, and end it when it hangs: busy, yet not able to bring forth one token."""
        if not self._up or self.origin is None:
            return
        if not isinstance(self.source, Model):
            await self._look_abroad(self.source)
            return
        try:
            answer = await self._client.fetch(self.origin, b"GET", b"/health", timeouts=_LOOK)
            slept, self.seen = self.seen.asleep, _seen.decode(answer.body)
            if slept != self.seen.asleep:
                log.debug("engine %s: %s", self.name, "asleep" if self.seen.asleep else "awake")
        except (FreeholdError, msgspec.DecodeError):
            if tick() - self._heard > _UNHEARD_SECONDS:
                self._hung("it did not answer /health")
            return
        now = self._heard = tick()
        if self.seen.beats != self._beats or not (self.seen.busy or self.seen.waiting):
            self._beats, self._moved = self.seen.beats, now
        elif now - self._moved > _SILENT_SECONDS and self._probing is None:
            self._probing = asyncio.create_task(self._probe(self._beats))

    async def _look_abroad(self, source: Command) -> None:
        if await self._healthy(source.health):
            self._heard = tick()
        elif tick() - self._heard > _UNHEARD_SECONDS:
            self._hung(f"it did not answer {source.health}")

    async def _probe(self, beats: int) -> None:
        """Demand a token: liveness is that, not an open port."""
        assert self.origin is not None
        timeouts = Timeouts(connect=2.0, first_byte=_PROBE_SECONDS, idle=_PROBE_SECONDS, total=_PROBE_SECONDS)
        try:
            answer = await self._client.fetch(self.origin, b"POST", b"/probe", timeouts=timeouts)
            alive = answer.status == 200
        except FreeholdError:
            alive = False
        finally:
            self._probing = None
        if not alive and self.seen.beats == beats:
            self._hung(f"it brought forth no token in {_SILENT_SECONDS + _PROBE_SECONDS:.0f} s")

    def _hung(self, why: str) -> None:
        if self._child is not None:
            self._child.log.write(f"ended by Freehold: {why}\n".encode())
            self._child.kill()


def _adds_bos(facts: Facts) -> bool:
    """Whether prompts begin with the bos token: as the file says, else as its kind of tokenizer does."""
    stated = facts.metadata.get("tokenizer.ggml.add_bos_token")
    return stated if isinstance(stated, bool) else facts.tokenizer == "llama"


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)[:80]


def _held(error: EngineError, left: float) -> EngineError:
    hint = error.hint or "see the engine's log"
    return EngineError(error.message, code=error.code, hint=hint, retryable=error.retryable, retry_after=left)
