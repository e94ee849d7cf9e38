"""Where a request goes and how long it may take. Pure data: refuses to know sockets."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from freehold.core.errors import UpstreamBroken, UpstreamError, UpstreamTimeout


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """A server to talk to. Equal origins share connections."""

    scheme: str  # "http" or "https"
    host: str  # name or address; with `unix` it is only what the host header says
    port: int
    unix: str | None = None  # path of a UNIX socket to connect to instead
    verify: bool = True  # check the server's certificate and name
    ca: str | None = None  # file of certificates (PEM) to trust instead of the system's
    proxy: str | None = None  # "http://[user:password@]host:port" of a forward proxy


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds; kept to about a tenth of a second."""

    connect: float = 5.0  # name, TCP, TLS and proxy together, or waiting for a free connection
    first_byte: float = 60.0  # from sending to the first byte of the reply's body, or to the end of an empty one
    idle: float = 30.0  # between two pieces of the body, while we are willing to read
    total: float = 600.0  # from the start to the end of the reply


class Answer(msgspec.Struct, frozen=True):
    """A whole reply; names of headers in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Flow(Protocol):
    """What a source drives: the connection under one reply."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def enough(self) -> None: ...


class Source:
    """The tap of one reply. It turns into nothing when the reply ends, so that a late call cannot reach a connection
    that serves somebody else by then."""

    __slots__ = ("flow",)

    def __init__(self, flow: Flow) -> None:
        self.flow: Flow | None = flow

    def pause(self) -> None:
        """Stop taking bytes from the server."""
        if self.flow is not None:
            self.flow.pause_reading()

    def resume(self) -> None:
        """Go on."""
        if self.flow is not None:
            self.flow.resume_reading()

    def enough(self) -> None:
        """All that matters has come: an end that is late, or rude, is a good end."""
        if self.flow is not None:
            self.flow.enough()


class Sink(Protocol):
    """Who takes a reply. `head` comes once, then `data` as it arrives, freed of framing. An exception that they raise
    ends the request and comes out of `Client.send`."""

    def head(self, status: int, headers: dict[bytes, bytes], source: Source) -> None: ...
    def data(self, data: bytes) -> None: ...


E = TypeVar("E", bound=UpstreamError)


def broken(
    message: str, began: bool, hint: str = "Try again; if it persists, the server is at fault."
) -> UpstreamBroken:
    """Return an UpstreamBroken whose `began` says whether any byte of the reply had come."""
    return _mark(UpstreamBroken(message, hint=hint), began)


def overdue(what: str, seconds: float, began: bool) -> UpstreamTimeout:
    """Return an UpstreamTimeout for the time called `what`."""
    return _mark(
        UpstreamTimeout(
            f"the {what} timeout of {seconds:g} s ran out",
            hint=f"Raise `timeout.{what}` of the deployment if the server needs longer.",
        ),
        began,
    )


def _mark(error: E, began: bool) -> E:
    vars(error)["began"] = began
    return error


def was_sent(error: BaseException) -> bool:
    """Whether the request that ended in `error` had gone out, so that the server may have worked on it. For what came
    out of `Client.send`, a cancellation too."""
    return bool(vars(error).get("sent"))
