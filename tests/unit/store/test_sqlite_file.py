"""The SQLite file: who may read it, what is refused, and how trouble is explained."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from freehold import store as stores
from freehold.core.errors import ConfigError, StoreError
from freehold.store.migrations import MIGRATIONS, pending
from freehold.store.postgres import numbered
from freehold.store.sqlite import refuse_remote
from freehold.store.thread import WorkThread


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = await stores.open(f"sqlite:///{tmp_path}/f.db")
    await store.bump()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("f.db", "f.db-wal", "f.db-shm", "f.db-turn"), 0o600)
    await store.close()
    await store.close()
    assert {path.name for path in tmp_path.iterdir()} == {"f.db", "f.db-turn"}, "closing folds the log into the file"
    with pytest.raises(StoreError, match="closed"):
        await store.bump()


async def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = await stores.open("sqlite:///here.db")
    await store.close()
    assert (tmp_path / "here.db").exists()
    for url in ("", "here.db", "sqlite:", "sqlite:///", "sqlite:///:memory:", "mysql://x/y"):
        with pytest.raises(ConfigError) as caught:
            await stores.open(url)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"this is not a database at all" * 99), "not a database"),
        (lambda path: path.mkdir(), "unable to open"),
        (lambda path: _foreign(path), "another program's tables"),
    ],
)
async def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "x.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=says) as caught:
        await stores.open(f"sqlite:///{path}")
    assert caught.value.hint
    assert before is None or path.read_bytes()[32:] == before[32:] or says == "another program's tables"
    if says == "another program's tables":
        with sqlite3.connect(path) as db:
            assert db.execute("SELECT a FROM theirs").fetchall() == [(1,)]
            assert [n for (n,) in db.execute("SELECT name FROM sqlite_master")] == ["theirs"]
        db.close()


def _foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs(a)")
    db.execute("INSERT INTO theirs VALUES (1)")
    db.commit()
    db.close()


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere") as caught:
        await stores.open(f"sqlite:///{tmp_path}/nowhere/f.db")
    assert "folder" in caught.value.hint


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nsrv:/x /mnt/a\\040b nfs4 rw 0 0\ntmpfs /mnt/a\\040b/local tmpfs rw 0 0\n"
    )
    with pytest.raises(StoreError, match="nfs4"):
        refuse_remote("/mnt/a b/f.db", str(mounts))
    for path in ("/mnt/a b/local/f.db", "/mnt/a bc/f.db", "/f.db"):
        refuse_remote(path, str(mounts))
    refuse_remote("/f.db", str(tmp_path / "none"))


async def test_readers_cannot_write(tmp_path: Path) -> None:
    store = await stores.open(f"sqlite:///{tmp_path}/f.db")
    with pytest.raises(StoreError, match="readonly"):
        await store.fetch("UPDATE meta SET value = 5")
    await store.close()


async def test_erased_bytes_are_gone_from_the_files(tmp_path: Path) -> None:
    store = await stores.open(f"sqlite:///{tmp_path}/f.db")
    secret = b"the-secret-" * 3000
    new = "INSERT INTO body(call, attempt, part, at, media, data) VALUES (?, 0, 'request', 1, '', ?)"
    await store.write((new, [("a", secret), ("b", b"short-secret")]))
    await store.shred("body", ("UPDATE body SET data = NULL", [()]))
    for path in tmp_path.iterdir():
        assert b"secret" not in path.read_bytes(), path.name
    await store.close()


def test_migrations_are_numbered_named_and_forward_only() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    assert len({step.name for step in MIGRATIONS}) == len(MIGRATIONS)
    assert [step.number for step in pending([(1, "meta")])] == [step.number for step in MIGRATIONS[1:]]
    for applied, code in (([(1, "meta"), (500, "new")], "store_newer"), ([(1, "theirs")], "store_foreign")):
        with pytest.raises(StoreError) as caught:
            pending(applied)
        assert caught.value.code == code
    for step in MIGRATIONS:
        for engine in ("sqlite", "postgres"):
            assert not any("DROP" in sql.upper() for sql in step.sql(engine))  # type: ignore[arg-type]


def test_marks_are_numbered_outside_quotes() -> None:
    assert numbered("SELECT '?', \"a?\" FROM t WHERE a = ? AND b = '''?' OR c IN (?,?)") == (
        "SELECT '?', \"a?\" FROM t WHERE a = $1 AND b = '''?' OR c IN ($2,$3)"
    )


async def test_a_thread_that_hangs_fails_its_callers_in_time_and_serves_again() -> None:
    thread = WorkThread("test")
    ran: list[str] = []
    began = time.monotonic()
    first = asyncio.create_task(thread.do(lambda: time.sleep(0.4), 0.1))
    second = asyncio.create_task(thread.do(lambda: ran.append("second"), 0.05))
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert time.monotonic() - began < 0.3
    assert [getattr(answer, "code", None) for answer in answers] == ["store_slow", "store_slow"]
    with pytest.raises(StoreError, match="hangs"):
        await thread.do(lambda: ran.append("third"), 1)
    await asyncio.sleep(0.5)
    assert await thread.do(lambda: 5, 1) == 5 and ran == []
    with pytest.raises(ZeroDivisionError):
        await thread.do(lambda: 1 // 0, 1)
    await thread.close(lambda: ran.append("last"), 1)
    assert ran == ["last"]


async def test_a_store_that_is_up_to_date_opens_while_somebody_keeps_it_locked(tmp_path: Path) -> None:
    """As a worker does that starts, or starts again, while a backup or a shell holds the database."""
    url = f"sqlite:///{tmp_path}/f.db"
    first = await stores.open(url)
    await first.bump()
    other = sqlite3.connect(tmp_path / "f.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        began = time.monotonic()
        second = await stores.open(url, patience=2.0)
        assert time.monotonic() - began < 2.0
        assert await second.generation() == 1
        with pytest.raises(StoreError, match="locked"):
            await second.bump()
    finally:
        other.execute("ROLLBACK")
        other.close()
    await second.bump()
    assert await first.generation() == 2
    await second.close()
    await first.close()
