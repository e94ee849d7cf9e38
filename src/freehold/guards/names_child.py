"""Finds names and places in texts, in a process of its own. Knows a line in and a line out; refuses to know who asks.

`python -m freehold.guards.names_child MEMORY` says `{"ready": true}` once the model is loaded, or `{"missing": "..."}`
and ends. Then each line of standard input is `[text, ...]` and is answered by one line, `[[[kind, start, end], ...],
...]`. Memory and files are bounded; it ends with its standard input, or with the process that started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from freehold.guards.names_cues import cues, joined

if TYPE_CHECKING:
    from freehold.guards.names_model import NamesModel

_PR_SET_PDEATHSIG = 1
_PIECE = 20_000  # characters looked at together; their words bound the memory that one text takes


def main() -> None:
    """Load, then answer line by line until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt at the terminal is for the one that started this
    _bound(int(sys.argv[1]))
    try:
        from freehold.guards.names_model import NamesModel, folder  # noqa: PLC0415 (numpy, wanted in this process alone)

        model = NamesModel(folder())
    except (ImportError, FileNotFoundError) as error:
        _say({"missing": str(error)})
        return
    _say({"ready": True})
    for line in sys.stdin.buffer:
        _say([_found(model, text) for text in msgspec.json.decode(line, type=list[str])])


def _found(model: NamesModel, text: str) -> list[tuple[str, int, int]]:
    """What is in a text, looked at piece by piece; pieces end at white space where there is some."""
    found: list[tuple[str, int, int]] = []
    at = 0
    while at < len(text):
        end = len(text)
        if end - at > _PIECE:
            end = max(text.rfind("\n", at + 1, at + _PIECE), text.rfind(" ", at + 1, at + _PIECE))
            end = end if end > at else at + _PIECE
        piece = text[at:end]
        found += [(kind, at + start, at + stop) for kind, start, stop in joined(cues(piece), model.find(piece))]
        at = end
    return found


def _say(answer: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def _bound(memory: int) -> None:
    """Bytes of address space, no file larger than a pipe, no core, and not to outlive its parent."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # not everywhere, and not needed: input ends too
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
