"""Models for the command line: the catalogue in force, and bringing models here with progress shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from freehold.app.cli.output import Talk
from freehold.app.environment import Environment
from freehold.app.settings import Config
from freehold.engines.catalogue import Catalogue, Model
from freehold.engines.pull import Progress, pull
from freehold.engines.sources import PullSettings

_WORTH_A_BAR = 5_000_000
"""Bytes; what is smaller is here before anybody could read of it."""


def catalogue(config: Config) -> Catalogue:
    """Return the shipped models and the user's own. Raises ConfigError."""
    return Catalogue.load(config.engines.catalogue)


def settings(config: Config, environment: Environment, *, trust_first: bool = False) -> PullSettings:
    """Return how models are fetched here."""
    default = PullSettings()
    return PullSettings(
        prefer=config.engines.prefer,
        offline=config.engines.offline or environment.get("HF_HUB_OFFLINE") == "1",
        trust_first=trust_first,
        hub_endpoint=environment.get("HF_ENDPOINT") or default.hub_endpoint,
        hub_token=environment.get("HF_TOKEN") or "",
        pip_options=("--index-url", config.engines.index) if config.engines.index else (),
    )


def configured(config: Config) -> list[Model]:
    """Return the models of the llamacpp deployments, each once. Raises ConfigError for one that nobody knows."""
    known = catalogue(config)
    names = [d.model for d in config.deployments.values() if d.kind == "llamacpp" and d.model and d.endpoint is None]
    return [known.find(name, base=config.base) for name in dict.fromkeys(names)]


async def bring(config: Config, model: Model, how: PullSettings, talk: Talk) -> Path:
    """Have `model` on this machine and return the file that an engine opens. Raises EngineError."""
    return await pull(model, config.home, progress=show(talk), settings=how)


def show(talk: Talk) -> Callable[[Progress], None]:
    """Return a listener that turns reports of a pull into bars, or lines where nothing can move."""
    shown: set[tuple[str, ...]] = set()
    bar: Callable[[int, int], None] | None = None

    def first(*what: str) -> bool:
        new = what not in shown
        shown.add(what)
        return new

    def report(progress: Progress) -> None:
        nonlocal bar
        if progress.phase == "fetching" and progress.total >= _WORTH_A_BAR:
            if first(progress.file, progress.source):
                talk.say(f"{progress.model}: {progress.file} from {progress.source}")
                bar = talk.progress(progress.model)
            if bar is not None:
                bar(progress.done, progress.total)
        elif progress.phase == "converting" and first(progress.model, "converting"):
            talk.say(f"{progress.model}: converting")
        elif progress.phase == "done":
            talk.end()

    return report
