"""The `freehold` command: runs one command and renders its error. The one try/except of the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from freehold import __version__

if TYPE_CHECKING:
    from freehold.app.cli.output import Talk

OK, FAILURE, USAGE, CONFIG, UNAVAILABLE, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 130, 141
EXIT_CODES = {
    OK: "done",
    FAILURE: "failed: a name is unknown, a file exists already, a call is refused, what was checked is not sound",
    USAGE: "the command line is wrong: an unknown command or option, or a value that cannot be read",
    CONFIG: "freehold.toml, a file that it names or an environment variable is wrong",
    UNAVAILABLE: "something needed is not there: the store, an engine, a vendor, the network, a running server",
    INTERRUPTED: "interrupted from the keyboard",
    PIPE: "the reader of the output went away",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but a bug in this function raises."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        with suppress(BrokenPipeError):
            print(f"freehold {__version__}", flush=True)
            return OK
    # Everything else is imported late: `--version` and shell completion must cost next to nothing.
    from freehold.app.cli.output import settle

    try:
        return _run(arguments)
    finally:
        settle(sys.stdout)
        settle(sys.stderr)


def _run(arguments: list[str]) -> int:
    from freehold.app.cli.output import Talk, UsageError
    from freehold.app.cli.parser import Context, parse
    from freehold.app.environment import read

    environment = read()
    try:
        parsed = parse(arguments)
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else USAGE
    except UsageError as e:
        return fail(e, Talk(json="--json" in arguments, plain=environment.plain))
    talk = Talk(json=parsed.json, quiet=parsed.quiet, plain=environment.plain)
    try:
        code = int(parsed.run(Context(parsed, talk, environment)) or OK)
    except KeyboardInterrupt:
        talk.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return PIPE
    except Exception as e:
        talk.end()
        if parsed.debug:
            raise
        return fail(e, talk)
    return code if _written(talk) else FAILURE


def _written(talk: Talk) -> bool:
    """Write out what waits for stdout; say so when it has no room. A reader that went away is no failure of ours."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as e:
        fail(e, talk)
        return False
    return True


def fail(error: Exception, talk: Talk) -> int:
    """Say what went wrong in one clear line and what to do in another; return the exit code."""
    from msgspec import to_builtins

    from freehold.app.cli.output import UsageError
    from freehold.core import errors

    if isinstance(error, UsageError):
        if error.usage and not talk.json:
            talk.say(error.usage.rstrip())
        talk.error(error.message, error.hint, error.code)
        return USAGE
    if isinstance(error, errors.FreeholdError):
        problems = [to_builtins(problem) for problem in getattr(error, "problems", ())]
        talk.error(error.message, error.hint, error.code, problems)
        if isinstance(error, errors.ConfigError):
            return CONFIG
        unavailable = (errors.StoreError, errors.EngineError, errors.UpstreamError, errors.Unroutable)
        return UNAVAILABLE if isinstance(error, unavailable) else FAILURE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        talk.error(f"{where}{error.strerror or error}", _advice(error), "os_error")
        return FAILURE
    talk.error(
        f"{type(error).__name__}: {error}",
        "this is a bug of ours; run again with --debug and report it",
        "internal_error",
    )
    return FAILURE


def _advice(error: OSError) -> str:
    import errno

    return {
        errno.ENOSPC: "the disk is full; free some space and run it again, what was finished is kept",
        errno.EDQUOT: "the disk quota is used up; free some space and run it again",
        errno.EACCES: "check who owns it and its permissions",
        errno.EPERM: "check who owns it and its permissions",
        errno.EROFS: "the file system is read-only; the data folder lies where you start, or beside the file that "
        "--config names; models go where FREEHOLD_HOME says",
    }.get(error.errno or 0, "")
