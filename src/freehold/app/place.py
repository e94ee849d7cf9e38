"""Where a house keeps its things: file, folders, store. Found without judging what else the file says."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from freehold.app import environment as env
from freehold.app.config import Problems, Reader, find, parse
from freehold.app.control import ask
from freehold.app.settings import Library, Store, with_password
from freehold.core.errors import ConfigError, FreeholdError

SOCKET_PATH = 76
"""Longest run folder, bytes: a UNIX socket's whole path must stay under 108, and names, their slash included, take up
to 31: see `Engine._file`."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The file, which may be broken, and the folders that go with it wherever it is."""

    path: Path | None  # the file; None when there is none
    base: Path  # the folder that relative paths start from
    data: Path  # data folder: database, lock, sockets
    run: Path  # folder of the sockets, inside `data` unless its path is too long for a UNIX socket
    home: Path  # folder that downloaded models are kept under


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of work on the store needs to know. A Config knows it too."""

    data: Path
    run: Path
    store_url: str  # with the password, for the store alone
    broken: str = ""  # what is wrong with the file, when it is the running server that named the store


def locate(path: str | None, environment: env.Environment, cwd: Path) -> Place:
    """Return where things are. Nothing is read. Raises ConfigError when a file that was named does not exist."""
    file = find(path, environment, cwd)
    data = _data_folder(file, cwd, environment)
    return Place(
        path=file,
        base=file.parent if file is not None else cwd,
        data=data,
        run=_run_folder(data, environment),
        home=_home(data, environment),
    )


def kept(place: Place, environment: env.Environment) -> Kept:
    """Return the store that `[store]` names, whatever the rest of the file is worth.

    A file that cannot be read at all, or whose `[store]` cannot, leaves the word to the server that runs. Raises
    ConfigError when there is none.
    """
    try:
        store = _written(place, environment)
        broken = ""
    except ConfigError as e:
        store, broken = _running(place, environment, e), e.message.splitlines()[0]
    return Kept(data=place.data, run=place.run, store_url=with_password(store), broken=broken)


def library(place: Place, environment: env.Environment) -> Library:
    """Return what `[library]` says, whatever the rest of the file is worth. Raises ConfigError."""
    reader = Reader(place.base, environment)
    raw = parse(place.path).get("library", {}) if place.path is not None else {}
    found = reader.table(Library, raw, "library") or Library()
    if reader.problems:
        raise Problems(place.path, reader.problems)
    return found


def _written(place: Place, environment: env.Environment) -> Store:
    reader = Reader(place.base, environment)
    raw = parse(place.path).get("store", {}) if place.path is not None else {}
    store = reader.table(Store, raw, "store") or Store()
    check_store(store.url, reader)
    if reader.problems:
        raise Problems(place.path, reader.problems)
    return msgspec.structs.replace(store, url=store_url(store, place.base, place.data, reader.origins))


def _running(place: Place, environment: env.Environment, wrong: ConfigError) -> Store:
    """Return the store of the server that runs here. Raises `wrong` when none does."""
    try:
        effective: dict[str, Any] = ask(place.run, "/config")["effective"]
    except FreeholdError:
        raise wrong from None
    reader = Reader(place.base, environment)
    source = effective.get("store.password")
    password = None
    if source:
        kind, _, name = source.partition(":")
        password = reader.secret({kind: name}, "store.password")
        if password is None:
            raise Problems(place.path, reader.problems) from wrong
    return Store(url=effective["store.url"], password=password)


def check_store(url: str, reader: Reader) -> None:
    """Note what is wrong with the URL of a store."""
    where, usage = "store.url", "sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    scheme, _, rest = url.partition(":")
    if scheme not in ("sqlite", "postgresql", "postgres"):
        reader.note(where, f"{scheme!r} is no store", usage)
    elif scheme == "sqlite" and not rest.strip("/"):
        reader.note(where, "names no file", usage)
    elif scheme != "sqlite" and _password(url):
        reader.note(where, "a secret must not stand in the file", 'add password = { env = "NAME" } under [store]')


def _password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


def store_url(store: Store, base: Path, data: Path, origins: dict[str, str]) -> str:
    """Return the URL with an absolute path: four slashes, as sqlite:////srv/freehold.db."""
    if not store.url.startswith("sqlite:"):
        return store.url
    if "store.url" not in origins:
        return f"sqlite:///{quote(str(data / 'freehold.db'))}"
    path = unquote(store.url.removeprefix("sqlite:").removeprefix("//").removeprefix("/"))
    return f"sqlite:///{quote(str(base / path))}"


def _data_folder(file: Path | None, cwd: Path, environment: env.Environment) -> Path:
    users = environment.folder("XDG_CONFIG_HOME", ".config")
    if file is not None and users is not None and file.parent == users / "freehold":
        share = environment.folder("XDG_DATA_HOME", ".local/share")
        if share is not None:
            return share / "freehold"
    return (file.parent if file is not None else cwd) / ".freehold"


def _run_folder(data: Path, environment: env.Environment) -> Path:
    run = data / "run"
    if len(os.fsencode(run)) <= SOCKET_PATH:
        return run
    folder = environment.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(folder) / f"freehold-{os.getuid()}-{digest}"


def _home(data: Path, environment: env.Environment) -> Path:
    named = environment.get("FREEHOLD_HOME")
    if named is not None:
        return Path(named).absolute()
    cache = environment.folder("XDG_CACHE_HOME", ".cache")
    return cache / "freehold" if cache is not None and _writable(cache) else data


def _writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
