"""`up`, `serve`, `status`, `reload`, `stop`: starting the door, looking at it, telling it what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config


def register(commands: Commands) -> None:
    parser = commands.add("up", up, "prepare what is missing (data folder, models, first key) and serve")
    parser.add_argument("--prepare", action="store_true", help="prepare, but do not serve")
    commands.add("serve", serve, "serve; nothing is downloaded and no key is made")
    commands.add("status", status, "say what runs: workers, engines")
    commands.add("reload", reload, "make the running server read its configuration anew", "SIGHUP does the same.")
    commands.add("stop", stop, "make the running server stop, letting streams finish")


def up(context: Context) -> int:
    import asyncio

    from freehold.app import first_run

    config, talk = context.config, context.talk
    first_run.prepare(config, context.environment, talk)

    async def greet() -> None:
        welcome = await first_run.greet(config)
        tls = config.server.tls
        talk.result(first_run.facts(welcome), first_run.text(welcome, tls.cert if tls is not None else None))
        sys.stdout.flush()

    if context.args.prepare:
        asyncio.run(greet())
        return 0
    return _serve(context, greet)


def serve(context: Context) -> int:
    from freehold.app.first_run import base_url, folders

    folders(context.config)

    async def started() -> None:
        context.talk.say(f"serving on {base_url(context.config)}")

    return _serve(context, started)


def _serve(context: Context, started: Any) -> int:
    from freehold.app.load import load
    from freehold.app.serve import serve

    def again() -> Config:
        return load(context.args.config, context.environment)

    serve(context.config, context.environment, again, started)
    return 0


def status(context: Context) -> int:
    return _order(context, "GET", "/status")


def reload(context: Context) -> int:
    return _order(context, "POST", "/reload")


def stop(context: Context) -> int:
    return _order(context, "POST", "/stop")


def _order(context: Context, method: str, path: str) -> int:
    from freehold.app.control import ask

    answer: dict[str, Any] = ask(context.place.run, path, method=method, timeout=30.0)
    context.talk.result(answer, "\n".join(_lines(answer, "")))
    return 0


def _lines(value: dict[str, Any], indent: str) -> list[str]:
    """Return nested values for people, one line each."""
    from freehold.app.cli.output import cell

    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{key}:", *_lines(item, indent + "  ")]
        elif isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            lines.append(f"{indent}{key}:")
            lines += [indent + "  " + "  ".join(f"{name}={cell(part)}" for name, part in each.items()) for each in item]
        else:
            lines.append(f"{indent}{key}: {cell(item)}")
    return lines
