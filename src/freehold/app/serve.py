"""Starts the server: one per store, one address, then the supervisor until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import resource
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from freehold import store
from freehold.app import logs
from freehold.app.config import FILE
from freehold.app.control import ask
from freehold.app.desk import open_desk
from freehold.app.environment import Environment
from freehold.app.rehearsal import rehearse
from freehold.app.settings import Config
from freehold.app.supervisor import Supervisor
from freehold.app.upkeep import Upkeep
from freehold.core.errors import ConfigError, FreeholdError

LOCK = "serve.lock"


def serve(
    config: Config,
    environment: Environment,
    load: Callable[[], Config],
    started: Callable[[], Awaitable[None]],
) -> None:
    """Serve `config` until a signal ends it. `load` reads the configuration anew; `started` runs when calls are taken.

    Raises FreeholdError when the configuration cannot be built, the address or the store is taken, or a worker
    cannot start.
    """
    logs.configure(config.server.log)
    rehearse(config)
    _many_files()
    with ExitStack() as held:
        held.callback(os.close, only_one(config.run))
        held.callback(store.sole(config.store_url).close)
        listening = held.enter_context(bind(config))
        asyncio.run(_run(config, environment, listening, load, started))


async def _run(
    config: Config,
    environment: Environment,
    listening: socket.socket,
    load: Callable[[], Config],
    started: Callable[[], Awaitable[None]],
) -> None:
    upkeep = await Upkeep.open(config, environment)
    supervisor = Supervisor(config, environment, listening, upkeep, load)
    desk = await open_desk(supervisor, config.run)
    try:
        await supervisor.run(started)
    finally:
        await desk.close_gracefully(0.0)


def bind(config: Config) -> socket.socket:
    """Return a socket that listens. Raises FreeholdError that names who has the port, if that shows."""
    host, port = config.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as e:
        listening.close()
        raise _unbound(e, host, port, config.path or config.base / FILE) from e
    listening.setblocking(False)
    return listening


def _unbound(e: OSError, host: str, port: int, file: Path) -> FreeholdError:
    def where(port: int) -> str:
        return f"{f'[{host}]' if ':' in host else host}:{port}"

    if e.errno == errno.EADDRINUSE:
        holder = _holder(port)
        return FreeholdError(
            f"Port {port} is in use" + (f" by {holder}." if holder else "."),
            code="port_in_use",
            fault="caller",
            hint=f"stop that process, or take another address: `--listen {where(port + 1)}` for once, "
            f'or [server] listen = "{where(port + 1)}" in {file}',
        )
    if e.errno == errno.EACCES:
        hint = f"ports below 1024 need rights that this user lacks; take a higher one: [server] listen in {file}"
    else:
        hint = f"[server] listen in {file} wants an address of this machine, such as 127.0.0.1:8080"
    return ConfigError(f"Cannot listen on {where(port)}: {e.strerror}.", hint=hint)


def _holder(port: int) -> str:
    """Return the process that listens on `port`, as far as Linux shows it to this user; "" otherwise."""
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(wanted) and fields[3] == "0A":
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            for fd in (process / "fd").iterdir():
                if os.readlink(fd) in inodes:
                    return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def only_one(run: Path) -> int:
    """Hold the run folder for this process. Raises FreeholdError when another server has it."""
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(run.stat().st_mode) & 0o077:
        run.chmod(0o700)
    lock = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        holder = os.read(lock, 32).decode(errors="replace").strip()
        os.close(lock)
        address = _address_of(run)
        raise FreeholdError(
            f"Freehold is already running from this folder: {address or 'just starting'}, process {holder}.",
            code="already_running",
            fault="caller",
            hint="`freehold status` says more, `freehold stop` ends it; a second one needs its own file, --config",
        ) from e
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _address_of(run: Path) -> str:
    """Return where the server that runs here can be reached, as far as it says so."""
    with suppress(FreeholdError):
        return str(ask(run, "/status", timeout=2.0).get("url", ""))
    return ""


def _many_files() -> None:
    """Allow as many open sockets as the system lets this user have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
