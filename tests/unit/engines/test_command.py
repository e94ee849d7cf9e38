"""Servers of others: adopted by URL, started by a command, supervised like our own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from freehold.core.errors import ConfigError, EngineError
from freehold.engines.command import Command, child_environment, prepare
from freehold.engines.manager import EngineManager, Source
from freehold.wire.client import Client
from freehold.wire.origin import Origin

FOREIGN = str(Path(__file__).parent / "foreign.py")
Make = Callable[[Source], EngineManager]


class Settings:
    memory = None
    keep_alive = 600.0
    threads = None
    max_context = 1024


@pytest.fixture
async def manage() -> AsyncIterator[Make]:
    made: list[EngineManager] = []

    def make(source: Source) -> EngineManager:
        async def resolve(name: str) -> Source:
            return source

        run = Path(tempfile.mkdtemp(prefix="fh-"))
        made.append(EngineManager(Settings(), resolve, run, environment={**os.environ, "SECRET": "x"}))
        return made[-1]

    yield make
    for manager in made:
        await manager.close()


async def get(origin: Origin) -> tuple[int, list[str]]:
    client = Client()
    try:
        answer = await client.fetch(origin, b"GET", b"/")
        return answer.status, answer.body.decode().split()
    finally:
        await client.close()


def command(*more: str, where: str = "{port}", **settings: Any) -> Command:
    return Command(command=(sys.executable, FOREIGN, where, *more), health="/", **settings)


@pytest.mark.parametrize("where", ["{port}", "{socket}"])
async def test_a_command_is_started_with_its_own_variables_and_none_of_our_secrets(manage: Make, where: str) -> None:
    manager = manage(command(where=where, env={"OWN": "mine"}))
    origin = await manager.ready("theirs")
    status, (pid, own, secret) = await get(origin)
    assert (status, own, secret) == (200, "mine", "False")
    (state,) = manager.status()
    assert state["state"] == "ready" and state["rss"] > 0
    await manager.stop("theirs")
    assert not Path(f"/proc/{pid}").exists() and manager.status() == []


async def test_it_is_ready_when_its_health_path_says_so(manage: Make) -> None:
    origin = await manage(command("late")).ready("theirs")
    assert (await get(origin))[0] == 200


async def test_a_command_that_is_killed_is_started_again(manage: Make) -> None:
    manager = manage(command())
    _, (pid, *_) = await get(await manager.ready("theirs"))
    os.kill(int(pid), signal.SIGKILL)
    for _ in range(100):
        if manager.status()[0]["state"] != "ready":
            break
        await asyncio.sleep(0.02)
    origin = await manager.ready("theirs")
    assert (await get(origin))[1][0] != pid and manager.status()[0]["restarts"] == 1


async def test_a_command_that_keeps_crashing_is_held_with_its_last_words(
    manage: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freehold.engines.supervise._BACKOFF_FIRST", 0.01)
    manager = manage(command("die"))
    with pytest.raises(EngineError, match="I cannot work like this") as caught:
        await manager.ready("theirs")
    assert caught.value.retry_after and "keeps crashing" in caught.value.message
    (state,) = manager.status()
    assert state["state"] == "failed" and "I cannot work" in state["reason"] and state["bytes"] == 0
    with pytest.raises(EngineError, match="keeps crashing"):
        await manager.ready("theirs")  # held: not started once more
    assert manager.status()[0]["restarts"] == state["restarts"]


async def test_a_command_that_does_not_exist_fails_at_once(manage: Make) -> None:
    missing = Command(command="/nowhere/server --port {port}", health="/", start_seconds=5)
    manager = manage(missing)
    asking = asyncio.create_task(manager.ready("theirs"))
    while not (manager.status() and manager.status()[0]["reason"]):
        await asyncio.sleep(0.05)
    assert "cannot run /nowhere/server" in manager.status()[0]["reason"]
    asking.cancel()


def test_a_command_must_say_where_it_listens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere to listen"):
        prepare(Command(command="serve --model {model}"), tmp_path / "s")
    found = prepare(Command(command="serve '{model} x' -p {port}", model="a;b"), tmp_path / "s")
    assert found.words == ("serve", "a;b x", "-p", str(found.origin.port))  # no shell ever sees it


def test_children_inherit_little() -> None:
    inherited = child_environment({"PATH": "/bin", "OPENAI_API_KEY": "sk"}, {"A": "1"})
    assert inherited == {"PATH": "/bin", "A": "1"}
