"""Ties a program to us: `python -I -S leash.py PARENT COMMAND...` becomes COMMAND, ending with PARENT. Run as a file,
so that it starts in no time; refuses to know what it runs."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for the end, then become the command: what was asked survives the change."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):  # it had ended before we could ask
        os._exit(4)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as e:
        print(f"cannot run {sys.argv[2]}: {e.strerror}", file=sys.stderr)
        os._exit(127)


if __name__ == "__main__":
    main()
