"""The manager with real children: one load for all, restart, sleep, eviction by bytes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from freehold.core.errors import EngineError
from freehold.engines import engine as engines
from freehold.engines.manager import EngineManager, Model, Source
from freehold.engines.supervise import Backoff, Log, sweep
from freehold.wire.client import Client
from freehold.wire.origin import Origin

MIB = 1 << 20


class Settings:
    memory: int | None = None
    keep_alive = 600.0
    threads = 1
    max_context = 256


Make = Callable[..., EngineManager]


@pytest.fixture
async def manage(chat_model: Path) -> AsyncIterator[Make]:
    made: list[EngineManager] = []

    def make(memory: int | None = None, keep_alive: float = 600.0, path: Path = chat_model) -> EngineManager:
        async def resolve(name: str) -> Source:
            return Model(path=path)

        settings = Settings()
        settings.keep_alive = keep_alive
        run = Path(tempfile.mkdtemp(prefix="fh-"))
        made.append(EngineManager(settings, resolve, run, memory, environment=os.environ))
        return made[-1]

    yield make
    for manager in made:
        await manager.close()


async def chat(origin: Origin, **body: Any) -> tuple[int, dict[str, Any]]:
    client = Client()
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, **body}
    try:
        answer = await client.fetch(
            origin, b"POST", b"/v1/chat/completions", b"content-type: application/json\r\n", json.dumps(asked).encode()
        )
        return answer.status, json.loads(answer.body)
    finally:
        await client.close()


def state(manager: EngineManager, name: str) -> dict[str, Any]:
    return next(s for s in manager.status() if s["name"] == name)


def pid(manager: EngineManager) -> int:
    (file,) = manager._run.glob("engine-*.pid")
    return int(file.read_text())


async def test_all_who_ask_wait_for_the_same_load(manage: Make) -> None:
    manager = manage()
    asking = [asyncio.create_task(manager.ready("m")) for _ in range(5)]
    while not manager.status():
        await asyncio.sleep(0.01)
    assert state(manager, "m")["state"] in ("stopped", "starting")
    while not state(manager, "m")["bytes"]:
        await asyncio.sleep(0.01)
    assert state(manager, "m")["state"] == "starting" and state(manager, "m")["bytes"] > 100 * MIB, "counted at once"
    origins = await asyncio.gather(*asking)
    assert len(set(origins)) == 1
    status, reply = await chat(origins[0])
    assert status == 200 and reply["model"] == "m"
    now = state(manager, "m")
    assert now["state"] in ("ready", "busy") and now["slots"] >= 1 and now["context"] == 256
    assert now["rss"] > 100 * MIB and now["loaded_at"] and now["last_used"]
    await manager.close()
    assert not [f for f in manager._run.iterdir() if f.suffix != ".log"]
    with pytest.raises(EngineError, match="stopping"):
        await manager.ready("n")


async def test_who_does_not_know_the_origin_is_not_let_in(manage: Make) -> None:
    origin = await manage().ready("m")
    stranger = Origin(scheme="http", host="engine", port=80, unix=origin.unix)
    assert (await chat(stranger))[0] == 401


async def test_a_killed_child_is_back_for_the_next_call(manage: Make) -> None:
    manager = manage()
    await manager.ready("m")
    first = pid(manager)
    os.kill(first, signal.SIGKILL)
    while state(manager, "m")["state"] == "ready":
        await asyncio.sleep(0.01)
    assert "signal 9" in state(manager, "m")["reason"] or state(manager, "m")["state"] == "starting"
    origin = await manager.ready("m")
    assert (await chat(origin))[0] == 200
    assert pid(manager) != first and state(manager, "m")["restarts"] == 1


async def test_a_child_that_stands_still_is_ended_and_replaced(manage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP: the socket takes connections, the process lives, and not one token comes."""
    monkeypatch.setattr(engines, "_UNHEARD_SECONDS", 0.5)
    monkeypatch.setattr(engines, "_LOOK", engines.Timeouts(connect=0.3, first_byte=0.3, idle=0.3, total=0.4))
    monkeypatch.setattr("freehold.engines.manager._LOOK_SECONDS", 0.1)
    manager = manage()
    await manager.ready("m")
    first = pid(manager)
    os.kill(first, signal.SIGSTOP)
    async with asyncio.timeout(15):
        while state(manager, "m")["restarts"] == 0:
            await asyncio.sleep(0.05)
        origin = await manager.ready("m")
    assert pid(manager) != first and (await chat(origin))[0] == 200


