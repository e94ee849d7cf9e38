"""What the tests of the front office share: an empty place to stand in, and a door to talk to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.door import open_door


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to stand in, with no user's folder and no vendor's key. Its path is short: from a long one the
    sockets would lie elsewhere."""
    for name in list(os.environ):
        if name.startswith(("FREEHOLD_", "XDG_")) or name.endswith(("_API_KEY", "_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "")
    with tempfile.TemporaryDirectory(prefix="fh-") as folder:
        monkeypatch.chdir(folder)
        yield Path(folder)
        monkeypatch.undo()


@pytest.fixture
def door() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a door and what was posted to it."""
    with open_door() as opened:
        yield opened
