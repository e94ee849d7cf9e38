"""The doors that official clients are tried on; started once for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.doors import Door, own_door, vendor_door


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    yield from vendor_door(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    yield from own_door(tmp_path_factory.mktemp("own"))
