"""Stores for the tests of the whole system: SQLite in the system's folder, and PostgreSQL."""

from __future__ import annotations

import pytest

from tests.postgres import postgres_url

__all__ = ["postgres_url"]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh store; the test runs once for each kind."""
    if request.param == "sqlite":
        return "sqlite:///freehold.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
