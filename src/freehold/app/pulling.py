"""Models of one's own as the configuration has them: the catalogue in force, what each takes, bringing them here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from freehold.app import known
from freehold.app.cli.output import Talk, size
from freehold.app.environment import Environment
from freehold.app.settings import Config
from freehold.engines import gguf, shelf
from freehold.engines.catalogue import Catalogue, Model
from freehold.engines.fit import Fit, Machine, fit
from freehold.engines.pull import Progress, pull
from freehold.engines.sources import PullSettings

_WORTH_A_BAR = 5_000_000
"""Bytes; what is smaller is here before anybody could read of it."""


def catalogue(config: Config) -> Catalogue:
    """Return the shipped models and the user's own. Raises ConfigError."""
    return known.models(config.engines.catalogue)


def settings(
    config: Config,
    environment: Environment,
    *,
    trust_first: bool = False,
    overheard: Callable[[str], None] | None = None,
) -> PullSettings:
    """Return how models are fetched here. `overheard` is told what pip says."""
    default = PullSettings()
    return PullSettings(
        prefer=config.engines.prefer,
        offline=config.engines.offline or environment.get("HF_HUB_OFFLINE") == "1",
        trust_first=trust_first,
        overheard=overheard,
        hub_endpoint=environment.get("HF_ENDPOINT") or default.hub_endpoint,
        hub_token=environment.get("HF_TOKEN") or "",
        pip_options=("--index-url", config.engines.index) if config.engines.index else (),
    )


def configured(config: Config) -> list[Model]:
    """Return the models of the llamacpp deployments, each once. Raises ConfigError for one that nobody knows."""
    known = catalogue(config)
    names = [d.model for d in config.deployments.values() if d.kind == "llamacpp" and d.model and d.endpoint is None]
    return [known.find(name, base=config.base) for name in dict.fromkeys(names)]


def needs(config: Config, model: Model, machine: Machine) -> tuple[Fit | None, int]:
    """Return how a model would be set up, None while it is not here, and the bytes of memory that it takes then; 0
    when nobody knows. Every command says this number. Raises EngineError for a file that is no model."""
    path = shelf.locate(config.home, model)
    if path is None or not path.is_file():
        return None, model.memory
    wanted = [
        d.context for d in config.deployments.values() if d.kind == "llamacpp" and d.model == model.name and d.context
    ]
    found = fit(
        _header(path, path.stat().st_mtime_ns, path.stat().st_size),
        machine,
        budget=config.engines.memory,
        context=max(wanted) if wanted else None,
        max_context=config.engines.max_context,
        threads=config.engines.threads,
        companions=sum(file.bytes for file in model.files if file.role == "mmproj"),
    )
    return found, found.bytes


@lru_cache(maxsize=32)
def _header(path: Path, touched: int, length: int) -> gguf.Facts:
    """Read a file's header once for as long as the file stays as it is: who watches a model asks again and again."""
    return gguf.read(path)


def suits(model: Model, config: Config, machine: Machine) -> dict[str, Any]:
    """Return how a model would be set up; for one that is not here, what the catalogue says it needs. Raises
    EngineError for a file that is no model."""
    found, memory = needs(config, model, machine)
    if found is not None:
        return {"name": model.name, "here": True, **msgspec.to_builtins(found)}
    budget = config.engines.memory or machine.memory * 7 // 10
    row: dict[str, Any] = {"name": model.name, "here": False, "fits": None, "bytes": memory or None}
    # Weights alone are a lower bound: too much is too much, and what is less may yet be too much.
    least = memory or model.bytes
    if not least:
        return row | {"why": "it is not here, and nobody has said what it takes"}
    need = f"needs about {size(least)}" + (
        f" with {model.memory_context} tokens of context" if memory else " for its weights"
    )
    if least > budget:
        grant = "[engines] memory grants" if config.engines.memory else f"of this machine's {size(machine.memory)},"
        granted = f"{grant} {size(budget)}" + ("" if config.engines.memory else " go to models")
        return row | {"fits": False, "why": f"{need}; {granted}. Take a smaller model or quantisation"}
    return row | {"fits": True if memory else None, "why": f"{need}, as the catalogue estimates; it is not here yet"}


async def bring(config: Config, model: Model, how: PullSettings, talk: Talk) -> Path:
    """Have `model` on this machine and return the file that an engine opens. Raises EngineError."""
    try:
        return await pull(model, config.home, progress=show(talk), settings=how)
    except asyncio.CancelledError:
        talk.say(f"{model.name}: stopped before it was whole; the same command goes on with what is kept")
        raise


def show(talk: Talk) -> Callable[[Progress], None]:
    """Return a listener that turns reports of a pull into bars, or lines where nothing can move."""
    said: set[tuple[str, ...]] = set()
    bar: Callable[[int, int], None] | None = None

    def say(*what: str) -> None:
        if what not in said:
            said.add(what)
            talk.say(" ".join(what))

    def report(progress: Progress) -> None:
        nonlocal bar
        worth = progress.total >= _WORTH_A_BAR
        if progress.phase == "asking":
            bar = None
            if worth:
                say(f"{progress.model}: asking {progress.source} for {progress.file}")
        elif progress.phase == "failed":
            talk.end()
            say(f"{progress.model}: {progress.source} has failed: {progress.why}")
        elif progress.phase == "fetching" and worth and progress.done:
            bar = bar or talk.progress(progress.model)
            bar(progress.done, progress.total)
        elif progress.phase == "converting":
            talk.end()
            say(f"{progress.model}: converting")
        elif progress.phase == "done":
            talk.end()

    return report
