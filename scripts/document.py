"""Writes the pages of docs/reference that are made of the code. `--check` only compares, and fails on a stale one."""

from __future__ import annotations

import sys
from pathlib import Path

from freehold.app.reference_pages import PAGES

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def stale() -> list[str]:
    """Return the names of the pages that are not as the code says."""
    return [name for name, make in PAGES.items() if not _same(FOLDER / name, make())]


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def main() -> int:
    """Write, or with --check compare; return the exit code."""
    if "--check" in sys.argv[1:]:
        names = stale()
        if names:
            print(f"stale: {', '.join(names)}; run `make docs`", file=sys.stderr)
        return 1 if names else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
