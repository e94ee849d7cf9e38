"""The house's key to the vault, as a file: made once, or said to be none."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.app.guarding import FILE, _from_file
from freehold.core.errors import ConfigError


def test_whoever_is_first_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / FILE
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(_from_file, [path] * 16))
    assert len(keys) == 1 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [FILE]


@pytest.mark.parametrize("text", [b"", b"short", b"\xff\xfe" * 16, b"\0" * 44])
def test_what_is_no_key_is_said_to_be_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / FILE).write_bytes(text)
    with pytest.raises(ConfigError) as e:
        _from_file(tmp_path / FILE)
    assert FILE in e.value.message and "openssl" in e.value.hint
    assert (tmp_path / FILE).read_bytes() == text, "what may be somebody's key is left alone"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConfigError) as e:
        _from_file(tmp_path / FILE)
    assert "cannot be read" in e.value.message
