"""The grammar of the command line, and what a command is handed. Each group of commands registers itself here."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from freehold import __version__
from freehold.app.cli import (
    chat,
    configuration,
    console,
    contracts,
    dependency,
    doctor,
    gap,
    guards,
    history,
    keys,
    ledger,
    members,
    models,
    seen,
    server,
    settle,
    teams,
    vault,
)
from freehold.app.cli.output import Talk, UsageError

if TYPE_CHECKING:
    from freehold.app.environment import Environment
    from freehold.app.place import Kept, Place
    from freehold.app.settings import Config

_GROUPS = (
    server, configuration, doctor, console, models, keys, teams, members, ledger, contracts, dependency, gap, settle,
    seen, guards, vault, chat, history,
)  # fmt: skip


class Context:
    """What a command works with: its arguments, its voice, the environment, and the configuration once asked for."""

    def __init__(self, args: argparse.Namespace, talk: Talk, environment: Environment) -> None:
        self.args = args
        self.talk = talk
        self.environment = environment
        self._config: Config | None = None

    @property
    def config(self) -> Config:
        """The configuration, read on first use. Raises ConfigError."""
        if self._config is None:
            from freehold.app.load import load

            self._config = load(self.args.config, self.environment, listen=getattr(self.args, "listen", None))
        return self._config

    @property
    def place(self) -> Place:
        """Where things are; nothing is read. Raises ConfigError when a file that was named is not there."""
        from pathlib import Path

        from freehold.app.place import locate

        return locate(self.args.config, self.environment, Path.cwd())

    @property
    def kept(self) -> Kept:
        """The store, whatever else the file says: who ends a key must not mend a deployment first."""
        from freehold.app.place import kept

        found = kept(self.place, self.environment)
        if found.broken:
            self.talk.say(f"freehold: {found.broken}; going by the server that runs")
        return found


class Grammar(argparse.ArgumentParser):
    """A parser that raises UsageError instead of printing and ending the process."""

    def error(self, message: str) -> NoReturn:
        names = self._commands()
        if names and message.endswith("required: COMMAND"):
            self._refuse("which command?", f"one of {', '.join(names)}", self.format_help())
        self._refuse(message, f"`{self.prog} --help` says more", self.format_usage())

    def _refuse(self, message: str, hint: str, usage: str) -> NoReturn:
        name = self.prog.removeprefix("freehold").strip()
        raise UsageError(f"{name}: {message}" if name else message, hint=hint, usage=usage)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            near = difflib.get_close_matches(value, action.choices, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(self._commands())}"
            self._refuse(f"no such command: {value!r}", hint, self.format_usage())
        super()._check_value(action, value)

    def _commands(self) -> list[str]:
        found = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return list(found[0]) if found else []


class Commands:
    """Where groups of commands register: `add` for a command, `group` for one with commands of its own."""

    def __init__(self, subparsers: Any, shared: argparse.ArgumentParser) -> None:
        self._subparsers = subparsers
        self._shared = shared

    def add(
        self, name: str, run: Callable[[Context], int | None], help: str, more: str = ""
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._subparsers.add_parser(
            name, help=help, description=f"{help[0].upper()}{help[1:]}. {more}".strip(), parents=[self._shared]
        )
        parser.set_defaults(run=run)
        return parser

    def group(self, name: str, help: str) -> Commands:
        parser = self._subparsers.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        return Commands(inner, self._shared)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line says. Raises UsageError, and SystemExit where --help or --version was asked for."""
    # The defaults stand here and not in the parser: a subcommand's own would undo what stood before its name.
    return build().parse_args(arguments, argparse.Namespace(config=None, json=False, quiet=False, debug=False))


def build() -> argparse.ArgumentParser:
    """Return the whole grammar."""
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options = shared.add_argument_group("everywhere")
    options.add_argument(
        "--config", metavar="PATH", help="configuration file (default: ./freehold.toml, then the user's own)"
    )
    options.add_argument("--json", action="store_true", help="results, and errors, as JSON")
    options.add_argument("--quiet", "-q", action="store_true", help="no talk, errors only")
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = Grammar(
        prog="freehold",
        description="One self-hosted door to every AI model, one's own models behind it, "
        "and a ledger that nothing leaves without.",
        epilog="Start with `freehold up`. Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 unavailable, "
        "130 interrupted.",
        parents=[shared],
    )
    parser.add_argument("--version", "-V", action="version", version=f"freehold {__version__}")
    commands = Commands(parser.add_subparsers(title="commands", metavar="COMMAND", required=True), shared)
    for group in _GROUPS:
        group.register(commands)
    return parser
