"""The browser's files over a real socket: routes, policies, compression, what a browser may keep."""

from __future__ import annotations

import gzip
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from freehold.core.errors import FreeholdError
from freehold.gateway.pages import Pages
from freehold.wire.client import Answer, Client, Origin
from freehold.wire.server import Exchange, listen

LARGE = "// large\n" + "let x = 1;\n" * 20_000
FILES = {
    "index.html": "<!doctype html><title>chat</title>" + "<p>word</p>" * 50,
    "console.html": "<!doctype html><title>console</title>",
    "app.js": "export const x = 1;\n" * 50,
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "vendor/large.mjs": LARGE,
    "vendor/mermaid.min.js": "self.mermaid = {};",
    "vendor/font.woff2": "wOF2" * 400,
    "vendor/licences/one.txt": "not a page's file",
    "frame/artifact.html": "<!doctype html>",
    "frame/mermaid.html": "<!doctype html>",
}


class Site:
    def __init__(self, origin: Origin, client: Client, folder: Path) -> None:
        self.origin, self.client, self.folder = origin, client, folder

    async def get(self, path: str, **headers: str) -> Answer:
        block = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
        return await self.client.fetch(self.origin, b"GET", path.encode(), block.encode(), b"")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    pages = Pages(tmp_path)

    async def handle(exchange: Exchange) -> None:
        try:
            await pages.serve(exchange, exchange.path)
        except FreeholdError as e:
            exchange.reply(e.status, [], str(e).encode())

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = await listen(handle, sock=sock)
    client = Client()
    yield Site(Origin("http", "127.0.0.1", server.port), client, tmp_path)
    await client.close()
    await server.close_gracefully(1)


def directives(answer: Answer) -> dict[str, str]:
    policy = answer.headers[b"content-security-policy"].decode()
    return {name: rest for name, _, rest in (part.strip().partition(" ") for part in policy.split(";"))}


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/", b"chat"),
        ("/index.html", b"chat"),
        ("/c/conv_01", b"chat"),
        ("/c/conv_01/", b"chat"),
        ("/share/tok-EN_1", b"chat"),
        ("/console", b"console"),
        ("/console/keys/k1", b"console"),
    ],
)
async def test_the_pages_own_routes_give_its_shells(site: Site, path: str, title: bytes) -> None:
    answer = await site.get(path)
    assert answer.status == 200
    assert b"<title>" + title in answer.body
    assert answer.headers[b"content-type"] == b"text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    ["/c/", "/c", "/share/", "/c/a/b", "/nothing.js", "/../pages.py", "/app.js/", "/%2e%2e/x", "/vendor",
     "/consoles", "/vendor/licences/one.txt", "//app.js"],
)  # fmt: skip
async def test_nothing_else_is_given(site: Site, path: str) -> None:
    assert (await site.get(path)).status in (400, 404)


async def test_without_a_folder_there_is_nothing() -> None:
    for folder in (None, Path("does-not-exist")):
        with pytest.raises(FreeholdError):
            await Pages(folder).serve(None, "/")  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/", "/app.js", "/vendor/large.mjs", "/icon.svg"])
async def test_both_forms_say_the_same(site: Site, path: str) -> None:
    expected = FILES["index.html" if path == "/" else path[1:]].encode()
    plain = await site.get(path)
    assert plain.body == expected
    assert b"content-encoding" not in plain.headers
    packed = await site.get(path, accept_encoding="br, gzip;q=0.8")
    if packed.headers.get(b"content-encoding") == b"gzip":
        assert len(packed.body) < len(expected)
        assert gzip.decompress(packed.body) == expected
        assert packed.headers[b"etag"] != plain.headers[b"etag"]
        assert b"accept-encoding" in plain.headers[b"vary"]
        assert b"accept-encoding" in packed.headers[b"vary"]
    else:
        assert path == "/icon.svg", "too short to gain"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("*", True), ("GZIP", True), ("gzip;q=0", False), ("gzip; q=0.0, *", False), ("br", False),
     ("identity, *;q=0", False), ("deflate, gzip;q=0.001", True), ("", False)],
)  # fmt: skip
async def test_accept_encoding_is_heeded(site: Site, accepted: str, packed: bool) -> None:
    answer = await site.get("/app.js", accept_encoding=accepted)
    assert (answer.headers.get(b"content-encoding") == b"gzip") is packed


