"""The models are read once, and again when the user's file of them changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.app.known import models
from freehold.core.errors import ConfigError

ENTRY = '[models.{name}]\ntitle = "T"\nmaker = "m"\nlicence = "MIT"\npath = "t.gguf"\n'


def test_the_same_file_is_read_once(tmp_path: Path) -> None:
    assert models(None) is models(None)
    file = tmp_path / "models.toml"
    file.write_text(ENTRY.format(name="one"))
    first = models(file)
    assert "one" in first.models
    assert models(file) is first
    file.write_text(ENTRY.format(name="one") + ENTRY.format(name="two"))
    assert "two" in models(file).models


def test_a_file_that_is_not_there_or_wrong_is_told_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"none\.toml"):
            models(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[models.x]\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"bad\.toml"):
            models(tmp_path / "bad.toml")
