"""Real models for tests: found by their hash, fetched through the product's own pull when they are not here yet."""

from __future__ import annotations

import asyncio
import hashlib
import os
from functools import cache
from pathlib import Path

import pytest

from freehold.engines.catalogue import Catalogue
from freehold.engines.pull import pull

CHAT_MODEL = "smollm2-135m-instruct"
EMBEDDING_MODEL = "all-minilm-l6-v2"


def _homes() -> list[Path]:
    """Folders that may hold a `models` folder: FREEHOLD_TEST_MODELS, FREEHOLD_HOME, the user's cache."""
    named = [os.environ.get("FREEHOLD_TEST_MODELS"), os.environ.get("FREEHOLD_HOME")]
    caches = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache" if os.environ.get("HOME") else None)
    return [Path(n) for n in named if n] + ([Path(caches) / "freehold"] if caches else [])


@cache
def _sound(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def find_or_pull(name: str) -> Path:
    """The file of the catalogue's model `name`, with the catalogue's hash. Raises EngineError when no source has it."""
    model = Catalogue.load().find(name)
    file = model.main
    assert file is not None
    homes = _homes()
    for home in homes:
        for path in sorted({*home.glob(f"**/{file.name}")}):
            if path.stat().st_size == file.bytes and _sound(path, file.sha256):
                return path
    home = homes[0] if homes else Path(__file__).parent / ".models"
    return asyncio.run(pull(model, home))


@pytest.fixture(scope="session")
def chat_model() -> Path:
    """A small real chat model."""
    return find_or_pull(CHAT_MODEL)


@pytest.fixture(scope="session")
def embedding_model() -> Path:
    """A small real embedding model."""
    return find_or_pull(EMBEDDING_MODEL)
