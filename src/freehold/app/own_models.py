"""The models that run here, as a screen wants them: what the catalogue says, what is pulled, how it fits, what its
engine does. Refuses to start or fetch anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from freehold.app import pulling
from freehold.app.settings import Config
from freehold.core.errors import ConfigError, EngineError, NotFound
from freehold.engines import fit as fitting
from freehold.engines import shelf
from freehold.engines.catalogue import Model
from freehold.engines.pull import describe

Engines = dict[str, dict[str, Any]]


def survey(config: Config, engines: Engines) -> list[dict[str, Any]]:
    """Return all models of the catalogue, of the configuration and of the shelf, by name. Blocks: headers are read."""
    machine = fitting.measure()
    models = {model.name: model for model in pulling.catalogue(config)}
    for held in shelf.list_local(config.home):
        models.setdefault(held.model.name, held.model)
    for model in pulling.configured(config):
        models[model.name] = model
    uses = used_by(config)
    return [_tell(model, config, machine, engines, uses) for _, model in sorted(models.items())]


def one(config: Config, engines: Engines, name: str) -> dict[str, Any]:
    """Return one model. Raises NotFound. Blocks."""
    return _tell(find(config, name), config, fitting.measure(), engines, used_by(config))


def find(config: Config, name: str) -> Model:
    """Return the model of that name or reference: of the configuration, the catalogue or the shelf. Raises NotFound, or
    BadRequest's kin ConfigError for a reference that has no right form."""
    for model in pulling.configured(config):
        if model.name == name:
            return model
    held = shelf.held(config.home, name) if "/" not in name else None
    try:
        return pulling.catalogue(config).find(name, base=config.base)
    except ConfigError as e:
        if held is not None:
            return held.model
        if e.code != "model_unknown":
            raise
        raise NotFound(e.message, code=e.code, hint=e.hint) from e


def used_by(config: Config) -> dict[str, list[str]]:
    """Return the deployments that run each model."""
    known = pulling.catalogue(config)
    found: dict[str, list[str]] = {}
    for name, deployment in config.deployments.items():
        if deployment.kind == "llamacpp" and deployment.model and deployment.endpoint is None:
            found.setdefault(known.find(deployment.model, base=config.base).name, []).append(name)
    return found


def machine(config: Config, engines: Engines) -> dict[str, Any]:
    """Return what this machine has, and what of it goes to models (bytes)."""
    found = fitting.measure()
    return {
        "machine": msgspec.to_builtins(found),
        "budget": config.engines.memory or found.memory * 7 // 10,
        "used": sum(engine.get("bytes", 0) for engine in engines.values()),
    }


def _tell(
    model: Model, config: Config, machine: fitting.Machine, engines: Engines, uses: dict[str, list[str]]
) -> dict[str, Any]:
    path = shelf.locate(config.home, model)
    here = path is not None and path.is_file()
    try:
        suits = pulling.suits(model, config, machine)
    except EngineError as e:
        suits = {"fits": False, "bytes": None, "why": e.sentences()}
    set_up = ("threads", "slots", "context", "batch", "kv_type", "bytes")
    held = shelf.held(config.home, model.name)
    return {
        "name": model.name,
        "title": model.title,
        "maker": model.maker,
        "licence": model.licence,
        "licence_url": model.licence_url,
        "family": model.family,
        "parameters": model.parameters or None,
        "quantisation": model.quantisation,
        "bytes": model.bytes or (_size(path) if here and path else None),
        "memory": suits["bytes"],
        "memory_estimated": not here,
        "context": model.context or None,
        "capabilities": sorted(model.capabilities),
        "note": model.note,
        "facts": model.facts,
        "fits": suits["fits"],
        "why": suits["why"],
        "fit": {name: suits[name] for name in set_up} if here and "threads" in suits else None,
        "here": here,
        "held_bytes": sum(file.bytes for file in held.files) if held else 0,
        "sources": [describe(source) for file in model.files[:1] for source in file.sources],
        "trust": any(not file.known for file in model.files),
        "deployments": sorted(uses.get(model.name, [])),
        "engine": _engine(engines.get(model.name)),
    }


def _engine(said: dict[str, Any] | None) -> dict[str, Any] | None:
    if said is None:
        return None
    numbers = ("rss", "bytes", "context", "slots", "busy", "waiting", "restarts")
    times = {name: said[name] // 1_000_000 if said.get(name) else None for name in ("loaded_at", "last_used")}
    told = {"state": said["state"], "reason": said.get("reason", "")}
    return {**told, **{name: said.get(name, 0) for name in numbers}, **times}


def _size(path: Path) -> int:
    return path.stat().st_size
