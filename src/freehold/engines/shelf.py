"""The models that are on this machine: home/models/NAME/FILE, what each was when it came, and the hashes trusted at
first sight. Refuses to fetch."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from freehold.core.errors import EngineError, NotFound
from freehold.engines.catalogue import File, Model


class HeldFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is here."""

    name: str
    role: str
    bytes: int
    sha256: str  # as computed when it came
    source: str  # who delivered it
    at: int  # when it came, nanoseconds since the epoch
    touched: int  # the file's modification time then, in nanoseconds: tells whether it changed since


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One model that is here: its catalogue entry as it was then, and its files."""

    model: Model
    files: tuple[HeldFile, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of one file found."""

    file: str
    expected: str  # SHA-256
    got: str  # SHA-256; empty when the file is gone

    @property
    def sound(self) -> bool:
        return self.expected == self.got


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """A hash that was taken on trust from the first delivery."""

    sha256: str
    bytes: int
    source: str
    at: int  # nanoseconds since the epoch


def folder(home: Path, name: str) -> Path:
    """Where the files of the model `name` are kept."""
    return home / "models" / name


def list_local(home: Path) -> list[Held]:
    """Return the models that are here, by name. A folder without a readable manifest is passed over."""
    return [
        held
        for manifest in sorted((home / "models").glob("*/manifest.json"))
        if (held := _read(manifest)) is not None and held.files
    ]


def held(home: Path, name: str) -> Held | None:
    """What is here of the model `name`."""
    return _read(folder(home, name) / "manifest.json")


def show(home: Path, name: str) -> Held:
    """What is here of the model `name`; raises NotFound when nothing is."""
    found = held(home, name)
    if found is None or not found.files:
        raise NotFound(
            f"the model {name!r} is not on this machine", hint=f"fetch it with `freehold models pull {name}`"
        )
    return found


def locate(home: Path, model: Model, role: str = "model") -> Path | None:
    """The file that an engine opens for `model` (role "model"), or its companion ("mmproj"); None when it is not here
    or not all of its shards are."""
    if model.path:
        return Path(model.path) if role == "model" else None
    wanted = [f for f in model.files if (f.role in ("model", "shard") if role == "model" else f.role == role)]
    here = held(home, model.name)
    if not wanted or any(present(home, model, file, here) is None for file in wanted):
        return None
    return folder(home, model.name) / wanted[0].name


def present(home: Path, model: Model, file: File, here: Held | None) -> HeldFile | None:
    """The record of `file` when it is here, has not changed since it was hashed, and has the hash we want."""
    record = next((f for f in here.files if f.name == file.name), None) if here else None
    if record is None or (file.known and record.sha256 != file.sha256):
        return None
    try:
        state = (folder(home, model.name) / file.name).stat()
    except OSError:
        return None
    return record if (state.st_size, state.st_mtime_ns) == (record.bytes, record.touched) else None


def enter(home: Path, model: Model, file: File, sha256: str, source: str) -> HeldFile:
    """Record that `file` is in place with this hash."""
    place = folder(home, model.name)
    state = (place / file.name).stat()
    record = HeldFile(
        name=file.name,
        role=file.role,
        bytes=state.st_size,
        sha256=sha256,
        source=source,
        at=time.time_ns(),
        touched=state.st_mtime_ns,
    )
    before = held(home, model.name)
    others = tuple(f for f in before.files if f.name != file.name) if before else ()
    _write(place / "manifest.json", Held(model=model, files=(*others, record)))
    return record


def remove(home: Path, name: str) -> int:
    """Delete everything of the model `name`, half-fetched files too. Returns the bytes freed; NotFound when none is."""
    place = folder(home, name)
    if not name or "/" in name or name.startswith(".") or len(os.fsencode(name)) > 255 or not place.is_dir():
        raise NotFound(f"the model {name!r} is not on this machine", hint="`freehold models list` shows those that are")
    freed = sum(f.stat().st_size for f in place.rglob("*") if f.is_file())
    shutil.rmtree(place)
    return freed


async def verify(home: Path, name: str) -> list[Finding]:
    """Hash every file of the model `name` again and compare. Raises NotFound when it is not here."""
    found = show(home, name)
    results = []
    for record in found.files:
        path = folder(home, name) / record.name
        got = await asyncio.to_thread(digest, path) if path.is_file() else ""
        wanted = next((f.sha256 for f in found.model.files if f.name == record.name and f.known), record.sha256)
        results.append(Finding(file=record.name, expected=wanted, got=got))
    return results


def digest(path: Path) -> str:
    """SHA-256 of the file at `path`, in hexadecimal. Blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def trusted(home: Path, model: Model, file: File) -> Trusted | None:
    """The hash that was taken on trust for this file earlier."""
    return _lock(home).get(f"{model.name}/{file.name}")


def trust(home: Path, model: Model, file: File, sha256: str, size: int, source: str) -> None:
    """Record the hash of a first delivery; from now on this file must have it."""
    entries = _lock(home)
    entries[f"{model.name}/{file.name}"] = Trusted(sha256=sha256, bytes=size, source=source, at=time.time_ns())
    _write(home / "models" / "trusted.json", entries)


def _lock(home: Path) -> dict[str, Trusted]:
    path = home / "models" / "trusted.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Trusted])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as e:
        # Trust that cannot be read must not be given anew in silence
        raise EngineError(
            f"cannot read the trusted hashes in {path}: {e}",
            code="model_trust_unreadable",
            retryable=False,
            hint="repair the file, or move it away to decide anew for every model without a known hash",
        ) from e


@asynccontextmanager
async def alone(home: Path, name: str) -> AsyncIterator[None]:
    """Hold the model's folder against every other process and task; waits for its turn."""
    import fcntl

    place = home / "models"
    place.mkdir(parents=True, exist_ok=True)
    # The lock lies beside the folder, so that removing the model does not remove it from under a waiter
    handle = os.open(place / f".{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> Held | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Held)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, value: object) -> None:
    """Replace the file at `path` as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    fresh.replace(path)
