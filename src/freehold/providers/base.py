"""What all providers share: their settings, what they make of a Call, and the seam that the pipeline drives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Raw, Struct

from freehold import __version__
from freehold.core.call import Call, Kind
from freehold.core.errors import ConfigError, Unsupported, UpstreamError
from freehold.wire.origin import Origin

Loss = Literal["strict", "warn"]
StreamUsage = Literal["ask", "always", "never"]
WILDCARD = "*"
"""As a deployment's model: what the client names behind the first slash."""

AGENT = f"freehold/{__version__}".encode()
PATHS: dict[Kind, str] = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embedding": "/embeddings",
    "moderation": "/moderations",
}
_PORTS = {"http": 80, "https": 443}
_NULL = Raw(b"null")


class Settings(Struct, frozen=True, kw_only=True):
    """One deployment as its provider sees it. Never shows its key."""

    name: str  # the deployment's name
    kind: str  # openai, azure, llamacpp, or a vendor's name
    model: str  # the name that is sent; "*": what the client names behind the first slash
    endpoint: str | None = None  # base URL, or a vendor's name
    key: str | None = None  # the vendor's secret
    bearer: bool = False  # azure: send the key as a bearer token (Microsoft Entra) instead of api-key
    api_version: str | None = None  # azure: the api-version to send; "v1" for the paths that need none
    organization: str | None = None  # openai: billed organisation
    project: str | None = None  # openai: billed project
    headers: dict[str, str] = {}  # further headers of each request
    query: dict[str, str] = {}  # further query parameters of each request
    on_loss: Loss = "strict"  # what the target cannot honour is refused, or dropped and named
    unsupported: frozenset[str] = frozenset()  # request members that the target cannot honour
    max_tokens: str | None = None  # the one name that the target knows for the bound on output, if only one
    stream_usage: StreamUsage | None = None  # whether a stream states its usage when asked, always, or never
    proxy: str | None = None  # URL of a forward proxy
    ca: str | None = None  # PEM file of certificate authorities to trust
    verify: bool = True  # check the server's certificate

    def __repr__(self) -> str:
        return f"Settings(name={self.name!r}, kind={self.kind!r}, model={self.model!r}, endpoint={self.endpoint!r})"


class Outgoing(Struct):
    """A request ready to be sent. `origin` is None when the pipeline must ask the engines for it; `sent` is the model
    name in it, `dropped` the members that were left out under `warn`; `strip_usage` says that we asked for the stream's
    usage on our own account, so that the event with it is not the client's."""

    origin: Origin | None
    target: bytes
    headers: bytes
    body: bytes
    sent: str
    dropped: tuple[str, ...] = ()
    strip_usage: bool = False

    def __repr__(self) -> str:
        return f"Outgoing(origin={self.origin!r}, target={self.target!r}, sent={self.sent!r}, {len(self.body)} bytes)"


class Provider(Protocol):
    """A deployment's dialect. Both methods are pure."""

    kind: str

    def request(self, call: Call, on_loss: Loss | None = None) -> Outgoing:
        """Return what to send for `call`. Unsupported, under `strict`, when the target cannot honour a member.
        `on_loss` is the route's policy where it has its own."""
        ...

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamError:
        """Return what a reply that is no answer means."""
        ...


def locate(settings: Settings, endpoint: str) -> tuple[Origin, str]:
    """Return the origin and the path of a base URL (http, https, or unix:/path/to.sock for the path /v1)."""
    parts = _split(settings, endpoint)
    if parts.scheme == "unix":
        return Origin("http", "localhost", 80, unix=parts.path), "/v1"
    port = parts.port or _PORTS[parts.scheme]
    host = parts.hostname or ""
    origin = Origin(parts.scheme, host, port, verify=settings.verify, ca=settings.ca, proxy=settings.proxy)
    return origin, parts.path.rstrip("/")


def _split(settings: Settings, endpoint: str) -> SplitResult:
    try:
        parts = urlsplit(endpoint)
        sound = (parts.scheme in _PORTS and bool(parts.hostname)) or (parts.scheme == "unix" and bool(parts.path))
        _ = parts.port  # raises when it is out of range
    except ValueError:
        sound = False
    if not sound:
        raise ConfigError(
            f"Deployment {settings.name!r}: {endpoint!r} is no base URL.",
            param="endpoint",
            hint="Write a URL such as https://host/v1, unix:/path/to.sock, or a known vendor's name.",
        )
    return parts


def block(settings: Settings, headers: Mapping[str, str]) -> bytes:
    """Return the header lines of every request of a deployment; ConfigError for a value that no header can hold."""
    lines = {"content-type": "application/json", "accept": "*/*", "user-agent": AGENT.decode(), **headers}
    lines |= {name.lower(): value for name, value in settings.headers.items()}
    out = b""
    for name, value in lines.items():
        line = f"{name}: {value}"
        if not name or not line.isprintable() or not line.isascii() or set(name) & set(" :"):
            raise ConfigError(
                f"Deployment {settings.name!r}: the value of header {name!r} cannot be sent.",
                param="key" if name in ("authorization", "api-key") else "headers",
                hint="Header values, keys among them, are printable ASCII without line breaks.",
            )
        out += line.encode() + b"\r\n"
    return out


def sent_model(model: str, asked: str) -> str:
    """Return the model's name to send: the deployment's own or, for a wildcard, what follows the first slash."""
    if model != WILDCARD:
        return model
    prefix, _, rest = asked.partition("/")
    return rest or prefix


_IDLE = {
    "n": b"1",
    "best_of": b"1",
    "logprobs": b"false",
    "top_logprobs": b"0",
    "presence_penalty": b"0",
    "frequency_penalty": b"0",
    "logit_bias": b"{}",
    "echo": b"false",
    "store": b"false",
}


def lost(fields: Mapping[str, Raw], names: list[str]) -> list[str]:
    """Return those of `names` whose absence the caller could notice: null, or the default, asks for nothing."""
    return [name for name in names if (value := bytes(fields[name])) != b"null" and value != _IDLE.get(name)]


def refuse_loss(names: list[str], where: str) -> Unsupported:
    """Return the error for members that would be lost under `strict`."""
    listed = ", ".join(f"'{name}'" for name in names)
    return Unsupported(
        f"Unsupported parameter: {listed} cannot be honoured by '{where}'.",
        param=names[0],
        hint='Leave it out, ask for another model, or set on_loss = "warn" to have it dropped and named.',
    )


_options = msgspec.json.Decoder(dict[str, Raw])
ASK = Raw(b'{"include_usage":true}')


def ask_usage(given: Raw | None) -> Raw:
    """Return stream options that ask for usage and keep what else the client wanted."""
    if given is None or given == _NULL:
        return ASK
    return Raw(msgspec.json.encode({**_options.decode(given), "include_usage": True}))