async def test_a_silent_engine_must_prove_itself_by_a_token(manage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = manage()
    await manager.ready("m")
    one = manager._engines["m"]
    await one.look()
    before = one.seen.beats
    monkeypatch.setattr(engines, "_SILENT_SECONDS", -1.0)
    one.seen.busy, one._beats = 1, before
    await one._probe(before)
    await one.look()
    assert one.up and one.seen.beats > before, "a probe is a generated token"


async def test_idle_engines_sleep_and_wake(manage: Make) -> None:
    manager = manage(keep_alive=1)
    origin = await manager.ready("m")
    await chat(origin)
    await manager._engines["m"].look()
    awake = state(manager, "m")["bytes"]
    async with asyncio.timeout(20):
        while state(manager, "m")["state"] != "asleep":
            await asyncio.sleep(0.2)
            await manager._engines["m"].look()
    assert state(manager, "m")["bytes"] < awake / 2
    assert (await chat(await manager.ready("m")))[0] == 200


async def test_memory_goes_to_who_asks_and_busy_engines_keep_theirs(
    manage: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_GRANT_SECONDS", 0.0)
    manager = manage(memory=380 * MIB)  # room for one, not for two
    first = await manager.ready("a")
    await chat(first)
    second = await manager.ready("b")
    assert state(manager, "a")["state"] == "stopped" and manager.evictions == 1
    talk = asyncio.create_task(chat(second, max_tokens=200, logit_bias={"2": -100, "0": -100}))
    async with asyncio.timeout(10):
        while state(manager, "b")["state"] != "busy":
            await asyncio.sleep(0.05)
            await manager._engines["b"].look()
    with pytest.raises(EngineError, match="No memory for a now") as caught:
        await manager.ready("a")
    assert caught.value.status == 503 and caught.value.retry_after
    assert (await talk)[0] == 200


async def test_what_can_never_fit_is_refused_for_good(manage: Make) -> None:
    with pytest.raises(EngineError, match="does not fit") as caught:
        await manage(memory=100 * MIB).ready("m")
    assert not caught.value.retryable and caught.value.code == "engine_memory"


async def test_a_broken_file_is_told_before_anything_is_started(manage: Make, tmp_path: Path) -> None:
    broken = tmp_path / "x.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    manager = manage(path=broken)
    with pytest.raises(EngineError) as caught:
        await manager.ready("m")
    assert caught.value.code == "model_file_invalid" and manager.status() == []


async def test_stopping_while_it_loads_leaves_nothing(manage: Make) -> None:
    manager = manage()
    asking = asyncio.create_task(manager.ready("m"))
    while not list(manager._run.glob("engine-*.pid")):
        await asyncio.sleep(0.01)
    await manager.stop("m")
    with pytest.raises(EngineError, match="was stopped"):
        await asking
    assert manager.status() == [] and not list(manager._run.glob("engine-*.pid"))


async def test_closing_while_it_is_read_starts_nothing(manage: Make) -> None:
    manager = manage()
    asking = asyncio.create_task(manager.ready("m"))
    await asyncio.sleep(0.01)
    await manager.close()
    with pytest.raises(EngineError, match=r"stopping|stopped"):
        await asking
    assert not list(manager._run.glob("engine-*.pid"))


def test_back_off_doubles_holds_and_forgets() -> None:
    backoff = Backoff()
    waits = [backoff.crashed(1.0, 100.0) for _ in range(5)]
    assert waits == [0.5, 1.0, 2.0, 4.0, None] and backoff.held_until == 400.0
    assert backoff.crashed(3600.0, 0.0) == 0.5  # it had been up for long


def test_logs_stay_within_bounds(tmp_path: Path) -> None:
    log = Log(tmp_path / "engine-x.log")
    for number in range(1000):
        log.write(f"line {number} {'x' * 990}\n".encode())
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) <= 2 * 262_144
    assert log.tail(1).startswith("line 999")


def test_what_an_earlier_server_left_is_removed(tmp_path: Path) -> None:
    for name in ("engine-1.sock", "engine-1.native.sock", "engine-1.pid"):
        (tmp_path / name).write_text(str(os.getpid()))  # a number that now is somebody else's
    (tmp_path / "control.sock").write_text("")
    sweep(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["control.sock"]
