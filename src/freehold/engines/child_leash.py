"""Ties a foreign server to us: `python -m freehold.engines.child_leash PARENT COMMAND...` becomes COMMAND, ending with
PARENT. Refuses to know what it runs."""

from __future__ import annotations

import os
import sys

from freehold.engines.child import die_with


def main() -> None:
    """Ask the kernel for the end, then become the command: what was asked survives the change."""
    die_with(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as e:
        print(f"cannot run {sys.argv[2]}: {e.strerror}", file=sys.stderr)
        os._exit(127)


if __name__ == "__main__":
    main()
