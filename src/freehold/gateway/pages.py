"""The browser's files, read once at start. Refuses paths that are not among them."""

from __future__ import annotations

import hashlib
from pathlib import Path

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
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Pages:
    """Files below `folder`, by path; `index.html` answers `/`. With no folder there are no pages."""

    def __init__(self, folder: Path | None) -> None:
        self._files: dict[str, tuple[Headers, bytes, bytes]] = {}
        if folder is None or not folder.is_dir():
            return
        for file in sorted(folder.rglob("*")):
            media = _MEDIA.get(file.suffix)
            if media is None or not file.is_file():
                continue
            data = file.read_bytes()
            etag = b'"' + hashlib.sha256(data).hexdigest()[:32].encode() + b'"'
            headers = [
                (b"content-type", media),
                (b"etag", etag),
                (b"cache-control", b"no-cache"),
                (b"content-security-policy", _POLICY),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
                (b"cross-origin-opener-policy", b"same-origin"),
            ]
            self._files["/" + file.relative_to(folder).as_posix()] = (headers, etag, data)

    def serve(self, exchange: Exchange, path: str) -> None:
        """Answer with the file at `path`. Raises NotFound."""
        found = self._files.get("/index.html" if path == "/" else path)
        if found is None:
            raise NotFound(f"There is nothing at {path}.", hint="the page is at /, the API below /v1")
        headers, etag, data = found
        if exchange.headers.get(b"if-none-match") == etag:
            exchange.reply(304, [*headers, named()], b"")
        else:
            exchange.reply(200, [*headers, named()], data)
