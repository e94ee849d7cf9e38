"""From the [library] table to what the library is told. Knows both; refuses to know what a file is kept for."""

from __future__ import annotations

from pathlib import Path

from freehold.app.settings import Library
from freehold.assist.files import LibrarySettings


def settings(library: Library, data: Path) -> LibrarySettings:
    """Return the bounds of `[library]`; temporary files lie in the data folder, where there is room for large ones."""
    return LibrarySettings(
        file_bytes=library.file_bytes, member_bytes=library.member_bytes, folder=str(data.absolute())
    )
