"""Fixtures for all tests that need a running vendor or a running system."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.system import System
from tests.vendor import Vendor

pytest_plugins = ["tests.postgres"]

# How long an example takes says nothing on a machine that does other things too.
hypothesis.settings.register_profile("freehold", deadline=None)
hypothesis.settings.load_profile("freehold")

Starter = Callable[..., System]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor of this test's own."""
    with Vendor() as running:
        yield running


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Starter]:
    """`system(config_text, start=True, **more)` makes a System in a folder of its own; all are ended after the test."""
    made: list[System] = []

    def make(config: str, *, start: bool = True, key: tuple[str, ...] | None = (), **more: Any) -> System:
        home = tmp_path / f"house{len(made)}"
        home.mkdir()
        one = System(home, config, **more)
        made.append(one)
        if key is not None:
            one.new_key("tester", *key)
        if start:
            one.start()
        return one

    yield make
    for one in made:
        one.stop()
