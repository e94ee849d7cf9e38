"""`doctor`: looks at everything that the house stands on and says what to do about what is not well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config

Finding = tuple[str, str, str, str]
"""What was looked at; "ok", "warn" or "fail"; what was found; what to do."""


def register(commands: Commands) -> None:
    commands.add(
        "doctor",
        doctor,
        "look at everything that Freehold stands on",
        "Nothing is sent to anybody. Exit code 1 when something is not well.",
    )


def doctor(context: Context) -> int:
    findings = list(_findings(context))
    rows = [dict(zip(("what", "state", "found", "to do"), finding, strict=True)) for finding in findings]
    context.talk.rows(rows, ("what", "state", "found", "to do"))
    return 1 if any(state == "fail" for _, state, _, _ in findings) else 0


def _findings(context: Context) -> Iterator[Finding]:
    import platform

    yield "python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}", ""
    from freehold.app.config import Problems
    from freehold.app.rehearsal import rehearse
    from freehold.core.errors import ConfigError

    try:
        config = context.config
        rehearse(config)
    except Problems as e:
        for problem in e.problems:
            yield "configuration", "fail", f"{problem.where}: {problem.message}".removeprefix(": "), problem.hint
        return
    except ConfigError as e:
        yield "configuration", "fail", e.message, e.hint
        return
    deployments = f"{len(config.deployments)} deployments, {len(config.all_routes())} public names"
    yield "configuration", "ok", f"{config.path or 'defaults'}: {deployments}", ""
    for look in (_folders, _disk, _store, _server, _packages, _models, _memory, _page):
        yield from _guarded(look, config)


def _guarded(look: Callable[[Config], Iterator[Finding]], config: Config) -> Iterator[Finding]:
    """A look that fails is a finding, so that the others are still had."""
    from freehold.core.errors import FreeholdError

    name = look.__name__.strip("_")
    try:
        yield from look(config)
    except FreeholdError as e:
        yield name, "fail", e.message, e.hint
    except OSError as e:
        yield name, "fail", str(e), "check the path and its permissions"


def _folders(config: Config) -> Iterator[Finding]:
    from freehold.app.first_run import folders

    folders(config)
    yield "folders", "ok", f"data {config.data}, models {config.home / 'models'}", ""
    if config.run.parent != config.data:
        yield "folders", "ok", f"sockets {config.run}, as the data folder's path is too long for them", ""


def _disk(config: Config) -> Iterator[Finding]:
    import shutil

    from freehold.app.cli.output import size

    free = shutil.disk_usage(config.data).free
    state, advice = ("ok", "") if free > 2 * 10**9 else ("warn", "free some space: the ledger and models grow")
    yield "disk", state, f"{size(free)} free at {config.data}", advice


def _store(config: Config) -> Iterator[Finding]:
    from freehold import access
    from freehold.app.cli.stored import run

    keys = run(config, access.list_keys)
    active = sum(1 for key in keys if key.revoked_at is None)
    advice = "" if active else "`freehold keys create NAME`"
    yield "store", "ok" if active else "warn", f"{config.store.url.partition(':')[0]}, {active} active keys", advice


def _server(config: Config) -> Iterator[Finding]:
    from freehold.app.control import NotRunning, ask

    try:
        state = ask(config.run, "/status")
    except NotRunning:
        from freehold.app.serve import bind

        bind(config).close()
        yield "server", "ok", "not running; its address is free", ""
        return
    ready, loading = state.get("ready"), ", ".join(state.get("loading", ()))
    yield "server", "ok" if ready else "warn", "ready" if ready else f"running, loading {loading}", ""
    if ask(config.run, "/config")["hash"] != config.hash:
        yield "server", "warn", "runs another configuration than the file's", "`freehold diff`, then `freehold reload`"


def _packages(config: Config) -> Iterator[Finding]:
    from importlib import metadata

    wanted = {"uvloop": True, "httptools": True, "msgspec": True}
    wanted["xllamacpp"] = any(d.kind == "llamacpp" for d in config.deployments.values())
    wanted["asyncpg"] = config.store.url.startswith("postgres")
    for name, needed in wanted.items():
        try:
            yield "packages", "ok", f"{name} {metadata.version(name)}", ""
        except metadata.PackageNotFoundError:
            if needed:
                extra = {"xllamacpp": "freehold[local]", "asyncpg": "freehold[postgres]"}.get(name, "freehold")
                yield "packages", "fail", f"{name} is not installed", f"pip install '{extra}'"


def _models(config: Config) -> Iterator[Finding]:
    from freehold.app import pulling
    from freehold.engines import shelf

    for model in pulling.configured(config):
        if shelf.locate(config.home, model) is None:
            yield "models", "fail", f"{model.name} is not here", f"`freehold models pull {model.name}`"
        else:
            yield "models", "ok", f"{model.name} is here", ""


def _memory(config: Config) -> Iterator[Finding]:
    from freehold.app import pulling
    from freehold.app.cli.output import size
    from freehold.engines.fit import measure

    machine = measure()
    needed = sum(pulling.needs(config, model, machine)[1] for model in pulling.configured(config))
    state = "ok" if needed < (config.engines.memory or 0.7 * machine.memory) else "warn"
    advice = "" if state == "ok" else "not all models are awake at once; `freehold models fit` says more"
    yield "memory", state, f"{size(machine.memory)}; the models of the configuration take about {size(needed)}", advice


def _page(config: Config) -> Iterator[Finding]:
    from importlib import resources

    there = resources.files("freehold").joinpath("console", "static", "vendor", "preact.mjs").is_file()
    advice = "" if there else "run `make up` in the checkout, or install a released wheel"
    yield "page", "ok" if there else "warn", "complete" if there else "its packages are missing", advice
