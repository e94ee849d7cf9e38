"""A broken file locks nobody out: what needs only folders or the store asks for no more."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from freehold.app.environment import Environment
from freehold.app.main import main
from freehold.app.place import kept, library, locate
from freehold.app.shelving import settings
from freehold.assist.files import LibrarySettings
from freehold.core.errors import ConfigError
from freehold.wire.server import Exchange, Limits, listen

BROKEN = "[server\n"
UNSET = '[deployments.a]\nkind = "openai"\nmodel = "m"\nkey = { env = "NOT_SET" }\n'


@contextmanager
def running(run: Path, effective: dict[str, Any]) -> Iterator[None]:
    """A control socket that tells its configuration and stops when told to."""
    run.mkdir(mode=0o700, parents=True)
    loop, up, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        said = {"effective": effective} if exchange.path == "/config" else {"stopping": True}
        exchange.reply(200, [], json.dumps(said).encode())

    async def serve() -> None:
        server = await listen(answer, path=str(run / "control.sock"), limits=Limits())
        up.set()
        await done.wait()
        await server.close_gracefully(0.0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    up.wait(5)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def test_the_library_needs_only_its_own_table(here: Path) -> None:
    (here / "freehold.toml").write_text(UNSET + '[library]\nfile_bytes = "3 MiB"\n')
    environment = Environment({"HOME": str(here)})
    place = locate(None, environment, here)
    bounds = settings(library(place, environment), place.data)
    assert (bounds.file_bytes, bounds.member_bytes) == (3 << 20, LibrarySettings().member_bytes)
    assert bounds.folder == str(place.data)
    (here / "freehold.toml").write_text("[library]\nfile_bytes = 0\nfiles = 1\n")
    with pytest.raises(ConfigError, match=r"library\.file_bytes"):
        library(place, environment)


@pytest.mark.parametrize(
    "text", [UNSET, '[engines]\ncatalogue = "none.toml"\n', "[sever]\n", "[server]\nworkers = 0\n"]
)
def test_keys_and_ledger_need_only_the_store(here: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "ci"]) == 0
    (here / "freehold.toml").write_text(text)
    assert main(["check"]) == 3
    capsys.readouterr()
    for command in (["keys", "list"], ["keys", "revoke", "ci"], ["teams", "list"], ["ledger", "verify"]):
        assert main(command) == 0, capsys.readouterr().err
    assert "freehold.toml" not in capsys.readouterr().err


def test_a_store_of_its_own_is_found_in_a_file_with_other_faults(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text('[store]\nurl = "sqlite:///own.db"\n' + UNSET)
    environment = Environment({})
    assert kept(locate(None, environment, tmp_path), environment).store_url == f"sqlite:///{tmp_path}/own.db"


def test_without_a_server_a_file_that_cannot_be_read_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "freehold.toml").write_text(BROKEN)
    assert main(["keys", "list"]) == 3
    assert "line 1" in capsys.readouterr().err
    assert main(["status"]) == 4


def test_the_server_that_runs_names_its_store(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "ci"]) == 0
    (here / ".freehold" / "freehold.db").rename(here / "elsewhere.db")
    (here / ".freehold" / "run").rmdir()
    (here / "freehold.toml").write_text(BROKEN)
    capsys.readouterr()
    with running(here / ".freehold" / "run", {"store.url": f"sqlite:///{here}/elsewhere.db", "store.password": None}):
        assert main(["keys", "list", "--json"]) == 0
        out, err = capsys.readouterr()
        assert [key["name"] for key in json.loads(out)] == ["ci"]
        assert len(err.splitlines()) == 1
        assert "freehold.toml" in err
        assert "going by the server that runs" in err
        assert main(["stop"]) == 0


def test_the_password_is_read_again_from_where_the_server_has_it(here: Path) -> None:
    (here / "freehold.toml").write_text(BROKEN)
    effective = {"store.url": "postgresql://u@h/d", "store.password": "env:PW"}
    with running(here / ".freehold" / "run", effective):
        environment = Environment({"PW": "p/w"})
        assert kept(locate(None, environment, here), environment).store_url == "postgresql://u:p%2Fw@h/d"
        with pytest.raises(ConfigError, match="PW is not set"):
            kept(locate(None, Environment({}), here), Environment({}))
