"""Stores for the tests of the whole system: SQLite in the system's folder, and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.system import System
from tests.vendor import Vendor

Opener = Callable[[str], System]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh store; the test runs once for each kind."""
    if request.param == "sqlite":
        return "sqlite:///freehold.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="module")
def shared_vendor() -> Iterator[Vendor]:
    """One vendor for all tests of a module; what it saw is forgotten before each of them by `behind`."""
    with Vendor() as running:
        yield running


@pytest.fixture
def behind(shared_vendor: Vendor) -> Vendor:
    """The module's vendor, with nothing seen yet."""
    shared_vendor.seen.clear()
    return shared_vendor


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """`opened(config)` starts a system that all tests of a module share."""
    made: list[System] = []

    def make(config: str) -> System:
        one = System(tmp_path_factory.mktemp("house"), config)
        made.append(one)
        one.new_key()
        return one.start()

    yield make
    for one in made:
        one.stop()
