"""What the tests of the console share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.console.people import House, open_house, sqlite


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A console on a store of its own, with nobody in it."""
    async with open_house(sqlite(tmp_path), setup_file=tmp_path / "setup-code") as opened:
        yield opened