async def test_fonts_are_not_compressed_again(site: Site) -> None:
    answer = await site.get("/vendor/font.woff2", accept_encoding="gzip")
    assert answer.headers[b"content-type"] == b"font/woff2"
    assert b"content-encoding" not in answer.headers
    assert b"vary" not in answer.headers


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_what_is_known_is_not_sent_again(site: Site, accepted: str) -> None:
    first = await site.get("/app.js", accept_encoding=accepted)
    assert first.headers[b"cache-control"] == b"no-cache"
    etag = first.headers[b"etag"].decode()
    for asked in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await site.get("/app.js", accept_encoding=accepted, if_none_match=asked)
        assert (again.status, again.body) == (304, b"")
        assert again.headers[b"etag"] == first.headers[b"etag"]
    assert (await site.get("/app.js", accept_encoding=accepted, if_none_match='"other"')).status == 200


async def test_only_a_url_that_names_the_content_is_kept_for_good(site: Site) -> None:
    name = (await site.get("/app.js")).headers[b"etag"].decode().strip('"')
    assert b"immutable" in (await site.get(f"/app.js?v={name}")).headers[b"cache-control"]
    for query in ("v=other", "v=", f"w={name}", name):
        assert (await site.get(f"/app.js?{query}")).headers[b"cache-control"] == b"no-cache"


async def test_a_changed_file_is_read_again(site: Site) -> None:
    before = await site.get("/app.js")
    version = (await site.get("/version.js")).body
    (site.folder / "app.js").write_text("export const x = 2;\n")
    os.utime(site.folder / "app.js", ns=(1, 1))
    after = await site.get("/app.js")
    assert after.body == b"export const x = 2;\n"
    assert after.headers[b"etag"] != before.headers[b"etag"]
    assert (await site.get("/version.js")).body != version


async def test_a_file_that_went_is_not_found(site: Site) -> None:
    assert (await site.get("/app.js")).status == 200
    (site.folder / "app.js").unlink()
    assert (await site.get("/app.js")).status == 404


async def test_pages_may_only_do_what_is_ours(site: Site) -> None:
    for path in ("/", "/console", "/app.js", "/version.js", "/share/x"):
        answer = await site.get(path)
        policy = directives(answer)
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["img-src"] == "'self' data: blob:"
        assert policy["frame-src"] == policy["worker-src"] == policy["manifest-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert b"unsafe" not in answer.headers[b"content-security-policy"]
        assert answer.headers[b"cross-origin-opener-policy"] == b"same-origin"
        assert answer.headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert answer.headers[b"referrer-policy"] == b"no-referrer"
        assert answer.headers[b"x-content-type-options"] == b"nosniff"
        assert b"camera=()" in answer.headers[b"permissions-policy"]


async def test_frames_of_what_a_model_wrote_reach_nothing(site: Site) -> None:
    for path, scripts in (("/frame/artifact.html", "'unsafe-inline'"), ("/frame/mermaid.html", "'self'")):
        answer = await site.get(path)
        policy = directives(answer)
        assert policy["sandbox"] == "allow-scripts"
        assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == scripts
        assert policy["frame-ancestors"] == "'self'"
        assert policy["img-src"] == "data: blob:"
        assert "connect-src" not in policy
        assert answer.headers[b"cross-origin-resource-policy"] == b"cross-origin"
    assert (await site.get("/vendor/mermaid.min.js")).headers[b"cross-origin-resource-policy"] == b"cross-origin"
    assert (await site.get("/vendor/large.mjs")).headers[b"cross-origin-resource-policy"] == b"same-origin"
