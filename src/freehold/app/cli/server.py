"""`up`, `serve`, `status`, `reload`, `stop`: starting the door, looking at it, telling it what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config


def register(commands: Commands) -> None:
    parser = commands.add("up", up, "prepare what is missing (data folder, models, first key) and serve")
    parser.add_argument("--prepare", action="store_true", help="prepare, but do not serve")
    for each in (parser, commands.add("serve", serve, "serve; nothing is downloaded and no key is made")):
        each.add_argument("--listen", metavar="HOST:PORT", help="address to listen on, before [server] listen")
    commands.add("status", status, "say what runs: address, workers, engines")
    commands.add("reload", reload, "make the running server read its configuration anew", "SIGHUP does the same.")
    commands.add("stop", stop, "make the running server stop, letting streams finish")


def up(context: Context) -> int:
    import asyncio

    from freehold.app import first_run

    config, talk = context.config, context.talk
    first_run.prepare(config, context.environment, talk, serving=not context.args.prepare)

    async def greet() -> None:
        welcome = await first_run.greet(config)
        tls = config.server.tls
        talk.result(first_run.facts(welcome), first_run.text(welcome, tls.cert if tls is not None else None))
        _warn(context)

    if context.args.prepare:
        asyncio.run(greet())
        return 0
    return _serve(context, greet)


def serve(context: Context) -> int:
    from freehold.app.first_run import base_url, folders, page

    folders(context.config)

    async def started() -> None:
        context.talk.say(f"serving on {base_url(context.config)}")
        address = await page(context.config)
        if "#" in address:
            context.talk.say(f"the first visit makes the owner: {address}")
        _warn(context)

    return _serve(context, started)


def _warn(context: Context) -> None:
    """Name each model that a deployment wants and that is not here: calls to it fail, and say the same."""
    import os

    from freehold.app import pulling
    from freehold.app.upkeep import absent
    from freehold.engines import shelf

    if not any(deployment.kind == "llamacpp" for deployment in context.config.deployments.values()):
        return
    for model in pulling.configured(context.config):
        path = shelf.locate(context.config.home, model)
        if path is None or not os.path.isfile(path):
            error = absent(model)
            context.talk.say(f"warning: {error.sentences()}")


def _serve(context: Context, started: Any) -> int:
    from freehold.app.load import load
    from freehold.app.serve import serve

    def again() -> Config:
        return load(context.args.config, context.environment, listen=context.args.listen)

    serve(context.config, context.environment, again, started)
    return 0


def status(context: Context) -> int:
    answer = _order(context, "GET", "/status")
    context.talk.result(answer, "\n".join(_status(answer)))
    return 0


def reload(context: Context) -> int:
    answer = _order(context, "POST", "/reload")
    changed, later = answer["changed"], answer["needs_restart"]
    text = f"in force: {len(changed)} changed ({', '.join(changed)})" if changed else "in force: nothing changed"
    context.talk.result(answer, text + (f"\nonly after a restart: {', '.join(later)}" if later else ""))
    return 0


def stop(context: Context) -> int:
    context.talk.result(_order(context, "POST", "/stop"), "stopping, once running streams have finished")
    return 0


def _order(context: Context, method: str, path: str) -> dict[str, Any]:
    from freehold.app.control import ask

    answer: dict[str, Any] = ask(context.place.run, path, method=method, timeout=30.0)
    return answer


def _status(answer: dict[str, Any]) -> Iterator[str]:
    """Yield what `status` says to people."""
    from freehold.app.cli.output import span, table
    from freehold.core.clock import iso, now_ns

    loading = f"not ready: {', '.join(answer['loading'])}" if answer["loading"] else "not ready"
    yield f"Freehold {answer['version']} at {answer['url']}, {'ready' if answer['ready'] else loading}"
    up = span((now_ns() - answer["started"]) / 1e9)
    yield f"  up       {up}, since {iso(answer['started'])[:19]}Z, process {answer['pid']}"
    yield f"  file     {answer['file'] or 'none, defaults alone'}"
    yield f"  data     {answer['data']}"
    workers = answer["workers"]
    pids = ", ".join(str(worker["pid"]) for worker in workers)
    crashes = sum(worker["crashes"] for worker in workers)
    yield f"  workers  {sum(w['ready'] for w in workers)} of {len(workers)} ready (processes {pids})" + (
        f", {crashes} crashes" if crashes else ""
    )
    if answer["engines"]:
        columns = ("model", "state", "memory", "context", "busy", "waiting", "used", "why")
        yield from ("", *table([_engine(engine) for engine in answer["engines"]], columns).splitlines())


def _engine(engine: dict[str, Any]) -> list[str]:
    """Return the cells of one engine; one that was not started yet says little of itself."""
    from freehold.app.cli.output import size, span
    from freehold.core.clock import now_ns

    used = engine.get("last_used")
    return [
        engine["name"],
        engine["state"],
        size(engine["rss"]) if engine.get("rss") else "-",
        str(engine.get("context") or "-"),
        str(engine.get("busy") or "-"),
        str(engine.get("waiting") or "-"),
        f"{span((now_ns() - used) / 1e9)} ago" if used else "-",
        engine.get("reason") or "",
    ]
