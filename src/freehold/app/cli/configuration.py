"""`check`, `diff`, `schema`: what the configuration says, what runs, and what could be said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context

_ABSENT = object()


def register(commands: Commands) -> None:
    checked = commands.add(
        "check",
        check,
        "read the configuration and print what is not as by default, with its origin",
        "Builds all that `serve` would build, and opens nothing. With --json every value is told.",
    )
    checked.add_argument("--all", action="store_true", help="every value in force, defaults too")
    commands.add("diff", diff, "compare the configuration with what runs", "Exit code 1 when they differ.")
    parser = commands.add("schema", schema, "print the JSON schema of freehold.toml")
    parser.add_argument("--markdown", action="store_true", help="the reference page instead")


def check(context: Context) -> int:
    from freehold.app import shown as telling
    from freehold.app.load import defaults
    from freehold.app.rehearsal import rehearse

    config = context.config
    rehearse(config)
    usual = defaults(config)
    rows = [
        {"setting": row["name"], "value": row["value"], "origin": row["origin"]} for row in telling.settings(config)
    ]
    if context.talk.json:
        context.talk.result({"file": str(config.path) if config.path else None, "hash": config.hash, "settings": rows})
        return 0
    context.talk.say(f"file: {config.path or 'none, defaults alone'}")
    shown = [
        {**row, "value": json.dumps(row["value"], ensure_ascii=False)}
        for row in rows
        if context.args.all or row["origin"] != "default" or row["value"] != usual.get(row["setting"], _ABSENT)
    ]
    context.talk.rows(shown, ("setting", "value", "origin"))
    left = len(rows) - len(shown)
    context.talk.say(
        f"hash: {config.hash}" + (f"; {left} settings are as by default, --all shows them" if left else "")
    )
    return 0


def diff(context: Context) -> int:
    from freehold.app.control import ask
    from freehold.app.load import effective
    from freehold.app.shown import differences

    config = context.config
    running: dict[str, Any] = ask(config.run, "/config")
    ours, theirs = effective(config), running["effective"]
    rows = [{"setting": row["name"], "runs": row["runs"], "file": row["file"]} for row in differences(theirs, ours)]
    if context.talk.json:
        context.talk.result({"same": not rows, "hash": {"runs": running["hash"], "file": config.hash}, "changes": rows})
    else:
        shown = [{key: value if key == "setting" else json.dumps(value) for key, value in row.items()} for row in rows]
        context.talk.rows(shown, ("setting", "runs", "file"), "no difference")
    return 1 if rows else 0


def schema(context: Context) -> int:
    from freehold.app import reference

    if context.args.markdown:
        context.talk.text(reference.settings().rstrip())
    else:
        context.talk.text(json.dumps(reference.schema(), indent=2))
    return 0
