"""One server on one SQLite file. Knows a lock beside the database; refuses to know what a server does with it."""

from __future__ import annotations

import fcntl
import os

from freehold.core.errors import FreeholdError, StoreError
from freehold.store.by_url import sqlite_path


class Sole:
    """Holds a store for this process until `close`, or until the process dies: the kernel takes the lock back."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def sole(url: str) -> Sole:
    """Hold the store of `url` as its only server: a starting server closes all calls that it finds open, which has to
    be nobody else's. A PostgreSQL store is for several servers, and nothing is held.

    Raises FreeholdError `already_running` when another server has it, StoreError when the lock cannot be made,
    ConfigError for a URL that names no file.
    """
    path = sqlite_path(url)
    if path is None:
        return Sole(None)
    from freehold.store.sqlite import refuse_remote

    # By its real name, so that a link to the file does not lead around the lock.
    lock = f"{os.path.realpath(path)}-serve"
    refuse_remote(lock)
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        hint = "the folder has to exist and be writable for this user"
        raise StoreError(f"The lock {lock} cannot be made: {e.strerror}.", hint=hint) from e
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
        os.close(fd)
        raise FreeholdError(
            f"Another Freehold serves the store {path} already: process {holder or 'unknown'}.",
            code="already_running",
            fault="caller",
            hint="stop that one, or name another file in [store] url; several servers share a PostgreSQL store only",
        ) from e
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return Sole(fd)
