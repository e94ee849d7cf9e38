"""Opens what was handed in: a ZIP, or a JSON text. Knows how little of either is to be believed; refuses to write
anything to disk, and to know what the texts mean.

Names in an archive are only compared, never used as paths. An archive in an archive is not opened.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from freehold.assist.imports.split import Piece, Unsound, pieces
from freehold.core.errors import BadRequest

ENTRIES = 200_000
"""So many files may lie in an archive."""
UNPACKED_BYTES = 16 * 1024**3
"""So much JSON is unpacked in all."""
RATIO, RATIO_FROM = 300, 64 * 1024 * 1024
"""A file in an archive that is larger than `RATIO_FROM` once unpacked may be so many times as large as it is packed."""
ASSET_BYTES = 20 * 1024 * 1024
"""The largest picture or document that is taken out of an archive."""
_CHUNK = 256 * 1024
_NAMES = 4 * 1024 * 1024  # bytes of the file that says what the others were called
_ID = re.compile(r"(file-[A-Za-z0-9]{8,}|file_[0-9a-f]{8,})")
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError)

EXPECTED = (
    "an export of ChatGPT (the ZIP as it came, or its conversations*.json), Claude, Open WebUI, LibreChat or Freehold"
)


def no_export(why: str) -> BadRequest:
    """Return the error for a file that is none of those that can be read."""
    return BadRequest(f"{why}.", code="import_unknown", hint=f"choose {EXPECTED}")


class Source(msgspec.Struct, frozen=True):
    """One JSON text: `name` for people, `size` in bytes once unpacked."""

    name: str
    size: int


class Archive:
    """Made by `open`; `sources` are the JSON texts in it. Use it in a `with`."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile | None) -> None:
        self._path = path
        self._zip = zipped
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._by_id: dict[str, str] = {}
        self.names: dict[str, str] = {}  # of files, as people called them
        self.locked = 0
        self.nested = 0
        self.read = 0  # bytes so far

    @classmethod
    def open(cls, path: Path) -> Archive:
        """Open the file. Raises BadRequest when it is neither, damaged, or not to be trusted."""
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(b"PK"):
            try:
                zipped = zipfile.ZipFile(path)
            except _BROKEN as e:
                raise no_export(f"The archive is damaged or was not received whole ({e})") from e
            archive = cls(path, zipped)
            try:
                archive._look()
            except BaseException:
                zipped.close()
                raise
            return archive
        text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not text.startswith((b"{", b"[")):
            raise no_export("The file is neither a ZIP nor JSON")
        return cls(path, None)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *why: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def _look(self) -> None:
        assert self._zip is not None  # only called for archives
        infos = self._zip.infolist()
        if len(infos) > ENTRIES:
            raise no_export(f"The archive holds {len(infos):,} files; {ENTRIES:,} are the most")
        total = 0
        for info in infos:
            name = info.filename
            if info.is_dir() or name.startswith("__MACOSX/"):
                continue
            if info.flag_bits & 1:
                self.locked += 1
                continue
            self.nested += name.lower().endswith(".zip")
            if _is_bomb(info):
                raise no_export(f"{name[-80:]!r} in the archive would unpack to far more than an export holds")
            total += info.file_size if name.lower().endswith(".json") else 0
            self._entries.setdefault(name, info)
            found = _ID.search(name)  # in our own exports it is the folder that is called so
            if found is not None:
                self._by_id.setdefault(found[1], name)
        if total > UNPACKED_BYTES:
            most = UNPACKED_BYTES // 1024**3
            raise no_export(f"The archive unpacks to {total / 1024**3:.0f} GiB of JSON; {most} are the most")
        self._read_names()

    def _read_names(self) -> None:
        for name, info in self._entries.items():
            if name.rpartition("/")[2].startswith("conversation_asset_file_names") and info.file_size <= _NAMES:
                try:
                    assert self._zip is not None
                    found = msgspec.json.decode(self._zip.read(info), type=dict[str, str])
                except (*_BROKEN, msgspec.MsgspecError, UnicodeDecodeError):
                    continue
                self.names |= {key.rpartition("/")[2]: value for key, value in found.items()}

    @property
    def size(self) -> int:
        """Bytes of all sources once unpacked."""
        return sum(source.size for source in self.sources())

    def sources(self) -> list[Source]:
        """Return the JSON texts, in the order of their names."""
        if self._zip is None:
            return [Source(self._path.name, self._path.stat().st_size)]
        found = [name for name in self._entries if name.lower().endswith(".json")]
        found.sort(key=lambda name: (name != "manifest.json", name))  # ours says first what belongs together
        return [Source(name, self._entries[name].file_size) for name in found]

    def pieces(self, source: Source) -> Iterator[Piece]:
        """Yield the values of a text. Raises Unsound where it is damaged: what came before is good."""
        yield from pieces(self._chunks(source))

    def _chunks(self, source: Source) -> Iterator[bytes]:
        try:
            opened = self._path.open("rb") if self._zip is None else self._zip.open(self._entries[source.name])
            with opened as file:
                while data := file.read(_CHUNK):
                    self.read += len(data)
                    yield data
        except _BROKEN as e:
            raise Unsound(f"it is damaged: {e}") from e

    def asset(self, pointer: str) -> tuple[str, Callable[[], bytes]] | None:
        """Return the name of the file that `pointer` means, as people called it, and how to read it; None when it is
        not in the archive. Reading raises Unsound."""
        entry = self._find(pointer)
        if entry is None or self._zip is None:
            return None
        last = entry.rpartition("/")[2]
        called = self.names.get(last) or self.names.get(pointer) or last.removesuffix(".dat")
        return called, lambda: self._asset(entry)

    def _find(self, pointer: str) -> str | None:
        if pointer in self._entries:
            return pointer
        found = _ID.search(pointer)
        if found is not None and found[1] in self._by_id:
            return self._by_id[found[1]]
        return None

    def _asset(self, entry: str) -> bytes:
        info = self._entries[entry]
        if info.file_size > ASSET_BYTES:
            raise Unsound("it is too large")
        try:
            assert self._zip is not None
            with self._zip.open(info) as file:
                data = file.read(ASSET_BYTES + 1)
        except _BROKEN as e:
            raise Unsound(f"it is damaged: {e}") from e
        if len(data) > ASSET_BYTES:
            raise Unsound("it is too large")
        return data


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    """Whether what an entry says of itself cannot be an export's. It cannot lie: no more than it says is unpacked."""
    return info.file_size > RATIO_FROM and info.file_size > RATIO * max(info.compress_size, 1)
