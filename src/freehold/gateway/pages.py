"""The browser's files: which there are, under which policy each may act, compressed once. Refuses paths that are not
among them, and to know what a page does."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from pathlib import Path, PurePosixPath

from msgspec import Struct

from freehold.core.errors import NotFound
from freehold.gateway.answer import named
from freehold.wire.http import Headers
from freehold.wire.server import Exchange

_MEDIA = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".mjs": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".json": b"application/json",
    ".webmanifest": b"application/manifest+json",
    ".png": b"image/png",
    ".ico": b"image/x-icon",
    ".woff2": b"font/woff2",
}
_PACKED = frozenset({".png", ".ico", ".woff2"})
"""Kinds of file that are compressed already."""

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    b"connect-src 'self'; font-src 'self'; frame-src 'self'; worker-src 'self'; manifest-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types freehold dompurify"
)
# What a model wrote runs in these two: an origin of their own, no network, no way to anything of ours.
_FRAME = (
    b"sandbox allow-scripts; default-src 'none'; script-src %s; style-src 'unsafe-inline'; img-src data: blob:; "
    b"font-src data:; media-src data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_POLICIES = {
    "/frame/artifact.html": _FRAME % b"'unsafe-inline'",
    "/frame/mermaid.html": _FRAME % b"'self'",
}
_FOR_FRAMES = ("/frame/", "/vendor/mermaid.min.js")
"""What a frame of an origin of its own loads: for a browser that is another site's request."""

_HEADERS: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(), "
        b"display-capture=(), clipboard-read=(self), clipboard-write=(self)",
    ),
    (b"x-robots-tag", b"noindex"),
)
_SHELLS = (
    (re.compile(r"/|/c/[^/]+/?|/share/[^/]+/?"), "/index.html"),
    (re.compile(r"/console(?:/.*)?"), "/console.html"),
)
_VERSION = "/version.js"
_LARGE = 65_536
"""Files above so many bytes are read and compressed in a thread, and only their compressed form is kept."""
_HASH_LETTERS = 32


class _File(Struct):
    """A file as it was when it was last asked for."""

    stamp: tuple[int, int]
    name: bytes  # of its content: what its etag and a versioned URL are made of
    plain: bytes | None  # None: it is large, and read anew when somebody takes it uncompressed
    packed: bytes | None  # None: compressing gains nothing


class Pages:
    """Files below `folder`, by path; the shells of the page answer on the page's own routes. With no folder there
    are no pages. Nothing is read before it is asked for; a file that changed is read again."""

    def __init__(self, folder: Path | None) -> None:
        self._paths: dict[str, Path] = {}
        self._known: dict[str, _File] = {}
        self._version = b""
        if folder is None or not folder.is_dir():
            return
        for file in sorted(folder.rglob("*")):
            if file.suffix in _MEDIA and file.is_file():
                self._paths["/" + file.relative_to(folder).as_posix()] = file

    async def serve(self, exchange: Exchange, path: str) -> None:
        """Answer with the file at `path`. Raises NotFound."""
        if path == _VERSION and self._paths:
            await self._serve_version(exchange)
            return
        name = path if path in self._paths else _shell(path)
        file = self._paths.get(name)
        found = None if file is None else await self._find(name, file)
        if file is None or found is None:
            raise NotFound(f"There is nothing at {path}.", hint="the page is at /, the API below /v1")
        packs = found.packed is not None and _takes_gzip(exchange.headers.get(b"accept-encoding", b""))
        etag = b'"%s%s"' % (found.name, b"-gzip" if packs else b"")
        headers = _headers(name, file.suffix, etag, exchange.query == f"v={found.name.decode()}")
        if found.packed is not None:
            headers.append((b"vary", b"accept-encoding"))
        if _matches(exchange.headers.get(b"if-none-match", b""), etag):
            exchange.reply(304, [*headers, named()], b"")
            return
        if packs and found.packed is not None:
            exchange.reply(200, [*headers, (b"content-encoding", b"gzip"), named()], found.packed)
            return
        plain = found.plain
        if plain is None:
            plain = await asyncio.to_thread(file.read_bytes)
        exchange.reply(200, [*headers, named()], plain)

    async def _serve_version(self, exchange: Exchange) -> None:
        """One line of script that differs whenever a file of the page does: a service worker is renewed by it."""
        if not self._version:
            self._version = await asyncio.to_thread(_fingerprint, self._paths)
        headers = _headers(_VERSION, ".js", b'"%s"' % self._version, versioned=False)
        exchange.reply(200, [*headers, named()], b'self.FREEHOLD_VERSION = "%s";\n' % self._version)

    async def _find(self, name: str, file: Path) -> _File | None:
        try:
            stat = file.stat()
        except OSError:
            return None  # the packages are being laid anew
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._known.get(name)
        if known is not None and known.stamp == stamp:
            return known
        try:
            if stat.st_size > _LARGE:
                found = await asyncio.to_thread(_read, file, stamp)
            else:
                found = _read(file, stamp)
        except OSError:
            return None
        self._known[name] = found
        self._version = b"" if known is not None else self._version
        return found


def _read(file: Path, stamp: tuple[int, int]) -> _File:
    data = file.read_bytes()
    packed = None
    if file.suffix not in _PACKED:
        packed = gzip.compress(data, 6 if len(data) > 1_000_000 else 9, mtime=0)
        if len(packed) >= len(data):
            packed = None
    keeps = packed is None or len(data) <= _LARGE
    return _File(stamp, _hash(data), data if keeps else None, packed)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest()[:_HASH_LETTERS].encode()


def _fingerprint(paths: dict[str, Path]) -> bytes:
    whole = hashlib.sha256()
    for name, file in sorted(paths.items()):
        whole.update(name.encode() + b"\0")
        whole.update(_hash(file.read_bytes()) if file.is_file() else b"-")
    return whole.hexdigest()[:_HASH_LETTERS].encode()


def _shell(path: str) -> str:
    """Return the page that answers on `path`, or `path`: what ends like a file is one, and is there or is not."""
    if PurePosixPath(path).suffix in _MEDIA:
        return path
    return next((shell for route, shell in _SHELLS if route.fullmatch(path)), path)


def _headers(name: str, suffix: str, etag: bytes, versioned: bool) -> list[tuple[bytes, bytes]]:
    shared = b"cross-origin" if name.startswith(_FOR_FRAMES) else b"same-origin"
    return [
        (b"content-type", _MEDIA[suffix]),
        (b"etag", etag),
        (b"cache-control", b"public, max-age=31536000, immutable" if versioned else b"no-cache"),
        (b"content-security-policy", _POLICIES.get(name, _POLICY)),
        (b"cross-origin-resource-policy", shared),
        *_HEADERS,
    ]


def _takes_gzip(accepted: bytes) -> bool:
    """RFC 9110, 12.5.3: what is named counts, then what `*` says; a weight of nought refuses."""
    weights: dict[bytes, bool] = {}
    for part in accepted.lower().split(b","):
        coding, _, options = part.partition(b";")
        weights[coding.strip()] = not re.fullmatch(rb"\s*q\s*=\s*0(?:\.0*)?\s*", options)
    return weights.get(b"gzip", weights.get(b"*", False))


def _matches(asked: bytes, etag: bytes) -> bool:
    """RFC 9110, 13.1.2: a list of tags, compared weakly, or `*`."""
    return asked.strip() == b"*" or etag in [tag.strip().removeprefix(b"W/") for tag in asked.split(b",")]
