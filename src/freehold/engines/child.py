"""An engine child: one model in one process, served over a private UNIX socket. Refuses to start without its manager.

Started as `python -m freehold.engines.child`; its settings come as one line of JSON on standard input, its one line
`{"ready": true, ...}` or `{"error": {...}}` goes to standard output. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from typing import NoReturn

import msgspec
import uvloop

from freehold.core.errors import FreeholdError
from freehold.engines.llama.native import Native, resident_bytes
from freehold.engines.llama.service import Service
from freehold.engines.llama.settings import ChildSettings
from freehold.wire.server import Limits, listen

_PR_SET_PDEATHSIG = 1
_DRAIN_SECONDS = 5.0


def main() -> NoReturn:
    """Load, serve, end. Leaves by os._exit: llama.cpp's own clean-up can abort while a reader is about."""
    control = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what native code prints goes to the log, not into our answer
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=ChildSettings)
    os.umask(0o177)  # whatever is made from here on, sockets above all, is for this user alone
    die_with(settings.parent)
    with contextlib.suppress(OSError):
        os.nice(settings.nice)
    native = Native(settings)
    try:
        native.load()
    except FreeholdError as e:
        _say(control, {"error": {"message": e.message, "code": e.code, "hint": e.hint}})
        os._exit(3)
    except ImportError as e:
        message = f"xllamacpp is not installed: {e}"
        hint = "install Freehold with its `local` extra: pip install 'freehold[local]'"
        _say(control, {"error": {"message": message, "code": "engine_missing", "hint": hint}})
        os._exit(3)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(_serve(native, control))
        os._exit(status)


def _say(control: object, line: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        control.write(msgspec.json.encode(line) + b"\n")  # type: ignore[attr-defined]


def die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens. On Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:  # it had ended before we could ask
        os._exit(4)


async def _serve(native: Native, control: object) -> int:
    settings = native.settings
    service = Service(native)
    server = await listen(
        service.handle,
        path=settings.socket,
        limits=Limits(body_bytes=settings.body_bytes, keepalive_seconds=3600, body_seconds=600),
        on_error=service.refuse,
    )
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_reader(0, _watch_input, stop)
    _say(control, {"ready": True, "rss": resident_bytes(), "vision": native.caps.vision})
    await stop.wait()
    await server.close_gracefully(_DRAIN_SECONDS)
    with contextlib.suppress(OSError):
        os.unlink(settings.native_socket)
    return 0


def _watch_input(stop: asyncio.Event) -> None:
    try:
        ended = not os.read(0, 4096)
    except BlockingIOError:
        return
    except OSError:
        ended = True
    if ended:
        asyncio.get_running_loop().remove_reader(0)
        stop.set()


if __name__ == "__main__":
    main()
