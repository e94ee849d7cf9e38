"""Asks a running server, over the control socket in its run folder. Knows the socket; refuses to know what is asked."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from freehold.core.errors import ConfigError, EngineError, FreeholdError, NotFound

SOCKET = "control.sock"
_START = "start the server with `freehold serve`, in the same folder or with the same --config"


class NotRunning(EngineError):
    """No server answers at the control socket."""

    code, retryable = "not_running", False


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("control", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(run: Path, path: str, *, method: str = "GET", timeout: float = 5.0, about: Any = None) -> Any:
    """Return the JSON answer to `path`; `about` goes along as JSON.

    Raises NotRunning when no server is there, NotFound for an unknown path."""
    connection = _Unix(run / SOCKET, timeout)
    try:
        connection.request(method, path, json.dumps(about) if about is not None else None)
        response = connection.getresponse()
        body = response.read()
    except (FileNotFoundError, ConnectionError) as e:
        raise NotRunning("no server runs here", hint=_START) from e
    except TimeoutError as e:
        raise NotRunning(f"the server did not answer within {timeout:.0f} s", hint="look at its log") from e
    finally:
        connection.close()
    if response.status == 404 and not path.startswith("/orders/"):
        raise NotFound(f"the running server does not know {path}", hint="restart it: it is of another version")
    answer = json.loads(body) if body else {}
    if response.status != 200:
        said = answer.get("error", {})
        message = said.get("message") or f"the running server answered {response.status}"
        kind: type[FreeholdError] = ConfigError if said.get("code") == ConfigError.code else FreeholdError
        if response.status == 404:
            kind = NotFound
        raise kind(message, code=said.get("code"), hint=said.get("hint") or "look at its log")
    return answer
