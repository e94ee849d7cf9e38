"""A store on both engines, with members in it; and the library's endpoints on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from shelves import Desk

from freehold import store as stores
from freehold.store import Store

_TABLES = ("conversation", "message", "run", "message_search", "file", "project", "prompt", "assistant", "memory")
_TABLES += ("share", "tool_rule", "import", "member", "key")


@pytest.fixture(scope="module")
def shelf_database(request: pytest.FixtureRequest) -> str:
    """One database for the tests of a file: making one takes longer than all that they do in it."""
    return str(request.getfixturevalue("postgres_server").database())


@pytest.fixture(params=["sqlite", "postgres"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/shelf.db"
    if request.param == "postgres":
        url = request.getfixturevalue("shelf_database")
    opened = await stores.open(url, durable=False)
    for table in _TABLES:
        await opened.write((f"DELETE FROM {table}", [()]))
    yield opened
    await opened.close()


@pytest.fixture
async def desk(shelf: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    """The library over HTTP, with ann, ben and the admin ada."""
    one = await Desk.open(shelf, tmp_path)
    yield one
    await one.close()
