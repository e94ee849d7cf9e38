"""Opens a store by its URL. Knows the two schemes; imports an engine's driver only when it is asked for."""

from __future__ import annotations

from freehold.core.errors import ConfigError
from freehold.store.base import PATIENCE, Store


async def open_store(url: str, *, durable: bool = True, patience: float = PATIENCE) -> Store:
    """Open, migrate (forward only) and return the store.

    `url` is `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host/database`;
    `durable` says whether a chained append waits for the disk; `patience` is how many seconds a write may take.
    Raises ConfigError for a URL that is none of these, StoreError when the store cannot be used.
    """
    path, scheme = sqlite_path(url), url.partition(":")[0]
    if path is not None:
        from freehold.store.sqlite import SQLite

        return await SQLite.open(path, durable=durable, patience=patience)
    if scheme in ("postgresql", "postgres"):
        try:
            from freehold.store.postgres import Postgres
        except ModuleNotFoundError as e:
            raise ConfigError(
                "store.url: PostgreSQL needs the asyncpg package.", hint="pip install 'freehold[postgres]'"
            ) from e
        return await Postgres.open(url, durable=durable, patience=patience)
    raise ConfigError(f"store.url: {scheme!r} is no store.", hint="write sqlite:///PATH or postgresql://HOST/DATABASE")


def sqlite_path(url: str) -> str | None:
    """Return the file that `url` names, None when it is no SQLite URL. Raises ConfigError when it names none."""
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        return None
    path = rest.removeprefix("//").removeprefix("/")
    if not path or path.startswith(":memory:"):
        raise ConfigError(
            f"store.url: {url!r} names no file.",
            hint="write sqlite:///freehold.db; it has to be a file, as several threads and processes share it",
        )
    return path
