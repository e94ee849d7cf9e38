"""The `freehold` command: runs one command and renders its error. The one try/except of the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freehold import __version__

if TYPE_CHECKING:
    from freehold.app.cli.output import Talk

OK, FAILURE, USAGE, CONFIG, UNAVAILABLE, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 130, 141
EXIT_CODES = {
    OK: "done",
    FAILURE: "failed, or what was checked is not as it should be",
    USAGE: "the command line is wrong",
    CONFIG: "freehold.toml, a flag or an environment variable is wrong",
    UNAVAILABLE: "something needed is not there: the store, an engine, a vendor, the network, a running server",
    INTERRUPTED: "interrupted from the keyboard",
    PIPE: "the reader of the output went away",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but a bug in this function raises."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        print(f"freehold {__version__}")
        return OK
    # Everything else is imported late: `--version` and shell completion must cost next to nothing.
    from freehold.app.cli.output import Talk
    from freehold.app.cli.parser import Context, parse
    from freehold.app.environment import read

    try:
        parsed = parse(arguments)
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else USAGE
    environment = read()
    talk = Talk(json=parsed.json, quiet=parsed.quiet, plain=environment.plain)
    try:
        code = int(parsed.run(Context(parsed, talk, environment)) or OK)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        talk.end()
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE
    except Exception as e:
        talk.end()
        if parsed.debug:
            raise
        return fail(e, talk)


def fail(error: Exception, talk: Talk) -> int:
    """Say what went wrong in one clear line and what to do in another; return the exit code."""
    from freehold.core import errors

    if isinstance(error, errors.FreeholdError):
        talk.error(error.message, error.hint, error.code)
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
        errno.EROFS: "the file system is read-only; choose another folder with --config or FREEHOLD_HOME",
    }.get(error.errno or 0, "")
