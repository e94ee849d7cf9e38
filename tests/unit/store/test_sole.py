"""One server on one SQLite file, whatever its configuration is called."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from freehold import store
from freehold.core.errors import ConfigError, FreeholdError, StoreError

HOLD = """
import sys
from freehold import store
held = store.sole(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_server_is_told_who_has_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        (tmp_path / "link.db").symlink_to(tmp_path / "s.db")
        for way in (url, f"sqlite:///{tmp_path}/link.db"):
            with pytest.raises(FreeholdError, match=f"process {other.pid}") as caught:
                store.sole(way)
            assert caught.value.code == "already_running" and caught.value.hint
        store.sole(f"sqlite:///{tmp_path}/another.db").close()
        other.kill()
    store.sole(url).close()
    store.sole(url).close()
    assert stat.S_IMODE((tmp_path / "s.db-serve").stat().st_mode) == 0o600


async def test_commands_may_use_the_store_meanwhile(tmp_path: Path) -> None:
    held = store.sole(f"sqlite:///{tmp_path}/s.db")
    opened = await store.open(f"sqlite:///{tmp_path}/s.db", durable=False)
    assert await opened.bump() == 1
    await opened.close()
    held.close()


def test_what_cannot_be_held(tmp_path: Path) -> None:
    store.sole("postgresql://nobody@localhost/none").close()
    with pytest.raises(ConfigError):
        store.sole("sqlite:///")
    with pytest.raises(StoreError) as caught:
        store.sole(f"sqlite:///{tmp_path}/missing/s.db")
    assert caught.value.hint
