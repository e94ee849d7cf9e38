"""`up`, `serve`, `status`: starting the door and looking at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context


def register(commands: Commands) -> None:
    up_ = commands.add("up", up, "prepare what is missing (data folder, models, first key) and serve")
    up_.add_argument("--prepare", action="store_true", help="prepare, but do not serve")
    commands.add("serve", serve, "serve; nothing is downloaded and no key is made")
    commands.add("status", status, "say what runs: workers, engines, ledger")


def up(context: Context) -> int:
    from freehold.app import first_run

    prepared = first_run.prepare(context.config, context.environment, context.talk)
    if context.args.prepare:
        context.talk.result(first_run.facts(context.config, prepared), first_run.welcome(context.config, prepared))
        return 0
    from freehold.app.serve import run

    def ready() -> None:
        if context.talk.json:
            context.talk.result(first_run.facts(context.config, prepared))
        else:
            print(first_run.welcome(context.config, prepared), flush=True)

    return run(context.config, on_ready=ready)


def serve(context: Context) -> int:
    from freehold.app import first_run
    from freehold.app.serve import run

    first_run.folders(context.config)
    first_run.check_port(*context.config.address)
    return run(context.config, on_ready=lambda: context.talk.say(f"serving on {first_run.base_url(context.config)}"))


def status(context: Context) -> int:
    from freehold.app.control import ask

    answer: dict[str, Any] = ask(context.config.run, "/status")
    if context.talk.json:
        context.talk.result(answer)
    else:
        print("\n".join(_lines(answer, "")))
    return 0


def _lines(value: Any, indent: str) -> list[str]:
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{key}:", *_lines(item, indent + "  ")]
        elif isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            lines.append(f"{indent}{key}:")
            for each in item:
                lines.append(f"{indent}  " + "  ".join(f"{name}={part}" for name, part in each.items()))
        else:
            lines.append(f"{indent}{key}: {item}")
    return lines
